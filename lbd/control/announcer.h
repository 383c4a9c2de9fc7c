/* SPDX-License-Identifier: BSD-2-Clause */
/* Brings the routes of the kernel's table to what is wanted, and knows of each how it stands. */
#ifndef LB_ANNOUNCER_H
#define LB_ANNOUNCER_H

#include "../route/announce_routes.h"
#include "../service/announce_plan.h"

struct announcer_route {
	struct announce_want want;
	bool there; /* the table has it */
	int error;  /* why it has not, or has it still: -errno of the last attempt */
};

struct announcer {
	struct announce_routes *table;
	struct announce_found found;    /* as of when it was read last, with what was done since */
	bool known;                     /* it was read, and nothing has failed since */
	struct announcer_route *routes; /* of VIPs, sorted by prefix */
	size_t count;
	int fault;  /* the table could not be read: -errno */
	int failed; /* the first step of the last pass that failed: -errno */
	struct announce_step failed_step;
};

/* Of one step that was made. Called with the turn. */
typedef void (*announcer_told)(void *user, const struct announcer_route *route,
			       const struct lb_prefix *prefix, bool added);

/* Wants are merged, and the announcer's from now on. With `read` the table is read first; so it is
 * when that is not known. Yields, and works out of turn: one at a time. */
void announcer_follow(struct announcer *announcer, struct announce_want *wants, size_t count,
		      bool read, announcer_told told, void *user);
void announcer_clear(struct announcer *announcer);
size_t announcer_there(const struct announcer *announcer); /* how many routes the table has */

#endif
