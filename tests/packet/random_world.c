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

/* Records count for members of their VIP only, so that all are given to one after the other. */
void random_world(uint32_t vip)
{
	struct lb_member *members = datapath_members(harness_datapath());
	uint32_t *slots = datapath_slots(harness_datapath()), count = 0, i;

	for (i = 1; i < VIP_COUNT; i++) {
		count += harness_vip_size(i);
		datapath_vip_pools(harness_datapath())[i] = lb_pools(i, i, i);
	}
	for (i = 0; i < count; i++)
		slots[i] = random_slot();
	for (i = 0; i < MEMBER_COUNT; i++) {
		members[i].pool = vip;
		members[i].flags &= ~(LB_MEMBER_NEW | LB_MEMBER_OLD);
		if (!random_one_in(8))
			members[i].flags |= LB_MEMBER_NEW;
		if (!random_one_in(8))
			members[i].flags |= LB_MEMBER_OLD;
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
