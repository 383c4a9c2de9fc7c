/* SPDX-License-Identifier: BSD-2-Clause */
/* Which routes should the network learn from this node? Pure: what each VIP wishes, and what is
 * there, go in; what to add and to remove comes out.
 *
 * A route is of all VIPs of one address, or of one prefix, since the network knows no ports. It is
 * announced while one of them wishes so: a VIP without healthy backends must not take the others of
 * its address off every node. */
#ifndef LB_SERVICE_ANNOUNCE_PLAN_H
#define LB_SERVICE_ANNOUNCE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/addr.h"

/* In the order in which those of several VIPs prevail. */
enum announce_wish {
	ANNOUNCE_NO,
	ANNOUNCE_KEEP, /* too little is known: as it is */
	ANNOUNCE_YES,
};

/* Of the backends that may take new flows (a weight, and no drain), and how many the VIP asks for. */
struct announce_health {
	uint32_t all, healthy, unhealthy;
	uint32_t needed;
};

struct announce_want {
	struct lb_prefix prefix;
	enum announce_wish wish;
	struct announce_health health; /* of the VIP that decides */
};

struct announce_step {
	struct lb_prefix prefix;
	size_t want; /* its place; ANNOUNCE_NOBODY: no VIP has it */
	bool add;
};
#define ANNOUNCE_NOBODY SIZE_MAX

/* `least` backends, and `percent` of all; both 0: whatever their health is. */
uint32_t announce_needed(uint32_t all, uint32_t least, uint32_t percent);
enum announce_wish announce_wish(const struct announce_health *health);

/* Sorts them by prefix, and leaves one of each; how many there are then. */
size_t announce_merge(struct announce_want *wants, size_t count);
/* The steps from what is `found` (sorted) to what is wanted (merged); removals come first. There is
 * room for want_count + found_count in `steps`; how many they are. */
size_t announce_plan(const struct announce_want *wants, size_t want_count,
		     const struct lb_prefix *found, size_t found_count,
		     struct announce_step *steps);

#endif
