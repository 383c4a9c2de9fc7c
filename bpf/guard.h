/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The guard: which packets to a VIP end here?
 *
 * Asked of packets to VIPs with LB_VIP_GUARDED, once the VIP is known. What is for no VIP is never looked at.
 */
#ifndef LB_GUARD_H
#define LB_GUARD_H

#include "guard_list.h"
#include "guard_maps.h"
#include "guard_rate.h"
#include "packet.h"
#include "syn.h"
#include "vip.h"

/* Looked up again, since the stack has no room for what is known from before. */
static __always_inline void guard_count_syn(__u32 number, int verdict)
{
	struct lb_guard_syns *syns = bpf_map_lookup_elem(&guard_syns, &number);

	if (syns) {
		syns->seen++;
		syns->answered += verdict == LB_TX_SYN;
	}
}

/* LB_NEXT, or the verdict of a packet that ends here. The packet of the plain way lives in registers: hand on
 * what is in it, never its address. `plain`: a constant. */
static __always_inline int guard(struct xdp_md *ctx, const struct packet *packet,
				 const struct vip *vip, int plain)
{
	const __u32 number = lb_place_number(vip->place);
	volatile struct lb_guard_vip *rules = bpf_map_lookup_elem(&guard_vips, &number);
	int verdict;

	if (!rules)
		return LB_NEXT;
	if (rules->rules & LB_GUARD_LISTS) {
		verdict = guard_list(packet, number);
		if (verdict != LB_NEXT)
			return verdict;
	}
	if (rules->rules & LB_GUARD_RATES) {
		verdict = guard_rate(packet, number, syn_is(packet), plain);
		if (verdict != LB_NEXT)
			return verdict;
	}
	if (!syn_is(packet) || !(rules->rules & (LB_GUARD_SYN_ANSWER | LB_GUARD_SYN_COUNT)))
		return LB_NEXT;
	verdict = LB_NEXT;
	if (rules->rules & LB_GUARD_SYN_ANSWER)
		verdict = syn_guard(ctx, packet, rules->syn_mss);
	guard_count_syn(number, verdict);
	return verdict;
}

/* Whether the packet opens a flow though it is no SYN: that one was answered here. Asked where the slot is
 * not SETTLED. */
static __always_inline int guard_opens(struct xdp_md *ctx, const struct packet *packet,
				       const struct vip *vip)
{
	const __u32 number = lb_place_number(vip->place);
	volatile struct lb_guard_vip *rules = bpf_map_lookup_elem(&guard_vips, &number);

	struct lb_guard_syns *syns;

	if (!rules || !(rules->rules & LB_GUARD_SYN_OPENS) || !syn_opens(ctx, packet))
		return 0;
	syns = bpf_map_lookup_elem(&guard_syns, &number);
	if (syns)
		syns->opened++;
	return 1;
}

#endif
