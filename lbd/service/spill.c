/* SPDX-License-Identifier: BSD-2-Clause */
/* Which groups of a pool's backends take new flows? */
#include "spill.h"

#include <stdbool.h>

void spill_add(struct spill *spill, const struct lb_backend *backend, uint32_t weight)
{
	spill->all[backend->priority] += backend->weight;
	spill->in_service[backend->priority] += weight;
}

uint32_t spill_last(const struct spill *spill, uint32_t percent)
{
	uint64_t all = 0, in_service = 0;
	uint32_t last = 0;

	for (uint32_t i = 0; i < LB_PRIORITIES; i++) {
		if (!spill->all[i])
			continue;
		last = i;
		all += spill->all[i];
		in_service += spill->in_service[i];
		if (in_service && in_service * 100 >= all * percent)
			break;
	}
	return last;
}

uint32_t spill_before(const struct spill *spill, uint32_t priority)
{
	uint64_t all = 0, in_service = 0;

	for (uint32_t i = 0; i < priority; i++) {
		all += spill->all[i];
		in_service += spill->in_service[i];
	}
	return all ? in_service * 100 / all : 0;
}
