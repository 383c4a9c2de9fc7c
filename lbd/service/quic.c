/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backends still have QUIC connections, and what has become of connection ids?
 *
 * No record says how many connections follow a server id. So a backend has some until no packet has
 * followed its id for as long as a recorded flow may be silent. */
#include "live.h"

#include <stdlib.h>

int quic_open(struct service *service, struct lb_err *err)
{
	service->quic_rests =
		calloc(members_capacity(service->config), sizeof(*service->quic_rests));
	return service->quic_rests ? 0 : lb_err_no_memory(err);
}

void quic_close(struct service *service)
{
	free(service->quic_rests);
}

static uint32_t now_s(const struct service *service)
{
	return service->timers.now_ns(service->timers.base, CLOCK_MONOTONIC) / 1000000000;
}

bool quic_drains(const struct service *service)
{
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct lb_pool *pool = service->pools.refs[i].pool;

		for (size_t j = 0; j < pool->backend_count; j++)
			if (pool->backends[j].drain && pool->backends[j].quic_server_id.length)
				return true;
	}
	return false;
}

uint64_t quic_packets(const struct service *service, uint16_t number)
{
	uint64_t packets;

	return service->plane.quic_counter(service->plane.datapath, number, &packets) ? 0 : packets;
}

void quic_look(struct service *service, uint16_t number)
{
	struct quic_rest *rest = &service->quic_rests[number];
	const uint64_t packets = quic_packets(service, number);

	if (rest->packets != packets)
		*rest = (struct quic_rest){packets, now_s(service)};
}

/* Packets that nobody has looked at yet may be of just now. */
bool quic_has_connections(const struct service *service, const struct lb_pool *pool,
			  uint16_t number)
{
	const struct quic_rest *rest = &service->quic_rests[number];
	const uint64_t packets = quic_packets(service, number);

	if (!packets)
		return false;
	return rest->packets != packets ||
	       now_s(service) - rest->since_s < pools_flow_idle_s(pool, POOL_DATAGRAMS);
}

json_t *service_quic(struct service *service)
{
	static const struct {
		const char *name, *meaning;
	} texts[] = {
#define QUIC_COUNT_TEXT(id, name, meaning) {name, meaning},
		LB_QUIC_COUNT_LIST(QUIC_COUNT_TEXT)
#undef QUIC_COUNT_TEXT
	};
	uint64_t counts[LB_QUIC_COUNT_COUNT] = {0};
	size_t vips = 0;
	json_t *array;

	for (size_t i = 0; i < service->document->vip_count; i++)
		vips += service->document->vips[i].quic_count > 0;
	if (!vips)
		return NULL;
	array = json_array();
	service->plane.quic_counts(service->plane.datapath, counts);
	for (int i = 0; i < LB_QUIC_COUNT_COUNT; i++)
		json_array_append_new(array, json_pack("{s:s,s:I,s:s}", "name", texts[i].name,
						       "count", (json_int_t)counts[i], "meaning",
						       texts[i].meaning));
	return json_pack("{s:I,s:o}", "vips", (json_int_t)vips, "counts", array);
}
