// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Which way does a packet take through the stages of lb.bpf.c?
 *
 * The same stages, without the last: what each has found is put into a map for lbd, which has this
 * program run by BPF_PROG_TEST_RUN only, over copies of the maps that stages write to
 * (lbd/plane/explain.h). What becomes of the packet, lb.bpf.c itself says.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "explain.h"
#include "maps.h"
#include "parse.h"
#include "rare.h"
#include "vip.h"
#include "backend.h"
#include "choose.h"
#include "chance.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_explained);
} explained SEC(".maps");

/* 0: the packet goes on to the VIP. */
static __noinline int explain_packet(struct xdp_md *ctx, struct lb_explained *to)
{
	struct packet packet = {};
	int ends;

	if (!to)
		return 1;
	ends = parse(ctx, &packet) != LB_NEXT;
	to->packet = packet;
	to->stage = LB_EXPLAINED_PARSED;
	fragment_key(&packet, &to->fragment_key);
	if (ends)
		return 1;
	if (rare_is(&packet)) {
		ends = rare(ctx, &packet) != LB_NEXT;
		to->packet = packet;
	}
	to->stage = LB_EXPLAINED_READ;
	return ends;
}

/* A malformed packet may have a VIP, too. */
static __always_inline int explain_vip(struct packet *packet, struct vip *vip,
				       struct lb_explained *to)
{
	const int verdict = vip_find(packet, vip, 0);

	if (!lb_place_size(vip->place))
		return 1;
	to->vip = lb_place_number(vip->place);
	to->slots_start = lb_place_start(vip->place);
	to->slots_size = lb_place_size(vip->place);
	to->vip_flags = vip->flags;
	to->stage = LB_EXPLAINED_VIP;
	if (verdict != LB_NEXT)
		return 1;
	return packet->fragment && fragment_admit(packet, vip->flags) != LB_NEXT;
}

static __always_inline void explain_slot(const struct packet *packet, const struct vip *vip,
					 __u64 hash, struct lb_explained *to)
{
	const struct place place = flow_place(packet, vip, hash);
	__u32 index, line_index;
	volatile struct lb_slot_line *line;

	to->hash = hash;
	to->slot = lb_hash_slot(hash, to->slots_size);
	to->tag = place.tag;
	to->bucket = place.bucket;
	index = to->slots_start + to->slot;
	line_index = index / LB_SLOT_LINE;
	line = bpf_map_lookup_elem(&slots, &line_index);
	if (line)
		to->slot_word = line->word[index % LB_SLOT_LINE];
	to->stage = LB_EXPLAINED_SLOT;
}

/* Whether its connection id has a say. */
static __noinline int explain_quic(struct xdp_md *ctx, struct lb_explained *to)
{
	struct quic_found found = {};

	if (!to || !(config.has & LB_HAS_QUIC) || !(to->vip_flags & LB_VIP_QUIC) ||
	    !quic_has_id(&to->packet))
		return 0;
	quic_find(ctx, quic_at(&to->packet), quic_length(&to->packet), to->vip, &found);
	if (found.member != LB_NONE && !quic_keeps(found.member)) {
		found.member = LB_NONE;
		found.count = LB_QUIC_UNKNOWN_SERVER;
	}
	to->quic_looked = 1;
	to->quic_rotation = found.rotation;
	to->quic_count = found.count;
	to->quic_encrypted = found.encrypted;
	to->quic_word[0] = found.word[0];
	to->quic_word[1] = found.word[1];
	return found.member != LB_NONE;
}

/* Who gets it, if it has a list of others. */
static __always_inline void explain_list(const struct packet *packet, struct choice *choice,
					 struct lb_explained *to)
{
	const __u32 first = choice->listed - 1;
	__u32 zero = 0, hops = chance_count(packet, choice->hash, first), i;
	const struct lb_scratch *at = bpf_map_lookup_elem(&scratch, &zero);

	if (!at || hops == CHANCE_NO_WAY)
		return;
	to->hops = hops;
	to->hops_listed = at->hops.count;
#pragma unroll
	for (i = 0; i < LB_HOPS_MAX; i++)
		to->hop[i] = at->hops.number[i];
	if (hops)
		choice->number = first;
}

/* From the packet that explain_packet has left. */
static __noinline int explain_way(struct xdp_md *ctx, struct lb_explained *to)
{
	struct choice choice = {};
	struct packet packet;
	struct vip vip = {};

	if (!to)
		return 0;
	packet = to->packet;
	if (explain_vip(&packet, &vip, to))
		return 0;
	if (!explain_quic(ctx, to))
		explain_slot(&packet, &vip, flow_hash(&packet, vip.flags), to);
	/* A cookie may open a flow; what ends at the guard, the program says. */
	if (choose(ctx, &packet, &vip, &choice, 0, config.has) != LB_NEXT)
		return 0;
	if (choice.listed)
		explain_list(&packet, &choice, to);
	to->member = choice.number;
	to->stage = LB_EXPLAINED_MEMBER;
	if (choose_nexthop(&choice, LB_DROP_INTERNAL) != LB_NEXT)
		return 0;
	to->nexthop = *(volatile __u16 *)&choice.member->path[choice.hash % LB_MEMBER_PATHS];
	to->stage = LB_EXPLAINED_NEXTHOP;
	return 0;
}

SEC("xdp.frags")
int explain(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct lb_explained *to = bpf_map_lookup_elem(&explained, &zero);

	if (!to)
		return XDP_ABORTED;
	__builtin_memset(to, 0, sizeof(*to));
	if (!explain_packet(ctx, to))
		explain_way(ctx, to);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
