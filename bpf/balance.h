/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What becomes of a packet: the stages, one after the other. lb.bpf.c says which.
 *
 * A program that traces (trace.bpf.c) has the same stages, and has noted what they find. For all
 * others `note` is NULL, a constant, and nothing of it is compiled. So is `has`, which says which stages there are
 * that not every program has: a constant, but of read-only data for packets that are noted. */
#ifndef LB_BALANCE_H
#define LB_BALANCE_H

#include "abi.h"
#include "maps.h"
#include "parse.h"
#include "plain.h"
#include "rare.h"
#include "vip.h"
#include "guard.h"
#include "backend.h"
#include "count.h"
#include "choose.h"
#include "encap.h"
#include "chance.h"
#include "trace.h"

static __always_inline int send(struct xdp_md *ctx, const struct packet *packet,
				const struct vip *vip, __u32 counter, __u32 ifindex)
{
	int verdict = LB_TX;

	if (ifindex != ctx->ingress_ifindex) {
		if (bpf_redirect_map(&egress, ifindex, XDP_DROP) != XDP_REDIRECT)
			return LB_DROP_NO_EGRESS;
		verdict = LB_REDIRECT;
	}
	count(packet, vip, counter);
	return verdict;
}

/* With a list of others that may have its connection; LB_NEXT: without. */
static __always_inline int second_chance(struct xdp_md *ctx, struct packet *packet,
					 const struct vip *vip, const struct choice *choice,
					 struct lb_traced *note)
{
	const __u32 first = choice->listed - 1;
	const int verdict = chance_send(ctx, packet, choice->hash, first);

	if (note && verdict != LB_NEXT)
		note->member = first; /* and the rest is in the scratch */
	if (verdict != LB_TX && verdict != LB_REDIRECT)
		return verdict;
	count(packet, vip, first);
	return verdict;
}

/* From a packet that is understood to its backend. `plain`, and whether `note` is NULL: constants. */
static __always_inline int forward(struct xdp_md *ctx, struct packet *packet, int plain,
				   struct lb_traced *note, __u32 has)
{
	struct choice choice = {};
	struct vip vip = {};
	int verdict;

	verdict = vip_find(packet, &vip, plain);
	if (note && lb_place_size(vip.place))
		note->vip = lb_place_number(vip.place);
	if (verdict != LB_NEXT)
		return verdict;
	if (has & LB_HAS_GUARD && vip.flags & LB_VIP_GUARDED) {
		verdict = guard(ctx, packet, &vip, plain);
		if (verdict != LB_NEXT)
			return verdict;
	}
	if (!plain && packet->fragment) {
		verdict = fragment_admit(packet, vip.flags);
		if (verdict != LB_NEXT)
			return verdict;
	}
	verdict = choose(ctx, packet, &vip, &choice, plain, has);
	if (verdict != LB_NEXT)
		return verdict;
	if (note)
		note->member = choice.number;
	if (!plain && choice.listed) {
		verdict = second_chance(ctx, packet, &vip, &choice, note);
		if (verdict != LB_NEXT)
			return verdict;
	}
	verdict = choose_nexthop(&choice, plain ? LB_AGAIN : LB_DROP_INTERNAL);
	if (verdict != LB_NEXT)
		return plain && !(has & LB_HAS_GUARD) && verdict == LB_AGAIN ? LB_NEXT : verdict;
	verdict = encap(ctx, packet, &choice, plain);
	if (verdict != LB_NEXT)
		return verdict;
	if (note)
		note->egress = choice.nexthop->ifindex;
	return send(ctx, packet, &vip, choice.number + choice.led, choice.nexthop->ifindex);
}

/* The way of all others, and of all that is noted. Its packet lives in memory, that of the plain way
 * in registers; so what both ways share may only hand on a copy. */
static __always_inline int balance_read(struct xdp_md *ctx, struct packet *packet,
					struct lb_traced *note, __u32 has)
{
	int verdict = parse(ctx, packet);
	__u8 tcp_flags;
	__be32 ports;

	if (verdict != LB_NEXT)
		return verdict;
	if (rare_is(packet)) {
		verdict = rare(ctx, packet);
		if (verdict != LB_NEXT)
			return verdict;
	}
	ports = packet->ports;
	tcp_flags = packet->tcp_flags;
	verdict = forward(ctx, packet, 0, note, has);
	if (note) { /* of the packet, as it was read */
		packet->ports = ports;
		packet->tcp_flags = tcp_flags;
	}
	return verdict;
}

static __always_inline int balance_any(struct xdp_md *ctx, __u32 has)
{
	struct packet packet = {};

	return balance_read(ctx, &packet, NULL, has);
}

/* Out of line, for its stack. */
static __noinline int balance(struct xdp_md *ctx)
{
	return balance_any(ctx, 0);
}

static __noinline int balance_quic(struct xdp_md *ctx)
{
	return balance_any(ctx, LB_HAS_QUIC);
}

static __noinline int balance_guarded(struct xdp_md *ctx)
{
	return balance_any(ctx, LB_HAS_GUARD | LB_HAS_QUIC);
}

static __always_inline int balance_long(struct xdp_md *ctx, __u32 has)
{
	if (has & LB_HAS_GUARD)
		return balance_guarded(ctx);
	return has & LB_HAS_QUIC ? balance_quic(ctx) : balance(ctx);
}

/* The way of plain packets, compiled once for each family; LB_NEXT for all others. Inline: a call
 * and its return cost as much as a quarter of all this. */
static __always_inline int balance_plain(struct xdp_md *ctx, __u32 has)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet packet = {};
	__be16 type;

	if (data + PLAIN_MIN > end || *(__u8 *)data & 1) /* to a group of stations */
		return LB_NEXT;
	/* In one load: struct ethhdr is packed, and would be read by bytes. */
	type = *(__be16 *)(data + offsetof(struct ethhdr, h_proto));
	if (type == bpf_htons(ETH_P_IP)) {
		if (plain_ipv4(data, end, &packet))
			return forward(ctx, &packet, 1, NULL, has);
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		if (plain_ipv6(data, end, &packet))
			return forward(ctx, &packet, 1, NULL, has);
	}
	return LB_NEXT;
}

enum { ACTION_PASS, ACTION_FORWARD, ACTION_ANSWER, ACTION_DROP };

#define MASK_OF(wanted, id, action) | ((__u64)(ACTION_##action == (wanted)) << LB_##id)
#define PASS_BIT(id, name, action, meaning) MASK_OF(ACTION_PASS, id, action)
static const __u64 pass_mask = 0 LB_VERDICT_LIST(PASS_BIT);
#define ANSWER_BIT(id, name, action, meaning) MASK_OF(ACTION_ANSWER, id, action)
static const __u64 tx_mask = (1ull << LB_TX) LB_VERDICT_LIST(ANSWER_BIT);
_Static_assert(LB_VERDICT_COUNT <= 64, "verdicts fit the mask");

static __always_inline int action_of(int verdict)
{
	if (verdict == LB_TX)
		return XDP_TX; /* most are, and a shift takes more instructions */
	if (1ull << verdict & tx_mask)
		return XDP_TX;
	if (verdict == LB_REDIRECT)
		return XDP_REDIRECT;
	return 1ull << verdict & pass_mask ? XDP_PASS : XDP_DROP;
}

/* The one place where verdicts are counted. */
static __always_inline int conclude(__u32 verdict)
{
	__u64 *count = bpf_map_lookup_elem(&verdicts, &verdict);

	if (!count)
		return XDP_ABORTED;
	++*count;
	return action_of(verdict);
}

static __always_inline int balance_packet(struct xdp_md *ctx, __u32 has)
{
	__u32 verdict = balance_plain(ctx, has);

	if (unlikely(verdict == (__u32)LB_NEXT))
		verdict = balance_long(ctx, has);
	else if (has & LB_HAS_GUARD && verdict == (__u32)LB_AGAIN)
		verdict = balance_long(ctx, has & ~LB_HAS_GUARD);
	return conclude(verdict);
}

#endif
