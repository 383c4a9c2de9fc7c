/* SPDX-License-Identifier: BSD-2-Clause */
/* Members in the data plane: their numbers, their entries, and the next hops that these name. */
#ifndef LB_MEMBERS_H
#define LB_MEMBERS_H

#include <jansson.h>
#include <stdint.h>
#include "../api/addr.h"
#include "../api/err.h"
#include "../host/config.h"
#include "plane.h"
#include "quic_ids.h"
#include "../route/nexthop.h"
#include "../route/pmtu_judge.h"

struct event_base;
struct events;
struct links_table;
struct members;

/* `plane` and `config` stay the caller's. `events`: told of next hops that become resolved or unresolved; may be NULL. */
int members_open(const struct config *config, const struct plane *plane, struct event_base *base,
		 struct links_table *links, struct events *events, struct members **out,
		 struct lb_err *err);
void members_close(struct members *members);

/* Room for numbers: beyond limits.members, since a change adds before it removes. */
uint32_t members_capacity(const struct config *config);

/* Takes a number, and nothing else: no packet is sent and no entry touched. What came of it goes
 * by members_retire and members_free_number, whether it was added or not. */
int members_take(struct members *members, uint16_t *number, struct lb_err *err);
/* Fills the entry of a number that was taken and follows the way to `address`, which has the kernel
 * ask for its neighbour. Nothing leads to the number yet. */
int members_add(struct members *members, uint16_t number, const struct lb_addr *address,
		uint32_t pool, struct lb_err *err);
/* The same of a number that only lbd's own packets name, for a while: no client's packet comes to it,
 * and an lbd that starts drops it. */
int members_add_own(struct members *members, uint16_t number, const struct lb_addr *address,
		    struct lb_err *err);
/* What an earlier lbd has left: calls `each` for every entry in use. Each must then be adopted (the
 * way to it is followed from now on) or dropped. */
void members_each_left(struct members *members,
		       void (*each)(void *user, uint16_t number, uint32_t pool,
				    const struct lb_addr *address),
		       void *user);
void members_drop_left(struct members *members, uint16_t number);
int members_adopt(struct members *members, uint16_t number, struct lb_err *err);
/* When all are: each has the server ids that lead to it; others are taken out. */
void members_adopt_quic_ids(struct members *members);
/* After all that: next hops of an earlier lbd that nothing leads to any more are ended. */
void members_adopted(struct members *members);

/* What a router has said of the way to a backend: judged (pmtu_judge.h), and followed or not. */
void members_path_mtu(struct members *members, const struct pmtu_news *news);
/* For so long it is known that an IP packet of so many bytes arrives at the member's backend (0: it
 * is not known any more); `tunnel`: inside the outer header. What says less is not believed then. */
void members_arrived(struct members *members, uint16_t number, uint32_t bytes, bool tunnel,
		     uint32_t for_ms);

/* Whether the member takes new flows, and keeps its old ones. */
void members_set_takes(struct members *members, uint16_t number, bool takes_new, bool keeps_old);
uint32_t members_flags(const struct members *members, uint16_t number); /* LB_MEMBER_* */
/* From now on it counts as older than the data plane, for every lbd. */
void members_set_older(struct members *members, uint16_t number);
/* The number of the pool that it belongs to. */
uint32_t members_pool(const struct members *members, uint16_t number);
/* Packets whose QUIC connection id has this server id go to the member, from now on; length 0: none do.
 * Of several members of one pool the last has it. */
void members_set_quic_id(struct members *members, uint16_t number,
			 const struct lb_quic_server_id *id);
/* Whether packets to it travel in GUE, and of which family (4, 6; 0: both) they are. At once: both ways
 * reach a backend that takes both. */
void members_set_encap(struct members *members, uint16_t number, bool gue, uint8_t family);
/* Whether its backend passes on what it has no connection for, and whether its check fails (bpf/chance.h). */
void members_set_chance(struct members *members, uint16_t number, bool chain, bool sick);
/* Whether packets can be sent to it: its next hop is known. */
/* How large a client's packet to the member may be: the MTU of its first path less the outer
 * header; 0 when that is not known. */
uint32_t members_inner_mtu(const struct members *members, uint16_t number);
bool members_reachable(const struct members *members, uint16_t number);
/* `reached` is called whenever that may have become true of some member; it must not call back into
 * this module. */
void members_on_reached(struct members *members, void (*reached)(void *user), void *user);
/* Why packets cannot be sent to it, in plain words; "" when they can. Returns `out`. */
#define MEMBERS_PROBLEM_TEXT 160
const char *members_problem(const struct members *members, uint16_t number,
			    char out[MEMBERS_PROBLEM_TEXT]);
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
