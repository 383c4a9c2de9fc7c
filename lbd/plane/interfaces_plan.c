/* SPDX-License-Identifier: BSD-2-Clause */
/* What has to be done when the names of lbd.json lead to other links than before? */
#include "interfaces_plan.h"

static size_t index_of(const uint32_t *links, size_t count, uint32_t link)
{
	for (size_t i = 0; link && i < count; i++)
		if (links[i] == link)
			return i;
	return INTERFACE_NONE;
}

void interfaces_plan(const uint32_t *held, const uint32_t *found, size_t count,
		     struct interfaces_plan *out)
{
	out->release_count = 0;
	for (size_t i = 0; i < count; i++) {
		out->from[i] = index_of(held, count, found[i]);
		if (held[i] && index_of(found, count, held[i]) == INTERFACE_NONE)
			out->release[out->release_count++] = held[i];
	}
}
