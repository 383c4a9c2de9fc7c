/* SPDX-License-Identifier: BSD-2-Clause */
/* Random frames, most of them to the VIPs of harness.h: sound packets of every kind (tags, extension
 * headers, fragments, ICMP errors, three transports), random fields, changed bytes, cuts. */
#ifndef RANDOM_FRAME_H
#define RANDOM_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include "frame.h"

extern uint64_t random_frame_state; /* the seed, before the first one */

void random_frame(struct frame *frame);

uint64_t random_word(void);
uint32_t random_below(uint32_t limit);
bool random_one_in(uint32_t times);

#endif
