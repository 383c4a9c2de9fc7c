/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the program look at connection ids of QUIC, which backends still have connections by them, and what has become
 * of ids?
 *
 * No record says how many connections follow a server id. So a backend has some until no packet has
 * followed its id for as long as a recorded flow may be silent. */
#include "live.h"

#include <stdlib.h>

#include "stage.h"

static bool has_quic(const struct lb_vip *vip)
{
	return vip->quic_count > 0;
}

int quic_open(struct service *service, struct lb_err *err)
{
	service->quic_rests =
		calloc(members_capacity(service->config), sizeof(*service->quic_rests));
	service->quic_stage = calloc(1, sizeof(*service->quic_stage));
	if (!service->quic_rests || !service->quic_stage)
		return lb_err_no_memory(err);
	*service->quic_stage = (struct stage){.name = "quic", .needs = has_quic};
	return 0;
}

void quic_close(struct service *service)
{
	free(service->quic_rests);
	free(service->quic_stage);
}

/* --- the program --- */

int quic_prepare(struct service *service, const struct lb_service *document, bool given,
		 bool dry_run, struct lb_err *err)
{
	if (!service->plane.quic_use || dry_run)
		return 0;
	return stage_prepare(service, service->quic_stage, service->plane.quic_use, document, given,
			     err);
}

void quic_follow(struct service *service)
{
	stage_follow(service, service->quic_stage, service->plane.quic_drop);
}

void quic_warnings(const struct service *service, json_t *warnings)
{
	if (*service->quic_stage->fault)
		json_array_append_new(warnings,
				      json_sprintf("all QUIC packets go by their addresses: %s",
						   service->quic_stage->fault));
}

/* --- connections --- */

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

/* --- what has become of ids --- */

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
