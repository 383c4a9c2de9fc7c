/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 1: from a frame to a struct packet.
 *
 *   | Ethernet 14 | IPv4 20…60 or IPv6 40 | TCP 20… or UDP 8 | …
 *
 * Nothing is dropped here. Only the next stage knows whether the packet is for a VIP, and what is
 * for none must reach the stack whatever it looks like; so a malformed packet carries its verdict
 * along in packet->fault. Read order: what can be read before a fault is read, ports most of all,
 * since they decide whose packet it is.
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
#include "packet.h"

#define IP_FRAGMENT_MASK 0x3fff /* more fragments, and the offset */
#define IP_OFFSET_MASK 0x1fff

/* Bytes from `start` to the end of the frame. Only a frame of several buffers costs the helper
 * call. */
static __always_inline __u32 parse_room(struct xdp_md *ctx, void *start, void *end, __u32 wanted)
{
	__u32 room = end - start;

	if (room >= wanted)
		return room;
	return bpf_xdp_get_buff_len(ctx) - (__u32)((long)start - (long)ctx->data);
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
	if (ip->frag_off & bpf_htons(IP_FRAGMENT_MASK))
		return LB_DROP_FRAGMENT;
	return LB_NEXT;
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

	fault = parse_ipv4_fault(ctx, ip, end, header);
	packet->fault = fault;
	if (fault == LB_DROP_BAD_VERSION || fault == LB_DROP_BAD_HEADER)
		return LB_NEXT;
	if (fault == LB_DROP_FRAGMENT && ip->frag_off & bpf_htons(IP_OFFSET_MASK))
		return LB_NEXT;
	parse_l4(l3 + header, end, packet->length - header, packet);
	if (fault != LB_NEXT)
		packet->fault = fault;
	return LB_NEXT;
}

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

/* Extension headers that may stand before a transport header (RFC 8200 section 4, RFC 4302, …): for
 * now the verdict of such a packet. */
static __always_inline int parse_ipv6_extension(__u8 next)
{
	switch (next) {
	case IPPROTO_FRAGMENT:
		return LB_DROP_FRAGMENT;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_AH:
	case 135: /* mobility, RFC 6275 */
	case 139: /* host identity, RFC 7401 */
	case 140: /* shim6, RFC 5533 */
		return LB_DROP_EXTENSION;
	}
	return LB_NEXT;
}

static __always_inline int parse_ipv6(struct xdp_md *ctx, void *l3, void *end,
				      struct packet *packet)
{
	struct ipv6hdr *ip = l3;
	__u64 *words = l3;
	int fault;

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

	fault = parse_ipv6_fault(ctx, ip, end, packet->length);
	packet->fault = fault;
	if (fault == LB_DROP_BAD_VERSION)
		return LB_NEXT;
	packet->fault = parse_ipv6_extension(packet->protocol);
	if (packet->fault == LB_NEXT)
		parse_l4(ip + 1, end, packet->length - sizeof(*ip), packet);
	if (fault != LB_NEXT)
		packet->fault = fault;
	return LB_NEXT;
}

static __always_inline int parse(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return LB_PASS_RUNT;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(ctx, eth + 1, end, packet);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, eth + 1, end, packet);
	return LB_PASS_NOT_IP;
}

#endif
