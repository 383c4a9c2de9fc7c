/* SPDX-License-Identifier: BSD-2-Clause */
/* Which tables have to move, and where to, so that a new one has its slots in one piece? Pure. */
#ifndef LB_SERVICE_ROOM_H
#define LB_SERVICE_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table, of `size` slots from `start` on. */
struct room_piece {
	uint32_t start, size;
	bool fixed;  /* it stays where it is */
	uint32_t to; /* by room_plan: where it begins afterwards */
	void *of;    /* the caller's */
};

/* All pieces of an area of `area` slots, sorted, which do not overlap. Finds `size` slots in a row,
 * from *start on, that are free once pieces have moved; as few slots as it can see to. A piece goes to
 * what is free now, and is not to be free: so each may move at any time, whatever others do, and is
 * whole at both places meanwhile. 0, -ENOSPC or -ENOMEM. */
int room_plan(struct room_piece *pieces, size_t count, uint32_t area, uint32_t size,
	      uint32_t *start);

#endif
