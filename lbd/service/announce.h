/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIPs of the document in force should the network learn from this node? */
#ifndef LB_SERVICE_ANNOUNCE_H
#define LB_SERVICE_ANNOUNCE_H

#include "announce_plan.h"
#include "service.h"

/* One for each VIP that says so, in *out, to be freed; not merged. Yields. 0 or -ENOMEM. */
int service_announce(struct service *service, struct announce_want **out, size_t *count);

#endif
