/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a request change what is balanced? Always so: copy the document, edit the copy, apply it
 * whole. */
#include "methods_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../api/model.h"
#include "../host/worker.h"
#include "../plane/shadow.h"
#include "../service/document_digest.h"

/* Edits *next, a copy of the document in force, or replaces it. */
typedef int (*change_edit)(struct lb_service **next, const json_t *params, struct lb_err *err);

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

static int find_backend(const struct lb_vip *vip, const json_t *value, struct lb_backend **out,
			struct lb_err *err)
{
	struct lb_addr address;
	char text[LB_ADDR_TEXT];

	if (lb_addr_parse(json_string_value(value), &address, err))
		return at_param(-EINVAL, err, "address");
	*out = lb_vip_find_backend(vip, &address);
	if (*out)
		return 0;
	lb_err_set(err, LB_ERR_NOT_FOUND, "address", "VIP \"%s\" has no backend %s", vip->name,
		   lb_addr_format(&address, text));
	return lb_err_hint(err, "see: lbctl backend list %s", vip->name);
}

/* --- VIPs --- */

static int vip_add(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	struct lb_vip vip = {0};
	const json_t *object;
	const struct lb_json_field fields[] = {{"vip", LB_JSON_OBJECT, true, &object}, {0}};
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	ret = schema_read(&lb_vip_schema, object, &vip, err);
	if (!ret)
		ret = lb_service_add_vip(*next, &vip, err);
	schema_clear(&lb_vip_schema, &vip);
	return at_param(ret, err, "vip");
}

/* "set" of vip.set. */
static int edit_vip(const struct lb_service *service, struct lb_vip *vip, const json_t *set,
		    struct lb_err *err)
{
	const char *name = json_string_value(json_object_get(set, "name"));
	const struct lb_vip *other = name ? lb_service_find(service, name) : NULL;
	char text[LB_ENDPOINT_TEXT];
	int ret = schema_edit(&lb_vip_schema, set, vip, err);

	if (ret || !other || other == vip)
		return ret;
	return lb_err_set(err, LB_ERR_EXISTS, "name", "name \"%s\" is taken by VIP %s", name,
			  lb_endpoint_format(&other->endpoint, text));
}

static int vip_set(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	struct lb_vip *vip;
	const json_t *reference, *set;
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, true, &reference},
		{"set", LB_JSON_OBJECT, true, &set},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = find_vip(*next, reference, &vip, err);
	return ret ? ret : at_param(edit_vip(*next, vip, set, err), err, "set");
}

static int vip_del(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	const json_t *reference;
	const struct lb_json_field fields[] = {{"vip", LB_JSON_STRING, true, &reference}, {0}};
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	return at_param(lb_service_del_vip(*next, json_string_value(reference), err), err, "vip");
}

/* --- backends --- */

static int backend_add(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	struct lb_vip *vip;
	struct lb_backend backend;
	const json_t *reference, *object;
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, true, &reference},
		{"backend", LB_JSON_OBJECT, true, &object},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = find_vip(*next, reference, &vip, err);
	if (ret)
		return ret;
	ret = schema_read(&lb_backend_schema, object, &backend, err);
	if (!ret)
		ret = lb_vip_add_backend(vip, &backend, err);
	return at_param(ret, err, "backend");
}

/* The backend that {"vip", "address"} and one more field, unless `more` is NULL, are about. */
static int backend_param(struct lb_service *next, const json_t *params, const char *more,
			 const json_t **more_value, struct lb_vip **vip,
			 struct lb_backend **backend, struct lb_err *err)
{
	const json_t *reference, *address;
	const struct lb_json_field fields[] = {
		{"vip", LB_JSON_STRING, true, &reference},
		{"address", LB_JSON_STRING, true, &address},
		{more, LB_JSON_OBJECT, true, more_value},
		{0},
	};
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = find_vip(next, reference, vip, err);
	return ret ? ret : find_backend(*vip, address, backend, err);
}

static int backend_set(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	struct lb_vip *vip;
	struct lb_backend *backend;
	const json_t *set;
	int ret = backend_param(*next, params, "set", &set, &vip, &backend, err);

	return ret ? ret : at_param(schema_edit(&lb_backend_schema, set, backend, err), err, "set");
}

static int backend_del(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	struct lb_vip *vip;
	struct lb_backend *backend;
	struct lb_addr gone;
	int ret = backend_param(*next, params, NULL, NULL, &vip, &backend, err);

	if (ret)
		return ret;
	gone = backend->address;
	return at_param(lb_vip_del_backend(vip, &gone, err), err, "address");
}

static int set_drain(struct lb_service *next, const json_t *params, bool drain, struct lb_err *err)
{
	struct lb_vip *vip;
	struct lb_backend *backend;
	int ret = backend_param(next, params, NULL, NULL, &vip, &backend, err);

	if (!ret)
		backend->drain = drain;
	return ret;
}

static int backend_drain(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	return set_drain(*next, params, true, err);
}

static int backend_undrain(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	return set_drain(*next, params, false, err);
}

/* --- whole documents --- */

static int config_document(struct lb_service **next, const json_t *params, struct lb_err *err)
{
	const json_t *document;
	const struct lb_json_field fields[] = {{"document", LB_JSON_OBJECT, true, &document}, {0}};
	struct lb_service *service;
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	ret = lb_service_from_json(document, &service, err);
	if (ret)
		return at_param(ret, err, "document");
	lb_service_free(*next);
	*next = service;
	return 0;
}

/* --- carrying them out --- */

static const struct change_method {
	const char *name;
	change_edit edit;
	/* The parameter that faults found in the whole document, which the client did not send, are
	 * laid at the door of; NULL: the client did send it. */
	const char *blame;
	enum {
		ALWAYS_DRY = 1,
		ON_TRIAL = 2, /* takes "confirm_s" */
	} manner;
} changes[] = {
	{"vip.add", vip_add, "vip", 0},
	{"vip.set", vip_set, "set", 0},
	{"vip.del", vip_del, "vip", 0},
	{"backend.add", backend_add, "backend", 0},
	{"backend.set", backend_set, "set", 0},
	{"backend.del", backend_del, "address", 0},
	{"backend.drain", backend_drain, "address", 0},
	{"backend.undrain", backend_undrain, "address", 0},
	{"config.check", config_document, NULL, ALWAYS_DRY},
	{"config.apply", config_document, NULL, ON_TRIAL},
};

#define CHANGE_COUNT (sizeof(changes) / sizeof(*changes))
_Static_assert(CHANGE_COUNT <= METHODS_CHANGE_MAX, "the names of all changes fit");

void methods_change_names(const char **names)
{
	for (size_t i = 0; i < CHANGE_COUNT; i++)
		names[i] = changes[i].name;
}

static int percent_option(const json_t *value, double *out, struct lb_err *err)
{
	if (!value)
		return 0;
	if (!json_is_number(value) || json_number_value(value) < 0 ||
	    json_number_value(value) > 100)
		return lb_err_set(err, LB_ERR_PARAMS, "max_moved_percent",
				  "max_moved_percent must be a number from 0 to 100");
	*out = json_number_value(value);
	return 0;
}

static int boolean_option(const json_t *value, const char *name, bool *out, struct lb_err *err)
{
	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s must be true or false", name);
	*out = json_is_true(value);
	return 0;
}

/* Takes "confirm_s" out of `params`. */
static int take_confirm(json_t *params, struct apply_options *options, struct lb_err *err)
{
	const json_t *value = json_object_get(params, "confirm_s");
	int64_t seconds = 0;
	int ret = 0;

	if (value)
		ret = lb_json_integer(value, "confirm_s", 1, SERVICE_CONFIRM_MAX_S, &seconds, err);
	options->confirm_s = seconds;
	json_object_del(params, "confirm_s");
	return ret;
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

int methods_check_digest(const struct service *service, json_t *params, struct lb_err *err)
{
	const json_t *value = json_object_get(params, "if_digest");
	const char *expected = json_string_value(value);
	int ret = 0;

	if (value && !expected) {
		ret = lb_err_set(err, LB_ERR_PARAMS, "if_digest", "if_digest must be a string");
	} else if (value && !is_digest(service, expected)) {
		conflict(service, "if_digest", expected, err);
		ret = lb_err_hint(err, "look at what is there now, then repeat the change with "
				       "that digest");
	}
	json_object_del(params, "if_digest");
	return ret;
}

/* A document that was exported carries its digest. One that says just what is in force already may
 * be applied as often as one likes. */
static int check_document_digest(const struct service *service, const json_t *params,
				 const struct lb_service *next, struct lb_err *err)
{
	const json_t *document = json_object_get(params, "document");
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

/* --- options of changes --- */

/* Takes the fields that every change understands out of `params`. */
static int take_options(json_t *params, struct apply_options *options, struct lb_err *err)
{
	int ret = boolean_option(json_object_get(params, "dry_run"), "dry_run", &options->dry_run,
				 err);

	if (!ret)
		ret = boolean_option(json_object_get(params, "force"), "force", &options->force,
				     err);
	if (!ret)
		ret = percent_option(json_object_get(params, "max_moved_percent"),
				     &options->max_moved_percent, err);
	json_object_del(params, "dry_run");
	json_object_del(params, "force");
	json_object_del(params, "max_moved_percent");
	return ret;
}

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
		     const json_t *params, struct lb_service **next, struct lb_err *err)
{
	int ret;

	*next = lb_service_copy(service_document(service));
	if (!*next)
		return lb_err_no_memory(err);
	ret = change->edit(next, params, err);
	if (!ret)
		ret = check_document_digest(service, params, *next, err);
	if (ret)
		lb_service_free(*next);
	return ret;
}

static int carry_out(struct service *service, const struct change_method *change, json_t *params,
		     struct apply_options *options, json_t **result, struct lb_err *err)
{
	struct lb_service *next = NULL;
	int ret = take_options(params, options, err);

	if (change->manner & ALWAYS_DRY) /* whatever the request says */
		options->dry_run = true;
	if (!ret && (change->manner & ON_TRIAL))
		ret = take_confirm(params, options, err);
	if (!ret)
		ret = methods_check_digest(service, params, err);
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

/* VIPs that it adds may take packets from programs on this machine. */
static void warn_of_added(const struct service *service, json_t *result)
{
	const struct lb_service *document = service_document(service);
	json_t *vips = json_object_get(result, "vips"), *change, *warning, *warnings = json_array();
	struct shadow *shadow = NULL;
	const struct lb_vip *vip;
	size_t i;

	json_array_foreach (vips, i, change) {
		if (strcmp(json_string_value(json_object_get(change, "what")), "added") != 0)
			continue;
		vip = lb_service_find(document, json_string_value(json_object_get(change, "name")));
		if (vip && !shadow)
			shadow = shadow_look();
		warning = vip ? shadow_warning(shadow, vip) : NULL;
		if (warning)
			json_array_append_new(warnings, warning);
	}
	shadow_free(shadow);
	if (json_array_size(warnings))
		json_object_set(result, "warnings", warnings);
	json_decref(warnings);
}

/* Which backend it was about, and what of it was set, are in the parameters alone. */
static void tell(struct methods_context *context, const struct change_method *change,
		 const json_t *params, json_t *result)
{
	const json_t *backend = json_object_get(params, "backend");
	json_t *event =
		json_pack("{s:s, s:s, s:O*, s:O*, s:O}", "event", "change", "method", change->name,
			  "backend", json_object_get(backend ? backend : params, "address"), "set",
			  json_object_get(params, "set"), "change", result);

	events_emit_long(context->events, peer_sign(event, context->peer));
}

static int call(struct methods_context *context, const struct change_method *change, json_t *params,
		json_t **result, struct lb_err *err)
{
	struct apply_options options = {.max_moved_percent = 100};
	int ret = carry_out(context->service, change, params, &options, result, err);

	if (!ret && !options.dry_run && json_is_true(json_object_get(*result, "changed"))) {
		warn_of_added(context->service, *result);
		tell(context, change, params, *result);
	}
	return ret;
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

bool methods_change_is(const char *method)
{
	return find_change(method);
}

int methods_change(struct methods_context *context, const char *method, const json_t *params,
		   json_t **result, struct lb_err *err)
{
	const struct change_method *change = find_change(method);
	json_t *copy = json_copy((json_t *)params);
	int ret;

	if (!copy)
		return lb_err_no_memory(err);
	turns_note(context->turns, change->name);
	ret = call(context, change, copy, result, err);
	json_decref(copy);
	return ret;
}
