/* SPDX-License-Identifier: BSD-2-Clause */
/* What did a change break?
 *
 * Backends with second_chance count the packets of which no backend that was asked has the connection
 * (health/losses.h). From a change that moves slots, or ends connections, until its transition is over
 * they look at packets without a list, too. Then an event says what they have lost since, beside what
 * the change was said to break. Further changes meanwhile have the same receipt. */
#include <stdlib.h>

#include "../host/events.h"
#include "live.h"

#define LAST_ANSWERS_MS (LOSSES_ASK_MS + 1000) /* each backend has answered once more then */

struct receipt {
	bool open;
	int64_t began_ms, ends_ms; /* by the monotonic clock */
	uint32_t backends;         /* whose connections it was to end */
	uint64_t recorded_flows;   /* of those */
};

struct receipts {
	struct receipt *of; /* by pool number */
	uint64_t *marks;    /* by member number: what it had lost when the receipt began */
	struct chore due;
};

static int64_t end_ms(const struct service *service, const struct lb_pool *pool)
{
	return clock_now_ms(service) + pools_transition_s(pool, POOL_STREAMS) * 1000ll +
	       LAST_ANSWERS_MS;
}

static bool has_second_chance(const struct lb_pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++)
		if (pool->backends[i].second_chance)
			return true;
	return false;
}

/* --- changes --- */

void receipt_begin(struct service *service, const struct lb_pool *pool,
		   const struct live_pool *before)
{
	struct receipt *receipt = &service->receipts->of[before->number];
	const int64_t until_ms = end_ms(service, pool);
	struct losses_view view;

	for (size_t i = 0; i < before->backend_count; i++) {
		const uint16_t number = before->backends[i].number;

		if (!losses_get(service->losses, number, &view))
			continue;
		losses_watch(service->losses, number, until_ms);
		if (!receipt->open)
			service->receipts->marks[number] = view.lost;
	}
}

void receipt_drop(struct service *service, const struct live_pool *before)
{
	service->receipts->of[before->number].open = false;
}

static void note_risk(struct receipt *receipt, const json_t *at_risk)
{
	const json_t *backend;
	size_t i;

	json_array_foreach (at_risk, i, backend) {
		receipt->backends++;
		receipt->recorded_flows +=
			(uint64_t)json_integer_value(json_object_get(backend, "recorded_flows"));
	}
}

void receipt_follow(struct service *service, const struct lb_pool *pool,
		    const struct live_pool *next, const json_t *at_risk)
{
	struct receipt *receipt = &service->receipts->of[next->number];
	struct losses_view view;

	if (!has_second_chance(pool))
		return;
	if (!receipt->open)
		*receipt = (struct receipt){.open = true, .began_ms = clock_now_ms(service)};
	receipt->ends_ms = end_ms(service, pool);
	note_risk(receipt, at_risk);
	for (size_t i = 0; i < next->backend_count; i++) {
		const uint16_t number = next->backends[i].number;

		losses_watch(service->losses, number, receipt->ends_ms);
		if (losses_get(service->losses, number, &view) && !view.since_ms)
			service->receipts->marks[number] = 0;
	}
	if (!chore_pending(&service->receipts->due))
		chore_set(&service->receipts->due, receipt->ends_ms - clock_now_ms(service));
}

/* --- the end --- */

static json_t *measured_json(const struct service *service, const struct live_pool *live)
{
	json_int_t packets = 0, backends = 0, silent = 0, unasked = 0;
	struct losses_view view;
	json_t *measured;

	for (size_t i = 0; i < live->backend_count; i++) {
		const uint16_t number = live->backends[i].number;
		const uint64_t mark = service->receipts->marks[number];

		if (!losses_get(service->losses, number, &view)) {
			unasked++;
			continue;
		}
		if (!view.since_ms || view.silent)
			silent++;
		else
			backends++;
		packets += (json_int_t)(view.lost >= mark ? view.lost - mark : view.lost);
	}
	measured = json_pack("{s:I, s:I, s:I}", "packets", packets, "backends", backends, "silent",
			     silent);
	if (unasked)
		json_object_set_new(measured, "unasked", json_integer(unasked));
	return measured;
}

static void tell(struct service *service, const struct lb_pool *pool, const struct live_pool *live,
		 const struct receipt *receipt)
{
	events_emit(service->events,
		    json_pack("{s:s, s:s, s:I, s:{s:I, s:I}, s:o}", "event", "receipt",
			      lb_pool_field(pool), pool->name, "seconds",
			      (json_int_t)(clock_now_ms(service) - receipt->began_ms) / 1000,
			      "predicted", "backends", (json_int_t)receipt->backends,
			      "recorded_flows", (json_int_t)receipt->recorded_flows, "measured",
			      measured_json(service, live)));
}

static void on_due(void *user)
{
	struct service *service = user;
	const int64_t now_ms = clock_now_ms(service);
	int64_t next_ms = INT64_MAX;

	live_hold(service);
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct live_pool *live = &service->live_pools[i];
		struct receipt *receipt = &service->receipts->of[live->number];

		if (receipt->open && receipt->ends_ms <= now_ms) {
			tell(service, service->pools.refs[i].pool, live, receipt);
			receipt->open = false;
		} else if (receipt->open && receipt->ends_ms < next_ms) {
			next_ms = receipt->ends_ms;
		}
		worker_yield();
	}
	if (next_ms != INT64_MAX)
		chore_set(&service->receipts->due, next_ms - now_ms);
	live_let_go(service);
}

/* --- life --- */

int receipt_open(struct service *service, const struct service_options *from, struct lb_err *err)
{
	const uint32_t members = members_capacity(service->config);
	struct receipts *receipts = service->receipts = calloc(1, sizeof(*receipts));

	if (!receipts)
		return lb_err_no_memory(err);
	receipts->of = calloc(place_pool_numbers(service->config), sizeof(*receipts->of));
	receipts->marks = calloc(members, sizeof(*receipts->marks));
	service->losses = losses_new(from->base, members);
	if (chore_open(&receipts->due, &service->timers, &service->upkeep, "receipts", on_due,
		       service) ||
	    !receipts->of || !receipts->marks || !service->losses)
		return lb_err_no_memory(err);
	return 0;
}

void receipt_close(struct service *service)
{
	struct receipts *receipts = service->receipts;

	losses_free(service->losses);
	service->losses = NULL;
	if (!receipts)
		return;
	chore_close(&receipts->due);
	free(receipts->of);
	free(receipts->marks);
	free(receipts);
	service->receipts = NULL;
}
