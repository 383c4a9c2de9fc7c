/* SPDX-License-Identifier: BSD-2-Clause */
/* Who traces packets, for how long, and what is he sent? One client at a time. docs/protocol.md has
 * the lines. */
#ifndef LB_TRACER_H
#define LB_TRACER_H

#include "../plane/trace.h"
#include "methods.h"

#define TRACE_SECONDS_MAX 3600
#define TRACE_RATE_MAX 5000 /* packets a second */

struct tracer;

struct tracer_wish {
	struct lb_trace_filter filter; /* with every and snap */
	uint32_t seconds, rate;        /* of the maxima above */
	uint32_t count;                /* it ends after so many packets; 0: not so */
};

int tracer_new(struct event_base *base, struct tracer **out, struct lb_err *err);
/* Before the datapath is closed. NULL is fine. */
void tracer_free(struct tracer *tracer);

/* For the client of this call, which gets its lines after the reply, until it goes. 0, LB_ERR_LIMIT
 * while somebody else traces, or as datapath_trace_start. */
int tracer_start(const struct methods_context *context, const struct tracer_wish *wish,
		 struct lb_err *err);

#endif
