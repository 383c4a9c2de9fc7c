/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots in every state, members, and frames of flows that come again, by chance. */
#ifndef RANDOM_WORLD_H
#define RANDOM_WORLD_H

#include "harness.h"

/* A third of the slots are SETTLED, the others MOVING or TRACKED, some without an owner, with
 * owners from before. All members are the VIP's; most of them pass packets on, and some are sick. */
void random_world(uint32_t vip);
/* Mostly for that VIP: a new flow, or one that was there, perhaps with other flags. */
void random_world_frame(struct frame *frame, uint32_t vip);

#endif
