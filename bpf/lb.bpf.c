// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The balancer: what becomes of a packet.
 *
 * parse -> (ICMP, fragments) -> VIP -> (guard) -> hash -> slot -> (flow table, unless the slot is SETTLED)
 * -> member and next hop -> encapsulate -> send
 *
 * balance.h puts the stages together. Every way out is a verdict (verdicts.h), and all of them are
 * counted in conclude() and nowhere else.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "balance.h"

SEC("xdp.frags")
int lb(struct xdp_md *ctx)
{
	return balance_packet(ctx, 0);
}

/* The same with stages that some VIPs need (lbd/plane/instance.c). One comes into the place of `lb` while there is
 * such a VIP, so that nobody else pays for it. */
SEC("?xdp.frags")
int lb_quic(struct xdp_md *ctx)
{
	return balance_packet(ctx, LB_HAS_QUIC);
}

/* With QUIC, so that this one, and what it holds, stays when a VIP gets quic. */
SEC("?xdp.frags")
int lb_guarded(struct xdp_md *ctx)
{
	return balance_packet(ctx, LB_HAS_GUARD | LB_HAS_QUIC);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
