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

/* Of its backends. */
static struct lb_counter traffic_of(const struct pool_facts *facts)
{
	struct lb_counter sum = {0};

	for (size_t i = 0; i < facts->backend_count; i++) {
		sum.packets += facts->backends[i].traffic.packets;
		sum.bytes += facts->backends[i].traffic.bytes;
	}
	return sum;
}

/* What is told so far: how many backends may follow, and whose pools' backends are there. */
struct told {
	size_t room;
	bool *pools; /* by their place in the document */
};

/* Backends of a named pool are told of once, with the first VIP that uses it. */
static bool backends_follow(const struct lb_service *document, const struct lb_vip *vip,
			    struct told *told)
{
	bool *pool = vip->pool->named ? &told->pools[vip->pool - document->pools] : NULL;

	if ((pool && *pool) || vip->pool->backend_count > told->room)
		return false;
	told->room -= vip->pool->backend_count;
	if (pool)
		*pool = true;
	return true;
}

static json_t *describe_vip(struct service *service, const struct lb_vip *vip, struct told *told)
{
	char address[LB_ENDPOINT_TEXT];
	struct lb_counter traffic;
	struct pool_facts facts;
	size_t serving = 0;
	json_t *object;

	if (service_pool_facts(service, service_pool_place(service, vip), &facts))
		return NULL;
	if (!service_vip_traffic(service, vip, &traffic))
		traffic = traffic_of(&facts);
	for (size_t i = 0; i < facts.backend_count; i++)
		serving += facts.backends[i].share > 0;
	object = json_pack("{s:s, s:s, s:I, s:I, s:{s:i, s:i, s:i}, s:I, s:I}", "name", vip->name,
			   "address", lb_endpoint_format(&vip->endpoint, address), "packets",
			   (json_int_t)traffic.packets, "bytes", (json_int_t)traffic.bytes, "slots",
			   "settled", (int)facts.settled, "moving", (int)facts.moving, "tracked",
			   (int)facts.tracked, "serving", (json_int_t)serving, "backend_count",
			   (json_int_t)facts.backend_count);
	if (vip->pool->named)
		json_object_set_new(object, "pool", json_string(vip->pool->name));
	if (backends_follow(service_document(service), vip, told))
		json_object_set_new(object, "backends", service_backend_states(service, vip));
	pool_facts_clear(&facts);
	return object;
}

static json_t *describe_vips(struct service *service)
{
	const struct lb_service *document;
	struct told told = {.room = STATUS_JSON_BACKENDS};
	json_t *vips = json_array();

	service_hold(service);
	document = service_document(service);
	told.pools = calloc(document->pool_count + 1, sizeof(*told.pools));
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
