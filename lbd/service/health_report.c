/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the health of backends look like in JSON? (docs/protocol.md) */
#include "../host/events.h"
#include "live.h"

#define BACKENDS_A_LOOK 256 /* at the clock */

static json_t *time_json(const struct health_time *time)
{
	char text[EVENTS_TIME_TEXT];

	return json_string(events_time_ms(time->wall_ms, text));
}

/* NULL: it is not checked. */
static const struct health_check *check_of(const struct service *service,
					   const struct lb_pool *pool, const struct live_pool *live,
					   size_t i)
{
	const struct health_check *check = &service->checks[live->backends[i].number];

	return pool->health.kind == LB_HEALTH_NONE || !check->watch ? NULL : check;
}

static json_t *since_json(const struct service *service, const struct health_check *check,
			  const struct health_view *view)
{
	const struct health_time agreed = {.wall_ms = check->counts_wall_ms};

	return time_json(service_health_nodes(service) && check->counts ? &agreed : &view->since);
}

json_t *backend_health(const struct service *service, const struct lb_pool *pool,
		       const struct live_pool *live, size_t i)
{
	const struct health_check *check = check_of(service, pool, live, i);
	struct health_view view;
	json_t *object;

	if (!check)
		return NULL;
	health_get(check->watch, &view);
	object = json_pack("{s:s, s:o, s:o*}", "state",
			   health_status_name(agree_state(service, check)), "since",
			   since_json(service, check, &view), "agreed",
			   agree_backend(service, check));
	if (view.error[0]) {
		json_object_set_new(object, "error", json_string(view.error));
		json_object_set_new(object, "error_at", time_json(&view.error_since));
	}
	if (view.not_made)
		json_object_set_new(object, "not_checked", json_true());
	if (view.duration_us >= 0)
		json_object_set_new(object, "duration_us", json_integer(view.duration_us));
	return object;
}

/* Of what is held, or led by a change. */
static void yield_at(size_t i)
{
	if (i % BACKENDS_A_LOOK == 0)
		worker_yield();
}

/* How many backends of the VIP are in which state. */
static void count_states(const struct service *service, const struct lb_pool *pool,
			 const struct live_pool *live, uint32_t counts[HEALTH_UNHEALTHY + 1])
{
	for (size_t i = 0; i < live->backend_count; i++) {
		const struct health_check *check = check_of(service, pool, live, i);

		if (check)
			counts[agree_state(service, check)]++;
		yield_at(i);
	}
}

json_t *service_health(struct service *service)
{
	uint32_t counts[HEALTH_UNHEALTHY + 1] = {0};

	live_hold(service);
	for (size_t i = 0; i < service->pools.count; i++) {
		count_states(service, service->pools.refs[i].pool, &service->live_pools[i], counts);
		worker_yield();
	}
	live_let_go(service);
	return json_pack("{s:i, s:i, s:i, s:o*}", "healthy", (int)counts[HEALTH_HEALTHY],
			 "unhealthy", (int)counts[HEALTH_UNHEALTHY], "unknown",
			 (int)counts[HEALTH_UNKNOWN], "agreement", agree_describe(service));
}

struct health_shares health_shares(const struct service *service, const struct lb_pool *pool,
				   const struct live_pool *live)
{
	struct health_shares shares = {0};

	for (size_t i = 0; i < live->backend_count; i++) {
		const struct health_check *check = check_of(service, pool, live, i);

		yield_at(i);
		if (!lb_backend_share(&pool->backends[i]))
			continue;
		shares.all++;
		if (pool->health.kind == LB_HEALTH_NONE)
			shares.healthy++;
		else if (check) {
			shares.healthy += agree_state(service, check) == HEALTH_HEALTHY;
			shares.unhealthy += agree_state(service, check) == HEALTH_UNHEALTHY;
		}
	}
	return shares;
}

/* A VIP whose backends take no new flows, or are all ill, does what nobody wishes for. */
static void warn_of_pool(const struct service *service, const struct lb_pool *pool,
			 const struct live_pool *live, json_t *warnings)
{
	const bool use_all = pool->when_all_unhealthy == LB_ALL_UNHEALTHY_USE_ALL;
	const struct health_shares shares = health_shares(service, pool, live);

	if (live->backend_count && !shares.all)
		json_array_append_new(
			warnings, json_sprintf(LB_POOL_TAKES_NONE, lb_pool_word(pool), pool->name));
	if (shares.all && shares.unhealthy == shares.all)
		json_array_append_new(warnings,
				      json_sprintf("every backend of %s %s%s is unhealthy: %s",
						   lb_pool_word(pool), pool->name,
						   shares.all < live->backend_count
							   ? " that could take new flows"
							   : "",
						   use_all ? "all of them are used"
							   : "none of them takes new flows"));
}

/* One warning for a VIP: what keeps one check from being made often keeps all. */
static void warn_of_faults(const struct service *service, const struct lb_pool *pool,
			   const struct live_pool *live, json_t *warnings)
{
	struct health_view shown;
	size_t count = 0;

	for (size_t i = 0; i < live->backend_count; i++) {
		const struct health_check *check = check_of(service, pool, live, i);

		if (check && health_not_made(check->watch) && !count++)
			health_get(check->watch, &shown);
		yield_at(i);
	}
	if (count)
		json_array_append_new(
			warnings,
			json_sprintf("this balancer cannot check %zu of %zu backends of %s %s, "
				     "which keep the state that they had: %s",
				     count, live->backend_count, lb_pool_word(pool), pool->name,
				     shown.error));
}

void health_warnings(const struct service *service, json_t *warnings)
{
	const char *fault = tunnels_fault(service->tunnels);

	for (size_t i = 0; i < service->pools.count; i++) {
		const struct lb_pool *pool = service->pools.refs[i].pool;

		warn_of_pool(service, pool, &service->live_pools[i], warnings);
		warn_of_faults(service, pool, &service->live_pools[i], warnings);
		worker_yield();
	}
	agree_warnings(service, warnings);
	if (*fault)
		json_array_append_new(
			warnings,
			json_sprintf("tunnel checks by way of an interface may be wrong: %s",
				     fault));
}
