/* SPDX-License-Identifier: BSD-2-Clause */
/* A case on the stage: its programs, loaded, with maps that are filled as it asks for. */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include "cases.h"
#include "rival_load.h"
#include "world.h"

/* TRACING, ALWAYS_TRACING: the balancer while somebody traces 1 packet of 1,000, or each. */
enum variant { WRAPPER, FLOOR, FLOOR_AGAIN, BALANCER, RIVAL, TRACING, ALWAYS_TRACING, VARIANTS };
#define VARIANT_BIT(variant) (1u << (variant))

/* A case, and what it needs to be loaded. */
struct row {
	struct bench_case of;
	struct plan *plan;
	struct rival *rival;  /* shared with other rows; NULL: nobody asks for it */
	uint32_t rival_flows; /* connections that it is to know */
	char error[256];
};

const char *variant_name(enum variant variant);

/* Notes and says what went wrong. Returns -1. */
int row_complain(struct row *row, enum variant variant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What is loaded for a case in a round. */
struct stage {
	const struct row *row;
	struct bare_bpf *bare, *bare_again;
	struct datapath *datapath;
};

/* Loads the programs of these variants and makes the records of the case; the rival learns its
 * connections if it does not know them. 0 or -errno; to be closed in any case. */
int stage_open(struct stage *stage, struct row *row, uint32_t variants);
void stage_close(struct stage *stage);

/* Of a variant's program. */
int stage_fd(const struct stage *stage, enum variant variant);

#endif
