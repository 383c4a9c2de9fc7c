/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the guard do now? */
#ifndef LB_METHODS_GUARD_H
#define LB_METHODS_GUARD_H

#include "methods.h"

int methods_guard_show(struct methods_context *context, const json_t *params, json_t **result,
		       struct lb_err *err);

#endif
