/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which member has the packet: the one that its QUIC connection id names, or its slot's, or the flow
 * table's? */
#ifndef LB_CHOOSE_H
#define LB_CHOOSE_H

#include "backend.h"
#include "chance.h"
#include "guard.h"
#include "quic.h"

/* For unsettled_member. Of a SYN that the guard has answered, the ACK is what opens the flow. */
static __always_inline int choose_kind(struct xdp_md *ctx, const struct packet *packet,
				       const struct vip *vip, int plain, __u32 has)
{
	if (has & LB_HAS_GUARD && vip->flags & LB_VIP_GUARDED && !packet_only_follows(packet) &&
	    guard_opens(ctx, packet, vip))
		return OPENS_FLOW;
	return plain ? ROLE_PLAIN | packet->tcp_flags : packet_role(packet);
}

static __always_inline int choose_by_slot(struct xdp_md *ctx, const struct packet *packet,
					  const struct vip *vip, struct choice *choice, int plain,
					  __u32 has)
{
	__u32 index =
		lb_place_start(vip->place) + lb_hash_slot(choice->hash, lb_place_size(vip->place));
	__u32 line_index = index / LB_SLOT_LINE;
	volatile struct lb_slot_line *line = bpf_map_lookup_elem(&slots, &line_index);
	struct place place;
	__u32 word;
	int kind;

	if (!line)
		return LB_DROP_INTERNAL;
	word = line->word[index % LB_SLOT_LINE];
	choice->number = lb_slot_current(word);
	if (!lb_slot_is_settled(word) || choice->number == LB_NONE) {
		place = flow_place(packet, vip, choice->hash);
		kind = choose_kind(ctx, packet, vip, plain, has);
		choice->number = unsettled_member(place.tag, place.bucket, word,
						  lb_place_number(vip->place), kind);
		if (!plain && kind != OPENS_FLOW && slot_is_chain(word) && chance_is_for(packet))
			choice->listed = chance_list(index, word, choice->number);
	}
	return choice->number == LB_NONE ? LB_DROP_NO_BACKEND : LB_NEXT;
}

/* From the VIP to the member. Written so that what most VIPs have is told by one branch, which the hash
 * needs anyway, and each policy by one more comparison: no VIP pays for another one's. `plain` and `has`: as in
 * balance.h. */
static __always_inline int choose(struct xdp_md *ctx, struct packet *packet, const struct vip *vip,
				  struct choice *choice, int plain, __u32 has)
{
	const __u32 unusual = vip->flags & (has & LB_HAS_QUIC ? LB_VIP_UNUSUAL : LB_VIP_HASHES);

	if (unlikely(unusual)) {
		if (has & LB_HAS_QUIC && unusual >= LB_VIP_QUIC) {
			choice->hash = flow_hash(packet, unusual);
			choice->number = quic_choose(ctx, packet, vip, plain);
			if (choice->number != LB_NONE) {
				choice->led = config.members;
				return LB_NEXT;
			}
		} else if (unusual == LB_VIP_HASH_SOURCE) {
			choice->hash = flow_hash(packet, LB_VIP_HASH_SOURCE);
		} else {
			choice->hash = flow_hash(packet, LB_VIP_HASH_SOURCE_PORT);
		}
	} else {
		choice->hash = flow_hash(packet, 0);
	}
	return choose_by_slot(ctx, packet, vip, choice, plain, has);
}

#endif
