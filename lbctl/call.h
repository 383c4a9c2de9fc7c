/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a command carried out that is a question to lbd? */
#ifndef LBCTL_CALL_H
#define LBCTL_CALL_H

#include "../lbd/api/rpc.h"
#include "output.h"

/* Asks what the command asks. 0 and *result (new reference), or -EINVAL. */
int call_ask(const struct invocation *invocation, json_t **result, struct lb_err *err);
enum exit_code call_lbd(const struct invocation *invocation, struct output *output);
/* The same, but lbctl's own version is printed even if lbd cannot be asked for its. */
enum exit_code call_version(const struct invocation *invocation, struct output *output);

#endif
