/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a service document right, as far as can be said without lbd? */
#ifndef LBCTL_OFFLINE_H
#define LBCTL_OFFLINE_H

#include "command.h"

/* `config check`: asks lbd, or with --offline looks at the document alone. */
enum exit_code config_check_run(const struct invocation *invocation, struct output *output);
void view_check(FILE *out, const struct invocation *invocation, const json_t *result);

#endif
