/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backends are checked, and where do they stand by that?
 *
 * Each backend of a VIP with a check has a watch of the engine (health.h), by its member number, so
 * that it lives through changes of the document. What a result means is decided in standing.c, and
 * weigh.c brings the VIP's table up to date.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../bpf/tunnel.h"
#include "../api/clock.h"
#include "../host/events.h"
#include "live.h"

#define ROUND_SLACK_MS 1000 /* at most, beyond the timeout: commands that wait for their turn */
#define STARTS_A_MS 2       /* first checks that the engine begins */
#define RETRY_MS 1000
#define HOLD_MS 1000 /* of a tunnel check whose next hop is not known yet */
#define HOLD_LOOK_MS 20

static bool has_check(const struct lb_pool *pool)
{
	return pool->health.kind != LB_HEALTH_NONE;
}

/* What of a VIP a check of its pool depends on: its port, and in these cases its address. */
bool checks_same(const struct pool_ref *a, const struct pool_ref *b)
{
	const struct lb_health *health = &a->pool->health;

	if (!schema_equal(&lb_health_schema, health, &b->pool->health))
		return false;
	if (health->kind == LB_HEALTH_EXEC || health->source == LB_HEALTH_TUNNEL)
		return !lb_endpoint_compare(&a->vip->endpoint, &b->vip->endpoint);
	return lb_health_port(health, &a->vip->endpoint) ==
	       lb_health_port(health, &b->vip->endpoint);
}

/* A check goes to the port of a VIP, or to its address: without any there is none. */
static bool is_checked(const struct pool_ref *ref)
{
	return has_check(ref->pool) && ref->vip;
}

/* --- standings and weights of a change --- */

/* Where the backend stood, or NULL when it was not there. Both lists are sorted; *from moves on. */
static const struct health_standing *standing_before(const struct live_pool *before, size_t *from,
						     const struct table_member *backend)
{
	while (before && *from < before->backend_count &&
	       lb_addr_compare(&before->backends[*from].address, &backend->address) < 0)
		++*from;
	if (!before || *from == before->backend_count ||
	    before->backends[*from].number != backend->number)
		return NULL;
	return &before->standings[*from];
}

static void take_standings(const struct lb_pool *pool, const struct live_pool *before,
			   struct live_pool *next)
{
	const struct health_standing *kept;
	bool known = false;
	size_t i, from = 0;

	for (i = 0; i < next->backend_count; i++) {
		kept = standing_before(before, &from, &next->backends[i]);
		known |= kept && kept->known;
	}
	for (i = 0, from = 0; i < next->backend_count; i++) {
		kept = standing_before(before, &from, &next->backends[i]);
		next->standings[i] = kept && has_check(pool) ? *kept : standing_of_new(pool, known);
		if (kept) {
			next->standings[i].arriving = kept->arriving;
			next->standings[i].held = kept->held;
		}
	}
}

int checks_weigh(const struct lb_pool *pool, const struct live_pool *before, struct live_pool *next)
{
	uint32_t *weights = calloc(next->backend_count + 1, sizeof(*weights));
	struct health_standing *presumed = calloc(next->backend_count + 1, sizeof(*presumed));

	next->standings = calloc(next->backend_count + 1, sizeof(*next->standings));
	if (!weights || !presumed || !next->standings) {
		free(weights);
		free(presumed);
		return -ENOMEM;
	}
	take_standings(pool, before, next);
	arrive_presume(pool, before, next, presumed);
	next->use = standing_weigh(pool, presumed, 0, weights);
	for (size_t i = 0; i < next->backend_count; i++)
		next->backends[i].weight = weights[i];
	free(weights);
	free(presumed);
	return 0;
}

bool checks_merge(const struct lb_pool *pool, const struct live_pool *before,
		  struct live_pool *next)
{
	bool merged = false;
	size_t i, from = 0;

	for (i = 0; i < next->backend_count; i++) {
		const struct health_standing *kept =
			standing_before(before, &from, &next->backends[i]);
		struct health_standing *standing = &next->standings[i], now = *standing;

		if (!kept)
			continue;
		if (has_check(pool))
			now = *kept;
		now.arriving = kept->arriving;
		now.held = standing->held && kept->held;
		merged |= now.is != standing->is || now.known != standing->known ||
			  now.arriving != standing->arriving;
		next->arriving += now.arriving - standing->arriving;
		*standing = now;
	}
	return merged;
}

/* --- watches --- */

void checks_drop(struct service *service, uint16_t number)
{
	health_remove(service->checks[number].watch);
	service->checks[number] = (struct health_check){.place = service->checks[number].place};
	agree_viewed(service);
}

/* A tunnel check goes where traffic goes, so it would fail until the next hop of a backend that has
 * just been added is known, and a first result decides alone. */
static bool is_held(struct service *service, const struct lb_pool *pool, uint16_t number)
{
	struct health_check *check = &service->checks[number];

	if (pool->health.source != LB_HEALTH_TUNNEL || members_reachable(service->members, number))
		return false;
	if (!check->begin_by_ms)
		check->begin_by_ms = clock_now_ms(service) + HOLD_MS;
	return clock_now_ms(service) < check->begin_by_ms;
}

static int tunnel_ready(const struct service *service, const struct pool_ref *ref, uint16_t number)
{
	const struct lb_endpoint vip = lb_endpoint_checked(&ref->vip->endpoint);

	if (ref->pool->health.source != LB_HEALTH_TUNNEL)
		return 0;
	return tunnels_check(service->tunnels, number, &vip.address);
}

/* What fails here is tried again: the change is made already. */
static void watch_later(struct service *service, struct live_pool *live, int64_t delay_ms)
{
	live->unwatched = true;
	chore_set(&service->retry_timer, delay_ms);
}

static void add_watch(struct service *service, const struct pool_ref *ref, struct live_pool *live,
		      const struct table_member *backend)
{
	struct health_check *check = &service->checks[backend->number];
	const struct health_target target = {
		.vip = lb_endpoint_checked(&ref->vip->endpoint),
		.backend = backend->address,
		.check = &ref->pool->health,
		.mark = LB_TUNNEL_MARK | backend->number,
	};

	if (is_held(service, ref->pool, backend->number)) {
		watch_later(service, live, HOLD_LOOK_MS);
		return;
	}
	check->service = service;
	if (!tunnel_ready(service, ref, backend->number))
		check->watch = health_add(service->health, &target, check);
	if (!check->watch)
		watch_later(service, live, RETRY_MS);
}

/* How many of the backends have been checked before and still are. */
static size_t watch_all(struct service *service, const struct pool_ref *ref, struct live_pool *live,
			bool anew)
{
	const bool checked = is_checked(ref);
	size_t i, kept = 0;

	live->unwatched = false;
	for (i = 0; i < live->backend_count; i++) {
		const struct table_member *backend = &live->backends[i];

		service->checks[backend->number].place = i;
		if (anew || !checked)
			checks_drop(service, backend->number);
		if (service->checks[backend->number].watch)
			kept++;
		else if (checked)
			add_watch(service, ref, live, backend);
		worker_yield();
	}
	return kept;
}

void checks_follow(struct service *service, const struct pool_ref *ref, struct live_pool *live,
		   bool anew)
{
	const struct lb_pool *pool = ref->pool;
	const size_t kept = watch_all(service, ref, live, anew);

	if (is_checked(ref) && !kept) /* those that are held have their time, too */
		live->round_ends_ms = clock_now_ms(service) + pool->health.timeout_ms +
				      ROUND_SLACK_MS +
				      (pool->health.source == LB_HEALTH_TUNNEL ? HOLD_MS : 0) +
				      (int64_t)live->backend_count / STARTS_A_MS;
	arrive_follow(service, live);
	tell_unhealthy(service, pool, live);
}

/* The VIPs' first rounds end when they would have: checks that cannot be made put nothing off. */
static void on_retry(void *user)
{
	struct service *service = user;

	live_hold(service);
	for (size_t i = 0; i < service->pools.count; i++)
		if (service->live_pools[i].unwatched)
			watch_all(service, &service->pools.refs[i], &service->live_pools[i], false);
	live_let_go(service);
}

/* --- results --- */

/* The pool with a check, and the backend in it, that a member is; false: none that is in force. */
static bool find_member(const struct service *service, uint16_t number, size_t *pool,
			size_t *backend)
{
	const uint32_t wanted = members_pool(service->members, number);
	const struct live_pool *live;

	if (wanted >= place_pool_numbers(service->config))
		return false;
	*pool = service->pool_at[wanted];
	if (*pool >= service->pools.count || !has_check(service->pools.refs[*pool].pool))
		return false;
	live = &service->live_pools[*pool];
	if (live->number != wanted)
		return false;
	/* Most often it is where it was when its check began. */
	*backend = service->checks[number].place;
	if (*backend < live->backend_count && live->backends[*backend].number == number)
		return true;
	for (*backend = 0; *backend < live->backend_count; ++*backend)
		if (live->backends[*backend].number == number)
			return true;
	return false;
}

/* The failure is this node's, so it is told where this node has seen one. */
static void tell(const struct service *service, const struct lb_pool *pool,
		 const struct lb_addr *backend, const struct health_check *check)
{
	struct health_view view = {0};

	if (check->counts == HEALTH_UNHEALTHY && agree_own(check) == HEALTH_UNHEALTHY)
		health_get(check->watch, &view);
	events_health(service->events, lb_pool_field(pool), pool->name, backend,
		      health_status_name(check->counts), check->counts_wall_ms, view.error,
		      agree_backend(service, check));
}

const uint32_t check_times_us[CHECK_TIME_COUNT] = {
	1000,   2500,   5000,    10000,   25000,   50000,    100000,
	250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

static void count_time(struct check_counts *counts, int64_t duration_us)
{
	size_t i = 0;

	while (i < CHECK_TIME_COUNT && duration_us > check_times_us[i])
		i++;
	counts->took[i]++;
	counts->took_us += (uint64_t)duration_us;
}

static struct check_counts *counts_of(struct service *service, const struct health_check *check)
{
	const uint32_t pool = members_pool(service->members, (uint16_t)(check - service->checks));

	return pool < place_pool_numbers(service->config) ? &service->check_counts[pool] : NULL;
}

/* Whether it could be made says whether this node has a view. */
static void follow_made(struct service *service, const struct health_check *check,
			enum health_outcome outcome)
{
	if (check->watch && health_not_made(check->watch) != (outcome == HEALTH_NOT_MADE))
		agree_viewed(service);
}

static void on_ended(void *user, void *owner, enum health_outcome outcome, int64_t duration_us)
{
	struct check_counts *counts = counts_of(user, owner);

	follow_made(user, owner, outcome);
	if (!counts)
		return;
	counts->successes += outcome == HEALTH_SUCCESS;
	counts->failures += outcome == HEALTH_FAILURE;
	counts->not_made += outcome == HEALTH_NOT_MADE;
	if (outcome != HEALTH_NOT_MADE)
		count_time(counts, duration_us);
}

static void count_change(struct check_counts *counts, enum health_status status)
{
	if (!counts)
		return;
	counts->healthy += status == HEALTH_HEALTHY;
	counts->unhealthy += status == HEALTH_UNHEALTHY;
}

static int64_t since_wall_ms(const struct service *service, const struct health_check *check)
{
	struct health_view view;

	if (!check->watch || health_status(check->watch) != check->counts ||
	    service_health_nodes(service))
		return lb_clock_ns(CLOCK_REALTIME) / 1000000;
	health_get(check->watch, &view);
	return view.since.wall_ms;
}

void checks_take(struct service *service, size_t pool, size_t backend)
{
	struct live_pool *live = &service->live_pools[pool];
	struct health_check *check = &service->checks[live->backends[backend].number];
	const enum health_status state = agree_state(service, check);

	if (state == check->counts)
		return;
	check->counts = state;
	check->counts_wall_ms = since_wall_ms(service, check);
	if (state == HEALTH_UNKNOWN)
		return;
	service->agreement.changes += agree_own(check) != state;
	count_change(counts_of(service, check), state);
	standing_take_result(&live->standings[backend], state);
	live->reweigh = true;
	weigh_within(service, WEIGH_GATHER_MS);
	tell(service, service->pools.refs[pool].pool, &live->backends[backend].address, check);
}

static void on_changed(void *user, void *owner, const struct health_view *view)
{
	struct service *service = user;
	const struct health_check *check = owner;
	size_t pool, backend;

	(void)view;
	agree_viewed(service);
	if (find_member(service, (uint16_t)(check - service->checks), &pool, &backend))
		checks_take(service, pool, backend);
}

/* --- the tunnel --- */

static bool wants_tunnel(const struct lb_service *document)
{
	for (size_t i = 0; i < document->vip_count; i++)
		if (document->vips[i].syn_guard ||
		    (has_check(document->vips[i].pool) &&
		     document->vips[i].pool->health.source == LB_HEALTH_TUNNEL))
			return true;
	return false;
}

static bool probe_wants_tunnel(const struct service *service)
{
	const struct probing *probing;

	LIST_FOREACH (probing, &service->probings, entry)
		if (probing->tunnel)
			return true;
	return false;
}

/* 0 or -EINVAL. `now`: the pool as it is, or NULL. */
static int allows(const struct service *service, const struct lb_pool *now,
		  const struct lb_pool *next, struct lb_err *err)
{
	const struct lb_health *health = &next->health;
	char path[PATH_MAX];

	if (health->kind != LB_HEALTH_EXEC ||
	    (now && schema_equal(&lb_health_schema, &now->health, health)))
		return 0;
	return exec_rights_find(&service->exec_rights, health->command[0], path, err);
}

/* Only what is new in `next` is judged, so that a check that has become impossible does not stand
 * in the way of other changes. */
int checks_allowed(const struct service *service, const struct lb_service *next, struct lb_err *err)
{
	for (size_t i = 0; i < next->pool_count; i++) {
		const struct lb_pool *pool = &next->pools[i];

		if (!allows(service, lb_service_find_pool(service->document, pool->name), pool,
			    err))
			continue;
		lb_err_prefix(err, "pools[%zu].health.command[0]", i);
		return -EINVAL;
	}
	for (size_t i = 0; i < next->vip_count; i++) {
		const struct lb_vip *vip = &next->vips[i], *now;

		if (vip->pool->named)
			continue;
		now = lb_service_find_endpoint(service->document, &vip->endpoint);
		if (!allows(service, now ? now->pool : NULL, vip->pool, err))
			continue;
		lb_err_prefix(err, "vips[%zu].health.command[0]", i);
		return -EINVAL;
	}
	return 0;
}

int checks_prepare(struct service *service, const struct lb_service *next, struct lb_err *err)
{
	return wants_tunnel(next) ? tunnels_start(service->tunnels, err) : 0;
}

void checks_settle(struct service *service)
{
	if (!wants_tunnel(service->document) && !probe_wants_tunnel(service))
		tunnels_stop(service->tunnels);
}

void service_refused(struct service *service, const struct lb_addr *backend,
		     enum pmtu_refusal refusal)
{
	struct probing *probing;

	health_refused(service->health, backend, refusal);
	LIST_FOREACH (probing, &service->probings, entry)
		if (lb_addr_equal(&probing->backend, backend))
			probing->refusal = refusal;
}

static uint32_t tunnel_mtu(void *user, void *owner)
{
	const struct service *service = user;
	const struct health_check *check = owner;

	return members_inner_mtu(service->members, (uint16_t)(check - service->checks));
}

static void on_arrived(void *user, void *owner, uint32_t bytes, bool tunnel, uint32_t for_ms)
{
	const struct service *service = user;
	const struct health_check *check = owner;

	members_arrived(service->members, (uint16_t)(check - service->checks), bytes, tunnel,
			for_ms);
}

/* --- life --- */

int checks_open(struct service *service, const struct service_options *from, struct lb_err *err)
{
	const struct health_options options = {
		.changed = on_changed,
		.ended = on_ended,
		.tunnel_mtu = tunnel_mtu,
		.arrived = on_arrived,
		.user = service,
		.turns = from->turns,
		.exec_rights = &service->exec_rights,
	};
	const struct timers *timers = &service->timers;
	int error;

	service->exec_rights = service->config->exec;
	if (exec_rights_resolve(&service->exec_rights, err))
		return -EINVAL;
	service->health = health_new(from->base, &options);
	service->checks = calloc(members_capacity(service->config), sizeof(*service->checks));
	service->check_counts =
		calloc(place_pool_numbers(service->config), sizeof(*service->check_counts));
	error = chore_open(&service->retry_timer, timers, &service->upkeep, "checks", on_retry,
			   service);
	service->tunnels = tunnels_new(from->base, from->links, service->plane.datapath,
				       service->config->seed);
	if (!error && service->health && service->checks && service->check_counts &&
	    service->tunnels)
		return 0;
	return lb_err_no_memory(err);
}

void checks_close(struct service *service)
{
	health_free(service->health);
	chore_close(&service->retry_timer);
	tunnels_free(service->tunnels);
	free(service->checks);
	free(service->check_counts);
}
