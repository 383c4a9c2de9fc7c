/* SPDX-License-Identifier: BSD-2-Clause */
/* What is different between two service documents, field by field?
 *
 * The documents are compared as JSON, so that a field which the model gains is compared without a
 * word here. Objects are compared field by field; lists of objects with an address are compared as
 * sets of these; anything else is equal or not.
 */
#include "document_diff.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../api/json.h"

#define FIELD_TEXT 160

static bool add_difference(json_t *differences, const char *field, const json_t *from,
			   const json_t *to)
{
	json_t *difference = json_pack("{s:s, s:O*, s:O*}", "field", field, "from", from, "to", to);

	return json_array_append_new(differences, difference) == 0;
}

static const char *address_of(const json_t *object)
{
	return json_string_value(json_object_get(object, "address"));
}

static bool is_addressed_list(const json_t *value)
{
	return json_is_array(value) &&
	       (json_array_size(value) == 0 || address_of(json_array_get(value, 0)));
}

static bool compare_values(json_t *differences, const char *field, const json_t *from,
			   const json_t *to);

/* The fields of `from` that `to` has or has not, then those that only `to` has. Either may be NULL:
 * an object without fields. */
static bool compare_objects(json_t *differences, const char *prefix, const json_t *from,
			    const json_t *to)
{
	char field[FIELD_TEXT];
	const char *name;
	json_t *value;
	bool done = true;

	json_object_foreach ((json_t *)from, name, value) {
		snprintf(field, sizeof(field), "%s%s%s", prefix, *prefix ? "." : "", name);
		done = done && compare_values(differences, field, value, json_object_get(to, name));
	}
	json_object_foreach ((json_t *)to, name, value) {
		if (json_object_get(from, name))
			continue;
		snprintf(field, sizeof(field), "%s%s%s", prefix, *prefix ? "." : "", name);
		done = done && compare_values(differences, field, NULL, value);
	}
	return done;
}

static bool compare_lists(json_t *differences, const char *prefix, const json_t *from,
			  const json_t *to)
{
	json_auto_t *before = lb_json_index(from, "address"), *after = lb_json_index(to, "address");
	char field[FIELD_TEXT];
	const json_t *other;
	bool done = before && after;
	json_t *object;
	size_t i;

	json_array_foreach (from, i, object) {
		other = json_object_get(after, address_of(object));
		snprintf(field, sizeof(field), "%s[%s]", prefix, address_of(object));
		done = done && (other ? compare_objects(differences, field, object, other)
				      : add_difference(differences, field, object, NULL));
	}
	json_array_foreach (to, i, object) {
		if (json_object_get(before, address_of(object)))
			continue;
		snprintf(field, sizeof(field), "%s[%s]", prefix, address_of(object));
		done = done && add_difference(differences, field, NULL, object);
	}
	return done;
}

static bool compare_values(json_t *differences, const char *field, const json_t *from,
			   const json_t *to)
{
	if (from && to && json_equal(from, to))
		return true;
	if (json_is_object(from) && json_is_object(to))
		return compare_objects(differences, field, from, to);
	if ((!from || is_addressed_list(from)) && (!to || is_addressed_list(to)))
		return compare_lists(differences, field, from, to);
	return add_difference(differences, field, from, to);
}

/* --- VIPs and pools --- */

/* What tells apart the VIPs, or the pools, of a document. */
struct kind {
	const char *list, *key;
};

static const char *key_of(const struct kind *kind, const json_t *item)
{
	return json_string_value(json_object_get(item, kind->key));
}

/* A VIP that has no name of its own is called by its address. */
static const char *name_of(const struct kind *kind, const json_t *item)
{
	const char *name = json_string_value(json_object_get(item, "name"));

	return name ? name : key_of(kind, item);
}

/* One of the two may be NULL. */
static bool compare_item(json_t *out, const struct kind *kind, const json_t *before,
			 const json_t *after)
{
	json_t *differences = json_array(), *entry;
	const json_t *item = after ? after : before;
	bool done;

	if (before && after && json_equal(before, after)) {
		json_decref(differences);
		return true;
	}
	done = differences && compare_objects(differences, "", before, after);
	entry = json_pack("{s:s, s:s*, s:s, s:o}", "name", name_of(kind, item), "address",
			  address_of(item), "what",
			  !before  ? "added"
			  : !after ? "removed"
				   : "changed",
			  "differences", differences);
	return json_array_append_new(out, entry) == 0 && done;
}

static bool compare_items(json_t *out, const struct kind *kind, const json_t *before_document,
			  const json_t *after_document)
{
	const json_t *from = json_object_get(before_document, kind->list);
	const json_t *to = json_object_get(after_document, kind->list);
	json_auto_t *before = lb_json_index(from, kind->key), *after = lb_json_index(to, kind->key);
	bool done = before && after;
	json_t *item;
	size_t i;

	json_array_foreach (from, i, item)
		done = done &&
		       compare_item(out, kind, item, json_object_get(after, key_of(kind, item)));
	json_array_foreach (to, i, item)
		if (!json_object_get(before, key_of(kind, item)))
			done = done && compare_item(out, kind, NULL, item);
	return done;
}

json_t *document_diff(const json_t *before, const json_t *after)
{
	static const struct kind of_pools = {"pools", "name"}, of_vips = {"vips", "address"};
	json_auto_t *pools = json_array();
	json_t *vips = json_array();

	if (pools && vips && compare_items(pools, &of_pools, before, after) &&
	    compare_items(vips, &of_vips, before, after))
		return json_pack("{s:b, s:O*, s:o}", "differs",
				 json_array_size(pools) || json_array_size(vips), "pools",
				 json_array_size(pools) ? pools : NULL, "vips", vips);
	json_decref(vips);
	return NULL;
}
