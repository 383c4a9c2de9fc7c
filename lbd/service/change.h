/* SPDX-License-Identifier: BSD-2-Clause */
/* A change on its way from one document to the next: what the files share that carry it out. apply.c
 * tells the story. */
#ifndef LB_SERVICE_CHANGE_H
#define LB_SERVICE_CHANGE_H

#include "live.h"
#include "plan.h"

/* One VIP of a change on its way. */
struct step {
	struct plan_step plan;
	struct live_vip next; /* what it becomes, unless removed or unchanged */
	bool prepared, published;
	uint32_t moved, ideal; /* slots */
	json_t *at_risk;       /* flows that the change ends */
	json_t *datagrams;     /* backends that new flows still reach for a while; may be NULL */
	json_t *waiting;       /* backends that get no new flows yet; may be NULL */
};

struct change {
	struct service *service;
	struct lb_service *document; /* the next one */
	struct step *steps;
	size_t step_count;
	const struct state_revert *revert; /* goes to disk with it; NULL: nothing */
	uint32_t backend_count;
	uint64_t *gone; /* bit n: member n leaves the VIP of the step under way */
};

/* What the VIP of a step is now. */
static inline const struct live_vip *change_before(const struct change *change,
						   const struct step *step)
{
	return &change->service->live[step->plan.before_index];
}

/* --- change.c --- */
int change_make_steps(struct change *change, struct lb_err *err);
void change_free_steps(struct change *change);
bool change_differs(const struct change *change);
/* For each VIP that is added or changed. */
int change_each_step(struct change *change,
		     int (*carry_out)(struct change *change, struct step *step, struct lb_err *err),
		     struct lb_err *err);
/* What a VIP of the next document becomes. */
const struct live_vip *change_after(const struct change *change, const struct lb_vip *vip);
/* Calls `each` for the members that `a` has and `b` has not. */
void change_members_not_in(struct change *change, const struct live_vip *a,
			   const struct live_vip *b,
			   void (*each)(struct change *change, uint16_t number));
/* A member that nothing leads to, and whose slots may be about to go. */
void change_drop_member(struct change *change, uint16_t number);
/* A member that packets have been led to: flows may be on record for it. */
void change_end_member(struct change *change, uint16_t number);

/* --- place.c --- */
/* A number, and a range of slots without owners. */
int place_take(struct change *change, const struct lb_vip *vip, struct live_vip *next,
	       struct lb_err *err);
void place_leave(struct service *service, const struct live_vip *live);

/* --- prepare.c --- */
bool prepare_same_for_good(const struct lb_vip *a, const struct lb_vip *b);
int prepare_step(struct change *change, struct step *step, struct lb_err *err);
/* What takes longest, of data that is the change's own. */
int prepare_build(struct change *change, struct step *step, struct lb_err *err);
/* Also for a step that was prepared by half. */
void prepare_undo(struct change *change, struct step *step);

/* --- assess.c: once all tables are made --- */
int assess_step(struct change *change, struct step *step, struct lb_err *err);
/* VIPs that go, and VIPs that take packets from others. */
int assess_rest(struct change *change, struct lb_err *err);

/* --- outcome.c --- */
int outcome_check(const struct change *change, const struct apply_options *options,
		  struct lb_err *err);
/* The CHANGE object of docs/protocol.md; NULL without memory. */
json_t *outcome_json(const struct change *change);

/* --- publish.c: only once it is known that the change may be made --- */
/* The ways to new backends are followed, and those that must wait held back. */
int publish_follow(struct change *change, struct step *step, struct lb_err *err);
int publish_hold(struct change *change, struct step *step, struct lb_err *err);
int publish_step(struct change *change, struct step *step, struct lb_err *err);
void publish_undo(struct service *service, const struct step *step);
/* Takes a VIP out of the data plane. */
void publish_withdraw(struct service *service, const struct lb_vip *vip,
		      const struct live_vip *live, const struct lb_service *remaining);

/* --- commit.c --- */
/* `live` has room for every VIP of the next document. */
void commit_change(struct change *change, struct live_vip *live, uint64_t digest);

/* --- apply.c --- */
enum apply_mode { APPLY, APPLY_DRY, APPLY_RESTORE };
int apply(struct service *service, struct lb_service *next, enum apply_mode mode,
	  const struct apply_options *options, const struct state_revert *revert, json_t **reply,
	  struct lb_err *err);

#endif
