/* SPDX-License-Identifier: BSD-2-Clause */
/* How do packets come to follow what a pool has become? */
#include "live.h"

static uint32_t longest(const struct pool_ref *ref,
			uint32_t (*of_class)(const struct lb_pool *, enum pool_class))
{
	uint32_t most = 0;

	for (int class = 0; class < POOL_CLASSES; class ++)
		if (pools_has(ref, class) && of_class(ref->pool, class) > most)
			most = of_class(ref->pool, class);
	return most;
}

/* Flags and sweep of members follow the document, and their health. A word does not say which class
 * of VIP it is of, so it lives as long as any may. */
void lead_members(struct service *service, const struct pool_ref *ref, const struct live_pool *live)
{
	const struct lb_pool *pool = ref->pool;
	const uint32_t transition_s = longest(ref, pools_transition_s);
	const uint32_t flow_idle_s = longest(ref, pools_flow_idle_s);
	size_t i;

	for (i = 0; i < live->backend_count; i++) {
		const struct table_member *backend = &live->backends[i];

		members_set_takes(service->members, backend->number, backend->weight > 0,
				  standing_keeps_old(pool, live->standings[i], live->use));
		members_set_encap(service->members, backend->number, pool->encap == LB_ENCAP_GUE,
				  ref->family);
		members_set_chance(service->members, backend->number,
				   pool->backends[i].second_chance,
				   live->standings[i].is == STANDING_ILL);
		losses_ask(service->losses, backend->number,
			   pool->backends[i].second_chance ? &backend->address : NULL);
		members_set_quic_id(service->members, backend->number,
				    &pool->backends[i].quic_server_id);
		sweep_member_set(service->sweep, backend->number, live->swept, transition_s,
				 flow_idle_s);
	}
}

static uint32_t remember_s(const struct lb_pool *pool, enum pool_class class)
{
	for (size_t i = 0; class == POOL_STREAMS && i < pool->backend_count; i++)
		if (pool->backends[i].second_chance)
			return pool->remember_s;
	return 0;
}

/* Slots that were TRACKED without a flow on record may have to wait for their past. */
static void settle_or_wait(struct service *service, const struct live_pool *live)
{
	bool waits = false;

	for (size_t n = 0; n < live_tables(live); n++)
		if (live_table(live, n)) {
			slots_settle_tracked(&live_table(live, n)->slots);
			waits |= live_table(live, n)->slots.tracked > 0;
		}
	if (waits)
		clock_start(service);
}

/* New owners take flows before slots lead to them, old ones refuse them afterwards: a SYN in
 * between is at home with either. */
void lead_packets(struct service *service, const struct pool_ref *ref, const struct live_pool *live,
		  const uint64_t *gone)
{
	size_t n;

	lead_members(service, ref, live);
	for (n = 0; n < live_tables(live); n++) {
		struct live_table *table = live_table(live, n);

		if (!table)
			continue;
		table->slots.remember_s = remember_s(ref->pool, table->class);
		slots_follow(&table->slots, live_owners(ref->pool, live), gone,
			     clock_now_s(service), pools_transition_s(ref->pool, table->class));
	}
	if (live_moving(live))
		clock_start(service);
	clock_hasten_datagrams(service, ref->pool, live);
	live_follow_due(ref->pool, live, clock_now_s(service));
	if (!service->flows_possible)
		settle_or_wait(service, live);
}
