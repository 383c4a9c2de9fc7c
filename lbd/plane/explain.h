/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a frame, and why? The balancer's own program says so, in a second instance
 * that writes nothing.
 *
 * The instance shares the maps that the program only reads, and has maps of its own for what it
 * writes: counters, verdicts, budget, limits, the records of flows and of fragments. Before a run
 * the one bucket of the flow table that the frame may be in, and the one record of its fragments,
 * are copied there. So the run decides as the balancer does at this moment, and what it would have
 * written can be read off afterwards.
 *
 * Both programs are loaded with the first frame, which takes as long as at lbd's start, beside the
 * loop (worker.h). A frame takes less than a millisecond. */
#ifndef LB_PLANE_EXPLAIN_H
#define LB_PLANE_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>
#include "../../bpf/explain.h"
#include "datapath.h"

#define EXPLAIN_FRAME_MIN 14    /* an Ethernet header, without which nothing can be run */
#define EXPLAIN_FRAME_MAX 65557 /* the longest IP packet, and an Ethernet header with tags */
#define EXPLAIN_OUT_MAX (EXPLAIN_FRAME_MAX + 80) /* and what is put around it */

struct explained {
	uint32_t verdict; /* enum lb_verdict */
	struct lb_explained way;
	/* The record of the flow before and after, 0: none; of a slot that is SETTLED, 0. */
	uint64_t record, record_after;
	uint64_t flow_counts[LB_FLOW_COUNT_COUNT]; /* what the flow table did */
	struct lb_rates_over over;                 /* by rule of its VIP: it exceeds it */
	uint32_t time;                             /* now, in time units of flow words */
	struct lb_member member;                   /* way.stage tells whether these are known */
	struct lb_nexthop nexthop;
	struct lb_member hop[LB_HOPS_MAX]; /* of way.hops, in their order */
	size_t length; /* of `frame`, which is what the program leaves of the frame */
	uint8_t frame[EXPLAIN_OUT_MAX];
};

/* As if the frame came in by the interface; 0: by lo. Not at the same time in two threads. 0, or
 * LB_ERR_SYSTEM. */
int datapath_explain(struct datapath *datapath, const void *frame, size_t length, uint32_t ifindex,
		     struct explained *out, struct lb_err *err);

/* Fills in what out->way leads to: records of the bucket before the run and after it, member, next hop, time. */
void explained_note(struct explained *out, const struct lb_member *members,
		    const struct lb_nexthop *nexthops, const struct lb_flow_bucket *before,
		    const struct lb_flow_bucket *after);
/* What is put before the packet, from the outer IP header on; known with the member. */
uint32_t explained_outer_bytes(const struct explained *explained);

#endif
