/* SPDX-License-Identifier: BSD-2-Clause */
/* One frame in, one verdict, one frame out: what tests of a single stage check of each run. */
#ifndef EXPECT_H
#define EXPECT_H

#include "harness.h"

struct expect {
	enum lb_verdict verdict;
	enum vip_index vip; /* the slot of the flow holds `member` for the time of the run */
	enum member_index member;
	const struct flow *flow; /* where vip is given: whose slot that is */
	unsigned int metadata;
	const struct frame *out; /* what must come out; NULL: what went in, or nothing that counts
				  * where the packet is dropped */
};

/* Fails the test unless the program's action, exactly one verdict's counter, the members' counters
 * and the whole frame are as expected. */
void expect_run(const struct frame *in, const struct expect *expect);

#endif
