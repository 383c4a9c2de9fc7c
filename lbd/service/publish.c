/* SPDX-License-Identifier: BSD-2-Clause */
/* How do packets find a new VIP, which is complete before the first one does? */
#include "change.h"

#include "entry.h"

int publish_follow(struct change *change, struct step *step, struct lb_err *err)
{
	const struct live_vip *before = step->plan.before ? change_before(change, step) : NULL;
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

int publish_hold(struct change *change, struct step *step, struct lb_err *err)
{
	const struct live_vip *before = step->plan.before ? change_before(change, step) : NULL;

	if (arrive_hold(change->service, step->plan.after, before, &step->next))
		return lb_err_no_memory(err);
	step->waiting = arrive_waiting(change->service, step->plan.after, &step->next);
	return 0;
}

/* Takes a VIP out of the data plane. */
void publish_withdraw(struct service *service, const struct lb_vip *vip,
		      const struct live_vip *live, const struct lb_service *remaining)
{
	entry_withdraw(service, vip, remaining);
	slots_reset(live->slots);
}

static int publish_vip(struct service *service, const struct lb_vip *vip,
		       const struct live_vip *live, struct lb_err *err)
{
	lead_members(service, vip, live);
	slots_settle(live->slots, table_owners(live->table));
	return entry_publish(service, vip, live, err);
}

int publish_step(struct change *change, struct step *step, struct lb_err *err)
{
	if (step->plan.what != PLAN_ADDED)
		return 0;
	step->published = true;
	return publish_vip(change->service, step->plan.after, &step->next, err);
}

/* A VIP for every port may have stood where the entry of another one's fragments was. */
void publish_undo(struct service *service, const struct step *step)
{
	publish_withdraw(service, step->plan.after, &step->next, service->document);
	if (!step->plan.after->endpoint.port)
		entry_fragments(service, service->document, service->live,
				&step->plan.after->endpoint);
}
