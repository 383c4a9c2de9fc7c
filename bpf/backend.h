/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 3: from a flow to the member that takes it, and to its next hop. */
#ifndef LB_BACKEND_H
#define LB_BACKEND_H

#include "hash.h"
#include "maps.h"
#include "packet.h"

struct choice {
	__u64 hash;
	__u32 number; /* of the member */
	struct lb_member *member;
	struct lb_nexthop *nexthop;
};

static __always_inline __u64 flow_hash(const struct packet *packet)
{
	__u64 l4 = lb_hash_l4(packet->ports, packet->protocol);

	if (packet->family == 4)
		return lb_hash_ipv4(config.seed, packet->source[0], packet->destination[0], l4);
	return lb_hash_ipv6(config.seed, packet->source, packet->destination, l4);
}

static __always_inline int choose_member(const struct lb_vip_value *vip, struct choice *choice)
{
	__u32 index = vip->slots_start + lb_hash_slot(choice->hash, vip->slots_size);
	__u32 line_index = index / LB_SLOT_LINE;
	volatile struct lb_slot_line *line = bpf_map_lookup_elem(&slots, &line_index);

	if (!line)
		return LB_DROP_INTERNAL;
	choice->number = lb_slot_current(line->word[index % LB_SLOT_LINE]);
	return choice->number == LB_NONE ? LB_DROP_NO_BACKEND : LB_NEXT;
}

static __always_inline int choose_nexthop(struct choice *choice)
{
	__u32 number;

	choice->member = bpf_map_lookup_elem(&members, &choice->number);
	if (!choice->member || !(choice->member->flags & LB_MEMBER_VALID))
		return LB_DROP_INTERNAL;
	number = *(volatile __u32 *)&choice->member->nexthop;
	choice->nexthop = bpf_map_lookup_elem(&nexthops, &number);
	return choice->nexthop ? LB_NEXT : LB_DROP_INTERNAL;
}

#endif
