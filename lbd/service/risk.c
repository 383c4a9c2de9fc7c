/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose established flows does a change end?
 *
 * Flows in the slots that a backend owns are not on record: how many there are nobody knows, unless
 * the backend has never had a packet. */
#include "risk.h"

#include <errno.h>
#include <string.h>

/* What a backend stands to lose. */
struct loss {
	uint32_t owned;    /* slots whose flows end */
	uint32_t leaving;  /* MOVING slots whose flows that are not on record yet end */
	uint32_t recorded; /* flows on record that end */
	bool unswept;      /* there may be more of these */
	bool quic;         /* connections that follow its server id end */
};

static bool is_loss(const struct loss *loss)
{
	return loss->owned || loss->leaving || loss->recorded || loss->unswept || loss->quic;
}

static bool is_only_quic(const struct loss *loss)
{
	return loss->quic && !loss->owned && !loss->leaving && !loss->recorded && !loss->unswept;
}

static json_t *loss_json(const struct table_member *backend, const struct loss *loss,
			 const char *reason, const char *vip)
{
	char address[LB_ADDR_TEXT];

	return json_pack("{s:s,s:s*,s:i,s:i,s:s}", "backend",
			 lb_addr_format(&backend->address, address), "vip", vip, "recorded_flows",
			 (int)loss->recorded, "slots", (int)(loss->owned + loss->leaving), "reason",
			 reason);
}

/* --- connections that follow server ids --- */

#define ID_CHANGES "its server id changes while QUIC connections follow it"

static const struct lb_pool *pool_of(const struct service *service, const struct live_pool *live)
{
	return service->pools.refs[live - service->live_pools].pool;
}

/* Whether the server id of a backend, if it has one, leads to the same address in another pool. */
static bool keeps_id(const struct lb_backend *backend, const struct lb_pool *to)
{
	const struct lb_backend *same = lb_pool_find_backend(to, &backend->address);

	return !backend->quic_server_id.length ||
	       (same && !memcmp(&same->quic_server_id, &backend->quic_server_id,
				sizeof(backend->quic_server_id)));
}

/* Whether a VIP reads all ids that another one reads: nobody knows of which rotation those in use
 * are. */
static bool keeps_rotations(const struct lb_vip *vip, const struct lb_vip *to)
{
	size_t i, j;

	for (i = 0; i < vip->quic_count; i++) {
		for (j = 0; j < to->quic_count; j++)
			if (to->quic[j].cr == vip->quic[i].cr &&
			    to->quic[j].sid_length == vip->quic[i].sid_length &&
			    !strcmp(to->quic[j].key, vip->quic[i].key))
				break;
		if (j == to->quic_count)
			return false;
	}
	return true;
}

/* An id that a pool changes under its VIP is the pool's loss, not the VIP's. */
static bool hands_over_quic(const struct service *service, const struct risk_handover *handover,
			    size_t i)
{
	const struct live_pool *from = handover->from_live;
	const struct lb_pool *pool = pool_of(service, from);
	const struct lb_vip *vip = handover->from, *to = handover->to;
	const struct lb_backend *backend = &pool->backends[i];
	bool lost = true;

	if (handover->of == RISK_FLOWS || !vip->quic_count || !backend->quic_server_id.length)
		return false;
	if (to && handover->to_live->number == from->number)
		lost = !keeps_rotations(vip, to) && keeps_id(backend, to->pool);
	else if (to)
		lost = !keeps_rotations(vip, to) || !keeps_id(backend, to->pool);
	return lost && quic_has_connections(service, pool, from->backends[i].number);
}

/* --- a pool that stays --- */

static const char *why_removed(const struct loss *loss)
{
	if (loss->owned)
		return "it is removed while it takes new flows; its flows are not counted";
	if (loss->leaving || loss->unswept)
		return "it is removed while its flows are still being recorded";
	if (is_only_quic(loss))
		return "it is removed while QUIC connections follow its server id";
	return "it is removed, and its recorded flows end";
}

/* All flows of a backend, whose slots are counted. */
static struct loss whole_loss(const struct service *service, bool unswept, uint16_t number)
{
	return (struct loss){
		.owned = service->risk_census.owned[number],
		.leaving = service->risk_census.leaving[number],
		.recorded = sweep_flows(service->sweep, number),
		.unswept = unswept,
	};
}

/* What was before of a backend that stays, next->backends[i], and loses its old flows by the
 * change: it is unhealthy, and the flows of such end from now on. NULL: it keeps them. */
static const struct table_member *find_reset(const struct plan_pool *plan,
					     const struct live_pool *before,
					     const struct live_pool *next, size_t i)
{
	const struct table_member *backend;
	size_t from = 0;

	if (standing_keeps_old(plan->after->pool, next->standings[i], next->use))
		return NULL;
	backend = live_find(before, &from, &next->backends[i].address);
	if (backend &&
	    standing_keeps_old(plan->before->pool, before->standings[backend - before->backends],
			       before->use))
		return backend;
	return NULL;
}

/* Slots are counted only when a backend is found that has flows to lose. */
struct risk {
	struct service *service;
	const struct lb_pool *pool;
	const struct live_pool *live;
	const struct slots *slots; /* of it, those that are meant; NULL: all */
	bool counted;
	json_t *at_risk;
};

static int begin(struct risk *risk)
{
	risk->at_risk = json_array();
	return risk->at_risk ? 0 : -ENOMEM;
}

static void count(struct risk *risk)
{
	if (!risk->counted && risk->slots)
		slots_count(risk->slots, &risk->service->risk_census);
	else if (!risk->counted)
		live_count(risk->live, &risk->service->risk_census);
	risk->counted = true;
}

static json_t *end(struct risk *risk, int error)
{
	if (risk->counted) /* words may have changed since */
		memset(&risk->service->risk_census, 0, sizeof(risk->service->risk_census));
	if (!error)
		return risk->at_risk;
	json_decref(risk->at_risk);
	return NULL;
}

/* `reset`: why a backend that stays loses its flows; NULL: it is removed. */
static int add_loss(struct risk *risk, const struct table_member *backend, const char *reset)
{
	struct loss loss;

	if (!live_had_packets(risk->service, backend->number))
		return 0;
	count(risk);
	loss = whole_loss(risk->service, live_unswept(risk->live), backend->number);
	loss.quic = quic_has_connections(risk->service, risk->pool, backend->number);
	if (!is_loss(&loss))
		return 0;
	return json_array_append_new(
		risk->at_risk, loss_json(backend, &loss, reset ? reset : why_removed(&loss), NULL));
}

/* Of a backend that stays, before->backends[i]. */
static int add_id_change(struct risk *risk, const struct plan_pool *plan, size_t i)
{
	const struct table_member *backend = &risk->live->backends[i];
	const struct loss loss = {.quic = true};

	if (keeps_id(&plan->before->pool->backends[i], plan->after->pool) ||
	    !quic_has_connections(risk->service, risk->pool, backend->number))
		return 0;
	return json_array_append_new(risk->at_risk, loss_json(backend, &loss, ID_CHANGES, NULL));
}

json_t *risk_of_change(struct service *service, const struct plan_pool *plan,
		       const struct live_pool *before, const struct live_pool *next)
{
	struct risk risk = {.service = service, .pool = plan->before->pool, .live = before};
	int error = begin(&risk);
	size_t i, from = 0;

	for (i = 0; !error && i < before->backend_count; i++) {
		const struct table_member *same =
			live_find(next, &from, &before->backends[i].address);

		if (!same)
			error = add_loss(&risk, &before->backends[i], NULL);
		else if (!find_reset(plan, before, next, same - next->backends))
			error = add_id_change(&risk, plan, i);
		worker_yield();
	}
	for (i = 0; !error && i < next->backend_count; i++) {
		const struct table_member *backend = find_reset(plan, before, next, i);

		if (backend)
			error = add_loss(&risk, backend,
					 "it is unhealthy, and on_unhealthy is reset");
		worker_yield();
	}
	return end(&risk, error);
}

/* --- a VIP whose packets go elsewhere --- */

/* Of slots that go along: what is on no record stays with an address that both pools have. */
static void keep_along(struct slots_census *census, const struct live_pool *from,
		       const struct live_pool *to)
{
	size_t i, at = 0;

	for (i = 0; i < from->backend_count; i++)
		if (live_find(to, &at, &from->backends[i].address))
			census->owned[from->backends[i].number] =
				census->leaving[from->backends[i].number] = 0;
}

/* Slots keep their flows where the other VIP's table leads them to the same backend. */
static void count_handover(struct risk *risk, const struct risk_handover *handover)
{
	const struct live_pool *from = handover->from_live, *to = handover->to_live;

	if (risk->counted)
		return;
	count(risk);
	if (handover->along)
		keep_along(&risk->service->risk_census, from, to);
	else if (handover->to && handover->to->hash == handover->from->hash &&
		 handover->to->pool->table_size == risk->slots->size)
		plan_keep(risk->slots->words, from->backends, from->backend_count,
			  table_owners(to->table),
			  handover->to_table ? handover->to_table->slots.words : NULL, to->backends,
			  to->backend_count, risk->slots->size, risk->service->risk_census.owned);
}

static struct loss handover_loss(struct risk *risk, const struct risk_handover *handover,
				 const struct table_member *backend)
{
	const struct slots *slots = risk->slots;
	struct loss loss = {0};

	if (handover->of == RISK_QUIC || !live_had_packets(risk->service, backend->number))
		return loss;
	count_handover(risk, handover);
	loss = whole_loss(risk->service, slots->unswept, backend->number);
	/* In SETTLED slots what is on record agrees with their owner, if they have one. */
	if (handover->to && !slots->moving && !slots->tracked && !loss.owned &&
	    !risk->service->risk_census.owned[LB_NONE])
		loss.recorded = 0;
	return loss;
}

static int hand_over(struct risk *risk, const struct risk_handover *handover, size_t i,
		     uint32_t *moved)
{
	const struct table_member *backend = &handover->from_live->backends[i];
	struct loss loss = handover_loss(risk, handover, backend);

	loss.quic = hands_over_quic(risk->service, handover, i);
	if (!is_loss(&loss))
		return 0;
	*moved += loss.owned;
	return json_array_append_new(
		risk->at_risk,
		loss_json(backend, &loss, is_only_quic(&loss) ? RISK_ID_NOT_READ : handover->reason,
			  handover->name_from ? handover->from->name : NULL));
}

json_t *risk_of_handover(struct service *service, const struct risk_handover *handover,
			 uint32_t *moved)
{
	const struct live_pool *from = handover->from_live;
	struct risk risk = {
		.service = service, .live = from, .slots = &handover->from_table->slots};
	int error = begin(&risk);
	size_t i;

	*moved = 0;
	for (i = 0; !error && i < from->backend_count; i++) {
		error = hand_over(&risk, handover, i, moved);
		worker_yield();
	}
	return end(&risk, error);
}
