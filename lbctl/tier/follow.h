/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a node follow its tier? A process of its own, without rights but that to the socket of
 * lbd. It ends by SIGTERM or SIGINT. */
#ifndef LBCTL_TIER_FOLLOW_H
#define LBCTL_TIER_FOLLOW_H

#include "config.h"

/* 0 when it was told to end, or -EINVAL: it cannot begin. */
int follow(const struct tier_config *config, struct lb_err *err);

#endif
