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
static void freshen(struct change *change, struct step *step)
{
	const struct lb_vip *vip = step->plan.after;
	struct live_vip *next = &step->next;

	for (int round = 0; round < FRESHEN_MAX; round++) {
		if (!checks_merge(vip, change_before(change, step), next))
			return;
		if (weigh_again(vip, next))
			next->reweigh = true;
	}
}

/* From here to the swap the VIP is not weighed again. */
static void take_lead(struct live_vip *live)
{
	while (live->led)
		worker_pause();
	live->led = true;
}

static void lead_changed(struct change *change, struct step *step)
{
	struct service *service = change->service;
	struct live_vip *before = &service->live[step->plan.before_index], *next = &step->next;

	take_lead(before);
	freshen(change, step);
	entry_update(service, step->plan.before, step->plan.after, next);
	change_members_not_in(change, before, next, member_mark);
	lead_packets(service, step->plan.after, next, change->gone);
	change_members_not_in(change, before, next, member_unmark);
}

static void lead_step(struct change *change, struct step *step)
{
	struct service *service = change->service;

	switch (step->plan.what) {
	case PLAN_UNCHANGED:
		break;
	case PLAN_CHANGED:
		lead_changed(change, step);
		break;
	case PLAN_REMOVED:
		take_lead(&service->live[step->plan.before_index]);
		publish_withdraw(service, step->plan.before, change_before(change, step),
				 change->document);
		break;
	case PLAN_ADDED:
		step->next.empty_at_s = step->next.backend_count ? 0 : clock_now_s(service);
		break;
	}
}

/* What each VIP of the next document becomes; the rest goes. */
static void fill_live(struct change *change, struct live_vip *live)
{
	size_t i, n = 0;

	for (i = 0; i < change->step_count; i++) {
		struct step *step = &change->steps[i];

		if (step->plan.what == PLAN_UNCHANGED)
			live[n++] = *change_before(change, step);
		else if (step->plan.what != PLAN_REMOVED)
			live[n++] = step->next;
	}
}

/* Packets no longer need what the VIP was. `live`: what it has become, NULL when it was removed. */
static void end_before(struct change *change, struct live_vip *before, struct live_vip *live)
{
	change_members_not_in(change, before, live, change_end_member);
	if (!live)
		place_leave(change->service, before);
	live_clear(before);
}

static void settle_step(struct change *change, struct step *step, struct live_vip *all_before,
			struct live_vip *live)
{
	const struct plan_step *plan = &step->plan;
	bool anew;

	if (plan->what == PLAN_UNCHANGED)
		return;
	if (plan->before)
		end_before(change, &all_before[plan->before_index], plan->after ? live : NULL);
	if (!plan->after)
		return;
	anew = plan->before && !schema_equal(&lb_health_schema, &plan->before->pool->health,
					     &plan->after->pool->health);
	checks_follow(change->service, plan->after, live, anew);
	tell_serving(change->service, plan->after, live);
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
static uint32_t longest_idle(const struct lb_service *document)
{
	uint32_t longest = 0;
	size_t i;

	for (i = 0; i < document->vip_count; i++)
		if (lb_vip_flow_idle_s(&document->vips[i]) > longest)
			longest = lb_vip_flow_idle_s(&document->vips[i]);
	return sweep_units(longest);
}

/* What was found while the change was on its way, and belongs to the VIP whatever it becomes. */
static void merge_step(struct change *change, struct step *step)
{
	const struct live_vip *before = change_before(change, step);
	struct live_vip *next = &step->next;

	if (step->plan.what != PLAN_CHANGED)
		return;
	next->round_ends_ms = before->round_ends_ms;
	if (next->ways_by_ms < before->ways_by_ms)
		next->ways_by_ms = before->ways_by_ms;
	next->told_all_unhealthy = before->told_all_unhealthy;
	if (checks_merge(step->plan.after, before, next))
		next->reweigh = true;
}

/* In one turn, when nobody is in the middle of reading what is in force. `live` comes into force,
 * what was before is in it then. */
static struct lb_service *swap(struct change *change, struct live_vip **live, uint64_t digest)
{
	struct service *service = change->service;
	struct lb_service *document = service->document;
	struct live_vip *before = service->live;
	size_t i;

	service->swapping = true;
	while (service->readers || service->keepers)
		worker_pause();
	for (i = 0; i < change->step_count; i++)
		merge_step(change, &change->steps[i]);
	fill_live(change, *live);
	service->live = *live;
	*live = before;
	service->plane.tuning->flow_idle = longest_idle(change->document);
	service->backend_count = change->backend_count;
	service->document = change->document;
	service->digest = digest;
	change->document = NULL;
	live_index(service);
	service->swapping = false;
	return document;
}

/* Cannot fail any more. `live` has room for every VIP of the next document. */
void commit_change(struct change *change, struct live_vip *live, uint64_t digest)
{
	struct service *service = change->service;
	struct lb_service *document;
	size_t i, n = 0;

	for (i = 0; i < change->step_count; i++) {
		lead_step(change, &change->steps[i]);
		worker_yield();
	}
	fill_live(change, live);
	commit_fragments(change, live);
	document = swap(change, &live, digest);
	for (i = 0; i < change->step_count; i++) {
		settle_step(change, &change->steps[i], live, &service->live[n]);
		n += change->steps[i].plan.after != NULL;
		worker_yield();
	}
	weigh_marked(service);
	worker_leave();
	free(live);
	lb_service_free(document);
	worker_enter();
}
