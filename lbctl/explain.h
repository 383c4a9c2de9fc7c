/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a packet? Asked of lbd for one that is described, or for captured ones. */
#ifndef LBCTL_EXPLAIN_H
#define LBCTL_EXPLAIN_H

#include "output.h"

enum exit_code explain_run(const struct invocation *invocation, struct output *output);
void view_explain(FILE *out, const struct invocation *invocation, const json_t *result);

#endif
