/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How does a backend without an ipip device get the client's packet back? This program takes the
 * outer headers off in XDP, before the backend's stack sees the frame:
 *
 *	[Ethernet][outer IPv4 or IPv6]     [inner IPv4 or IPv6][…]  ->  [Ethernet][inner …][…]
 *	[Ethernet][outer IPv4 or IPv6][UDP][inner IPv4 or IPv6][…]  ->  the same (GUE, port 6080)
 *
 * Attach it with iproute2, no daemon needed:
 *
 *	ip link set dev eth0 xdpdrv obj decap.bpf.o sec xdp.frags	(xdpgeneric: any driver)
 *	bpftool map dump name decap_stats
 *
 * It believes whoever sends to it, as an ipip device does, but the host's own firewall sees only
 * the inner packet. Let the network in front pass protocols 4 and 41, and UDP to port 6080, from
 * the balancers only, or put their prefix into decap_sources: other senders' packets then go to the
 * stack as they came. So do packets to another host's address, which an interface that forwards
 * gets too: decap_destinations. The inner destination is not looked at: a host that forwards
 * forwards inner packets to other hosts.
 *
 * Whatever is not a tunnel packet, or not a sound one, goes to the stack untouched. So do outer
 * fragments, outer headers with options or extensions, GUE of variant 0 or with a UDP checksum: lbd
 * never sends those. And so, uncounted, does a frame whose headers are not in its first buffer: a
 * card that hands over such frames (mlx5 with a striding receive queue at a jumbo MTU) needs
 * "ethtool --set-priv-flags DEV rx_striding_rq off" for this program.
 */
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

#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */
#define GUE_PORT 6080      /* LB_GUE_PORT of abi.h */
#define OUTER_MASK 63      /* covers the longest outer header: IPv6 and UDP, 48 bytes */

/* Packets, one count each; read with `bpftool map dump name decap_stats`. */
struct decap_stats {
	__u64 ipv4_in_ipv4; /* decapsulated */
	__u64 ipv6_in_ipv4;
	__u64 ipv4_in_ipv6;
	__u64 ipv6_in_ipv6;
	__u64 malformed;         /* a length or version is wrong: passed on untouched */
	__u64 other_source;      /* not from decap_sources: passed on untouched */
	__u64 ecn_dropped;       /* dropped: congestion was marked, the sender cannot be told */
	__u64 gue;               /* of those decapsulated: had a UDP header (GUE) */
	__u64 other_destination; /* not to an address of this host: passed on untouched */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decap_stats);
} decap_stats SEC(".maps");

/* The senders that are believed: outer source & mask == address. IPv4 stands in the last word.
 * All zero, as it is at first, believes everybody. */
struct decap_source {
	__be32 address[4];
	__be32 mask[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2); /* 0: IPv4 outer header, 1: IPv6 */
	__type(key, __u32);
	__type(value, struct decap_source);
} decap_sources SEC(".maps");

/* The addresses of this host that tunnels may end at, in the same form. All zero, as it is at
 * first, leaves it to the kernel's routes: what they would have forwarded is not for this host.
 * They say nothing on an interface that forwards nothing; then every destination will do. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2); /* 0: IPv4 outer header, 1: IPv6 */
	__type(key, __u32);
	__type(value, struct decap_source);
} decap_destinations SEC(".maps");

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
};

/* GUE variant 1 (draft-ietf-intarea-gue-09 section 6): the first nibble after the UDP header is the
 * version of an IP packet that begins there. */
static __always_inline bool is_gue(struct udphdr *udp, void *end)
{
	__u8 *inner = (void *)(udp + 1);

	return (void *)(inner + 1) <= end && udp->dest == bpf_htons(GUE_PORT) && !udp->check &&
	       (*inner >> 4 == 4 || *inner >> 4 == 6);
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

static __always_inline enum outcome parse_gue(void *at, void *end, struct outer *out)
{
	struct udphdr *udp = at;
	__u8 *inner = (void *)(udp + 1);
	__u32 length;

	if ((void *)(inner + 1) > end)
		return NOT_A_TUNNEL;
	length = bpf_ntohs(udp->len);
	if (length < sizeof(*udp) || length > out->payload)
		return MALFORMED;
	out->header += sizeof(*udp);
	out->payload = length - sizeof(*udp);
	out->protocol = *inner >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	out->gue = true;
	return SOUND;
}

static __always_inline bool is_among(const __be32 address[4], const struct decap_source *those)
{
	__be32 differ = 0;

	for (int i = 0; i < 4; i++)
		differ |= (address[i] & those->mask[i]) ^ those->address[i];
	return !differ;
}

static __always_inline bool source_is_believed(const struct outer *outer)
{
	__u32 key = outer->family == 6;
	struct decap_source *sources = bpf_map_lookup_elem(&decap_sources, &key);

	return sources && is_among(outer->source, sources);
}

/* An address of this host, or one that no route leads to, is not forwarded (NOT_FWDED). */
static __always_inline bool is_forwarded(struct xdp_md *ctx, const struct outer *outer)
{
	struct bpf_fib_lookup fib = {.ifindex = ctx->ingress_ifindex};
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

static __always_inline bool destination_is_own(struct xdp_md *ctx, const struct outer *outer)
{
	__u32 key = outer->family == 6;
	struct decap_source *own = bpf_map_lookup_elem(&decap_destinations, &key);

	if (own && (own->mask[0] | own->mask[1] | own->mask[2] | own->mask[3]))
		return is_among(outer->destination, own);
	return !is_forwarded(ctx, outer);
}

/* RFC 6040 section 4.2: what the inner ECN field becomes; -1: drop the packet. */
static __always_inline int ecn_combine(__u8 inner, __u8 outer)
{
	enum { NOT_ECT, ECT_1, ECT_0, CE };

	if (outer == CE)
		return inner == NOT_ECT ? -1 : CE;
	if (outer == ECT_1 && inner == ECT_0)
		return ECT_1;
	return inner;
}

/* The first 16 bits of the header (version, IHL, TOS) change; RFC 1624, equation 3. */
static __always_inline void ecn_set4(struct iphdr *ip, __u8 ecn)
{
	__be16 *word = (__be16 *)ip;
	__u32 sum = (__u16)~ip->check + (__u16) ~*word;

	ip->tos = (ip->tos & ~3) | ecn;
	sum += *word;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
}

static __always_inline enum outcome ready_inner4(void *at, void *end, const struct outer *outer)
{
	struct iphdr *ip = at;
	__u32 total;
	int ecn;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return MALFORMED;
	total = bpf_ntohs(ip->tot_len);
	if (total < ip->ihl * 4u || total > outer->payload)
		return MALFORMED;
	ecn = ecn_combine(ip->tos & 3, outer->ecn);
	if (ecn < 0)
		return ECN_DROPPED;
	if (ecn != (ip->tos & 3))
		ecn_set4(ip, ecn);
	return SOUND;
}

static __always_inline enum outcome ready_inner6(void *at, void *end, const struct outer *outer)
{
	struct ipv6hdr *ip = at;
	int ecn;

	if ((void *)(ip + 1) > end || ip->version != 6 ||
	    sizeof(*ip) + bpf_ntohs(ip->payload_len) > outer->payload)
		return MALFORMED;
	ecn = ecn_combine(ip->flow_lbl[0] >> 4 & 3, outer->ecn);
	if (ecn < 0)
		return ECN_DROPPED;
	ip->flow_lbl[0] = (ip->flow_lbl[0] & ~0x30) | ecn << 4;
	return SOUND;
}

/* Moves the Ethernet header up against the inner one. */
static __always_inline enum outcome strip(struct xdp_md *ctx, const struct outer *outer)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ethhdr kept;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return MALFORMED;
	kept = *eth;
	kept.h_proto = bpf_htons(outer->protocol == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6);
	if (bpf_xdp_adjust_head(ctx, outer->header))
		return MALFORMED;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return MALFORMED;
	*eth = kept;
	return DECAPSULATED;
}

static __always_inline enum outcome parse_outer(struct xdp_md *ctx, void *end, struct outer *outer)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u32 length = bpf_xdp_get_buff_len(ctx) - sizeof(*eth);
	enum outcome outcome = NOT_A_TUNNEL;

	if ((void *)(eth + 1) > end || eth->h_dest[0] & 1) /* every host gets a frame to a group */
		return NOT_A_TUNNEL;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		outcome = parse_outer4(eth + 1, end, length, outer);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		outcome = parse_outer6(eth + 1, end, length, outer);
	if (outcome != SOUND || outer->protocol != IPPROTO_UDP)
		return outcome;
	return parse_gue(bounds_at(eth + 1, outer->header, OUTER_MASK), end, outer);
}

static __always_inline enum outcome decapsulate(struct xdp_md *ctx, struct outer *outer)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *inner;
	enum outcome outcome = parse_outer(ctx, end, outer);

	if (outcome != SOUND)
		return outcome;
	if (!source_is_believed(outer))
		return OTHER_SOURCE;
	if (!destination_is_own(ctx, outer))
		return OTHER_DESTINATION;

	inner = bounds_at(data + sizeof(struct ethhdr), outer->header, OUTER_MASK);
	if (outer->protocol == IPPROTO_IPIP)
		outcome = ready_inner4(inner, end, outer);
	else
		outcome = ready_inner6(inner, end, outer);
	return outcome == SOUND ? strip(ctx, outer) : outcome;
}

static __always_inline void count_decapsulated(struct decap_stats *stats, const struct outer *outer)
{
	if (outer->family == 4)
		++*(outer->protocol == IPPROTO_IPIP ? &stats->ipv4_in_ipv4 : &stats->ipv6_in_ipv4);
	else
		++*(outer->protocol == IPPROTO_IPIP ? &stats->ipv4_in_ipv6 : &stats->ipv6_in_ipv6);
	stats->gue += outer->gue;
}

SEC("xdp.frags")
int decap(struct xdp_md *ctx)
{
	struct outer outer = {};
	struct decap_stats *stats;
	enum outcome outcome;
	__u32 zero = 0;

	stats = bpf_map_lookup_elem(&decap_stats, &zero);
	if (!stats)
		return XDP_PASS;
	outcome = decapsulate(ctx, &outer);
	if (outcome == DECAPSULATED)
		count_decapsulated(stats, &outer);
	else if (outcome == MALFORMED)
		stats->malformed++;
	else if (outcome == OTHER_SOURCE)
		stats->other_source++;
	else if (outcome == OTHER_DESTINATION)
		stats->other_destination++;
	else if (outcome == ECN_DROPPED)
		stats->ecn_dropped++;
	return outcome == ECN_DROPPED ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
