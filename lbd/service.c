/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a service document become what the data plane does, without a packet noticing?
 *
 * A change prepares everything that can fail beside what is in force (numbers, entries and tables
 * that nothing leads to yet), publishes new VIPs, writes the document to disk, and only then edits
 * what packets use; each step before that last one can be undone. So a change happens whole or not
 * at all.
 */
#include "service_live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "state.h"

/* One VIP of a change on its way. */
struct step {
	struct plan_step plan;
	struct live_vip next; /* what it becomes, unless removed or unchanged */
	bool prepared, published;
	uint32_t moved, ideal; /* slots */
};

struct change {
	struct service *service;
	struct lb_service *document; /* the next one */
	struct step *steps;
	size_t step_count;
	uint32_t backend_count;
};

static int no_memory(struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_SYSTEM, "", "out of memory");
}

static const struct live_vip *live_before(const struct change *change, const struct step *step)
{
	return &change->service->live[step->plan.before_index];
}

static uint32_t *slots_of(const struct service *service, const struct live_vip *live)
{
	return datapath_slots(service->datapath) + live->slots_start;
}

/* --- limits --- */

static int over_limit(const char *what, uint64_t wanted, uint32_t limit, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_LIMIT, "", "this would make %llu %s, the limit is %u",
		   (unsigned long long)wanted, what, limit);
	return lb_err_hint(err, "raise limits.%s in lbd.json and restart lbd", what);
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

/* The backend at `address` in the VIP as it is, or NULL. Both lists are sorted; *from moves on. */
static const struct table_member *find_kept(const struct live_vip *before, size_t *from,
					    const struct lb_addr *address)
{
	while (before && *from < before->backend_count) {
		const struct table_member *backend = &before->backends[*from];
		int order = lb_addr_compare(&backend->address, address);

		if (order >= 0)
			return order ? NULL : backend;
		++*from;
	}
	return NULL;
}

/* Gives the members that `a` has and `b` has not back. */
static void del_members_not_in(struct service *service, const struct live_vip *a,
			       const struct live_vip *b)
{
	size_t i, from = 0;

	for (i = 0; i < a->backend_count; i++)
		if (!find_kept(b, &from, &a->backends[i].address))
			members_del(service->members, a->backends[i].number);
}

/* next->backends, with the numbers of those that were there before, and new ones. */
static int prepare_backends(struct service *service, const struct lb_vip *vip,
			    const struct live_vip *before, struct live_vip *next,
			    struct lb_err *err)
{
	size_t i, from = 0;

	next->backends = calloc(vip->backend_count + 1, sizeof(*next->backends));
	if (!next->backends)
		return no_memory(err);
	for (i = 0; i < vip->backend_count; i++) {
		const struct lb_backend *backend = &vip->backends[i];
		struct table_member *member = &next->backends[i];
		const struct table_member *kept = find_kept(before, &from, &backend->address);
		int error = 0;

		*member = (struct table_member){.address = backend->address,
						.weight = backend->weight};
		if (kept)
			member->number = kept->number;
		else
			error = members_add(service->members, &backend->address, &member->number,
					    err);
		if (error)
			return error;
		next->backend_count++;
	}
	return 0;
}

/* A table that was there is brought up to date in place; a new kind of table is a new one. */
static int prepare_table(struct service *service, const struct plan_step *plan,
			 const struct live_vip *before, struct live_vip *next, struct lb_err *err)
{
	const struct lb_vip *vip = plan->after;

	if (before && plan->before->table == vip->table)
		next->table = before->table;
	else
		next->table = table_new(vip->table, vip->table_size, service->config->seed);
	if (!next->table || table_update(next->table, next->backends, next->backend_count))
		return no_memory(err);
	return 0;
}

static int take_place(struct service *service, const struct lb_vip *vip, struct live_vip *next,
		      struct lb_err *err)
{
	if (!numbers_take(service->vip_numbers, &next->number))
		return lb_err_set(err, LB_ERR_LIMIT, "", "no VIP number is free");
	if (ranges_take(service->slot_ranges, vip->table_size, &next->slots_start)) {
		next->slots_size = vip->table_size;
		return 0;
	}
	numbers_give_back(service->vip_numbers, next->number);
	lb_err_set(err, LB_ERR_LIMIT, "", "no room in one piece for a table of %u slots",
		   vip->table_size);
	return lb_err_hint(err, "raise limits.slots in lbd.json, or remove VIPs first");
}

static void leave_place(struct service *service, const struct live_vip *live)
{
	ranges_give_back(service->slot_ranges, live->slots_start, live->slots_size);
	numbers_give_back(service->vip_numbers, live->number);
}

static int check_table_size(const struct plan_step *plan, struct lb_err *err)
{
	if (plan->before->table_size == plan->after->table_size)
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "table_size", "VIP %s has a table of %u slots for good",
		   plan->after->name, plan->before->table_size);
	return lb_err_hint(err, "another size would move every flow: delete the VIP and add it "
				"anew if that may be");
}

/* Also for a step that was prepared by half. */
static void undo_prepare(struct change *change, struct step *step)
{
	struct service *service = change->service;
	const struct live_vip *before = step->plan.before ? live_before(change, step) : NULL;
	struct live_vip *next = &step->next;

	if (before && next->table == before->table)
		table_update(before->table, before->backends, before->backend_count);
	else
		table_free(next->table);
	del_members_not_in(service, next, before);
	free(next->backends);
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
		next->slots_size = before->slots_size;
		error = check_table_size(plan, err);
	} else {
		error = take_place(service, plan->after, next, err);
	}
	if (error)
		return error;
	step->prepared = true;
	error = prepare_backends(service, plan->after, before, next, err);
	if (!error)
		error = prepare_table(service, plan, before, next, err);
	if (error || !before)
		return error;
	step->moved =
		plan_moved(slots_of(service, next), table_owners(next->table), next->slots_size);
	step->ideal = plan_ideal(plan->before, plan->after);
	return 0;
}

/* --- publishing new VIPs: complete before the first packet finds them --- */

static void write_slots(struct service *service, const struct live_vip *live)
{
	const uint16_t *owners = table_owners(live->table);
	uint32_t *words = slots_of(service, live), i;

	for (i = 0; i < live->slots_size; i++)
		if (words[i] != lb_slot_settled(owners[i]))
			__atomic_store_n(&words[i], lb_slot_settled(owners[i]), __ATOMIC_RELEASE);
}

static void clear_slots(struct service *service, const struct live_vip *live)
{
	uint32_t *words = slots_of(service, live), i;

	for (i = 0; i < live->slots_size; i++)
		__atomic_store_n(&words[i], lb_slot_settled(LB_NONE), __ATOMIC_RELEASE);
}

static struct lb_endpoint address_only(const struct lb_endpoint *endpoint)
{
	return (struct lb_endpoint){.address = endpoint->address};
}

static bool address_in_use(const struct lb_service *document, const struct lb_addr *address)
{
	size_t i;

	for (i = 0; i < document->vip_count; i++)
		if (lb_addr_equal(&document->vips[i].endpoint.address, address))
			return true;
	return false;
}

/* Takes a VIP out of the data plane, and its address when no VIP of `remaining` has it. */
static void withdraw_vip(struct service *service, const struct lb_vip *vip,
			 const struct live_vip *live, const struct lb_service *remaining)
{
	const struct lb_endpoint address = address_only(&vip->endpoint);

	datapath_vip_del(service->datapath, &vip->endpoint, NULL);
	if (!address_in_use(remaining, &vip->endpoint.address))
		datapath_vip_del(service->datapath, &address, NULL);
	clear_slots(service, live);
}

static int publish_vip(struct service *service, const struct lb_vip *vip,
		       const struct live_vip *live, struct lb_err *err)
{
	const struct lb_endpoint address = address_only(&vip->endpoint);
	const struct lb_vip_value known = {.flags = LB_VIP_ADDRESS_ONLY};
	const struct lb_vip_value value = {
		.number = live->number,
		.slots_start = live->slots_start,
		.slots_size = live->slots_size,
	};
	int error;

	write_slots(service, live);
	error = datapath_vip_set(service->datapath, &address, &known, err);
	if (!error)
		error = datapath_vip_set(service->datapath, &vip->endpoint, &value, err);
	return error;
}

static int publish_step(struct change *change, struct step *step, struct lb_err *err)
{
	if (step->plan.what != PLAN_ADDED)
		return 0;
	step->published = true;
	return publish_vip(change->service, step->plan.after, &step->next, err);
}

/* --- all or nothing --- */

static void undo(struct change *change)
{
	size_t i;

	for (i = change->step_count; i--;) {
		struct step *step = &change->steps[i];

		if (step->published)
			withdraw_vip(change->service, step->plan.after, &step->next,
				     change->service->document);
		if (step->prepared)
			undo_prepare(change, step);
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
	}
	return 0;
}

static void live_clear(struct live_vip *live)
{
	table_free(live->table);
	free(live->backends);
}

static void commit_changed(struct change *change, struct step *step)
{
	struct live_vip *before = &change->service->live[step->plan.before_index];

	write_slots(change->service, &step->next);
	del_members_not_in(change->service, before, &step->next);
	if (before->table == step->next.table)
		before->table = NULL;
	live_clear(before);
}

static void commit_removed(struct change *change, struct step *step)
{
	struct live_vip *before = &change->service->live[step->plan.before_index];

	withdraw_vip(change->service, step->plan.before, before, change->document);
	del_members_not_in(change->service, before, NULL);
	leave_place(change->service, before);
	live_clear(before);
}

/* Cannot fail any more. `live` has room for every VIP of the next document. */
static void commit(struct change *change, struct live_vip *live)
{
	struct service *service = change->service;
	size_t i, n = 0;

	for (i = 0; i < change->step_count; i++) {
		struct step *step = &change->steps[i];

		switch (step->plan.what) {
		case PLAN_UNCHANGED:
			live[n++] = *live_before(change, step);
			continue;
		case PLAN_CHANGED:
			commit_changed(change, step);
			break;
		case PLAN_REMOVED:
			commit_removed(change, step);
			continue;
		case PLAN_ADDED:
			break;
		}
		live[n++] = step->next;
	}
	free(service->live);
	service->live = live;
	service->backend_count = change->backend_count;
	lb_service_free(service->document);
	service->document = change->document;
	change->document = NULL;
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

	return json_pack("{s:s,s:s,s:s,s:{s:i,s:i,s:f,s:i,s:f}}", "name", vip->name, "address",
			 lb_endpoint_format(&vip->endpoint, address), "what", what[step->plan.what],
			 "moved", "slots", (int)step->moved, "of", (int)vip->table_size, "percent",
			 percent(step->moved, vip->table_size), "ideal_slots", (int)step->ideal,
			 "ideal_percent", percent(step->ideal, vip->table_size));
}

static json_t *change_json(const struct change *change)
{
	json_t *vips = json_array();
	size_t i;

	for (i = 0; i < change->step_count; i++)
		if (change->steps[i].plan.what != PLAN_UNCHANGED)
			json_array_append_new(vips, step_json(&change->steps[i]));
	return json_pack("{s:b,s:o}", "changed", json_array_size(vips) > 0, "vips", vips);
}

/* --- carrying a change out --- */

static int make_steps(struct change *change, struct lb_err *err)
{
	struct plan_step *plan;
	size_t i;

	if (plan_diff(change->service->document, change->document, &plan, &change->step_count))
		return no_memory(err);
	change->steps = calloc(change->step_count + 1, sizeof(*change->steps));
	for (i = 0; change->steps && i < change->step_count; i++)
		change->steps[i].plan = plan[i];
	free(plan);
	return change->steps ? 0 : no_memory(err);
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

static int apply_steps(struct change *change, enum apply_mode mode, json_t **reply,
		       struct lb_err *err)
{
	struct service *service = change->service;
	struct live_vip *live = NULL;
	int error = each_step(change, prepare_step, err);

	if (!error) {
		*reply = change_json(change);
		live = calloc(change->document->vip_count + 1, sizeof(*live));
		error = *reply && live ? 0 : no_memory(err);
	}
	if (!error && mode != APPLY_DRY)
		error = each_step(change, publish_step, err);
	if (!error && mode == APPLY && differs(change))
		error = state_save_service(service->config->state_dir, change->document, err);
	if (!error && mode != APPLY_DRY) {
		commit(change, live);
		return 0;
	}
	undo(change);
	free(live);
	return error;
}

static int apply(struct service *service, struct lb_service *next, enum apply_mode mode,
		 json_t **reply, struct lb_err *err)
{
	struct change change = {.service = service, .document = next};
	int error;

	*reply = NULL;
	error = check_limits(&change, err);
	if (!error)
		error = make_steps(&change, err);
	if (!error)
		error = apply_steps(&change, mode, reply, err);
	free(change.steps);
	lb_service_free(change.document);
	if (error) {
		json_decref(*reply);
		*reply = NULL;
	}
	return error;
}

int service_apply(struct service *service, struct lb_service *next, bool dry_run, json_t **change,
		  struct lb_err *err)
{
	return apply(service, next, dry_run ? APPLY_DRY : APPLY, change, err);
}

/* --- life --- */

static int restore(struct service *service, struct lb_err *err)
{
	struct lb_service *kept;
	json_t *change = NULL;
	int error = state_load_service(service->config->state_dir, &kept, err);

	if (error)
		return error;
	error = apply(service, kept, APPLY_RESTORE, &change, err);
	json_decref(change);
	return error;
}

int service_open(const struct config *config, struct datapath *datapath, struct event_base *base,
		 struct service **out, struct lb_err *err)
{
	struct service *service = calloc(1, sizeof(*service));
	int error;

	if (!service)
		return no_memory(err);
	service->config = config;
	service->datapath = datapath;
	service->vip_numbers = numbers_new(config->vips * 2);
	service->slot_ranges = ranges_new(config->slots);
	service->document = lb_service_new();
	if (!service->vip_numbers || !service->slot_ranges || !service->document)
		error = no_memory(err);
	else
		error = members_open(config, datapath, base, &service->members, err);
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
	for (i = 0; service->live && i < service->document->vip_count; i++)
		live_clear(&service->live[i]);
	free(service->live);
	members_close(service->members);
	numbers_free(service->vip_numbers);
	ranges_free(service->slot_ranges);
	lb_service_free(service->document);
	free(service);
}

const struct lb_service *service_document(const struct service *service)
{
	return service->document;
}
