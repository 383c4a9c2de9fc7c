/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of several equal next hops stands in which of a member's paths. Private to nexthop.c; pure.
 *
 * Paths are given out in proportion to the weights by the method of Sainte-Lague (1910), under
 * which nobody loses a path because another one lost all of its own: so a next hop that fails moves
 * only what it had, and one that comes back takes no more than its share.
 */
#ifndef LB_NEXTHOP_PATHS_H
#define LB_NEXTHOP_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../../bpf/abi.h"

struct path_candidate {
	uint16_t number; /* in the next hop array; none twice */
	uint32_t weight; /* at least 1 */
	bool usable;
};

/* Paths that name a usable candidate keep it as far as its share goes. Those that are not usable
 * count only where none is. Without candidates every path is LB_NEXTHOP_UNRESOLVED. At most
 * LB_MEMBER_PATHS candidates. */
void paths_assign(uint16_t path[LB_MEMBER_PATHS], const struct path_candidate *candidates,
		  size_t count);

#endif
