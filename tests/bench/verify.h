/* SPDX-License-Identifier: BSD-2-Clause */
/* Has a run measured what it was to measure? */
#ifndef BENCH_VERIFY_H
#define BENCH_VERIFY_H

#include "stage.h"

/* All the counters at one time. */
struct counts {
	struct next_order order;
	uint64_t verdicts[LB_VERDICT_COUNT];
	uint64_t flows[LB_FLOW_COUNT_COUNT];
	uint64_t rival[RIVAL_OUTCOMES];
};

void counts_read(const struct stage *stage, struct counts *counts);

/* Every one of the row's packets was of the next flow, met with the verdict that it should, found
 * records as the case has them; and the last frame is as long as it should be. 0, or -1 after the
 * row was told what is wrong. */
int verify(struct row *row, const struct stage *stage, enum variant variant,
	   const struct outcome *outcome, const struct counts *before);

#endif
