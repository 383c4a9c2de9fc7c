/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this node out of service, on purpose? Said on disk, so that it stays out over a restart of lbd
 * and of the machine until somebody takes it back. */
#ifndef LB_HOST_DRAINED_H
#define LB_HOST_DRAINED_H

#include <stdbool.h>
#include <stdint.h>
#include "../api/err.h"

/* Since when, in milliseconds since 1970; 0: it is in service. A file that cannot be read counts. */
int64_t drained_since(const char *state_dir);
/* 0, and it is on disk; -EINVAL. */
int drained_set(const char *state_dir, int64_t since_ms, struct lb_err *err);

#endif
