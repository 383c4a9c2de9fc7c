/* SPDX-License-Identifier: BSD-2-Clause */
/* Beside random_world.h: VIPs that are prefixes, have QUIC, lists or the SYN guard, and share pools. */
#ifndef EXPLAIN_WORLD_H
#define EXPLAIN_WORLD_H

#include "harness.h"

/* Into what harness.h has opened. */
void explain_world_open(void);
/* As random_world; and VIPs have records of several pools. */
void explain_world(uint32_t vip);
/* As random_world_frame; and frames to prefixes, with QUIC connection ids, SYNs, and ACKs that bring cookies. */
void explain_world_frame(struct frame *frame, uint32_t vip);
/* The SYN guard has answered so: its ACK comes soon. */
void explain_world_answered(const struct frame *syn, const uint8_t *answer);

#endif
