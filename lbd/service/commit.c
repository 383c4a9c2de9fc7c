/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a change that is on disk come into force? Nothing can fail here. */
#include "change.h"

#include <stdlib.h>

#include "entry.h"

#define FRESHEN_MAX 3 /* times a table is brought up to date with results that came meanwhile */

static void member_mark(struct change *change, uint16_t number)
{
	change->gone[number / 64] |= 1ull << number % 64;
}

static void member_unmark(struct change *change, uint16_t number)
{
	change->gone[number / 64] &= ~(1ull << number % 64);
}

/* While tables were built, or the document was written, backends may have become healthy or
 * unhealthy. A table that cannot be brought up to date now is when it is weighed again. */
static void freshen(struct change *change, struct pool_step *step)
{
	const struct lb_pool *pool = step->plan.after->pool;
	struct live_pool *next = &step->next;

	for (int round = 0; round < FRESHEN_MAX; round++) {
		if (!checks_merge(pool, change_pool_before(change, step), next))
			return;
		if (weigh_again(pool, next, WEIGH_AT_ONCE))
			next->reweigh = true;
	}
}

/* From here to the swap the pool is not weighed again. */
static void take_lead(struct live_pool *live)
{
	while (live->led)
		worker_pause();
	live->led = true;
}

/* Connections may find that the pool has changed. */
static bool is_felt(const struct pool_step *step)
{
	return step->plan.what != PLAN_UNCHANGED && step->plan.before && step->plan.after &&
	       (step->moved || json_array_size(step->at_risk));
}

/* What the pool becomes, by what is known of its backends now. */
static void begin_pool(struct change *change, struct pool_step *step)
{
	struct live_pool *before = change_pool_before(change, step), *next = &step->next;

	if (step->plan.what == PLAN_UNCHANGED)
		return;
	if (before)
		take_lead(before);
	if (!step->plan.after) {
		receipt_drop(change->service, before);
		change_members_not_in(change, before, NULL, member_mark);
	} else if (before) {
		freshen(change, step);
		if (is_felt(step))
			receipt_begin(change->service, step->plan.before->pool, before);
		change_members_not_in(change, before, next, member_mark);
	} else {
		next->empty_at_s = next->backend_count ? 0 : clock_now_s(change->service);
	}
}

static bool brings_slots(const struct live_pool *next)
{
	for (size_t n = 0; n < live_tables(next); n++)
		if (live_table(next, n) && live_table(next, n)->taken)
			return true;
	return false;
}

/* The slots of a pool that is new are complete, but for those that VIPs bring along. */
static void lead_pool(struct change *change, struct pool_step *step)
{
	if (step->plan.what != PLAN_UNCHANGED && step->plan.after &&
	    (step->plan.before || brings_slots(&step->next)))
		lead_packets(change->service, step->plan.after, &step->next, change->gone);
	if (is_felt(step))
		receipt_follow(change->service, step->plan.after->pool, &step->next, step->at_risk);
}

static void end_transitions(struct service *service, const struct lb_pool *pool,
			    const struct live_pool *live)
{
	clock_hasten_datagrams(service, pool, live);
	live_follow_due(pool, live, clock_now_s(service));
}

/* Slots that others have led away from its members since, too. */
static void end_pool(struct change *change, struct pool_step *step)
{
	if (step->plan.what == PLAN_UNCHANGED)
		return;
	if (step->plan.after)
		end_transitions(change->service, step->plan.after->pool, &step->next);
	if (step->plan.before)
		change_members_not_in(change, change_pool_before(change, step),
				      step->plan.after ? &step->next : NULL, member_unmark);
}

static void lead_step(struct change *change, struct step *step)
{
	const struct plan_step *plan = &step->plan;

	if (plan->what == PLAN_CHANGED || plan->what == PLAN_FOLLOWS)
		entry_update(change->service, plan->before, change_before(change, step),
			     plan->after, &step->next);
	else if (plan->what == PLAN_REMOVED)
		entry_withdraw(change->service, plan->before, change->document);
}

static bool is_over(const struct live_table *table)
{
	return !table->kept;
}

/* Nothing leads to the tables that only what was before has had. */
static void withdraw_tables(struct change *change, struct pool_step *step)
{
	if (step->plan.before && step->plan.what != PLAN_UNCHANGED)
		prepare_each_table(change->service, change_pool_before(change, step), is_over,
				   publish_withdraw_table);
}

/* What each VIP and each pool of the next document becomes; the rest goes. */
static void fill_live(struct change *change, struct change_live live)
{
	size_t i, n = 0;

	for (i = 0; i < change->pools.count; i++) {
		const struct pool_step *step = &change->pool_steps[i];

		live.pools[i] = step->plan.what == PLAN_UNCHANGED
					? *change_pool_before(change, step)
					: step->next;
	}
	for (i = 0; i < change->step_count; i++) {
		const struct step *step = &change->steps[i];

		if (step->plan.what == PLAN_REMOVED)
			continue;
		live.vips[n] = step->plan.what == PLAN_UNCHANGED ? *change_before(change, step)
								 : step->next;
		live.vips[n].pool = change->pools.of_vip[n];
		n++;
	}
}

/* Packets no longer need what the pool was. `live`: what it has become, NULL when it was removed. */
static void end_before(struct change *change, struct live_pool *before, struct live_pool *live)
{
	change_members_not_in(change, before, live, change_end_member);
	prepare_each_table(change->service, before, is_over, place_leave_table);
	if (!live)
		place_leave_pool(change->service, before);
	live_clear(before);
}

static bool is_checked_anew(const struct plan_pool *plan)
{
	return plan->before && !checks_same(plan->before, plan->after);
}

static void settle_pool(struct change *change, struct pool_step *step, struct live_pool *all_before,
			struct live_pool *live)
{
	const struct plan_pool *plan = &step->plan;

	if (plan->what == PLAN_UNCHANGED)
		return;
	if (plan->before)
		end_before(change, &all_before[plan->before_index], plan->after ? live : NULL);
	if (!plan->after)
		return;
	checks_follow(change->service, plan->after, live, is_checked_anew(plan));
	tell_serving(change->service, plan->after->pool, live);
	tell_spill(change->service, plan->after->pool, live,
		   plan->before ? all_before[plan->before_index].use.last : 0);
}

static bool has_fragments_entry(const struct lb_vip *vip)
{
	return vip && vip->endpoint.port && vip->fragments == LB_FRAGMENTS_3TUPLE;
}

/* After all else, since one VIP may take over from another. */
static void commit_fragments(struct change *change, const struct live_vip *live)
{
	size_t i;

	for (i = 0; i < change->step_count; i++) {
		const struct plan_step *plan = &change->steps[i].plan;
		const struct lb_vip *vip = plan->after ? plan->after : plan->before;

		if (plan->what == PLAN_UNCHANGED)
			continue;
		if (has_fragments_entry(plan->before) || has_fragments_entry(plan->after))
			entry_fragments(change->service, change->document, live, &vip->endpoint);
	}
}

/* What the program must take a confirmed word for alive by: it does not know whose it is. */
static uint32_t longest_idle(const struct pools *pools)
{
	uint32_t longest = 0, idle_s;

	for (size_t i = 0; i < pools->count; i++)
		for (int class = 0; class < POOL_CLASSES; class ++) {
			idle_s = pools_flow_idle_s(pools->refs[i].pool, class);
			if (pools_has(&pools->refs[i], class) && idle_s > longest)
				longest = idle_s;
		}
	return sweep_units(longest);
}

/* What was found while the change was on its way, and belongs to the pool whatever it becomes. */
static void merge_step(struct change *change, struct pool_step *step)
{
	const struct live_pool *before = change_pool_before(change, step);
	struct live_pool *next = &step->next;

	if (step->plan.what != PLAN_CHANGED && step->plan.what != PLAN_FOLLOWS)
		return;
	next->round_ends_ms = before->round_ends_ms;
	if (next->ways_by_ms < before->ways_by_ms)
		next->ways_by_ms = before->ways_by_ms;
	next->told_all_unhealthy = before->told_all_unhealthy;
	if (checks_merge(step->plan.after->pool, before, next))
		next->reweigh = true;
}

/* What was in force. */
struct retired {
	struct lb_service *document;
	struct pools pools;
	struct change_live live;
};

/* In one turn, when nobody is in the middle of reading what is in force. */
static struct retired swap(struct change *change, struct change_live live, uint64_t digest)
{
	struct service *service = change->service;
	struct retired before;
	size_t i;

	service->swapping = true;
	while (service->readers || service->keepers)
		worker_pause();
	for (i = 0; i < change->pool_step_count; i++)
		merge_step(change, &change->pool_steps[i]);
	fill_live(change, live);
	before = (struct retired){
		service->document, service->pools, {service->live, service->live_pools}};
	service->live = live.vips;
	service->live_pools = live.pools;
	service->plane.tuning->flow_idle = longest_idle(&change->pools);
	service->backend_count = change->backend_count;
	service->document = change->document;
	service->pools = change->pools;
	service->digest = digest;
	change->document = NULL;
	live_index(service);
	service->swapping = false;
	return before;
}

/* Numbers of VIPs that are gone. */
static void end_vips(struct change *change, const struct live_vip *before)
{
	for (size_t i = 0; i < change->step_count; i++)
		if (change->steps[i].plan.what == PLAN_REMOVED)
			place_leave(change->service, &before[change->steps[i].plan.before_index]);
}

static void each_pool_step(struct change *change,
			   void (*each)(struct change *change, struct pool_step *step))
{
	for (size_t i = 0; i < change->pool_step_count; i++) {
		each(change, &change->pool_steps[i]);
		worker_yield();
	}
}

static void lead_all(struct change *change)
{
	size_t i;

	each_pool_step(change, begin_pool);
	move_lead(change);
	each_pool_step(change, lead_pool);
	each_pool_step(change, end_pool);
	move_join(change);
	for (i = 0; i < change->step_count; i++) {
		lead_step(change, &change->steps[i]);
		worker_yield();
	}
	each_pool_step(change, withdraw_tables);
}

/* Cannot fail any more. */
void commit_change(struct change *change, struct change_live live, uint64_t digest)
{
	struct service *service = change->service;
	struct retired before;
	size_t i;

	lead_all(change);
	fill_live(change, live);
	move_end(change, live.vips);
	commit_fragments(change, live.vips);
	before = swap(change, live, digest);
	end_vips(change, before.live.vips);
	for (i = 0; i < change->pool_step_count; i++) {
		settle_pool(change, &change->pool_steps[i], before.live.pools,
			    &service->live_pools[i]);
		worker_yield();
	}
	move_tell(change);
	change->pools = before.pools; /* the steps have pointed to it so far */
	weigh_marked(service);
	worker_leave();
	free(before.live.vips);
	free(before.live.pools);
	lb_service_free(before.document);
	worker_enter();
}
