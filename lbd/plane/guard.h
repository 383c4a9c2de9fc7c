/* SPDX-License-Identifier: BSD-2-Clause */
/* How does the program with the guard (bpf/guard.h) come into the balancer's place, with maps of its own?
 *
 * It is loaded when a rule needs it first, and stands at interfaces until no rule does. It shares the maps of
 * the balancer, and is put there in one step: each packet meets the one or the other. Its own maps (named
 * "guard_…") come and go with it.
 *
 * A larger one, with more room for lists, is loaded beside the one that stands, filled, and takes its place. What
 * it has in common with it, in maps of the same size, it takes over; maps of lists it has of its own. */
#ifndef LB_PLANE_GUARD_H
#define LB_PLANE_GUARD_H

#include "datapath.h"
#include "guard_flat.h"

struct guard;

/* Who needs it; each is named by those of its own. */
enum guard_user { GUARD_LISTS, GUARD_SYN, GUARD_RATES };

/* How much the maps hold; 0: nothing of that kind. */
struct guard_sizes {
	struct guard_needs lists;
};

/* The memory that packets use, of the one that was loaded last. */
struct guard_maps {
	struct lb_guard_vip *vips; /* by VIP number; empty at first */
	uint32_t vip_count;
	struct lb_guard_secret *secret; /* without keys at first */
	struct lb_rates *rates;         /* by VIP number; empty at first */
	struct guard_memory lists;      /* all 0 in one that was loaded just now */
};

/* Has one in place, for this user. Loads it where none is there, which takes as long as at lbd's start, beside the
 * loop. 0, or LB_ERR_SYSTEM. */
int datapath_guard_use(struct datapath *datapath, enum guard_user user, struct lb_err *err);
/* The user needs it no more. After the last one the balancer is back at every interface. */
void datapath_guard_drop(struct datapath *datapath, enum guard_user user);

/* In two steps, for who fills maps in between: loads one of these sizes beside what stands; then that comes in
 * its place, and the one before is gone, with its maps. datapath_guard_load again, or datapath_guard_forget,
 * takes back what was loaded. */
int datapath_guard_load(struct datapath *datapath, const struct guard_sizes *sizes,
			struct lb_err *err);
int datapath_guard_enter(struct datapath *datapath, enum guard_user user, struct lb_err *err);
void datapath_guard_forget(struct datapath *datapath);

/* Of one list; since the guard came. 0 or -errno. */
int datapath_guard_hits(struct datapath *datapath, uint32_t list, struct lb_guard_hits *out);
/* A new list has this number. */
int datapath_guard_hits_reset(struct datapath *datapath, uint32_t list);

/* Of the one that is loaded and not yet in place, else of the one that stands; no vips: there is none. */
struct guard_maps datapath_guard_maps(const struct datapath *datapath);
struct lb_guard_vip *
datapath_guard_vips(struct datapath *datapath); /* the same; NULL: there is none */

#endif
