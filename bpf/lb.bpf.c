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

/* The same with the stage of the guard. It comes into the place of `lb` while a VIP has a rule of the guard
 * (lbd/plane/guard.c), so that all others pay nothing for it. */
SEC("?xdp.frags")
int lb_guarded(struct xdp_md *ctx)
{
	return balance_packet(ctx, LB_HAS_GUARD);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
