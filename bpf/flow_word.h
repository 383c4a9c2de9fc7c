/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is in one word of the flow table?
 *
 *   tag:30 | member + 1:16 | grade:3 | time:15       from the high bits down; 0 is empty
 *
 * The tag tells the slot to who knows the VIP of the member (lb_hash_tag), and the flow from others
 * in its bucket, which is chosen by other bits of the 5-tuple's hash. Time counts units of 2^32 ns
 * (4.3 s) of the monotonic clock and wraps after 39 hours.
 */
#ifndef LB_FLOW_WORD_H
#define LB_FLOW_WORD_H

#include "abi.h"

#define LB_FLOW_TIME_MASK 0x7fffu
#define LB_FLOW_TIME_BITS 15
#define LB_FLOW_TIME_SHIFT 32 /* nanoseconds to units */
#define LB_FLOW_GRADE_BITS 3
#define LB_FLOW_MEMBER_SHIFT (LB_FLOW_TIME_BITS + LB_FLOW_GRADE_BITS)
#define LB_FLOW_TAG_SHIFT (LB_FLOW_MEMBER_SHIFT + 16)

/* What a flow has shown: the less, the sooner its word is given up. Each packet that is no SYN
 * counts for one, or in a later time unit than the one before for two. */
#define LB_FLOW_FOUND 0u  /* one packet that is no SYN: a flow from before the change */
#define LB_FLOW_NEW 1u    /* SYNs */
#define LB_FLOW_CLOSED 2u /* a FIN or RST was the last: its client has ended it */
#define LB_FLOW_SEEN 3u   /* another packet that is no SYN */
#define LB_FLOW_PROVEN 5u /* never given up while it is alive */

#define LB_FLOW_INLINE static inline __attribute__((always_inline))

LB_FLOW_INLINE __u64 flow_word(__u32 tag, __u32 member, __u32 grade, __u32 time)
{
	return (__u64)tag << LB_FLOW_TAG_SHIFT | (__u64)(member + 1) << LB_FLOW_MEMBER_SHIFT |
	       grade << LB_FLOW_TIME_BITS | (time & LB_FLOW_TIME_MASK);
}

LB_FLOW_INLINE __u32 flow_word_tag(__u64 word)
{
	return word >> LB_FLOW_TAG_SHIFT;
}

LB_FLOW_INLINE __u32 flow_word_member(__u64 word)
{
	return (word >> LB_FLOW_MEMBER_SHIFT & 0xffff) - 1;
}

LB_FLOW_INLINE __u32 flow_word_grade(__u64 word)
{
	return (__u32)word >> LB_FLOW_TIME_BITS & ((1u << LB_FLOW_GRADE_BITS) - 1);
}

/* Units since the word was last written. One written by a clock a little ahead of `time` is new,
 * not 39 hours old. */
LB_FLOW_INLINE __u32 flow_word_age(__u64 word, __u32 time)
{
	__u32 age = (time - (__u32)word) & LB_FLOW_TIME_MASK;

	return age > LB_FLOW_TIME_MASK - 16 ? 0 : age;
}

/* The grade after a packet that is no SYN, `age` units after the last one. */
LB_FLOW_INLINE __u32 flow_grade_after(__u32 grade, __u32 age)
{
	if (grade < LB_FLOW_SEEN)
		grade = LB_FLOW_SEEN - 1;
	grade += age ? 2 : 1;
	return grade < LB_FLOW_PROVEN ? grade : LB_FLOW_PROVEN;
}

#endif
