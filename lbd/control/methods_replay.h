/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of many recorded packets, and where would another document send them? */
#ifndef LB_METHODS_REPLAY_H
#define LB_METHODS_REPLAY_H

#include "methods.h"

int methods_replay(struct methods_context *context, const json_t *params, json_t **result,
		   struct lb_err *err);

#endif
