/* SPDX-License-Identifier: BSD-2-Clause */
/* What do this node and others see of the backends? For lbd-tier. */
#ifndef LB_METHODS_HEALTH_H
#define LB_METHODS_HEALTH_H

#include "methods.h"

int methods_health_view(struct methods_context *context, const json_t *params, json_t **result,
			struct lb_err *err);
int methods_health_agree(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err);

#endif
