/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a backend healthy, by what the nodes of a tier see of it? */
#include "quorum.h"

uint32_t quorum_count(const struct quorum *others, enum health_status own,
		      enum health_status status)
{
	const uint64_t nodes = status == HEALTH_HEALTHY ? others->healthy : others->unhealthy;

	return (uint32_t)__builtin_popcountll(nodes) + (own == status);
}

enum health_status quorum_state(const struct quorum *others, enum health_status own)
{
	const uint32_t healthy = quorum_count(others, own, HEALTH_HEALTHY);
	const uint32_t unhealthy = quorum_count(others, own, HEALTH_UNHEALTHY);

	if (!healthy && !unhealthy)
		return HEALTH_UNKNOWN;
	return unhealthy > healthy ? HEALTH_UNHEALTHY : HEALTH_HEALTHY;
}
