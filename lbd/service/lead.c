/* SPDX-License-Identifier: BSD-2-Clause */
/* How do packets come to follow what a VIP has become? */
#include "live.h"

/* Flags and sweep of members follow the document, and their health. */
void lead_members(struct service *service, const struct lb_vip *vip, const struct live_vip *live)
{
	size_t i;

	for (i = 0; i < live->backend_count; i++) {
		const struct table_member *backend = &live->backends[i];

		members_set_takes(service->members, backend->number, backend->weight > 0,
				  standing_keeps_old(vip->pool, live->standings[i], live->use_all));
		members_set_encap(service->members, backend->number,
				  vip->pool->encap == LB_ENCAP_GUE, vip->endpoint.address.family);
		sweep_member_set(service->sweep, backend->number, live->slots,
				 lb_vip_transition_s(vip), lb_vip_flow_idle_s(vip));
	}
}

/* New owners take flows before slots lead to them, old ones refuse them afterwards: a SYN in
 * between is at home with either. */
void lead_packets(struct service *service, const struct lb_vip *vip, const struct live_vip *live,
		  const uint64_t *gone)
{
	lead_members(service, vip, live);
	slots_change(live->slots, table_owners(live->table), gone, clock_now_s(service),
		     lb_vip_transition_s(vip));
	if (live->slots->moving)
		clock_start(service);
	clock_hasten_datagrams(service, vip, live);
	if (!service->flows_possible)
		slots_settle_tracked(live->slots);
}
