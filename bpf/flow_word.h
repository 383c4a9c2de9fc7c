/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is in one word of the flow table?
 *
 *   tag:32 | member + 1:16 | confirmed:1 | time:15       from the high bits down; 0 is empty
 *
 * The tag is the high half of the flow hash, the half that chooses the slot, so that a word tells
 * its slot to who knows its member's VIP; the bucket is chosen by the low half. Time counts units
 * of 2^32 ns (4.3 s) of the monotonic clock and wraps after 39 hours.
 */
#ifndef LB_FLOW_WORD_H
#define LB_FLOW_WORD_H

#include "abi.h"

#define LB_FLOW_CONFIRMED_BIT (1u << 15)
#define LB_FLOW_TIME_MASK 0x7fffu
#define LB_FLOW_TIME_BITS 15
#define LB_FLOW_TIME_SHIFT 32 /* nanoseconds to units */

#define LB_FLOW_INLINE static inline __attribute__((always_inline))

LB_FLOW_INLINE __u64 flow_word(__u32 tag, __u32 member, __u32 confirmed, __u32 time)
{
	return (__u64)tag << 32 | (member + 1) << 16 | confirmed | (time & LB_FLOW_TIME_MASK);
}

LB_FLOW_INLINE __u32 flow_word_tag(__u64 word)
{
	return word >> 32;
}

LB_FLOW_INLINE __u32 flow_word_member(__u64 word)
{
	return ((__u32)word >> 16) - 1;
}

/* Units since the word was last written. One written by a clock a little ahead of `time` is new,
 * not 39 hours old. */
LB_FLOW_INLINE __u32 flow_word_age(__u64 word, __u32 time)
{
	__u32 age = (time - (__u32)word) & LB_FLOW_TIME_MASK;

	return age > LB_FLOW_TIME_MASK - 16 ? 0 : age;
}

#endif
