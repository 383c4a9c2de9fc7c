/* SPDX-License-Identifier: BSD-2-Clause */
/* How do packets find a new VIP, which is complete before the first one does? */
#include "change.h"

#include "entry.h"

int publish_follow(struct change *change, struct pool_step *step, struct lb_err *err)
{
	const struct live_pool *before = change_pool_before(change, step);
	const struct live_pool *next = &step->next;
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

int publish_hold(struct change *change, struct pool_step *step, struct lb_err *err)
{
	const struct lb_pool *pool = step->plan.after->pool;
	const struct live_pool *before = change_pool_before(change, step);

	if (arrive_hold(change->service, pool, before, &step->next))
		return lb_err_no_memory(err);
	step->waiting = arrive_waiting(change->service, pool, &step->next);
	step->serving = arrive_serving(pool, before, &step->next);
	return 0;
}

int publish_foretell(struct change *change, struct pool_step *step, struct lb_err *err)
{
	const struct lb_pool *pool = step->plan.after->pool;
	const struct live_pool *before = change_pool_before(change, step);

	if (arrive_foretell(pool, before, &step->next))
		return lb_err_no_memory(err);
	step->waiting = arrive_waiting(NULL, pool, &step->next);
	step->serving = arrive_serving(pool, before, &step->next);
	return 0;
}

/* A table that no VIP leads to yet begins with every slot SETTLED. But where its pool is there
 * already, members of it may be on record for flows of a VIP of this class that was removed: such a
 * record must not take effect later, when a new flow of that tuple has gone to the owner. */
static void begin(const struct service *service, struct slots *slots, const uint16_t *owners,
		  bool pool_is_new)
{
	if (pool_is_new || !service->flows_possible)
		slots_settle(slots, owners);
	else
		slots_track(slots, owners);
}

int publish_pool(struct change *change, struct pool_step *step, struct lb_err *err)
{
	const struct live_pool *before = change_pool_before(change, step);
	const struct live_pool *next = &step->next;

	(void)err;
	if (!before)
		lead_members(change->service, step->plan.after, next);
	for (int class = 0; class < POOL_CLASSES; class ++) {
		struct live_table *table = next->tables[class];

		if (!table || !table->fresh || table->taken)
			continue;
		step->published = true;
		begin(change->service, &table->slots, table_owners(next->table), !before);
	}
	return 0;
}

static int publish_vip(struct change *change, struct step *step, struct lb_err *err)
{
	struct service *service = change->service;
	const uint32_t pool = change_pool_after(change, step->plan.after)->number;

	live_set_pools(service, &step->next, lb_pools(pool, pool, pool));
	return entry_publish(service, step->plan.after, &step->next, err);
}

int publish_step(struct change *change, struct step *step, struct lb_err *err)
{
	if (step->plan.what != PLAN_ADDED)
		return 0;
	step->published = true;
	return publish_vip(change, step, err);
}

/* A VIP for every port may have stood where the entry of another one's fragments was. */
void publish_undo(struct service *service, const struct step *step)
{
	entry_withdraw(service, step->plan.after, service->document);
	if (!step->plan.after->endpoint.port)
		entry_fragments(service, service->document, service->live,
				&step->plan.after->endpoint);
}

void publish_withdraw_table(struct service *service, struct live_table *table)
{
	(void)service;
	slots_reset(&table->slots);
}
