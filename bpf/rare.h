/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 2: what is not a whole TCP, UDP or SCTP packet? ICMP, fragments, and what no VIP can have.
 *
 * Afterwards the packet has the ports of its flow, if there is a way to know them.
 */
#ifndef LB_RARE_H
#define LB_RARE_H

#include "answer.h"
#include "icmp.h"

static __always_inline int rare_is(const struct packet *packet)
{
	return (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) ||
	       packet->fragment;
}

/* Of a later fragment whose protocol is known. One at byte 8 would write over TCP's flags, or
 * SCTP's first chunk type, by which the first one was judged (RFC 1858, RFC 3128). */
static __always_inline int rare_later_fault(const struct packet *packet)
{
	if (packet->fragment_offset == 1 &&
	    (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_SCTP))
		return LB_DROP_TRUNCATED;
	return packet->family == 6 && extension_is(packet->protocol) ? LB_DROP_EXTENSION : LB_NEXT;
}

static __always_inline int rare_icmp(struct xdp_md *ctx, struct packet *packet)
{
	int verdict = icmp_read(ctx, packet);

	return verdict == LB_TX_ECHO ? answer_echo(ctx, packet) : verdict;
}

static __always_inline int rare(struct xdp_md *ctx, struct packet *packet)
{
	if (packet->fragment == FRAGMENT_LATER && packet->fault == LB_NEXT) {
		fragment_follow(packet);
		packet->fault = rare_later_fault(packet);
	}
	switch (packet->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		return LB_NEXT;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return rare_icmp(ctx, packet);
	}
	/* No VIP has it; but an extension header that was not read may hide one that a VIP has. */
	return packet->family == 6 && extension_is(packet->protocol) ? LB_NEXT : LB_PASS_NOT_VIP;
}

#endif
