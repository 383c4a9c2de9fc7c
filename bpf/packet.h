/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the stages know of a packet. Parsing fills it in; later stages trust it. */
#ifndef LB_PACKET_H
#define LB_PACKET_H

#include <linux/types.h>
#include "abi.h"

#define LB_NEXT (-1) /* a stage's answer "no verdict yet"; otherwise an enum lb_verdict */

struct packet {
	__u8 family;   /* 4 or 6 */
	__u8 protocol; /* IPPROTO_* of the transport header */
	__u8 tos;      /* DSCP and ECN */
	__u8 tcp_flags;
	__u8 has_ports; /* ports are known: not so in a later fragment, for instance */
	__be32 ports;   /* source and destination as they lie in the packet */
	__u32 length;   /* of the IP packet */
	int fault;      /* the verdict if it is for a VIP; LB_NEXT: none */
	__u64 source[2], destination[2]; /* wire order; IPv4 in the low half of the first word */
};

static inline __attribute__((always_inline)) __be16 packet_dport(const struct packet *packet)
{
	return packet->ports >> 16; /* little-endian: the second half in memory */
}

#endif
