/* SPDX-License-Identifier: BSD-2-Clause */
/* What is published for a tier, and what has a node to do about it? */
#include "release.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lbd/api/json.h"
#include "../../lbd/api/model.h"
#include "../units.h"
#include "../view.h"
#include "message.h"

/* --- keys --- */

static char *key(const struct tier_config *config, const char *rest, char out[RELEASE_KEY_SIZE])
{
	snprintf(out, RELEASE_KEY_SIZE, "/lbd/%s/%s", config->tier, rest);
	return out;
}

char *release_key(const struct tier_config *config, char out[RELEASE_KEY_SIZE])
{
	return key(config, "release", out);
}

char *release_document_key(const struct tier_config *config, uint32_t revision,
			   char out[RELEASE_KEY_SIZE])
{
	char rest[32];

	snprintf(rest, sizeof(rest), "documents/%010u", revision);
	return key(config, rest, out);
}

char *release_nodes_key(const struct tier_config *config, const char *node,
			char out[RELEASE_KEY_SIZE])
{
	char rest[TIER_NAME_SIZE + 8];

	snprintf(rest, sizeof(rest), "nodes/%s", node);
	return key(config, rest, out);
}

char *release_health_key(const struct tier_config *config, const char *node,
			 char out[RELEASE_KEY_SIZE])
{
	char rest[TIER_NAME_SIZE + 8];

	snprintf(rest, sizeof(rest), "health/%s", node);
	return key(config, rest, out);
}

/* --- a release --- */

static int read_number(const json_t *value, const char *name, int64_t least, uint32_t *out,
		       struct lb_err *err)
{
	int64_t number = 0;

	if (value && lb_json_integer(value, name, least, UINT32_MAX, &number, err))
		return -EINVAL;
	*out = (uint32_t)number;
	return 0;
}

static int read_canaries(const json_t *names, struct release *out, struct lb_err *err)
{
	const json_t *name;
	size_t i;

	if (json_array_size(names) > RELEASE_CANARIES_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "canaries", "at most %d canaries",
				  RELEASE_CANARIES_MAX);
	json_array_foreach (names, i, name) {
		const char *text = json_string_value(name);

		if (!text || lb_name_check(text, NULL))
			return lb_err_set(err, LB_ERR_PARAMS, "canaries",
					  "each must be the name of a node");
		snprintf(out->canaries[out->canary_count++], TIER_NAME_SIZE, "%s", text);
	}
	return 0;
}

static int read_release(const json_t *object, struct release *out, struct lb_err *err)
{
	const json_t *revision, *stable, *hold, *canaries, *force, *moved, *by, *at;
	const struct lb_json_field fields[] = {
		{"revision", LB_JSON_INTEGER, true, &revision},
		{"stable", LB_JSON_INTEGER, false, &stable},
		{"hold_s", LB_JSON_INTEGER, false, &hold},
		{"canaries", LB_JSON_ARRAY, false, &canaries},
		{"force", LB_JSON_BOOLEAN, false, &force},
		{"max_moved_percent", LB_JSON_ANY, false, &moved},
		{"by", LB_JSON_STRING, false, &by},
		{"at", LB_JSON_STRING, false, &at},
		{0},
	};

	if (lb_json_fields(object, fields, err) ||
	    read_number(revision, "revision", 1, &out->revision, err) ||
	    read_number(stable, "stable", 0, &out->stable, err) ||
	    read_number(hold, "hold_s", 0, &out->hold_s, err) || read_canaries(canaries, out, err))
		return -EINVAL;
	out->staged = hold;
	out->force = json_is_true(force);
	out->max_moved_percent = moved ? json_number_value(moved) : 100;
	return 0;
}

int release_read(const json_t *items, struct release *out, struct lb_err *err)
{
	const json_t *item = json_array_get(items, 0);
	struct lb_err inner = {0};
	json_auto_t *value = NULL;

	*out = (struct release){0};
	value = message_clean(json_object_get(item, "value"));
	if (!item || !read_release(value, out, &inner))
		return 0;
	*out = (struct release){0};
	lb_err_set(err, LB_ERR_SYSTEM, inner.path, "etcd holds no release at %s: %s",
		   view_text(item, "key"), inner.message);
	return lb_err_hint(err, "lbctl tier publish FILE replaces it, and so does lbctl tier "
				"rollback REVISION");
}

int release_number(const char *text, uint32_t *out, struct lb_err *err)
{
	size_t length = strlen(text);
	unsigned long long number = strtoull(text, NULL, 10);

	*out = (uint32_t)number;
	if (length <= 10 && strspn(text, "0123456789") == length && number && number <= UINT32_MAX)
		return 0;
	return lb_err_set(err, LB_ERR_USAGE, "", "a revision is a number from 1 to %u, not \"%s\"",
			  UINT32_MAX, text);
}

/* --- canaries --- */

/* Of a node as it has told it; anything may be missing. */
static int64_t number_of(const json_t *node, const char *field)
{
	return json_integer_value(json_object_get(node, field));
}

/* What keeps one canary from being enough; false: nothing. */
static bool canary_waits(const struct release *release, const json_t *node, char why[RELEASE_WHY])
{
	const json_t *refused = json_object_get(node, "refused");
	const char *name = view_text(node, "node");
	int64_t had_s = number_of(node, "applied_s");
	char left[UNITS_TEXT];

	if (number_of(refused, "revision") == release->revision)
		snprintf(why, RELEASE_WHY, "canary %s has refused it: %s", name,
			 view_text(refused, "error"));
	else if (number_of(node, "revision") < release->revision)
		snprintf(why, RELEASE_WHY, "canary %s does not have it yet", name);
	else if (number_of(node, "revision") > release->revision)
		return false;
	else if (json_is_string(json_object_get(node, "alarm")))
		snprintf(why, RELEASE_WHY, "canary %s has an alarm: %s", name,
			 view_text(node, "alarm"));
	else if (had_s < release->hold_s)
		snprintf(why, RELEASE_WHY, "canary %s must have it for %s more", name,
			 units_duration(release->hold_s - had_s, left));
	else
		return false;
	return true;
}

static bool is_there(const json_t *nodes, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (nodes, i, item)
		if (strcmp(view_text(json_object_get(item, "value"), "node"), name) == 0)
			return true;
	return false;
}

/* Whether another node than a canary has it. */
static bool went_beyond(const struct release *release, const json_t *nodes)
{
	const json_t *item;
	size_t i;

	json_array_foreach (nodes, i, item) {
		const json_t *node = json_object_get(item, "value");

		if (!json_is_true(json_object_get(node, "canary")) &&
		    number_of(node, "revision") >= release->revision)
			return true;
	}
	return false;
}

/* A canary that dies of a revision must not be forgotten with its lease. */
static bool canary_is_gone(const struct release *release, const json_t *nodes,
			   char why[RELEASE_WHY])
{
	for (size_t i = 0; i < release->canary_count; i++) {
		if (is_there(nodes, release->canaries[i]))
			continue;
		snprintf(why, RELEASE_WHY,
			 "canary %s is gone since; publish again to go on without it",
			 release->canaries[i]);
		return true;
	}
	return false;
}

/* Whether all canaries have had it for long enough. */
static bool canaries_content(const struct release *release, const json_t *nodes,
			     char why[RELEASE_WHY])
{
	const json_t *item;
	size_t canaries = 0, i;

	if (!went_beyond(release, nodes) && canary_is_gone(release, nodes, why))
		return false;
	json_array_foreach (nodes, i, item) {
		const json_t *node = json_object_get(item, "value");

		if (!json_is_true(json_object_get(node, "canary")))
			continue;
		canaries++;
		if (canary_waits(release, node, why))
			return false;
	}
	if (!canaries)
		snprintf(why, RELEASE_WHY, "no canary is there");
	return canaries;
}

uint32_t release_target(const struct release *release, bool canary, const json_t *nodes,
			char why[RELEASE_WHY])
{
	why[0] = '\0';
	if (!release->staged || canary || canaries_content(release, nodes, why))
		return release->revision;
	return release->stable;
}

/* --- the next one --- */

uint32_t release_next(const struct release *release, const json_t *nodes, uint32_t own)
{
	int64_t highest = release->revision > own ? release->revision : own;
	const json_t *item;
	size_t i;

	json_array_foreach (nodes, i, item) {
		int64_t revision = number_of(json_object_get(item, "value"), "revision");

		if (revision > highest && revision <= UINT32_MAX)
			highest = revision;
	}
	return highest < UINT32_MAX ? (uint32_t)(highest + 1) : 0;
}

uint32_t release_stable(const struct release *release, const json_t *nodes)
{
	/* One that went beyond its canaries is what nodes have, and they do not go back. */
	return !release->staged || went_beyond(release, nodes) ? release->revision
							       : release->stable;
}
