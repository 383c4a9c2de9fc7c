/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a request change what is balanced? Always so: copy the document, edit the copy, apply it
 * whole. */
#include "methods_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../api/model.h"
#include "../api/plain_file.h"
#include "../host/worker.h"
#include "../plane/shadow.h"
#include "../service/document_digest.h"
#include "already.h"

/* What requests say; NULL: it was left out, or is no parameter of the method. */
struct change_params {
	const json_t *vip, *pool, *address, *backend, *set, *document;
	const json_t *dry_run, *force, *max_moved_percent, *if_digest, *local, *confirm_s;
	const json_t *if_missing, *if_present;
};

/* Edits *next, a copy of the document in force, or replaces it. */
typedef int (*change_edit)(struct lb_service **next, const struct change_params *params,
			   struct lb_err *err);

/* Puts the name of the parameter at fault before the path. */
static int at_param(int ret, struct lb_err *err, const char *param)
{
	if (ret)
		lb_err_prefix(err, "%s", param);
	return ret;
}

static int find_vip(const struct lb_service *service, const json_t *reference, struct lb_vip **out,
		    struct lb_err *err)
{
	return at_param(lb_service_get(service, json_string_value(reference), out, err), err,
			"vip");
}

/* Backends belong to pools. */
static int find_users_pool(const struct lb_service *service, const json_t *reference,
			   struct lb_pool **out, struct lb_err *err)
{
	return at_param(lb_service_get_users_pool(service, json_string_value(reference), out, err),
			err, "vip");
}

static int find_backend(const struct lb_pool *pool, const json_t *value, struct lb_backend **out,
			struct lb_err *err)
{
	struct lb_addr address;
	char text[LB_ADDR_TEXT];

	if (lb_addr_parse(json_string_value(value), &address, err))
		return at_param(-EINVAL, err, "address");
	*out = lb_pool_find_backend(pool, &address);
	if (*out)
		return 0;
	lb_err_set(err, LB_ERR_NOT_FOUND, "address", "%s \"%s\" has no backend %s",
		   pool->named ? "pool" : "VIP", pool->name, lb_addr_format(&address, text));
	return lb_err_hint(err, "see: lbctl backend list %s", pool->name);
}

/* What is removed need not be there, if the request says so. */
static int unless_missing(int ret, const struct change_params *params, struct lb_err *err)
{
	if (!ret || !json_is_true(params->if_present) || err->code != LB_ERR_NOT_FOUND)
		return ret;
	*err = (struct lb_err){0};
	return 0;
}

/* --- VIPs --- */

/* The VIP in the place of one that may be there already, or NULL. */
static const struct lb_vip *vip_there(const struct lb_service *service, const struct lb_vip *vip,
				      const struct change_params *params)
{
	return json_is_true(params->if_missing) ? lb_service_find_endpoint(service, &vip->endpoint)
						: NULL;
}

static int vip_add(struct lb_service **next, const struct change_params *params, struct lb_err *err)
{
	struct lb_vip vip = {0};
	const struct lb_vip *there;
	char name[LB_NAME_TEXT + 8];
	int ret = schema_read(&lb_vip_schema, params->vip, &vip, err);

	there = ret ? NULL : vip_there(*next, &vip, params);
	if (there) {
		snprintf(name, sizeof(name), "VIP \"%s\"", there->name);
		ret = already_like(&lb_vip_schema, params->vip, &vip, there, name, err);
	} else if (!ret) {
		ret = lb_service_add_vip(*next, &vip, err);
	}
	schema_clear(&lb_vip_schema, &vip);
	return at_param(ret, err, "vip");
}

static int vip_set(struct lb_service **next, const struct change_params *params, struct lb_err *err)
{
	struct lb_vip *vip;
	int ret = find_vip(*next, params->vip, &vip, err);

	return ret ? ret : at_param(lb_service_set_vip(*next, vip, params->set, err), err, "set");
}

static int vip_del(struct lb_service **next, const struct change_params *params, struct lb_err *err)
{
	const char *reference = json_string_value(params->vip);

	return unless_missing(at_param(lb_service_del_vip(*next, reference, err), err, "vip"),
			      params, err);
}

/* --- pools --- */

static int pool_add(struct lb_service **next, const struct change_params *params,
		    struct lb_err *err)
{
	struct lb_pool pool = {0};
	const struct lb_pool *there = NULL;
	char name[LB_NAME_TEXT + 8];
	int ret = schema_read(&lb_pool_schema, params->pool, &pool, err);

	if (!ret && json_is_true(params->if_missing))
		there = lb_service_find_pool(*next, pool.name);
	if (there) {
		snprintf(name, sizeof(name), "pool \"%s\"", there->name);
		ret = already_like(&lb_pool_schema, params->pool, &pool, there, name, err);
	} else if (!ret) {
		ret = lb_service_add_pool(*next, &pool, err);
	}
	schema_clear(&lb_pool_schema, &pool);
	return at_param(ret, err, "pool");
}

static int find_pool(const struct lb_service *service, const json_t *name, struct lb_pool **out,
		     struct lb_err *err)
{
	return at_param(lb_service_get_pool(service, json_string_value(name), out, err), err,
			"pool");
}

static int pool_set(struct lb_service **next, const struct change_params *params,
		    struct lb_err *err)
{
	struct lb_pool *pool;
	int ret = find_pool(*next, params->pool, &pool, err);

	return ret ? ret
		   : at_param(schema_edit(&lb_pool_schema, params->set, pool, err), err, "set");
}

static int pool_del(struct lb_service **next, const struct change_params *params,
		    struct lb_err *err)
{
	const char *name = json_string_value(params->pool);

	return unless_missing(at_param(lb_service_del_pool(*next, name, err), err, "pool"), params,
			      err);
}

/* --- backends --- */

/* `fields` with a server id in the place of "auto": a new reference, or NULL without memory. */
static json_t *with_quic_id(const struct lb_service *service, const struct lb_pool *pool,
			    const struct lb_addr *address, const json_t *fields)
{
	const char *wanted = json_string_value(json_object_get(fields, "quic_server_id"));
	struct lb_quic_server_id id;
	char text[LB_QUIC_ID_TEXT];
	json_t *copy = json_copy((json_t *)fields);

	if (!copy || !wanted || strcmp(wanted, "auto") != 0)
		return copy;
	id = lb_service_quic_id(service, pool, address);
	json_object_set_new(copy, "quic_server_id", json_string(lb_quic_id_format(&id, text)));
	return copy;
}

/* `fields` are what `backend` was read from. */
static int backend_put(struct lb_pool *pool, const json_t *fields, const struct lb_backend *backend,
		       const struct change_params *params, struct lb_err *err)
{
	const struct lb_backend *there = lb_pool_find_backend(pool, &backend->address);
	char text[LB_ADDR_TEXT], name[LB_ADDR_TEXT + 8];

	if (!there || !json_is_true(params->if_missing))
		return lb_pool_add_backend(pool, backend, err);
	snprintf(name, sizeof(name), "backend %s", lb_addr_format(&backend->address, text));
	return already_like(&lb_backend_schema, fields, backend, there, name, err);
}

static int backend_add(struct lb_service **next, const struct change_params *params,
		       struct lb_err *err)
{
	const char *address = json_string_value(json_object_get(params->backend, "address"));
	json_auto_t *fields = NULL;
	struct lb_pool *pool;
	struct lb_backend backend;
	struct lb_addr at = {0};
	int ret = find_users_pool(*next, params->vip, &pool, err);

	if (ret)
		return ret;
	if (address)
		lb_addr_parse(address, &at, NULL); /* or the fields are refused */
	fields = with_quic_id(*next, pool, &at, params->backend);
	if (!fields)
		return lb_err_no_memory(err);
	ret = schema_read(&lb_backend_schema, fields, &backend, err);
	if (!ret)
		ret = backend_put(pool, fields, &backend, params, err);
	return at_param(ret, err, "backend");
}

/* The backend that {"vip", "address"} is about. */
static int backend_param(struct lb_service *next, const struct change_params *params,
			 struct lb_pool **pool, struct lb_backend **backend, struct lb_err *err)
{
	int ret = find_users_pool(next, params->vip, pool, err);

	return ret ? ret : find_backend(*pool, params->address, backend, err);
}

static int backend_set(struct lb_service **next, const struct change_params *params,
		       struct lb_err *err)
{
	json_auto_t *fields = NULL;
	struct lb_pool *pool;
	struct lb_backend *backend;
	int ret = backend_param(*next, params, &pool, &backend, err);

	if (ret)
		return ret;
	fields = with_quic_id(*next, pool, &backend->address, params->set);
	if (!fields)
		return lb_err_no_memory(err);
	return at_param(schema_edit(&lb_backend_schema, fields, backend, err), err, "set");
}

static int backend_del(struct lb_service **next, const struct change_params *params,
		       struct lb_err *err)
{
	struct lb_pool *pool;
	struct lb_backend *backend;
	struct lb_addr gone;
	int ret = backend_param(*next, params, &pool, &backend, err);

	if (ret)
		return unless_missing(ret, params, err);
	gone = backend->address;
	return at_param(lb_pool_del_backend(pool, &gone, err), err, "address");
}

static int set_drain(struct lb_service *next, const struct change_params *params, bool drain,
		     struct lb_err *err)
{
	struct lb_pool *pool;
	struct lb_backend *backend;
	int ret = backend_param(next, params, &pool, &backend, err);

	if (!ret)
		backend->drain = drain;
	return ret;
}

static int backend_drain(struct lb_service **next, const struct change_params *params,
			 struct lb_err *err)
{
	return set_drain(*next, params, true, err);
}

static int backend_undrain(struct lb_service **next, const struct change_params *params,
			   struct lb_err *err)
{
	return set_drain(*next, params, false, err);
}

/* --- whole documents --- */

static int config_document(struct lb_service **next, const struct change_params *params,
			   struct lb_err *err)
{
	struct lb_service *service;

	if (lb_service_from_json(params->document, &service, err))
		return at_param(-EINVAL, err, "document");
	lb_service_free(*next);
	*next = service;
	return 0;
}

/* --- carrying them out --- */

enum {
	VIP = 1,
	NEW_VIP = 2,
	ADDRESS = 4,
	BACKEND = 8,
	SET = 16,
	DOCUMENT = 32,
	CONFIRM = 64,
	POOL = 128,
	NEW_POOL = 256,
	SERVICES = 512,
	IF_MISSING = 1024,
	IF_PRESENT = 2048,
};

static const struct change_method {
	const char *name;
	change_edit edit;
	unsigned int params; /* beside those that every change takes */
	/* The parameter that faults found in the whole document, which the client did not send, are
	 * laid at the door of; NULL: the client did send it. */
	const char *blame;
	bool always_dry;
} changes[] = {
	{"vip.add", vip_add, NEW_VIP | IF_MISSING, "vip", false},
	{"vip.set", vip_set, VIP | SET, "set", false},
	{"vip.del", vip_del, VIP | IF_PRESENT, "vip", false},
	{"pool.add", pool_add, NEW_POOL | IF_MISSING, "pool", false},
	{"pool.set", pool_set, POOL | SET, "set", false},
	{"pool.del", pool_del, POOL | IF_PRESENT, "pool", false},
	{"backend.add", backend_add, VIP | BACKEND | IF_MISSING, "backend", false},
	{"backend.set", backend_set, VIP | ADDRESS | SET, "set", false},
	{"backend.del", backend_del, VIP | ADDRESS | IF_PRESENT, "address", false},
	{"backend.drain", backend_drain, VIP | ADDRESS, "address", false},
	{"backend.undrain", backend_undrain, VIP | ADDRESS, "address", false},
	{"config.check", config_document, DOCUMENT, NULL, true},
	{"config.apply", config_document, DOCUMENT | CONFIRM, NULL, false},
	{"config.reload", config_document, SERVICES | CONFIRM, NULL, false},
};

#define CHANGE_COUNT (sizeof(changes) / sizeof(*changes))
_Static_assert(CHANGE_COUNT <= METHODS_CHANGE_MAX, "the names of all changes fit");

void methods_change_names(const char **names)
{
	for (size_t i = 0; i < CHANGE_COUNT; i++)
		names[i] = changes[i].name;
}

/* --- what requests say --- */

static int read_params(const struct change_method *change, const json_t *request,
		       struct change_params *out, struct lb_err *err)
{
	const struct {
		struct lb_json_field field;
		unsigned int params; /* 0: of every change */
	} all[] = {
		{{"vip", LB_JSON_STRING, true, &out->vip}, VIP},
		{{"vip", LB_JSON_OBJECT, true, &out->vip}, NEW_VIP},
		{{"pool", LB_JSON_STRING, true, &out->pool}, POOL},
		{{"pool", LB_JSON_OBJECT, true, &out->pool}, NEW_POOL},
		{{"address", LB_JSON_STRING, true, &out->address}, ADDRESS},
		{{"backend", LB_JSON_OBJECT, true, &out->backend}, BACKEND},
		{{"set", LB_JSON_OBJECT, true, &out->set}, SET},
		{{"document", LB_JSON_OBJECT, true, &out->document}, DOCUMENT},
		{{"confirm_s", LB_JSON_INTEGER, false, &out->confirm_s}, CONFIRM},
		{{"if_missing", LB_JSON_BOOLEAN, false, &out->if_missing}, IF_MISSING},
		{{"if_present", LB_JSON_BOOLEAN, false, &out->if_present}, IF_PRESENT},
		{{"dry_run", LB_JSON_BOOLEAN, false, &out->dry_run}, 0},
		{{"force", LB_JSON_BOOLEAN, false, &out->force}, 0},
		{{"max_moved_percent", LB_JSON_ANY, false, &out->max_moved_percent}, 0},
		{{"if_digest", LB_JSON_STRING, false, &out->if_digest}, 0},
		{{"local", LB_JSON_BOOLEAN, false, &out->local}, 0},
	};
	struct lb_json_field fields[sizeof(all) / sizeof(*all) + 1] = {0};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!all[i].params || change->params & all[i].params)
			fields[count++] = all[i].field;
	*out = (struct change_params){0};
	return lb_json_fields(request, fields, err);
}

static int read_options(const struct change_method *change, const struct change_params *params,
			struct apply_options *out, struct lb_err *err)
{
	const json_t *percent = params->max_moved_percent;
	int64_t seconds = 0;

	*out = (struct apply_options){
		.dry_run = change->always_dry || json_is_true(params->dry_run),
		.force = json_is_true(params->force),
		.max_moved_percent = percent ? json_number_value(percent) : 100,
	};
	if (percent && (!json_is_number(percent) || out->max_moved_percent < 0 ||
			out->max_moved_percent > 100))
		return lb_err_set(err, LB_ERR_PARAMS, "max_moved_percent",
				  "max_moved_percent must be a number from 0 to 100");
	if (params->confirm_s && lb_json_integer(params->confirm_s, "confirm_s", 1,
						 SERVICE_CONFIRM_MAX_S, &seconds, err))
		return -EINVAL;
	out->confirm_s = seconds;
	return 0;
}

/* --- for which document was the request made? --- */

static int conflict(const struct service *service, const char *path, const char *expected,
		    struct lb_err *err)
{
	char digest[DIGEST_TEXT];

	return lb_err_set(err, LB_ERR_CONFLICT, path,
			  "the document has changed: its digest is %s now, not %.16s",
			  digest_text(service_digest_value(service), digest), expected);
}

static bool is_digest(const struct service *service, const char *text)
{
	char digest[DIGEST_TEXT];

	return !strcmp(text, digest_text(service_digest_value(service), digest));
}

int methods_check_digest(const struct service *service, const json_t *value, struct lb_err *err)
{
	if (!value || is_digest(service, json_string_value(value)))
		return 0;
	conflict(service, "if_digest", json_string_value(value), err);
	return lb_err_hint(err, "look at what is there now, then repeat the change with that "
				"digest");
}

/* A document that was exported carries its digest. One that says just what is in force already may
 * be applied as often as one likes. */
static int check_document_digest(const struct service *service, const json_t *document,
				 const struct lb_service *next, struct lb_err *err)
{
	const char *expected = json_string_value(json_object_get(document, "digest"));
	uint64_t digest;

	if (!expected || is_digest(service, expected))
		return 0;
	if (document_digest(next, &digest))
		return lb_err_no_memory(err);
	if (digest == service_digest_value(service))
		return 0;
	conflict(service, "document.digest", expected, err);
	return lb_err_hint(err, "it was exported before that: export it again and repeat the edit, "
				"or take \"digest\" out of it to undo what others have changed");
}

/* --- of a node that follows a tier --- */

static int refuse_local(const struct lb_service *now, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "this node follows a tier, and has its revision %u in force", now->revision);
	return lb_err_hint(err, "for all nodes: lbctl tier publish FILE; --local changes this node "
				"alone, until the next revision");
}

/* Whether the request brings a revision of the tier, and not just an edit of this node. */
static bool is_revision(const struct service *service, const struct lb_service *now,
			const struct lb_service *next)
{
	uint64_t digest;

	if (next->revision != now->revision)
		return next->revision > now->revision;
	return !document_digest(next, &digest) && digest == service_digest_value(service);
}

/* The document in force has a number where it was published for the tier. So this holds over a
 * restart, and where nobody follows the tier at the moment. */
static int check_revision(const struct service *service, const struct change_method *change,
			  const struct change_params *params, struct lb_service *next,
			  struct lb_err *err)
{
	const struct lb_service *now = service_document(service);
	bool whole = change->edit == config_document;

	if (whole && (!now->revision || is_revision(service, now, next))) {
		next->edited = now->edited && next->revision == now->revision;
		return 0;
	}
	if (now->revision && !json_is_true(params->local) && !json_is_true(params->dry_run) &&
	    !change->always_dry)
		return refuse_local(now, err);
	next->edited = next->revision && next->revision == now->revision;
	return 0;
}

/* --- changes --- */

static void blame(const char *param, struct lb_err *err)
{
	if (!err->path[0])
		return;
	if (param)
		snprintf(err->path, sizeof(err->path), "%s", param);
	else
		lb_err_prefix(err, "document");
}

/* Takes no turn: the document in force changes on this thread alone. */
static int make_next(struct service *service, const struct change_method *change,
		     const struct change_params *params, struct lb_service **next,
		     struct lb_err *err)
{
	int ret;

	*next = lb_service_copy(service_document(service));
	if (!*next)
		return lb_err_no_memory(err);
	ret = change->edit(next, params, err);
	if (!ret)
		ret = check_document_digest(service, params->document, *next, err);
	if (!ret)
		ret = check_revision(service, change, params, *next, err);
	if (ret)
		lb_service_free(*next);
	return ret;
}

static int carry_out(struct service *service, const struct change_method *change,
		     const struct change_params *params, const struct apply_options *options,
		     json_t **result, struct lb_err *err)
{
	struct lb_service *next = NULL;
	int ret = methods_check_digest(service, params->if_digest, err);

	if (ret)
		return ret;
	worker_leave();
	ret = make_next(service, change, params, &next, err);
	worker_enter();
	if (ret)
		return ret;
	ret = service_apply(service, next, options, result, err);
	if (ret)
		blame(change->blame, err);
	return ret;
}

static void add_warning(json_t *result, json_t *warning)
{
	json_t *warnings = json_object_get(result, "warnings");

	if (!warning)
		return;
	if (!warnings && !json_object_set_new(result, "warnings", json_array()))
		warnings = json_object_get(result, "warnings");
	json_array_append_new(warnings, warning);
}

/* Of a pool that was added, and has none yet. */
static void warn_of_slots(const struct service *service, const struct change_params *params,
			  json_t *result)
{
	const char *name = json_string_value(json_object_get(params->pool, "name"));
	const struct lb_pool *pool =
		name ? lb_service_find_pool(service_document(service), name) : NULL;

	if (pool)
		add_warning(result, service_slots_warning(service, pool));
}

/* VIPs that it adds may take packets from programs on this machine. */
static void warn_of_added(const struct service *service, json_t *result)
{
	const struct lb_service *document = service_document(service);
	json_t *vips = json_object_get(result, "vips"), *change;
	struct shadow *shadow = NULL;
	const struct lb_vip *vip;
	size_t i;

	json_array_foreach (vips, i, change) {
		if (strcmp(json_string_value(json_object_get(change, "what")), "added") != 0)
			continue;
		vip = lb_service_find(document,
				      json_string_value(json_object_get(change, "address")));
		if (vip && !shadow)
			shadow = shadow_look();
		if (vip)
			add_warning(result, shadow_warning(shadow, vip));
	}
	shadow_free(shadow);
}

static bool ends_flows(const json_t *result)
{
	static const char *const lists[] = {"pools", "vips"};
	const json_t *item;
	size_t i;

	for (size_t list = 0; list < 2; list++)
		json_array_foreach (json_object_get(result, lists[list]), i, item)
			if (json_array_size(json_object_get(item, "at_risk")))
				return true;
	return false;
}

/* Which backend it was about, and what of it was set, are in the parameters alone. */
static json_t *change_event(const struct change_method *change, const struct change_params *params,
			    const struct peer *peer, json_t *result)
{
	const json_t *backend = json_object_get(params->backend, "address");
	json_t *ends = ends_flows(result) ? json_true() : NULL;
	json_t *event = json_pack("{s:s, s:s, s:O*, s:O*, s:O, s:o*}", "event", "change", "method",
				  change->name, "backend", backend ? backend : params->address,
				  "set", params->set, "change", result, "ends_flows", ends);

	return peer_sign(event, peer);
}

/* Of many VIPs it takes long, so outside of turns: the document in force changes on this thread alone. */
static void tell(struct methods_context *context, const struct change_method *change,
		 const struct change_params *params, json_t *result)
{
	json_t *event;

	worker_leave();
	warn_of_added(context->service, result);
	warn_of_slots(context->service, params, result);
	event = change_event(change, params, context->peer, result);
	worker_enter();
	events_emit_long(context->events, event);
}

static const struct change_method *find_change(const char *name)
{
	for (size_t i = 0; i < CHANGE_COUNT; i++)
		if (!strcmp(name, changes[i].name))
			return &changes[i];
	return NULL;
}

bool methods_change_has(const char *method)
{
	return find_change(method);
}

/* config.reload: the document is that of a file which lbd.json names. */
static int read_services(const struct config *config, json_t **document, struct lb_err *err)
{
	if (!*config->services) {
		lb_err_set(err, LB_ERR_REFUSED, "", "lbd.json has no services file");
		return lb_err_hint(
			err,
			"set services in lbd.json, and restart lbd; or use: lbctl config apply "
			"FILE");
	}
	worker_leave();
	*document = plain_file_json(
		config->services,
		"write it there: lbctl config export | jq 'del(.digest)' prints one", err);
	worker_enter();
	if (!*document)
		return -EINVAL;
	if (json_is_object(*document))
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "", "%s: must hold an object", config->services);
}

/* For status, until the next reload. A trial may be over by then. */
static struct lb_err kept_fault(const struct methods_context *context, const struct lb_err *err)
{
	json_auto_t *trial = service_unconfirmed(context->service);
	struct lb_err kept = *err;

	if (trial && err->code == LB_ERR_REFUSED)
		lb_err_set(&kept, err->code, "",
			   "%s: a change waited to be confirmed when it was read; lbctl config "
			   "reload reads it again",
			   context->config->services);
	return kept;
}

static int carry_out_services(struct methods_context *context, const struct change_method *change,
			      struct change_params *params, const struct apply_options *options,
			      json_t **result, struct lb_err *err)
{
	json_auto_t *document = NULL;
	struct lb_err inner = {0};
	int ret;

	if (*context->config->guard_secret && !options->dry_run)
		service_guard_secret(context->service);
	if (!options->dry_run)
		service_quic_keys(context->service);
	ret = read_services(context->config, &document, err);
	if (!ret) {
		params->document = document;
		ret = carry_out(context->service, change, params, options, result, &inner);
		params->document = NULL;
	}
	if (inner.message[0]) {
		*err = inner;
		lb_err_set(err, inner.code, inner.path, "%s: %s", context->config->services,
			   inner.message);
		lb_err_hint(err, "%s", inner.hint);
	}
	if (!options->dry_run)
		*context->services = ret ? kept_fault(context, err) : (struct lb_err){0};
	return ret;
}

int methods_change(struct methods_context *context, const char *method, const json_t *params,
		   json_t **result, struct lb_err *err)
{
	const struct change_method *change = find_change(method);
	struct change_params given;
	struct apply_options options;
	int ret = read_params(change, params, &given, err);

	if (!ret)
		ret = read_options(change, &given, &options, err);
	if (ret)
		return ret;
	turns_note(context->turns, change->name);
	if (change->params & SERVICES)
		ret = carry_out_services(context, change, &given, &options, result, err);
	else
		ret = carry_out(context->service, change, &given, &options, result, err);
	if (!ret && !options.dry_run && json_is_true(json_object_get(*result, "changed")))
		tell(context, change, &given, *result);
	return ret;
}
