/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a service document become what the data plane does, without a packet noticing?
 *
 * A change prepares everything that can fail beside what is in force (numbers, entries and tables
 * that nothing leads to yet), publishes new VIPs, writes the document to disk, and only then edits
 * what packets use; each step before that last one can be undone. So a change happens whole or not
 * at all.
 *
 * A worker makes it (host/worker.h), so that it may take its time: others have turns in between.
 * What is in force stays so until the last step ends in swap(), whatever is read meanwhile.
 */
#include "live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document_digest.h"
#include "plan.h"
#include "entry.h"
#include "risk.h"
#include "../host/state.h"

#define FRESHEN_MAX 3 /* times a table is brought up to date with results that came meanwhile */

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

static const struct live_vip *live_before(const struct change *change, const struct step *step)
{
	return &change->service->live[step->plan.before_index];
}

/* --- limits --- */

static int over_limit(const char *what, uint64_t wanted, uint32_t limit, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_LIMIT, "", "this would make %llu %s, the limit is %u",
		   (unsigned long long)wanted, what, limit);
	return lb_err_hint(err,
			   "raise limits.%s in lbd.json and start lbd once with "
			   "--reset-flows",
			   what);
}

static int check_limits(struct change *change, struct lb_err *err)
{
	const struct config *config = change->service->config;
	const struct lb_service *document = change->document;
	uint64_t backends = 0, slots = 0;
	size_t i;

	for (i = 0; i < document->vip_count; i++) {
		backends += document->vips[i].backend_count;
		slots += document->vips[i].table_size;
	}
	if (document->vip_count > config->vips)
		return over_limit("vips", document->vip_count, config->vips, err);
	if (backends > config->members)
		return over_limit("members", backends, config->members, err);
	if (slots > config->slots)
		return over_limit("slots", slots, config->slots, err);
	change->backend_count = backends;
	return 0;
}

/* --- preparing: nothing that packets use is touched --- */

const struct table_member *live_find(const struct live_vip *live, size_t *from,
				     const struct lb_addr *address)
{
	while (live && *from < live->backend_count) {
		const struct table_member *backend = &live->backends[*from];
		int order = lb_addr_compare(&backend->address, address);

		if (order >= 0)
			return order ? NULL : backend;
		++*from;
	}
	return NULL;
}

bool live_had_packets(const struct service *service, uint16_t number)
{
	struct lb_counter counter;

	return service->plane.counters(service->plane.datapath, number, &counter) ||
	       counter.packets;
}

/* Calls `each` for the members that `a` has and `b` has not. */
static void each_not_in(struct change *change, const struct live_vip *a, const struct live_vip *b,
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
static void member_undo(struct change *change, uint16_t number)
{
	sweep_member_clear(change->service->sweep, number);
	members_retire(change->service->members, number);
	members_free_number(change->service->members, number);
}

/* A member that flows may be on record for. */
static void member_end(struct change *change, uint16_t number)
{
	struct service *service = change->service;

	checks_drop(service, number);
	if (!service->flows_possible) {
		member_undo(change, number);
		return;
	}
	members_retire(service->members, number);
	sweep_member_gone(service->sweep, number);
	clock_start(service);
}

static void member_mark(struct change *change, uint16_t number)
{
	change->gone[number / 64] |= 1ull << number % 64;
}

static void member_unmark(struct change *change, uint16_t number)
{
	change->gone[number / 64] &= ~(1ull << number % 64);
}

/* next->backends, with the numbers of those that were there before, and new ones; their weights
 * come later. */
static int prepare_backends(struct service *service, const struct lb_vip *vip,
			    const struct live_vip *before, struct live_vip *next,
			    struct lb_err *err)
{
	size_t i, from = 0;

	next->backends = calloc(vip->backend_count + 1, sizeof(*next->backends));
	if (!next->backends)
		return lb_err_no_memory(err);
	for (i = 0; i < vip->backend_count; i++) {
		const struct lb_backend *backend = &vip->backends[i];
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
static int prepare_table(struct service *service, const struct plan_step *plan,
			 const struct live_vip *before, struct live_vip *next, struct lb_err *err)
{
	const struct lb_vip *vip = plan->after;

	if (before && before->table && plan->before->table == vip->table)
		next->table = table_copy(before->table);
	else
		next->table = table_new(vip->table, vip->table_size, service->config->seed);
	return next->table ? 0 : lb_err_no_memory(err);
}

/* The slots of all VIPs in force and of those that the change adds: what must have room at once. */
static uint64_t slots_at_once(const struct change *change, bool *removes)
{
	uint64_t sum = 0;
	size_t i;

	*removes = false;
	for (i = 0; i < change->step_count; i++) {
		const struct plan_step *plan = &change->steps[i].plan;

		sum += plan->before ? plan->before->table_size : plan->after->table_size;
		*removes |= plan->what == PLAN_REMOVED;
	}
	return sum;
}

static int no_room(const struct change *change, uint32_t size, struct lb_err *err)
{
	const struct service *service = change->service;
	uint32_t limit = service->config->slots;
	bool removes;
	uint64_t wanted = slots_at_once(change, &removes);
	unsigned long long enough = wanted > limit ? wanted : limit + (uint64_t)size;

	lb_err_set(err, LB_ERR_LIMIT, "",
		   "no contiguous space for a table of %u slots: %u are free, %u of them in one "
		   "piece",
		   size, limit - ranges_used(service->slot_ranges),
		   ranges_largest(service->slot_ranges));
	if (removes)
		return lb_err_hint(
			err,
			"new tables are made before old ones are removed: first remove VIPs (vip "
			"del, "
			"or a document without the new ones), then add; or set limits.slots to "
			"%llu or more and start lbd once with --reset-flows",
			enough);
	return lb_err_hint(err,
			   "remove VIPs first, or set limits.slots to %llu or more and start lbd "
			   "once with --reset-flows",
			   enough);
}

/* Takes a range of slots, all without owner. */
static int take_slots(struct change *change, uint32_t size, struct live_vip *next,
		      struct lb_err *err)
{
	struct service *service = change->service;
	uint32_t *words;

	next->slots = calloc(1, sizeof(*next->slots));
	if (!next->slots)
		return lb_err_no_memory(err);
	if (!ranges_take(service->slot_ranges, size, &next->slots_start))
		return no_room(change, size, err);
	words = service->plane.slots + next->slots_start;
	/* An lbd that was killed may have left owners there. */
	memset(words, 0xff, size * sizeof(*words));
	if (!slots_init(next->slots, words, size))
		return 0;
	ranges_give_back(service->slot_ranges, next->slots_start, size);
	return lb_err_no_memory(err);
}

uint32_t vip_numbers_capacity(const struct config *config)
{
	return config->vips > LB_VIP_NUMBERS_MAX / 2 ? LB_VIP_NUMBERS_MAX : config->vips * 2;
}

static int no_number(struct lb_err *err)
{
	lb_err_set(err, LB_ERR_LIMIT, "", "no VIP number is free");
	return lb_err_hint(err, "new VIPs are made before old ones are removed: first remove VIPs, "
				"then add");
}

static int take_place(struct change *change, const struct lb_vip *vip, struct live_vip *next,
		      struct lb_err *err)
{
	struct service *service = change->service;
	int error;

	if (!numbers_take(service->vip_numbers, &next->number))
		return no_number(err);
	error = take_slots(change, vip->table_size, next, err);
	if (error) {
		free(next->slots);
		numbers_give_back(service->vip_numbers, next->number);
	}
	return error;
}

static void leave_place(struct service *service, const struct live_vip *live)
{
	ranges_give_back(service->slot_ranges, live->slots_start, live->slots->size);
	numbers_give_back(service->vip_numbers, live->number);
	slots_clear(live->slots);
	free(live->slots);
}

/* --- new flows that cannot be told from old ones --- */

/* Backends of a UDP VIP that the change gives no new flows any more, in vain for a while. */
static json_t *datagrams_to_leaving(const struct step *step, const struct live_vip *before)
{
	const struct live_vip *next = &step->next;
	const uint32_t seconds = lb_vip_learn_s(step->plan.after);
	json_t *backends = seconds ? json_array() : NULL;
	char address[LB_ADDR_TEXT];
	size_t i, from = 0;

	for (i = 0; i < next->backend_count; i++) {
		const struct table_member *backend = &next->backends[i];
		const struct table_member *kept = live_find(before, &from, &backend->address);

		if (kept && kept->weight && !backend->weight)
			json_array_append_new(
				backends, json_string(lb_addr_format(&backend->address, address)));
	}
	if (json_array_size(backends))
		return json_pack("{s:i,s:o}", "seconds", (int)seconds, "backends", backends);
	json_decref(backends);
	return NULL;
}

static bool same_for_good(const struct lb_vip *a, const struct lb_vip *b)
{
	return a->table_size == b->table_size && a->hash == b->hash;
}

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

/* What a VIP keeps for as long as there is one. */
static int check_for_good(const struct plan_step *plan, struct lb_err *err)
{
	if (plan->before->table_size == plan->after->table_size)
		return check_hash(plan, err);
	lb_err_set(err, LB_ERR_REFUSED, "table_size",
		   "the table size of VIP %s is %u and cannot be changed after creation",
		   plan->after->name, plan->before->table_size);
	return lb_err_hint(err, "with another one every flow would move: delete the VIP and add it "
				"again if that is acceptable");
}

/* Also for a step that was prepared by half. */
static void undo_prepare(struct change *change, struct step *step)
{
	struct service *service = change->service;
	const struct live_vip *before = step->plan.before ? live_before(change, step) : NULL;
	struct live_vip *next = &step->next;

	table_free(next->table);
	each_not_in(change, next, before, member_undo);
	free(next->backends);
	free(next->standings);
	if (!before)
		leave_place(service, next);
}

static int prepare_step(struct change *change, struct step *step, struct lb_err *err)
{
	struct service *service = change->service;
	const struct plan_step *plan = &step->plan;
	const struct live_vip *before = plan->before ? live_before(change, step) : NULL;
	struct live_vip *next = &step->next;
	int error;

	if (before) {
		next->number = before->number;
		next->slots_start = before->slots_start;
		next->slots = before->slots;
		next->empty_at_s = before->empty_at_s;
		error = check_for_good(plan, err);
	} else {
		error = take_place(change, plan->after, next, err);
	}
	if (error)
		return error;
	step->prepared = true;
	error = prepare_backends(service, plan->after, before, next, err);
	if (!error && checks_weigh(plan->after, before, next))
		error = lb_err_no_memory(err);
	return error ? error : prepare_table(service, plan, before, next, err);
}

/* What takes longest, of data that is the change's own. */
static int build_step(struct change *change, struct step *step, struct lb_err *err)
{
	struct live_vip *next = &step->next;

	(void)change;
	if (vip_digest(step->plan.after, &next->digest) ||
	    table_update(next->table, next->backends, next->backend_count))
		return lb_err_no_memory(err);
	return 0;
}

static int assess_step(struct change *change, struct step *step, struct lb_err *err)
{
	struct service *service = change->service;
	const struct plan_step *plan = &step->plan;
	const struct live_vip *before = plan->before ? live_before(change, step) : NULL;
	const struct live_vip *next = &step->next;

	if (!before)
		return 0;
	step->moved = plan_moved(next->slots->words, table_owners(next->table), next->slots->size);
	step->ideal = plan_ideal(before->backends, before->backend_count, next->backends,
				 next->backend_count, next->slots->size);
	step->at_risk = risk_of_change(service, plan, before, next);
	step->datagrams = datagrams_to_leaving(step, before);
	return step->at_risk ? 0 : lb_err_no_memory(err);
}

/* --- VIPs that go, and VIPs that take packets from others: once all tables are made --- */

static int compare_step(const void *endpoint, const void *step)
{
	const struct plan_step *plan = &((const struct step *)step)->plan;
	const struct lb_vip *vip = plan->after ? plan->after : plan->before;

	return lb_endpoint_compare(endpoint, &vip->endpoint);
}

/* What a VIP of the next document becomes. */
static const struct live_vip *live_after(const struct change *change, const struct lb_vip *vip)
{
	const struct step *step = bsearch(&vip->endpoint, change->steps, change->step_count,
					  sizeof(*step), compare_step);

	return step->plan.what == PLAN_UNCHANGED ? live_before(change, step) : &step->next;
}

/* Its packets go to nobody, or back to the VIP for every port. */
static int assess_removed(struct change *change, struct step *step)
{
	const struct lb_vip *vip = step->plan.before;
	const struct lb_vip *to = plan_beside(change->document, &vip->endpoint);
	const struct risk_handover handover = {
		.from = vip,
		.from_live = live_before(change, step),
		.to = to,
		.to_live = to ? live_after(change, to) : NULL,
		.reason = to ? "its VIP is removed, and the one for every port leads its flows to "
			       "other backends"
			     : "its VIP is removed",
	};

	step->at_risk = risk_of_handover(change->service, &handover, &step->moved);
	if (!to)
		step->ideal = step->moved;
	return step->at_risk ? 0 : -ENOMEM;
}

/* It may get packets that were the VIP's for every port. When that goes, its own step says it. */
static int assess_added(struct change *change, struct step *step)
{
	struct service *service = change->service;
	const struct lb_vip *vip = step->plan.after;
	const struct lb_vip *from = plan_beside(service->document, &vip->endpoint);
	struct risk_handover handover = {
		.from = from,
		.to = vip,
		.to_live = &step->next,
		.reason = "the new VIP takes the flows to its port over, and leads them to other "
			  "backends",
		.name_from = true,
	};
	uint32_t moved;

	if (!from || !plan_beside(change->document, &vip->endpoint)) {
		step->at_risk = json_array();
		return step->at_risk ? 0 : -ENOMEM;
	}
	handover.from_live = &service->live[from - service->document->vips];
	step->at_risk = risk_of_handover(service, &handover, &moved);
	step->moved = (uint64_t)moved * vip->table_size / from->table_size;
	return step->at_risk ? 0 : -ENOMEM;
}

static int assess(struct change *change, struct lb_err *err)
{
	size_t i;

	for (i = 0; i < change->step_count; i++) {
		struct step *step = &change->steps[i];
		int error = 0;

		if (step->plan.what == PLAN_REMOVED)
			error = assess_removed(change, step);
		else if (step->plan.what == PLAN_ADDED)
			error = assess_added(change, step);
		if (error)
			return lb_err_no_memory(err);
		worker_yield();
	}
	return 0;
}

/* --- following the ways to new backends: only once it is known that the change may be made --- */

static int follow_step(struct change *change, struct step *step, struct lb_err *err)
{
	const struct live_vip *before = step->plan.before ? live_before(change, step) : NULL;
	const struct live_vip *next = &step->next;
	size_t i, from = 0;

	for (i = 0; i < next->backend_count; i++) {
		const struct table_member *backend = &next->backends[i];
		int error = 0;

		if (!live_find(before, &from, &backend->address))
			error = members_add(change->service->members, backend->number,
					    &backend->address, next->number, err);
		if (error)
			return error;
		worker_yield();
	}
	return 0;
}

static int hold_step(struct change *change, struct step *step, struct lb_err *err)
{
	const struct live_vip *before = step->plan.before ? live_before(change, step) : NULL;

	if (arrive_hold(change->service, step->plan.after, before, &step->next))
		return lb_err_no_memory(err);
	step->waiting = arrive_waiting(change->service, step->plan.after, &step->next);
	return 0;
}

/* --- publishing new VIPs: complete before the first packet finds them --- */

/* Flags and sweep of members follow the document, and their health. */
static void set_members(struct service *service, const struct lb_vip *vip,
			const struct live_vip *live)
{
	size_t i;

	for (i = 0; i < live->backend_count; i++) {
		const struct table_member *backend = &live->backends[i];

		members_set_takes(service->members, backend->number, backend->weight > 0,
				  standing_keeps_old(vip, live->standings[i], live->use_all));
		members_set_encap(service->members, backend->number, vip->encap == LB_ENCAP_GUE,
				  vip->endpoint.address.family);
		sweep_member_set(service->sweep, backend->number, live->slots, vip->transition_s,
				 vip->flow_idle_s);
	}
}

/* Takes a VIP out of the data plane. */
static void withdraw_vip(struct service *service, const struct lb_vip *vip,
			 const struct live_vip *live, const struct lb_service *remaining)
{
	entry_withdraw(service, vip, remaining);
	slots_reset(live->slots);
}

static int publish_vip(struct service *service, const struct lb_vip *vip,
		       const struct live_vip *live, struct lb_err *err)
{
	set_members(service, vip, live);
	slots_settle(live->slots, table_owners(live->table));
	return entry_publish(service, vip, live, err);
}

static int publish_step(struct change *change, struct step *step, struct lb_err *err)
{
	if (step->plan.what != PLAN_ADDED)
		return 0;
	step->published = true;
	return publish_vip(change->service, step->plan.after, &step->next, err);
}

/* --- all or nothing --- */

/* A VIP for every port may have stood where the entry of another one's fragments was. */
static void undo_publish(struct service *service, const struct step *step)
{
	withdraw_vip(service, step->plan.after, &step->next, service->document);
	if (!step->plan.after->endpoint.port)
		entry_fragments(service, service->document, service->live,
				&step->plan.after->endpoint);
}

static void undo(struct change *change)
{
	size_t i;

	for (i = change->step_count; i--;) {
		struct step *step = &change->steps[i];

		if (step->published)
			undo_publish(change->service, step);
		if (step->prepared)
			undo_prepare(change, step);
		worker_yield();
	}
}

static int each_step(struct change *change,
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

static void live_clear(struct live_vip *live)
{
	table_free(live->table);
	free(live->backends);
	free(live->standings);
}

/* New owners take flows before slots lead to them, old ones refuse them afterwards: a SYN in
 * between is at home with either. */
void live_lead(struct service *service, const struct lb_vip *vip, const struct live_vip *live,
	       const uint64_t *gone)
{
	set_members(service, vip, live);
	slots_change(live->slots, table_owners(live->table), gone, clock_now_s(service),
		     vip->transition_s);
	if (live->slots->moving)
		clock_start(service);
	clock_hasten_datagrams(service, vip, live);
	if (!service->flows_possible)
		slots_settle_tracked(live->slots);
}

/* --- into force: cannot fail any more --- */

/* While tables were built, or the document was written, backends may have become healthy or
 * unhealthy. A table that cannot be brought up to date now is when it is weighed again. */
static void freshen(struct change *change, struct step *step)
{
	const struct lb_vip *vip = step->plan.after;
	struct live_vip *next = &step->next;

	for (int round = 0; round < FRESHEN_MAX; round++) {
		if (!checks_merge(vip, live_before(change, step), next))
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
	each_not_in(change, before, next, member_mark);
	live_lead(service, step->plan.after, next, change->gone);
	each_not_in(change, before, next, member_unmark);
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
		withdraw_vip(service, step->plan.before, live_before(change, step),
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
			live[n++] = *live_before(change, step);
		else if (step->plan.what != PLAN_REMOVED)
			live[n++] = step->next;
	}
}

/* Packets no longer need what the VIP was. `live`: what it has become, NULL when it was removed. */
static void end_before(struct change *change, struct live_vip *before, struct live_vip *live)
{
	each_not_in(change, before, live, member_end);
	if (!live)
		leave_place(change->service, before);
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
	anew = plan->before &&
	       !schema_equal(&lb_health_schema, &plan->before->health, &plan->after->health);
	checks_follow(change->service, plan->after, live, anew);
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
		if (document->vips[i].flow_idle_s > longest)
			longest = document->vips[i].flow_idle_s;
	return sweep_units(longest);
}

/* What was found while the change was on its way, and belongs to the VIP whatever it becomes. */
static void merge_step(struct change *change, struct step *step)
{
	const struct live_vip *before = live_before(change, step);
	struct live_vip *next = &step->next;

	if (step->plan.what != PLAN_CHANGED)
		return;
	next->round_ends_ms = before->round_ends_ms;
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
	while (service->holds)
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

void live_index(struct service *service)
{
	size_t i;

	for (i = 0; i < service->document->vip_count; i++)
		service->vip_at[service->live[i].number] = i;
}

/* Cannot fail any more. `live` has room for every VIP of the next document. */
static void commit(struct change *change, struct live_vip *live, uint64_t digest)
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
	checks_reweigh(service);
	worker_leave();
	free(live);
	lb_service_free(document);
	worker_enter();
}

/* --- the CHANGE object --- */

static double percent(uint32_t part, uint32_t whole)
{
	return (double)(part * 10000ull / whole) / 100;
}

static json_t *step_json(const struct step *step)
{
	static const char *const what[] = {"unchanged", "changed", "added", "removed"};
	const struct lb_vip *vip = step->plan.after ? step->plan.after : step->plan.before;
	char address[LB_ENDPOINT_TEXT];

	return json_pack("{s:s,s:s,s:s,s:{s:i,s:i,s:f,s:i,s:f},s:O*,s:O*,s:O*}", "name", vip->name,
			 "address", lb_endpoint_format(&vip->endpoint, address), "what",
			 what[step->plan.what], "moved", "slots", (int)step->moved, "of",
			 (int)vip->table_size, "percent", percent(step->moved, vip->table_size),
			 "ideal_slots", (int)step->ideal, "ideal_percent",
			 percent(step->ideal, vip->table_size), "at_risk", step->at_risk,
			 "datagrams", step->datagrams, "waiting", step->waiting);
}

static json_t *change_json(const struct change *change)
{
	json_t *vips = json_array();
	size_t i;

	for (i = 0; i < change->step_count; i++) {
		if (change->steps[i].plan.what == PLAN_UNCHANGED ||
		    !json_array_append_new(vips, step_json(&change->steps[i])))
			continue;
		json_decref(vips); /* without memory: nothing, rather than half of it */
		return NULL;
	}
	return json_pack("{s:b,s:o}", "changed", json_array_size(vips) > 0, "vips", vips);
}

/* --- carrying a change out --- */

static int make_steps(struct change *change, struct lb_err *err)
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

static void free_steps(struct change *change)
{
	size_t i;

	for (i = 0; change->steps && i < change->step_count; i++) {
		json_decref(change->steps[i].at_risk);
		json_decref(change->steps[i].datagrams);
		json_decref(change->steps[i].waiting);
	}
	free(change->steps);
}

static bool differs(const struct change *change)
{
	size_t i;

	for (i = 0; i < change->step_count; i++)
		if (change->steps[i].plan.what != PLAN_UNCHANGED)
			return true;
	return false;
}

enum apply_mode { APPLY, APPLY_DRY, APPLY_RESTORE };

static const char *name_of(const struct step *step)
{
	return step->plan.after ? step->plan.after->name : step->plan.before->name;
}

static uint32_t size_of(const struct step *step)
{
	return step->plan.after ? step->plan.after->table_size : step->plan.before->table_size;
}

static int too_much_moves(const struct step *step, const struct apply_options *options,
			  struct lb_err *err)
{
	lb_err_set(err, LB_ERR_REFUSED, "", "this would move %.2f %% of the slots of VIP %s",
		   percent(step->moved, size_of(step)), name_of(step));
	return lb_err_hint(err, "at most %g %% are allowed; %.2f %% would be the least possible",
			   options->max_moved_percent, percent(step->ideal, size_of(step)));
}

static json_int_t recorded_flows(const json_t *at_risk)
{
	json_int_t sum = 0;
	const json_t *lost;
	size_t i;

	json_array_foreach (at_risk, i, lost)
		sum += json_integer_value(json_object_get(lost, "recorded_flows"));
	return sum;
}

static int flows_would_break(const struct step *step, struct lb_err *err)
{
	const json_t *lost = json_array_get(step->at_risk, 0);
	const char *backend = json_string_value(json_object_get(lost, "backend"));
	const char *from = json_string_value(json_object_get(lost, "vip"));
	const char *vip = from ? from : name_of(step);
	size_t others = json_array_size(step->at_risk) - 1;
	char more[48] = "";

	if (others)
		snprintf(more, sizeof(more), " and %zu other%s", others, others > 1 ? "s" : "");
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "this breaks connections through backend %s%s of VIP %s (flows on record: "
		   "%lld): %s",
		   backend, more, vip, (long long)recorded_flows(step->at_risk),
		   json_string_value(json_object_get(lost, "reason")));
	if (from)
		return lb_err_hint(err,
				   "give the new VIP the table size, hash, backends and weights of "
				   "VIP %.64s, and no flow moves; or use --force",
				   from);
	return lb_err_hint(err,
			   "drain it first (lbctl backend drain %.64s %s --wait 1h), or use "
			   "--force",
			   vip, backend);
}

/* What the operator allows of a change, against what it would do. */
static int check_allowed(const struct change *change, const struct apply_options *options,
			 struct lb_err *err)
{
	size_t i;

	for (i = 0; i < change->step_count; i++) {
		const struct step *step = &change->steps[i];

		if (100.0 * step->moved / size_of(step) > options->max_moved_percent)
			return too_much_moves(step, options, err);
		if (!options->force && json_array_size(step->at_risk))
			return flows_would_break(step, err);
	}
	return 0;
}

int save_document(struct service *service, const struct lb_service *document,
		  const struct state_revert *revert, struct lb_err *err)
{
	struct lb_err fault = {0};
	int error;

	worker_leave();
	error = service->disk->save(service->config->state_dir, document, revert, &fault);
	worker_enter();
	snprintf(service->save_fault, sizeof(service->save_fault), "%s", fault.message);
	if (error && err)
		*err = fault;
	return error;
}

/* Tables, and what else needs no turn. */
static int build(struct change *change, uint64_t *digest, struct lb_err *err)
{
	uint64_t *digests = calloc(change->document->vip_count + 1, sizeof(*digests));
	int error = digests ? 0 : lb_err_no_memory(err);
	size_t i, n = 0;

	if (!error)
		error = each_step(change, build_step, err);
	for (i = 0; !error && i < change->step_count; i++) {
		const struct step *step = &change->steps[i];

		if (step->plan.what == PLAN_UNCHANGED)
			digests[n++] = live_before(change, step)->digest;
		else if (step->plan.after)
			digests[n++] = step->next.digest;
	}
	if (!error)
		*digest = digest_of_digests(digests, n);
	free(digests);
	return error;
}

static int assess_all(struct change *change, enum apply_mode mode,
		      const struct apply_options *options, struct lb_err *err)
{
	int error = each_step(change, assess_step, err);

	if (!error && mode != APPLY_RESTORE)
		error = assess(change, err);
	if (!error && mode == APPLY)
		error = check_allowed(change, options, err);
	return error;
}

/* Of the change's own data. */
static int make_reply(struct change *change, json_t **reply, struct live_vip **live,
		      struct lb_err *err)
{
	int error;

	worker_leave();
	*reply = change_json(change);
	*live = calloc(change->document->vip_count + 1, sizeof(**live));
	error = *reply && *live ? 0 : lb_err_no_memory(err);
	worker_enter();
	return error;
}

static int apply_steps(struct change *change, enum apply_mode mode,
		       const struct apply_options *options, json_t **reply, struct lb_err *err)
{
	struct service *service = change->service;
	struct live_vip *live = NULL;
	uint64_t digest;
	int error = each_step(change, prepare_step, err);

	worker_leave();
	if (!error)
		error = build(change, &digest, err);
	worker_enter();
	if (!error)
		error = assess_all(change, mode, options, err);
	if (!error && mode != APPLY_DRY)
		error = each_step(change, follow_step, err);
	if (!error && mode != APPLY_DRY)
		error = each_step(change, hold_step, err);
	if (!error)
		error = make_reply(change, reply, &live, err);
	if (!error && mode != APPLY_DRY)
		error = each_step(change, publish_step, err);
	if (!error && mode == APPLY && differs(change))
		error = save_document(service, change->document, change->revert, err);
	if (!error && mode != APPLY_DRY) {
		commit(change, live, digest);
		return 0;
	}
	undo(change);
	free(live);
	return error;
}

/* Looks at documents only. The one in force changes on this thread alone. */
static int plan(struct change *change, struct lb_err *err)
{
	int error;

	worker_leave();
	error = check_limits(change, err);
	if (!error)
		error = lb_service_check_backends(change->document, err);
	if (!error)
		error = lb_service_check_fragments(change->document, err);
	if (!error)
		error = make_steps(change, err);
	worker_enter();
	return error;
}

static int apply(struct service *service, struct lb_service *next, enum apply_mode mode,
		 const struct apply_options *options, const struct state_revert *revert,
		 json_t **reply, struct lb_err *err)
{
	static uint64_t gone[(LB_NONE + 1) / 64]; /* all clear between changes */
	struct change change = {
		.service = service, .document = next, .revert = revert, .gone = gone};
	int error;

	*reply = NULL;
	error = entry_repair(service, err);
	service->changing = true;
	if (!error)
		error = plan(&change, err);
	if (!error && mode != APPLY_DRY)
		error = checks_prepare(service, next, err);
	if (!error)
		error = apply_steps(&change, mode, options, reply, err);
	service->changing = false;
	worker_leave();
	free_steps(&change);
	lb_service_free(change.document);
	worker_enter();
	checks_settle(service);
	if (service->entries_wrong)
		clock_start(service);
	if (error) {
		json_decref(*reply);
		*reply = NULL;
	} else {
		json_object_set_new(*reply, "document_digest", service_digest(service));
	}
	return error;
}

int apply_now(struct service *service, struct lb_service *next, const struct apply_options *options,
	      const struct state_revert *revert, json_t **change, struct lb_err *err)
{
	int error = apply(service, next, APPLY, options, revert, change, err);

	if (!error)
		drains_look(service);
	return error;
}

int service_apply(struct service *service, struct lb_service *next,
		  const struct apply_options *options, json_t **change, struct lb_err *err)
{
	if (checks_allowed(service, next, err)) {
		lb_service_free(next);
		return -EINVAL;
	}
	if (options->dry_run)
		return apply(service, next, APPLY_DRY, options, NULL, change, err);
	if (confirm_check(service, err)) {
		lb_service_free(next);
		return -EINVAL;
	}
	if (options->confirm_s)
		return confirm_apply(service, next, options, change, err);
	return apply_now(service, next, options, NULL, change, err);
}

/* --- reading what is in force over several turns --- */

void service_hold(struct service *service)
{
	while (service->swapping && worker_is_one())
		worker_pause();
	service->holds++;
}

void service_let_go(struct service *service)
{
	service->holds--;
}

void service_work(struct service *service, struct worker *changes, struct worker *upkeep)
{
	service->changes = changes;
	service->upkeep = upkeep;
}

/* --- life --- */

static int apply_quietly(struct service *service, struct lb_service *next, struct lb_err *err)
{
	json_t *change = NULL;
	int error = apply(service, next, APPLY_RESTORE, NULL, NULL, &change, err);

	json_decref(change);
	return error;
}

/* A VIP whose table has another size in `kept`, or that hashes by another policy there, cannot
 * become that one: it is dropped first. */
static int drop_others(struct service *service, const struct lb_service *kept, struct lb_err *err)
{
	struct lb_service *next = lb_service_copy(service->document);
	bool dropped = false;
	size_t i, n = 0;

	if (!next)
		return lb_err_no_memory(err);
	for (i = 0; i < next->vip_count; i++) {
		const struct lb_vip *vip = lb_service_find(kept, next->vips[i].name);

		if (!vip || same_for_good(vip, &next->vips[i])) {
			next->vips[n++] = next->vips[i];
			continue;
		}
		schema_clear(&lb_vip_schema, &next->vips[i]);
		dropped = true;
	}
	next->vip_count = n;
	if (dropped)
		return apply_quietly(service, next, err);
	lb_service_free(next);
	return 0;
}

/* From the first start on there is a file, so that one that is missing later was lost. Where it
 * cannot be written now, the first change will be refused, and says why. */
static void save_first(struct service *service)
{
	if (!service->disk->has(service->config->state_dir))
		save_document(service, service->document, NULL, NULL);
}

static int restore(struct service *service, struct lb_err *err)
{
	struct state_revert revert;
	struct lb_service *kept;
	int error = service_check_lost(service, err);

	if (!error)
		error = service->disk->load(service->config->state_dir, &kept, &revert, err);
	if (error)
		return error;
	if (service->plane.adopted) {
		error = service_adopt(service, kept, err);
		if (!error)
			error = drop_others(service, kept, err);
	}
	if (error) {
		lb_service_free(kept);
		lb_service_free(revert.document);
		return error;
	}
	error = apply_quietly(service, kept, err);
	members_adopted(service->members);
	if (!error)
		entry_tidy(service);
	drains_tell(service, true);
	if (error) {
		lb_service_free(revert.document);
		return error;
	}
	save_first(service);
	confirm_restore(service, &revert);
	return 0;
}

int service_open(const struct service_options *options, struct service **out, struct lb_err *err)
{
	const struct config *config = options->config;
	struct service *service = calloc(1, sizeof(*service));
	int error;

	if (!service)
		return lb_err_no_memory(err);
	service->config = config;
	service->plane = options->plane;
	service->disk = options->disk;
	service->timers = options->timers;
	service->events = options->events;
	service->vip_numbers = numbers_new(vip_numbers_capacity(config));
	service->slot_ranges = ranges_new(config->slots);
	service->vip_at = calloc(vip_numbers_capacity(config), sizeof(*service->vip_at));
	service->digest = digest_of_digests(NULL, 0);
	service->document = lb_service_new();
	if (!service->vip_numbers || !service->slot_ranges || !service->vip_at ||
	    !service->document)
		error = lb_err_no_memory(err);
	else
		error = members_open(config, &service->plane, options->base, options->events,
				     &service->members, err);
	if (!error)
		error = clock_open(service, err);
	if (!error)
		error = drains_open(service, err);
	if (!error)
		error = confirm_open(service, err);
	if (!error)
		error = checks_open(service, options->base, err);
	if (!error)
		error = arrive_open(service, err);
	if (!error)
		error = restore(service, err);
	if (error) {
		service_close(service);
		return error;
	}
	*out = service;
	return 0;
}

void service_close(struct service *service)
{
	size_t i;

	if (!service)
		return;
	checks_close(service);
	arrive_close(service);
	confirm_close(service);
	clock_close(service);
	chore_close(&service->drains);
	for (i = 0; service->live && i < service->document->vip_count; i++) {
		if (service->live[i].slots)
			slots_clear(service->live[i].slots);
		free(service->live[i].slots);
		live_clear(&service->live[i]);
	}
	free(service->live);
	free(service->vip_at);
	members_close(service->members);
	numbers_free(service->vip_numbers);
	ranges_free(service->slot_ranges);
	lb_service_free(service->document);
	free(service);
}

void service_path_mtu(struct service *service, const struct pmtu_news *news)
{
	members_path_mtu(service->members, news);
}

uint64_t service_digest_value(const struct service *service)
{
	return service->digest;
}

json_t *service_digest(const struct service *service)
{
	char text[DIGEST_TEXT];

	return json_string(digest_text(service_digest_value(service), text));
}

const struct lb_service *service_document(const struct service *service)
{
	return service->document;
}
