/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a frame? The program's own sources say so, compiled for this machine, over the plane in
 * memory. */
#include "../plane/explain.h"

#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../plane/members.h"
#include "simulate.h"
#include "xdp_shim.h"

#define LB_RODATA static
#define send program_send /* the C library has one */
#include "../../bpf/explain.bpf.c"
#include "../../bpf/balance.h"

#define INTERFACE 1 /* by which every next hop is reached (ways.c) */

/* --- maps --- */

/* What the program writes: for each run by itself. */
static struct {
	struct lb_flow_bucket bucket;
	uint64_t verdicts[LB_VERDICT_COUNT], flow_counts[LB_FLOW_COUNT_COUNT];
	struct lb_counter counter, vip_counter;
	uint64_t quic_counts[LB_QUIC_COUNT_COUNT];
	struct lb_budget budget;
	struct lb_limit_state limits[LB_LIMIT_COUNT];
	struct lb_scratch scratch;
	struct lb_explained explained;
} own;

/* Every line is empty, and says that entries may stand elsewhere: so the hash maps are asked. */
static struct lb_index4_line line4 = {.way[0].key = LB_INDEX_MORE};
static struct lb_index6_line line6 = {.way[0].key = LB_INDEX_MORE};
static struct lb_wide wide_now;

/* `bytes` of an element; 0: every index leads to the one there is. Numbers are in bounds, being lbd's own. */
static void *look_up_array(const void *map, uint32_t index)
{
	const struct plane plane = datapath_plane(simulated_datapath());
	const struct {
		const void *map;
		void *start;
		size_t bytes;
	} arrays[] = {
		{&index4, &line4, 0},
		{&index6, &line6, 0},
		{&slots, plane.slots, sizeof(struct lb_slot_line)},
		{&pasts, plane.pasts, sizeof(struct lb_slot_line)},
		{&vip_pools, plane.vip_pools, sizeof(*plane.vip_pools)},
		{&members, plane.members, sizeof(*plane.members)},
		{&nexthops, plane.nexthops, sizeof(*plane.nexthops)},
		{&tuning, plane.tuning, 0},
		{&counters, &own.counter, 0},
		{&vip_counters, &own.vip_counter, 0},
		{&quic_vips, plane.quic_vips, sizeof(*plane.quic_vips)},
		{&quic_ids, plane.quic_ids, sizeof(*plane.quic_ids)},
		{&quic_vip_keys, plane.quic_vip_keys, sizeof(*plane.quic_vip_keys)},
		{&quic_keys, plane.quic_keys, sizeof(*plane.quic_keys)},
		{&quic_aes, plane.quic_aes, 0},
		{&quic_counts, own.quic_counts, sizeof(*own.quic_counts)},
		{&verdicts, own.verdicts, sizeof(*own.verdicts)},
		{&flows, &own.bucket, 0},
		{&flow_counts, own.flow_counts, sizeof(*own.flow_counts)},
		{&budget, &own.budget, 0},
		{&limits, own.limits, sizeof(*own.limits)},
		{&scratch, &own.scratch, 0},
		{&explained, &own.explained, 0},
	};

	for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays); i++)
		if (arrays[i].map == map)
			return (uint8_t *)arrays[i].start + index * arrays[i].bytes;
	return NULL;
}

static void *look_up_wide(uint32_t number)
{
	const struct simulated_entry *entry = simulated_wide(simulated_datapath(), number);

	if (!entry)
		return NULL;
	wide_now = (struct lb_wide){
		.place = lb_place(entry->value.number, entry->value.slots_start,
				  entry->value.slots_size),
		.flags = entry->value.flags & LB_VIP_INDEXED,
	};
	return &wide_now;
}

static void *look_up_vip(uint8_t family, const void *address, __be16 port, uint8_t protocol)
{
	struct lb_endpoint endpoint = {
		.address.family = family, .port = bpf_ntohs(port), .protocol = protocol};
	const struct simulated_entry *entry;

	memcpy(endpoint.address.bytes, address, family == 4 ? 4 : 16);
	entry = simulated_entry(simulated_datapath(), &endpoint);
	return entry ? (void *)&entry->value : NULL;
}

static void *look_up_parts(uint8_t family, const void *address, uint8_t protocol)
{
	struct lb_endpoint endpoint = {.address.family = family, .protocol = protocol};

	memcpy(endpoint.address.bytes, address, family == 4 ? 4 : 16);
	return (void *)simulated_parts(simulated_datapath(), &endpoint);
}

/* No fragment is on record. */
static void *shim_look_up(const void *map, const void *key)
{
	const struct lb_vip4_key *vip4 = key;
	const struct lb_vip6_key *vip6 = key;
	const struct lb_parts4_key *part4 = key;
	const struct lb_parts6_key *part6 = key;

	if (map == &vips4)
		return look_up_vip(4, &vip4->address, vip4->port, vip4->protocol);
	if (map == &vips6)
		return look_up_vip(6, vip6->address, vip6->port, vip6->protocol);
	if (map == &parts4)
		return look_up_parts(4, &part4->address, part4->protocol);
	if (map == &parts6)
		return look_up_parts(6, part6->address, part6->protocol);
	/* The program asks for numbers beyond them: of no member, LB_NONE among them. */
	if (map == &members && *(const uint32_t *)key >= members_capacity(simulated_config()))
		return NULL;
	if (map == &fragments)
		return NULL;
	return map == &wide ? look_up_wide(*(const uint32_t *)key)
			    : look_up_array(map, *(const uint32_t *)key);
}

static long shim_update(const void *map, const void *key, const void *value)
{
	(void)map;
	(void)key;
	(void)value;
	return 0;
}

/* --- a run --- */

/* As after a second without a packet. */
static void prepare(void)
{
	shim_now_ns = lb_clock_ns(CLOCK_MONOTONIC_COARSE);
	memset(&own, 0, sizeof(own));
	for (int i = 0; i < LB_LIMIT_COUNT; i++)
		own.limits[i] = (struct lb_limit_state){shim_now_ns, LIMIT_BURST_NS};
	other_vips = simulated_other_vips(simulated_datapath());
}

static void configure(void)
{
	const struct config *from = simulated_config();

	config = (struct lb_program_config){
		.seed = {from->seed[0], from->seed[1]},
		.flow_buckets = 1,
		.answer_rate = from->answer_rate,
		.index_lines = LB_INDEX_REACH,
		.quic_lines = datapath_plane(simulated_datapath()).quic_lines,
		.has = LB_HAS_QUIC,
	};
}

static struct xdp_md take_frame(uint8_t *room, const void *frame, size_t length, uint32_t ifindex)
{
	uint8_t *at = room + SHIM_HEADROOM;

	memcpy(at, frame, length);
	return (struct xdp_md){
		.data = (uintptr_t)at,
		.data_end = (uintptr_t)at + length,
		.frame = at,
		.length = length,
		.ingress_ifindex = ifindex ? ifindex : INTERFACE,
		.headroom = SHIM_HEADROOM,
	};
}

static void note(const struct xdp_md *ctx, struct explained *out)
{
	static const struct lb_flow_bucket before; /* no flow is on record */
	const struct plane plane = datapath_plane(simulated_datapath());

	for (uint32_t i = 0; i < LB_VERDICT_COUNT; i++)
		if (own.verdicts[i])
			out->verdict = i;
	memcpy(out->flow_counts, own.flow_counts, sizeof(out->flow_counts));
	explained_note(out, plane.members, plane.nexthops, &before, &own.bucket);
	out->length = ctx->length;
	memcpy(out->frame, ctx->frame, ctx->length);
}

/* First what each stage finds, then what becomes of the frame. */
int datapath_explain(struct datapath *datapath, const void *frame, size_t length, uint32_t ifindex,
		     struct explained *out, struct lb_err *err)
{
	uint8_t *room = malloc(SHIM_HEADROOM + length);
	struct xdp_md ctx;

	if (!room)
		return lb_err_no_memory(err);
	memset(out, 0, sizeof(*out) - sizeof(out->frame));
	(void)datapath; /* simulated_datapath() */
	configure();
	prepare();
	ctx = take_frame(room, frame, length, ifindex);
	explain(&ctx); /* may answer an echo request in its place */
	out->way = own.explained;
	prepare();
	ctx = take_frame(room, frame, length, ifindex);
	balance_packet(&ctx, config.has);
	note(&ctx, out);
	free(room);
	return 0;
}
