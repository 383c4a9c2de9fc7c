/* SPDX-License-Identifier: BSD-2-Clause */
/* Which links (network interfaces) does this network namespace have, and when does that change?
 * The only place that lists them. */
#ifndef LB_LINKS_H
#define LB_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "../api/err.h"

struct event_base;
struct nlmsghdr;

struct link_info {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t xdp_program; /* id of the attached program, 0: none */
	bool ethernet;        /* has Ethernet addresses; lo, tunnels and the like have not */
	bool enabled;         /* administratively up */
	bool up;              /* enabled, and has a carrier */
	bool loopback;
	bool is_bond;
	/* A VLAN device: the link below it, and the tag that frames get there. */
	bool is_vlan;
	bool lower_elsewhere; /* the link below is in another network namespace */
	uint32_t lower;
	uint16_t vlan;
	uint16_t vlan_protocol; /* wire order */
	uint32_t master;        /* the bond, bridge, … that it is a port of; 0: none */
};

struct links {
	struct link_info *link;
	size_t count;
};

/* The links as they were at one moment. -EINTR when they changed during each of LINKS_TRIES
 * attempts; on any error the list is empty. links_clear frees it. */
#define LINKS_TRIES 32
int links_read(struct links *out);
void links_clear(struct links *links);
/* Whether a link is a bond without ports. */
bool links_is_empty_bond(const struct links *links, uint32_t ifindex);

/* False for a message that does not describe a link: bridges announce their ports under family
 * AF_BRIDGE, and a port that leaves its bridge as "deleted". */
bool link_parse(const struct nlmsghdr *message, struct link_info *out);

/* --- reading, apart from the socket --- */

struct links_source {
	/* Requests a dump. 0 or -errno. */
	int (*request)(void *user, uint32_t sequence);
	/* The next datagram: its length, 0 for one to skip, or -errno. */
	ssize_t (*receive)(void *user, char *buffer);
	void *user;
};

int links_read_from(const struct links_source *source, struct links *out);

/* --- the table of an lbd that runs --- */

struct links_table;

struct link {
	struct link *next;
	struct link_info is;
	bool present;       /* false once deleted, or moved to another network namespace */
	bool listed;        /* seen by the listing under way */
	bool tunnel_checks; /* their program stands there (health/tunnels.c) */
	uint32_t hops;      /* next hops whose neighbour is on it (nexthop_table.c) */
	uint32_t
		exits; /* next hops that frames leave to by it: its own, those of VLAN devices on it */
};

struct links_subscriber {
	/* Something changed that routes or frames depend on. `before` has the index 0 where the
	 * link was not known. May be NULL. */
	void (*changed)(void *user, struct link *link, const struct link *before);
	/* Once for many changes, after them. May be NULL. */
	void (*settled)(void *user);
	void *user;
	LIST_ENTRY(links_subscriber) entry;
};

/* Lists the links, and follows them from the event loop. Without a base: an empty table, for
 * tests. -EINVAL and err. */
int links_open(struct event_base *base, struct links_table **out, struct lb_err *err);
void links_close(struct links_table *table);
void links_subscribe(struct links_table *table, struct links_subscriber *subscriber);
void links_unsubscribe(struct links_subscriber *subscriber);

/* NULL when it is not known. A link is kept for as long as it exists or a next hop needs it. */
struct link *links_find(const struct links_table *table, uint32_t ifindex);
struct link *links_first(const struct links_table *table);
/* After hops or exits have become fewer. */
void links_free_unused(struct links_table *table, struct link *link);
/* What the kernel says of a link. 0 or -ENOMEM: then it is not known until it is announced again. */
int links_note(struct links_table *table, const struct link_info *is, bool gone);

#endif
