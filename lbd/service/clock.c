/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to the live service as time passes? Transitions end, the flow table is swept, slots
 * settle, and the numbers of members that are gone become free. While nothing has moved there is
 * nothing to do, and no timer runs. */
#include <string.h>

#include "../../bpf/flow_word.h"
#include "entry.h"

#define TICK_MS 100
#define RELEASE_MS 10
#define SET_UP_S 60         /* for so long a VIP without packets may be one that is being set up */
#define TICKS_A_PASS 32     /* a large table is swept in 3 s */
#define BUCKETS_A_TICK 1024 /* at least: a small one at once */

#define MEMBER_WORDS ((LB_NONE + 1) / 64) /* a bit for each number */

static int64_t now_ns(const struct service *service)
{
	return service->timers.now_ns(service->timers.base, CLOCK_MONOTONIC);
}

int64_t clock_now_ms(const struct service *service)
{
	return now_ns(service) / 1000000;
}

uint32_t clock_now_s(const struct service *service)
{
	return now_ns(service) / 1000000000;
}

uint32_t clock_now_units(const struct service *service)
{
	return now_ns(service) >> LB_FLOW_TIME_SHIFT;
}

/* Calls `each` for all tables of all pools. */
static void each_table(struct service *service,
		       void (*each)(struct service *service, const struct live_pool *live,
				    struct live_table *table))
{
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct live_pool *live = &service->live_pools[i];

		for (size_t n = 0; n < live_tables(live); n++) {
			if (live_table(live, n))
				each(service, live, live_table(live, n));
			worker_yield();
		}
	}
}

static bool any_unsettled(const struct service *service, bool moving_only)
{
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct live_pool *live = &service->live_pools[i];

		for (size_t n = 0; n < live_tables(live); n++) {
			const struct live_table *table = live_table(live, n);

			if (table &&
			    (table->slots.moving || (!moving_only && table->slots.tracked)))
				return true;
		}
	}
	return false;
}

/* VIPs that went to another pool have nothing left in the one before it, or slots that are just what
 * that pool's are. */
static bool is_settled(const struct live_pool *live, const struct live_table *table)
{
	if (live_has_left(table) && table->slots.foreign)
		return false;
	return live_has_left(table) || live_may_join(live, table);
}

static void end_pass_of(struct service *service, const struct live_pool *live,
			struct live_table *table)
{
	slots_sweep_end(&table->slots);
	if (!chore_pending(&service->settle) && is_settled(live, table))
		chore_set(&service->settle, 0);
}

static bool any_on_the_way(const struct service *service)
{
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct live_pool *live = &service->live_pools[i];

		for (int class = 0; class < POOL_CLASSES; class ++)
			if (live->tables[class] && live_has_left(live->tables[class]))
				return true;
		if (live->arrival_count)
			return true;
	}
	return false;
}

/* A pass without a word, during which nothing could be recorded, leaves no reason to go on. */
static void end_pass(struct service *service)
{
	uint16_t number;

	each_table(service, end_pass_of);
	while (sweep_take_free(service->sweep, &number)) {
		members_free_number(service->members, number);
		worker_yield();
	}
	tell_drained(service, false);
	service->flows_possible = service->moved_in_pass || sweep_total(service->sweep) ||
				  sweep_gone(service->sweep) || any_unsettled(service, false) ||
				  any_on_the_way(service) || service->quic_waits;
	service->moved_in_pass = any_unsettled(service, true);
}

static void schedule(struct service *service)
{
	if ((service->flows_possible || service->entries_wrong) && !chore_pending(&service->tick))
		chore_set(&service->tick, TICK_MS);
}

static void mark(uint64_t *members, uint16_t number)
{
	members[number / 64] |= 1ull << number % 64;
}

static bool any_had_packets(const struct service *service, const struct live_pool *live)
{
	size_t i;

	for (i = 0; i < live->backend_count; i++) {
		if (live_had_packets(service, live->backends[i].number))
			return true;
		worker_yield();
	}
	return false;
}

/* Slots that VIPs brought along have flows of theirs. */
static void release(struct live_table *table, const uint64_t *all)
{
	if (table && !table->slots.foreign)
		slots_release(&table->slots, all);
}

/* A pool that came into force here without backends, a moment ago, and that no packet has found
 * since has no flows on any node: what its backends give away, as each but one does when a VIP is
 * set up, needs no transition. That no packet was here says nothing of an older one: this may be a
 * standby. Safe when every packet goes by the new words, some time after the change. */
static void release_set_up(const struct service *service, struct live_pool *live)
{
	uint64_t all[MEMBER_WORDS];
	bool changed = false;

	for (size_t n = 0; n < live_tables(live); n++)
		changed |= live_table(live, n) && slots_take_changed(&live_table(live, n)->slots);
	if (!changed || !live_moving(live) || !live->empty_at_s ||
	    clock_now_s(service) - live->empty_at_s > SET_UP_S)
		return;
	live->led =
		true; /* what a change made MOVING after the look at the packets would end, too */
	memset(all, 0xff, sizeof(all));
	if (!any_had_packets(service, live))
		for (int class = 0; class < POOL_CLASSES; class ++)
			release(live->tables[class], all);
	live->led = false;
}

static bool is_unable(const struct live_pool *live, const struct health_standing *standing)
{
	return standing->arriving || (standing->is == STANDING_ILL && !live->use.all);
}

static bool is_owned(const struct slots *slots)
{
	for (uint32_t slot = 0; slot < slots->size; slot++)
		if (lb_slot_current(slots->words[slot]) != LB_NONE)
			return true;
	return false;
}

/* The table may be that of VIPs which have left the pool of these members. */
static void hasten(struct slots *slots, const uint64_t *unable, const uint64_t *leaving,
		   uint32_t until)
{
	if (((const struct live_table *)slots)->class != POOL_DATAGRAMS || !slots->moving)
		return;
	if (is_owned(slots))
		slots_release(slots, unable);
	slots_hasten(slots, leaving, until);
}

/* A datagram does not say whether it begins a flow, so a transition sends new flows, too, to the
 * owner before. One that is unhealthy, or cannot be reached yet, gets none; one that takes no new
 * flows gets them only until its live flows had their time to be recorded. While nobody takes new
 * flows, or all are used although none is healthy, the unhealthy keep their old ones likewise. */
void clock_hasten_datagrams(const struct service *service, const struct lb_pool *pool,
			    const struct live_pool *live)
{
	const uint32_t until = clock_now_s(service) + pools_learn_s(pool, POOL_DATAGRAMS) + 1;
	uint64_t leaving[MEMBER_WORDS] = {0}, unable[MEMBER_WORDS] = {0};
	size_t i;

	if (!live_moving(live))
		return;
	for (i = 0; i < live->backend_count; i++) {
		if (live->backends[i].weight)
			continue;
		mark(leaving, live->backends[i].number);
		if (is_unable(live, &live->standings[i]))
			mark(unable, live->backends[i].number);
	}
	for (i = 0; i < live->swept->count; i++)
		hasten(live->swept->at[i], unable, leaving, until);
}

/* Some time after the last change: no packet is on its way by the words of before. */
static void on_release(void *user)
{
	struct service *service = user;
	size_t i;

	live_hold(service);
	for (i = 0; i < service->pools.count; i++) {
		if (service->live_pools[i].led) /* by a change, which is not done */
			chore_set(&service->release, RELEASE_MS);
		else
			release_set_up(service, &service->live_pools[i]);
		worker_yield();
	}
	live_let_go(service);
}

static void repair(struct service *service)
{
	if (service->changing)
		return;
	service->repairing = true;
	entry_repair(service, NULL);
	service->repairing = false;
}

static void expire(struct service *service, const struct live_pool *live, struct live_table *table)
{
	(void)live;
	slots_expire(&table->slots, clock_now_s(service));
}

/* A change that leads the pool does it itself. */
static void follow_due(struct service *service)
{
	for (size_t i = 0; i < service->pools.count; i++) {
		struct live_pool *live = &service->live_pools[i];

		if (live->led)
			continue;
		live->led = true;
		live_follow_due(service->pools.refs[i].pool, live, clock_now_s(service));
		live->led = false;
	}
}

static void tick(void *user)
{
	struct service *service = user;
	uint32_t slice = service->plane.bucket_count / TICKS_A_PASS;

	live_hold(service);
	repair(service);
	each_table(service, expire);
	follow_due(service);
	if (slice < BUCKETS_A_TICK)
		slice = BUCKETS_A_TICK;
	if (sweep_step(service->sweep, slice, clock_now_units(service)))
		end_pass(service);
	live_let_go(service);
	schedule(service);
}

void clock_start(struct service *service)
{
	service->flows_possible = service->moved_in_pass = true;
	chore_set(&service->release, RELEASE_MS);
	schedule(service);
}

int clock_open(struct service *service, struct lb_err *err)
{
	const struct timers *timers = &service->timers;
	int error;

	service->sweep = sweep_new(service->plane.flows, service->plane.bucket_count,
				   members_capacity(service->config));
	error = chore_open(&service->tick, timers, &service->upkeep, "sweep", tick, service);
	if (!error)
		error = chore_open(&service->release, timers, &service->upkeep, "release",
				   on_release, service);
	if (service->sweep && !error)
		return 0;
	return lb_err_no_memory(err);
}

void clock_close(struct service *service)
{
	chore_close(&service->tick);
	chore_close(&service->release);
	sweep_free(service->sweep);
}
