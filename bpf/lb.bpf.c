// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The balancer: what becomes of a packet.
 *
 * parse -> (ICMP, fragments) -> VIP -> hash -> slot -> (flow table, unless the slot is SETTLED)
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
	return balance_packet(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
