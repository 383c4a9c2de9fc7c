/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 5: wrap the packet in an outer IP header (RFC 2003 for IPv4, RFC 2473 for IPv6), or in one
 * and a UDP header (GUE variant 1: the inner IP header follows the UDP header at once).
 *
 *   before        | Ethernet | tags, 0 to 2 | IP … |
 *   after         | Ethernet | tag of the way out, if it has one | outer IP | (UDP) | IP … |
 *
 * The inner packet is not touched, its TTL included: the balancer is a part of the VIP's host, not
 * a router on the way to it. DSCP and ECN are copied outwards (RFC 2983 uniform model, RFC 6040
 * normal mode). The UDP checksum is zero, over IPv6 too (RFC 6935, RFC 6936): what is inside has
 * its own.
 */
#ifndef LB_ENCAP_H
#define LB_ENCAP_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include "answer.h"
#include "backend.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Ethernet headers are composed of little-endian words here"
#endif

#define OUTER_TTL 64
#define OUTER_DF 0x4000

/* The two MAC words of a next hop, each read at once: lbd may be changing them. */
struct macs {
	__u64 dst; /* six bytes, then `valid` */
	__u64 src; /* six bytes, then `vlan` */
};

#define VLAN_BYTES 4

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

static __always_inline __u32 encap_tag_bytes(const struct macs *macs)
{
	return macs->src >> 48 ? VLAN_BYTES : 0;
}

/* The Ethernet header and the tag; gives where the outer IP header goes. The barriers keep it at
 * two constant offsets: a compiler that made one variable offset of them would lose the check of
 * encap_write. */
static __always_inline void *encap_link(void *data, const struct macs *macs,
					const struct lb_nexthop *nexthop, __be16 protocol)
{
	void *ip;

	if (!encap_tag_bytes(macs)) {
		encap_ethernet(data, macs, protocol);
		ip = data + ETH_HLEN;
		BOUNDS_BARRIER(ip);
	} else {
		encap_ethernet(data, macs, *(volatile __be16 *)&nexthop->vlan_protocol);
		*(__be16 *)(data + ETH_HLEN) = bpf_htons(macs->src >> 48);
		*(__be16 *)(data + ETH_HLEN + 2) = protocol;
		ip = data + ETH_HLEN + VLAN_BYTES;
		BOUNDS_BARRIER(ip);
	}
	return ip;
}

/* Bytes of the outer headers, without Ethernet. */
static __always_inline __u32 encap_bytes(__u32 member_flags)
{
	__u32 bytes =
		member_flags & LB_MEMBER_OUTER6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	return member_flags & LB_MEMBER_GUE ? bytes + sizeof(struct udphdr) : bytes;
}

static __always_inline __be32 encap_source(const struct lb_member *member, __be32 fixed, __u64 hash)
{
	return fixed | ((__u32)hash & member->saddr_mask);
}

/* The source port is in the dynamic range and carries 14 bits of the flow hash, for routers and
 * network cards that balance by it (RFC 6335 section 6, RFC 7510 section 3.2.1): none of the bits
 * that have chosen the slot or the path. */
static __always_inline void encap_udp(struct udphdr *udp, const struct packet *packet, __u64 hash)
{
	udp->source = bpf_htons(0xc000 | (hash >> 16 & 0x3fff));
	udp->dest = bpf_htons(LB_GUE_PORT);
	udp->len = bpf_htons(packet->length + sizeof(*udp));
	udp->check = 0;
}

/* What follows the outer IP header is written where it has a header of its own; gives its protocol. */
static __always_inline __u8 encap_inner(void *at, const struct packet *packet,
					const struct choice *choice)
{
	if (unlikely(choice->flags & LB_MEMBER_GUE)) {
		encap_udp(at, packet, choice->hash);
		return IPPROTO_UDP;
	}
	return packet->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

/* One's complement sum over the header (RFC 1071), the constant part of it taken from the member. */
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
				       const struct choice *choice, __u32 total)
{
	const struct lb_member *member = choice->member;
	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.tos = packet->tos,
		.tot_len = bpf_htons(total),
		.frag_off = bpf_htons(OUTER_DF),
		.ttl = OUTER_TTL,
		.protocol = encap_inner(ip + 1, packet, choice),
		.saddr = encap_source(member, *(volatile __be32 *)&member->saddr[0], choice->hash),
		.daddr = member->daddr[0],
	};

	outer.check = encap_checksum(member, &outer);
	*ip = outer;
}

/* The flow label carries the flow hash, for routers that balance by it (RFC 6438). */
static __always_inline void encap_ipv6(struct ipv6hdr *ip, const struct packet *packet,
				       const struct choice *choice, __u32 total)
{
	const struct lb_member *member = choice->member;
	__be32 *words = (__be32 *)ip;
	int i;

	words[0] = bpf_htonl(6u << 28 | (__u32)packet->tos << 20 | (choice->hash & 0xfffff));
	words[1] = bpf_htonl((total - (__u32)sizeof(*ip)) << 16 |
			     encap_inner(ip + 1, packet, choice) << 8 | OUTER_TTL);
	for (i = 0; i < 4; i++)
		words[2 + i] = member->saddr[i];
	words[5] = encap_source(member, words[5], choice->hash);
	for (i = 0; i < 4; i++)
		words[6 + i] = member->daddr[i];
}

/* The frame begins at `data` and has room for everything; 0: `end` says otherwise. `total`: bytes of the
 * outer IP packet. */
static __always_inline int encap_write(void *data, void *end, const struct packet *packet,
				       const struct choice *choice, const struct macs *macs,
				       __u32 total)
{
	void *ip;

	if (choice->flags & LB_MEMBER_OUTER6) {
		if (data + ETH_HLEN + VLAN_BYTES + sizeof(struct ipv6hdr) + sizeof(struct udphdr) >
		    end)
			return 0;
		ip = encap_link(data, macs, choice->nexthop, bpf_htons(ETH_P_IPV6));
		encap_ipv6(ip, packet, choice, total);
	} else {
		if (data + ETH_HLEN + VLAN_BYTES + sizeof(struct iphdr) + sizeof(struct udphdr) >
		    end)
			return 0;
		ip = encap_link(data, macs, choice->nexthop, bpf_htons(ETH_P_IP));
		encap_ipv4(ip, packet, choice, total);
	}
	return 1;
}

/* What follows the packet in its frame does not count for the MTU, and so may not go along where it
 * is more than Ethernet's own padding. */
static __always_inline void encap_cut(struct xdp_md *ctx, __u32 end, __u32 least)
{
	const __u32 length = bpf_xdp_get_buff_len(ctx);

	if (length > end && length > least)
		bpf_xdp_adjust_tail(ctx, (int)end - (int)length);
}

static __noinline void encap_trim(struct xdp_md *ctx, __u32 end, __u32 least)
{
	encap_cut(ctx, end, least);
}

/* The same where the first buffer does not hold all that is written. */
static __always_inline int encap_apart(struct xdp_md *ctx, const struct packet *packet,
				       const struct choice *choice, const struct macs *macs)
{
	__u32 zero = 0, bytes = ETH_HLEN + encap_tag_bytes(macs) + encap_bytes(choice->flags);
	struct lb_scratch *at = bpf_map_lookup_elem(&scratch, &zero);

	if (!at || bytes > sizeof(at->outer) ||
	    !encap_write(at->outer, at->outer + sizeof(at->outer), packet, choice, macs,
			 packet->length + encap_bytes(choice->flags)) ||
	    bpf_xdp_store_bytes(ctx, 0, at->outer, bytes))
		return LB_DROP_INTERNAL;
	return LB_NEXT;
}

/* `plain`: nothing but padding follows the packet, see plain.h. */
static __always_inline int encap(struct xdp_md *ctx, const struct packet *packet,
				 const struct choice *choice, int plain)
{
	const __u32 outer = encap_bytes(choice->flags), total = packet->length + outer;
	const __u32 mtu = *(volatile __u32 *)&choice->nexthop->mtu;
	struct macs macs;
	int verdict;

	verdict = encap_macs(choice->nexthop, &macs);
	if (verdict != LB_NEXT)
		return verdict;
	if (total > mtu)
		return answer_too_big(ctx, packet, mtu - outer);
	if (!plain && ctx->data_end - ctx->data != packet->l3 + packet->length)
		encap_trim(ctx, packet->l3 + packet->length, packet->l3 + ETHERNET_PAYLOAD_MIN);
	/* The tags that it came with go, at most eight bytes; the outer header is longer. */
	if (bpf_xdp_adjust_head(ctx, (int)packet->l3 - ETH_HLEN - (int)outer -
					     (int)encap_tag_bytes(&macs)))
		return LB_DROP_NO_HEADROOM;
	if (encap_write((void *)(long)ctx->data, (void *)(long)ctx->data_end, packet, choice, &macs,
			total))
		return LB_NEXT;
	return plain ? LB_DROP_INTERNAL : encap_apart(ctx, packet, choice, &macs);
}

#endif
