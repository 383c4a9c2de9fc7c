/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIPs and pools does a change touch, and which of their members? */
#include "change.h"

#include <errno.h>
#include <stdlib.h>

int change_make_pool_steps(struct change *change, const struct pool_left *left, size_t left_count)
{
	const struct pools *before = &change->service->pools;
	struct plan_pool *plan;
	size_t i;

	if (pools_of(change->document, before, left, left_count, &change->pools) ||
	    plan_pools(before, &change->pools, &plan, &change->pool_step_count))
		return -ENOMEM;
	change->pool_steps = calloc(change->pool_step_count + 1, sizeof(*change->pool_steps));
	change->step_of = calloc(before->count + 1, sizeof(*change->step_of));
	for (i = 0; change->pool_steps && change->step_of && i < change->pool_step_count; i++) {
		change->pool_steps[i].plan = plan[i];
		if (plan[i].before)
			change->step_of[plan[i].before_index] = i;
	}
	free(plan);
	return change->pool_steps && change->step_of ? 0 : -ENOMEM;
}

int change_make_steps(struct change *change, struct lb_err *err)
{
	struct plan_step *plan;
	size_t i;

	if (plan_diff(change->service->document, change->document, &plan, &change->step_count))
		return lb_err_no_memory(err);
	change->steps = calloc(change->step_count + 1, sizeof(*change->steps));
	for (i = 0; change->steps && i < change->step_count; i++)
		change->steps[i].plan = plan[i];
	free(plan);
	return change->steps ? 0 : lb_err_no_memory(err);
}

void change_touch(struct pool_step *step)
{
	if (step->plan.what == PLAN_UNCHANGED)
		step->plan.what = PLAN_FOLLOWS;
}

void change_free_steps(struct change *change)
{
	size_t i;

	for (i = 0; change->steps && i < change->step_count; i++)
		json_decref(change->steps[i].at_risk);
	free(change->steps);
	for (i = 0; change->pool_steps && i < change->pool_step_count; i++) {
		json_decref(change->pool_steps[i].at_risk);
		json_decref(change->pool_steps[i].datagrams);
		json_decref(change->pool_steps[i].waiting);
		json_decref(change->pool_steps[i].serving);
	}
	free(change->pool_steps);
	free(change->step_of);
	free(change->moves);
	pools_clear(&change->pools);
}

static bool differs(enum plan_what what)
{
	return what != PLAN_UNCHANGED && what != PLAN_FOLLOWS;
}

bool change_differs(const struct change *change)
{
	size_t i;

	for (i = 0; i < change->step_count; i++)
		if (differs(change->steps[i].plan.what))
			return true;
	return !plan_same_named(change->service->document, change->document);
}

int change_each_step(struct change *change,
		     int (*carry_out)(struct change *change, struct step *step, struct lb_err *err),
		     struct lb_err *err)
{
	size_t i;

	for (i = 0; i < change->step_count; i++) {
		struct step *step = &change->steps[i];
		const struct lb_vip *after = step->plan.after;

		if (step->plan.what == PLAN_UNCHANGED || step->plan.what == PLAN_REMOVED)
			continue;
		if (carry_out(change, step, err)) {
			lb_err_prefix(err, "vips[%zu]", after - change->document->vips);
			return -EINVAL;
		}
		worker_yield();
	}
	return 0;
}

/* Where the pool stands in the next document, for who has written it. */
static void prefix_pool(const struct change *change, const struct pool_ref *ref, struct lb_err *err)
{
	if (ref->gone)
		return;
	if (ref->own)
		lb_err_prefix(err, "vips[%zu]", ref->vip - change->document->vips);
	else
		lb_err_prefix(err, "pools[%zu]", ref->pool - change->document->pools);
}

int change_each_pool(struct change *change,
		     int (*carry_out)(struct change *change, struct pool_step *step,
				      struct lb_err *err),
		     struct lb_err *err)
{
	size_t i;

	for (i = 0; i < change->pool_step_count; i++) {
		struct pool_step *step = &change->pool_steps[i];

		if (step->plan.what == PLAN_UNCHANGED || step->plan.what == PLAN_REMOVED)
			continue;
		if (carry_out(change, step, err)) {
			prefix_pool(change, step->plan.after, err);
			return -EINVAL;
		}
		worker_yield();
	}
	return 0;
}

struct pool_step *change_pool_step(const struct change *change, const struct lb_vip *vip)
{
	return &change->pool_steps[change->pools.of_vip[vip - change->document->vips]];
}

const struct live_pool *change_pool_after(const struct change *change, const struct lb_vip *vip)
{
	const struct pool_step *step = change_pool_step(change, vip);

	return step->plan.what == PLAN_UNCHANGED ? change_pool_before(change, step) : &step->next;
}

/* Calls `each` for the members that `a` has and `b` has not. */
void change_members_not_in(struct change *change, const struct live_pool *a,
			   const struct live_pool *b,
			   void (*each)(struct change *change, uint16_t number))
{
	size_t i, from = 0;

	for (i = 0; i < a->backend_count; i++) {
		if (!live_find(b, &from, &a->backends[i].address))
			each(change, a->backends[i].number);
		worker_yield();
	}
}

/* A member that nothing leads to, and whose slots may be about to go. */
void change_drop_member(struct change *change, uint16_t number)
{
	sweep_member_clear(change->service->sweep, number);
	members_retire(change->service->members, number);
	members_free_number(change->service->members, number);
}

void change_end_member(struct change *change, uint16_t number)
{
	struct service *service = change->service;

	checks_drop(service, number);
	losses_ask(service->losses, number, NULL);
	if (!service->flows_possible) {
		change_drop_member(change, number);
		return;
	}
	members_retire(service->members, number);
	sweep_member_gone(service->sweep, number);
	clock_start(service);
}
