/* SPDX-License-Identifier: BSD-2-Clause */
/* Who takes part in a table? The members that can own slots, in the order that every builder works
 * in. */
#ifndef LB_TABLE_ROSTER_H
#define LB_TABLE_ROSTER_H

#include "table.h"

struct roster_entry {
	struct lb_addr address;
	uint32_t weight; /* never 0 */
	uint16_t number;
	uint32_t slots; /* that it owns; for table_look */
};

/* Sorted by address. Builders name a member by its index here, so that numbers and the order of
 * configuration cannot matter. */
struct roster {
	uint64_t weight; /* of all entries together */
	size_t count;    /* at most LB_MEMBERS_MAX, so that an index is never LB_NONE */
	struct roster_entry entries[];
};

#endif
