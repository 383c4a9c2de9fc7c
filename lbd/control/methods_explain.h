/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a packet, by which way, and why? The method explain. */
#ifndef LB_METHODS_EXPLAIN_H
#define LB_METHODS_EXPLAIN_H

#include "../plane/explain.h"
#include "methods.h"

/* The interface of that name; NULL: the first. */
int methods_explain_interface(const struct methods_context *context, const json_t *name,
			      uint32_t *ifindex, struct lb_err *err);
/* What becomes of this frame, in hex, that comes in by the interface. */
int methods_explain_frame(const struct methods_context *context, const char *hex, uint32_t ifindex,
			  struct explained *out, struct lb_err *err);
int methods_explain(struct methods_context *context, const json_t *params, json_t **result,
		    struct lb_err *err);

#endif
