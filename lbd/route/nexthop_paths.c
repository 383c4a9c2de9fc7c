/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of several equal next hops stands in which of a member's paths? */
#include "nexthop_paths.h"

static bool any_usable(const struct path_candidate *candidates, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (candidates[i].usable)
			return true;
	return false;
}

/* The candidate whose weight over twice its paths and one is the greatest; the first of equals. */
static size_t next_to_serve(const struct path_candidate *candidates, size_t count,
			    const uint32_t *shares, bool all)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		if (!all && !candidates[i].usable)
			continue;
		if (best == count ||
		    (uint64_t)candidates[i].weight * (2 * shares[best] + 1) >
			    (uint64_t)candidates[best].weight * (2 * shares[i] + 1))
			best = i;
	}
	return best;
}

/* Takes one path of the share that `number` has left. */
static bool take(const struct path_candidate *candidates, size_t count, uint32_t *shares,
		 uint16_t number)
{
	for (size_t i = 0; i < count; i++) {
		if (candidates[i].number != number || !shares[i])
			continue;
		shares[i]--;
		return true;
	}
	return false;
}

void paths_assign(uint16_t path[LB_MEMBER_PATHS], const struct path_candidate *candidates,
		  size_t count)
{
	const bool all = !any_usable(candidates, count);
	uint32_t shares[LB_MEMBER_PATHS] = {0};
	bool kept[LB_MEMBER_PATHS];
	size_t i, next = 0;

	for (i = 0; count && i < LB_MEMBER_PATHS; i++)
		shares[next_to_serve(candidates, count, shares, all)]++;
	for (i = 0; i < LB_MEMBER_PATHS; i++)
		kept[i] = take(candidates, count, shares, path[i]);
	/* In turn, so that neighbouring paths go different ways. */
	for (i = 0; i < LB_MEMBER_PATHS; i++) {
		size_t tries = count;

		if (kept[i])
			continue;
		path[i] = LB_NEXTHOP_UNRESOLVED;
		for (; tries-- && !shares[next]; next = (next + 1) % count)
			;
		if (!count || !shares[next])
			continue;
		path[i] = candidates[next].number;
		shares[next]--;
		next = (next + 1) % count;
	}
}
