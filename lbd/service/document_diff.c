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

/* The objects of a list by their address: lists may be long. A new reference. */
static json_t *index_of(const json_t *list)
{
	json_t *index = json_object(), *object;
	size_t i;

	json_array_foreach (list, i, object)
		json_object_set(index, address_of(object), object);
	return index;
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
	json_auto_t *before = index_of(from), *after = index_of(to);
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

/* --- VIPs --- */

static const char *name_of(const json_t *vip)
{
	const json_t *name = json_object_get(vip, "name");

	return name ? json_string_value(name) : address_of(vip);
}

/* One of the two may be NULL. A VIP that has no name of its own is called by its address. */
static bool compare_vip(json_t *vips, const json_t *before, const json_t *after)
{
	json_t *differences = json_array(), *entry;
	const json_t *vip = after ? after : before;
	bool done;

	if (before && after && json_equal(before, after)) {
		json_decref(differences);
		return true;
	}
	done = differences && compare_objects(differences, "", before, after);
	entry = json_pack("{s:s, s:s, s:s, s:o}", "name", name_of(vip), "address", address_of(vip),
			  "what",
			  !before  ? "added"
			  : !after ? "removed"
				   : "changed",
			  "differences", differences);
	return json_array_append_new(vips, entry) == 0 && done;
}

static bool compare_vips(json_t *vips, const json_t *from, const json_t *to)
{
	json_auto_t *before = index_of(from), *after = index_of(to);
	bool done = before && after;
	json_t *vip;
	size_t i;

	json_array_foreach (from, i, vip)
		done = done && compare_vip(vips, vip, json_object_get(after, address_of(vip)));
	json_array_foreach (to, i, vip)
		if (!json_object_get(before, address_of(vip)))
			done = done && compare_vip(vips, NULL, vip);
	return done;
}

json_t *document_diff(const json_t *before, const json_t *after)
{
	json_t *vips = json_array();

	if (vips &&
	    compare_vips(vips, json_object_get(before, "vips"), json_object_get(after, "vips")))
		return json_pack("{s:b, s:o}", "differs", json_array_size(vips) > 0, "vips", vips);
	json_decref(vips);
	return NULL;
}
