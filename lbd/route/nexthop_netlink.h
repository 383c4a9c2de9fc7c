/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes and neighbours as the kernel tells them over rtnetlink. Private to nexthop.c; keeps
 * no state of its own but the sockets. Each call is one request (netlink_request.h). */
#ifndef LB_NEXTHOP_NETLINK_H
#define LB_NEXTHOP_NETLINK_H

#include <stdbool.h>
#include <stdint.h>
#include "../api/addr.h"
#include "../api/err.h"

struct event_base;
struct netlink;

struct netlink_route {
	uint8_t type; /* RTN_* */
	bool encap;   /* leads into a tunnel of the route's own (RTA_ENCAP) */
	uint32_t ifindex;
	struct lb_addr gateway; /* family 0: on-link */
	struct lb_addr source;  /* family 0: none */
	uint32_t mtu;           /* configured on the route; 0: none */
};

/* One of the equal ways of a route (ECMP). */
struct netlink_path {
	uint32_t ifindex;
	struct lb_addr gateway; /* family 0: on-link */
	uint32_t weight;        /* 1 … 256 */
};

#define NETLINK_PATHS_MAX 64

struct netlink_paths {
	struct netlink_path path[NETLINK_PATHS_MAX];
	size_t count;
};

struct netlink_neighbour {
	uint32_t ifindex;
	struct lb_addr address;
	uint16_t state; /* NUD_* */
	bool has_mac;
	uint8_t mac[6];
	bool managed; /* the kernel keeps it resolved (NTF_EXT_MANAGED) */
	bool ours;    /* carries our originator number */
};

/* Called from the event loop. `routes`: anything that may lead to other answers of
 * netlink_route_get (routes, rules, addresses, next hop objects). `lost`: messages were lost,
 * nothing that was heard so far can be relied on. */
struct netlink_events {
	void (*neighbour)(void *user, const struct netlink_neighbour *neighbour, bool gone);
	void (*routes)(void *user);
	void (*lost)(void *user);
	void *user;
};

/* Without a base, for requests only: no events. */
int netlink_open(struct event_base *base, const struct netlink_events *events, struct netlink **out,
		 struct lb_err *err);
void netlink_close(struct netlink *netlink);

/* The kernel's refusal is returned as its -errno: -ENETUNREACH, -EHOSTUNREACH, -EACCES (prohibit),
 * -EINVAL (blackhole). Of several equal ways the kernel tells the one that it would take; with an
 * interface (0: any), one by that. */
int netlink_route_get(struct netlink *netlink, const struct lb_addr *destination, uint32_t ifindex,
		      struct netlink_route *out);
/* All ways of the route, in the order of the kernel, without those that it holds for dead and those
 * that lead into a tunnel of their own; none where the route has but one way. Of a route that names
 * a nexthop group they are known unless net.ipv4.nexthop_compat_mode is 0. */
int netlink_route_paths(struct netlink *netlink, const struct lb_addr *destination,
			struct netlink_paths *out);

/* Calls `each` for every neighbour entry there is. It must not make requests. */
int netlink_neighbours(struct netlink *netlink,
		       void (*each)(void *user, const struct netlink_neighbour *neighbour),
		       void *user);
/* -ENOENT: there is no such neighbour entry. */
int netlink_neighbour_get(struct netlink *netlink, uint32_t ifindex, const struct lb_addr *address,
			  struct netlink_neighbour *out);
/* Has the kernel resolve the neighbour, and keep it so if `managed`. With `fresh` an entry that
 * exists by now is left alone: -EEXIST. Without, it must not be a permanent one: the kernel would
 * make it an ordinary one. */
int netlink_neighbour_ask(struct netlink *netlink, uint32_t ifindex, const struct lb_addr *address,
			  bool managed, bool fresh);
/* Takes our flag off an entry: a resolved one stays as an ordinary one, another is deleted. */
int netlink_neighbour_release(struct netlink *netlink, const struct netlink_neighbour *neighbour);

/* What the kernel said about the last failure, "" when it gave no words. */
const char *netlink_reason(const struct netlink *netlink);

#endif
