/* SPDX-License-Identifier: BSD-2-Clause */
/* What each method of docs/protocol.md does. A change is always: copy the document, edit the copy,
 * apply it whole. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "api/model.h"
#include "methods.h"

typedef int (*method_handler)(struct methods_context *context, const json_t *params,
			      json_t **result, struct lb_err *err);

static void service_cleanup(struct lb_service **service)
{
	lb_service_free(*service);
}

static void vip_cleanup(struct lb_vip *vip)
{
	lb_vip_clear(vip);
}

#define service_auto __attribute__((cleanup(service_cleanup))) struct lb_service
#define vip_auto __attribute__((cleanup(vip_cleanup))) struct lb_vip

static int no_memory(struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "out of memory");
	return -ENOMEM;
}

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

static int address_param(const json_t *value, struct lb_addr *out, struct lb_err *err)
{
	return at_param(lb_addr_parse(json_string_value(value), out, err), err, "address");
}

static int find_backend(const struct lb_vip *vip, const json_t *value, struct lb_backend **out,
			struct lb_err *err)
{
	struct lb_addr address;
	char text[LB_ADDR_TEXT];
	int ret = address_param(value, &address, err);

	if (ret)
		return ret;
	*out = lb_vip_find_backend(vip, &address);
	if (*out)
		return 0;
	lb_err_set(err, LB_ERR_NOT_FOUND, "address", "VIP \"%s\" has no backend %s", vip->name,
		   lb_addr_format(&address, text));
	return lb_err_hint(err, "see: lbctl backend list %s", vip->name);
}

/* --- changes --- */

static struct lb_service *edited_copy(const struct methods_context *context, struct lb_err *err)
{
	struct lb_service *copy = lb_service_copy(service_document(context->service));

	if (!copy)
		no_memory(err);
	return copy;
}

/* Applies the edited copy, which is used up. Faults it finds are paths into the whole document,
 * which the client did not send: they are laid at the door of the parameter that was added. */
static int apply_edit(struct methods_context *context, struct lb_service **next, const char *param,
		      json_t **result, struct lb_err *err)
{
	int ret = service_apply(context->service, *next, false, result, err);

	*next = NULL;
	if (ret && *err->path)
		snprintf(err->path, sizeof(err->path), "%s", param);
	return ret;
}

static int vip_add(struct methods_context *context, const json_t *params, json_t **result,
		   struct lb_err *err)
{
	service_auto *next = NULL;
	vip_auto vip = {0};
	const json_t *object;
	const struct lb_json_field fields[] = {{"vip", LB_JSON_OBJECT, true, &object}, {0}};
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = at_param(lb_vip_from_json(object, &vip, err), err, "vip");
	if (ret)
		return ret;
	next = edited_copy(context, err);
	if (!next)
		return -ENOMEM;
	ret = at_param(lb_service_add_vip(next, &vip, err), err, "vip");
	return ret ? ret : apply_edit(context, &next, "vip", result, err);
}

/* Its errors have paths within "set". */
static int rename_vip(const struct lb_service *service, struct lb_vip *vip, const char *name,
		      struct lb_err *err)
{
	const struct lb_vip *other;
	char text[LB_ENDPOINT_TEXT];

	if (lb_name_check(name, err))
		return at_param(-EINVAL, err, "name");
	other = lb_service_find(service, name);
	if (other && other != vip)
		return lb_err_set(err, LB_ERR_EXISTS, "name", "name \"%s\" is taken by VIP %s",
				  name, lb_endpoint_format(&other->endpoint, text));
	snprintf(vip->name, sizeof(vip->name), "%s", name);
	return 0;
}

static int edit_vip(const struct lb_service *service, struct lb_vip *vip, const json_t *set,
		    struct lb_err *err)
{
	const json_t *name, *table;
	const struct lb_json_field fields[] = {
		{"name", LB_JSON_STRING, false, &name},
		{"table", LB_JSON_STRING, false, &table},
		{0},
	};
	int ret = lb_json_fields(set, fields, err);

	if (ret)
		return ret;
	if (!name && !table)
		return lb_err_set(err, LB_ERR_PARAMS, "", "nothing to set: give name or table");
	if (name)
		ret = rename_vip(service, vip, json_string_value(name), err);
	if (!ret && table)
		ret = at_param(lb_table_kind_parse(json_string_value(table), &vip->table, err), err,
			       "table");
	return ret;
}

static int vip_set(struct methods_context *context, const json_t *params, json_t **result,
		   struct lb_err *err)
{
	service_auto *next = NULL;
	struct lb_vip *vip;
	const json_t *reference, *set;
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, true, &reference},
		{"set", LB_JSON_OBJECT, true, &set},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	next = edited_copy(context, err);
	if (!next)
		return -ENOMEM;
	ret = find_vip(next, json_string_value(reference), &vip, err);
	if (!ret)
		ret = at_param(edit_vip(next, vip, set, err), err, "set");
	return ret ? ret : apply_edit(context, &next, "set", result, err);
}

static int vip_del(struct methods_context *context, const json_t *params, json_t **result,
		   struct lb_err *err)
{
	service_auto *next = NULL;
	const char *reference;
	int ret = vip_param(params, true, &reference, err);

	if (ret)
		return ret;
	next = edited_copy(context, err);
	if (!next)
		return -ENOMEM;
	ret = at_param(lb_service_del_vip(next, reference, err), err, "vip");
	return ret ? ret : apply_edit(context, &next, "vip", result, err);
}

static int backend_add(struct methods_context *context, const json_t *params, json_t **result,
		       struct lb_err *err)
{
	service_auto *next = NULL;
	struct lb_vip *vip;
	struct lb_backend backend;
	const json_t *reference, *object;
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, true, &reference},
		{"backend", LB_JSON_OBJECT, true, &object},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	next = edited_copy(context, err);
	if (!next)
		return -ENOMEM;
	ret = find_vip(next, json_string_value(reference), &vip, err);
	if (ret)
		return ret;
	ret = lb_backend_from_json(object, &backend, err);
	if (!ret)
		ret = lb_vip_add_backend(vip, &backend, err);
	if (ret)
		return at_param(ret, err, "backend");
	return apply_edit(context, &next, "backend", result, err);
}

/* "set" of backend.set. */
static int edit_backend(struct lb_backend *backend, const json_t *set, struct lb_err *err)
{
	const json_t *value;
	const struct lb_json_field fields[] = {{"weight", LB_JSON_INTEGER, true, &value}, {0}};
	int64_t weight;
	int ret = lb_json_fields(set, fields, err);

	if (!ret)
		ret = lb_json_integer(value, "weight", 0, LB_WEIGHT_MAX, &weight, err);
	if (!ret)
		backend->weight = (uint32_t)weight;
	return ret;
}

static int backend_set(struct methods_context *context, const json_t *params, json_t **result,
		       struct lb_err *err)
{
	service_auto *next = NULL;
	struct lb_vip *vip;
	struct lb_backend *backend;
	const json_t *reference, *address, *set;
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, true, &reference},
		{"address", LB_JSON_STRING, true, &address},
		{"set", LB_JSON_OBJECT, true, &set},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	next = edited_copy(context, err);
	if (!next)
		return -ENOMEM;
	ret = find_vip(next, json_string_value(reference), &vip, err);
	if (!ret)
		ret = find_backend(vip, address, &backend, err);
	if (!ret)
		ret = at_param(edit_backend(backend, set, err), err, "set");
	return ret ? ret : apply_edit(context, &next, "set", result, err);
}

static int backend_del(struct methods_context *context, const json_t *params, json_t **result,
		       struct lb_err *err)
{
	service_auto *next = NULL;
	struct lb_vip *vip;
	struct lb_backend *backend;
	const json_t *reference, *address;
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, true, &reference},
		{"address", LB_JSON_STRING, true, &address},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	next = edited_copy(context, err);
	if (!next)
		return -ENOMEM;
	ret = find_vip(next, json_string_value(reference), &vip, err);
	if (!ret)
		ret = find_backend(vip, address, &backend, err);
	if (!ret) {
		struct lb_addr gone = backend->address;

		ret = at_param(lb_vip_del_backend(vip, &gone, err), err, "address");
	}
	return ret ? ret : apply_edit(context, &next, "address", result, err);
}

/* --- whole documents --- */

static int apply_document(struct methods_context *context, const json_t *params, bool dry_run,
			  json_t **result, struct lb_err *err)
{
	const json_t *document;
	const struct lb_json_field fields[] = {{"document", LB_JSON_OBJECT, true, &document}, {0}};
	struct lb_service *next;
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	ret = lb_service_from_json(document, &next, err);
	if (ret)
		return at_param(ret, err, "document");
	ret = service_apply(context->service, next, dry_run, result, err);
	if (ret && *err->path)
		lb_err_prefix(err, "document");
	return ret;
}

static int config_check(struct methods_context *context, const json_t *params, json_t **result,
			struct lb_err *err)
{
	return apply_document(context, params, true, result, err);
}

static int config_apply(struct methods_context *context, const json_t *params, json_t **result,
			struct lb_err *err)
{
	return apply_document(context, params, false, result, err);
}

static int config_export(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err)
{
	int ret = no_params(params, err);

	if (!ret)
		*result = json_pack("{s:o}", "document",
				    lb_service_to_json(service_document(context->service)));
	return ret;
}

/* --- what is there --- */

/* An object or array for each VIP of the document, or for the one that is named. */
static int each_vip(struct methods_context *context, const char *reference,
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
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, describe(context->service, &vip[i]));
	*out = array;
	return 0;
}

static int vip_list(struct methods_context *context, const json_t *params, json_t **result,
		    struct lb_err *err)
{
	json_t *vips;
	int ret = no_params(params, err);

	if (!ret)
		ret = each_vip(context, NULL, service_vip_state, &vips, err);
	if (!ret)
		*result = json_pack("{s:o}", "vips", vips);
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
		*result = service_vip_state(context->service, vip);
	return ret;
}

static json_t *vip_with_backends(struct service *service, const struct lb_vip *vip)
{
	char text[LB_ENDPOINT_TEXT];

	return json_pack("{s:s, s:s, s:o}", "name", vip->name, "address",
			 lb_endpoint_format(&vip->endpoint, text), "backends",
			 service_backend_states(service, vip));
}

static int backend_list(struct methods_context *context, const json_t *params, json_t **result,
			struct lb_err *err)
{
	const char *reference;
	json_t *vips;
	int ret = vip_param(params, false, &reference, err);

	if (!ret)
		ret = each_vip(context, reference, vip_with_backends, &vips, err);
	if (!ret)
		*result = json_pack("{s:o}", "vips", vips);
	return ret;
}

/* --- statistics --- */

#define ACTION_PASS "pass"
#define ACTION_FORWARD "forward"
#define ACTION_DROP "drop"

static const struct {
	const char *name, *action, *meaning;
} verdict_texts[] = {
#define VERDICT_TEXT(id, name, action, meaning) {name, ACTION_##action, meaning},
	LB_VERDICT_LIST(VERDICT_TEXT)
#undef VERDICT_TEXT
};

static int list_verdicts(struct datapath *datapath, json_t **out, struct lb_err *err)
{
	uint64_t counts[LB_VERDICT_COUNT];
	json_t *verdicts;
	int ret = datapath_verdicts(datapath, counts);

	if (ret) {
		lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read the verdict counters: %s",
			   strerror(-ret));
		return ret;
	}
	verdicts = json_array();
	for (int i = 0; i < LB_VERDICT_COUNT; i++)
		json_array_append_new(verdicts, json_pack("{s:s, s:s, s:I, s:s}", "name",
							  verdict_texts[i].name, "action",
							  verdict_texts[i].action, "packets",
							  (json_int_t)counts[i], "meaning",
							  verdict_texts[i].meaning));
	*out = verdicts;
	return 0;
}

static int stats(struct methods_context *context, const json_t *params, json_t **result,
		 struct lb_err *err)
{
	const char *reference;
	json_t *verdicts = NULL, *vips;
	int ret = vip_param(params, false, &reference, err);

	if (!ret && !reference)
		ret = list_verdicts(context->datapath, &verdicts, err);
	if (ret)
		return ret;
	ret = each_vip(context, reference, service_vip_stats, &vips, err);
	if (ret)
		json_decref(verdicts);
	else
		*result = json_pack("{s:o, s:o*}", "vips", vips, "verdicts", verdicts);
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

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32) + v[3];
		v[2] += v[1];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

/* SipHash-2-4 (Aumasson, Bernstein, 2012) of the eight bytes "lbd seed" keyed by the seed: equal on
 * two nodes when their seeds are, and of no use for finding a seed. */
static uint64_t seed_digest(const uint64_t seed[2])
{
	const uint64_t words[] = {0x646565732064626c, 8ull << 56};
	uint64_t v[4] = {
		seed[0] ^ 0x736f6d6570736575,
		seed[1] ^ 0x646f72616e646f6d,
		seed[0] ^ 0x6c7967656e657261,
		seed[1] ^ 0x7465646279746573,
	};

	for (int i = 0; i < 2; i++) {
		v[3] ^= words[i];
		sip_rounds(v, 2);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static json_t *describe_seed(const struct config *config)
{
	char digest[17];

	snprintf(digest, sizeof(digest), "%016" PRIx64, seed_digest(config->seed));
	return json_pack("{s:b, s:s}", "configured", config->seed_configured, "digest", digest);
}

static json_t *describe_interfaces(const struct methods_context *context)
{
	json_t *interfaces = json_array();

	for (size_t i = 0; i < context->config->interface_count; i++) {
		const struct datapath_attachment *at = &context->attachments[i];

		json_array_append_new(interfaces,
				      json_pack("{s:s, s:I, s:s, s:s*}", "name",
						context->config->interfaces[i], "ifindex",
						(json_int_t)at->ifindex, "xdp_mode",
						at->mode == XDP_MODE_NATIVE ? "native" : "generic",
						"reason", *at->reason ? at->reason : NULL));
	}
	return interfaces;
}

static json_int_t uptime_s(const struct methods_context *context)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - context->started;
}

static int status(struct methods_context *context, const json_t *params, json_t **result,
		  struct lb_err *err)
{
	struct service *service = context->service;
	int ret = no_params(params, err);

	if (ret)
		return ret;
	*result = json_pack(
		"{s:s, s:i, s:s, s:i, s:I, s:o, s:o, s:I, s:o, s:o, s:o, s:O}", "version",
		LB_VERSION, "abi", LB_ABI_VERSION, "kernel", kernel_release(), "pid", (int)getpid(),
		"uptime_s", uptime_s(context), "interfaces", describe_interfaces(context), "limits",
		service_limits(service), "memory_bytes",
		(json_int_t)datapath_memory_bytes(context->datapath), "next_hops",
		service_next_hops(service), "unroutable", service_unroutable(service), "hash_seed",
		describe_seed(context->config), "warnings", context->warnings);
	return 0;
}

/* --- dispatch --- */

static const struct method {
	const char *name;
	method_handler handler;
} methods[] = {
	{"version", version},
	{"status", status},
	{"vip.add", vip_add},
	{"vip.set", vip_set},
	{"vip.del", vip_del},
	{"vip.list", vip_list},
	{"vip.show", vip_show},
	{"backend.add", backend_add},
	{"backend.set", backend_set},
	{"backend.del", backend_del},
	{"backend.list", backend_list},
	{"stats", stats},
	{"config.check", config_check},
	{"config.apply", config_apply},
	{"config.export", config_export},
};

#define METHOD_COUNT (sizeof(methods) / sizeof(*methods))

static int unknown_method(const char *name, struct lb_err *err)
{
	const char *names[METHOD_COUNT + 1] = {NULL};
	const char *meant;

	for (size_t i = 0; i < METHOD_COUNT; i++)
		names[i] = methods[i].name;
	meant = lb_nearest(name, names);
	lb_err_set(err, LB_ERR_METHOD, "", "no method \"%s\"", name);
	if (meant)
		return lb_err_hint(err, "did you mean \"%s\"?", meant);
	return lb_err_hint(err, "docs/protocol.md lists the methods");
}

int methods_call(void *user, const struct lb_request *request, json_t **result, struct lb_err *err)
{
	*result = NULL;
	for (size_t i = 0; i < METHOD_COUNT; i++) {
		int ret;

		if (strcmp(request->method, methods[i].name))
			continue;
		ret = methods[i].handler(user, request->params, result, err);
		return ret || *result ? ret : no_memory(err);
	}
	return unknown_method(request->method, err);
}
