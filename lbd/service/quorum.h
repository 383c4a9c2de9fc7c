/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a backend healthy, by what the nodes of a tier see of it? Pure.
 *
 * It is unhealthy where more than half of the nodes that have a view of it see it so, else healthy.
 * So a tie counts as healthy: a backend that one of two nodes reaches is alive, and what is broken is
 * on the way of the other. Nothing but the views of now matters, so nodes with the same views come to
 * the same result, whatever each of them missed before. */
#ifndef LB_QUORUM_H
#define LB_QUORUM_H

#include <stdint.h>
#include "../health/state.h"

#define QUORUM_OTHERS_MAX 63 /* nodes beside this one */

/* The views of the others: bit n is that of node n. */
struct quorum {
	uint64_t healthy, unhealthy;
};

/* `own` is UNKNOWN where this node has no view; the result is, where nobody has one. */
enum health_status quorum_state(const struct quorum *others, enum health_status own);
/* How many see it so, this node counted. */
uint32_t quorum_count(const struct quorum *others, enum health_status own,
		      enum health_status status);

#endif
