/* SPDX-License-Identifier: BSD-2-Clause */
/* What a backend needs of its host, but for the programs: settings, addresses, tunnel devices. */
#ifndef BACKEND_HOST_H
#define BACKEND_HOST_H

#include <stdbool.h>
#include "config.h"
#include "undo.h"

/* Each returns 0, or -EINVAL with *err. What was so before stays so afterwards.
 * host_may_be looks whether the host can be this backend, and changes nothing. */
int host_may_be(const struct backend_config *config, struct lb_err *err);
int host_set_up(const struct backend_config *config, struct undo *undo, struct lb_err *err);

/* A number below /proc/sys/net, or -1. */
int host_setting(const char *name);
/* Whether packets to the prefix, or to all of it, are for this host. */
bool host_has(const struct lb_prefix *vip);
/* How the name of a tunnel device begins. */
#define HOST_DEVICE "lbb"

#endif
