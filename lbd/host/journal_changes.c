/* SPDX-License-Identifier: BSD-2-Clause */
/* What has a line of the journal to say, and what does it make of a document? */
#include "journal.h"

#include <errno.h>
#include <string.h>

#include "../api/json.h"

/* --- from two documents --- */

/* What is written down so far; `left`: how many more there may be. */
struct difference {
	json_t *pools, *vips;
	size_t left;
	bool failed; /* too many, or no memory */
};

/* `value` NULL: it is gone. */
static void note(struct difference *difference, json_t *into, const char *key, json_t *value)
{
	if (!difference->left || json_object_set_new(into, key, value ? value : json_null()))
		difference->failed = true;
	else
		difference->left--;
}

static void note_pool(struct difference *out, const struct lb_pool *before,
		      const struct lb_pool *after)
{
	if (before && after && schema_equal(&lb_pool_schema, before, after))
		return;
	note(out, out->pools, (after ? after : before)->name,
	     after ? schema_write(&lb_pool_schema, after) : NULL);
}

/* As a whole document has it. */
static json_t *vip_json(const struct lb_vip *vip, const char *address)
{
	json_t *json = schema_write(&lb_vip_schema, vip);

	if (!strcmp(vip->name, address))
		json_object_del(json, "name");
	return json;
}

static void note_vip(struct difference *out, const struct lb_vip *before,
		     const struct lb_vip *after)
{
	char address[LB_ENDPOINT_TEXT];

	if (before && after && lb_vip_equal(before, after))
		return;
	lb_endpoint_format(&(after ? after : before)->endpoint, address);
	note(out, out->vips, address, after ? vip_json(after, address) : NULL);
}

/* The lower of the two next ones, or both where they are of the same name. */
static void compare_pools(struct difference *out, const struct lb_service *before,
			  const struct lb_service *after)
{
	size_t b = 0, a = 0;

	while (!out->failed && (b < before->pool_count || a < after->pool_count)) {
		const struct lb_pool *old = b < before->pool_count ? &before->pools[b] : NULL;
		const struct lb_pool *new = a < after->pool_count ? &after->pools[a] : NULL;
		int order = !old ? 1 : !new ? -1 : strcmp(old->name, new->name);

		note_pool(out, order <= 0 ? old : NULL, order >= 0 ? new : NULL);
		b += order <= 0;
		a += order >= 0;
	}
}

static void compare_vips(struct difference *out, const struct lb_service *before,
			 const struct lb_service *after)
{
	size_t b = 0, a = 0;

	while (!out->failed && (b < before->vip_count || a < after->vip_count)) {
		const struct lb_vip *old = b < before->vip_count ? &before->vips[b] : NULL;
		const struct lb_vip *new = a < after->vip_count ? &after->vips[a] : NULL;
		int order = !old   ? 1
			    : !new ? -1
				   : lb_endpoint_compare(&old->endpoint, &new->endpoint);

		note_vip(out, order <= 0 ? old : NULL, order >= 0 ? new : NULL);
		b += order <= 0;
		a += order >= 0;
	}
}

static void note_revision(json_t *out, const struct lb_service *before,
			  const struct lb_service *after)
{
	if (before->revision != after->revision)
		json_object_set_new(out, "revision", json_integer(after->revision));
	if (before->edited != after->edited)
		json_object_set_new(out, "edited", json_boolean(after->edited));
}

json_t *journal_difference(const struct lb_service *before, const struct lb_service *after,
			   size_t most)
{
	struct difference difference = {
		.pools = json_object(), .vips = json_object(), .left = most};
	json_t *out;

	compare_pools(&difference, before, after);
	compare_vips(&difference, before, after);
	out = json_object();
	if (json_object_size(difference.pools))
		json_object_set(out, "pools", difference.pools);
	if (json_object_size(difference.vips))
		json_object_set(out, "vips", difference.vips);
	json_decref(difference.pools);
	json_decref(difference.vips);
	note_revision(out, before, after);
	if (!difference.failed && json_object_size(out))
		return out;
	json_decref(out);
	return NULL;
}

/* --- to a document --- */

static int change_items(json_t *index, const json_t *changes)
{
	const char *key;
	json_t *item;
	int error = 0;

	json_object_foreach ((json_t *)changes, key, item) {
		if (json_is_null(item))
			json_object_del(index, key);
		else
			error |= json_object_set(index, key, item);
	}
	return error;
}

/* Replaces the list of the document by one after all changes; its order says nothing. */
static int replay_list(json_t *document, const char *list, const char *key, const json_t *changes)
{
	json_auto_t *index = lb_json_index(json_object_get(document, list), key);
	json_t *items = json_array(), *change, *item;
	const char *name;
	size_t i;
	int error = !index;

	json_array_foreach (changes, i, change)
		error |= change_items(index, json_object_get(change, list));
	json_object_foreach (index, name, item)
		error |= json_array_append(items, item);
	return json_object_set_new(document, list, items) || error ? -ENOMEM : 0;
}

static int replay_revision(json_t *document, const json_t *changes)
{
	static const char *const fields[] = {"revision", "edited"};
	json_t *change, *value;
	int error = 0;
	size_t i;

	json_array_foreach (changes, i, change)
		for (size_t field = 0; field < 2; field++) {
			value = json_object_get(change, fields[field]);
			if (value)
				error |= json_object_set(document, fields[field], value);
		}
	return error ? -ENOMEM : 0;
}

int journal_replay(json_t *document, const json_t *changes)
{
	int error = replay_revision(document, changes);

	if (!json_array_size(changes))
		return 0;
	if (!error)
		error = replay_list(document, "pools", "name", changes);
	return error ? error : replay_list(document, "vips", "address", changes);
}
