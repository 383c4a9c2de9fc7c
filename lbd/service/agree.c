/* SPDX-License-Identifier: BSD-2-Clause */
/* What counts of a backend's health, by this node and others, and how is it told? */
#include "agree.h"

#include <inttypes.h>
#include <stdio.h>

#include "live.h"

/* By the clock of clock_now_ms, which knows of us. */
static int64_t now_ms(const struct service *service)
{
	return service->timers.now_ns(service->timers.base, CLOCK_MONOTONIC) / 1000000;
}

/* --- what counts --- */

enum health_status agree_own(const struct health_check *check)
{
	if (!check->watch || health_not_made(check->watch))
		return HEALTH_UNKNOWN;
	return health_status(check->watch);
}

static bool is_on(const struct service *service)
{
	return service->agreement.until_ms && service->agreement.node_count;
}

/* Who has no view of it leaves it to the others; where they have none, its last one goes on. */
enum health_status agree_state(const struct service *service, const struct health_check *check)
{
	enum health_status state = HEALTH_UNKNOWN;

	if (is_on(service))
		state = quorum_state(&check->others, agree_own(check));
	if (state == HEALTH_UNKNOWN && check->watch)
		state = health_status(check->watch);
	return state;
}

void agree_viewed(struct service *service)
{
	service->agreement.mark++;
}

/* --- reports --- */

size_t service_health_nodes(const struct service *service)
{
	return is_on(service) ? service->agreement.node_count : 0;
}

/* The others that see it so. */
static json_t *names(const struct agreement *agreement, uint64_t nodes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < agreement->node_count; i++)
		if (nodes >> i & 1)
			json_array_append_new(list, json_string(agreement->nodes[i]));
	return list;
}

json_t *agree_backend(const struct service *service, const struct health_check *check)
{
	const enum health_status own = agree_own(check);
	const struct quorum *others = &check->others;

	if (!is_on(service))
		return NULL;
	return json_pack("{s:s, s:i, s:i, s:o}", "own", health_status_name(own), "healthy",
			 (int)quorum_count(others, own, HEALTH_HEALTHY), "unhealthy",
			 (int)quorum_count(others, own, HEALTH_UNHEALTHY), "otherwise",
			 names(&service->agreement, check->counts == HEALTH_HEALTHY
							    ? others->unhealthy
							    : others->healthy));
}

json_t *agree_describe(const struct service *service)
{
	const struct agreement *agreement = &service->agreement;

	if (agreement->lapsed_ms)
		return json_pack("{s:s, s:I}", "state", "lapsed", "ago_s",
				 (json_int_t)((now_ms(service) - agreement->lapsed_ms) / 1000));
	if (!agreement->until_ms)
		return NULL;
	return json_pack("{s:s, s:o, s:i, s:I}", "state",
			 agreement->node_count ? "agreed" : "alone", "nodes",
			 names(agreement, UINT64_MAX), "dissents", (int)agreement->dissents,
			 "changes", (json_int_t)agreement->changes);
}

/* The first backend that this node sees otherwise. */
static const struct lb_addr *find_dissent(const struct service *service)
{
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct live_pool *live = &service->live_pools[i];

		for (size_t j = 0; j < live->backend_count; j++)
			if (service->checks[live->backends[j].number].dissents)
				return &live->backends[j].address;
	}
	return NULL;
}

void agree_warnings(const struct service *service, json_t *warnings)
{
	const struct agreement *agreement = &service->agreement;
	const struct lb_addr *first = agreement->dissents ? find_dissent(service) : NULL;
	char address[LB_ADDR_TEXT];

	if (first)
		json_array_append_new(
			warnings,
			json_sprintf(
				"this node sees %zu backend%s otherwise than most of the tier, "
				"%s first: something on its way to the backends may be broken",
				agreement->dissents, agreement->dissents == 1 ? "" : "s",
				lb_addr_format(first, address)));
	if (agreement->lapsed_ms && service->document->revision)
		json_array_append_new(
			warnings,
			json_sprintf("health goes by this node's own checks: for %" PRId64
				     " s lbd-tier has not brought what the other nodes see",
				     (now_ms(service) - agreement->lapsed_ms) / 1000));
}
