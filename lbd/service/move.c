/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a VIP go from one pool to another, and keep its flows?
 *
 * Its slots go along: each leads to the new pool's owner from now on, and the old pool's owner is the
 * one before it, so that it is MOVING like a slot of any other change. So VIPs that go together have
 * slots of their own until these have settled. They are those that the VIPs had, if no other VIP
 * needs them, else a copy. A pool that VIPs have left stays in the data plane until no flow of
 * theirs can be on record there, even when it is gone from the document. Then they have the slots of
 * the new pool (APPLY_SETTLE). Where its table has another size, their flows are put on record first
 * (plane/slots_resize.c).
 */
#include "change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../host/events.h"

/* --- which pools a VIP has left --- */

static bool stays(const struct pool_ref *ref, const struct lb_vip *after)
{
	return ref->own ? !after->pool->named && !lb_endpoint_compare(&ref->of, &after->endpoint)
			: after->pool->named && !strcmp(ref->pool->name, after->pool->name);
}

static const struct pool_ref *ref_before(const struct change *change, const struct step *step)
{
	return &change->service->pools.refs[change_before(change, step)->pool];
}

static bool is_leaving(const struct change *change, const struct step *step)
{
	return step->plan.before && step->plan.after &&
	       !stays(ref_before(change, step), step->plan.after);
}

/* The slots have another size than those of the pool that they are in. */
static bool differs(const struct live_table *table, const struct lb_vip *vip)
{
	return table->slots.size != vip->pool->table_size;
}

/* Tags of records depend on the size, but by 5-tuple (lb_hash_tag_within). */
static bool may_go_along(const struct change *change, const struct step *step)
{
	const struct lb_vip *after = step->plan.after;

	return is_leaving(change, step) && step->plan.before->hash == after->hash &&
	       (after->hash == LB_HASH_5TUPLE ||
		!differs(change_before(change, step)->table, after));
}

/* One that is gone stays only for VIPs whose slots lead to it. */
static void add_left(const struct change *change, struct step *step, uint32_t number)
{
	size_t place, n = 0;

	if (!live_find_pool(change->service, number, &place) ||
	    stays(&change->service->pools.refs[place], step->plan.after))
		return;
	if (!pools_find(change->document, &change->service->pools.refs[place]) &&
	    is_leaving(change, step) && !may_go_along(change, step))
		return;
	while (n < TABLE_LEFT && step->left[n] != LIVE_NO_POOL && step->left[n] != number)
		n++;
	if (n < TABLE_LEFT)
		step->left[n] = number;
	else
		step->dropped = number;
}

static void find_left(const struct change *change, struct step *step)
{
	const struct live_table *table = change_before(change, step)->table;

	if (is_leaving(change, step))
		add_left(change, step,
			 change->service->live_pools[change_before(change, step)->pool].number);
	for (int i = 0; i < TABLE_LEFT && !(change->settles && table->clear); i++)
		add_left(change, step, table->left[i]);
}

/* Which VIPs have left which pools, by the next document; to be freed. NULL without memory. */
static struct pool_left *list_left(struct change *change, size_t *count)
{
	struct pool_left *left = calloc(TABLE_LEFT * change->step_count + 1, sizeof(*left));
	size_t place;

	*count = 0;
	for (size_t i = 0; left && i < change->step_count; i++) {
		struct step *step = &change->steps[i];

		step->left[0] = step->left[1] = step->dropped = LIVE_NO_POOL;
		if (!step->plan.before || !step->plan.after)
			continue;
		find_left(change, step);
		for (int n = 0; n < TABLE_LEFT; n++)
			if (live_find_pool(change->service, step->left[n], &place))
				left[(*count)++] = (struct pool_left){.vip = step->plan.after -
									     change->document->vips,
								      .before = place};
	}
	return left;
}

/* --- who goes with whom, and which pools that touches --- */

static void touch(struct change *change, size_t place)
{
	change_touch(&change->pool_steps[change->step_of[place]]);
}

static bool is_touched(const struct change *change, size_t place)
{
	return change->pool_steps[change->step_of[place]].plan.what != PLAN_UNCHANGED;
}

/* Pools whose members may be in one table are touched together. True: one more is. */
static bool touch_together(struct change *change, size_t place, const struct live_table *table)
{
	const struct service *service = change->service;
	bool any = is_touched(change, place), all = any;
	size_t left;

	for (int i = 0; i < TABLE_LEFT; i++)
		if (live_find_pool(service, table->left[i], &left)) {
			any |= is_touched(change, left);
			all &= is_touched(change, left);
		}
	if (!any || all)
		return false;
	touch(change, place);
	for (int i = 0; i < TABLE_LEFT; i++)
		if (live_find_pool(service, table->left[i], &left))
			touch(change, left);
	return true;
}

static void touch_all_together(struct change *change)
{
	const struct service *service = change->service;
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < service->pools.count; i++)
			for (size_t n = 0; n < live_tables(&service->live_pools[i]); n++) {
				const struct live_table *table =
					live_table(&service->live_pools[i], n);

				if (table && live_has_left(table))
					more |= touch_together(change, i, table);
			}
	}
}

static struct change_move *find_move(struct change *change, const struct step *step)
{
	const struct live_vip *before = change_before(change, step);
	struct pool_step *to = change_pool_step(change, step->plan.after);
	struct change_move *move;

	for (size_t i = 0; i < change->move_count; i++) {
		move = &change->moves[i];
		if (move->from == before->table && move->to_pool == to)
			return move;
	}
	move = &change->moves[change->move_count++];
	*move = (struct change_move){
		.from = before->table, .from_pool = before->pool, .to_pool = to};
	memcpy(move->left, step->left, sizeof(move->left));
	return move;
}

static struct live_table *shared_table(const struct change *change, const struct live_vip *vip)
{
	return change->service->live_pools[vip->pool].tables[vip->table->class];
}

/* The VIPs that stay where they are, or come to have what others have, now or later. */
static void count_users(struct change *change)
{
	for (size_t i = 0; i < change->step_count; i++) {
		const struct step *step = &change->steps[i];
		const struct live_vip *before;
		struct live_table *shared;

		if (!step->plan.before || !step->plan.after || is_leaving(change, step))
			continue;
		before = change_before(change, step);
		shared = shared_table(change, before);
		if (!step->joins)
			before->table->users++;
		if (shared && (step->joins || differs(before->table, step->plan.after)))
			shared->users++;
	}
}

static void forget_last(struct change *change)
{
	const struct service *service = change->service;

	for (size_t i = 0; i < service->pools.count; i++)
		for (size_t n = 0; n < live_tables(&service->live_pools[i]); n++) {
			struct live_table *table = live_table(&service->live_pools[i], n);

			if (table)
				table->users = table->taken = table->kept = 0;
		}
}

static void plan_step(struct change *change, struct step *step)
{
	const struct live_vip *before = change_before(change, step);

	if (step->plan.what == PLAN_ADDED)
		return;
	step->was_moving = live_is_moving(before->table);
	if (step->plan.what == PLAN_REMOVED) {
		if (before->table != shared_table(change, before) || live_has_left(before->table))
			touch(change, before->pool);
	} else if (is_leaving(change, step)) {
		touch(change, before->pool);
		change_touch(change_pool_step(change, step->plan.after));
		if (may_go_along(change, step))
			step->move = find_move(change, step);
	} else if (change->settles && before->table->clear) {
		touch(change, before->pool);
	}
	if (change->settles && before->table->joins) {
		step->joins = true;
		step->plan.what = PLAN_FOLLOWS;
		touch(change, before->pool);
	}
}

/* Once every slot has been SETTLED nothing of the pools is left that were left; then its slots may be
 * what the pool's are by now. What happens to the one until the change is made happens to the other. */
static void look_at(const struct live_pool *live, struct live_table *table)
{
	table->clear = live_has_left(table) && !table->slots.foreign;
	table->joins = (table->clear || !live_has_left(table)) && live_may_join(live, table);
}

void move_look(struct service *service)
{
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct live_pool *live = &service->live_pools[i];

		for (size_t n = 0; n < live_tables(live); n++)
			if (live_table(live, n))
				look_at(live, live_table(live, n));
	}
}

int move_check(const struct change *change, struct lb_err *err)
{
	const struct service *service = change->service;

	for (size_t i = 0; i < change->step_count; i++) {
		const struct step *step = &change->steps[i];
		const struct live_vip *before = step->joins ? change_before(change, step) : NULL;

		if (before && !live_may_join(&service->live_pools[before->pool], before->table))
			return lb_err_set(err, LB_ERR_SYSTEM, "", "slots have changed meanwhile");
	}
	return 0;
}

static int make_pool_steps(struct change *change)
{
	size_t count;
	struct pool_left *left = list_left(change, &count);
	int error = left ? change_make_pool_steps(change, left, count) : -ENOMEM;

	free(left);
	return error;
}

int move_plan(struct change *change, struct lb_err *err)
{
	change->moves = calloc(change->step_count + 1, sizeof(*change->moves));
	if (!change->moves || make_pool_steps(change))
		return lb_err_no_memory(err);
	forget_last(change);
	for (size_t i = 0; i < change->step_count; i++)
		plan_step(change, &change->steps[i]);
	touch_all_together(change);
	count_users(change);
	for (size_t i = 0; i < change->move_count; i++) {
		struct change_move *move = &change->moves[i];

		if (move->from->taken || move->from->users)
			continue;
		move->to = move->from;
		move->to->taken = true; /* where others go elsewhere they have copies */
	}
	return 0;
}

/* --- tables --- */

static bool is_live(const struct change *change, uint32_t number)
{
	size_t place;

	return live_find_pool(change->service, number, &place) &&
	       change->pool_steps[change->step_of[place]].plan.after;
}

/* Of a table that stays: pools that go are no longer left. */
static void keep_left(const struct change *change, struct live_table *table)
{
	int n = 0;

	table->left_next[0] = table->left_next[1] = LIVE_NO_POOL;
	for (int i = 0; i < TABLE_LEFT && !(change->settles && table->clear); i++)
		if (is_live(change, table->left[i]))
			table->left_next[n++] = table->left[i];
}

/* The pool's own slots are of its size. */
static void add_table(const struct pool_step *step, struct live_pool *next,
		      struct live_table *table)
{
	table->kept = true;
	if (next->tables[table->class] || table->slots.size != step->plan.after->pool->table_size)
		next->arrivals[next->arrival_count++] = table;
	else
		next->tables[table->class] = table;
}

static int add_move(struct change *change, struct change_move *move, struct live_pool *next,
		    struct lb_err *err)
{
	int error = 0;

	if (!move->to)
		error = place_take_table(change, move->from->class, move->from->slots.size,
					 &move->to, err);
	if (error)
		return error;
	move->to->taken = true;
	memcpy(move->to->left_next, move->left, sizeof(move->left));
	add_table(move->to_pool, next, move->to);
	return 0;
}

static void keep_tables(const struct change *change, const struct pool_step *step,
			struct live_pool *next)
{
	const struct live_pool *before = change_pool_before(change, step);

	for (size_t n = 0; n < live_tables(before); n++) {
		struct live_table *table = live_table(before, n);

		if (!table || table->taken || !table->users)
			continue;
		add_table(step, next, table);
		keep_left(change, table);
	}
}

int move_tables(struct change *change, const struct pool_step *step, struct live_pool *next,
		struct lb_err *err)
{
	const struct live_pool *before = change_pool_before(change, step);
	int error = 0;

	next->arrivals = calloc((before ? before->arrival_count : 0) + change->move_count + 1,
				sizeof(struct live_table *));
	if (!next->arrivals)
		return lb_err_no_memory(err);
	if (before)
		keep_tables(change, step, next);
	for (size_t i = 0; !error && i < change->move_count; i++)
		if (change->moves[i].to_pool == step)
			error = add_move(change, &change->moves[i], next, err);
	return error;
}

/* --- the sweep --- */

static bool becomes(const struct pool_step *step)
{
	return step->plan.after && step->plan.what != PLAN_UNCHANGED;
}

/* For each table of the pools that are touched. */
static void each_table(struct change *change,
		       void (*each)(struct change *change, struct pool_step *step,
				    struct live_table *table))
{
	for (size_t i = 0; i < change->pool_step_count; i++) {
		struct pool_step *step = &change->pool_steps[i];

		for (size_t n = 0; becomes(step) && n < live_tables(&step->next); n++)
			if (live_table(&step->next, n))
				each(change, step, live_table(&step->next, n));
	}
}

/* With each pool that the table is of, or that its VIPs have left. */
static void each_pool_of(struct change *change, struct pool_step *step, struct live_table *table,
			 void (*each)(struct live_pool *live, struct live_table *table))
{
	size_t place;

	each(&step->next, table);
	for (int left = 0; left < TABLE_LEFT; left++)
		if (live_find_pool(change->service, table->left_next[left], &place))
			each(&change->pool_steps[change->step_of[place]].next, table);
}

static void count_one(struct live_pool *live, struct live_table *table)
{
	(void)table;
	live->swept_count++;
}

static void count_swept(struct change *change, struct pool_step *step, struct live_table *table)
{
	each_pool_of(change, step, table, count_one);
}

static void add_one(struct live_pool *live, struct live_table *table)
{
	live->swept->at[live->swept->count++] = &table->slots;
}

static void add_swept(struct change *change, struct pool_step *step, struct live_table *table)
{
	each_pool_of(change, step, table, add_one);
}

int move_swept(struct change *change, struct lb_err *err)
{
	each_table(change, count_swept);
	for (size_t i = 0; i < change->pool_step_count; i++) {
		struct live_pool *next = &change->pool_steps[i].next;

		if (!becomes(&change->pool_steps[i]))
			continue;
		next->swept = sweep_tables_new(next->swept_count);
		if (!next->swept)
			return lb_err_no_memory(err);
	}
	each_table(change, add_swept);
	return 0;
}

/* --- what it comes to --- */

/* By number of a member of the pool that they leave: the one with its address where they go. */
static void pair(const struct live_pool *from, const struct live_pool *to, uint16_t *same)
{
	plan_pair(to->backends, to->backend_count, from->backends, from->backend_count, same);
}

void move_assess(const struct change *change, struct step *step)
{
	const struct live_vip *before = change_before(change, step);
	const struct live_pool *from = &change->service->live_pools[before->pool];
	const struct live_pool *to = change_pool_after(change, step->plan.after);
	const struct slots *slots = &before->table->slots;
	uint16_t same[LB_NONE + 1];

	pair(from, to, same);
	step->moved = plan_moved_to(slots->words, same, live_owners(step->plan.after->pool, to),
				    slots->size);
	step->ideal = plan_ideal(from->backends, from->backend_count, to->backends,
				 to->backend_count, step->plan.after->pool->table_size);
}

/* --- packets --- */

/* Records of all pools are good that its slots may lead to, before and after. */
static void lead_pools(struct change *change, const struct step *step)
{
	const struct service *service = change->service;
	const struct live_vip *before = change_before(change, step);
	const uint32_t from = service->live_pools[before->pool].number;
	const uint32_t to = change_pool_after(change, step->plan.after)->number;
	uint32_t earlier =
		before->table->left[0] == to ? before->table->left[1] : before->table->left[0];

	if (earlier == LIVE_NO_POOL)
		earlier = from;
	live_set_pools(change->service, &step->next, lb_pools(to, from, earlier));
}

static void lead_move(struct change *change, const struct change_move *move)
{
	static uint16_t same[LB_NONE + 1];

	lead_members(change->service, move->to_pool->plan.after, &move->to_pool->next);
	pair(&change->service->live_pools[move->from_pool], &move->to_pool->next, same);
	slots_take_over(&move->to->slots, &move->from->slots, same,
			change->service->flows_possible);
}

/* Slots of another size than those of their pool are given up once no flow is on record elsewhere. */
static void begin_resizing(struct change *change, struct pool_step *step, struct live_table *table)
{
	(void)change;
	table->slots.resizes = table->left_next[0] == LIVE_NO_POOL &&
			       table->slots.size != step->plan.after->pool->table_size;
}

/* Copies are made before their original is edited. */
void move_lead(struct change *change)
{
	each_table(change, begin_resizing);
	for (size_t i = 0; i < change->step_count; i++)
		if (is_leaving(change, &change->steps[i]))
			lead_pools(change, &change->steps[i]);
	for (int in_place = 0; in_place < 2; in_place++)
		for (size_t i = 0; i < change->move_count; i++)
			if (in_place == (change->moves[i].to == change->moves[i].from))
				lead_move(change, &change->moves[i]);
}

void move_join(struct change *change)
{
	for (size_t i = 0; i < change->step_count; i++) {
		const struct step *step = &change->steps[i];
		struct live_table *table = step->joins ? change_before(change, step)->table : NULL;

		if (table && table->joins && table->slots.resizes)
			slots_join(&step->next.table->slots, &table->slots);
		else if (table && table->joins)
			slots_join_pasts(&step->next.table->slots, &table->slots);
		if (table)
			table->joins = false; /* once for all its VIPs */
	}
}

/* Once its place is the new one. */
static void end_table(struct change *change, struct pool_step *step, struct live_table *table)
{
	(void)step;
	memcpy(table->left, table->left_next, sizeof(table->left));
	table->fresh = false;
	slots_joined(&table->slots);
	if (live_has_left(table))
		clock_start(change->service);
}

void move_end(struct change *change, const struct live_vip *vips)
{
	each_table(change, end_table);
	for (size_t i = 0; i < change->document->vip_count; i++) {
		const struct pool_step *step = &change->pool_steps[vips[i].pool];

		if (becomes(step))
			live_set_pools(change->service, &vips[i],
				       live_pools_word(step->next.number, vips[i].table->left));
	}
}

static void tell_step(const struct change *change, const struct step *step)
{
	struct service *service = change->service;
	const struct lb_vip *vip = step->plan.after;
	const bool moves = live_is_moving(live_of(service, vip)->table);
	const bool began = step->move && moves;

	if (began || (step->was_moving && !moves))
		events_emit(service->events,
			    json_pack("{s:s, s:s, s:s, s:s, s:s*}", "event", "move", "vip",
				      vip->name, "state", began ? "began" : "settled", "pool",
				      vip->pool->name, "from",
				      began ? step->plan.before->pool->name : NULL));
}

void move_tell(const struct change *change)
{
	for (size_t i = 0; i < change->step_count; i++)
		if (change->steps[i].plan.before && change->steps[i].plan.after)
			tell_step(change, &change->steps[i]);
}
