/* SPDX-License-Identifier: BSD-2-Clause */
/* What do requests say about lists of prefixes? */
#include "methods_lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../api/model.h"
#include "../host/worker.h"
#include "../service/lists.h"
#include "control.h"
#include "list_parts.h"

#define FOR_MAX_S (366 * 86400)
#define SHOWN_MAX 1000

/* What a request says; not all of it is a parameter of every method. */
struct params {
	const json_t *name, *kind, *monitor, *prefixes, *for_s, *if_present, *allow_empty, *dry_run,
		*vips, *part, *parts;
	uint32_t until_s; /* 0: for good */
	struct list_edit edit;
};

static int read_vip(const struct methods_context *context, const json_t *reference,
		    struct list_head *out, struct lb_err *err)
{
	const char *text = json_string_value(reference);
	const struct lb_vip *vip =
		text ? lb_service_find(service_document(context->service), text) : NULL;

	if (!text)
		return lb_err_set(err, LB_ERR_PARAMS, "", "a VIP must be a string");
	if (!vip) {
		lb_err_set(err, LB_ERR_NOT_FOUND, "", "no VIP \"%s\"", text);
		return lb_err_hint(err, "see: lbctl vip list");
	}
	if (out->vip_count == LIST_VIPS_MAX)
		return lb_err_set(err, LB_ERR_LIMIT, "", "a list names at most %u VIPs",
				  LIST_VIPS_MAX);
	out->vips[out->vip_count++] = vip->endpoint;
	return 0;
}

static int by_endpoint(const void *a, const void *b)
{
	return lb_endpoint_compare(a, b);
}

/* Sorted, each once. */
static void order_vips(struct list_head *head)
{
	size_t kept = 0;

	qsort(head->vips, head->vip_count, sizeof(*head->vips), by_endpoint);
	for (size_t i = 0; i < head->vip_count; i++)
		if (!kept || lb_endpoint_compare(&head->vips[kept - 1], &head->vips[i]) != 0)
			head->vips[kept++] = head->vips[i];
	head->vip_count = kept;
}

/* null: it is for all. */
static int read_vips(const struct methods_context *context, struct params *params,
		     struct lb_err *err)
{
	struct list_wish *wish = &params->edit.wish;
	const json_t *reference;
	size_t i;

	wish->vips = params->vips;
	if (!params->vips || json_is_null(params->vips))
		return 0;
	if (!json_array_size(params->vips))
		return lb_err_set(err, LB_ERR_PARAMS, "vips",
				  "vips must be names of VIPs, or null for all");
	json_array_foreach (params->vips, i, reference) {
		if (!read_vip(context, reference, &wish->head, err))
			continue;
		lb_err_prefix(err, "vips[%zu]", i);
		return -EINVAL;
	}
	order_vips(&wish->head);
	return 0;
}

static int read_wish(const struct methods_context *context, struct params *params,
		     struct lb_err *err)
{
	const char *kind = params->kind ? json_string_value(params->kind) : "block";
	struct list_wish *wish = &params->edit.wish;

	wish->kind = params->kind;
	wish->monitor = params->monitor;
	wish->head.allow = !strcmp(kind, "allow");
	wish->head.monitor = json_is_true(params->monitor);
	if (wish->head.allow || !strcmp(kind, "block"))
		return read_vips(context, params, err);
	return lb_err_set(err, LB_ERR_PARAMS, "kind", "\"%s\" is neither block nor allow", kind);
}

static int read_prefix(const json_t *text, struct lb_prefix *out, struct lb_err *err)
{
	if (!json_is_string(text))
		return lb_err_set(err, LB_ERR_PARAMS, "", "a prefix must be a string");
	if (lb_prefix_parse(json_string_value(text), out, err))
		return -EINVAL;
	return lb_addr_mapped(&out->address, err);
}

static int read_prefixes(struct params *params, bool gone, struct lb_err *err)
{
	struct list_edit *edit = &params->edit;
	int64_t seconds = 0;
	const json_t *text;
	size_t i;

	if (params->for_s && lb_json_integer(params->for_s, "for_s", 1, FOR_MAX_S, &seconds, err))
		return -EINVAL;
	if (seconds)
		seconds += (int64_t)(lb_clock_ns(CLOCK_REALTIME) / 1000000000);
	params->until_s = (uint32_t)seconds;
	edit->changes = calloc(json_array_size(params->prefixes) + 1, sizeof(*edit->changes));
	if (!edit->changes)
		return lb_err_no_memory(err);
	json_array_foreach (params->prefixes, i, text) {
		struct list_change *change = &edit->changes[edit->count++];

		*change = (struct list_change){.until_s = params->until_s, .gone = gone};
		worker_yield();
		if (!read_prefix(text, &change->prefix, err))
			continue;
		lb_err_prefix(err, "prefixes[%zu]", i);
		return -EINVAL;
	}
	return 0;
}

static int read_name(struct params *params, struct lb_err *err)
{
	const int ret = lb_name_check(json_string_value(params->name), err);

	params->edit.name = json_string_value(params->name);
	if (ret)
		lb_err_prefix(err, "name");
	return ret;
}

/* LIST, with `changed`. */
static int reply(struct methods_context *context, const char *name, bool changed, json_t **result,
		 struct lb_err *err)
{
	const int ret = lists_show_one(context->lists, name, 0, result, err);

	if (!ret)
		json_object_set_new(*result, "changed", json_boolean(changed));
	return ret;
}

/* The same to what has changed once it is settled. */
static int reply_changed(struct methods_context *context, struct params *params, json_t **result,
			 struct lb_err *err)
{
	bool changed = false;
	int ret = lists_change(context->lists, &params->edit, &changed, err);

	free(params->edit.changes);
	if (!ret)
		ret = reply(context, params->edit.name, changed, result, err);
	return ret || !changed ? ret : CONTROL_SETTLES;
}

/* What add and load have in common. */
static int read_given(const struct methods_context *context, const json_t *from, struct params *out,
		      bool loads, struct lb_err *err)
{
	const struct lb_json_field fields[] = {
		{"name", LB_JSON_STRING, true, &out->name},
		{"kind", LB_JSON_STRING, false, &out->kind},
		{"monitor", LB_JSON_BOOLEAN, false, &out->monitor},
		{"vips", LB_JSON_ANY, false, &out->vips},
		{"prefixes", LB_JSON_ARRAY, true, &out->prefixes},
		{"for_s", LB_JSON_INTEGER, false, &out->for_s},
		{loads ? "allow_empty" : NULL, LB_JSON_BOOLEAN, false, &out->allow_empty},
		{"dry_run", LB_JSON_BOOLEAN, false, &out->dry_run},
		{"part", LB_JSON_INTEGER, false, &out->part},
		{"parts", LB_JSON_INTEGER, false, &out->parts},
		{0}};
	int ret = lb_json_fields(from, fields, err);

	if (!ret)
		ret = read_name(out, err);
	if (!ret)
		ret = read_wish(context, out, err);
	return ret ? ret : read_prefixes(out, false, err);
}

int methods_list_add(struct methods_context *context, const json_t *from, json_t **result,
		     struct lb_err *err)
{
	struct params params = {0};
	int ret = read_given(context, from, &params, false, err);

	if (!ret)
		return reply_changed(context, &params, result, err);
	free(params.edit.changes);
	return ret;
}

static int check_empty(const struct params *params, struct lb_err *err)
{
	if (params->edit.count || json_is_true(params->allow_empty))
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "prefixes", "there is no prefix to load");
	return lb_err_hint(err, "with --allow-empty (\"allow_empty\") the list becomes empty");
}

/* Of a load that has more of them. */
static int keep_part(struct methods_context *context, const struct params *params, json_t **result,
		     struct lb_err *err)
{
	int64_t number;
	int ret = lb_json_integer(params->part, "part", 0, LIST_PARTS_PREFIXES, &number, err);

	if (!ret)
		ret = list_parts_add(context->list_parts, context->peer, &params->edit, number,
				     err);
	if (!ret)
		*result = json_pack("{s:s, s:I}", "name", params->edit.name, "part",
				    (json_int_t)number);
	return ret;
}

/* The time of the last request is that of all parts. */
static int take_parts(struct methods_context *context, struct params *params, struct lb_err *err)
{
	struct list_edit *edit = &params->edit;
	int64_t count;
	int ret = lb_json_integer(params->parts, "parts", 0, LIST_PARTS_PREFIXES, &count, err);

	if (!ret)
		ret = list_parts_take(context->list_parts, context->peer, edit, count, err);
	for (size_t i = 0; !ret && i < edit->count; i++) {
		edit->changes[i].until_s = params->until_s;
		worker_yield();
	}
	return ret;
}

static int load(struct methods_context *context, struct params *params, json_t **result,
		struct lb_err *err)
{
	struct list_difference difference;
	int ret = params->parts ? take_parts(context, params, err) : 0;

	if (!ret)
		ret = check_empty(params, err);
	params->edit.dry_run = json_is_true(params->dry_run);
	if (!ret)
		ret = lists_load(context->lists, &params->edit, &difference, err);
	if (!ret && params->edit.dry_run)
		*result = json_pack("{s:s, s:I}", "name", params->edit.name, "prefixes",
				    (json_int_t)difference.prefixes);
	else if (!ret)
		ret = reply(context, params->edit.name, true, result, err);
	if (!ret) {
		json_object_set_new(*result, "added", json_integer((json_int_t)difference.added));
		json_object_set_new(*result, "removed",
				    json_integer((json_int_t)difference.removed));
	}
	return ret;
}

int methods_list_load(struct methods_context *context, const json_t *from, json_t **result,
		      struct lb_err *err)
{
	struct params params = {0};
	int ret = read_given(context, from, &params, true, err);

	if (!ret)
		ret = params.part ? keep_part(context, &params, result, err)
				  : load(context, &params, result, err);
	if (ret && (params.part || params.parts))
		list_parts_forget(context->list_parts, context->peer);
	worker_leave();
	free(params.edit.changes);
	worker_enter();
	return ret;
}

int methods_list_set(struct methods_context *context, const json_t *from, json_t **result,
		     struct lb_err *err)
{
	struct params params = {0};
	const struct lb_json_field fields[] = {{"name", LB_JSON_STRING, true, &params.name},
					       {"kind", LB_JSON_STRING, false, &params.kind},
					       {"monitor", LB_JSON_BOOLEAN, false, &params.monitor},
					       {"vips", LB_JSON_ANY, false, &params.vips},
					       {0}};
	bool changed = false;
	int ret = lb_json_fields(from, fields, err);

	if (!ret)
		ret = read_name(&params, err);
	if (!ret)
		ret = read_wish(context, &params, err);
	if (!ret)
		ret = lists_set(context->lists, &params.edit, &changed, err);
	return ret ? ret : reply(context, params.edit.name, changed, result, err);
}

static int del_prefixes(struct methods_context *context, struct params *params, json_t **result,
			struct lb_err *err)
{
	int ret = read_prefixes(params, true, err);

	if (!ret)
		return reply_changed(context, params, result, err);
	free(params->edit.changes);
	return ret;
}

/* Shown as it was. */
static int del_list(struct methods_context *context, const char *name, json_t **result,
		    struct lb_err *err)
{
	json_auto_t *before = NULL;
	int ret = reply(context, name, true, &before, err);

	if (!ret)
		ret = lists_remove(context->lists, name, err);
	if (!ret)
		*result = json_incref(before);
	return ret;
}

int methods_list_del(struct methods_context *context, const json_t *from, json_t **result,
		     struct lb_err *err)
{
	struct params params = {0};
	const struct lb_json_field fields[] = {
		{"name", LB_JSON_STRING, true, &params.name},
		{"prefixes", LB_JSON_ARRAY, false, &params.prefixes},
		{"if_present", LB_JSON_BOOLEAN, false, &params.if_present},
		{0}};
	int ret = lb_json_fields(from, fields, err);

	if (ret)
		return ret;
	params.edit.name = json_string_value(params.name);
	params.edit.if_present = json_is_true(params.if_present);
	ret = lists_check(context->lists, params.edit.name, err);
	if (ret && params.edit.if_present) {
		*result = json_pack("{s:s, s:b}", "name", params.edit.name, "changed", false);
		return 0;
	}
	if (!ret && params.prefixes)
		return del_prefixes(context, &params, result, err);
	return ret ? ret : del_list(context, params.edit.name, result, err);
}

int methods_list_show(struct methods_context *context, const json_t *params, json_t **result,
		      struct lb_err *err)
{
	const json_t *name;
	const struct lb_json_field fields[] = {{"name", LB_JSON_STRING, false, &name}, {0}};
	const int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	if (name)
		return lists_show_one(context->lists, json_string_value(name), SHOWN_MAX, result,
				      err);
	*result = lists_show(context->lists);
	return 0;
}

int methods_list_explain(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err)
{
	const json_t *text, *reference;
	const struct lb_json_field fields[] = {{"address", LB_JSON_STRING, true, &text},
					       {"vip", LB_JSON_STRING, false, &reference},
					       {0}};
	struct lb_addr address;
	struct list_head named = {0};
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	if (lb_addr_parse(json_string_value(text), &address, err) ||
	    lb_addr_mapped(&address, err)) {
		lb_err_prefix(err, "address");
		return -EINVAL;
	}
	if (reference && read_vip(context, reference, &named, err)) {
		lb_err_prefix(err, "vip");
		return -EINVAL;
	}
	*result = lists_explain(context->lists, &address, reference ? named.vips : NULL);
	return 0;
}
