/* SPDX-License-Identifier: BSD-2-Clause */
/* What is there to be counted and measured of the live service? */
#include "facts.h"

#include <errno.h>
#include <stdlib.h>

#include "live.h"
#include "quic_keys.h"

void service_facts(struct service *service, struct service_facts *out)
{
	*out = (struct service_facts){
		.vips = service->document->vip_count,
		.members = service->backend_count,
		.slots = ranges_used(service->slot_ranges),
		.recorded = sweep_total(service->sweep),
		.room = (uint64_t)service->plane.bucket_count * LB_FLOW_WAYS,
		.digest = service->digest,
		.unconfirmed = service->revert.document,
		.save_failed = service->save_fault[0],
		.revert_failed = service->revert_fault[0],
		.agreed_nodes = service_health_nodes(service),
		.dissents = service->agreement.dissents,
		.agreed_changes = service->agreement.changes,
		.quic_keys_behind = quic_keys_behind(service),
	};
	service->plane.flow_counts(service->plane.datapath, out->flow_counts);
	service->plane.quic_counts(service->plane.datapath, out->quic_counts);
}

/* --- pools --- */

size_t service_pool_count(const struct service *service)
{
	return service->pools.count;
}

const struct lb_pool *service_pool_at(const struct service *service, size_t place)
{
	return service->pools.refs[place].pool;
}

size_t service_pool_place(const struct service *service, const struct lb_vip *vip)
{
	return live_of(service, vip)->pool;
}

/* By the table, which the slots of every class follow; in one turn. */
static int count_slots(const struct live_pool *live, struct pool_facts *out)
{
	uint32_t tables = 0;
	size_t from = 0;

	for (size_t i = 0; i < live_tables(live); i++)
		tables += live_table(live, i) != NULL;
	if (table_look(live->table, &out->digest))
		return -ENOMEM;
	for (size_t i = 0; i < out->backend_count; i++)
		out->backends[i].slots =
			table_owned(live->table, &from, &live->backends[i].address) * tables;
	for (size_t i = 0; i < live_tables(live); i++) {
		const struct live_table *table = live_table(live, i);
		const struct slots *slots = table ? &table->slots : NULL;

		if (!slots)
			continue;
		out->moving += slots->moving;
		out->tracked += slots->tracked;
		out->forgotten += slots->forgotten;
		out->settled += slots->size - slots->moving - slots->tracked;
	}
	return 0;
}

static enum health_status health_of(const struct service *service, const struct lb_pool *pool,
				    uint16_t number)
{
	const struct health_check *check = &service->checks[number];

	return pool->health.kind == LB_HEALTH_NONE || !check->watch ? HEALTH_UNKNOWN
								    : agree_state(service, check);
}

static void look_at_backend(const struct service *service, const struct lb_pool *pool,
			    const struct live_pool *live, size_t i, struct backend_facts *out)
{
	const struct lb_backend *backend = &pool->backends[i];
	const struct table_member *member = &live->backends[i];
	const uint32_t slots = out->slots;
	struct losses_view losses;

	*out = (struct backend_facts){
		.address = &backend->address,
		.weight = backend->weight,
		.share = member->weight,
		.drain = backend->drain,
		.waiting = standing_waits(live->standings[i], standing_share(backend, live->use),
					  member->weight),
		.reserve = backend->priority > live->use.last,
		.reachable = members_reachable(service->members, member->number),
		.health = health_of(service, pool, member->number),
		.slots = slots,
		.recorded_flows = sweep_flows(service->sweep, member->number),
		.quic = backend->quic_server_id.length > 0,
	};
	if (losses_get(service->losses, member->number, &losses)) {
		out->losses = losses.since_ms > 0;
		out->lost = losses.lost;
	}
	if (out->quic)
		out->quic_packets = quic_packets(service, member->number);
}

/* Numbers were given out together, so those of a pool are mostly adjacent. */
static int count_traffic(const struct service *service, const struct live_pool *live,
			 struct backend_facts *out)
{
	struct lb_counter *counters = calloc(live->backend_count + 1, sizeof(*counters));
	size_t i, first = 0;

	if (!counters)
		return -ENOMEM;
	for (i = 1; i <= live->backend_count; i++) {
		if (i < live->backend_count &&
		    live->backends[i].number == live->backends[first].number + (i - first))
			continue;
		service->plane.counters(service->plane.datapath, live->backends[first].number,
					i - first, &counters[first]);
		first = i;
		worker_yield();
	}
	for (i = 0; i < live->backend_count; i++)
		out[i].traffic = counters[i];
	free(counters);
	return 0;
}

int service_pool_facts(struct service *service, size_t place, struct pool_facts *out)
{
	const struct lb_pool *pool = service_pool_at(service, place);
	const struct live_pool *live = &service->live_pools[place];

	*out = (struct pool_facts){
		.backends = calloc(live->backend_count + 1, sizeof(*out->backends)),
		.backend_count = live->backend_count,
		.last = live->use.last,
		.checks = service->check_counts[live->number],
	};
	if (!out->backends || count_slots(live, out)) {
		pool_facts_clear(out);
		return -ENOMEM;
	}
	for (size_t i = 0; i < out->backend_count; i++) {
		look_at_backend(service, pool, live, i, &out->backends[i]);
		worker_yield();
	}
	if (count_traffic(service, live, out->backends)) {
		pool_facts_clear(out);
		return -ENOMEM;
	}
	return 0;
}

void pool_facts_clear(struct pool_facts *facts)
{
	free(facts->backends);
	*facts = (struct pool_facts){0};
}

/* --- one VIP --- */

bool service_vip_traffic(struct service *service, const struct lb_vip *vip, struct lb_counter *out)
{
	return service->plane.vip_counters &&
	       !service->plane.vip_counters(service->plane.datapath, live_of(service, vip)->number,
					    out);
}
