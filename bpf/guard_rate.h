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

	if (config.guard & LB_GUARD_ASKS)
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

/* Whether a packet that costs this much fits; then it is counted. */
static __always_inline int rate_take(const struct rate_place *place, __u64 now, __u64 cost)
{
	__u64 *first = bpf_map_lookup_elem(&guard_rate_cells, &place->cell[0]);
	__u64 *second = bpf_map_lookup_elem(&guard_rate_cells, &place->cell[1]);
	int i;

	if (!first || !second)
		return 1;
	for (i = 0; i < RATE_TRIES; i++) {
		const __u64 was0 = *(volatile __u64 *)first, was1 = *(volatile __u64 *)second;
		__u64 used, was = was0, *cell = first;

		if (rate_choose(was0, was1, place->tag, now, &used)) {
			was = was1;
			cell = second;
		}
		if (!rate_fits(used, cost))
			return 0;
		if (config.guard & LB_GUARD_ASKS ||
		    __sync_val_compare_and_swap(cell, was,
						rate_cell(used + cost, now, place->tag)) == was)
			break;
	}
	return 1;
}

#define RATE_IS_SYN 1u
/* An ICMP error says that it is about this source's flow, which anybody can say: it is not the source's. */
#define RATE_IS_ABOUT 2u

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

/* Global functions, which the verifier looks at by themselves. Whether this rule, one of kind `what`, is exceeded. */
__noinline int rate_exceeded(__u32 number, __u32 rule, __u64 source, __u64 source_low, __u32 amount)
{
	struct lb_rates *rates = bpf_map_lookup_elem(&guard_rates, &number);
	struct lb_rate_clock *clock = rate_clock();
	struct rate_place place;
	const struct lb_rate *at;

	if (!rates || !clock || rule >= LB_RATES)
		return 0;
	at = &rates->rule[rule];
	if (at->what & LB_RATE_WHOLE)
		place = rate_place_whole(number, rule);
	else
		place = rate_place(source & at->mask[0], source_low & at->mask[1], number, rule,
				   clock->secret);
	return !rate_take(&place, rate_now(clock), rate_cost(at->price, amount));
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
		if (!amount || (is & RATE_IS_ABOUT && !(what & LB_RATE_WHOLE)) ||
		    !rate_exceeded(number, i, source, source_low, amount))
			continue;
		rate_count_over(number, i);
		if (!(what & LB_RATE_MONITOR))
			return LB_DROP_RATE;
	}
	return LB_NEXT;
}

/* LB_NEXT or LB_DROP_RATE. */
static __always_inline int guard_rate(const struct packet *packet, __u32 number, int is_syn)
{
	return rate_verdict(number, packet->source[0], packet->source[1], packet->length,
			    (is_syn ? RATE_IS_SYN : 0) | (packet->quoted ? RATE_IS_ABOUT : 0));
}

#endif
