/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How does a backend tell balancers what was lost here?
 *
 * A question (second_question.h) goes back by the interface that it came by, with its addresses and
 * ports swapped and the counters filled in. It is answered when its sender is in second_sources and
 * it is for this host. So nobody else has it sent anything, and no answer is longer than its question.
 *
 * Included by second.bpf.c, after second.h.
 */
#ifndef LB_SECOND_ANSWER_H
#define LB_SECOND_ANSWER_H

#include "second_question.h"

#define SECOND_CPUS_MAX 4096
#define SECOND_NS_A_S 1000000000ull

#define SECOND_ASKED (sizeof(struct udphdr) + sizeof(struct second_question))

struct second_sums {
	__u64 lost, stray, found, passed_on;
};

static long add_cpu(__u32 cpu, void *user)
{
	struct second_sums *sums = user;
	__u32 zero = 0;
	struct second_stats *stats = bpf_map_lookup_percpu_elem(&second_stats, &zero, cpu);

	if (!stats)
		return 1;
	sums->lost += stats->lost;
	sums->stray += stats->stray;
	sums->found += stats->socket + stats->time_wait + stats->syn_recv + stats->cookie;
	sums->passed_on += stats->passed_on;
	return 0;
}

static __always_inline void watch(__u32 seconds)
{
	__u32 zero = 0;
	__u64 *until = bpf_map_lookup_elem(&second_watch, &zero);
	__u64 asked;

	if (!until || !seconds)
		return;
	if (seconds > SECOND_WATCH_MAX_S)
		seconds = SECOND_WATCH_MAX_S;
	asked = bpf_ktime_get_coarse_ns() + seconds * SECOND_NS_A_S;
	if (asked > *until)
		*until = asked;
}

static __always_inline bool is_question(const struct udphdr *udp)
{
	const struct second_question *question = (void *)(udp + 1);

	return udp->dest == bpf_htons(GUE_PORT) && !udp->check &&
	       udp->len == bpf_htons(SECOND_ASKED) && question->control == SECOND_CONTROL &&
	       question->type == SECOND_ASKS && !question->flags &&
	       question->magic == bpf_htonl(SECOND_MAGIC);
}

static __always_inline bool may_ask(struct __sk_buff *skb, const struct outer *outer)
{
	return second_is_believed(outer) && !is_forwarded(skb, skb->ifindex, outer);
}

static __always_inline void turn_around(struct ethhdr *eth, struct udphdr *udp)
{
	const struct ethhdr kept = *eth;
	const __be16 port = udp->source;

	__builtin_memcpy(eth->h_dest, kept.h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, kept.h_dest, ETH_ALEN);
	udp->source = udp->dest;
	udp->dest = port;
}

static __always_inline void fill_in(struct second_question *question)
{
	struct second_sums sums = {};

	watch(bpf_ntohl(question->watch_s));
	bpf_loop(SECOND_CPUS_MAX, add_cpu, &sums, 0);
	question->type = SECOND_ANSWERS;
	question->lost = bpf_cpu_to_be64(sums.lost);
	question->stray = bpf_cpu_to_be64(sums.stray);
	question->found = bpf_cpu_to_be64(sums.found);
	question->passed_on = bpf_cpu_to_be64(sums.passed_on);
}

static __always_inline bool answer4(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct outer outer = {.family = 4};

	if ((void *)udp + SECOND_ASKED > (void *)(long)skb->data_end)
		return false;
	outer.source[3] = ip->saddr;
	outer.destination[3] = ip->daddr;
	if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_UDP ||
	    ip->frag_off & bpf_htons(IP_FRAGMENT) || !is_question(udp) || !may_ask(skb, &outer))
		return false;
	ip->saddr = outer.destination[3];
	ip->daddr = outer.source[3];
	turn_around(eth, udp);
	fill_in((void *)(udp + 1));
	return true;
}

static __always_inline bool answer6(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct outer outer = {.family = 6};

	if ((void *)udp + SECOND_ASKED > (void *)(long)skb->data_end)
		return false;
	__builtin_memcpy(outer.source, &ip->saddr, sizeof(outer.source));
	__builtin_memcpy(outer.destination, &ip->daddr, sizeof(outer.destination));
	if (ip->version != 6 || ip->nexthdr != IPPROTO_UDP || !is_question(udp) ||
	    !may_ask(skb, &outer))
		return false;
	__builtin_memcpy(&ip->saddr, outer.destination, sizeof(outer.destination));
	__builtin_memcpy(&ip->daddr, outer.source, sizeof(outer.source));
	turn_around(eth, udp);
	fill_in((void *)(udp + 1));
	return true;
}

/* Whether the frame is an answer now. Nearly every other is told from a question by its length. */
static __always_inline bool answer(struct __sk_buff *skb)
{
	const __u32 length4 = ETH_HLEN + sizeof(struct iphdr) + SECOND_ASKED;
	const __u32 length6 = ETH_HLEN + sizeof(struct ipv6hdr) + SECOND_ASKED;

	if (skb->protocol == bpf_htons(ETH_P_IP) && skb->len == length4)
		return !bpf_skb_pull_data(skb, length4) && answer4(skb);
	if (skb->protocol == bpf_htons(ETH_P_IPV6) && skb->len == length6)
		return !bpf_skb_pull_data(skb, length6) && answer6(skb);
	return false;
}

#endif
