/* SPDX-License-Identifier: BSD-2-Clause */
/* What is a VIP in the data plane? */
#include "live.h"

#include <stdlib.h>

#include "document_digest.h"

const struct table_member *live_find(const struct live_vip *live, size_t *from,
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

bool live_is_drained(const struct lb_backend *backend, const struct slots *slots, uint32_t leaving,
		     uint32_t flows)
{
	return backend->drain && !leaving && !flows && !slots->unswept;
}

bool live_had_packets(const struct service *service, uint16_t number)
{
	struct lb_counter counter;

	if (members_flags(service->members, number) & LB_MEMBER_OLDER)
		return true;
	return service->plane.counters(service->plane.datapath, number, &counter) ||
	       counter.packets;
}

void live_clear(struct live_vip *live)
{
	table_free(live->table);
	free(live->backends);
	free(live->standings);
}

void live_index(struct service *service)
{
	size_t i;

	for (i = 0; i < service->document->vip_count; i++)
		service->vip_at[service->live[i].number] = i;
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
