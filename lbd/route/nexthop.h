/* SPDX-License-Identifier: BSD-2-Clause */
/* Next hops: how to reach each backend, kept up to date from the kernel's routes, neighbours and
 * links over netlink.
 *
 * One `struct nexthops` follows any number of destinations (outer addresses of backends). For each
 * it asks the kernel's route (RTM_GETROUTE), then keeps the neighbour (the gateway, or the
 * destination when it is on-link) resolved: NTF_EXT_MANAGED where the kernel knows it (5.16 and
 * later), else by re-probing. Destinations behind the same (interface, gateway) share one next hop
 * number. Changes of routes, neighbours, addresses and links are followed by multicast groups; a
 * lost message (ENOBUFS) leads to a full re-read.
 */
#ifndef LB_NEXTHOP_H
#define LB_NEXTHOP_H

#include <stdint.h>
#include <stdbool.h>
#include <net/if.h>
#include <sys/queue.h>
#include "../../bpf/abi.h"
#include "../api/addr.h"
#include "../api/err.h"
#include "pmtu_judge.h"

struct event_base;
struct links_table;
struct nexthops;
struct nexthop_info;

#define NEXTHOP_REASON 96 /* bytes of a text that says why */

/* What became known about a destination. */
struct nexthop_route {
	/* Index in the next hop array, of the first way where there are several;
	 * LB_NEXTHOP_UNRESOLVED when there is no route. */
	uint32_t number;
	/* What stands in a member's paths: number throughout where there is one way. Of several
	 * equal ways (ECMP) each has paths in proportion to its weight; one that is not resolved
	 * has none as long as another is. Of more than LB_MEMBER_PATHS ways the first are used, by
	 * interface index and gateway. */
	uint16_t path[LB_MEMBER_PATHS];
	uint16_t way[LB_MEMBER_PATHS]; /* the number of each way, with a path or not */
	uint32_t ways;
	uint32_t left_out; /* ways beyond those */
	/* The kernel's choice of source address towards it, by its first way; family 0: none. */
	struct lb_addr source;
};

/* A backend's address that is watched: the way there, and who has it. */
struct destination {
	struct lb_addr address;
	struct nexthop_route route;
	char reason[NEXTHOP_REASON]; /* why it has no route ("network is unreachable", …) */
	/* Kept for plane/members.c. */
	LIST_HEAD(, place) places; /* of the members with this address */
	struct pmtu_trust trust;
	bool unroutable; /* as was told last */
	/* Private to nexthop.c. */
	LIST_ENTRY(destination) in_bucket, entry;
	uint32_t watchers;
	struct ways {
		struct hop *hop[LB_MEMBER_PATHS];
		uint32_t weight[LB_MEMBER_PATHS];
		size_t count; /* 0: unroutable */
		uint32_t left_out;
	} ways;                /* the equal ways there, mostly one */
	uint32_t last_ifindex; /* of its last route, 0 before the first */
	uint32_t path_mtu;     /* what a router has said; 0: nothing */
	int64_t path_mtu_until_ms;
};

/* Called from the event loop whenever a destination's route changed (paths or source), and once
 * from the nexthops_watch that makes it. `user` is nexthops_new's. It may watch and unwatch. */
typedef void (*nexthops_changed)(void *user, struct destination *destination);

struct nexthops_options {
	struct links_table *links;
	struct lb_nexthop *array; /* mmapped; this module is its only writer */
	uint32_t array_size;
	nexthops_changed changed;
	/* An interface begins (true) or ceases (false) to be the egress of some next hop. May be
	 * NULL; must not call back into this module. */
	void (*egress)(void *user, uint32_t ifindex, bool in_use);
	/* A next hop became resolved or unresolved, or is unresolved for another reason. Not called
	 * for what a new one begins with. May be NULL; must not call back into this module. */
	void (*state)(void *user, const struct nexthop_info *info);
	void *user;
};

/* Opens netlink in the calling thread's network namespace and joins `base`. */
struct nexthops *nexthops_new(struct event_base *base, const struct nexthops_options *options,
			      struct lb_err *err);
/* Calls nothing back and leaves the array as it stands: packets may still flow. Takes our flags off
 * the kernel's neighbour entries. */
void nexthops_free(struct nexthops *nexthops);

/* Ends what an earlier run has left and no watch has taken over: in the array, where until then it
 * stays as it was and its numbers are used last, and among the kernel's neighbour entries. */
void nexthops_forget_left(struct nexthops *nexthops);
/* Without any of this: all of those neighbour entries. */
int nexthops_detach(struct lb_err *err);

/* Counted: watching a destination twice needs unwatching twice. -ENOMEM or -ENOSPC (array full)
 * otherwise 0: a destination without a route is not an error, it is unresolved and followed. */
int nexthops_watch(struct nexthops *nexthops, const struct lb_addr *address,
		   struct destination **out, struct lb_err *err);
void nexthops_unwatch(struct nexthops *nexthops, struct destination *destination);
/* NULL when it is not watched. */
struct destination *nexthops_find(const struct nexthops *nexthops, const struct lb_addr *address);

/* A router says that the way to a destination takes no more than `mtu`. Believed for ten
 * minutes (RFC 1191 section 6.3) where that is less than what the route allows. */
void nexthops_path_mtu(struct nexthops *nexthops, struct destination *destination, uint32_t mtu);

/* For status: every next hop in use, in order of number. */
struct nexthop_info {
	uint32_t number;
	char interface[IF_NAMESIZE]; /* of the route; may be a VLAN device */
	uint32_t ifindex;
	char egress[IF_NAMESIZE]; /* where frames leave: below a VLAN device, else the same */
	uint32_t egress_ifindex;
	uint16_t vlan;          /* the tag that they get; 0: none */
	struct lb_addr gateway; /* whose MAC it is */
	uint8_t dst_mac[6], src_mac[6];
	uint32_t mtu;
	bool resolved;
	char reason
		[NEXTHOP_REASON]; /* when not resolved: "neighbour does not answer", "link is down", … */
	uint32_t destinations;
};
void nexthops_each(const struct nexthops *nexthops,
		   void (*each)(void *user, const struct nexthop_info *info), void *user);
/* The next hop of a number; false for LB_NEXTHOP_UNRESOLVED and numbers not in use. */
bool nexthops_get(const struct nexthops *nexthops, uint32_t number, struct nexthop_info *out);
/* Destinations without a route. */
void nexthops_each_unroutable(const struct nexthops *nexthops,
			      void (*each)(void *user, const struct destination *destination),
			      void *user);

#endif
