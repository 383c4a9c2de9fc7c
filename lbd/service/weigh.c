/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a pool's table follow the standings of its backends?
 *
 * By the way that every change takes (lead_packets); nothing is written to disk. Results that come
 * together are acted upon together: a table is built once for a rack that fails.
 */
#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS 10             /* how long tables are built before others have their turn */
#define APART_PAIRS (1u << 20) /* of slots and backends, above which a table is built out of turn */
#define RETRY_MS 1000

/* A large table is built out of turn, so nobody else may see `live`. */
static int table_follow(const struct lb_pool *pool, struct live_pool *live,
			const struct table_member *backends)
{
	const bool apart = (uint64_t)pool->table_size * live->backend_count > APART_PAIRS;
	int error;

	if (apart)
		worker_leave();
	error = table_update(live->table, backends, live->backend_count);
	if (apart)
		worker_enter();
	return error;
}

/* Groups that have joined leave once they were not needed for the whole of the hold time. */
static void weigh(const struct lb_pool *pool, struct live_pool *live, int64_t now_ms,
		  uint32_t *weights)
{
	const uint32_t before = live->use.last;
	int64_t *const until_ms = &live->kept_until_ms;

	live->use = standing_weigh(pool, live->standings, 0, weights);
	if (live->use.last >= before || now_ms == WEIGH_AT_ONCE) {
		*until_ms = 0;
		return;
	}
	if (!*until_ms)
		*until_ms = now_ms + pool->spill_hold_s * 1000ll;
	if (now_ms < *until_ms)
		live->use = standing_weigh(pool, live->standings, before, weights);
	else
		*until_ms = 0;
}

int weigh_again(const struct lb_pool *pool, struct live_pool *live, int64_t now_ms)
{
	struct table_member *next = calloc(live->backend_count + 1, sizeof(*next));
	uint32_t *weights = calloc(live->backend_count + 1, sizeof(*weights));
	struct live_pool weighed = *live;
	int error = next && weights ? 0 : -ENOMEM;

	if (!error) {
		weigh(pool, &weighed, now_ms, weights);
		for (size_t i = 0; i < live->backend_count; i++) {
			next[i] = live->backends[i];
			next[i].weight = weights[i];
		}
		error = table_follow(pool, live, next);
	}
	free(weights);
	if (error) {
		free(next);
		return error;
	}
	free(live->backends);
	live->backends = next;
	live->use = weighed.use;
	live->kept_until_ms = weighed.kept_until_ms;
	return 0;
}

/* A copy of what weigh_again changes. */
static int copy_weighed(const struct live_pool *live, struct live_pool *copy)
{
	const size_t size = (live->backend_count + 1) * sizeof(*live->backends);

	*copy = *live;
	copy->table = table_copy(live->table);
	copy->backends = malloc(size);
	if (copy->backends)
		memcpy(copy->backends, live->backends, size);
	return copy->table && copy->backends ? 0 : -ENOMEM;
}

/* Results that come while the table is built mark the pool again, and so does what fails. */
static void reweigh(struct service *service, const struct pool_ref *ref, struct live_pool *live)
{
	static const uint64_t none_gone[(LB_NONE + 1) / 64];
	struct live_pool copy;
	const uint32_t last = live->use.last;
	int error = copy_weighed(live, &copy);

	live->reweigh = false;
	if (!error)
		error = weigh_again(ref->pool, &copy, clock_now_ms(service));
	if (error || live->led) {
		live->reweigh = true;
		table_free(copy.table);
		free(copy.backends);
		return;
	}
	table_free(live->table);
	free(live->backends);
	live->table = copy.table;
	live->backends = copy.backends;
	live->use = copy.use;
	live->kept_until_ms = copy.kept_until_ms;
	live->led = true;
	lead_packets(service, ref, live, none_gone);
	live->led = false;
	tell_serving(service, ref->pool, live);
	tell_spill(service, ref->pool, live, last);
	tell_unhealthy(service, ref->pool, live);
}

static bool all_were_checked(const struct service *service, const struct live_pool *live)
{
	for (size_t i = 0; i < live->backend_count; i++) {
		const struct health_watch *watch = service->checks[live->backends[i].number].watch;

		if (!watch || !health_was_checked(watch))
			return false;
	}
	return true;
}

/* For how long the pool's other ways are waited for. */
static int64_t ways_ms(const struct live_pool *live, int64_t now_ms)
{
	return live->arriving && now_ms < live->ways_by_ms ? live->ways_by_ms - now_ms : 0;
}

/* How long the pool's results are still gathered. */
static int64_t gather_ms(const struct service *service, const struct live_pool *live, int64_t now)
{
	const int64_t grace_ms = ways_ms(live, now);

	if (grace_ms || now >= live->round_ends_ms || all_were_checked(service, live))
		return grace_ms;
	return live->round_ends_ms - now;
}

/* A timer that is set is not put off. Tables take at most half of the loop's time: big ones are
 * built less often while many backends fail one after the other. */
void weigh_within(struct service *service, int64_t delay_ms)
{
	int64_t at_ms = clock_now_ms(service) + delay_ms;

	if (at_ms < service->reweigh_after_ms)
		at_ms = service->reweigh_after_ms;
	if (chore_pending(&service->reweigh_timer) && service->reweigh_at_ms <= at_ms)
		return;
	service->reweigh_at_ms = at_ms;
	chore_set(&service->reweigh_timer, at_ms - clock_now_ms(service));
}

/* For how long groups are still kept that are needed no more. */
static int64_t kept_ms(const struct live_pool *live, int64_t now_ms)
{
	return live->kept_until_ms ? live->kept_until_ms - now_ms : INT64_MAX;
}

/* Until when the pool is to be weighed again; INT64_MAX: no more. */
static int64_t reweigh_due(struct service *service, size_t i, int64_t began)
{
	struct live_pool *live = &service->live_pools[i];
	int64_t wait_ms;

	wait_ms = kept_ms(live, clock_now_ms(service));
	live->reweigh |= wait_ms <= 0;
	if (!live->reweigh)
		return wait_ms;
	wait_ms = gather_ms(service, live, clock_now_ms(service));
	if (live->led) /* by a change */
		return WEIGH_GATHER_MS;
	if (!wait_ms && clock_now_ms(service) - began < TURN_MS) {
		reweigh(service, &service->pools.refs[i], live);
		wait_ms = RETRY_MS;
	}
	return live->reweigh ? wait_ms : kept_ms(live, clock_now_ms(service));
}

static void on_reweigh(void *user)
{
	struct service *service = user;
	const int64_t began = clock_now_ms(service);
	int64_t next_ms = INT64_MAX;

	live_hold(service);
	for (size_t i = 0; i < service->pools.count; i++) {
		int64_t wait_ms = reweigh_due(service, i, began);

		if (wait_ms < next_ms)
			next_ms = wait_ms;
		worker_yield();
	}
	live_let_go(service);
	service->reweigh_after_ms = 2 * clock_now_ms(service) - began;
	if (next_ms != INT64_MAX)
		weigh_within(service, next_ms);
}

void weigh_marked(struct service *service)
{
	for (size_t i = 0; i < service->pools.count; i++)
		if (service->live_pools[i].reweigh) {
			weigh_within(service, WEIGH_GATHER_MS);
			return;
		}
}

/* --- life --- */

int weigh_open(struct service *service, struct lb_err *err)
{
	if (chore_open(&service->reweigh_timer, &service->timers, &service->upkeep, "health",
		       on_reweigh, service))
		return lb_err_no_memory(err);
	return 0;
}

void weigh_close(struct service *service)
{
	chore_close(&service->reweigh_timer);
}
