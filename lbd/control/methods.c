/* SPDX-License-Identifier: BSD-2-Clause */
/* What does each method of docs/protocol.md answer? Those that change something: methods_change.c. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "../api/clock.h"
#include "../api/model.h"
#include "../service/document_diff.h"
#include "../service/document_digest.h"
#include "methods.h"
#include "methods_change.h"
#include "methods_explain.h"
#include "methods_guard.h"
#include "methods_health.h"
#include "methods_interfaces.h"
#include "methods_lists.h"
#include "methods_node.h"
#include "methods_probe.h"
#include "methods_replay.h"
#include "methods_trace.h"
#include "node.h"
#include "preflight_again.h"
#include "verdict_text.h"
#include "../host/simulation.h"
#include "../host/worker.h"
#include "../service/lists.h"
#include "../service/siphash.h"

typedef int (*method_handler)(struct methods_context *context, const json_t *params,
			      json_t **result, struct lb_err *err);

/* Puts the name of the parameter at fault before the path. */
static int at_param(int ret, struct lb_err *err, const char *param)
{
	if (ret)
		lb_err_prefix(err, "%s", param);
	return ret;
}

/* --- reading parameters --- */

static int no_params(const json_t *params, struct lb_err *err)
{
	const struct lb_json_field fields[] = {{0}};

	return lb_json_fields(params, fields, err);
}

/* The only parameter, `vip`, which may be left out where it is not required: *out is NULL then. */
static int vip_param(const json_t *params, bool required, const char **out, struct lb_err *err)
{
	const json_t *vip;
	const struct lb_json_field fields[] = {{"vip", LB_JSON_STRING, required, &vip}, {0}};
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		*out = vip ? json_string_value(vip) : NULL;
	return ret;
}

static int find_vip(const struct lb_service *service, const char *reference, struct lb_vip **out,
		    struct lb_err *err)
{
	return at_param(lb_service_get(service, reference, out, err), err, "vip");
}

/* --- what is there --- */

/* Adds the digest of the document in force to a result that shows some of it. */
static json_t *with_digest(const struct methods_context *context, json_t *result)
{
	if (result)
		json_object_set_new(result, "document_digest", service_digest(context->service));
	return result;
}

/* With its digest, so that it is refused once another one is in its place. */
static json_t *export(const struct service *service)
{
	json_t *document = json_pack("{s:o}", "digest", service_digest(service));
	json_t *content = lb_service_to_json(service_document(service));

	if (!content || json_object_update(document, content)) {
		json_decref(document);
		document = NULL;
	}
	json_decref(content);
	return document;
}

static int config_export(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err)
{
	int ret = no_params(params, err);

	worker_leave();
	if (!ret)
		*result = json_pack("{s:o, s:o}", "document", export(context->service),
				    "document_digest", service_digest(context->service));
	worker_enter();
	return ret;
}

static int diff(const struct service *service, const json_t *document, json_t **out,
		struct lb_err *err)
{
	json_auto_t *before = NULL, *after = NULL;
	struct lb_service *next;
	int ret = at_param(lb_service_from_json(document, &next, err), err, "document");

	if (ret)
		return ret;
	before = lb_service_to_json(service_document(service));
	after = lb_service_to_json(next);
	lb_service_free(next);
	if (before && after)
		*out = document_diff(before, after);
	return 0;
}

/* What config.apply would change, field by field. */
static int config_diff(struct methods_context *context, const json_t *params, json_t **result,
		       struct lb_err *err)
{
	const json_t *document;
	const struct lb_json_field fields[] = {{"document", LB_JSON_OBJECT, true, &document}, {0}};
	int ret = lb_json_fields(params, fields, err);

	worker_leave();
	if (!ret)
		ret = diff(context->service, document, result, err);
	worker_enter();
	if (!ret)
		with_digest(context, *result);
	return ret;
}

/* The one parameter that both have. */
static int only_if_digest(const struct methods_context *context, const json_t *params,
			  struct lb_err *err)
{
	const json_t *digest;
	const struct lb_json_field fields[] = {{"if_digest", LB_JSON_STRING, false, &digest}, {0}};
	int ret = lb_json_fields(params, fields, err);

	return ret ? ret : methods_check_digest(context->service, digest, err);
}

static int config_confirm(struct methods_context *context, const json_t *params, json_t **result,
			  struct lb_err *err)
{
	int ret = only_if_digest(context, params, err);

	if (!ret)
		ret = service_confirm(context->service, err);
	if (ret)
		return ret;
	events_emit(context->events,
		    peer_sign(json_pack("{s:s}", "event", "confirm"), context->peer));
	*result = json_pack("{s:b}", "confirmed", true);
	return 0;
}

static int config_revert(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err)
{
	int ret = only_if_digest(context, params, err);

	if (!ret)
		ret = service_revert(context->service, result, err);
	if (!ret)
		events_emit_long(context->events,
				 peer_sign(events_revert("asked for", *result), context->peer));
	return ret;
}

/* That the connection gets events from now on is the control socket's doing. */
static int watch(struct methods_context *context, const json_t *params, json_t **result,
		 struct lb_err *err)
{
	int ret = no_params(params, err);

	(void)context;
	if (!ret)
		*result = json_pack("{s:b}", "watching", true);
	return ret;
}

/* An object or array for each VIP of the document, or for the one that is named. `own`: unless it is
 * named, only of VIPs with a pool of their own. */
static int each_vip(struct methods_context *context, const char *reference, bool own,
		    json_t *(*describe)(struct service *, const struct lb_vip *), json_t **out,
		    struct lb_err *err)
{
	const struct lb_service *service = service_document(context->service);
	struct lb_vip *vip = service->vips;
	size_t count = service->vip_count;
	json_t *array;

	if (reference) {
		int ret = find_vip(service, reference, &vip, err);

		if (ret)
			return ret;
		count = 1;
	}
	array = json_array();
	for (size_t i = 0; i < count; i++) {
		if (own && !reference && vip[i].pool->named)
			continue;
		json_array_append_new(array, describe(context->service, &vip[i]));
		worker_yield();
	}
	*out = array;
	return 0;
}

static int vip_list(struct methods_context *context, const json_t *params, json_t **result,
		    struct lb_err *err)
{
	json_t *vips;
	int ret = no_params(params, err);

	if (!ret)
		ret = each_vip(context, NULL, false, service_vip_state, &vips, err);
	if (!ret)
		*result = with_digest(context, json_pack("{s:o}", "vips", vips));
	return ret;
}

static int vip_show(struct methods_context *context, const json_t *params, json_t **result,
		    struct lb_err *err)
{
	const char *reference;
	struct lb_vip *vip;
	int ret = vip_param(params, true, &reference, err);

	if (!ret)
		ret = find_vip(service_document(context->service), reference, &vip, err);
	if (!ret)
		*result = with_digest(context, service_vip_state(context->service, vip));
	return ret;
}

/* --- pools --- */

/* Adds how many VIPs use it, and which. */
static json_t *with_users(const struct lb_service *service, const struct lb_pool *pool,
			  bool with_vips, json_t *object)
{
	json_t *vips = json_array();
	size_t count = 0;

	for (size_t i = 0; i < service->vip_count; i++) {
		if (service->vips[i].pool != pool)
			continue;
		count++;
		if (with_vips)
			json_array_append_new(vips, json_string(service->vips[i].name));
	}
	json_object_set_new(object, "vip_count", json_integer((json_int_t)count));
	if (with_vips)
		json_object_set(object, "vips", vips);
	json_decref(vips);
	return object;
}

static int pool_list(struct methods_context *context, const json_t *params, json_t **result,
		     struct lb_err *err)
{
	const struct lb_service *service = service_document(context->service);
	json_t *pools;
	int ret = no_params(params, err);

	if (ret)
		return ret;
	pools = json_array();
	for (size_t i = 0; i < service->pool_count; i++) {
		const struct lb_pool *pool = &service->pools[i];

		json_array_append_new(pools, with_users(service, pool, false,
							schema_write(&lb_pool_schema, pool)));
		worker_yield();
	}
	*result = with_digest(context, json_pack("{s:o}", "pools", pools));
	return 0;
}

static int pool_show(struct methods_context *context, const json_t *params, json_t **result,
		     struct lb_err *err)
{
	const struct lb_service *service = service_document(context->service);
	const json_t *name;
	const struct lb_json_field fields[] = {{"pool", LB_JSON_STRING, true, &name}, {0}};
	struct lb_pool *pool;
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = at_param(lb_service_get_pool(service, json_string_value(name), &pool, err),
			       err, "pool");
	if (!ret)
		*result = with_digest(context,
				      with_users(service, pool, true,
						 service_pool_state(context->service, pool)));
	if (!ret)
		json_object_set_new(*result, "left_by", service_pool_left(context->service, pool));
	return ret;
}

static json_t *vip_with_backends(struct service *service, const struct lb_vip *vip)
{
	char text[LB_ENDPOINT_TEXT];

	return json_pack("{s:s, s:s, s:o}", "name", vip->name, "address",
			 lb_endpoint_format(&vip->endpoint, text), "backends",
			 service_backend_states(service, vip));
}

static json_t *pool_with_backends(struct service *service, const struct lb_pool *pool)
{
	json_auto_t *state = service_pool_state(service, pool);

	return json_pack("{s:s, s:O}", "name", pool->name, "backends",
			 json_object_get(state, "backends"));
}

/* Each of the named pools, or this one. */
static json_t *pools_with_backends(struct service *service, const struct lb_pool *one)
{
	const struct lb_service *document = service_document(service);
	json_t *pools = json_array();

	for (size_t i = 0; i < document->pool_count; i++) {
		const struct lb_pool *pool = &document->pools[i];

		if (!one || pool == one)
			json_array_append_new(pools, pool_with_backends(service, pool));
		worker_yield();
	}
	return pools;
}

static int backend_list(struct methods_context *context, const json_t *params, json_t **result,
			struct lb_err *err)
{
	const char *reference;
	const struct lb_pool *pool;
	json_t *vips = NULL, *pools;
	int ret = vip_param(params, false, &reference, err);

	if (ret)
		return ret;
	/* Of a name that a pool and a VIP have, the pool is meant. */
	pool = reference ? lb_service_find_pool(service_document(context->service), reference)
			 : NULL;
	if (pool)
		vips = json_array();
	else
		ret = each_vip(context, reference, true, vip_with_backends, &vips, err);
	if (ret)
		return ret;
	pools = reference && !pool ? json_array() : pools_with_backends(context->service, pool);
	*result = with_digest(context, json_pack("{s:o, s:o}", "vips", vips, "pools", pools));
	return 0;
}

/* --- statistics --- */

static json_t *list_verdicts(const uint64_t counts[LB_VERDICT_COUNT])
{
	json_t *verdicts = json_array();

	for (uint32_t i = 0; i < LB_VERDICT_COUNT; i++) {
		json_t *verdict = verdict_json(i);

		json_object_set_new(verdict, "packets", json_integer((json_int_t)counts[i]));
		json_array_append_new(verdicts, verdict);
	}
	return verdicts;
}

/* What was forwarded, as the entries of `vips` say, which are those of the document. */
static struct lb_counter forwarded_by(const struct lb_service *service, const json_t *vips,
				      uint8_t protocol)
{
	struct lb_counter sum = {0};
	const json_t *vip;
	size_t i;

	json_array_foreach (vips, i, vip) {
		if (service->vips[i].endpoint.protocol != protocol)
			continue;
		sum.packets += (uint64_t)json_integer_value(json_object_get(vip, "packets"));
		sum.bytes += (uint64_t)json_integer_value(json_object_get(vip, "bytes"));
	}
	return sum;
}

/* By the VIPs' protocols and by verdicts, so that the program counts nothing for it. */
static json_t *list_protocols(const struct lb_service *service, const json_t *vips,
			      const uint64_t counts[LB_VERDICT_COUNT])
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	const uint64_t icmp = counts[LB_PASS_ICMP] + counts[LB_TX_ECHO];
	uint64_t other = 0;
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(protocols); i++) {
		const struct lb_counter sum = forwarded_by(service, vips, protocols[i]);

		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name",
						      lb_protocol_name(protocols[i]), "packets",
						      (json_int_t)sum.packets, "bytes",
						      (json_int_t)sum.bytes));
	}
	for (int i = 0; i < LB_VERDICT_COUNT; i++)
		other += i == LB_TX || i == LB_REDIRECT ? 0 : counts[i];
	json_array_append_new(list,
			      json_pack("{s:s, s:I}", "name", "icmp", "packets", (json_int_t)icmp));
	json_array_append_new(list, json_pack("{s:s, s:I}", "name", "other", "packets",
					      (json_int_t)(other - icmp)));
	return list;
}

/* What is told when no VIP is named. */
static int add_totals(struct methods_context *context, json_t *result, struct lb_err *err)
{
	const struct lb_service *service = service_document(context->service);
	uint64_t counts[LB_VERDICT_COUNT];
	const int ret = datapath_verdicts(context->datapath, counts);

	if (ret) {
		lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read the verdict counters: %s",
			   strerror(-ret));
		return ret;
	}
	json_object_set_new(result, "protocols",
			    list_protocols(service, json_object_get(result, "vips"), counts));
	json_object_set_new(result, "verdicts", list_verdicts(counts));
	json_object_set_new(result, "interfaces", interfaces_counters(context));
	return 0;
}

static int stats(struct methods_context *context, const json_t *params, json_t **result,
		 struct lb_err *err)
{
	const char *reference;
	json_t *vips;
	int ret = vip_param(params, false, &reference, err);

	if (!ret)
		ret = each_vip(context, reference, false, service_vip_stats, &vips, err);
	if (ret)
		return ret;
	*result = json_pack("{s:I, s:o}", "at_ms", (json_int_t)lb_now_ms(), "vips", vips);
	if (!reference)
		ret = add_totals(context, *result, err);
	if (ret) {
		json_decref(*result);
		*result = NULL;
	}
	return ret;
}

/* --- version and status --- */

static const char *kernel_release(void)
{
	static struct utsname name;

	return uname(&name) ? "" : name.release;
}

static int version(struct methods_context *context, const json_t *params, json_t **result,
		   struct lb_err *err)
{
	int ret = no_params(params, err);

	(void)context;
	if (!ret)
		*result = json_pack("{s:s, s:i, s:s}", "version", LB_VERSION, "abi", LB_ABI_VERSION,
				    "kernel", kernel_release());
	return ret;
}

/* Equal on two nodes when their seeds are, and of no use for finding a seed. */
static json_t *describe_seed(const struct config *config)
{
	static const char text[] = "lbd seed";
	char digest[DIGEST_TEXT];

	return json_pack("{s:b, s:s}", "configured", config->seed_configured, "digest",
			 digest_text(siphash(config->seed, text, strlen(text)), digest));
}

static json_int_t uptime_s(const struct methods_context *context)
{
	return lb_now_ms() / 1000 - context->started;
}

static json_t *describe_longest_turn(const struct methods_context *context)
{
	struct turns_longest longest;

	turns_longest(context->turns, &longest);
	if (!longest.what)
		return NULL;
	return json_pack("{s:I, s:s, s:I}", "cpu_us", (json_int_t)longest.cpu_us, "what",
			 longest.what, "ago_s",
			 (json_int_t)(lb_clock_ns(CLOCK_MONOTONIC) / 1000000000 - longest.ended_s));
}

/* Of the machine as it is now, of the start, and what has come up since. */
static json_t *list_warnings(const struct methods_context *context)
{
	const char *fault = service_revert_fault(context->service);
	json_t *warnings = json_array();

	preflight_warn(context->preflight, warnings);
	worker_yield();
	json_array_extend(warnings, context->warnings);
	if (*fault)
		json_array_append_new(warnings,
				      json_sprintf("the change that was not confirmed could not be "
						   "taken back yet: %s",
						   fault));
	fault = service_save_fault(context->service);
	if (*fault)
		json_array_append_new(warnings, json_sprintf("the service document could not be "
							     "saved: %s",
							     fault));
	if (context->services->message[0])
		json_array_append_new(
			warnings,
			json_sprintf("the services file is not in force: %s; what was before is",
				     context->services->message));
	lists_warnings(context->lists, warnings);
	fault = lists_fault(context->lists);
	if (*fault)
		json_array_append_new(warnings,
				      json_sprintf("lists are not in force: %s; lbd tries "
						   "again every 10 seconds",
						   fault));
	service_health_warnings(context->service, warnings);
	node_warnings(context->node, warnings);
	return warnings;
}

/* NULL: the document was not published for a tier. */
static json_t *describe_tier(const struct service *service)
{
	const struct lb_service *document = service_document(service);

	if (!document->revision)
		return NULL;
	return json_pack("{s:I, s:b}", "revision", (json_int_t)document->revision, "edited",
			 document->edited);
}

static int status(struct methods_context *context, const json_t *params, json_t **result,
		  struct lb_err *err)
{
	struct service *service = context->service;
	int ret = no_params(params, err);

	if (ret)
		return ret;
	*result = json_pack(
		"{s:s, s:i, s:s, s:i, s:I, s:o, s:o, s:o, s:o*, s:I, s:o, s:o, s:o, s:o, s:o*, "
		"s:o*, s:o*, s:o*, s:o*, s:o}",
		"version", LB_VERSION, "abi", LB_ABI_VERSION, "kernel", kernel_release(), "pid",
		(int)getpid(), "uptime_s", uptime_s(context), "interfaces",
		interfaces_describe(context, false), "limits", service_limits(service),
		"flow_table", service_flow_table(service), "quic", service_quic(service),
		"memory_bytes", (json_int_t)datapath_memory_bytes(context->datapath), "next_hops",
		service_next_hops(service), "unroutable", service_unroutable(service), "health",
		service_health(service), "hash_seed", describe_seed(context->config), "unconfirmed",
		service_unconfirmed(service), "tier", describe_tier(service), "longest_turn",
		describe_longest_turn(context), "otlp",
		context->describe_push ? context->describe_push(context->pusher) : NULL, "node",
		node_status(context->node), "warnings", list_warnings(context));
	with_digest(context, *result);
	return 0;
}

static int iface_list(struct methods_context *context, const json_t *params, json_t **result,
		      struct lb_err *err)
{
	int ret = no_params(params, err);

	if (!ret)
		*result = json_pack("{s:o}", "interfaces", interfaces_describe(context, true));
	return ret;
}

/* --- simulation --- */

static int simulate(const json_t *params, bool fails, json_t **result, struct lb_err *err)
{
	const json_t *text;
	const struct lb_json_field fields[] = {
		{"address", LB_JSON_STRING, true, &text},
		{0},
	};
	struct lb_addr backend;
	int ret = lb_json_fields(params, fields, err);

	if (!ret && lb_addr_parse(json_string_value(text), &backend, err)) {
		lb_err_prefix(err, "address");
		ret = -EINVAL;
	}
	if (!ret)
		ret = simulation_fail(&backend, fails, err);
	if (!ret)
		*result = json_pack("{s:O, s:b}", "address", text, "fails", fails);
	return ret;
}

static int simulate_fail(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err)
{
	(void)context;
	return simulate(params, true, result, err);
}

static int simulate_recover(struct methods_context *context, const json_t *params, json_t **result,
			    struct lb_err *err)
{
	(void)context;
	return simulate(params, false, result, err);
}

/* --- dispatch --- */

static const struct method {
	const char *name;
	method_handler handler;
	enum {
		AT_ONCE, /* in the loop */
		FACTS,   /* by a worker that does nothing which takes long */
		READS,   /* by a worker: its reply may be long */
		ASKS,    /* the same; refused on the read-only socket */
		PROBES,  /* by a worker: it waits for others; refused on the read-only socket */
		FOLLOWS, /* the same, but nothing is held meanwhile */
		CHANGES, /* by the worker for changes; refused on the read-only socket */
	} kind;
} methods[] = {
	{"version", version, AT_ONCE},
	{"status", status, FACTS},
	{"iface.list", iface_list, AT_ONCE},
	{"vip.list", vip_list, READS},
	{"vip.show", vip_show, READS},
	{"pool.list", pool_list, READS},
	{"pool.show", pool_show, READS},
	{"backend.list", backend_list, READS},
	{"stats", stats, READS},
	{"backend.probe", methods_probe, PROBES},
	{"explain", methods_explain, ASKS},
	{"replay", methods_replay, ASKS},
	{"trace", methods_trace, FOLLOWS},
	{"health.view", methods_health_view, READS},
	{"health.agree", methods_health_agree, ASKS},
	{"node.show", methods_node_show, FACTS},
	{"node.drain", methods_node_drain, CHANGES},
	{"node.undrain", methods_node_undrain, CHANGES},
	{"list.add", methods_list_add, CHANGES},
	{"list.del", methods_list_del, CHANGES},
	{"list.load", methods_list_load, CHANGES},
	{"list.set", methods_list_set, CHANGES},
	{"list.show", methods_list_show, CHANGES},
	{"list.explain", methods_list_explain, CHANGES},
	{"guard.show", methods_guard_show, CHANGES},
	{"simulate.fail", simulate_fail, CHANGES},
	{"simulate.recover", simulate_recover, CHANGES},
	{"config.export", config_export, READS},
	{"config.diff", config_diff, READS},
	{"config.confirm", config_confirm, CHANGES},
	{"config.revert", config_revert, CHANGES},
	{METHOD_WATCH, watch, AT_ONCE},
};

#define METHOD_COUNT (sizeof(methods) / sizeof(*methods))

static int unknown_method(const char *name, struct lb_err *err)
{
	const char *names[METHOD_COUNT + METHODS_CHANGE_MAX + 1] = {NULL};
	const char *meant;

	for (size_t i = 0; i < METHOD_COUNT; i++)
		names[i] = methods[i].name;
	methods_change_names(names + METHOD_COUNT);
	meant = lb_nearest(name, names);
	lb_err_set(err, LB_ERR_METHOD, "", "no method \"%s\"", name);
	if (meant)
		return lb_err_hint(err, "did you mean \"%s\"?", meant);
	return lb_err_hint(err, "docs/protocol.md lists the methods");
}

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < METHOD_COUNT; i++)
		if (!strcmp(name, methods[i].name))
			return &methods[i];
	return NULL;
}

/* What is read is of one document, however many turns it takes. */
static int read_or_change(struct methods_context *context, const struct method *method,
			  const json_t *params, json_t **result, struct lb_err *err)
{
	int ret;

	if (method->kind != READS && method->kind != ASKS)
		return method->handler(context, params, result, err);
	service_hold(context->service);
	ret = method->handler(context, params, result, err);
	service_let_go(context->service);
	return ret;
}

/* Requests may be under way at the same time, so each has a context of its own. */
int methods_call(void *user, const struct peer *peer, const struct lb_request *request,
		 json_t **result, struct lb_err *err)
{
	struct methods_context context = *(const struct methods_context *)user;
	const struct method *method = find_method(request->method);
	int ret;

	*result = NULL;
	context.peer = peer;
	if (method) {
		turns_note(context.turns, method->name);
		ret = read_or_change(&context, method, request->params, result, err);
	} else if (methods_change_has(request->method)) {
		ret = methods_change(&context, request->method, request->params, result, err);
	} else {
		return unknown_method(request->method, err);
	}
	if (!ret && *result && simulation_is_on())
		json_object_set_new(*result, "simulated", json_true());
	return ret || *result ? ret : lb_err_no_memory(err);
}

bool methods_together(void *user, const struct lb_request *request)
{
	(void)user;
	return !strcmp(request->method, "list.add") ||
	       (!strcmp(request->method, "list.del") &&
		json_object_get(request->params, "prefixes"));
}

int methods_settle(void *user, struct lb_err *err)
{
	const struct methods_context *context = user;

	return lists_settle(context->lists, err);
}

struct worker *methods_place(void *user, const char *name)
{
	const struct methods_context *context = user;
	const struct method *method = name ? find_method(name) : NULL;

	if (!name || methods_change_has(name) || (method && method->kind == CHANGES))
		return context->changes;
	if (!method || method->kind == AT_ONCE)
		return NULL;
	if (method->kind == PROBES)
		return context->probes;
	return method->kind == FACTS ? context->facts : context->reads;
}

struct worker *methods_place_read_only(void *user, const char *name)
{
	const struct methods_context *context = user;
	struct worker *worker = methods_place(user, name);

	if (worker != context->changes && worker != context->probes)
		return worker;
	return name ? NULL : context->reads; /* what changes or probes is refused at once */
}

static bool is_read_only(const struct method *method)
{
	return method->kind != CHANGES && method->kind != ASKS && method->kind != PROBES &&
	       method->kind != FOLLOWS;
}

static int refuse_here(const struct config *config, const char *method, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_REFUSED, "", "this socket is read-only and does not take %s",
		   method);
	if (*config->control_group)
		return lb_err_hint(err, "use %s, as root or as a member of group %s",
				   config->control_path, config->control_group);
	return lb_err_hint(err, "use %s, as a user that may connect there", config->control_path);
}

int methods_call_read_only(void *user, const struct peer *peer, const struct lb_request *request,
			   json_t **result, struct lb_err *err)
{
	const struct methods_context *context = user;
	const struct method *method = find_method(request->method);

	if (method ? !is_read_only(method) : methods_change_has(request->method))
		return refuse_here(context->config, request->method, err);
	return methods_call(user, peer, request, result, err);
}
