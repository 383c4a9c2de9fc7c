/* SPDX-License-Identifier: BSD-2-Clause */
/* Which links (network interfaces) does this network namespace have, and when does that change?
 * The only place that lists them. */
#ifndef LB_LINKS_H
#define LB_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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

/* --- changes --- */

struct links_watch;

struct links_watch_options {
	/* A link was deleted, or moved to another network namespace. May be NULL. */
	void (*gone)(void *user, uint32_t ifindex);
	/* Links have changed in some way; comes after `gone`, and once for many changes. */
	void (*changed)(void *user);
	void *user;
};

/* Calls from the event loop. Notifications that were lost count as a change. */
int links_watch_open(struct event_base *base, const struct links_watch_options *options,
		     struct links_watch **out);
void links_watch_close(struct links_watch *watch);

#endif
