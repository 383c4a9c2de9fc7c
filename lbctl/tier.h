/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbctl ask etcd? By another program, lbd-tier, so that lbctl itself needs no libcurl. */
#ifndef LBCTL_TIER_H
#define LBCTL_TIER_H

#include "args.h"
#include "output.h"

enum exit_code tier_run(const struct invocation *invocation, struct output *output);

#endif
