/* SPDX-License-Identifier: BSD-2-Clause */
/* The rival (rival.bpf.c), loaded and filled for a case. Its maps outlive its program, so that the
 * program can be loaded anew without filling a million connections in. */
#ifndef BENCH_RIVAL_LOAD_H
#define BENCH_RIVAL_LOAD_H

#include "rival.h"
#include "world.h"

struct bpf_program;
struct rival;

/* `flows`: connections it has to hold; its LRU maps are half as large again. NULL after a message
 * on stderr. */
struct rival *rival_new(const struct bench_case *bench_case, const struct plan *plan,
			uint32_t flows);
void rival_free(struct rival *rival);

/* Can it be used for that case as well? */
bool rival_fits(const struct rival *rival, const struct bench_case *bench_case);

int rival_reload(struct rival *rival);
struct bpf_program *rival_program(const struct rival *rival);
int rival_fd(const struct rival *rival);

/* Whether all connections were put in, for who puts them in. */
bool *rival_filled(struct rival *rival);

void rival_outcomes(const struct rival *rival, uint64_t out[RIVAL_OUTCOMES]);
uint32_t rival_capacity(const struct rival *rival);

#endif
