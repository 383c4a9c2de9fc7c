/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the health of a pool's backends mean for its flows? */
#include "standing.h"

#include "../../bpf/abi.h"
#include "spill.h"

static bool is_checked(const struct lb_pool *pool)
{
	return pool->health.kind != LB_HEALTH_NONE;
}

struct health_standing standing_of_new(const struct lb_pool *pool, bool anything_known)
{
	struct health_standing standing = {.is = STANDING_FIT, .arriving = true};

	if (!is_checked(pool))
		standing.known = true;
	else if (anything_known || pool->when_all_unhealthy == LB_ALL_UNHEALTHY_DROP)
		standing.is = STANDING_WAITING;
	return standing;
}

struct health_standing standing_of_left(uint32_t flags)
{
	struct health_standing standing = {.known = true};

	if (flags & LB_MEMBER_NEW)
		standing.is = STANDING_FIT;
	else
		standing.is = flags & LB_MEMBER_OLD ? STANDING_WAITING : STANDING_ILL;
	return standing;
}

void standing_take_result(struct health_standing *standing, enum health_status status)
{
	standing->is = status == HEALTH_HEALTHY ? STANDING_FIT : STANDING_ILL;
	standing->known = true;
}

static bool none_fit(const struct lb_pool *pool, const struct health_standing *standings)
{
	for (size_t i = 0; i < pool->backend_count; i++)
		if (standings[i].is == STANDING_FIT && lb_backend_share(&pool->backends[i]))
			return false;
	return true;
}

/* Those whose next hop is not known yet have no weight, unless nobody else has one. */
static void leave_out_arriving(const struct health_standing *standings, uint32_t *weights,
			       size_t count)
{
	bool others = false;
	size_t i;

	for (i = 0; i < count; i++)
		others |= weights[i] && !standings[i].arriving;
	for (i = 0; others && i < count; i++)
		if (standings[i].arriving)
			weights[i] = 0;
}

/* Those that are in reserve have no weight. The last group that is used. */
static uint32_t leave_out_reserve(const struct lb_pool *pool, uint32_t kept, uint32_t *weights)
{
	struct spill spill = {0};
	uint32_t last;
	size_t i;

	for (i = 0; i < pool->backend_count; i++)
		spill_add(&spill, &pool->backends[i], weights[i]);
	last = spill_last(&spill, pool->spill_percent);
	if (last < kept)
		last = kept;
	for (i = 0; i < pool->backend_count; i++)
		if (pool->backends[i].priority > last)
			weights[i] = 0;
	return last;
}

struct standing_use standing_weigh(const struct lb_pool *pool,
				   const struct health_standing *standings, uint32_t kept,
				   uint32_t *weights)
{
	const bool none = is_checked(pool) && none_fit(pool, standings);
	struct standing_use use = {.all = none &&
					  pool->when_all_unhealthy == LB_ALL_UNHEALTHY_USE_ALL};

	for (size_t i = 0; i < pool->backend_count; i++) {
		const bool used = use.all || standings[i].is == STANDING_FIT || !is_checked(pool);

		weights[i] = used ? lb_backend_share(&pool->backends[i]) : 0;
	}
	leave_out_arriving(standings, weights, pool->backend_count);
	use.last = leave_out_reserve(pool, kept, weights);
	return use;
}

uint32_t standing_share(const struct lb_backend *backend, struct standing_use use)
{
	return backend->priority > use.last ? 0 : lb_backend_share(backend);
}

bool standing_waits(struct health_standing standing, uint32_t share, uint32_t weight)
{
	return share && !weight && (standing.arriving || standing.is == STANDING_WAITING);
}

bool standing_keeps_old(const struct lb_pool *pool, struct health_standing standing,
			struct standing_use use)
{
	return use.all || !is_checked(pool) || pool->on_unhealthy == LB_ON_UNHEALTHY_KEEP ||
	       standing.is != STANDING_ILL;
}

bool standing_is_held(const struct health_standing *standing, uint32_t share, uint32_t weight)
{
	if (standing->held && (!weight || standing->arriving))
		return true;
	return standing_waits(*standing, share, weight);
}
