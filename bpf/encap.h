/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 4: wrap the packet in an outer IP header (RFC 2003 for IPv4, RFC 2473 for IPv6).
 *
 *   before             | Ethernet | IP … |
 *   after   | Ethernet | outer IP | IP … |
 *
 * The inner packet is not touched, its TTL included: the balancer is a part of the VIP's host, not
 * a router on the way to it. DSCP and ECN are copied outwards (RFC 2983 uniform model, RFC 6040
 * normal mode).
 */
#ifndef LB_ENCAP_H
#define LB_ENCAP_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include "backend.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Ethernet headers are composed of little-endian words here"
#endif

#define OUTER_TTL 64
#define OUTER_DF 0x4000

/* The two MAC words of a next hop, each read at once: lbd may be changing them. */
struct macs {
	__u64 dst; /* six bytes, then `valid` */
	__u64 src; /* six bytes, then padding */
};

static __always_inline int encap_macs(const struct lb_nexthop *nexthop, struct macs *macs)
{
	macs->dst = *(volatile __u64 *)nexthop->dst_mac;
	macs->src = *(volatile __u64 *)nexthop->src_mac;
	return macs->dst >> 48 ? LB_NEXT : LB_DROP_UNRESOLVED;
}

static __always_inline void encap_ethernet(void *data, const struct macs *macs, __be16 protocol)
{
	*(__u64 *)data = macs->dst << 16 >> 16 | macs->src << 48;
	*(__u32 *)(data + 8) = macs->src >> 16;
	*(__be16 *)(data + 12) = protocol;
}

static __always_inline __be32 encap_source(const struct lb_member *member, __be32 fixed, __u64 hash)
{
	return fixed | ((__u32)hash & member->saddr_mask);
}

static __always_inline __u8 encap_protocol(const struct packet *packet)
{
	return packet->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

/* One's complement sum over the header (RFC 1071), the constant part of it taken from the member.
 */
static __always_inline __u16 encap_checksum(const struct lb_member *member, const struct iphdr *ip)
{
	__u32 sum = member->csum;

	sum += (__u32)ip->tos << 8;
	sum += ip->tot_len;
	sum += (__u32)ip->protocol << 8;
	sum += ip->saddr & 0xffff;
	sum += ip->saddr >> 16;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void encap_ipv4(struct iphdr *ip, const struct packet *packet,
				       const struct choice *choice)
{
	const struct lb_member *member = choice->member;
	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.tos = packet->tos,
		.tot_len = bpf_htons(packet->length + sizeof(outer)),
		.frag_off = bpf_htons(OUTER_DF),
		.ttl = OUTER_TTL,
		.protocol = encap_protocol(packet),
		.saddr = encap_source(member, *(volatile __be32 *)&member->saddr[0], choice->hash),
		.daddr = member->daddr[0],
	};

	outer.check = encap_checksum(member, &outer);
	*ip = outer;
}

/* The flow label carries the flow hash, for routers that balance by it (RFC 6438). */
static __always_inline void encap_ipv6(struct ipv6hdr *ip, const struct packet *packet,
				       const struct choice *choice)
{
	const struct lb_member *member = choice->member;
	__be32 *words = (__be32 *)ip;
	int i;

	words[0] = bpf_htonl(6u << 28 | (__u32)packet->tos << 20 | (choice->hash & 0xfffff));
	words[1] = bpf_htonl(packet->length << 16 | encap_protocol(packet) << 8 | OUTER_TTL);
	for (i = 0; i < 4; i++)
		words[2 + i] = member->saddr[i];
	words[5] = encap_source(member, words[5], choice->hash);
	for (i = 0; i < 4; i++)
		words[6 + i] = member->daddr[i];
}

static __always_inline int encap(struct xdp_md *ctx, const struct packet *packet,
				 const struct choice *choice)
{
	const int outer6 = choice->flags & LB_MEMBER_OUTER6;
	const __u32 outer = outer6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct macs macs;
	void *data, *end;
	int verdict;

	verdict = encap_macs(choice->nexthop, &macs);
	if (verdict != LB_NEXT)
		return verdict;
	if (packet->length + outer > choice->nexthop->mtu)
		return LB_DROP_TOO_BIG;
	if (bpf_xdp_adjust_head(ctx, -(int)outer))
		return LB_DROP_NO_HEADROOM;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (outer6) {
		if (data + ETH_HLEN + sizeof(struct ipv6hdr) > end)
			return LB_DROP_INTERNAL;
		encap_ethernet(data, &macs, bpf_htons(ETH_P_IPV6));
		encap_ipv6(data + ETH_HLEN, packet, choice);
	} else {
		if (data + ETH_HLEN + sizeof(struct iphdr) > end)
			return LB_DROP_INTERNAL;
		encap_ethernet(data, &macs, bpf_htons(ETH_P_IP));
		encap_ipv4(data + ETH_HLEN, packet, choice);
	}
	return LB_NEXT;
}

#endif
