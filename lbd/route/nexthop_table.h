/* SPDX-License-Identifier: BSD-2-Clause */
/* Which next hops exist, under which numbers, and what stands in the shared array for each. Private
 * to nexthop.c; pure: what the kernel said goes in, array words come out.
 *
 * A hop is a neighbour with an MTU; a neighbour is an address on a link. Links are kept for as long
 * as they exist or carry a neighbour, neighbours and hops for as long as destinations use them.
 */
#ifndef LB_NEXTHOP_TABLE_H
#define LB_NEXTHOP_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "links.h"
#include "nexthop.h"
#include "nexthop_netlink.h"

struct hop_neighbour {
	struct hop_neighbour *next; /* in its bucket */
	struct link *link;
	struct netlink_neighbour is; /* as last heard */
	uint32_t hops;
	/* The MAC in `is` may be used. It outlives a re-probe, and an entry that was deleted, until
	 * the kernel says that the neighbour does not answer or that it has another one. */
	bool usable;
	bool failed; /* the kernel tried and got no answer */
	/* It answered not long before it failed. Where a flood fills the queues, answers are lost
	 * that say nothing of the neighbour, so its MAC stays in the array for a minute. Of several
	 * ways the others are preferred. */
	bool lingers;
	int64_t failed_ms; /* when it last became unusable */
	char problem[96];  /* why the kernel cannot even be asked, or "" */
	/* For nexthop.c, which asks the kernel. */
	bool due;
	int64_t not_before_ms;
};

struct hop {
	struct hop *next; /* in its bucket */
	struct hop_neighbour *neighbour;
	struct link *exit; /* the neighbour's link, or below that VLAN device the one it is on */
	uint32_t number;
	uint32_t mtu;
	uint32_t destinations;
	char told[96]; /* its problem as last told, or "" */
};

#define HOP_BUCKETS 1024u

struct hops {
	struct lb_nexthop *array;
	uint32_t array_size;
	struct hop **by_number; /* array_size pointers; NULL: free */
	/* Free numbers, the longest unused first: the program may still hold a number for a moment
	 * after it was freed. */
	uint32_t *unused;
	uint32_t unused_head, unused_count;
	struct links_table *links; /* borrowed */
	struct hop_neighbour *neighbours[HOP_BUCKETS];
	struct hop *buckets[HOP_BUCKETS];
	/* A link got its first exit or lost its last. */
	void (*egress)(void *user, uint32_t ifindex, bool in_use);
	/* Why a hop cannot be used, or that it can, is not what it was. */
	void (*state)(void *user, const struct hop *hop);
	/* A neighbour lost its last hop and is about to be freed. */
	void (*forget)(void *user, const struct hop_neighbour *neighbour);
	void *user;
};

int hops_init(struct hops *hops, struct links_table *links, struct lb_nexthop *array,
	      uint32_t array_size);
/* Frees without calling hooks, and leaves the array as it is: packets go on flowing. */
void hops_clear(struct hops *hops);

/* Clears the entries of numbers that are not in use. */
void hops_forget_left(struct hops *hops);

/* To be called for every change of a link. True when it came up: its neighbours are to be asked for
 * again. */
bool hops_link_changed(struct hops *hops, const struct link *link, const struct link *before);
/* Where frames for neighbours on the link leave, or NULL with the reason in *why. */
struct link *hops_exit(const struct hops *hops, struct link *link, const char **why);
struct hop_neighbour *hops_neighbour_find(const struct hops *hops, uint32_t ifindex,
					  const struct lb_addr *address);
/* Takes in what the kernel says of a neighbour; `gone`: it has no entry for it. A neighbour that
 * fails is asked again, and reported as failed again, every few seconds. */
void hops_neighbour_set(struct hops *hops, struct hop_neighbour *neighbour,
			const struct netlink_neighbour *is, bool gone, int64_t now_ms);
/* It cannot be asked: as one that fails, so that its last MAC ends with its time, too. */
void hops_neighbour_problem(struct hops *hops, struct hop_neighbour *neighbour, const char *problem,
			    int64_t now_ms);

/* Counted. The link has an exit. -ENOMEM, or -ENOSPC when no number is free. */
int hops_acquire(struct hops *hops, struct link *link, const struct lb_addr *gateway, uint32_t mtu,
		 struct hop **out);
void hops_release(struct hops *hops, struct hop *hop);

bool hop_is_usable(const struct hop *hop);
void hop_describe(const struct hop *hop, struct nexthop_info *info);

#endif
