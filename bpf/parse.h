/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 1: from a frame to a struct packet.
 *
 *   | Ethernet 14 | at most two VLAN tags, 4 each | IPv4 20…60 or IPv6 40 | TCP 20… or UDP 8 | …
 *
 * Nothing is dropped here. Only a later stage knows whether the packet is for a VIP, and what is
 * for none must reach the stack whatever it looks like; so a malformed packet carries its verdict
 * along in packet->fault. Read order: what can be read before a fault is read, ports most of all,
 * since they decide whose packet it is.
 *
 * Nearly all packets are read in plain.h, where they lie. Here headers are copied to the stack,
 * since a driver may hand over a frame whose first buffer holds few of its bytes, or none: what
 * lies in which buffer makes no difference here. The struct packet lives in memory, and functions
 * that the verifier looks at once and by themselves are handed it as it is: a copy for each would
 * be 80 bytes of stack, and all that is called from here has 512 together.
 */
#ifndef LB_PARSE_H
#define LB_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "bounds.h"
#include "packet.h"
#include "source.h"
#include "source_route.h"

#define IP_FRAGMENT_MASK 0x3fff /* more fragments, and the offset */
#define IP_OFFSET_MASK 0x1fff

/* Covers every header: six of the longest extension headers end before it. */
#define OFFSET_MASK 0x3fff

#define VLAN_TAGS_MAX 2
#define VLAN_TAG 4

#define SCTP_HEADER 12
#define SCTP_INIT 1 /* chunk type, RFC 9260 section 3.2 */

/* Copies `size` bytes (a constant) from `at` on; 0: they are there. Where they lie if they are in
 * the first buffer: a call of the helper costs about 30 ns. */
static __always_inline int parse_read(struct xdp_md *ctx, __u32 at, void *to, __u32 size)
{
	void *from = bounds_at((void *)(long)ctx->data, at, OFFSET_MASK);

	if (at > OFFSET_MASK || from + size > (void *)(long)ctx->data_end)
		return bpf_xdp_load_bytes(ctx, at, to, size);
	__builtin_memcpy(to, from, size);
	return 0;
}

/* Bytes of the frame from `at` on, in the first buffer if they are `wanted` or more, else in all. */
static __always_inline __u32 parse_room(struct xdp_md *ctx, __u32 at, __u32 wanted)
{
	__u32 length = ctx->data_end - ctx->data;

	if (length < at + wanted)
		length = bpf_xdp_get_buff_len(ctx);

	return length > at ? length - at : 0;
}

/* INIT, which opens an association, is alone in its packet (RFC 9260 section 6.10), so the first
 * chunk tells. */
static __always_inline void parse_sctp_chunk(struct xdp_md *ctx, __u32 room, struct packet *packet)
{
	__u8 chunk;

	if (room > SCTP_HEADER &&
	    !bpf_xdp_load_bytes(ctx, packet->l4 + SCTP_HEADER, &chunk, sizeof(chunk)) &&
	    chunk == SCTP_INIT)
		packet->tcp_flags = TCP_SYN;
}

/* `room`: bytes of transport header and payload by the IP header's account. */
static __always_inline void parse_l4(struct xdp_md *ctx, __u32 room, struct packet *packet)
{
	__be32 head[2], rest[3]; /* what every transport header has; what TCP has more */

	packet->fault = LB_DROP_TRUNCATED;
	if (room < sizeof(head) || parse_read(ctx, packet->l4, head, sizeof(head)))
		return;
	packet->ports = head[0];
	packet->has_ports = 1;
	if (packet->protocol == IPPROTO_TCP) {
		if (room < sizeof(struct tcphdr) ||
		    parse_read(ctx, packet->l4 + sizeof(head), rest, sizeof(rest)))
			return;
		packet->tcp_flags = ((__u8 *)rest)[5];
	} else if (unlikely(packet->protocol == IPPROTO_SCTP)) {
		if (room < SCTP_HEADER || parse_room(ctx, packet->l4, SCTP_HEADER) < SCTP_HEADER)
			return;
		parse_sctp_chunk(ctx, room, packet);
	}
	packet->fault = LB_NEXT;
}

static __always_inline int parse_ipv4_fault(const struct iphdr *ip, __u32 room, __u32 header)
{
	__u32 length = bpf_ntohs(ip->tot_len);

	if (ip->version != 4)
		return LB_DROP_BAD_VERSION;
	if (header < sizeof(*ip) || header > room)
		return LB_DROP_BAD_HEADER;
	if (length < header || length > room)
		return LB_DROP_BAD_LENGTH;
	if (ip->ttl == 0)
		return LB_DROP_TTL;
	return LB_NEXT;
}

static __always_inline void parse_ipv4_fragment(const struct iphdr *ip, struct packet *packet)
{
	__u32 offset = bpf_ntohs(ip->frag_off) & IP_OFFSET_MASK;

	packet->fragment = offset ? FRAGMENT_LATER : FRAGMENT_FIRST;
	packet->fragment_id = ip->id;
	packet->fragment_offset = offset;
}

static __always_inline int parse_ipv4(struct xdp_md *ctx, struct packet *packet)
{
	struct iphdr copy, *ip = &copy;
	__u32 header;
	int fault;

	if (parse_read(ctx, packet->l3, ip, sizeof(*ip)))
		return LB_PASS_RUNT;
	header = ip->ihl * 4;
	packet->family = 4;
	packet->protocol = ip->protocol;
	packet->tos = ip->tos;
	packet->length = bpf_ntohs(ip->tot_len);
	packet->source[0] = ip->saddr;
	packet->destination[0] = ip->daddr;
	packet->l4 = packet->l3 + header;

	fault = parse_ipv4_fault(
		ip, parse_room(ctx, packet->l3, packet->length < header ? header : packet->length),
		header);
	packet->fault = fault;
	if (fault == LB_DROP_BAD_VERSION || fault == LB_DROP_BAD_HEADER)
		return LB_NEXT;
	if (unlikely(ip->frag_off & bpf_htons(IP_FRAGMENT_MASK))) {
		parse_ipv4_fragment(ip, packet);
		if (packet->fragment == FRAGMENT_LATER)
			return LB_NEXT;
	}
	parse_l4(ctx, packet->length - header, packet);
	if (fault != LB_NEXT)
		packet->fault = fault;
	return LB_NEXT;
}

/* Only the address is known to be there. */
static __always_inline void parse_source(struct packet *packet)
{
	const int bad = packet->family == 4
				? source4_is_bad(packet->source[0], packet->destination[0])
				: packet->family == 6 &&
					  source6_is_bad(packet->source, packet->destination);

	if (bad && packet->fault == LB_NEXT)
		packet->fault = LB_DROP_BAD_SOURCE;
}

#include "extension.h"

static __always_inline int parse_ipv6_fault(const struct ipv6hdr *ip, __u32 room, __u32 length)
{
	if (ip->version != 6)
		return LB_DROP_BAD_VERSION;
	if (length > room)
		return LB_DROP_BAD_LENGTH;
	if (ip->hop_limit == 0)
		return LB_DROP_TTL;
	return LB_NEXT;
}

static __always_inline int parse_ipv6(struct xdp_md *ctx, struct packet *packet)
{
	struct ipv6hdr copy, *ip = &copy;
	int fault;

	if (parse_read(ctx, packet->l3, ip, sizeof(*ip)))
		return LB_PASS_RUNT;
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	packet->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	packet->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	__builtin_memcpy(packet->source, &ip->saddr, sizeof(packet->source));
	__builtin_memcpy(packet->destination, &ip->daddr, sizeof(packet->destination));
	packet->l4 = packet->l3 + sizeof(*ip);

	fault = parse_ipv6_fault(ip, parse_room(ctx, packet->l3, packet->length), packet->length);
	packet->fault = fault;
	if (fault == LB_DROP_BAD_VERSION || extension_is(packet->protocol)) /* see parse */
		return LB_NEXT;
	parse_l4(ctx, packet->length - sizeof(*ip), packet);
	if (fault != LB_NEXT)
		packet->fault = fault;
	return LB_NEXT;
}

static __always_inline int parse_is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* 802.1Q and 802.1ad (QinQ): the type of what follows them, and where that begins. A third tag is
 * not read: its frame is no IP packet to us. */
static __always_inline __be16 parse_tags(struct xdp_md *ctx, __be16 type, __u16 *l3)
{
	__be16 tag[2]; /* control information, type of what follows */
	int i;

	for (i = 0; i < VLAN_TAGS_MAX; i++) {
		if (!parse_is_tag(type) || parse_read(ctx, *l3, tag, sizeof(tag)))
			break;
		type = tag[1];
		*l3 += VLAN_TAG;
	}
	return type;
}

static __always_inline int parse_network(struct xdp_md *ctx, __be16 type, struct packet *packet)
{
	packet->l3 = ETH_HLEN;
	if (unlikely(parse_is_tag(type)))
		type = parse_tags(ctx, type, &packet->l3);
	if (type == bpf_htons(ETH_P_IP))
		return parse_ipv4(ctx, packet);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, packet);
	return LB_PASS_NOT_IP;
}

/* All but IPv4 options, IPv6 extension headers and what comes behind these. Every balancer of the
 * segment gets a frame to a group, and so it is for none of them to forward (RFC 1812
 * section 5.3.4). */
__noinline int parse_headers(struct xdp_md *ctx, struct packet *packet)
{
	struct ethhdr eth;
	int verdict;

	if (!packet)
		return LB_DROP_INTERNAL;
	if (parse_read(ctx, 0, &eth, sizeof(eth)))
		return LB_PASS_RUNT;
	verdict = parse_network(ctx, eth.h_proto, packet);
	if (verdict == LB_NEXT && eth.h_dest[0] & 1)
		return LB_PASS_GROUP;
	return verdict;
}

/* What else belongs to the IP header, where that is sound. */
static __always_inline int parse_rest(struct xdp_md *ctx, struct packet *packet)
{
	const __u32 options = packet->l3 + sizeof(struct iphdr);

	if (packet->fault == LB_DROP_BAD_VERSION || packet->fault == LB_DROP_BAD_HEADER)
		return LB_NEXT;
	if (packet->family == 6)
		return extension_is(packet->protocol) ? extension_read(ctx, packet) : LB_NEXT;
	if (packet->l4 > options && source_route_is_left(ctx, options, packet->l4 - options))
		return LB_PASS_NOT_VIP;
	return LB_NEXT;
}

/* `packet` is all 0. None of the functions calls another, for their stack. */
static __always_inline int parse(struct xdp_md *ctx, struct packet *packet)
{
	int verdict = parse_headers(ctx, packet);

	if (verdict == LB_NEXT)
		verdict = parse_rest(ctx, packet);
	if (verdict == LB_NEXT)
		parse_source(packet);
	return verdict;
}

#endif
