/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the live service look like in JSON? (docs/protocol.md) */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

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

static const char *drain_state(const struct lb_backend *backend, const struct live_pool *live,
			       uint32_t leaving, uint32_t flows)
{
	if (!backend->drain)
		return "active";
	return live_is_drained(backend, live, leaving, flows) ? "drained" : "draining";
}

/* Why it gets no new flows yet, where it waits for something. */
static void set_waiting(const struct service *service, const struct lb_vip *vip,
			const struct live_pool *live, size_t i, json_t *object)
{
	json_t *until = arrive_until(service, vip->pool, live, i);

	if (!until)
		return;
	json_object_set_new(object, "state", json_string("waiting"));
	json_object_set_new(object, "waiting_until", until);
}

/* Slots of each backend of a VIP, counted in one turn: how many of the VIP it owns, and how many of
 * all its VIPs are leaving it. */
struct tally {
	uint32_t owned, leaving;
};

static struct tally *tally_new(struct service *service, const struct slots *slots,
			       const struct live_pool *live)
{
	struct tally *tallies = calloc(live->backend_count + 1, sizeof(*tallies));
	size_t i;

	if (!tallies)
		return NULL;
	slots_count(slots, &service->census);
	for (i = 0; i < live->backend_count; i++)
		tallies[i].owned = service->census.owned[live->backends[i].number];
	slots_uncount(slots, &service->census);
	live_count(live, &service->census);
	for (i = 0; i < live->backend_count; i++)
		tallies[i].leaving = service->census.leaving[live->backends[i].number];
	live_uncount(live, &service->census);
	return tallies;
}

/* `weights`: of all backends of the VIP together. */
static json_t *backend_state(struct service *service, const struct lb_vip *vip,
			     const struct live_pool *live, size_t i, const struct tally *tally,
			     uint64_t weights)
{
	const struct table_member *backend = &live->backends[i];
	uint32_t flows = sweep_flows(service->sweep, backend->number);
	json_t *object = json_object(), *share = json_object();
	struct lb_counter counter;

	json_object_set_new(share, "expected", percent_json(backend->weight, weights));
	json_object_set_new(share, "slots", percent_json(tally->owned, vip->pool->table_size));
	json_object_set_new(object, "address", address_json(&backend->address));
	json_object_set_new(object, "weight", json_integer(vip->pool->backends[i].weight));
	json_object_set_new(
		object, "state",
		json_string(drain_state(&vip->pool->backends[i], live, tally->leaving, flows)));
	set_waiting(service, vip, live, i, object);
	json_object_set_new(object, "recorded_flows", json_integer(flows));
	json_object_set_new(object, "leaving_slots", json_integer(tally->leaving));
	json_object_set_new(object, "share", share);
	service->plane.counters(service->plane.datapath, backend->number, &counter);
	set_counter(object, &counter);
	json_object_set_new(object, "next_hop",
			    members_next_hop(service->members, backend->number));
	json_object_set_new(object, "health", backend_health(service, vip->pool, live, i));
	return object;
}

json_t *service_backend_states(struct service *service, const struct lb_vip *vip)
{
	const struct live_pool *live = live_pool_of(service, vip);
	struct tally *tallies = tally_new(service, &live_of(service, vip)->table->slots, live);
	uint64_t weights = total_weight(live);
	json_t *array = tallies ? json_array() : NULL;
	size_t i;

	for (i = 0; array && i < live->backend_count; i++) {
		json_array_append_new(array,
				      backend_state(service, vip, live, i, &tallies[i], weights));
		worker_yield();
	}
	free(tallies);
	return array;
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
		service->plane.counters(service->plane.datapath, live->backends[i].number,
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
	return json_pack("{s:i,s:i,s:i}", "settled",
			 (int)(slots->size - slots->moving - slots->tracked), "moving",
			 (int)slots->moving, "tracked", (int)slots->tracked);
}

json_t *service_vip_state(struct service *service, const struct lb_vip *vip)
{
	const struct live_pool *live = live_pool_of(service, vip);
	const struct lb_counter sum = vip_counter(service, vip);
	json_t *object = lb_vip_settings(vip);

	json_object_set_new(object, "slots", slots_json(&live_of(service, vip)->table->slots));
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

		service->plane.counters(service->plane.datapath, live->backends[i].number,
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
	live_let_go(service);
}
