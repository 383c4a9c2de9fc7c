/* SPDX-License-Identifier: BSD-2-Clause */
/* When does a backend that was added begin to serve?
 *
 * Its share waits until its next hop is resolved and, where there is a check, for its first good
 * result (standing.h). A change is assessed with the share of all that it adds, so that its figures
 * and max_moved say what it comes to in the end. Then, once the ways to new backends are followed,
 * the tables of those VIPs that must wait are made without them; each backend gets its share later,
 * by a transition like any other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../host/events.h"
#include "live.h"

#define SOON_MS 5     /* ways that become known together are acted upon together */
#define GRACE_MS 1000 /* for the other ways to a VIP that uses all its backends, after the first */

/* --- a change --- */

/* Whether the backend stays, as what it is. Both lists are sorted; *from moves on. */
static bool stays(const struct live_pool *before, size_t *from, const struct table_member *backend)
{
	const struct table_member *kept = live_find(before, from, &backend->address);

	return kept && kept->number == backend->number;
}

/* Of those that stay and have a share: whether one can be reached, and whether one is fit, too. */
struct others {
	bool reached, fit;
};

static struct others others_of(const struct lb_pool *pool, const struct live_pool *before,
			       const struct live_pool *next)
{
	struct others others = {0};
	size_t i, from = 0;

	for (i = 0; i < next->backend_count; i++) {
		if (!stays(before, &from, &next->backends[i]) || next->standings[i].arriving ||
		    !lb_backend_share(&pool->backends[i]))
			continue;
		others.reached = true;
		others.fit |= next->standings[i].is == STANDING_FIT;
	}
	return others;
}

void arrive_presume(const struct lb_pool *pool, const struct live_pool *before,
		    const struct live_pool *next, struct health_standing *presumed)
{
	const struct others others = others_of(pool, before, next);
	size_t i, from = 0;

	for (i = 0; i < next->backend_count; i++) {
		presumed[i] = next->standings[i];
		if (stays(before, &from, &next->backends[i]))
			continue;
		presumed[i].arriving = !others.reached;
		if (others.fit)
			presumed[i].is = STANDING_FIT;
	}
}

/* Which backends are arriving is known once the ways to new ones are followed. True: what was
 * presumed of new ones may be wrong. */
static bool look_at_new(const struct service *service, const struct live_pool *before,
			struct live_pool *next)
{
	bool added = false, wait = false;
	size_t i, from = 0;

	next->arriving = 0;
	for (i = 0; i < next->backend_count; i++) {
		struct health_standing *standing = &next->standings[i];

		if (!stays(before, &from, &next->backends[i])) {
			standing->arriving =
				!members_reachable(service->members, next->backends[i].number);
			added = true;
			wait |= standing->is == STANDING_WAITING;
		}
		next->arriving += standing->arriving;
	}
	return added && (wait || next->arriving);
}

/* A pool that comes into force, or gets its first backends, may have flows of another node, or of the
 * data plane before. So its table begins whole, with those that are likely to be reached in a moment:
 * no slot moves then. */
static void begin_whole(const struct service *service, struct live_pool *next)
{
	if (!next->arriving || next->arriving == next->backend_count)
		return;
	next->ways_by_ms = clock_now_ms(service) + GRACE_MS;
	next->reweigh = true;
}

int arrive_hold(struct service *service, const struct lb_pool *pool, const struct live_pool *before,
		struct live_pool *next)
{
	const bool presumed_wrong = look_at_new(service, before, next);
	int error = 0;

	if (!before || !before->backend_count)
		begin_whole(service, next);
	else if (presumed_wrong)
		error = weigh_again(pool, next, WEIGH_AT_ONCE);
	for (size_t i = 0; !error && i < next->backend_count; i++)
		next->standings[i].held |= standing_is_held(
			&next->standings[i], standing_share(&pool->backends[i], next->use),
			next->backends[i].weight);
	return error;
}

/* --- ways that become known --- */

static void look_within(struct service *service, int64_t delay_ms)
{
	if (!chore_pending(&service->ways_timer))
		chore_set(&service->ways_timer, delay_ms);
}

static void on_reached(void *user)
{
	look_within(user, SOON_MS);
}

void arrive_follow(struct service *service, const struct live_pool *live)
{
	if (live->arriving)
		look_within(service, 0);
}

/* True: the way to one of the VIP's new backends is known now. */
static bool find_reached(const struct service *service, struct live_pool *live)
{
	const uint32_t before = live->arriving;

	for (size_t i = 0; live->arriving && i < live->backend_count; i++) {
		struct health_standing *standing = &live->standings[i];

		if (!standing->arriving ||
		    !members_reachable(service->members, live->backends[i].number))
			continue;
		standing->arriving = false;
		live->arriving--;
	}
	return live->arriving != before;
}

/* Backends whose way is not known are used, as there was no other. */
static bool uses_arriving(const struct live_pool *live)
{
	for (size_t i = 0; i < live->backend_count; i++)
		if (live->standings[i].arriving && live->backends[i].weight)
			return true;
	return false;
}

static void look_at_ways(struct service *service, struct live_pool *live)
{
	if (!live->arriving || !find_reached(service, live))
		return;
	if (clock_now_ms(service) >= live->ways_by_ms && uses_arriving(live))
		live->ways_by_ms = clock_now_ms(service) + GRACE_MS;
	live->reweigh = true;
	weigh_within(service, 0);
}

static void on_ways(void *user)
{
	struct service *service = user;

	live_hold(service);
	for (size_t i = 0; i < service->pools.count; i++) {
		look_at_ways(service, &service->live_pools[i]);
		worker_yield();
	}
	live_let_go(service);
}

/* --- saying --- */

/* Why the next hop of a backend is not resolved, as `before` and `after` around it; "" when that is
 * not known, or it has just been resolved. */
#define BECAUSE_TEXT (MEMBERS_PROBLEM_TEXT + 8)
static const char *because(const struct service *service, const struct table_member *backend,
			   const char *before, const char *after, char out[BECAUSE_TEXT])
{
	char problem[MEMBERS_PROBLEM_TEXT];

	out[0] = '\0';
	if (!service)
		return out;
	members_problem(service->members, backend->number, problem);
	if (problem[0])
		snprintf(out, BECAUSE_TEXT, "%s%s%s", before, problem, after);
	return out;
}

/* What it lacks, as "its next hop is resolved (why not) and its first health check succeeds"; NULL:
 * nothing. */
static json_t *lacks(const struct health_standing *standing, bool checked, const char *reason)
{
	const bool unseen = standing->is == STANDING_WAITING || (checked && !standing->known);

	if (!standing->arriving && !unseen)
		return NULL;
	return json_sprintf("%s%s%s%s", standing->arriving ? "its next hop is resolved" : "",
			    reason, standing->arriving && unseen ? " and " : "",
			    unseen ? "its first health check succeeds" : "");
}

static bool is_checked(const struct lb_pool *pool)
{
	return pool->health.kind != LB_HEALTH_NONE;
}

json_t *arrive_until(const struct service *service, const struct lb_pool *pool,
		     const struct live_pool *live, size_t i)
{
	const struct table_member *backend = &live->backends[i];
	const struct health_standing *standing = &live->standings[i];
	char reason[BECAUSE_TEXT] = "";

	if (!standing_waits(*standing, standing_share(&pool->backends[i], live->use),
			    backend->weight))
		return NULL;
	if (standing->arriving)
		because(service, backend, " (", ")", reason);
	return lacks(standing, is_checked(pool), reason);
}

static void add_waiting(json_t **waiting, const struct table_member *backend, json_t *until)
{
	char address[LB_ADDR_TEXT];

	if (!until)
		return;
	if (!*waiting)
		*waiting = json_array();
	json_array_append_new(*waiting, json_pack("{s:s,s:o}", "backend",
						  lb_addr_format(&backend->address, address),
						  "until", until));
}

json_t *arrive_waiting(const struct service *service, const struct lb_pool *pool,
		       const struct live_pool *live)
{
	json_t *waiting = NULL;

	for (size_t i = 0; i < live->backend_count; i++)
		add_waiting(&waiting, &live->backends[i], arrive_until(service, pool, live, i));
	return waiting;
}

int arrive_foretell(const struct lb_pool *pool, const struct live_pool *before,
		    struct live_pool *next)
{
	uint32_t *weights;

	if (!before || !before->backend_count) /* see begin_whole */
		return 0;
	weights = calloc(next->backend_count + 1, sizeof(*weights));
	if (!weights)
		return -ENOMEM;
	next->use = standing_weigh(pool, next->standings, 0, weights);
	for (size_t i = 0; i < next->backend_count; i++)
		next->backends[i].weight = weights[i];
	free(weights);
	return 0;
}

json_t *arrive_serving(const struct lb_pool *pool, const struct live_pool *before,
		       const struct live_pool *next)
{
	size_t i, from = 0, first = 0;
	json_int_t count = 0;
	char address[LB_ADDR_TEXT];
	json_t *until = NULL;

	for (i = 0; i < next->backend_count; i++) {
		json_t *lacking;

		if (stays(before, &from, &next->backends[i]) || !next->backends[i].weight)
			continue;
		lacking = lacks(&next->standings[i], is_checked(pool), "");
		if (lacking && !count++) {
			first = i;
			until = json_incref(lacking);
		}
		json_decref(lacking);
	}
	return count ? json_pack("{s:I,s:s,s:o}", "backends", count, "first",
				 lb_addr_format(&next->backends[first].address, address), "before",
				 until)
		     : NULL;
}

/* Those that are arriving and take new flows (`serve`), for want of others, or wait for their share. */
static void warn_of_vip(const struct service *service, const struct lb_pool *pool,
			const struct live_pool *live, bool serve, json_t *warnings)
{
	char reason[BECAUSE_TEXT], address[LB_ADDR_TEXT];
	size_t first = 0, count = 0;

	for (size_t i = 0; i < live->backend_count; i++) {
		const struct health_standing *standing = &live->standings[i];
		const bool serves = live->backends[i].weight;

		if (standing->arriving && serves == serve && (serves || standing->held) && !count++)
			first = i;
	}
	if (!count)
		return;
	json_array_append_new(
		warnings, json_sprintf("%zu of %zu backends of %s %s %s resolved, %s first%s",
				       count, live->backend_count, lb_pool_word(pool), pool->name,
				       serve ? "take new flows although their next hop is not"
					     : "get no new flows until their next hop is",
				       lb_addr_format(&live->backends[first].address, address),
				       because(service, &live->backends[first], ": ", "", reason)));
}

void arrive_warnings(const struct service *service, json_t *warnings)
{
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct lb_pool *pool = service->pools.refs[i].pool;
		const struct live_pool *live = &service->live_pools[i];

		if (live->arriving) {
			warn_of_vip(service, pool, live, true, warnings);
			warn_of_vip(service, pool, live, false, warnings);
		}
		worker_yield();
	}
}

/* --- life --- */

int arrive_open(struct service *service, struct lb_err *err)
{
	if (chore_open(&service->ways_timer, &service->timers, &service->upkeep, "next hops",
		       on_ways, service))
		return lb_err_no_memory(err);
	members_on_reached(service->members, on_reached, service);
	return 0;
}

void arrive_close(struct service *service)
{
	chore_close(&service->ways_timer);
}
