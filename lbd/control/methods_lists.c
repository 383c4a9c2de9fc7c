/* SPDX-License-Identifier: BSD-2-Clause */
/* What do requests say about lists of prefixes? */
#include "methods_lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../api/model.h"
#include "../service/lists.h"

#define FOR_MAX_S (366 * 86400)
#define SHOWN_MAX 1000

/* What a request says; not all of it is a parameter of every method. */
struct wish {
	const json_t *name, *kind, *monitor, *prefixes, *for_s;
	struct list_head head;
	struct list_change *changes;
	size_t count;
};

static int read_head(struct wish *wish, struct lb_err *err)
{
	const char *kind = wish->kind ? json_string_value(wish->kind) : "block";

	wish->head = (struct list_head){!strcmp(kind, "allow"), json_is_true(wish->monitor)};
	if (wish->head.allow || !strcmp(kind, "block"))
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, "kind", "\"%s\" is neither block nor allow", kind);
}

static int read_prefixes(struct wish *wish, bool gone, struct lb_err *err)
{
	const size_t count = json_array_size(wish->prefixes);
	int64_t seconds = 0;
	const json_t *text;
	size_t i;

	if (wish->for_s && lb_json_integer(wish->for_s, "for_s", 1, FOR_MAX_S, &seconds, err))
		return -EINVAL;
	if (seconds)
		seconds += (int64_t)(lb_clock_ns(CLOCK_REALTIME) / 1000000000);
	wish->changes = calloc(count + 1, sizeof(*wish->changes));
	if (!wish->changes)
		return lb_err_no_memory(err);
	json_array_foreach (wish->prefixes, i, text) {
		struct list_change *change = &wish->changes[i];

		*change = (struct list_change){.until_s = (uint32_t)seconds, .gone = gone};
		if (!json_is_string(text)) {
			lb_err_set(err, LB_ERR_PARAMS, "", "a prefix must be a string");
		} else if (!lb_prefix_parse(json_string_value(text), &change->prefix, err)) {
			wish->count++;
			continue;
		}
		lb_err_prefix(err, "prefixes[%zu]", i);
		return -EINVAL;
	}
	return 0;
}

static int check_name(const struct wish *wish, struct lb_err *err)
{
	const int ret = lb_name_check(json_string_value(wish->name), err);

	if (ret)
		lb_err_prefix(err, "name");
	return ret;
}

static int describe(struct methods_context *context, const char *name, size_t most, json_t **result,
		    struct lb_err *err)
{
	return lists_show_one(context->lists, name, most, result, err);
}

int methods_list_add(struct methods_context *context, const json_t *params, json_t **result,
		     struct lb_err *err)
{
	struct wish wish = {0};
	const struct lb_json_field fields[] = {{"name", LB_JSON_STRING, true, &wish.name},
					       {"kind", LB_JSON_STRING, false, &wish.kind},
					       {"monitor", LB_JSON_BOOLEAN, false, &wish.monitor},
					       {"prefixes", LB_JSON_ARRAY, true, &wish.prefixes},
					       {"for_s", LB_JSON_INTEGER, false, &wish.for_s},
					       {0}};
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = check_name(&wish, err);
	if (!ret)
		ret = read_head(&wish, err);
	if (!ret)
		ret = read_prefixes(&wish, false, err);
	if (!ret)
		ret = lists_change(context->lists, json_string_value(wish.name),
				   wish.kind || wish.monitor ? &wish.head : NULL, wish.changes,
				   wish.count, err);
	free(wish.changes);
	return ret ? ret : describe(context, json_string_value(wish.name), 0, result, err);
}

int methods_list_del(struct methods_context *context, const json_t *params, json_t **result,
		     struct lb_err *err)
{
	struct wish wish = {0};
	const struct lb_json_field fields[] = {{"name", LB_JSON_STRING, true, &wish.name},
					       {"prefixes", LB_JSON_ARRAY, false, &wish.prefixes},
					       {0}};
	json_t *before = NULL;
	const char *name;
	int ret = lb_json_fields(params, fields, err);

	if (ret)
		return ret;
	name = json_string_value(wish.name);
	ret = describe(context, name, 0, &before, err);
	if (!ret && wish.prefixes)
		ret = read_prefixes(&wish, true, err);
	if (!ret)
		ret = wish.prefixes ? lists_change(context->lists, name, NULL, wish.changes,
						   wish.count, err)
				    : lists_remove(context->lists, name, err);
	free(wish.changes);
	if (!ret && wish.prefixes)
		ret = describe(context, name, 0, result, err);
	else if (!ret)
		*result = json_incref(before);
	json_decref(before);
	return ret;
}

int methods_list_load(struct methods_context *context, const json_t *params, json_t **result,
		      struct lb_err *err)
{
	struct wish wish = {0};
	const struct lb_json_field fields[] = {{"name", LB_JSON_STRING, true, &wish.name},
					       {"kind", LB_JSON_STRING, false, &wish.kind},
					       {"monitor", LB_JSON_BOOLEAN, false, &wish.monitor},
					       {"prefixes", LB_JSON_ARRAY, true, &wish.prefixes},
					       {"for_s", LB_JSON_INTEGER, false, &wish.for_s},
					       {0}};
	int ret = lb_json_fields(params, fields, err);

	if (!ret)
		ret = check_name(&wish, err);
	if (!ret)
		ret = read_head(&wish, err);
	if (!ret)
		ret = read_prefixes(&wish, false, err);
	if (!ret)
		ret = lists_load(context->lists, json_string_value(wish.name), &wish.head,
				 wish.changes, wish.count, err);
	free(wish.changes);
	return ret ? ret : describe(context, json_string_value(wish.name), 0, result, err);
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
		return describe(context, json_string_value(name), SHOWN_MAX, result, err);
	*result = lists_show(context->lists);
	return 0;
}

int methods_list_explain(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err)
{
	const json_t *text;
	const struct lb_json_field fields[] = {{"address", LB_JSON_STRING, true, &text}, {0}};
	struct lb_addr address;
	int ret = lb_json_fields(params, fields, err);

	if (!ret && lb_addr_parse(json_string_value(text), &address, err)) {
		lb_err_prefix(err, "address");
		ret = -EINVAL;
	}
	if (!ret)
		*result = lists_explain(context->lists, &address);
	return ret;
}
