/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is in the tier, and are they alike? */
#include <errno.h>
#include <string.h>
#include "../view.h"
#include "message.h"
#include "node.h"
#include "release.h"
#include "verbs.h"

/* What is the same on all nodes when nothing is wrong. */
static const char *const alike[] = {"revision", "document", "tables", "seed", "version", "abi"};
#define ALIKE (sizeof(alike) / sizeof(*alike))

static size_t count_equal(const json_t *nodes, const char *field, const json_t *value)
{
	const json_t *node;
	size_t count = 0, i;

	json_array_foreach (nodes, i, node)
		count += json_equal(json_object_get(node, field), value);
	return count;
}

/* What most nodes have; of two that are as frequent, the one of the node that comes first. */
static const json_t *usual(const json_t *nodes, const char *field)
{
	const json_t *node, *best = NULL;
	size_t most = 0, i;

	json_array_foreach (nodes, i, node) {
		const json_t *value = json_object_get(node, field);
		size_t count = value ? count_equal(nodes, field, value) : 0;

		if (count > most) {
			most = count;
			best = value;
		}
	}
	return best;
}

/* Names of fields in which it differs from most. */
static json_t *differences(const json_t *nodes, const json_t *node)
{
	json_t *fields = json_array();

	for (size_t i = 0; i < ALIKE; i++) {
		const json_t *value = json_object_get(node, alike[i]);

		if (value && !json_equal(value, usual(nodes, alike[i])))
			json_array_append_new(fields, json_string(alike[i]));
	}
	return fields;
}

static void mark_differences(json_t *nodes)
{
	json_t *node;
	size_t i;

	json_array_foreach (nodes, i, node)
		json_object_set_new(node, "differs", differences(nodes, node));
}

/* Of those that answer with something else than an object nothing is known but their key. */
static json_t *nodes_of(const json_t *items)
{
	json_t *nodes = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		const json_t *value = json_object_get(item, "value");
		const char *key = view_text(item, "key"), *name = strrchr(key, '/');
		json_t *node = json_is_object(value) ? json_copy((json_t *)value) : json_object();

		json_object_set_new(node, "node", json_string(name ? name + 1 : key));
		json_array_append_new(nodes, node);
	}
	mark_differences(nodes);
	return nodes;
}

/* Why those that do not have it yet wait, if they do. */
static json_t *waits(const struct release *release, const json_t *items)
{
	char why[RELEASE_WHY];

	release_target(release, false, items, why);
	return release->staged && *why ? json_string(why) : NULL;
}

static json_t *value_of(const json_t *items)
{
	return json_object_get(json_array_get(items, 0), "value");
}

static json_t *describe(const struct lb_err *fault)
{
	return json_pack("{s:s, s:s, s:s}", "message", fault->message, "path", fault->path, "hint",
			 fault->hint);
}

int verb_show(const struct verb *verb, json_t **result, struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	json_t *published = NULL, *items = NULL;
	struct release release;
	struct lb_err fault = {0};
	bool faulty = false;
	int error = etcd_get(verb->etcd, release_key(verb->config, key), &published, err);

	if (!error) {
		faulty = release_read(published, &release, &fault);
		error = etcd_get_below(verb->etcd, release_nodes_key(verb->config, "", key), &items,
				       err);
	}
	if (!error)
		*result = json_pack("{s:s, s:o*, s:o*, s:o*, s:o}", "tier", verb->config->tier,
				    "release", faulty ? NULL : message_clean(value_of(published)),
				    "fault", faulty ? describe(&fault) : NULL, "waits",
				    waits(&release, items), "nodes", nodes_of(items));
	json_decref(published);
	json_decref(items);
	return error;
}

static int last_release(const struct verb *verb, struct release *release, struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	json_t *items = NULL;
	int error = etcd_get(verb->etcd, release_key(verb->config, key), &items, err);

	if (!error)
		error = release_read(items, release, err);
	json_decref(items);
	return error;
}

int verb_export(const struct verb *verb, json_t **result, struct lb_err *err)
{
	const char *wanted = verb->invocation->arguments[0];
	char key[RELEASE_KEY_SIZE];
	struct release release = {0};
	json_t *items = NULL, *document;

	if (wanted ? release_number(wanted, &release.revision, err)
		   : last_release(verb, &release, err))
		return -EINVAL;
	if (!release.revision)
		return lb_err_set(err, LB_ERR_NOT_FOUND, "",
				  "nothing was published for tier %s yet", verb->config->tier);
	if (etcd_get(verb->etcd, release_document_key(verb->config, release.revision, key), &items,
		     err))
		return -EINVAL;
	document = value_of(items);
	*result = json_is_object(document) ? json_pack("{s:O}", "document", document) : NULL;
	json_decref(items);
	return *result ? 0
		       : lb_err_set(err, LB_ERR_NOT_FOUND, "", "tier %s has no revision %u",
				    verb->config->tier, release.revision);
}
