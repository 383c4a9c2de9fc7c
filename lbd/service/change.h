/* SPDX-License-Identifier: BSD-2-Clause */
/* A change on its way from one document to the next: what the files share that carry it out. apply.c
 * tells the story. */
#ifndef LB_SERVICE_CHANGE_H
#define LB_SERVICE_CHANGE_H

#include "live.h"
#include "plan.h"

/* One pool of a change on its way. */
struct pool_step {
	struct plan_pool plan;
	struct live_pool next; /* what it becomes, unless removed or unchanged */
	bool prepared, published;
	uint32_t moved, ideal; /* slots */
	json_t *at_risk;       /* flows that the change ends; may be NULL */
	json_t *datagrams;     /* backends that new flows still reach for a while; may be NULL */
	json_t *waiting;       /* backends that get no new flows yet; may be NULL */
	json_t *serving;       /* those that are added and do before they are ready; may be NULL */
};

/* One VIP. */
struct step {
	struct plan_step plan;
	struct live_vip next; /* what it becomes, unless removed or unchanged */
	const struct change_move
		*move; /* it goes to another pool, and its slots go along; else NULL */
	/* Pools that it has left, by number (struct live_table), and one more which it forgets. */
	uint32_t left[TABLE_LEFT], dropped;
	bool was_moving; /* before the change (live_is_moving) */
	bool joins;      /* VIPs that are in its pool for longer: it has their slots from now on */
	bool prepared, published;
	uint32_t moved, ideal; /* slots of which it takes the flows along, or ends them */
	json_t *at_risk;       /* these flows; may be NULL */
};

/* VIPs that go together from the slots of one pool to another pool. */
struct change_move {
	struct live_table *from, *to; /* the same where no other VIP needs it */
	size_t from_pool;             /* place among those in force */
	struct pool_step *to_pool;
	uint32_t left[TABLE_LEFT];
};

struct change {
	struct service *service;
	struct lb_service *document;  /* the next one */
	struct pools pools;           /* of that */
	struct pool_step *pool_steps; /* the first are of pools.refs, in that order */
	size_t pool_step_count;
	size_t *step_of; /* by place of a pool in force: its step */
	struct change_move *moves;
	size_t move_count;
	bool settles; /* nothing differs: it ends what moves have left */
	struct step *steps;
	size_t step_count;
	const struct state_revert *revert; /* goes to disk with it; NULL: nothing */
	uint32_t backend_count;
	uint64_t *gone; /* bit n: member n leaves its pool */
};

/* What the VIP of a step is now; what the pool of a step is, NULL when it is new. */
static inline const struct live_vip *change_before(const struct change *change,
						   const struct step *step)
{
	return &change->service->live[step->plan.before_index];
}

static inline struct live_pool *change_pool_before(const struct change *change,
						   const struct pool_step *step)
{
	return step->plan.before ? &change->service->live_pools[step->plan.before_index] : NULL;
}

/* --- change.c --- */
/* Also where only some of them are made, change_free_steps has to follow. Those of VIPs, then those of
 * pools: 0 or -ENOMEM. */
int change_make_steps(struct change *change, struct lb_err *err);
int change_make_pool_steps(struct change *change, const struct pool_left *left, size_t left_count);
void change_free_steps(struct change *change);
bool change_differs(const struct change *change);
/* Its slots are touched, whether the documents differ or not. */
void change_touch(struct pool_step *step);
/* For each VIP that is added or changed. */
int change_each_step(struct change *change,
		     int (*carry_out)(struct change *change, struct step *step, struct lb_err *err),
		     struct lb_err *err);
int change_each_pool(struct change *change,
		     int (*carry_out)(struct change *change, struct pool_step *step,
				      struct lb_err *err),
		     struct lb_err *err);
/* The step of the pool of a VIP of the next document, and what that pool becomes. */
struct pool_step *change_pool_step(const struct change *change, const struct lb_vip *vip);
const struct live_pool *change_pool_after(const struct change *change, const struct lb_vip *vip);
/* Calls `each` for the members that `a` has and `b` has not. */
void change_members_not_in(struct change *change, const struct live_pool *a,
			   const struct live_pool *b,
			   void (*each)(struct change *change, uint16_t number));
/* A member that nothing leads to, and whose slots may be about to go. */
void change_drop_member(struct change *change, uint16_t number);
/* A member that packets have been led to: flows may be on record for it. */
void change_end_member(struct change *change, uint16_t number);

/* --- place.c --- */
/* A number. */
int place_take(struct change *change, struct live_vip *next, struct lb_err *err);
void place_leave(struct service *service, const struct live_vip *live);
int place_take_pool(struct change *change, struct live_pool *next, struct lb_err *err);
void place_leave_pool(struct service *service, const struct live_pool *live);
/* How many slots a pool needs. */
uint64_t place_slots(const struct pool_ref *ref);

/* --- place_table.c --- */
/* A range of slots without owners. */
int place_take_table(struct change *change, enum pool_class class, uint32_t size,
		     struct live_table **out, struct lb_err *err);
void place_leave_table(struct service *service, struct live_table *table);

/* --- make_room.c --- */
/* Takes so many slots, which are free but not in one piece: tables in force move. Nothing that packets
 * or others see is another after that, so it is not undone with the change. 0 or -errno. */
int make_room(struct change *change, uint32_t size, uint32_t *start);

/* --- prepare.c --- */
int prepare_pool(struct change *change, struct pool_step *step, struct lb_err *err);
int prepare_step(struct change *change, struct step *step, struct lb_err *err);
/* What takes longest, of data that is the change's own. */
int prepare_build(struct change *change, struct pool_step *step, struct lb_err *err);
int prepare_digest(struct change *change, struct step *step, struct lb_err *err);
/* Also for a step that was prepared by half. */
void prepare_undo_pool(struct change *change, struct pool_step *step);
void prepare_undo(struct change *change, struct step *step);
bool prepare_is_fresh(const struct live_table *table);
/* The tables of a pool that `which` says yes to; NULL: all. */
void prepare_each_table(struct service *service, const struct live_pool *live,
			bool (*which)(const struct live_table *table),
			void (*each)(struct service *service, struct live_table *table));

/* --- move.c --- */
/* Before a change that settles, in a turn: which moves are over? */
void move_look(struct service *service);
/* Once the steps of VIPs are made: those of pools, and who goes along with whom. */
int move_plan(struct change *change, struct lb_err *err);
/* The tables that the pool keeps, and those that VIPs bring along. */
int move_tables(struct change *change, const struct pool_step *step, struct live_pool *next,
		struct lb_err *err);
/* Once all pools have their tables. */
int move_swept(struct change *change, struct lb_err *err);
/* Of a change that settles: slots may still be given up. */
int move_check(const struct change *change, struct lb_err *err);
/* How many slots move. */
void move_assess(const struct change *change, struct step *step);
void move_lead(struct change *change);
/* Once slots are led: before VIPs have those of a table of another size. */
void move_join(struct change *change);
/* What VIPs have left, when entries are what they will be. */
void move_end(struct change *change, const struct live_vip *vips);
/* What is in force has moves that have begun, or are over. */
void move_tell(const struct change *change);

/* --- assess.c: once all tables are made --- */
int assess_pool(struct change *change, struct pool_step *step, struct lb_err *err);
/* VIPs that go, and VIPs that take packets from others. */
int assess_vips(struct change *change, struct lb_err *err);

/* --- outcome.c --- */
int outcome_check(const struct change *change, const struct apply_options *options,
		  struct lb_err *err);
/* The CHANGE object of docs/protocol.md; NULL without memory. */
json_t *outcome_json(const struct change *change);

/* --- publish.c: only once it is known that the change may be made --- */
/* The ways to new backends are followed, and those that must wait held back. */
int publish_follow(struct change *change, struct pool_step *step, struct lb_err *err);
int publish_hold(struct change *change, struct pool_step *step, struct lb_err *err);
/* What these two would come to; nothing is followed, and the step is of no other use then. */
int publish_foretell(struct change *change, struct pool_step *step, struct lb_err *err);
/* The tables that a pool has not had yet. */
int publish_pool(struct change *change, struct pool_step *step, struct lb_err *err);
int publish_step(struct change *change, struct step *step, struct lb_err *err);
void publish_undo(struct service *service, const struct step *step);
/* Nothing leads to the table any more. */
void publish_withdraw_table(struct service *service, struct live_table *table);

/* --- commit.c --- */
/* Room for every VIP and every pool of the next document. */
struct change_live {
	struct live_vip *vips;
	struct live_pool *pools;
};

void commit_change(struct change *change, struct change_live live, uint64_t digest);

/* --- apply.c --- */
enum apply_mode { APPLY, APPLY_DRY, APPLY_RESTORE, APPLY_SETTLE };
int apply(struct service *service, struct lb_service *next, enum apply_mode mode,
	  const struct apply_options *options, const struct state_revert *revert, json_t **reply,
	  struct lb_err *err);

#endif
