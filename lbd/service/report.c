/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the live service look like in JSON? (docs/protocol.md) */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/events.h"
#include "live.h"
#include "quic_keys.h"
#include "rates.h"
#include "syn_guard.h"

static json_t *address_json(const struct lb_addr *address)
{
	char text[LB_ADDR_TEXT];

	return json_string(lb_addr_format(address, text));
}

static json_t *percent_json(double part, double whole)
{
	return json_real(whole > 0 ? round(part / whole * 10000) / 100 : 0);
}

static void set_counter(json_t *object, const struct lb_counter *counter)
{
	json_object_set_new(object, "packets", json_integer(counter->packets));
	json_object_set_new(object, "bytes", json_integer(counter->bytes));
}

/* --- shares --- */

static uint64_t total_weight(const struct live_pool *live)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < live->backend_count; i++)
		sum += live->backends[i].weight;
	return sum;
}

/* --- states --- */

/* Backends of a pool, as they are told of together. Slots of each are counted in one turn: how many
 * it owns of one table, and how many of all tables of the pool are leaving it. */
struct look {
	struct service *service;
	const struct lb_pool *pool;
	const struct live_pool *live;
	struct spill spill;
	uint64_t weights; /* of all backends together */
	uint32_t size;    /* of the one table */
	struct tally {
		uint32_t owned, leaving;
	} * tallies;
};

static int look_begin(struct look *look, const struct slots *slots)
{
	struct service *service = look->service;
	const struct live_pool *live = look->live;
	size_t i;

	look->weights = total_weight(live);
	look->size = slots ? slots->size : 0;
	live_spill(look->pool, live, &look->spill);
	look->tallies = calloc(live->backend_count + 1, sizeof(*look->tallies));
	if (!look->tallies)
		return -ENOMEM;
	if (slots)
		slots_count(slots, &service->census);
	for (i = 0; slots && i < live->backend_count; i++)
		look->tallies[i].owned = service->census.owned[live->backends[i].number];
	if (slots)
		slots_uncount(slots, &service->census);
	live_count(live, &service->census);
	for (i = 0; i < live->backend_count; i++)
		look->tallies[i].leaving = service->census.leaving[live->backends[i].number];
	live_uncount(live, &service->census);
	return 0;
}

/* Why it gets no new flows yet, where it waits for something. */
static void set_waiting(const struct look *look, size_t i, json_t *object)
{
	json_t *until = arrive_until(look->service, look->pool, look->live, i);

	if (!until)
		return;
	json_object_set_new(object, "state", json_string("waiting"));
	json_object_set_new(object, "waiting_until", until);
}

static void set_priority(const struct look *look, size_t i, json_t *object)
{
	const struct lb_backend *backend = &look->pool->backends[i];
	const uint32_t last = look->live->use.last;

	if (backend->priority)
		json_object_set_new(object, "priority", json_integer(backend->priority));
	if (backend->drain || backend->priority <= last)
		return;
	json_object_set_new(object, "state", json_string("reserve"));
	json_object_set_new(object, "reserve_until",
			    json_sprintf("less than %u %% of the weight up to priority %u is in "
					 "service (%u %% now)",
					 look->pool->spill_percent, last,
					 spill_before(&look->spill, last + 1)));
}

static const char *drain_state(const struct look *look, size_t i)
{
	if (!look->pool->backends[i].drain)
		return "active";
	return live_is_drained(look->service, look->pool, look->live, i, look->tallies[i].leaving)
		       ? "drained"
		       : "draining";
}

static void set_quic(const struct look *look, size_t i, json_t *object)
{
	const struct lb_quic_server_id *id = &look->pool->backends[i].quic_server_id;
	const uint16_t number = look->live->backends[i].number;
	char text[LB_QUIC_ID_TEXT];

	if (!id->length)
		return;
	json_object_set_new(object, "quic",
			    json_pack("{s:s, s:I, s:b}", "server_id", lb_quic_id_format(id, text),
				      "packets", (json_int_t)quic_packets(look->service, number),
				      "connections",
				      quic_has_connections(look->service, look->pool, number)));
}

/* What it says to have lost, where it passes packets on. */
static void set_losses(const struct look *look, size_t i, json_t *object)
{
	char since[EVENTS_TIME_TEXT];
	struct losses_view view;
	json_t *losses;

	if (!losses_get(look->service->losses, look->live->backends[i].number, &view))
		return;
	losses = json_object();
	if (view.since_ms) {
		json_object_set_new(losses, "lost", json_integer((json_int_t)view.lost));
		json_object_set_new(losses, "since",
				    json_string(events_time_ms(view.since_ms, since)));
	}
	if (view.silent)
		json_object_set_new(losses, "silent", json_true());
	json_object_set_new(object, "second_chance", losses);
}

static json_t *backend_state(const struct look *look, size_t i)
{
	struct service *service = look->service;
	const struct lb_backend *backend = &look->pool->backends[i];
	const uint16_t number = look->live->backends[i].number;
	const struct tally *tally = &look->tallies[i];
	const uint32_t flows = sweep_flows(service->sweep, number);
	json_t *object = json_object(), *share = json_object();
	struct lb_counter counter;

	json_object_set_new(share, "expected",
			    percent_json(look->live->backends[i].weight, look->weights));
	json_object_set_new(share, "slots", percent_json(tally->owned, look->size));
	json_object_set_new(object, "address", address_json(&backend->address));
	json_object_set_new(object, "weight", json_integer(backend->weight));
	json_object_set_new(object, "state", json_string(drain_state(look, i)));
	set_waiting(look, i, object);
	set_priority(look, i, object);
	json_object_set_new(object, "recorded_flows", json_integer(flows));
	json_object_set_new(object, "leaving_slots", json_integer(tally->leaving));
	json_object_set_new(object, "share", share);
	service->plane.counters(service->plane.datapath, number, 1, &counter);
	set_counter(object, &counter);
	set_quic(look, i, object);
	set_losses(look, i, object);
	json_object_set_new(object, "next_hop", members_next_hop(service->members, number));
	json_object_set_new(object, "health", backend_health(service, look->pool, look->live, i));
	return object;
}

/* Slots: those of which shares are told; NULL: there are none. NULL without memory. */
static json_t *backend_states(struct service *service, const struct lb_pool *pool,
			      const struct live_pool *live, const struct slots *slots)
{
	struct look look = {.service = service, .pool = pool, .live = live};
	json_t *array;

	if (look_begin(&look, slots))
		return NULL;
	array = json_array();
	for (size_t i = 0; i < live->backend_count; i++) {
		json_array_append_new(array, backend_state(&look, i));
		worker_yield();
	}
	free(look.tallies);
	return array;
}

json_t *service_backend_states(struct service *service, const struct lb_vip *vip)
{
	return backend_states(service, vip->pool, live_pool_of(service, vip),
			      &live_of(service, vip)->table->slots);
}

/* Which groups are used; NULL where no backend has a priority. */
static json_t *spill_json(const struct lb_pool *pool, const struct live_pool *live)
{
	size_t reserve = 0, grouped = 0;
	struct spill spill;

	for (size_t i = 0; i < pool->backend_count; i++) {
		grouped += pool->backends[i].priority > 0;
		reserve += pool->backends[i].priority > live->use.last;
	}
	if (!grouped)
		return NULL;
	live_spill(pool, live, &spill);
	return json_pack("{s:i, s:i, s:i, s:i, s:I}", "percent", (int)pool->spill_percent, "hold_s",
			 (int)pool->spill_hold_s, "priority", (int)live->use.last,
			 "in_service_percent", (int)spill_before(&spill, live->use.last + 1),
			 "reserve", (json_int_t)reserve);
}

/* All its tables have the same owners. NULL: every VIP has left it. */
static const struct slots *any_slots(const struct live_pool *live)
{
	for (size_t i = 0; i < live_tables(live); i++)
		if (live_table(live, i))
			return &live_table(live, i)->slots;
	return NULL;
}

static const struct live_pool *live_named(const struct service *service, const struct lb_pool *pool)
{
	for (size_t i = 0; i < service->pools.count && !service->pools.refs[i].own; i++)
		if (service->pools.refs[i].pool == pool)
			return &service->live_pools[i];
	return NULL;
}

/* Shares are those of one of its tables: all have the same owners. */
json_t *service_pool_state(struct service *service, const struct lb_pool *pool)
{
	const struct live_pool *live = live_named(service, pool);
	json_t *object = schema_write(&lb_pool_schema, pool), *spill;

	if (!object || !live)
		return object;
	json_object_set_new(object, "backends",
			    backend_states(service, pool, live, any_slots(live)));
	spill = spill_json(pool, live);
	if (spill)
		json_object_set_new(object, "spill", spill);
	return object;
}

static struct lb_counter vip_counter(struct service *service, const struct lb_vip *vip)
{
	const struct live_pool *live = live_pool_of(service, vip);
	struct lb_counter sum = {0}, counter;
	size_t i;

	if (service->plane.vip_counters) {
		service->plane.vip_counters(service->plane.datapath, live_of(service, vip)->number,
					    &sum);
		return sum;
	}
	for (i = 0; i < live->backend_count; i++) {
		service->plane.counters(service->plane.datapath, live->backends[i].number, 1,
					&counter);
		sum.packets += counter.packets;
		sum.bytes += counter.bytes;
		worker_yield();
	}
	return sum;
}

/* Of a copy, since a large table takes longer than a turn. */
static json_t *digest_json(const struct service *service, const struct lb_pool *pool,
			   const struct live_pool *live)
{
	const size_t size = pool->table_size, count = live->backend_count;
	uint16_t *owners = malloc(size * sizeof(*owners));
	struct table_member *backends = malloc((count + 1) * sizeof(*backends));
	json_t *digest = NULL;

	if (owners && backends) {
		memcpy(owners, table_owners(live->table), size * sizeof(*owners));
		memcpy(backends, live->backends, count * sizeof(*backends));
		worker_leave();
		digest = json_sprintf("%016" PRIx64, table_digest(owners, size, backends, count,
								  service->config->seed));
		worker_enter();
	}
	free(owners);
	free(backends);
	return digest;
}

static json_t *vip_head(const struct lb_vip *vip)
{
	char address[LB_ENDPOINT_TEXT];

	return json_pack("{s:s,s:s}", "name", vip->name, "address",
			 lb_endpoint_format(&vip->endpoint, address));
}

static json_t *slots_json(const struct slots *slots)
{
	return json_pack("{s:i,s:i,s:i,s:o*}", "settled",
			 (int)(slots->size - slots->moving - slots->tracked), "moving",
			 (int)slots->moving, "tracked", (int)slots->tracked, "forgotten",
			 slots->remember_s ? json_integer((json_int_t)slots->forgotten) : NULL);
}

/* Pools that the VIP has left, while it may have flows there; and slots of another size than its pool's. */
static json_t *leaves_json(const struct service *service, const struct lb_pool *pool,
			   const struct live_table *table)
{
	const uint32_t size = table->slots.size;
	const uint32_t now = clock_now_s(service), last = slots_last_deadline(&table->slots);
	json_t *names = json_array();
	size_t place;

	for (int i = 0; i < TABLE_LEFT; i++)
		if (live_find_pool(service, table->left[i], &place))
			json_array_append_new(names,
					      json_string(service->pools.refs[place].pool->name));
	return json_pack("{s:o,s:i,s:o*}", "pools", names, "seconds",
			 last > now ? (int)(last - now) : 0, "table_size",
			 size == pool->table_size ? NULL : json_integer(size));
}

json_t *service_pool_left(struct service *service, const struct lb_pool *pool)
{
	const struct lb_service *document = service->document;
	json_t *names = json_array();
	size_t place;

	for (size_t i = 0; i < document->vip_count; i++)
		for (int n = 0; n < TABLE_LEFT; n++)
			if (live_find_pool(service, service->live[i].table->left[n], &place) &&
			    service->pools.refs[place].pool == pool)
				json_array_append_new(names, json_string(document->vips[i].name));
	return names;
}

static void set_guard(struct service *service, const struct lb_vip *vip, json_t *object)
{
	json_t *syn = syn_guard_state(service, vip), *rates = rates_state(service, vip);

	if (syn)
		json_object_set_new(object, "syn", syn);
	if (rates)
		json_object_set_new(object, "rates", rates);
}

json_t *service_vip_guard(struct service *service, const struct lb_vip *vip)
{
	json_auto_t *settings = vip->syn_guard ? lb_vip_settings(vip) : NULL;
	char text[LB_ENDPOINT_TEXT];
	json_t *object = json_pack("{s:s, s:s, s:O*}", "name", vip->name, "address",
				   lb_endpoint_format(&vip->endpoint, text), "syn_guard",
				   json_object_get(settings, "syn_guard"));

	set_guard(service, vip, object);
	return object;
}

json_t *service_vip_state(struct service *service, const struct lb_vip *vip)
{
	const struct live_pool *live = live_pool_of(service, vip);
	const struct lb_counter sum = vip_counter(service, vip);
	const struct live_table *table = live_of(service, vip)->table;
	json_t *object = lb_vip_settings(vip), *spill = spill_json(vip->pool, live);

	json_object_set_new(object, "slots", slots_json(&table->slots));
	if (spill)
		json_object_set_new(object, "spill", spill);
	set_guard(service, vip, object);
	if (live_is_moving(table))
		json_object_set_new(object, "leaves", leaves_json(service, vip->pool, table));
	json_object_set_new(object, "digest", digest_json(service, vip->pool, live));
	set_counter(object, &sum);
	json_object_set_new(object, "backends", service_backend_states(service, vip));
	return object;
}

json_t *service_vip_stats(struct service *service, const struct lb_vip *vip)
{
	const struct live_pool *live = live_pool_of(service, vip);
	const struct lb_counter sum = vip_counter(service, vip);
	json_t *object = vip_head(vip), *backends = json_array();
	size_t i;

	set_counter(object, &sum);
	for (i = 0; i < live->backend_count; i++) {
		json_t *backend = json_object();
		struct lb_counter counter;

		service->plane.counters(service->plane.datapath, live->backends[i].number, 1,
					&counter);
		json_object_set_new(backend, "address", address_json(&live->backends[i].address));
		set_counter(backend, &counter);
		json_array_append_new(backends, backend);
		worker_yield();
	}
	json_object_set_new(object, "backends", backends);
	return object;
}

/* --- status --- */

static json_t *limit_json(uint32_t used, uint32_t max)
{
	return json_pack("{s:i,s:i}", "used", (int)used, "max", (int)max);
}

json_t *service_limits(struct service *service)
{
	const struct config *config = service->config;

	return json_pack("{s:o,s:o,s:o,s:{s:i}}", "vips",
			 limit_json(service->document->vip_count, config->vips), "members",
			 limit_json(service->backend_count, config->members), "slots",
			 limit_json(ranges_used(service->slot_ranges), config->slots), "flows",
			 "max", (int)config->flows);
}

#define TABLES_PLENTY 8

/* The largest of the usual sizes below `size` of which there would be plenty, or else of which one would
 * fit; 0: none. */
static uint32_t smaller_table(uint32_t left, uint32_t size)
{
	static const uint32_t usual[] = {65537, 16381, 4093, 1021, 251};
	uint32_t fits = 0;

	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		if (usual[i] >= size || usual[i] > left)
			continue;
		if (left / usual[i] >= TABLES_PLENTY)
			return usual[i];
		if (!fits)
			fits = usual[i];
	}
	return fits;
}

json_t *service_slots_warning(const struct service *service, const struct lb_pool *pool)
{
	const uint32_t left = service->config->slots - ranges_used(service->slot_ranges);
	const uint32_t size = pool->table_size, other = smaller_table(left, size);
	char text[64] = "";

	if (left / size >= TABLES_PLENTY)
		return NULL;
	if (other)
		snprintf(text, sizeof(text), ", or %u of %u slots", left / other, other);
	return json_sprintf(
		"limits.slots has room for %u more table%s of %u slots%s; a pool takes one "
		"for its TCP and SCTP VIPs, and one for its UDP VIPs",
		left / size, left / size == 1 ? "" : "s", size, text);
}

json_t *service_next_hops(struct service *service)
{
	return members_next_hops(service->members);
}

json_t *service_unroutable(struct service *service)
{
	return members_unroutable(service->members);
}

json_t *service_flow_table(struct service *service)
{
	static const struct {
		const char *name, *meaning;
	} texts[] = {
#define FLOW_COUNT_TEXT(id, name, meaning) {name, meaning},
		LB_FLOW_COUNT_LIST(FLOW_COUNT_TEXT)
#undef FLOW_COUNT_TEXT
	};
	uint64_t counts[LB_FLOW_COUNT_COUNT] = {0};
	json_t *array = json_array();
	int i;

	service->plane.flow_counts(service->plane.datapath, counts);
	for (i = 0; i < LB_FLOW_COUNT_COUNT; i++)
		json_array_append_new(array, json_pack("{s:s,s:I,s:s}", "name", texts[i].name,
						       "count", (json_int_t)counts[i], "meaning",
						       texts[i].meaning));
	return json_pack("{s:I,s:I,s:i,s:o}", "recorded", (json_int_t)sweep_total(service->sweep),
			 "room", (json_int_t)service->plane.bucket_count * LB_FLOW_WAYS,
			 "bytes_per_flow", (int)sizeof(uint64_t), "counts", array);
}

void service_health_warnings(struct service *service, json_t *warnings)
{
	live_hold(service);
	arrive_warnings(service, warnings);
	health_warnings(service, warnings);
	syn_guard_warnings(service, warnings);
	rates_warnings(service, warnings);
	quic_warnings(service, warnings);
	quic_keys_warnings(service, warnings);
	live_let_go(service);
}
