/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Has a source more packets than its rate allows? Pure: a cell and a time go in. Also compiled into lbd and tests.
 *
 * A cell is a token bucket in one word (GCRA): the time at which the bucket is full again if nothing more comes, and
 * a tag that says whose it is. A bucket holds what the rate allows in one second, which is the same span of time for
 * every rate, so that all rates can have cells in one table.
 *
 *   time:48 in 1/16 ns, which wraps after 4.9 hours | tag:16
 *
 * A time that no bucket can have, before now or too far ahead, is one of long ago, perhaps of before a wrap: that
 * bucket is full. A cell without a packet for just as long as the wrap may have a little less than it should.
 *
 * A source has two cells where it may be, side by side, so that a packet waits for one line of memory. It is in the
 * one that has its tag; when none has, it takes the place of the one that is nearer to a full bucket, which loses
 * least. So a flood of forged sources takes the places of sources that send little, and not of those at their limit.
 * No source is ever charged for another's packets, unless they share a pair and a tag: with 1,000 sources at their
 * limit, one in two million. */
#ifndef LB_RATE_CELL_H
#define LB_RATE_CELL_H

#include <linux/types.h>
#include "abi.h"

#define RATE_INLINE static inline __attribute__((always_inline))

#define RATE_TAG_BITS 16
#define RATE_TAG_MASK ((1ull << RATE_TAG_BITS) - 1)
#define RATE_TIME_MASK (~0ull >> RATE_TAG_BITS)
#define RATE_PER_NS 16ull
#define RATE_SPAN (1000000000ull * RATE_PER_NS) /* what a bucket holds */
#define RATE_SLACK (RATE_SPAN / 8)              /* another CPU may have seen a later time */

/* The price of one packet or byte: 1/4096 ns, so that bytes have one above 0. */
#define RATE_PRICE_SHIFT 8
#define RATE_PRICES (1000000000ull * RATE_PER_NS << RATE_PRICE_SHIFT) /* of a second */

RATE_INLINE __u64 rate_price(__u64 per_second)
{
	return (RATE_PRICES + per_second / 2) / per_second;
}

RATE_INLINE __u64 rate_cost(__u64 price, __u32 amount)
{
	return price * amount >> RATE_PRICE_SHIFT;
}

RATE_INLINE __u64 rate_time(__u64 ns)
{
	return ns * RATE_PER_NS & RATE_TIME_MASK;
}

/* How much of the bucket is used, as the time until it is full again. */
RATE_INLINE __u64 rate_used(__u64 cell, __u64 now)
{
	const __u64 ahead = ((cell >> RATE_TAG_BITS) - now) & RATE_TIME_MASK;

	return ahead > RATE_SPAN + RATE_SLACK ? 0 : ahead;
}

/* Whether the bucket has room for this much. */
RATE_INLINE int rate_fits(__u64 used, __u64 cost)
{
	return used + cost <= RATE_SPAN;
}

RATE_INLINE __u64 rate_cell(__u64 used, __u64 now, __u32 tag)
{
	return ((now + used) & RATE_TIME_MASK) << RATE_TAG_BITS | tag;
}

/* --- whose cell --- */

struct rate_place {
	__u32 pair;
	__u32 tag;
};

/* A pair that two rules of a VIP have for themselves. */
RATE_INLINE struct rate_place rate_place_whole(__u32 vip, __u32 rule)
{
	return (struct rate_place){LB_RATE_PAIRS + (vip * LB_RATES + rule) / 2, 1 + rule % 2};
}

/* Nobody who does not know the secrets can choose sources that share a pair. */
RATE_INLINE struct rate_place rate_place(__u64 source, __u64 source_low, __u32 vip, __u32 rule,
					 const __u64 secret[4])
{
	__u64 hash =
		source * secret[0] + source_low * secret[1] + (vip * LB_RATES + rule) * secret[2];

	hash = (hash ^ hash >> 32) * secret[3];
	return (struct rate_place){hash >> 49, hash >> 33 & RATE_TAG_MASK};
}
_Static_assert(LB_RATE_PAIRS == 1u << 15, "fifteen bits of the hash");

/* Which of the two, 0 or 1, given what they hold. *used: of the source's bucket; one that has none uses nothing. */
RATE_INLINE int rate_choose(__u64 first, __u64 second, __u32 tag, __u64 now, __u64 *used)
{
	const __u64 used0 = rate_used(first, now), used1 = rate_used(second, now);

	*used = used0;
	if ((first & RATE_TAG_MASK) == tag)
		return 0;
	*used = used1;
	if ((second & RATE_TAG_MASK) == tag)
		return 1;
	*used = 0;
	return used1 < used0;
}

#endif
