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
 * Nearly all packets are read in plain.h. Here the struct packet lives in memory, and functions
 * that the verifier looks at once and by themselves (tags, IPv6 extension headers) are handed it as
 * it is: a copy for each would be 80 bytes of stack, and all that is called from here has 512
 * together.
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

#define IPV4_HEADER_MASK 63 /* covers the longest header, 60 bytes */

#define VLAN_TAGS_MAX 2
#define VLAN_TAG 4

#define SCTP_HEADER 12
#define SCTP_INIT 1 /* chunk type, RFC 9260 section 3.2 */

/* Bytes from `start` to the end of the frame. Only a frame of several buffers costs the helper
 * call. */
static __always_inline __u32 parse_room(struct xdp_md *ctx, void *start, void *end, __u32 wanted)
{
	__u32 room = end - start;

	if (room >= wanted)
		return room;
	return bpf_xdp_get_buff_len(ctx) - (__u32)((long)start - (long)ctx->data);
}

/* INIT, which opens an association, is alone in its packet (RFC 9260 section 6.10), so the first
 * chunk tells. */
static __always_inline void parse_sctp_chunk(void *l4, void *end, __u32 room, struct packet *packet)
{
	__u8 *chunk = l4 + SCTP_HEADER;

	if (room > SCTP_HEADER && (void *)(chunk + 1) <= end && *chunk == SCTP_INIT)
		packet->tcp_flags = TCP_SYN;
}

/* `room`: bytes of transport header and payload by the IP header's account. */
static __always_inline void parse_l4(void *l4, void *end, __u32 room, struct packet *packet)
{
	struct tcphdr *tcp = l4;
	struct udphdr *udp = l4;

	packet->fault = LB_DROP_TRUNCATED;
	if ((void *)(udp + 1) > end || room < sizeof(*udp))
		return;
	packet->ports = *(__be32 *)l4;
	packet->has_ports = 1;
	if (packet->protocol == IPPROTO_TCP) {
		if ((void *)(tcp + 1) > end || room < sizeof(*tcp))
			return;
		packet->tcp_flags = ((__u8 *)l4)[13];
	} else if (unlikely(packet->protocol == IPPROTO_SCTP)) {
		if (l4 + SCTP_HEADER > end || room < SCTP_HEADER)
			return;
		parse_sctp_chunk(l4, end, room, packet);
	}
	packet->fault = LB_NEXT;
}

static __always_inline int parse_ipv4_fault(struct xdp_md *ctx, struct iphdr *ip, void *end,
					    __u32 header)
{
	__u32 length = bpf_ntohs(ip->tot_len);

	if (ip->version != 4)
		return LB_DROP_BAD_VERSION;
	if (header < sizeof(*ip) || (void *)ip + header > end)
		return LB_DROP_BAD_HEADER;
	if (length < header || length > parse_room(ctx, ip, end, length))
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

static __always_inline int parse_ipv4(struct xdp_md *ctx, void *l3, void *end,
				      struct packet *packet)
{
	struct iphdr *ip = l3;
	__u32 header;
	int fault;

	if ((void *)(ip + 1) > end)
		return LB_PASS_RUNT;
	header = ip->ihl * 4;
	packet->family = 4;
	packet->protocol = ip->protocol;
	packet->tos = ip->tos;
	packet->length = bpf_ntohs(ip->tot_len);
	packet->source[0] = ip->saddr;
	packet->destination[0] = ip->daddr;
	packet->l4 = packet->l3 + header;

	fault = parse_ipv4_fault(ctx, ip, end, header);
	packet->fault = fault;
	if (fault == LB_DROP_BAD_VERSION || fault == LB_DROP_BAD_HEADER)
		return LB_NEXT;
	if (unlikely(header > sizeof(*ip)) &&
	    source_route_is_left(ctx, packet->l3 + sizeof(*ip), header - sizeof(*ip)))
		return LB_PASS_NOT_VIP;
	if (unlikely(ip->frag_off & bpf_htons(IP_FRAGMENT_MASK))) {
		parse_ipv4_fragment(ip, packet);
		if (packet->fragment == FRAGMENT_LATER)
			return LB_NEXT;
	}
	parse_l4(bounds_at(l3, header, IPV4_HEADER_MASK), end, packet->length - header, packet);
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

static __always_inline int parse_ipv6_fault(struct xdp_md *ctx, struct ipv6hdr *ip, void *end,
					    __u32 length)
{
	if (ip->version != 6)
		return LB_DROP_BAD_VERSION;
	if (length > parse_room(ctx, ip, end, length))
		return LB_DROP_BAD_LENGTH;
	if (ip->hop_limit == 0)
		return LB_DROP_TTL;
	return LB_NEXT;
}

static __always_inline int parse_ipv6(struct xdp_md *ctx, void *l3, void *end,
				      struct packet *packet)
{
	struct ipv6hdr *ip = l3;
	__u64 *words = l3;
	int fault, verdict = LB_NEXT;

	if ((void *)(ip + 1) > end)
		return LB_PASS_RUNT;
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	packet->tos = bpf_ntohs(*(__be16 *)l3) >> 4;
	packet->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	packet->source[0] = words[1];
	packet->source[1] = words[2];
	packet->destination[0] = words[3];
	packet->destination[1] = words[4];
	packet->l4 = packet->l3 + sizeof(*ip);

	fault = parse_ipv6_fault(ctx, ip, end, packet->length);
	packet->fault = fault;
	if (fault == LB_DROP_BAD_VERSION)
		return LB_NEXT;
	if (unlikely(extension_is(packet->protocol)))
		verdict = extension_read(ctx, packet);
	else
		parse_l4(ip + 1, end, packet->length - sizeof(*ip), packet);
	if (fault != LB_NEXT)
		packet->fault = fault;
	return verdict;
}

static __always_inline int parse_is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* 802.1Q and 802.1ad (QinQ): the type of what follows them, and where that begins. A third tag is
 * not read: its frame is no IP packet to us. */
static __always_inline __be16 parse_tags(void *data, void *end, __u16 *l3)
{
	__be16 type = ((struct ethhdr *)data)->h_proto;
	__be16 *tag = data + ETH_HLEN;
	int i;

#pragma unroll
	for (i = 0; i < VLAN_TAGS_MAX; i++) {
		if (!parse_is_tag(type) || (void *)(tag + 2) > end)
			break;
		type = tag[1];
		tag += 2;
		*l3 += VLAN_TAG;
	}
	return type;
}

__noinline int parse_tagged(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 l3 = ETH_HLEN;
	__be16 type;
	void *ip;

	if (!packet || data + ETH_HLEN > end)
		return LB_PASS_RUNT;
	type = parse_tags(data, end, &l3);
	packet->l3 = l3;
	ip = bounds_at(data, l3, L3_OFFSET_MASK);
	if (type == bpf_htons(ETH_P_IP))
		return parse_ipv4(ctx, ip, end, packet);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, ip, end, packet);
	return LB_PASS_NOT_IP;
}

static __always_inline int parse_network(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return LB_PASS_RUNT;
	packet->l3 = ETH_HLEN;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(ctx, eth + 1, end, packet);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, eth + 1, end, packet);
	if (parse_is_tag(eth->h_proto))
		return parse_tagged(ctx, packet);
	return LB_PASS_NOT_IP;
}

/* Every balancer of the segment gets a frame to a group, and so it is for none of them to forward
 * (RFC 1812 section 5.3.4). */
static __always_inline int parse_is_to_group(struct xdp_md *ctx)
{
	__u8 *first = (void *)(long)ctx->data;

	return (void *)(first + 1) <= (void *)(long)ctx->data_end && *first & 1;
}

/* `packet` is all 0. */
static __always_inline int parse(struct xdp_md *ctx, struct packet *packet)
{
	const int verdict = parse_network(ctx, packet);

	if (verdict != LB_NEXT)
		return verdict;
	parse_source(packet);
	return parse_is_to_group(ctx) ? LB_PASS_GROUP : LB_NEXT;
}

#endif
