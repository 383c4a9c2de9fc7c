/* SPDX-License-Identifier: BSD-2-Clause */
/* Which slots does a change move, and whose flows does it end? */
#include "change.h"

#include <errno.h>
#include <stdlib.h>

#include "beside.h"
#include "risk.h"

/* Backends that the change gives no new flows any more, in vain for a while at UDP VIPs. */
static json_t *datagrams_to_leaving(const struct pool_step *step, const struct live_pool *before)
{
	const struct live_pool *next = &step->next;
	const struct pool_ref *after = step->plan.after;
	const uint32_t seconds =
		after->vips[POOL_DATAGRAMS] ? pools_learn_s(after->pool, POOL_DATAGRAMS) : 0;
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

/* Slots of one table as the same share of another. */
static uint32_t as_share(uint32_t slots, uint32_t from, uint32_t to)
{
	return (uint64_t)slots * to / from;
}

/* Of the tables that the pool has had, the one of which most moves. */
static uint32_t moved_of(const struct lb_pool *pool, const struct live_pool *before,
			 const struct live_pool *next)
{
	uint32_t most = 0, moved;

	for (size_t n = 0; n < live_tables(before); n++) {
		const struct live_table *table = live_table(before, n);

		if (!table || !table->kept || table->taken)
			continue;
		moved = as_share(
			plan_moved(table->slots.words, live_owners(pool, next), table->slots.size),
			table->slots.size, pool->table_size);
		if (moved > most)
			most = moved;
	}
	return most;
}

int assess_pool(struct change *change, struct pool_step *step, struct lb_err *err)
{
	struct service *service = change->service;
	const struct plan_pool *plan = &step->plan;
	const struct live_pool *before = change_pool_before(change, step);
	const struct live_pool *next = &step->next;

	if (!before || plan->what == PLAN_FOLLOWS)
		return 0;
	step->moved = moved_of(plan->after->pool, before, next);
	step->ideal = plan_ideal(before->backends, before->backend_count, next->backends,
				 next->backend_count, plan->after->pool->table_size);
	step->at_risk = risk_of_change(service, plan, before, next);
	step->datagrams = datagrams_to_leaving(step, before);
	return step->at_risk ? 0 : lb_err_no_memory(err);
}

/* Flows of a VIP that went to another pool may be in those that it has left, too. */
static json_t *risk_of_all(struct service *service, const struct risk_handover *handover,
			   uint32_t *moved)
{
	json_t *all = risk_of_handover(service, handover, moved), *more;
	struct risk_handover left = *handover;
	uint32_t more_moved;
	size_t place;

	for (int i = 0; all && i < TABLE_LEFT; i++) {
		if (!live_find_pool(service, handover->from_table->left[i], &place))
			continue;
		left.from_live = &service->live_pools[place];
		more = risk_of_handover(service, &left, &more_moved);
		if (!more || json_array_extend(all, more)) {
			json_decref(all);
			all = NULL;
		}
		json_decref(more);
		*moved += more_moved;
	}
	return all;
}

/* What the assessment of all VIPs has in common. */
struct assessment {
	struct change *change;
	struct lb_wide_kinds before, after; /* of the two documents */
	/* Of VIPs of one table that go, and leave their packets to nobody, the same is at risk: what the
	 * first of them came to. By place of the table. */
	const struct step **firsts;
};

/* Where it is: VIPs of one table differ in whether they read QUIC server ids. */
static const struct step **first_of(const struct assessment *assessment, const struct step *step)
{
	const struct live_vip *before = change_before(assessment->change, step);

	return &assessment->firsts[(before->pool * POOL_CLASSES + before->table->class) * 2 +
				   (step->plan.before->quic_count > 0)];
}

/* What a VIP of the next document is; NULL: it is new. */
static const struct live_vip *live_before(const struct change *change, const struct lb_vip *after)
{
	const struct service *service = change->service;
	const struct lb_vip *before = lb_service_find_endpoint(service->document, &after->endpoint);

	return before ? live_of(service, before) : NULL;
}

/* To another pool, or to slots of another size. */
static bool goes_elsewhere(const struct change *change, const struct lb_vip *after)
{
	const struct live_vip *before = live_before(change, after);

	return before && (change->service->live_pools[before->pool].number !=
				  change_pool_after(change, after)->number ||
			  before->table->slots.size != after->pool->table_size);
}

/* The less specific VIP that has the packets afterwards; NULL: nobody, or several, or one that goes
 * elsewhere itself; then all of them are taken for lost. */
static const struct lb_vip *heir_of(const struct assessment *assessment, const struct lb_vip *vip)
{
	struct beside beside;

	beside_find(assessment->change->document, &assessment->after, &vip->endpoint, &beside);
	return beside.count == 1 && beside.whole &&
			       !goes_elsewhere(assessment->change, beside.vips[0])
		       ? beside.vips[0]
		       : NULL;
}

/* Packets of the one follow the slots and the records that those of the other do. */
static bool share_slots(const struct lb_vip *from, const struct live_table *from_table,
			const struct lb_vip *to, const struct live_table *to_table)
{
	return from_table == to_table && from->hash == to->hash;
}

static int assess_removed(struct change *change, struct step *step, const struct lb_vip *to)
{
	const struct lb_vip *vip = step->plan.before;
	const struct live_vip *heir = to ? live_before(change, to) : NULL;
	const struct risk_handover handover = {
		.from = vip,
		.from_live = live_pool_of(change->service, vip),
		.from_table = change_before(change, step)->table,
		.to = to,
		.to_live = to ? change_pool_after(change, to) : NULL,
		.to_table = heir ? heir->table : NULL,
		.reason = to ? "its VIP is removed, and the one that is less specific leads its "
			       "flows to other backends"
			     : "its VIP is removed",
		.of = heir && share_slots(vip, change_before(change, step)->table, to, heir->table)
			      ? RISK_QUIC
			      : RISK_ALL,
	};

	step->at_risk = risk_of_all(change->service, &handover, &step->moved);
	step->moved = as_share(step->moved, handover.from_table->slots.size, vip->pool->table_size);
	if (!to)
		step->ideal = step->moved;
	return step->at_risk ? 0 : -ENOMEM;
}

static int assess_removal(const struct assessment *assessment, struct step *step)
{
	struct change *change = assessment->change;
	const struct live_vip *before = change_before(change, step);
	const enum pool_class class = before->table->class;
	const struct lb_vip *to = heir_of(assessment, step->plan.before);
	const struct step **first = first_of(assessment, step);

	if (to || before->table != change->service->live_pools[before->pool].tables[class])
		return assess_removed(change, step, to);
	if (!*first) {
		*first = step;
		return assess_removed(change, step, NULL);
	}
	step->at_risk = json_incref((*first)->at_risk);
	step->moved = (*first)->moved;
	step->ideal = (*first)->ideal;
	return 0;
}

/* The packets that were `from`'s. When that goes, its own step says it. */
static int assess_taken(struct change *change, struct step *step, const struct lb_vip *from)
{
	struct service *service = change->service;
	const struct lb_vip *vip = step->plan.after;
	const struct risk_handover handover = {
		.from = from,
		.from_live = live_pool_of(service, from),
		.from_table = live_of(service, from)->table,
		.to = vip,
		.to_live = change_pool_after(change, vip),
		.to_table = step->next.table->fresh ? NULL : step->next.table,
		.reason = "the new VIP takes its flows over, and leads them to other backends",
		.name_from = true,
		.of = share_slots(from, live_of(service, from)->table, vip, step->next.table)
			      ? RISK_QUIC
			      : RISK_ALL,
	};
	json_t *at_risk;
	uint32_t moved;
	int error;

	if (!lb_service_find_endpoint(change->document, &from->endpoint))
		return 0;
	at_risk = risk_of_all(service, &handover, &moved);
	error = json_array_extend(step->at_risk, at_risk) ? -ENOMEM : 0;
	json_decref(at_risk);
	moved = as_share(moved, handover.from_table->slots.size, vip->pool->table_size);
	if (moved > step->moved)
		step->moved = moved;
	return error;
}

/* It may get packets that were those of less specific VIPs. */
static int assess_added(const struct assessment *assessment, struct step *step)
{
	struct change *change = assessment->change;
	struct beside beside;
	int error = 0;

	step->at_risk = json_array();
	if (!step->at_risk)
		return -ENOMEM;
	beside_find(change->service->document, &assessment->before, &step->plan.after->endpoint,
		    &beside);
	for (size_t i = 0; !error && i < beside.count; i++) {
		error = assess_taken(change, step, beside.vips[i]);
		worker_yield();
	}
	return error;
}

/* The slots that the VIP will have, where other VIPs have them already. */
static const struct live_table *table_before(const struct change *change, const struct lb_vip *vip)
{
	const struct live_pool *before = change_pool_before(change, change_pool_step(change, vip));

	return before ? before->tables[pools_class(vip)] : NULL;
}

/* The VIP goes on before its flows in the last but one have ended. */
static int assess_dropped(struct change *change, struct step *step)
{
	struct service *service = change->service;
	const struct risk_handover handover = {
		.from = step->plan.before,
		.from_live = &service->live_pools[service->pool_at[step->dropped]],
		.from_table = step->move->from,
		.to = step->plan.after,
		.to_live = change_pool_after(change, step->plan.after),
		.of = RISK_FLOWS,
		.reason = "its VIP has left two other pools since, and goes to one more",
	};
	json_t *at_risk;
	uint32_t moved;
	int error;

	at_risk = risk_of_handover(service, &handover, &moved);
	error = json_array_extend(step->at_risk, at_risk) ? -ENOMEM : 0;
	json_decref(at_risk);
	return error;
}

/* Its flows stay where they are, but connections that follow server ids go by those of the next
 * document. */
static int assess_quic(struct change *change, struct step *step,
		       const struct risk_handover *handover)
{
	struct risk_handover quic = *handover;
	uint32_t none;

	quic.of = RISK_QUIC;
	step->at_risk = risk_of_all(change->service, &quic, &none);
	return step->at_risk ? 0 : -ENOMEM;
}

/* What its own pool loses is told of with the VIP (outcome.c), which has losses of its own. */
static int add_own_loss(const struct change *change, struct step *step)
{
	const struct pool_step *pool = change_pool_step(change, step->plan.after);

	return pool->plan.after->own && pool->at_risk &&
			       json_array_extend(step->at_risk, pool->at_risk)
		       ? -ENOMEM
		       : 0;
}

static int assess_stay(struct change *change, struct step *step,
		       const struct risk_handover *handover)
{
	if (!step->plan.before->quic_count)
		return 0;
	return assess_quic(change, step, handover) || add_own_loss(change, step) ? -ENOMEM : 0;
}

/* Its slots go along, and its flows stay where they are, unless it comes back to a pool of its own
 * that has lost backends since it left. */
static int assess_move(struct change *change, struct step *step,
		       const struct risk_handover *handover)
{
	if (assess_quic(change, step, handover) || add_own_loss(change, step))
		return -ENOMEM;
	return step->dropped == LIVE_NO_POOL ? 0 : assess_dropped(change, step);
}

/* It may go to another pool. */
static int assess_changed(struct change *change, struct step *step)
{
	const struct plan_step *plan = &step->plan;
	const struct live_pool *after = change_pool_after(change, plan->after);
	const struct risk_handover handover = {
		.from = plan->before,
		.from_live = live_pool_of(change->service, plan->before),
		.from_table = change_before(change, step)->table,
		.to = plan->after,
		.to_live = after,
		.to_table = table_before(change, plan->after),
		.along = step->move,
		.reason = "its VIP goes to another pool, which leads its flows to other backends",
	};

	uint32_t lost;

	if (handover.from_live->number == after->number)
		return assess_stay(change, step, &handover);
	move_assess(change, step);
	step->moved = as_share(step->moved, handover.from_table->slots.size,
			       plan->after->pool->table_size);
	if (step->move && step->left[0] == handover.from_live->number)
		return assess_move(change, step, &handover);
	step->at_risk = risk_of_all(change->service, &handover, &lost);
	return step->at_risk ? 0 : -ENOMEM;
}

static int assess_step(const struct assessment *assessment, struct step *step)
{
	switch (step->plan.what) {
	case PLAN_REMOVED:
		return assess_removal(assessment, step);
	case PLAN_ADDED:
		return assess_added(assessment, step);
	case PLAN_CHANGED:
		return assess_changed(assessment->change, step);
	case PLAN_UNCHANGED:
	case PLAN_FOLLOWS:
		break;
	}
	return 0;
}

int assess_vips(struct change *change, struct lb_err *err)
{
	const struct assessment assessment = {
		.change = change,
		.before = lb_service_wide_kinds(change->service->document),
		.after = lb_service_wide_kinds(change->document),
		.firsts = calloc(change->service->pools.count * POOL_CLASSES * 2 + 1,
				 sizeof(*assessment.firsts)),
	};
	int error = assessment.firsts ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < change->step_count; i++) {
		error = assess_step(&assessment, &change->steps[i]);
		worker_yield();
	}
	free(assessment.firsts);
	return error ? lb_err_no_memory(err) : 0;
}
