// SPDX-License-Identifier: BSD-2-Clause
/* Which slots and members are there, and which frames come, if chance says so? */
#include <stdbool.h>
#include "../../bpf/flow_word.h"
#include "../../lbd/plane/datapath.h"
#include "random_frame.h"
#include "random_world.h"

#define MEMORY 64 /* of flows that come again */

static uint16_t random_member(void)
{
	return random_one_in(12) ? LB_NONE : random_below(MEMBER_COUNT);
}

static uint32_t random_slot(void)
{
	const uint16_t member = random_member();

	switch (random_below(3)) {
	case 0:
		return lb_slot_settled(member);
	case 1:
		return lb_slot_word(member, LB_NONE);
	default:
		return lb_slot_word(member, random_member());
	}
}

/* Owners from before, for the lists that packets bring along. */
static uint32_t random_past(void)
{
	return (uint32_t)random_member() << 16 | random_member();
}

static uint32_t random_flags(uint32_t flags)
{
	flags &= ~(LB_MEMBER_NEW | LB_MEMBER_OLD | LB_MEMBER_CHAIN | LB_MEMBER_SICK);
	if (!random_one_in(8))
		flags |= LB_MEMBER_NEW;
	if (!random_one_in(8))
		flags |= LB_MEMBER_OLD;
	if (!random_one_in(4))
		flags |= LB_MEMBER_CHAIN;
	if (random_one_in(4))
		flags |= LB_MEMBER_SICK;
	return flags;
}

/* Records count for members of their VIP only, so that all are given to one after the other. */
void random_world(uint32_t vip)
{
	const struct plane plane = datapath_plane(harness_datapath());
	uint32_t count = 0, i;

	for (i = 1; i < VIP_COUNT; i++) {
		count += harness_vip_size(i);
		plane.vip_pools[i] = lb_pools(i, i, i);
	}
	for (i = 0; i < count; i++) {
		plane.slots[i] = random_slot();
		plane.pasts[i] = random_past();
	}
	for (i = 0; i < MEMBER_COUNT; i++) {
		plane.members[i].pool = vip;
		plane.members[i].flags = random_flags(plane.members[i].flags);
	}
}

/* Mostly for the VIP whose members have records. */
static void new_frame(struct frame *frame, uint32_t vip)
{
	int tries = random_one_in(4) ? 1 : 50;
	struct flow flow;

	do
		random_frame(frame);
	while (--tries && (!frame_flow(frame, &flow) || harness_vip_of(&flow) != vip));
}

/* A new flow, or one that was there, perhaps with other flags: byte 47 has those of a plain TCP
 * packet over IPv4. */
void random_world_frame(struct frame *frame, uint32_t vip)
{
	static struct frame memory[MEMORY];
	struct frame *known = &memory[random_below(MEMORY)];

	if (random_one_in(4) || !known->length)
		new_frame(known, vip);
	else if (known->length > 47 && random_one_in(4))
		known->bytes[47] = random_below(32);
	*frame = *known;
}
