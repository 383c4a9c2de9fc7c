/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the stages know of a packet. Parsing fills it in; later stages trust it. */
#ifndef LB_PACKET_H
#define LB_PACKET_H

#include <linux/types.h>
#include "abi.h"

#define LB_NEXT (-1) /* a stage's answer "no verdict yet"; otherwise an enum lb_verdict */

/* Of the plain way with the guard: the same, and the guard has let the packet go on. */
#define LB_AGAIN (-2)

#define FRAGMENT_FIRST 1
#define FRAGMENT_LATER 2

#define L3_OFFSET_MASK 31 /* covers struct packet's l3 */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Ethernet pads a payload up to this (IEEE 802.3 clause 3.2.7); more is no padding of its own. */
#define ETHERNET_PAYLOAD_MIN 46

#define unlikely(condition) __builtin_expect(!!(condition), 0)

struct packet {
	__u8 family;    /* 4 or 6 */
	__u8 protocol;  /* IPPROTO_* of the transport header */
	__u8 tos;       /* DSCP and ECN */
	__u8 tcp_flags; /* of an SCTP packet: SYN alone when it begins with an INIT chunk */
	__u8 has_ports; /* ports are known: not so in a later fragment, for instance */
	__u8 fragment;  /* FRAGMENT_*; 0: the packet is whole */
	__u8 quoted; /* an ICMP error: protocol, addresses and ports are those of the flow that it
		      * is about, as packets from the client have them */
	__u8 icmp_type;
	__u16 l3; /* where in the frame its IP header begins: 14, with VLAN tags 18 or 22 */
	__u16 l4; /* where its transport or ICMP header begins */
	__u32 fragment_id;
	__be32 ports;          /* source and destination as they lie in the packet */
	__u32 length;          /* of the IP packet */
	int fault;             /* the verdict if it is for a VIP; LB_NEXT: none */
	__u16 fragment_offset; /* of a later fragment, in units of 8 bytes */
	__u16 pad;             /* there must be no hole: functions verified by themselves are
				* handed all of it */
	__u64 source[2], destination[2]; /* wire order; IPv4 in the low half of the first word */
};

static inline __attribute__((always_inline)) __be16 packet_dport(const struct packet *packet)
{
	return packet->ports >> 16; /* little-endian: the second half in memory */
}

/* Only the flow that the packet belongs to is looked for; nothing is learnt from the packet.
 * Anybody can forge an ICMP error, and a later fragment does not say whether it opens a connection.
 */
static inline __attribute__((always_inline)) int packet_only_follows(const struct packet *packet)
{
	return packet->quoted || packet->fragment == FRAGMENT_LATER;
}

#endif
