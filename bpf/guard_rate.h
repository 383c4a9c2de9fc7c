/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Is a packet within the rates of its VIP?
 *
 * A VIP has up to four rules, asked in turn (rate_cell.h has their arithmetic). The first that is exceeded drops the
 * packet; those before it have counted it, those behind it have not. Cells are shared by all CPUs and change by
 * compare-and-swap, so that a limit is one of the node, on however many queues a source's packets come. */
#ifndef LB_GUARD_RATE_H
#define LB_GUARD_RATE_H

#include "guard_maps.h"
#include "packet.h"
#include "rate_cell.h"

#define RATE_TRIES 4 /* then so many packets of this source were counted in that time */

/* The clock is a call and the tick is not, so it is asked once a tick, as in flow_time of backend.h.
 * ns:52 | tick:12 */
#define RATE_TICK_BITS 12
#define RATE_TICK_MASK ((1u << RATE_TICK_BITS) - 1)

static __always_inline __u64 rate_now(struct lb_rate_clock *clock)
{
	const __u64 tick = bpf_jiffies64() & RATE_TICK_MASK;
	__u64 known = *(volatile __u64 *)&clock->now;

	if (config.has & LB_GUARD_ASKS)
		return rate_time(bpf_ktime_get_coarse_ns());
	if ((known & RATE_TICK_MASK) != tick) {
		known = bpf_ktime_get_coarse_ns() << RATE_TICK_BITS | tick;
		*(volatile __u64 *)&clock->now = known;
	}
	return rate_time(known >> RATE_TICK_BITS);
}

static __always_inline struct lb_rate_clock *rate_clock(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&guard_rate_clock, &zero);
}

/* How a packet that costs this much fares; when it fits, it is counted. */
enum { RATE_FITS, RATE_EXCEEDS, RATE_MISSED /* another CPU was there first */ };

static __always_inline int rate_try(struct lb_rate_pair *pair, __u32 tag, __u64 now, __u64 cost)
{
	const __u64 first = *(volatile __u64 *)&pair->cell[0];
	const __u64 second = *(volatile __u64 *)&pair->cell[1];
	__u64 used, was = first, *cell = &pair->cell[0];

	if (rate_choose(first, second, tag, now, &used)) {
		was = second;
		cell = &pair->cell[1];
	}
	if (!rate_fits(used, cost))
		return RATE_EXCEEDS;
	if (config.has & LB_GUARD_ASKS)
		return RATE_FITS;
	return __sync_val_compare_and_swap(cell, was, rate_cell(used + cost, now, tag)) == was
		       ? RATE_FITS
		       : RATE_MISSED;
}

#define RATE_IS_SYN 1u
/* An ICMP error says that it is about this source's flow, which anybody can say: it is not the source's. */
#define RATE_IS_ABOUT 2u
#define RATE_IS_COUNTED 4u /* by the first rule, which it is within */

static __always_inline __u32 rate_amount(__u32 what, __u32 length, __u32 is)
{
	switch (what & LB_RATE_KIND) {
	case LB_RATE_PACKETS:
		return 1;
	case LB_RATE_SYNS:
		return is & RATE_IS_SYN;
	}
	return length;
}

static __always_inline void rate_count_over(__u32 number, __u32 rule)
{
	struct lb_rates_over *over = bpf_map_lookup_elem(&guard_rate_over, &number);

	if (over && rule < LB_RATES)
		over->packets[rule]++;
}

static __always_inline struct rate_place rate_where(const struct lb_rate *rule, __u32 number,
						    __u32 i, __u64 source, __u64 source_low,
						    const struct lb_rate_clock *clock)
{
	if (rule->what & LB_RATE_WHOLE)
		return rate_place_whole(number, i);
	return rate_place(source & rule->mask[0], source_low & rule->mask[1], number, i,
			  clock->secret);
}

/* Global functions, which the verifier looks at by themselves. Whether this rule is exceeded. */
__noinline int rate_exceeded(__u32 number, __u32 rule, __u64 source, __u64 source_low, __u32 amount)
{
	struct lb_rates *rates = bpf_map_lookup_elem(&guard_rates, &number);
	struct lb_rate_clock *clock = rate_clock();
	struct lb_rate_pair *pair;
	struct rate_place place;
	__u64 now, cost;
	int i, how;

	if (!rates || !clock || rule >= LB_RATES)
		return 0;
	place = rate_where(&rates->rule[rule], number, rule, source, source_low, clock);
	pair = bpf_map_lookup_elem(&guard_rate_cells, &place.pair);
	if (!pair)
		return 0;
	now = rate_now(clock);
	cost = rate_cost(rates->rule[rule].price, amount);
	for (i = 0; i < RATE_TRIES; i++) {
		how = rate_try(pair, place.tag, now, cost);
		if (how != RATE_MISSED)
			return how == RATE_EXCEEDS;
	}
	return 0;
}

__noinline int rate_verdict(__u32 number, __u64 source, __u64 source_low, __u32 length, __u32 is)
{
	volatile struct lb_rates *rates = bpf_map_lookup_elem(&guard_rates, &number);
	__u32 i;

	if (!rates)
		return LB_NEXT;
	for (i = 0; i < LB_RATES; i++) {
		const __u32 what = rates->rule[i].what;
		const __u32 amount = rate_amount(what, length, is);

		if (!(what & LB_RATE_KIND))
			break;
		if (!amount || (!i && is & RATE_IS_COUNTED) ||
		    (is & RATE_IS_ABOUT && !(what & LB_RATE_WHOLE)) ||
		    !rate_exceeded(number, i, source, source_low, amount))
			continue;
		rate_count_over(number, i);
		if (!(what & LB_RATE_MONITOR))
			return LB_DROP_RATE;
	}
	return LB_NEXT;
}

/* IPv4: the first rule, if it is one of sources, without the calls, which cost as much as the rest. A packet that is within
 * it, as nearly all are, is counted here; else nothing is counted yet. */
static __always_inline int rate_within_first(const struct lb_rates *rates,
					     const struct packet *packet, __u32 number)
{
	const struct lb_rate *rule = &rates->rule[0];
	__u32 key = 0; /* one for both maps, for the stack */
	struct lb_rate_clock *clock = bpf_map_lookup_elem(&guard_rate_clock, &key);
	struct lb_rate_pair *pair;
	struct rate_place place;
	__u64 cost;

	if (!clock || !(rule->what & LB_RATE_PACKETS) || rule->what & LB_RATE_WHOLE)
		return 0;
	place = rate_place(packet->source[0] & rule->mask[0], 0, number, 0, clock->secret);
	key = place.pair;
	pair = bpf_map_lookup_elem(&guard_rate_cells, &key);
	if (!pair)
		return 0;
	cost = rate_cost(rule->price, rate_amount(rule->what, packet->length, 0));
	return rate_try(pair, place.tag, rate_now(clock), cost) == RATE_FITS;
}

/* Programs that have no stack for it set 0. */
#ifndef RATE_IN_LINE
#define RATE_IN_LINE 1
#endif

/* LB_NEXT or LB_DROP_RATE. `plain`: a constant. For both parts of an IPv6 address there is no room in the stack that
 * 6.1 has for programs of clang 19. */
static __always_inline int guard_rate(const struct packet *packet, __u32 number, int is_syn,
				      int plain)
{
	__u32 is = (is_syn ? RATE_IS_SYN : 0) | (packet->quoted ? RATE_IS_ABOUT : 0);

	if (RATE_IN_LINE && plain && packet->family == 4) {
		const struct lb_rates *rates = bpf_map_lookup_elem(&guard_rates, &number);

		if (rates && rate_within_first(rates, packet, number)) {
			if (!rates->rule[1].what)
				return LB_NEXT;
			is |= RATE_IS_COUNTED;
		}
	}
	return rate_verdict(number, packet->source[0], packet->source[1], packet->length, is);
}

#endif
