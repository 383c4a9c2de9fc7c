/* SPDX-License-Identifier: BSD-2-Clause */
/* How are events followed? */
#ifndef LBCTL_WATCH_H
#define LBCTL_WATCH_H

#include "output.h"

/* `watch`: until it is interrupted, its reader leaves, or lbd ends (EXIT_UNREACHABLE). */
enum exit_code watch_run(const struct invocation *invocation, struct output *output);

#endif
