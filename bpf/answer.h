/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the program itself sends back: echo replies, and "too big" messages. Both leave as they came
 * in, by the same interface and with the same tags, MAC addresses swapped.
 *
 * Nobody may make a reflector of it (RFC 1122 section 3.2.2, RFC 4443 section 2.4): no answer is
 * longer than what it answers, each kind has a rate, and a source that is no single host's is not
 * answered: broadcast, multicast, loopback, unspecified, the VIP itself; nor a frame to or from a
 * group of stations.
 *
 * All of this is out of line and takes numbers, not struct packet: the common path keeps that in
 * registers.
 */
#ifndef LB_ANSWER_H
#define LB_ANSWER_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "bounds.h"
#include "maps.h"
#include "packet.h"

#define ANSWER_TTL 64
#define ANSWER_DF 0x4000
#define IPV4_MTU_MIN 68               /* RFC 791 */
#define IPV6_MTU_MIN 1280             /* RFC 8200 section 5 */
#define TOS_INTERNETWORK_CONTROL 0xc0 /* RFC 1812 section 4.3.2.5 */

/* Type in the low byte, code in the high one, as they lie in memory. <linux/icmp.h> brings in
 * headers of the C library, which a BPF program cannot have. */
#define ECHO4_REQUEST 8
#define ECHO4_REPLY 0
#define ECHO6_REQUEST 128
#define ECHO6_REPLY 129
#define TOO_BIG4 (3 | 4 << 8) /* destination unreachable: fragmentation needed (RFC 1191) */
#define TOO_BIG6 2            /* packet too big (RFC 4443 section 3.2) */

struct icmp_header {
	__u16 type; /* and code */
	__u16 check;
	__be16 word[2];
};

/* --- how many --- */

#define LIMIT_BURST_NS 1000000000ull /* one second's answers */

/* A token bucket for each CPU and kind, in nanoseconds: an answer takes 1 s / config.answer_rate. */
static __always_inline int limit_take(enum lb_limit which)
{
	__u64 now = bpf_ktime_get_coarse_ns(), price;
	struct lb_limit_state *bucket;
	__u32 key = which;

	bucket = bpf_map_lookup_elem(&limits, &key);
	if (!bucket || !config.answer_rate)
		return 0;
	price = LIMIT_BURST_NS / config.answer_rate;
	bucket->tokens += now - bucket->time_ns;
	bucket->time_ns = now;
	if (bucket->tokens > LIMIT_BURST_NS)
		bucket->tokens = LIMIT_BURST_NS;
	if (bucket->tokens < price)
		return 0;
	bucket->tokens -= price;
	return 1;
}

/* --- whom --- */

/* The Ethernet header with up to two tags: MAC addresses, then what stays as it is. */
struct link {
	__be16 word[11];
};

static __always_inline int link_is_of_single_stations(const struct link *link)
{
	return !((link->word[0] | link->word[3]) & bpf_htons(0x0100));
}

/* From the header of the frame that has come to that of the one that goes back. */
static __always_inline void link_swap(struct link *link)
{
	__be16 word;
	int i;

	for (i = 0; i < 3; i++) {
		word = link->word[i];
		link->word[i] = link->word[3 + i];
		link->word[3 + i] = word;
	}
}

static __always_inline int may_answer4(const struct iphdr *ip)
{
	__u32 first = bpf_ntohl(ip->saddr) >> 24;

	return first != 0 && first != 127 && first < 224 && ip->saddr != ip->daddr;
}

/* In ::/64 are the unspecified address, loopback, and IPv4 addresses that are mapped. */
static __always_inline int may_answer6(const struct ipv6hdr *ip)
{
	const __be32 *from = (const __be32 *)&ip->saddr, *to = (const __be32 *)&ip->daddr;
	__be32 differ = 0;
	int i;

	for (i = 0; i < 4; i++)
		differ |= from[i] ^ to[i];
	return differ && (from[0] | from[1]) && *(const __u8 *)from != 0xff;
}

/* The link header, and `bytes` from the IP header on, apart from the frame, of which any buffer may
 * hold them; NULL when it is shorter. `bytes` is a constant. */
static __always_inline struct lb_scratch *answer_read(struct xdp_md *ctx, __u32 l3, __u32 bytes)
{
	const __u32 link = bounds_number(l3, L3_OFFSET_MASK);
	struct lb_scratch *at;
	__u32 zero = 0;

	at = bpf_map_lookup_elem(&scratch, &zero);
	if (!at || link < ETH_HLEN || bpf_xdp_load_bytes(ctx, 0, at->link, link) ||
	    bpf_xdp_load_bytes(ctx, link, at->packet, bytes))
		return NULL;
	return at;
}

/* Into the frame, at its beginning: the link header, then `bytes` (a constant) from `l3_header`
 * on, which is in the scratch. */
static __always_inline int answer_write(struct xdp_md *ctx, struct lb_scratch *at, __u32 l3,
					const void *l3_header, __u32 bytes)
{
	const __u32 link = bounds_number(l3, L3_OFFSET_MASK);

	return link >= ETH_HLEN && !bpf_xdp_store_bytes(ctx, 0, at->link, link) &&
	       !bpf_xdp_store_bytes(ctx, link, (void *)l3_header, bytes);
}

/* --- checksums --- */

static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* RFC 1624, equation 3. A checksum that was wrong stays wrong. */
static __always_inline __u16 checksum_change(__u16 check, __u16 before, __u16 after)
{
	return checksum_fold((__u32)(__u16)~check + (__u16)~before + after);
}

/* --- echo --- */

/* The reply is the request with its addresses swapped: everything else stays, the identification,
 * DSCP, flow label and padding too. */
static __noinline int echo4(struct xdp_md *ctx, __u32 l3)
{
	const __u32 bytes = sizeof(struct iphdr) + sizeof(struct icmp_header);
	struct lb_scratch *at = answer_read(ctx, l3, bytes);
	struct link *link;
	struct iphdr *ip;
	struct icmp_header *icmp;
	__be16 before;
	__be32 client;

	if (!at)
		return LB_PASS_ICMP;
	link = (void *)at->link;
	ip = (void *)at->packet;
	icmp = (void *)(ip + 1);
	if (icmp->type != ECHO4_REQUEST || !may_answer4(ip) || !link_is_of_single_stations(link))
		return LB_PASS_ICMP;
	if (!limit_take(LB_LIMIT_ECHO))
		return LB_DROP_LIMITED;

	link_swap(link);
	client = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = client;
	before = *(__be16 *)&ip->ttl;
	ip->ttl = ANSWER_TTL;
	ip->check = checksum_change(ip->check, before, *(__be16 *)&ip->ttl);
	icmp->type = ECHO4_REPLY;
	icmp->check = checksum_change(icmp->check, ECHO4_REQUEST, ECHO4_REPLY);
	/* Of a message that is all 0 it is 0xffff (RFC 1071); of others either of the two will do. */
	if (!icmp->check)
		icmp->check = 0xffff;
	return answer_write(ctx, at, l3, ip, bytes) ? LB_TX_ECHO : LB_DROP_INTERNAL;
}

static __noinline int echo6(struct xdp_md *ctx, __u32 l3)
{
	const __u32 bytes = sizeof(struct ipv6hdr) + sizeof(struct icmp_header);
	struct lb_scratch *at = answer_read(ctx, l3, bytes);
	struct link *link;
	struct ipv6hdr *ip;
	struct icmp_header *icmp;
	struct in6_addr client;

	if (!at)
		return LB_PASS_ICMP;
	link = (void *)at->link;
	ip = (void *)at->packet;
	icmp = (void *)(ip + 1);
	if (icmp->type != ECHO6_REQUEST || !may_answer6(ip) || !link_is_of_single_stations(link))
		return LB_PASS_ICMP;
	if (!limit_take(LB_LIMIT_ECHO))
		return LB_DROP_LIMITED;

	link_swap(link);
	client = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = client;
	ip->hop_limit = ANSWER_TTL;
	icmp->type = ECHO6_REPLY;
	icmp->check = checksum_change(icmp->check, ECHO6_REQUEST, ECHO6_REPLY);
	return answer_write(ctx, at, l3, ip, bytes) ? LB_TX_ECHO : LB_DROP_INTERNAL;
}

/* The packet is a whole and sound echo request to the address of a VIP. One with IPv4 options or
 * IPv6 extension headers goes to the stack: options want more than to be sent back as they are (RFC
 * 1122 section 3.2.2.6). So does every one when config.answer_rate is 0. */
static __always_inline int answer_echo(struct xdp_md *ctx, const struct packet *packet)
{
	__u32 l3 = packet->l3;

	if (!config.answer_rate)
		return LB_PASS_ICMP;
	if (packet->family == 4)
		return packet->l4 == l3 + sizeof(struct iphdr) ? echo4(ctx, l3) : LB_PASS_ICMP;
	return packet->l4 == l3 + sizeof(struct ipv6hdr) ? echo6(ctx, l3) : LB_PASS_ICMP;
}

/* --- too big ---
 *
 *   before                      | Ethernet | tags | IP, TCP, … 1,500 bytes, say    |
 *   after   | Ethernet | tags | IP | ICMP, 8 bytes | IP, TCP, … the first QUOTE of them |
 */

/* How much is quoted. Senders need the IP header and 8 bytes (RFC 792); RFC 1812 section 4.3.2.3
 * asks for as much as fits 576 bytes, RFC 4443 for as much as fits 1280. This is within both, what
 * one bpf_csum_diff sums up on every kernel, and there in every packet that exceeds an MTU of 560.
 */
#define QUOTE LB_QUOTE

/* Cuts the frame down to the quote and makes room before it. */
static __always_inline int quote_make(struct xdp_md *ctx, __u32 l3, __u32 room)
{
	if (bpf_xdp_adjust_tail(ctx, (int)(l3 + QUOTE) - (int)bpf_xdp_get_buff_len(ctx)))
		return LB_DROP_TOO_BIG;
	return bpf_xdp_adjust_head(ctx, -(int)room) ? LB_DROP_NO_HEADROOM : LB_NEXT;
}

struct too_big4 {
	struct iphdr ip;
	struct icmp_header icmp;
};

struct too_big6 {
	struct ipv6hdr ip;
	struct icmp_header icmp;
};

static __always_inline void too_big4_write(struct too_big4 *to, __u32 mtu)
{
	const struct iphdr *quoted = (void *)(to + 1);
	struct icmp_header *icmp = &to->icmp;
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tos = TOS_INTERNETWORK_CONTROL,
		.tot_len = bpf_htons(sizeof(ip) + sizeof(*icmp) + QUOTE),
		.frag_off = bpf_htons(ANSWER_DF),
		.ttl = ANSWER_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = quoted->daddr,
		.daddr = quoted->saddr,
	};
	__be32 *words = (__be32 *)&ip;
	__u64 sum = 0;
	int i;

	for (i = 0; i < 5; i++)
		sum += words[i];
	ip.check = checksum_fold(sum);
	to->ip = ip;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)(icmp + 1), QUOTE, 0);
	icmp->type = TOO_BIG4;
	icmp->word[0] = 0;
	icmp->word[1] = bpf_htons(mtu); /* RFC 1191 section 4 */
	icmp->check = checksum_fold(sum + TOO_BIG4 + icmp->word[1]);
}

/* Senders take what is quoted for theirs; a header that changed on the way may name anybody. */
static __always_inline int header_is_sound(struct iphdr *ip)
{
	return !checksum_fold((__u32)bpf_csum_diff(NULL, 0, (__be32 *)ip, ip->ihl * 4, 0));
}

static __noinline int too_big4(struct xdp_md *ctx, __u32 l3, __u32 mtu)
{
	struct lb_scratch *at = answer_read(ctx, l3, QUOTE);
	struct too_big4 *message;
	struct link *link;
	struct iphdr *ip;
	int verdict;

	if (!at)
		return LB_DROP_TOO_BIG;
	link = (void *)at->link;
	ip = (void *)at->packet;
	message = (struct too_big4 *)ip - 1;
	if (!(ip->frag_off & bpf_htons(ANSWER_DF)) || mtu < IPV4_MTU_MIN || mtu > 0xffff ||
	    !may_answer4(ip) || !link_is_of_single_stations(link) || !header_is_sound(ip))
		return LB_DROP_TOO_BIG;
	if (!limit_take(LB_LIMIT_TOO_BIG))
		return LB_DROP_LIMITED;
	verdict = quote_make(ctx, l3, sizeof(struct too_big4));
	if (verdict != LB_NEXT)
		return verdict;

	link_swap(link);
	too_big4_write(message, mtu);
	return answer_write(ctx, at, l3, message, sizeof(*message)) ? LB_TX_TOO_BIG
								    : LB_DROP_INTERNAL;
}

static __always_inline void too_big6_write(struct too_big6 *to, __u32 mtu)
{
	const struct ipv6hdr *quoted = (void *)(to + 1);
	struct icmp_header *icmp = &to->icmp;
	struct ipv6hdr *ip = &to->ip;
	__be32 *words = (__be32 *)ip;
	__u64 sum;

	words[0] = bpf_htonl(6u << 28);
	ip->payload_len = bpf_htons(sizeof(*icmp) + QUOTE);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = ANSWER_TTL;
	ip->saddr = quoted->daddr;
	ip->daddr = quoted->saddr;
	icmp->type = TOO_BIG6;
	icmp->word[0] = bpf_htons(mtu >> 16);
	icmp->word[1] = bpf_htons(mtu);
	/* The pseudo header of RFC 8200 section 8.1, then the message. */
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&ip->saddr, 2 * sizeof(ip->saddr), 0);
	sum += bpf_htons(sizeof(*icmp) + QUOTE) + bpf_htons(IPPROTO_ICMPV6);
	sum += TOO_BIG6 + icmp->word[0] + icmp->word[1];
	sum += (__u32)bpf_csum_diff(NULL, 0, (__be32 *)(icmp + 1), QUOTE, 0);
	icmp->check = checksum_fold(sum);
}

/* RFC 2473 section 7.1: no sender of IPv6 need go below 1280, so none is told less; what is no
 * longer than that and does not fit could only be cut into outer fragments, and is not. */
static __noinline int too_big6(struct xdp_md *ctx, __u32 l3, __u32 length, __u32 mtu)
{
	struct lb_scratch *at = answer_read(ctx, l3, QUOTE);
	struct too_big6 *message;
	struct link *link;
	struct ipv6hdr *ip;
	int verdict;

	if (!at)
		return LB_DROP_TOO_BIG;
	link = (void *)at->link;
	ip = (void *)at->packet;
	message = (struct too_big6 *)ip - 1;
	if ((int)mtu < IPV6_MTU_MIN)
		mtu = IPV6_MTU_MIN;
	if (length <= mtu || !may_answer6(ip) || !link_is_of_single_stations(link))
		return LB_DROP_TOO_BIG;
	if (!limit_take(LB_LIMIT_TOO_BIG))
		return LB_DROP_LIMITED;
	verdict = quote_make(ctx, l3, sizeof(struct too_big6));
	if (verdict != LB_NEXT)
		return verdict;

	link_swap(link);
	too_big6_write(message, mtu);
	return answer_write(ctx, at, l3, message, sizeof(*message)) ? LB_TX_TOO_BIG
								    : LB_DROP_INTERNAL;
}

/* The packet is larger than `mtu`, which is what the way to its backend leaves for it. An ICMP
 * error and a later fragment get no answer (RFC 1122 section 3.2.2). */
static __always_inline int answer_too_big(struct xdp_md *ctx, const struct packet *packet,
					  __u32 mtu)
{
	if (!config.answer_rate || packet->quoted || packet->fragment == FRAGMENT_LATER)
		return LB_DROP_TOO_BIG;
	if (packet->family == 4)
		return too_big4(ctx, packet->l3, mtu);
	return too_big6(ctx, packet->l3, packet->length, mtu);
}

#endif
