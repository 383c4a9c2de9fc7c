/* SPDX-License-Identifier: BSD-2-Clause */
/* The balancer's program and maps for a case, filled by the project's own code. */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include "../../lbd/plane/datapath.h"
#include "cases.h"

#define LOOPBACK 1 /* where BPF_PROG_TEST_RUN has its frames come in */

struct plan;

/* What does not change between rounds: the VIPs' table. NULL when out of memory. */
struct plan *plan_new(const struct bench_case *bench_case);
void plan_free(struct plan *plan);
/* `table` owners, by number within the VIP. */
const uint16_t *plan_owners(const struct plan *plan);

/* Loads the program anew. NULL after a message on stderr. Freed by datapath_close. `egress`: the
 * interface that encapsulated frames leave by. */
struct datapath *world_open(const struct bench_case *bench_case, const struct plan *plan,
			    uint32_t egress);
/* Puts slots into the state of the case. */
int world_move(struct datapath *datapath, const struct bench_case *bench_case,
	       const struct plan *plan);
/* No flow is on record. */
void world_forget(struct datapath *datapath);

/* The endpoint of a VIP, by number. */
struct lb_endpoint world_endpoint(const struct bench_case *bench_case, uint32_t vip);
/* The outer destination of a member. */
void world_daddr(const struct bench_case *bench_case, uint32_t member, __be32 daddr[4]);

/* A list of so many prefixes, none of them a client's, which blocks; for the first VIPs. With clients: of these, the
 * first ones, and so many single addresses. 0 or negative. */
int world_list(struct datapath *datapath, uint32_t clients, uint32_t prefixes, uint32_t vips);

#endif
