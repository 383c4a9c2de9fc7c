/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the nodes of a tier see of the backends? */
#include "views.h"
#include <errno.h>
#include <string.h>
#include "../../lbd/api/clock.h"
#include "../../lbd/api/model.h"
#include "../client.h"
#include "../view.h"
#include "release.h"

#define RENEW_MS (VIEWS_LEASE_S * 1000 / 4)
#define PROLONG_MS 1000
#define KEY_DIGITS 16

/* --- lbd --- */

/* Its view ends with it: what it saw last says nothing. */
static void forget_own(struct views *views)
{
	struct lb_err err = {0};

	if (views->lease)
		etcd_revoke(views->etcd, views->lease, &err);
	json_decref(views->own);
	views->own = NULL;
	views->lease = views->mark = 0;
}

static void ask_lbd(struct views *views)
{
	json_t *params = json_pack("{s:I}", "mark", (json_int_t)views->mark), *seen = NULL;
	struct lb_err err = {0};

	if (client_call(views->config->socket, CLIENT_TIMEOUT_S, "health.view", params, &seen,
			&err)) {
		forget_own(views);
	} else if (json_object_get(seen, "healthy")) {
		views->mark = view_integer(seen, "mark");
		json_object_del(seen, "mark");
		json_decref(views->own);
		views->own = json_incref(seen);
		views->written = false;
		views->stale = true; /* it may have other backends, too */
	}
	json_decref(seen);
	json_decref(params);
}

/* --- etcd --- */

static int keep_lease(struct views *views, struct lb_err *err)
{
	bool alive = false;

	if (views->lease && lb_now_ms() < views->renew_ms)
		return 0;
	if (views->lease && etcd_renew(views->etcd, views->lease, &alive, err))
		return -EINVAL;
	views->renew_ms = lb_now_ms() + RENEW_MS;
	if (alive)
		return 0;
	views->lease = 0;
	views->written = false;
	return etcd_lease(views->etcd, VIEWS_LEASE_S, &views->lease, err);
}

static int write_own(struct views *views, struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	bool done = false;
	int error = keep_lease(views, err);

	if (error || views->written)
		return error;
	error = etcd_put_owned(views->etcd,
			       release_health_key(views->config, views->config->node, key),
			       views->own, views->lease, &done, err);
	views->taken = !error && !done;
	views->written = done;
	return error;
}

/* *item: a new reference, of the key as it was last, or as it is; NULL: it has just gone. */
static int read_other(const struct views *views, const json_t *listed, json_t **item,
		      struct lb_err *err)
{
	const char *key = view_text(listed, "key");
	json_t *known = json_object_get(views->others, key), *items = NULL;

	*item = json_incref(known);
	if (known && view_integer(known, "mod_revision") == view_integer(listed, "mod_revision"))
		return 0;
	json_decref(*item);
	*item = NULL;
	if (etcd_get(views->etcd, key, &items, err))
		return -EINVAL;
	*item = json_incref(json_array_get(items, 0));
	json_decref(items);
	return 0;
}

static int read_others(struct views *views, struct lb_err *err)
{
	char prefix[RELEASE_KEY_SIZE], own[RELEASE_KEY_SIZE];
	json_t *keys = NULL, *others = json_object(), *item;
	const json_t *listed;
	size_t i;
	int error = etcd_keys_below(views->etcd, release_health_key(views->config, "", prefix),
				    &keys, err);

	release_health_key(views->config, views->config->node, own);
	json_array_foreach (keys, i, listed) {
		if (strcmp(view_text(listed, "key"), own) == 0)
			continue;
		error = read_other(views, listed, &item, err);
		if (error)
			break;
		if (item)
			json_object_set_new(others, view_text(listed, "key"), item);
	}
	json_decref(keys);
	if (!error) {
		views->stale |= !json_equal(views->others, others);
		json_decref(views->others);
		views->others = json_incref(others);
	}
	json_decref(others);
	return error;
}

/* --- what is brought to lbd --- */

static bool are_keys(const json_t *value)
{
	const char *keys = json_string_value(value);

	return keys && strlen(keys) % KEY_DIGITS == 0 &&
	       strspn(keys, "0123456789abcdef") == strlen(keys);
}

json_t *views_of(const json_t *others)
{
	json_t *list = json_array();
	const char *key;
	json_t *item;

	json_object_foreach ((json_t *)others, key, item) {
		const json_t *view = json_object_get(item, "value");
		const char *name = strrchr(key, '/') ? strrchr(key, '/') + 1 : key;
		json_t *healthy = json_object_get(view, "healthy");
		json_t *unhealthy = json_object_get(view, "unhealthy");

		if (lb_name_check(name, NULL) || !are_keys(healthy) || !are_keys(unhealthy) ||
		    json_array_size(list) == VIEWS_OTHERS_MAX)
			continue;
		json_array_append_new(list, json_pack("{s:s, s:O, s:O}", "node", name, "healthy",
						      healthy, "unhealthy", unhealthy));
	}
	return list;
}

/* An lbd where it has lapsed has none of it, so it is told all in the next round. */
static void bring(struct views *views)
{
	json_t *list = views->stale ? views_of(views->others) : NULL, *result = NULL;
	json_t *params = json_pack("{s:i, s:O*}", "valid_ms", VIEWS_VALID_MS, "views", list);
	struct lb_err err = {0};

	if (!client_call(views->config->socket, CLIENT_TIMEOUT_S, "health.agree", params, &result,
			 &err)) {
		if (list)
			views->count = (json_int_t)json_array_size(list);
		views->brought_ms = lb_now_ms();
		views->stale = view_integer(result, "nodes") != views->count;
	}
	json_decref(list);
	json_decref(result);
	json_decref(params);
}

int views_round(struct views *views, struct lb_err *err)
{
	int error = 0;

	ask_lbd(views);
	if (!views->own)
		return 0;
	error = write_own(views, err);
	if (!error)
		error = read_others(views, err);
	if (!error && (views->stale || lb_now_ms() - views->brought_ms >= PROLONG_MS))
		bring(views);
	return error;
}

void views_clear(struct views *views)
{
	forget_own(views);
	json_decref(views->others);
}
