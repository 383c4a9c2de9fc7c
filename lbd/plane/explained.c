// SPDX-License-Identifier: BSD-2-Clause
/* What do the words mean that a frame has met on its way? */
#include "../../bpf/flow_word.h"
#include "../../bpf/gue.h"
#include "../api/clock.h"
#include "explain.h"

#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define UDP_BYTES 8

static uint64_t find_record(const struct explained *explained, const struct lb_flow_bucket *bucket)
{
	for (int i = 0; i < LB_FLOW_WAYS; i++)
		if (bucket->word[i] && flow_word_tag(bucket->word[i]) == explained->way.tag)
			return bucket->word[i];
	return 0;
}

static bool asks_records(const struct lb_explained *way)
{
	return way->stage >= LB_EXPLAINED_SLOT &&
	       (!lb_slot_is_settled(way->slot_word) || lb_slot_current(way->slot_word) == LB_NONE);
}

static void note_hops(struct explained *out, const struct lb_member *members)
{
	for (uint32_t i = 0; i < out->way.hops && i < LB_HOPS_MAX; i++)
		out->hop[i] = members[out->way.hop[i]];
}

void explained_note(struct explained *out, const struct lb_member *members,
		    const struct lb_nexthop *nexthops, const struct lb_flow_bucket *before,
		    const struct lb_flow_bucket *after)
{
	out->record = out->record_after = 0;
	if (asks_records(&out->way)) {
		out->record = find_record(out, before);
		out->record_after = find_record(out, after);
	}
	if (out->way.stage >= LB_EXPLAINED_MEMBER)
		out->member = members[out->way.member];
	note_hops(out, members);
	if (out->way.stage >= LB_EXPLAINED_NEXTHOP)
		out->nexthop = nexthops[out->way.nexthop];
	out->time = lb_clock_ns(CLOCK_MONOTONIC_COARSE) >> LB_FLOW_TIME_SHIFT & LB_FLOW_TIME_MASK;
}

uint32_t explained_outer_bytes(const struct explained *explained)
{
	const uint32_t flags = explained->member.flags, hops = explained->way.hops;
	const bool ipv6 = flags & LB_MEMBER_OUTER6;
	const uint32_t ip = ipv6 ? IPV6_BYTES : IPV4_BYTES;

	if (hops)
		return ip + UDP_BYTES + sizeof(struct gue_list) + hops * (ipv6 ? 16 : 4);
	return ip + (flags & LB_MEMBER_GUE ? UDP_BYTES : 0);
}
