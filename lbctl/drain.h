/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a drain asked for, and waited for? */
#ifndef LBCTL_DRAIN_H
#define LBCTL_DRAIN_H

#include "output.h"

/* `backend drain`. With --wait: EXIT_DONE once the backend is drained, EXIT_DIFFERS when the time
 * is up before. */
enum exit_code drain_run(const struct invocation *invocation, struct output *output);

#endif
