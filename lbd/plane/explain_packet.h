/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a client's packet look like? A sound frame from a few words, to be explained. Pure. */
#ifndef LB_PLANE_EXPLAIN_PACKET_H
#define LB_PLANE_EXPLAIN_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/addr.h"

struct explain_packet {
	struct lb_addr source, destination; /* of one family */
	uint16_t source_port, destination_port;
	uint8_t protocol; /* IPPROTO_TCP, _UDP, _SCTP; 0: an echo request, without ports */
	bool opens;       /* a SYN, an INIT; else an ACK, a DATA chunk */
	uint32_t length;  /* of the IP packet */
};

/* The least that `length` may be. */
uint32_t explain_packet_least(const struct explain_packet *packet);
/* Writes the Ethernet frame to `out`, which has room for 14 bytes and the packet. Returns its length. */
size_t explain_packet_frame(const struct explain_packet *packet, uint8_t *out);

#endif
