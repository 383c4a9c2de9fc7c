/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What does a balancer ask a backend, and what does that answer?
 *
 *	[IP][UDP, to port 6080][GUE variant 0, control message][struct second_question]
 *
 * A backend is asked how many packets were lost there, and to look at those without a list, too, for
 * a while. It answers a sender that is in second_sources with a frame of the same length, which goes
 * back as the question came. Numbers are in network order. The UDP checksum is 0, as that of all GUE.
 */
#ifndef LB_SECOND_QUESTION_H
#define LB_SECOND_QUESTION_H

#include <linux/types.h>

#define SECOND_CONTROL 0x20 /* variant 0, a control message without options */
#define SECOND_ASKS 0xbd
#define SECOND_ANSWERS 0xbe
#define SECOND_MAGIC 0x6c626471u /* "lbdq" */
#define SECOND_WATCH_MAX_S 60

struct second_question {
	__u8 control, type;
	__be16 flags; /* 0 */
	__be32 magic;
	__be64 nonce;   /* the answer has the same */
	__be32 watch_s; /* for so long packets without a list are looked at, too */
	__be32 reserved;
	/* 0 in the question: counters of second_counters.h, since the program is there. */
	__be64 lost, stray, found, passed_on;
};

#endif
