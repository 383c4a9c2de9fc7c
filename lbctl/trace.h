/* SPDX-License-Identifier: BSD-2-Clause */
/* How are packets followed? */
#ifndef LBCTL_TRACE_H
#define LBCTL_TRACE_H

#include "output.h"

/* `trace`: until its time or count is over, or it is interrupted. */
enum exit_code trace_run(const struct invocation *invocation, struct output *output);
int trace_params(const struct invocation *invocation, json_t **params, struct lb_err *err);

#endif
