/* SPDX-License-Identifier: BSD-2-Clause */
/* Members in the data plane: their numbers, their entries, and the next hops that these name. */
#ifndef LB_MEMBERS_H
#define LB_MEMBERS_H

#include <jansson.h>
#include <stdint.h>
#include "api/addr.h"
#include "api/err.h"
#include "config.h"
#include "datapath.h"
#include "nexthop.h"

struct event_base;
struct members;

int members_open(const struct config *config, struct datapath *datapath, struct event_base *base,
		 struct members **out, struct lb_err *err);
void members_close(struct members *members);

/* Room for numbers: beyond limits.members, since a change adds before it removes. */
uint32_t members_capacity(const struct config *config);

/* Takes a number, fills its entry and follows the way to `address`. Nothing leads to the number
 * yet. */
int members_add(struct members *members, const struct lb_addr *address, uint32_t vip,
		uint16_t *number, struct lb_err *err);
/* Whether the member takes new flows; old ones it always does. */
void members_set_new(struct members *members, uint16_t number, bool takes_new);
/* Ends a member: packets on record as its flows no longer reach it. No slot may name it any more;
 * flow words may, so that its number stays taken until members_free_number. */
void members_retire(struct members *members, uint16_t number);
void members_free_number(struct members *members, uint16_t number);

/* BACKEND-STATE.next_hop, status.next_hops and status.unroutable of docs/protocol.md; new
 * references. */
json_t *members_next_hop(const struct members *members, uint16_t number);
json_t *members_next_hops(const struct members *members);
json_t *members_unroutable(const struct members *members);

#endif
