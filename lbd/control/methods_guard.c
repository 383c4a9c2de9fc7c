/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the guard do now? SYN guard, rates and lists of the VIPs, and what became of packets. */
#include "methods_guard.h"

#include <errno.h>
#include <string.h>

#include "../api/model.h"
#include "../host/worker.h"
#include "../service/lists.h"
#include "verdict_text.h"

static bool has(const json_t *names, const char *text)
{
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		if (!strcmp(json_string_value(name), text))
			return true;
	return false;
}

/* Those that name the VIP, or with `all` those for all VIPs, too. */
static json_t *lists_of(const json_t *lists, const struct lb_vip *vip, bool all)
{
	json_t *of = json_array(), *list;
	size_t i;

	json_array_foreach (lists, i, list) {
		const json_t *vips = json_object_get(list, "vips");

		if (vips ? has(vips, vip->name) : all)
			json_array_append(of, json_object_get(list, "name"));
	}
	return of;
}

/* Takes those away that are not for the VIP. */
static void keep_lists(json_t *lists, const json_t *names)
{
	for (size_t i = json_array_size(lists); i-- > 0;)
		if (!has(names,
			 json_string_value(json_object_get(json_array_get(lists, i), "name"))))
			json_array_remove(lists, i);
}

/* One that has nothing of the guard of its own is left out, unless it was asked for. */
static void add_vip(struct service *service, const struct lb_vip *vip, const json_t *lists,
		    bool asked, json_t *vips)
{
	json_auto_t *names = lists_of(lists, vip, asked);
	json_auto_t *one = service_vip_guard(service, vip);

	if (json_array_size(names))
		json_object_set(one, "lists", names);
	if (asked || json_object_size(one) > 2)
		json_array_append(vips, one);
}

static json_t *verdicts_json(const uint64_t counts[LB_VERDICT_COUNT])
{
	static const uint32_t ours[] = {LB_DROP_BLOCKED, LB_DROP_RATE, LB_TX_SYN, LB_DROP_GUARD};
	json_t *verdicts = json_array();

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		json_t *verdict = verdict_json(ours[i]);

		json_object_set_new(verdict, "packets", json_integer((json_int_t)counts[ours[i]]));
		json_array_append_new(verdicts, verdict);
	}
	return verdicts;
}

/* Verdicts are counted over all VIPs. */
static int add_verdicts(struct methods_context *context, json_t *result, struct lb_err *err)
{
	uint64_t counts[LB_VERDICT_COUNT];
	const int ret = datapath_verdicts(context->datapath, counts);

	if (ret)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read the verdict counters: %s",
				  strerror(-ret));
	json_object_set_new(result, "verdicts", verdicts_json(counts));
	return 0;
}

static int show_one(struct methods_context *context, const char *reference, json_t *result,
		    struct lb_err *err)
{
	json_t *vips = json_object_get(result, "vips"), *lists = json_object_get(result, "lists");
	struct lb_vip *vip;

	if (lb_service_get(service_document(context->service), reference, &vip, err)) {
		lb_err_prefix(err, "vip");
		return -EINVAL;
	}
	add_vip(context->service, vip, lists, true, vips);
	keep_lists(lists, json_object_get(json_array_get(vips, 0), "lists"));
	return 0;
}

static int show_all(struct methods_context *context, json_t *result, struct lb_err *err)
{
	const struct lb_service *document = service_document(context->service);

	for (size_t i = 0; i < document->vip_count; i++) {
		add_vip(context->service, &document->vips[i], json_object_get(result, "lists"),
			false, json_object_get(result, "vips"));
		worker_yield();
	}
	return add_verdicts(context, result, err);
}

/* By the worker for changes, as all that looks at lists. */
int methods_guard_show(struct methods_context *context, const json_t *params, json_t **result,
		       struct lb_err *err)
{
	const json_t *vip;
	const struct lb_json_field fields[] = {{"vip", LB_JSON_STRING, false, &vip}, {0}};
	json_t *out, *secret;
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	out = lists_show(context->lists);
	json_object_set_new(out, "vips", json_array());
	secret = service_guard_secret_state(context->service);
	if (secret)
		json_object_set_new(out, "secret", secret);
	ret = vip ? show_one(context, json_string_value(vip), out, err)
		  : show_all(context, out, err);
	if (ret)
		json_decref(out);
	else
		*result = out;
	return ret;
}
