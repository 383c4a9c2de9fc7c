/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What does the outer header of a packet from a balancer say?
 *
 *	IP-in-IP	[IPv4 or IPv6]               [inner IPv4 or IPv6]
 *	GUE, variant 1	[IPv4 or IPv6][UDP]          [inner IPv4 or IPv6]
 *	GUE, variant 0	[IPv4 or IPv6][UDP][GUE][list][inner IPv4 or IPv6]
 *
 * Variant 0 (draft-ietf-intarea-gue-09 section 3) is read only where its private data is a list of
 * the backends to go on to (second.h), laid out as gue.h says.
 *
 * Read at backends, by programs for XDP and for TC: from data that lies in the first buffer.
 */
#ifndef LB_OUTER_H
#define LB_OUTER_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "bounds.h"
#include "gue.h"

#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */
#define GUE_PORT 6080      /* LB_GUE_PORT of abi.h */
#define OUTER_MASK 127 /* covers the longest outer header: IPv6, UDP and three hops, 104 bytes */
#define OUTER_HOPS_MAX 3

enum outcome {
	NOT_A_TUNNEL,
	DECAPSULATED,
	MALFORMED,
	OTHER_SOURCE,
	OTHER_DESTINATION,
	ECN_DROPPED,
	SOUND
};

/* What the outer header said. */
struct outer {
	__u32 header;  /* bytes to take off; 0: not a tunnel packet */
	__u32 payload; /* bytes behind it */
	__be32 source[4];
	__be32 destination[4];
	__u8 family;   /* 4 or 6 */
	__u8 protocol; /* IPPROTO_IPIP or IPPROTO_IPV6; IPPROTO_UDP while GUE is not looked at */
	__u8 ecn;
	bool gue;
	__u8 list; /* where its list begins, from the outer IP header on; 0: it has none */
	__u8 next, count;
};

/* Another use of variant 0 is somebody else's: control messages, flags, no private data. */
static __always_inline bool is_list(struct gue_list *gue, void *end)
{
	return (void *)(gue + 1) <= end && !(gue->control & ~GUE_HLEN) && gue->control &&
	       !gue->flags && (gue->protocol == IPPROTO_IPIP || gue->protocol == IPPROTO_IPV6);
}

/* Of variant 1 (the same draft, section 6) the first nibble after the UDP header is the version of
 * an IP packet that begins there. */
static __always_inline bool is_gue(struct udphdr *udp, void *end)
{
	__u8 *inner = (void *)(udp + 1);

	if ((void *)(inner + 1) > end || udp->dest != bpf_htons(GUE_PORT) || udp->check)
		return false;
	return *inner >> 4 == 4 || *inner >> 4 == 6 || is_list((void *)inner, end);
}

/* `next`: what follows the outer IP header. */
static __always_inline bool is_tunnel(__u8 protocol, void *next, void *end)
{
	if (protocol == IPPROTO_UDP)
		return is_gue(next, end);
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6;
}

static __always_inline enum outcome parse_outer4(void *at, void *end, __u32 length,
						 struct outer *out)
{
	struct iphdr *ip = at;
	__u32 total;

	if ((void *)(ip + 1) > end || ip->ihl != 5 || !is_tunnel(ip->protocol, ip + 1, end) ||
	    ip->frag_off & bpf_htons(IP_FRAGMENT))
		return NOT_A_TUNNEL;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || total < sizeof(*ip) || total > length)
		return MALFORMED;
	out->family = 4;
	out->header = sizeof(*ip);
	out->payload = total - sizeof(*ip);
	out->source[3] = ip->saddr;
	out->destination[3] = ip->daddr;
	out->protocol = ip->protocol;
	out->ecn = ip->tos & 3;
	return SOUND;
}

static __always_inline enum outcome parse_outer6(void *at, void *end, __u32 length,
						 struct outer *out)
{
	struct ipv6hdr *ip = at;
	__u32 payload;

	if ((void *)(ip + 1) > end || !is_tunnel(ip->nexthdr, ip + 1, end))
		return NOT_A_TUNNEL;
	payload = bpf_ntohs(ip->payload_len);
	if (ip->version != 6 || sizeof(*ip) + payload > length)
		return MALFORMED;
	out->family = 6;
	out->header = sizeof(*ip);
	out->payload = payload;
	__builtin_memcpy(out->source, &ip->saddr, sizeof(out->source));
	__builtin_memcpy(out->destination, &ip->daddr, sizeof(out->destination));
	out->protocol = ip->nexthdr;
	out->ecn = ip->flow_lbl[0] >> 4 & 3;
	return SOUND;
}

static __always_inline enum outcome parse_list(struct gue_list *gue, struct outer *out)
{
	const __u32 words = out->family == 4 ? 1 : 4; /* of a hop */
	const __u32 header = 4 + 4 * gue->control;

	out->list = out->header + sizeof(*gue) - 4;
	if (gue->type != bpf_htons(out->family == 6) || gue->count > OUTER_HOPS_MAX ||
	    gue->next > gue->count || gue->control != 1 + gue->count * words ||
	    header > out->payload)
		return MALFORMED;
	out->next = gue->next;
	out->count = gue->count;
	out->header += header;
	out->payload -= header;
	out->protocol = gue->protocol;
	return SOUND;
}

static __always_inline enum outcome parse_gue(void *at, void *end, struct outer *out)
{
	struct udphdr *udp = at;
	__u8 *inner = (void *)(udp + 1);
	__u32 length;

	if ((void *)(inner + sizeof(struct gue_list)) > end)
		return NOT_A_TUNNEL;
	length = bpf_ntohs(udp->len);
	if (length < sizeof(*udp) || length > out->payload)
		return MALFORMED;
	out->header += sizeof(*udp);
	out->payload = length - sizeof(*udp);
	out->gue = true;
	if (!(*inner >> 6))
		return parse_list((void *)inner, out);
	out->protocol = *inner >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	return SOUND;
}

/* `at`: the outer IP header. `length`: bytes of the frame from there on. */
static __always_inline enum outcome parse_outer(void *at, void *end, __be16 type, __u32 length,
						struct outer *outer)
{
	enum outcome outcome = NOT_A_TUNNEL;

	if (type == bpf_htons(ETH_P_IP))
		outcome = parse_outer4(at, end, length, outer);
	else if (type == bpf_htons(ETH_P_IPV6))
		outcome = parse_outer6(at, end, length, outer);
	if (outcome != SOUND || outer->protocol != IPPROTO_UDP)
		return outcome;
	return parse_gue(bounds_at(at, outer->header, OUTER_MASK), end, outer);
}

/* An address of this host, or one that no route leads to, is not forwarded (NOT_FWDED). */
static __always_inline bool is_forwarded(void *ctx, __u32 ifindex, const struct outer *outer)
{
	struct bpf_fib_lookup fib = {.ifindex = ifindex};
	long result;

	if (outer->family == 4) {
		fib.family = 2; /* AF_INET */
		fib.ipv4_src = outer->source[3];
		fib.ipv4_dst = outer->destination[3];
	} else {
		fib.family = 10; /* AF_INET6 */
		__builtin_memcpy(fib.ipv6_src, outer->source, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, outer->destination, sizeof(fib.ipv6_dst));
	}
	result = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	return result >= 0 && result != BPF_FIB_LKUP_RET_NOT_FWDED &&
	       result != BPF_FIB_LKUP_RET_FWD_DISABLED;
}

#endif
