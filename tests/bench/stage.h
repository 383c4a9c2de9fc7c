/* SPDX-License-Identifier: BSD-2-Clause */
/* A case on the stage: its programs, loaded, and packets sent through one of them. */
#ifndef BENCH_STAGE_H
#define BENCH_STAGE_H

#include "cases.h"
#include "next.h"
#include "rival_load.h"
#include "world.h"

enum variant { WRAPPER, FLOOR, FLOOR_AGAIN, BALANCER, RIVAL, VARIANTS };

/* A case, and what is known of it after some rounds. */
struct row {
	struct bench_case of;
	struct plan *plan;
	struct rival *rival;  /* shared with other rows */
	uint32_t rival_flows; /* connections that it is to know */
	double *samples[VARIANTS];
	uint32_t packets; /* timed, in each run */
	char error[256];
};

const char *variant_name(enum variant variant);

/* Notes and says what went wrong. Returns -1. */
int row_complain(struct row *row, enum variant variant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What is loaded for a case in a round. */
struct stage {
	const struct row *row;
	struct frame frame;
	struct next_bpf *next;
	struct bare_bpf *bare, *bare_again;
	struct datapath *datapath;
};

/* Loads everything anew and makes the records of the case; the rival learns its connections if it
 * does not know them. 0 or -errno; to be closed in any case. */
int stage_open(struct stage *stage, struct row *row);
void stage_close(struct stage *stage);

/* Who gets the packets from now on. */
int stage_set_target(struct stage *stage, enum variant variant);

struct outcome {
	double ns; /* a packet */
	uint32_t action;
	size_t length; /* of the last frame */
};

int stage_run(struct stage *stage, uint32_t packets, struct outcome *outcome);

struct next_order stage_order(const struct stage *stage);

#endif
