/* SPDX-License-Identifier: BSD-2-Clause */
/* Which packets does a client want to see? The method of lbctl trace. */
#ifndef LB_METHODS_TRACE_H
#define LB_METHODS_TRACE_H

#include "methods.h"

/* The connection gets packets from then on (tracer.h). */
int methods_trace(struct methods_context *context, const json_t *params, json_t **result,
		  struct lb_err *err);

#endif
