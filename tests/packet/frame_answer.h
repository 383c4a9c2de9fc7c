/* SPDX-License-Identifier: BSD-2-Clause */
/* What the balancer itself owes the sender of a frame, written from the RFCs alone like frame.h:
 * every checksum is computed anew over all bytes. */
#ifndef FRAME_ANSWER_H
#define FRAME_ANSWER_H

#include "frame.h"

#define QUOTED 512 /* bytes of the packet that a "too big" message quotes */

/* RFC 792, RFC 4443 section 4.2: the reply to an echo request without options. */
void frame_echo_reply(const struct frame *in, struct frame *out);

/* Fills in the sums of an ICMP message without options, and of its IP header. */
void frame_echo_checksums(struct frame *frame);

/* RFC 1191 section 4, RFC 4443 section 3.2. */
void frame_too_big(const struct frame *in, uint32_t mtu, struct frame *out);

/* The MTU that a "too big" message names. */
uint32_t frame_named_mtu(const struct frame *answer);

#endif
