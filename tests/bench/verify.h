/* SPDX-License-Identifier: BSD-2-Clause */
/* Has a run measured what it was to measure? */
#ifndef BENCH_VERIFY_H
#define BENCH_VERIFY_H

#include "stage.h"
#include "turns.h"

/* All the counters at one time. */
struct counts {
	uint64_t verdicts[LB_VERDICT_COUNT];
	uint64_t flows[LB_FLOW_COUNT_COUNT];
	uint64_t quic[LB_QUIC_COUNT_COUNT];
	uint64_t rival[RIVAL_OUTCOMES];
};

void counts_read(const struct stage *stage, struct counts *counts);

/* What a contender's packets are to be held against. */
struct verify {
	struct row *row;
	const struct stage *stage;
	enum variant variant;
	const struct contender *contender;
	struct counts before;
};

/* Each packet was of the next flow, met with the verdict that it should, found records as the case
 * has them, and left as long a frame as it should. 0, or -1 after the row was told what is wrong. */
int verify(const struct verify *of);

/* The XDP action that packets of a variant meet with. */
uint32_t verify_action(const struct row *row, enum variant variant);

#endif
