/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a backend answer a check now? The method backend.probe. */
#ifndef LB_METHODS_PROBE_H
#define LB_METHODS_PROBE_H

#include "methods.h"

/* Takes seconds. */
int methods_probe(struct methods_context *context, const json_t *params, json_t **result,
		  struct lb_err *err);

#endif
