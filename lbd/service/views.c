/* SPDX-License-Identifier: BSD-2-Clause */
/* How do the views of this node come to the others, and theirs to this one?
 *
 * A view is named by 64 bits of what is asked and of whom: the pool, its check, the port (or the VIP,
 * where the check depends on it) and the backend. So nodes whose documents differ for a while, as
 * amid a roll-out, agree on what both have, and a backend with another check is another one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../host/events.h"
#include "live.h"
#include "siphash.h"

#define KEY_DIGITS 16
#define LOOK_MS 1000 /* for who sees it otherwise */
#define A_TURN 256   /* backends between two looks at the clock */

/* Any key will do, as long as it is the same on every node. */
static const uint64_t siphash_key[2] = {0x6865616c74682d76, 0x6965772d6f662d61};

/* --- views --- */

/* Of a pool: what its backends are asked. */
static int key_of_pool(const struct pool_ref *ref, uint64_t *out)
{
	const struct lb_pool *pool = ref->pool;
	const bool by_vip =
		pool->health.kind == LB_HEALTH_EXEC || pool->health.source == LB_HEALTH_TUNNEL;
	const struct lb_endpoint vip = lb_endpoint_checked(&ref->vip->endpoint);
	char address[LB_ENDPOINT_TEXT] = "";
	json_t *object;
	char *text;

	if (by_vip)
		lb_endpoint_format(&vip, address);
	object =
		json_pack("{s:s, s:s, s:s, s:i, s:o}", "of", lb_pool_word(pool), "name", pool->name,
			  "vip", address, "port", (int)lb_health_port(&pool->health, &vip), "check",
			  schema_write(&lb_health_schema, &pool->health));
	text = object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (text)
		*out = siphash(siphash_key, text, strlen(text));
	json_decref(object);
	free(text);
	return text ? 0 : -ENOMEM;
}

static uint64_t key_of_backend(uint64_t of_pool, const struct lb_addr *backend)
{
	const uint64_t key[2] = {siphash_key[0], of_pool};
	uint8_t bytes[sizeof(backend->bytes) + 1];

	memcpy(bytes, backend->bytes, sizeof(backend->bytes));
	bytes[sizeof(backend->bytes)] = backend->family;
	return siphash(key, bytes, sizeof(bytes));
}

struct view {
	uint64_t key;
	uint16_t number; /* of the member */
	struct quorum others;
};

struct views {
	struct view *at;
	size_t count;
};

/* All backends that are checked, in any order. Yields. The document must be held. */
static int collect(const struct service *service, struct views *out)
{
	*out = (struct views){calloc(service->backend_count + 1, sizeof(*out->at)), 0};
	if (!out->at)
		return -ENOMEM;
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct pool_ref *ref = &service->pools.refs[i];
		const struct live_pool *live = &service->live_pools[i];
		uint64_t key;

		if (ref->pool->health.kind == LB_HEALTH_NONE || !ref->vip)
			continue;
		if (key_of_pool(ref, &key))
			return -ENOMEM;
		for (size_t j = 0; j < live->backend_count; j++) {
			if (j % A_TURN == 0)
				worker_yield();
			if (out->count == service->backend_count)
				return -EAGAIN;
			out->at[out->count++] = (struct view){
				.key = key_of_backend(key, &live->backends[j].address),
				.number = live->backends[j].number};
		}
	}
	return 0;
}

static char *add_key(char *to, uint64_t key)
{
	return to + snprintf(to, KEY_DIGITS + 1, "%016" PRIx64, key);
}

/* Those that this node sees so. Yields. */
static json_t *list_keys(const struct service *service, const struct views *views,
			 enum health_status state)
{
	char *text = malloc(views->count * KEY_DIGITS + 1), *end = text;
	json_t *list;

	if (!text)
		return NULL;
	*end = '\0';
	for (size_t i = 0; i < views->count; i++) {
		if (agree_own(&service->checks[views->at[i].number]) == state)
			end = add_key(end, views->at[i].key);
		if (i % A_TURN == 0)
			worker_yield();
	}
	list = json_string(text);
	free(text);
	return list;
}

int service_health_view(struct service *service, int64_t known, json_t **result, struct lb_err *err)
{
	const int64_t mark = service->agreement.mark; /* what changes meanwhile has another one */
	struct views views = {0};
	int error = known == mark ? 0 : collect(service, &views);

	if (!error && known == mark)
		*result = json_pack("{s:I}", "mark", (json_int_t)mark);
	else if (!error)
		*result = json_pack("{s:I, s:o, s:o}", "mark", (json_int_t)mark, "healthy",
				    list_keys(service, &views, HEALTH_HEALTHY), "unhealthy",
				    list_keys(service, &views, HEALTH_UNHEALTHY));
	free(views.at);
	return *result ? 0 : lb_err_no_memory(err);
}

/* --- views of others --- */

static int compare(const void *a, const void *b)
{
	const struct view *first = a, *second = b;

	return first->key < second->key ? -1 : first->key > second->key;
}

static int check_keys(const char *keys, const char *field, struct lb_err *err)
{
	const size_t length = strlen(keys);

	if (length % KEY_DIGITS == 0 && strspn(keys, "0123456789abcdef") == length)
		return 0;
	return lb_err_set(err, LB_ERR_PARAMS, field,
			  "%s must be keys of %d hexadecimal digits each", field, KEY_DIGITS);
}

/* Backends that only another node has are left out. */
static void take_keys(const struct views *views, const char *keys, size_t node, bool healthy)
{
	char digits[KEY_DIGITS + 1] = "";

	for (; *keys; keys += KEY_DIGITS) {
		struct view wanted, *found;

		memcpy(digits, keys, KEY_DIGITS);
		wanted.key = strtoull(digits, NULL, 16);
		found = bsearch(&wanted, views->at, views->count, sizeof(wanted), compare);
		if (!found)
			continue;
		found->others.healthy |= (uint64_t)healthy << node;
		found->others.unhealthy |= (uint64_t)!healthy << node;
	}
}

static int take_node(const struct views *views, const json_t *object, size_t place,
		     char name_out[LB_NAME_TEXT], struct lb_err *err)
{
	const json_t *name, *healthy, *unhealthy;
	const struct lb_json_field fields[] = {
		{"node", LB_JSON_STRING, true, &name},
		{"healthy", LB_JSON_STRING, true, &healthy},
		{"unhealthy", LB_JSON_STRING, true, &unhealthy},
		{0},
	};

	if (lb_json_fields(object, fields, err) || lb_name_check(json_string_value(name), err) ||
	    check_keys(json_string_value(healthy), "healthy", err) ||
	    check_keys(json_string_value(unhealthy), "unhealthy", err)) {
		lb_err_prefix(err, "views[%zu]", place);
		return -EINVAL;
	}
	take_keys(views, json_string_value(healthy), place, true);
	take_keys(views, json_string_value(unhealthy), place, false);
	snprintf(name_out, LB_NAME_TEXT, "%s", json_string_value(name));
	return 0;
}

struct brought {
	struct views views;
	char nodes[QUORUM_OTHERS_MAX][LB_NAME_TEXT];
	size_t node_count;
};

/* A node has one vote. */
static int check_once(const struct brought *brought, size_t place, struct lb_err *err)
{
	for (size_t i = 0; i < place; i++)
		if (!strcmp(brought->nodes[i], brought->nodes[place]))
			return lb_err_set(err, LB_ERR_PARAMS, "views", "node %s is there twice",
					  brought->nodes[place]);
	return 0;
}

/* Of data of its own, so beside the loop. */
static int read_views(struct brought *brought, const json_t *views, struct lb_err *err)
{
	const size_t count = json_array_size(views);
	int error = 0;

	if (count > QUORUM_OTHERS_MAX)
		return lb_err_set(err, LB_ERR_PARAMS, "views",
				  "views of at most %d other nodes, not %zu", QUORUM_OTHERS_MAX,
				  count);
	worker_leave();
	qsort(brought->views.at, brought->views.count, sizeof(*brought->views.at), compare);
	for (size_t i = 0; !error && i < count; i++) {
		error = take_node(&brought->views, json_array_get(views, i), i, brought->nodes[i],
				  err);
		if (!error)
			error = check_once(brought, i, err);
	}
	brought->node_count = count;
	worker_enter();
	return error;
}

/* In one turn, since bits are named by `nodes`. */
static void put(struct service *service, const struct brought *brought)
{
	struct agreement *agreement = &service->agreement;

	for (size_t i = 0; i < brought->views.count; i++)
		service->checks[brought->views.at[i].number].others = brought->views.at[i].others;
	memcpy(agreement->nodes, brought->nodes, sizeof(agreement->nodes));
	agreement->node_count = brought->node_count;
}

static void forget(struct service *service)
{
	for (uint32_t i = 0; i < members_capacity(service->config); i++)
		service->checks[i].others = (struct quorum){0};
	service->agreement.node_count = 0;
}

/* --- who sees it otherwise, and for how long --- */

static void tell_dissent(const struct service *service, const struct lb_pool *pool,
			 const struct lb_addr *backend, const struct health_check *check)
{
	char address[LB_ADDR_TEXT];

	events_emit(service->events,
		    json_pack("{s:s, s:s, s:s, s:s, s:o*}", "event", "dissent", lb_pool_field(pool),
			      pool->name, "backend", lb_addr_format(backend, address), "own",
			      health_status_name(agree_own(check)), "agreed",
			      agree_backend(service, check)));
}

/* A change that this node sees a moment before or after the others is none. */
static void look_for_dissent(struct service *service, const struct lb_pool *pool,
			     const struct lb_addr *backend, struct health_check *check)
{
	const enum health_status own = agree_own(check);
	const int64_t now = clock_now_ms(service);

	if (!service_health_nodes(service) || own == HEALTH_UNKNOWN || own == check->counts) {
		if (check->dissents && own == check->counts)
			tell_dissent(service, pool, backend, check);
		check->dissents = false;
		check->dissent_ms = 0;
		return;
	}
	if (!check->dissent_ms)
		check->dissent_ms = now;
	if (check->dissents || now - check->dissent_ms < AGREE_DISSENT_MS)
		return;
	check->dissents = true;
	tell_dissent(service, pool, backend, check);
}

static void look_at_pool(struct service *service, size_t pool, size_t *dissents)
{
	const struct live_pool *live = &service->live_pools[pool];

	if (service->pools.refs[pool].pool->health.kind == LB_HEALTH_NONE)
		return;
	for (size_t i = 0; i < live->backend_count; i++) {
		struct health_check *check = &service->checks[live->backends[i].number];

		checks_take(service, pool, i);
		look_for_dissent(service, service->pools.refs[pool].pool,
				 &live->backends[i].address, check);
		*dissents += check->dissents;
		if (i % A_TURN == 0)
			worker_yield();
	}
}

/* What counts by now is taken, of each backend. Yields. The document must be held. */
static void look(struct service *service)
{
	size_t dissents = 0;

	for (size_t i = 0; i < service->pools.count; i++)
		look_at_pool(service, i, &dissents);
	service->agreement.dissents = dissents;
}

static void look_again(struct service *service)
{
	const int64_t left_ms = service->agreement.until_ms - clock_now_ms(service);

	chore_set(&service->agreement.look, left_ms <= 0        ? 0
					    : left_ms < LOOK_MS ? left_ms
								: LOOK_MS);
}

static void lapse_if_due(struct service *service)
{
	struct agreement *agreement = &service->agreement;

	if (!agreement->until_ms || clock_now_ms(service) < agreement->until_ms)
		return;
	if (agreement->node_count)
		agreement->lapsed_ms = clock_now_ms(service);
	agreement->until_ms = 0;
	forget(service);
}

static void on_look(void *user)
{
	struct service *service = user;

	live_hold(service);
	lapse_if_due(service);
	look(service);
	live_let_go(service);
	if (service->agreement.until_ms)
		look_again(service);
}

int service_health_agree(struct service *service, const json_t *views, int64_t valid_ms,
			 struct lb_err *err)
{
	struct brought brought = {0};
	int error = views ? collect(service, &brought.views) : 0;

	if (error)
		lb_err_no_memory(err);
	else if (views)
		error = read_views(&brought, views, err);
	if (!error) {
		if (views)
			put(service, &brought);
		service->agreement.until_ms = clock_now_ms(service) + valid_ms;
		service->agreement.lapsed_ms = 0;
		if (views)
			look(service);
		look_again(service);
	}
	free(brought.views.at);
	return error;
}

/* --- life --- */

int views_open(struct service *service, struct lb_err *err)
{
	/* An lbd that starts again begins with another mark. */
	service->agreement.mark = lb_clock_ns(CLOCK_REALTIME) / 1000;
	if (chore_open(&service->agreement.look, &service->timers, &service->upkeep, "agreement",
		       on_look, service))
		return lb_err_no_memory(err);
	return 0;
}

void views_close(struct service *service)
{
	chore_close(&service->agreement.look);
}
