/* SPDX-License-Identifier: BSD-2-Clause */
/* What do pools and VIPs need beside what is in force, before anything that packets use is touched? */
#include "change.h"

#include <stdlib.h>

#include "document_digest.h"

/* --- pools --- */

/* next->backends, with the numbers of those that were there before, and new ones; their weights
 * come later. */
static int prepare_backends(struct service *service, const struct lb_pool *pool,
			    const struct live_pool *before, struct live_pool *next,
			    struct lb_err *err)
{
	size_t i, from = 0;

	next->backends = calloc(pool->backend_count + 1, sizeof(*next->backends));
	if (!next->backends)
		return lb_err_no_memory(err);
	for (i = 0; i < pool->backend_count; i++) {
		const struct lb_backend *backend = &pool->backends[i];
		struct table_member *member = &next->backends[i];
		const struct table_member *kept = live_find(before, &from, &backend->address);
		int error = 0;

		*member = (struct table_member){.address = backend->address};
		if (kept)
			member->number = kept->number;
		else
			error = members_take(service->members, &member->number, err);
		if (error)
			return error;
		next->backend_count++;
	}
	return 0;
}

/* A copy of the table that was there is brought up to date; a new kind of table is a new one. */
static int prepare_owners(struct service *service, const struct plan_pool *plan,
			  const struct live_pool *before, struct live_pool *next,
			  struct lb_err *err)
{
	const struct lb_pool *pool = plan->after->pool;

	if (before && before->table && plan->before->pool->table == pool->table)
		next->table = table_copy(before->table);
	else
		next->table = table_new(pool->table, pool->table_size, service->config->seed);
	return next->table ? 0 : lb_err_no_memory(err);
}

/* The slots of each class of VIPs, those that were there before or new ones. */
static int prepare_tables(struct change *change, const struct pool_step *step,
			  struct live_pool *next, struct lb_err *err)
{
	const struct pool_ref *after = step->plan.after;
	int error = move_tables(change, step, next, err);

	for (int class = 0; !error && class < POOL_CLASSES; class ++) {
		if (!after->vips[class] || next->tables[class])
			continue;
		error = place_take_table(change, class, after->pool->table_size,
					 &next->tables[class], err);
		if (!error)
			next->tables[class]->kept = true;
	}
	return error;
}

bool prepare_is_fresh(const struct live_table *table)
{
	return table->fresh;
}

void prepare_each_table(struct service *service, const struct live_pool *live,
			bool (*which)(const struct live_table *table),
			void (*each)(struct service *service, struct live_table *table))
{
	for (size_t n = 0; n < live_tables(live); n++) {
		struct live_table *table = live_table(live, n);

		if (table && (!which || which(table)))
			each(service, table);
	}
}

static int check_size(const struct plan_pool *plan, struct lb_err *err)
{
	if (plan->before->pool->table_size == plan->after->pool->table_size)
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "table_size",
		   "the table size of %s %s is %u and cannot be changed after creation",
		   lb_pool_word(plan->after->pool), plan->after->pool->name,
		   plan->before->pool->table_size);
	if (plan->after->pool->named)
		return lb_err_hint(
			err,
			"add another pool with %u slots and the same backends, and move its VIPs "
			"there (lbctl vip set VIP --pool POOL): with hash 5-tuple they lose no "
			"flow",
			plan->after->pool->table_size);
	return lb_err_hint(err, "with another one every flow would move: delete the VIP and add it "
				"again if that is acceptable");
}

int prepare_pool(struct change *change, struct pool_step *step, struct lb_err *err)
{
	struct service *service = change->service;
	const struct plan_pool *plan = &step->plan;
	const struct live_pool *before = change_pool_before(change, step);
	struct live_pool *next = &step->next;
	int error;

	if (before) {
		next->number = before->number;
		next->empty_at_s = before->empty_at_s;
		error = check_size(plan, err);
	} else {
		error = place_take_pool(change, next, err);
	}
	if (error)
		return error;
	step->prepared = true;
	error = prepare_tables(change, step, next, err);
	if (!error)
		error = prepare_backends(service, plan->after->pool, before, next, err);
	if (!error && checks_weigh(plan->after->pool, before, next))
		error = lb_err_no_memory(err);
	return error ? error : prepare_owners(service, plan, before, next, err);
}

int prepare_build(struct change *change, struct pool_step *step, struct lb_err *err)
{
	struct live_pool *next = &step->next;

	(void)change;
	if (table_update(next->table, next->backends, next->backend_count))
		return lb_err_no_memory(err);
	return 0;
}

void prepare_undo_pool(struct change *change, struct pool_step *step)
{
	struct service *service = change->service;
	const struct live_pool *before = change_pool_before(change, step);
	struct live_pool *next = &step->next;

	change_members_not_in(change, next, before,
			      step->published ? change_end_member : change_drop_member);
	prepare_each_table(service, next, prepare_is_fresh, place_leave_table);
	live_clear(next);
	if (!before)
		place_leave_pool(service, next);
}

/* --- VIPs --- */

static int check_hash(const struct plan_step *plan, struct lb_err *err)
{
	if (plan->before->hash == plan->after->hash)
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "hash",
		   "the hash policy of VIP %s is %s and cannot be changed after creation",
		   plan->after->name, lb_hash_name(plan->before->hash));
	return lb_err_hint(err, "with another one established connections would move: delete the "
				"VIP and add it again if that is acceptable");
}

/* Its own ones, while it stays where it is, or when it takes them along. */
static struct live_table *table_of(const struct change *change, const struct step *step)
{
	const struct plan_step *plan = &step->plan;
	const struct pool_step *pool = change_pool_step(change, plan->after);

	if (step->move)
		return step->move->to;
	if (plan->before && !step->joins && pool->plan.before &&
	    change_before(change, step)->pool == pool->plan.before_index)
		return change_before(change, step)->table;
	return change_pool_after(change, plan->after)->tables[pools_class(plan->after)];
}

int prepare_step(struct change *change, struct step *step, struct lb_err *err)
{
	const struct plan_step *plan = &step->plan;
	struct live_vip *next = &step->next;
	int error;

	if (plan->before) {
		next->number = change_before(change, step)->number;
		error = check_hash(plan, err);
	} else {
		error = place_take(change, next, err);
	}
	if (error)
		return error;
	step->prepared = true;
	next->table = table_of(change, step);
	return 0;
}

int prepare_digest(struct change *change, struct step *step, struct lb_err *err)
{
	(void)change;
	return vip_digest(step->plan.after, &step->next.digest) ? lb_err_no_memory(err) : 0;
}

void prepare_undo(struct change *change, struct step *step)
{
	if (!step->plan.before)
		place_leave(change->service, &step->next);
}
