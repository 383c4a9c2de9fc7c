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
 * fragments, outer headers with options or extensions, GUE with a UDP checksum: lbd never sends
 * those. So does GUE of variant 0, but for packets with a list of backends (second.h) that come from
 * second_sources and are for this one. And so, uncounted, does a frame whose headers are not in its
 * first buffer: a card that hands over such frames (mlx5 with a striding receive queue at a jumbo
 * MTU) needs "ethtool --set-priv-flags DEV rx_striding_rq off" for this program.
 */
#define SECOND_CONTEXT struct xdp_md
#define SECOND_LOAD bpf_xdp_load_bytes

#include "decap_counters.h"
#include "second.h"

/* Read with `bpftool map dump name decap_stats`. */
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

static __always_inline bool is_among(const __be32 address[4], const struct decap_source *those)
{
	__be32 differ = 0;

	for (int i = 0; i < 4; i++)
		differ |= (address[i] & those->mask[i]) ^ those->address[i];
	return !differ;
}

/* Set before loading: those of decap_prefixes are believed instead, and no others. Backends that
 * pass packets on are in second_sources, but they send nothing without a list. */
const volatile bool decap_sources_are_prefixes = false;

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SECOND_PREFIXES_MAX);
	__type(key, struct second_prefix);
	__type(value, __u32); /* unused */
} decap_prefixes SEC(".maps");

static __always_inline bool is_among_prefixes(const struct outer *outer)
{
	struct second_prefix key = second_key(outer->family, outer->source);

	return bpf_map_lookup_elem(&decap_prefixes, &key);
}

static __always_inline bool source_is_believed(const struct outer *outer)
{
	__u32 key = outer->family == 6;
	struct decap_source *sources = bpf_map_lookup_elem(&decap_sources, &key);

	if (decap_sources_are_prefixes)
		return is_among_prefixes(outer);
	return sources && is_among(outer->source, sources);
}

static __always_inline bool destination_is_own(struct xdp_md *ctx, const struct outer *outer)
{
	__u32 key = outer->family == 6;
	struct decap_source *own = bpf_map_lookup_elem(&decap_destinations, &key);

	if (own && (own->mask[0] | own->mask[1] | own->mask[2] | own->mask[3]))
		return is_among(outer->destination, own);
	return !is_forwarded(ctx, ctx->ingress_ifindex, outer);
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

static __always_inline enum outcome parse(struct xdp_md *ctx, void *end, struct outer *outer)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u32 length = bpf_xdp_get_buff_len(ctx) - sizeof(*eth);

	if ((void *)(eth + 1) > end || eth->h_dest[0] & 1) /* every host gets a frame to a group */
		return NOT_A_TUNNEL;
	return parse_outer(eth + 1, end, eth->h_proto, length, outer);
}

/* What is to be passed on, and what is not believed, is left to TC, and to be counted there. */
static __always_inline bool is_accepted(struct xdp_md *ctx, const struct outer *outer)
{
	enum second result;

	if (!outer->list && !second_is_watched())
		return true;
	result = second_choose(ctx, outer);
	if (!outer->list) {
		second_count_plain(result);
		return true;
	}
	if (result == SECOND_PASSED_ON || result == SECOND_MALFORMED)
		return false;
	second_count(result);
	return true;
}

static __always_inline enum outcome decapsulate(struct xdp_md *ctx, struct outer *outer)
{
	void *end = (void *)(long)ctx->data_end;
	enum outcome outcome = parse(ctx, end, outer);
	void *inner;

	if (outcome != SOUND)
		return outcome;
	if (outer->list && !second_is_believed(outer))
		return NOT_A_TUNNEL;
	if (!outer->list && !source_is_believed(outer))
		return OTHER_SOURCE;
	if (!destination_is_own(ctx, outer))
		return OTHER_DESTINATION;
	if (!is_accepted(ctx, outer))
		return NOT_A_TUNNEL;

	inner = bounds_at((void *)(long)ctx->data + ETH_HLEN, outer->header, OUTER_MASK);
	end = (void *)(long)ctx->data_end;
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
