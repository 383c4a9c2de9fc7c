/* SPDX-License-Identifier: BSD-2-Clause */
/* What has happened in the live service that nobody asked for at that moment? Drains end. */
#include <string.h>

#include "events.h"
#include "service_live.h"

/* As service_report.c has it: its slots have left it for good, and no flow is on record. */
static bool is_drained(const struct service *service, const struct live_vip *live,
		       const struct lb_backend *backend, uint16_t number)
{
	return backend->drain && !live->slots->unswept && !slots_leaving(live->slots, number) &&
	       !sweep_flows(service->sweep, number);
}

static void tell(const struct service *service, const struct lb_vip *vip,
		 const struct lb_backend *backend)
{
	char address[LB_ADDR_TEXT];

	events_emit(service->events,
		    json_pack("{s:s, s:s, s:s, s:s}", "event", "drain", "vip", vip->name, "backend",
			      lb_addr_format(&backend->address, address), "state", "drained"));
}

/* By member number, so that a backend which was removed and added again is another one. */
void drains_tell(struct service *service, bool quietly)
{
	uint64_t before[sizeof(service->drained) / sizeof(*service->drained)];
	size_t i, j;

	memcpy(before, service->drained, sizeof(before));
	memset(service->drained, 0, sizeof(service->drained));
	for (i = 0; i < service->document->vip_count; i++) {
		const struct lb_vip *vip = &service->document->vips[i];
		const struct live_vip *live = &service->live[i];

		for (j = 0; j < vip->backend_count; j++) {
			uint16_t number = live->backends[j].number;
			uint64_t bit = 1ull << number % 64;

			if (!is_drained(service, live, &vip->backends[j], number))
				continue;
			service->drained[number / 64] |= bit;
			if (!quietly && !(before[number / 64] & bit))
				tell(service, vip, &vip->backends[j]);
		}
	}
}
