/* SPDX-License-Identifier: BSD-2-Clause */
/* What are a VIP and a pool in the data plane? */
#include "live.h"

#include <errno.h>
#include <stdlib.h>

#include "document_digest.h"

const struct live_vip *live_of(const struct service *service, const struct lb_vip *vip)
{
	return &service->live[vip - service->document->vips];
}

const struct live_pool *live_pool_of(const struct service *service, const struct lb_vip *vip)
{
	return &service->live_pools[live_of(service, vip)->pool];
}

const struct table_member *live_find(const struct live_pool *live, size_t *from,
				     const struct lb_addr *address)
{
	while (live && *from < live->backend_count) {
		const struct table_member *backend = &live->backends[*from];
		int order = lb_addr_compare(&backend->address, address);

		if (order >= 0)
			return order ? NULL : backend;
		++*from;
	}
	return NULL;
}

void live_set_pools(struct service *service, const struct live_vip *live, uint64_t pools)
{
	uint64_t *quic = &service->plane.quic_vips[live->number];
	const uint64_t configs = *quic & ((1ull << LB_QUIC_POOL_SHIFT) - 1);

	__atomic_store_n(&service->plane.vip_pools[live->number], pools, __ATOMIC_RELEASE);
	__atomic_store_n(quic, (uint64_t)lb_pool_at(pools, 0) << LB_QUIC_POOL_SHIFT | configs,
			 __ATOMIC_RELEASE);
}

size_t live_tables(const struct live_pool *live)
{
	return POOL_CLASSES + live->arrival_count;
}

struct live_table *live_table(const struct live_pool *live, size_t place)
{
	return place < POOL_CLASSES ? live->tables[place] : live->arrivals[place - POOL_CLASSES];
}

uint64_t live_pools_word(uint32_t pool, const uint32_t left[TABLE_LEFT])
{
	const uint32_t before = left[0] == LIVE_NO_POOL ? pool : left[0];

	return lb_pools(pool, before, left[1] == LIVE_NO_POOL ? before : left[1]);
}

bool live_has_left(const struct live_table *table)
{
	return table->left[0] != LIVE_NO_POOL;
}

bool live_is_moving(const struct live_table *table)
{
	return live_has_left(table) || table->slots.resizes;
}

bool live_may_join(const struct live_pool *live, const struct live_table *table)
{
	const struct live_table *shared = live->tables[table->class];

	return shared && table != shared && slots_may_join(&table->slots, &shared->slots);
}

struct slots_owners live_owners(const struct lb_pool *pool, const struct live_pool *live)
{
	return (struct slots_owners){table_owners(live->table), pool->table_size};
}

void live_follow_due(const struct lb_pool *pool, const struct live_pool *live, uint32_t now_s)
{
	static const uint64_t none_gone[(LB_NONE + 1) / 64];

	for (size_t n = 0; n < live_tables(live); n++) {
		struct live_table *table = live_table(live, n);

		if (table && table->slots.due)
			slots_follow(&table->slots, live_owners(pool, live), none_gone, now_s,
				     pools_transition_s(pool, table->class));
	}
}

uint32_t live_moving(const struct live_pool *live)
{
	uint32_t moving = 0;

	for (size_t i = 0; i < live->swept->count; i++)
		moving += live->swept->at[i]->moving;
	return moving;
}

bool live_unswept(const struct live_pool *live)
{
	for (size_t i = 0; i < live->swept->count; i++)
		if (live->swept->at[i]->unswept)
			return true;
	return false;
}

void live_count(const struct live_pool *live, struct slots_census *census)
{
	for (size_t i = 0; i < live->swept->count; i++)
		slots_count(live->swept->at[i], census);
}

void live_uncount(const struct live_pool *live, struct slots_census *census)
{
	for (size_t i = 0; i < live->swept->count; i++)
		slots_uncount(live->swept->at[i], census);
}

bool service_in_reserve(const struct service *service, uint16_t number)
{
	const uint32_t wanted = members_pool(service->members, number);
	const uint32_t at = wanted < place_pool_numbers(service->config) ? service->pool_at[wanted]
									 : UINT32_MAX;
	const struct live_pool *live;

	if (at >= service->pools.count || service->live_pools[at].number != wanted)
		return false;
	live = &service->live_pools[at];
	for (size_t i = 0; i < live->backend_count; i++)
		if (live->backends[i].number == number)
			return service->pools.refs[at].pool->backends[i].priority > live->use.last;
	return false;
}

void live_spill(const struct lb_pool *pool, const struct live_pool *live, struct spill *out)
{
	*out = (struct spill){0};
	for (size_t i = 0; i < live->backend_count; i++)
		spill_add(out, &pool->backends[i], live->backends[i].weight);
}

bool live_is_drained(const struct service *service, const struct lb_pool *pool,
		     const struct live_pool *live, size_t i, uint32_t leaving)
{
	const uint16_t number = live->backends[i].number;

	return pool->backends[i].drain && !leaving && !sweep_flows(service->sweep, number) &&
	       !live_unswept(live) && !quic_has_connections(service, pool, number);
}

bool live_had_packets(const struct service *service, uint16_t number)
{
	struct lb_counter counter;

	if (members_flags(service->members, number) & LB_MEMBER_OLDER)
		return true;
	return service->plane.counters(service->plane.datapath, number, 1, &counter) ||
	       counter.packets;
}

void live_free_slots(struct service *service, uint32_t start, uint32_t size)
{
	memset(service->plane.slots + start, 0xff, size * sizeof(*service->plane.slots));
	memset(service->plane.pasts + start, 0xff, size * sizeof(*service->plane.pasts));
	ranges_give_back(service->slot_ranges, start, size);
}

void live_clear(struct live_pool *live)
{
	table_free(live->table);
	free(live->arrivals);
	free(live->swept);
	free(live->backends);
	free(live->standings);
}

void live_index(struct service *service)
{
	size_t i;

	for (i = 0; i < service->pools.count; i++)
		service->pool_at[service->live_pools[i].number] = i;
}

bool live_find_pool(const struct service *service, uint32_t number, size_t *place)
{
	if (number == LIVE_NO_POOL)
		return false;
	*place = service->pool_at[number];
	return *place < service->pools.count && service->live_pools[*place].number == number;
}

const struct lb_vip *service_vip_numbered(const struct service *service, uint32_t number)
{
	for (size_t i = 0; i < service->document->vip_count; i++)
		if (service->live[i].number == number)
			return &service->document->vips[i];
	return NULL;
}

uint32_t service_vip_number(const struct service *service, const struct lb_vip *vip)
{
	return service->live[vip - service->document->vips].number;
}

uint32_t service_pool_number(const struct service *service, const struct lb_pool *pool)
{
	for (size_t i = 0; i < service->pools.count; i++)
		if (service->pools.refs[i].pool == pool)
			return service->live_pools[i].number;
	return LB_NO_POOL;
}

static const struct live_pool *pool_live(const struct service *service, const struct lb_pool *pool)
{
	for (size_t i = 0; pool && i < service->pools.count; i++)
		if (service->pools.refs[i].pool == pool)
			return &service->live_pools[i];
	return NULL;
}

int service_presume_weights(const struct service *service, const struct lb_pool *in_force,
			    const struct lb_pool *pool, uint32_t *weights)
{
	const struct live_pool *live = pool_live(service, in_force);
	struct health_standing *standings = calloc(pool->backend_count + 1, sizeof(*standings));
	size_t from = 0;

	if (!standings)
		return -ENOMEM;
	for (size_t i = 0; live && i < pool->backend_count; i++) {
		const struct table_member *known =
			live_find(live, &from, &pool->backends[i].address);

		if (known)
			standings[i] = live->standings[known - live->backends];
		if (pool->health.kind == LB_HEALTH_NONE)
			standings[i].is = STANDING_FIT;
	}
	standing_weigh(pool, standings, in_force == pool ? live->use.last : 0, weights);
	free(standings);
	return 0;
}

void service_hold(struct service *service)
{
	while (service->swapping && worker_is_one())
		worker_pause();
	service->readers++;
}

void service_let_go(struct service *service)
{
	service->readers--;
}

void live_hold(struct service *service)
{
	while (service->swapping && !service->readers && worker_is_one())
		worker_pause();
	service->keepers++;
}

void live_let_go(struct service *service)
{
	service->keepers--;
}

uint64_t service_digest_value(const struct service *service)
{
	return service->digest;
}

json_t *service_digest(const struct service *service)
{
	char text[DIGEST_TEXT];

	return json_string(digest_text(service_digest_value(service), text));
}
