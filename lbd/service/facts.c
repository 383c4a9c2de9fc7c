/* SPDX-License-Identifier: BSD-2-Clause */
/* What is there to be counted and measured of the live service? */
#include "facts.h"

#include <errno.h>
#include <stdlib.h>

#include "live.h"

void service_facts(struct service *service, struct service_facts *out)
{
	*out = (struct service_facts){
		.vips = service->document->vip_count,
		.members = service->backend_count,
		.slots = ranges_used(service->slot_ranges),
		.recorded = sweep_total(service->sweep),
		.room = (uint64_t)service->plane.bucket_count * LB_FLOW_WAYS,
		.digest = service->digest,
		.unconfirmed = service->revert.document,
		.save_failed = service->save_fault[0],
		.revert_failed = service->revert_fault[0],
	};
	service->plane.flow_counts(service->plane.datapath, out->flow_counts);
}

/* --- one VIP --- */

/* By the table, which slots follow; in one turn. */
static int count_slots(const struct slots *slots, const struct live_pool *live,
		       struct vip_facts *out)
{
	size_t from = 0;

	if (table_look(live->table, &out->digest))
		return -ENOMEM;
	for (size_t i = 0; i < out->backend_count; i++)
		out->backends[i].slots =
			table_owned(live->table, &from, &live->backends[i].address);
	out->moving = slots->moving;
	out->tracked = slots->tracked;
	out->settled = slots->size - slots->moving - slots->tracked;
	return 0;
}

static enum health_status health_of(const struct service *service, const struct lb_vip *vip,
				    uint16_t number)
{
	const struct health_watch *watch = service->checks[number].watch;

	return vip->pool->health.kind == LB_HEALTH_NONE || !watch ? HEALTH_UNKNOWN
								  : health_status(watch);
}

static void look_at_backend(const struct service *service, const struct lb_vip *vip, size_t i,
			    struct backend_facts *out)
{
	const struct live_pool *live = live_pool_of(service, vip);
	const struct table_member *backend = &live->backends[i];
	const uint32_t slots = out->slots;

	*out = (struct backend_facts){
		.address = &vip->pool->backends[i].address,
		.weight = vip->pool->backends[i].weight,
		.share = backend->weight,
		.drain = vip->pool->backends[i].drain,
		.waiting = standing_waits(live->standings[i],
					  standing_share(&vip->pool->backends[i], live->use),
					  backend->weight),
		.reachable = members_reachable(service->members, backend->number),
		.health = health_of(service, vip, backend->number),
		.slots = slots,
		.recorded_flows = sweep_flows(service->sweep, backend->number),
	};
	service->plane.counters(service->plane.datapath, backend->number, &out->traffic);
}

int service_vip_facts(struct service *service, const struct lb_vip *vip, struct vip_facts *out)
{
	const struct live_pool *live = live_pool_of(service, vip);

	*out = (struct vip_facts){
		.backends = calloc(live->backend_count + 1, sizeof(*out->backends)),
		.backend_count = live->backend_count,
		.checks = service->check_counts[live->number],
	};
	if (!out->backends || count_slots(&live_of(service, vip)->table->slots, live, out)) {
		vip_facts_clear(out);
		return -ENOMEM;
	}
	out->counted = service->plane.vip_counters &&
		       !service->plane.vip_counters(service->plane.datapath,
						    live_of(service, vip)->number, &out->traffic);
	for (size_t i = 0; i < out->backend_count; i++) {
		look_at_backend(service, vip, i, &out->backends[i]);
		worker_yield();
	}
	return 0;
}

void vip_facts_clear(struct vip_facts *facts)
{
	free(facts->backends);
	*facts = (struct vip_facts){0};
}
