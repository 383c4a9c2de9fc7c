/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbour entries that an earlier lbd had the kernel manage, and that nobody has released since
 * it was killed: the kernel would never stop asking for them. */
#ifndef LB_NEXTHOP_LEFT_H
#define LB_NEXTHOP_LEFT_H

#include <stdbool.h>
#include "nexthop_netlink.h"

/* Takes our flag and mark off every entry that carries them, except those that `in_use` says yes
 * to (NULL: none). A resolved one stays as an ordinary entry, another is deleted. Should they be another lbd's
 * after all, that one hears of it and asks for them again; meanwhile its packets go by the MACs
 * that it knows. 0 or -errno. */
int neighbours_release_left(struct netlink *netlink,
			    bool (*in_use)(void *user, const struct netlink_neighbour *neighbour),
			    void *user);

#endif
