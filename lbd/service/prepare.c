/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a VIP need beside what is in force, before anything that packets use is touched? */
#include "change.h"

#include <stdlib.h>

#include "document_digest.h"

/* next->backends, with the numbers of those that were there before, and new ones; their weights
 * come later. */
static int prepare_backends(struct service *service, const struct lb_vip *vip,
			    const struct live_vip *before, struct live_vip *next,
			    struct lb_err *err)
{
	size_t i, from = 0;

	next->backends = calloc(vip->pool->backend_count + 1, sizeof(*next->backends));
	if (!next->backends)
		return lb_err_no_memory(err);
	for (i = 0; i < vip->pool->backend_count; i++) {
		const struct lb_backend *backend = &vip->pool->backends[i];
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

	if (before && before->table && plan->before->pool->table == vip->pool->table)
		next->table = table_copy(before->table);
	else
		next->table =
			table_new(vip->pool->table, vip->pool->table_size, service->config->seed);
	return next->table ? 0 : lb_err_no_memory(err);
}

bool prepare_same_for_good(const struct lb_vip *a, const struct lb_vip *b)
{
	return a->pool->table_size == b->pool->table_size && a->hash == b->hash;
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
	if (plan->before->pool->table_size == plan->after->pool->table_size)
		return check_hash(plan, err);
	lb_err_set(err, LB_ERR_REFUSED, "table_size",
		   "the table size of VIP %s is %u and cannot be changed after creation",
		   plan->after->name, plan->before->pool->table_size);
	return lb_err_hint(err, "with another one every flow would move: delete the VIP and add it "
				"again if that is acceptable");
}

int prepare_step(struct change *change, struct step *step, struct lb_err *err)
{
	struct service *service = change->service;
	const struct plan_step *plan = &step->plan;
	const struct live_vip *before = plan->before ? change_before(change, step) : NULL;
	struct live_vip *next = &step->next;
	int error;

	if (before) {
		next->number = before->number;
		next->slots_start = before->slots_start;
		next->slots = before->slots;
		next->empty_at_s = before->empty_at_s;
		error = check_for_good(plan, err);
	} else {
		error = place_take(change, plan->after, next, err);
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
int prepare_build(struct change *change, struct step *step, struct lb_err *err)
{
	struct live_vip *next = &step->next;

	(void)change;
	if (vip_digest(step->plan.after, &next->digest) ||
	    table_update(next->table, next->backends, next->backend_count))
		return lb_err_no_memory(err);
	return 0;
}

/* Also for a step that was prepared by half. */
void prepare_undo(struct change *change, struct step *step)
{
	struct service *service = change->service;
	const struct live_vip *before = step->plan.before ? change_before(change, step) : NULL;
	struct live_vip *next = &step->next;

	table_free(next->table);
	change_members_not_in(change, next, before,
			      step->published ? change_end_member : change_drop_member);
	free(next->backends);
	free(next->standings);
	if (!before)
		place_leave(service, next);
}
