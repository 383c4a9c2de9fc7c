/* SPDX-License-Identifier: BSD-2-Clause */
/* What has happened in the live service that nobody asked for at that moment? Drains end, and all
 * backends of a VIP become unhealthy, and groups of backends join and leave. */
#include <string.h>

#include "../host/events.h"
#include "live.h"

static bool any_drains(const struct lb_pool *pool)
{
	size_t i;

	for (i = 0; i < pool->backend_count; i++)
		if (pool->backends[i].drain)
			return true;
	return false;
}

static void tell(const struct service *service, const struct lb_pool *pool,
		 const struct lb_backend *backend)
{
	char address[LB_ADDR_TEXT];

	events_emit(service->events,
		    json_pack("{s:s, s:s, s:s, s:s}", "event", "drain", lb_pool_field(pool),
			      pool->name, "backend", lb_addr_format(&backend->address, address),
			      "state", "drained"));
}

static void tell_pool(struct service *service, size_t i, const uint64_t *before, bool quietly)
{
	const struct lb_pool *pool = service->pools.refs[i].pool;
	const struct live_pool *live = &service->live_pools[i];
	size_t j;

	live_count(live, &service->census);
	for (j = 0; j < pool->backend_count; j++) {
		uint16_t number = live->backends[j].number;
		uint64_t bit = 1ull << number % 64;

		if (pool->backends[j].drain) {
			quic_look(service, number);
			service->quic_waits |= quic_has_connections(service, pool, number);
		}
		if (!live_is_drained(service, pool, live, j, service->census.leaving[number]))
			continue;
		service->drained[number / 64] |= bit;
		if (!quietly && !(before[number / 64] & bit))
			tell(service, pool, &pool->backends[j]);
	}
	live_uncount(live, &service->census);
}

/* By member number, so that a backend which was removed and added again is another one. */
void tell_drained(struct service *service, bool quietly)
{
	uint64_t before[sizeof(service->drained) / sizeof(*service->drained)];
	size_t i;

	memcpy(before, service->drained, sizeof(before));
	memset(service->drained, 0, sizeof(service->drained));
	service->quic_waits = false;
	for (i = 0; i < service->pools.count; i++) {
		if (any_drains(service->pools.refs[i].pool))
			tell_pool(service, i, before, quietly);
		worker_yield();
	}
}

static void on_drains(void *user)
{
	struct service *service = user;

	live_hold(service);
	tell_drained(service, false);
	live_let_go(service);
}

void tell_drained_soon(struct service *service)
{
	chore_set(&service->drains, 0);
}

int tell_open(struct service *service, struct lb_err *err)
{
	return chore_open(&service->drains, &service->timers, &service->upkeep, "drains", on_drains,
			  service)
		       ? lb_err_no_memory(err)
		       : 0;
}

static void tell_all_unhealthy(const struct service *service, const struct lb_pool *pool,
			       size_t backends)
{
	const bool use_all = pool->when_all_unhealthy == LB_ALL_UNHEALTHY_USE_ALL;

	events_emit(service->events,
		    json_pack("{s:s, s:s, s:s, s:i, s:s}", "event", "vip_health",
			      lb_pool_field(pool), pool->name, "state", "all_unhealthy", "backends",
			      (int)backends, "new_flows", use_all ? "use_all" : "drop"));
}

static void tell_recovered(const struct service *service, const struct lb_pool *pool)
{
	events_emit(service->events,
		    json_pack("{s:s, s:s, s:s}", "event", "vip_health", lb_pool_field(pool),
			      pool->name, "state", "recovered"));
}

/* Between, while nothing is known of any, is neither. */
void tell_unhealthy(struct service *service, const struct lb_pool *pool, struct live_pool *live)
{
	const struct health_shares shares = health_shares(service, pool, live);

	if (live->told_all_unhealthy) {
		if (!shares.healthy)
			return;
		tell_recovered(service, pool);
		live->told_all_unhealthy = false;
	} else if (shares.all && shares.unhealthy == shares.all) {
		tell_all_unhealthy(service, pool, shares.all);
		live->told_all_unhealthy = true;
	}
}

/* Of what is why: the groups before those that have joined, or those that suffice. */
void tell_spill(const struct service *service, const struct lb_pool *pool,
		const struct live_pool *live, uint32_t last)
{
	const uint32_t now = live->use.last;
	struct spill spill;

	if (now == last)
		return;
	live_spill(pool, live, &spill);
	events_emit(service->events,
		    json_pack("{s:s, s:s, s:s, s:i, s:i}", "event", "spill", lb_pool_field(pool),
			      pool->name, "state", now > last ? "spilled" : "returned", "priority",
			      (int)now, "in_service_percent",
			      (int)spill_before(&spill, now > last ? now : now + 1)));
}

void tell_serving(const struct service *service, const struct lb_pool *pool, struct live_pool *live)
{
	char address[LB_ADDR_TEXT];

	for (size_t i = 0; i < live->backend_count; i++) {
		const struct table_member *backend = &live->backends[i];
		struct health_standing *standing = &live->standings[i];

		if (standing->held && backend->weight && !standing->arriving)
			events_emit(service->events,
				    json_pack("{s:s, s:s, s:s, s:s}", "event", "serve",
					      lb_pool_field(pool), pool->name, "backend",
					      lb_addr_format(&backend->address, address), "state",
					      "serving"));
		standing->held = standing_is_held(
			standing, standing_share(&pool->backends[i], live->use), backend->weight);
	}
}
