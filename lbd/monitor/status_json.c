/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the status page show? */
#include "status_json.h"

#include <stdlib.h>
#include <time.h>

#include "../control/methods.h"
#include "../host/worker.h"
#include "../service/facts.h"
#include "event_log.h"

static json_t *call(struct methods_context *methods, const char *method)
{
	const struct peer nobody = {.uid = PEER_UNKNOWN};
	struct lb_request request = {.method = (char *)method, .params = json_object()};
	struct lb_err err = {0};
	json_t *result = NULL;

	methods_call_read_only(methods, &nobody, &request, &result, &err);
	json_decref((json_t *)request.params);
	return result ? result : json_null();
}

/* Of a pool, for each VIP that leads to it. */
struct pool_sum {
	bool known;
	bool told; /* its backends are there */
	uint32_t settled, moving, tracked;
	size_t serving, backend_count;
	struct lb_counter traffic; /* of its backends */
};

/* What is told so far: how many backends may follow, and what is known of pools, by place. */
struct told {
	size_t room;
	struct pool_sum *pools;
};

/* Worked out for the first VIP of it. NULL without memory. */
static struct pool_sum *sum_pool(struct service *service, const struct lb_vip *vip,
				 struct told *told)
{
	const size_t place = service_pool_place(service, vip);
	struct pool_sum *sum = &told->pools[place];
	struct pool_facts facts;

	if (sum->known)
		return sum;
	if (service_pool_facts(service, place, &facts))
		return NULL;
	*sum = (struct pool_sum){.known = true,
				 .settled = facts.settled,
				 .moving = facts.moving,
				 .tracked = facts.tracked,
				 .backend_count = facts.backend_count};
	for (size_t i = 0; i < facts.backend_count; i++) {
		sum->serving += facts.backends[i].share > 0;
		sum->traffic.packets += facts.backends[i].traffic.packets;
		sum->traffic.bytes += facts.backends[i].traffic.bytes;
	}
	pool_facts_clear(&facts);
	return sum;
}

/* Backends of a pool are told of once, with the first VIP that uses it. */
static bool backends_follow(struct pool_sum *sum, struct told *told)
{
	if (sum->told || sum->backend_count > told->room)
		return false;
	told->room -= sum->backend_count;
	return sum->told = true;
}

static json_t *describe_vip(struct service *service, const struct lb_vip *vip, struct told *told)
{
	struct pool_sum *sum = sum_pool(service, vip, told);
	char address[LB_ENDPOINT_TEXT];
	struct lb_counter traffic;
	json_t *object;

	if (!sum)
		return NULL;
	if (!service_vip_traffic(service, vip, &traffic))
		traffic = sum->traffic;
	object = json_pack("{s:s, s:s, s:I, s:I, s:{s:i, s:i, s:i}, s:I, s:I}", "name", vip->name,
			   "address", lb_endpoint_format(&vip->endpoint, address), "packets",
			   (json_int_t)traffic.packets, "bytes", (json_int_t)traffic.bytes, "slots",
			   "settled", (int)sum->settled, "moving", (int)sum->moving, "tracked",
			   (int)sum->tracked, "serving", (json_int_t)sum->serving, "backend_count",
			   (json_int_t)sum->backend_count);
	if (vip->pool->named)
		json_object_set_new(object, "pool", json_string(vip->pool->name));
	if (backends_follow(sum, told))
		json_object_set_new(object, "backends", service_backend_states(service, vip));
	return object;
}

static json_t *describe_vips(struct service *service)
{
	const struct lb_service *document;
	struct told told = {.room = STATUS_JSON_BACKENDS};
	json_t *vips = json_array();

	service_hold(service);
	document = service_document(service);
	told.pools = calloc(service_pool_count(service) + 1, sizeof(*told.pools));
	for (size_t i = 0; told.pools && i < document->vip_count; i++) {
		json_array_append_new(vips, describe_vip(service, &document->vips[i], &told));
		worker_yield();
	}
	service_let_go(service);
	free(told.pools);
	return vips;
}

static json_t *describe_verdicts(struct datapath *datapath)
{
#define VERDICT_TEXT(id, name, action, meaning) {name, #action, meaning},
	static const struct {
		const char *name, *action, *meaning;
	} texts[] = {LB_VERDICT_LIST(VERDICT_TEXT)};
#undef VERDICT_TEXT
	uint64_t counts[LB_VERDICT_COUNT] = {0};
	json_t *verdicts = json_array();

	datapath_verdicts(datapath, counts);
	for (int i = 0; i < LB_VERDICT_COUNT; i++)
		json_array_append_new(verdicts, json_pack("{s:s, s:s, s:I, s:s}", "name",
							  texts[i].name, "action", texts[i].action,
							  "packets", (json_int_t)counts[i],
							  "meaning", texts[i].meaning));
	return verdicts;
}

void status_json(struct methods_context *methods, const struct event_counts *events,
		 struct text *out)
{
	struct timespec now;
	char time[EVENTS_TIME_TEXT], *text;
	json_t *object;

	clock_gettime(CLOCK_REALTIME, &now);
	object = json_pack("{s:s, s:o, s:o, s:o, s:o}", "time", events_time(&now, time), "status",
			   call(methods, "status"), "verdicts",
			   describe_verdicts(methods->datapath), "events", event_log_recent(events),
			   "vips", describe_vips(methods->service));
	worker_leave();
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (text)
		text_string(out, text);
	else
		out->failed = true;
	free(text);
	worker_enter();
}
