/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a packet, by which way, and why? The method explain. */
#ifndef LB_METHODS_EXPLAIN_H
#define LB_METHODS_EXPLAIN_H

#include "methods.h"

int methods_explain(struct methods_context *context, const json_t *params, json_t **result,
		    struct lb_err *err);

#endif
