/* SPDX-License-Identifier: BSD-2-Clause */
/* The routes by which a routing daemon learns what to announce: in a kernel table of their own,
 * which no rule leads packets to, and with a protocol number of their own. They are blackholes: were
 * packets led there after all, these would be dropped, and could neither loop nor be sent. */
#ifndef LB_ANNOUNCE_ROUTES_H
#define LB_ANNOUNCE_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/addr.h"

struct announce_routes;

/* What stands in the table. */
struct announce_found {
	struct lb_prefix *ours; /* with our protocol; sorted, none twice */
	size_t count, room;
	/* Routes of somebody else's, how many, and the first of them. */
	size_t others;
	struct lb_prefix other;
	uint8_t other_protocol;
	bool ruled; /* a rule leads packets to the table */
};

/* NULL: errno says why. */
struct announce_routes *announce_routes_open(uint32_t table, uint8_t protocol);
void announce_routes_close(struct announce_routes *routes);

/* Tells, by the loop, when somebody else has changed the table or rules that lead to it. Once; until
 * announce_routes_close. 0 or -errno. */
struct event_base;
int announce_routes_watch(struct announce_routes *routes, struct event_base *base,
			  void (*changed)(void *user), void *user);

/* 0, or -errno with *out empty. */
int announce_routes_find(struct announce_routes *routes, struct announce_found *out);
void announce_found_clear(struct announce_found *found);
/* 0 or -errno; -EEXIST: somebody else's route to it is there. */
int announce_routes_add(struct announce_routes *routes, const struct lb_prefix *prefix);
/* 0 or -errno; 0 too when it is not there. */
int announce_routes_remove(struct announce_routes *routes, const struct lb_prefix *prefix);
/* All of them, with a socket of its own. 0 or -errno. */
int announce_routes_withdraw(uint32_t table, uint8_t protocol);

#endif
