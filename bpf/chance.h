/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Who may have the connection, if the backend that a packet goes to does not?
 *
 * Flows of a slot that is not SETTLED may be on record at another node, or in a record that this one gave
 * up. So a packet of TCP that is no SYN, and an ICMP error about TCP, bring a list of the other owners that
 * the slot may have had. A backend that runs second.bpf.c (LB_MEMBER_CHAIN) and has no socket for the packet
 * passes it on to the next of the list; the last one takes it.
 *
 *   first   today's choice; but the owner, where today's choice is sick and the owner is not: a dead backend
 *           passes nothing on
 *   list    of today's choice, the owner and the slot's past those that are there and of the first one's
 *           family: well before sick ones. It ends after one that is not LB_MEMBER_CHAIN, which comes after
 *           those that are. Today's choice comes before such a one even if it is sick: its check may fail
 *           while it has the connection, and whom the list ends with resets what it does not have.
 *
 *   | Ethernet | tag | outer IP | UDP, port 6080 | GUE variant 0, hops (gue.h) | IP … |
 *
 * As today, without a list: SYNs, and ACKs whose cookie opens a flow, UDP, SCTP, fragments, slots of which neither owner is LB_MEMBER_CHAIN, where the
 * first is not or nobody else is left, and what would exceed the MTU with even one hop. That is never told the
 * sender: it fits without.
 *
 * A record does not say that its backend has the connection: a SYN makes one, and anybody can forge a SYN. So
 * who is on record is asked first, and the others follow.
 *
 * All of this is out of line. On the plain way such a packet turns out to be none of its own (NO_MEMBER_AGAIN).
 */
#ifndef LB_CHANCE_H
#define LB_CHANCE_H

#include "encap.h"
#include "gue.h"
#include "maps.h"

/* Unless it opens a flow. */
static __always_inline int chance_is_for(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP && !packet->fragment &&
	       (packet->quoted || packet->tcp_flags);
}

/* --- the list --- */

#define CHANCE_CANDIDATES (2 + LB_PASTS)

/* In this order. */
enum {
	KIND_NONE,
	KIND_CHAIN,
	KIND_TODAY_CHAIN,
	KIND_TODAY_ENDS,
	KIND_ENDS,
	KIND_SICK_CHAIN,
	KIND_SICK_ENDS
};

static __always_inline int chance_kind(__u32 flags, __u32 first_flags, int is_today)
{
	const int ends = !(flags & LB_MEMBER_CHAIN);

	if ((flags & (LB_MEMBER_VALID | LB_MEMBER_GONE)) != LB_MEMBER_VALID ||
	    (flags ^ first_flags) & LB_MEMBER_OUTER6)
		return KIND_NONE;
	if (!(flags & LB_MEMBER_SICK))
		return ends ? KIND_ENDS : KIND_CHAIN;
	return (is_today ? KIND_TODAY_CHAIN : KIND_SICK_CHAIN) + ends;
}

static __always_inline int chance_ends(int kind)
{
	return kind == KIND_ENDS || kind == KIND_TODAY_ENDS || kind == KIND_SICK_ENDS;
}

static __always_inline __u32 chance_first(__u32 number, __u32 current)
{
	const __u32 flags = member_flags(current);

	if (!(member_flags(number) & LB_MEMBER_SICK) || flags & LB_MEMBER_SICK ||
	    (flags & (LB_MEMBER_VALID | LB_MEMBER_GONE)) != LB_MEMBER_VALID)
		return number;
	return current;
}

static __always_inline int chance_has(const struct lb_hops *hops, __u32 first, __u32 number)
{
	int i;

	if (number == first || number == LB_NONE)
		return 1;
#pragma unroll
	for (i = 0; i < LB_HOPS_MAX; i++)
		if ((__u32)i < hops->count && hops->number[i] == number)
			return 1;
	return 0;
}

static __always_inline void chance_add(struct lb_hops *hops, __u32 first, __u32 number)
{
	const __u32 count = hops->count;

	if (count >= LB_HOPS_MAX || chance_has(hops, first, number))
		return;
	hops->number[bounds_number(count, 3)] = number;
	hops->count = count + 1;
}

/* Into the scratch, by number. The first and 1; 0: there is no list. */
__noinline __u32 chance_list(__u32 slot, __u32 word, __u32 number)
{
	__u32 zero = 0, line_index = slot / LB_SLOT_LINE, first, past, first_flags;
	struct lb_scratch *at = bpf_map_lookup_elem(&scratch, &zero);
	volatile struct lb_slot_line *line = bpf_map_lookup_elem(&pasts, &line_index);
	int kind, i;

	if (!at || !line)
		return 0;
	past = line->word[slot % LB_SLOT_LINE];
	first = chance_first(number, lb_slot_current(word));
	first_flags = member_flags(first);
	if (!(first_flags & LB_MEMBER_CHAIN))
		return 0;
	at->hops.count = 0;
	for (kind = KIND_CHAIN; kind <= KIND_SICK_ENDS; kind++) {
		for (i = 0; i < CHANCE_CANDIDATES; i++) {
			const __u32 candidate = i == 0   ? number
						: i == 1 ? lb_slot_current(word)
							 : lb_past_at(past, i - 2);

			if (candidate == LB_NONE ||
			    chance_kind(member_flags(candidate), first_flags, !i) != kind)
				continue;
			chance_add(&at->hops, first, candidate);
			if (candidate != first && chance_ends(kind))
				return first + 1;
		}
	}
	return at->hops.count ? first + 1 : 0;
}

static __always_inline __u32 chance_hop_bytes(__u32 flags)
{
	return flags & LB_MEMBER_OUTER6 ? 16 : 4;
}

/* What comes between the outer IP header and the packet. */
static __always_inline __u32 chance_bytes(__u32 flags, __u32 hops)
{
	return sizeof(struct gue_list) + hops * chance_hop_bytes(flags);
}

/* Of so many hops, how many there is room for; the last ones go. */
static __always_inline __u32 chance_fits(__u32 room, __u32 flags, __u32 hops)
{
	__u32 i;

	for (i = LB_HOPS_MAX; i; i--)
		if (i <= hops && chance_bytes(flags, i) <= room)
			return i;
	return 0;
}

/* The way to the first, and how many hops there is room for; 0: the packet goes without a list. */
static __always_inline __u32 chance_choose(const struct lb_scratch *at, const struct packet *packet,
					   struct choice *choice)
{
	__u32 mtu, without, hops;

	if (choose_nexthop(choice, LB_DROP_INTERNAL) != LB_NEXT)
		return 0;
	choice->flags |= LB_MEMBER_GUE;
	mtu = *(volatile __u32 *)&choice->nexthop->mtu;
	without = packet->length + encap_bytes(choice->flags);
	hops = mtu > without ? chance_fits(mtu - without, choice->flags, at->hops.count) : 0;
	if (!hops)
		flow_count(LB_FLOW_CHANCE_NO_ROOM);
	return hops;
}

/* --- the frame --- */

#define CHANCE_OFFSET_MASK 127

static __always_inline void chance_hop(void *to, const struct lb_scratch *at, __u32 i, __u32 flags)
{
	__u32 number = at->hops.number[i];
	const struct lb_member *member = bpf_map_lookup_elem(&members, &number);

	if (!member)
		return;
	if (flags & LB_MEMBER_OUTER6)
		__builtin_memcpy(to + i * 16, member->daddr, 16);
	else
		*(__be32 *)(to + i * 4) = member->daddr[0];
}

/* `offset`: where UDP ends. */
static __always_inline void chance_write(struct lb_scratch *at, __u32 offset,
					 const struct packet *packet, __u32 flags, __u32 hops)
{
	struct gue_list *list = (void *)at->outer + bounds_number(offset, CHANCE_OFFSET_MASK);
	__u32 i;

	list->control = (chance_bytes(flags, hops) - 4) / 4;
	list->protocol = packet->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	list->flags = 0;
	list->type = bpf_htons((flags & LB_MEMBER_OUTER6) != 0);
	list->next = 0;
	list->count = hops;
#pragma unroll
	for (i = 0; i < LB_HOPS_MAX; i++)
		if (i < hops)
			chance_hop(list + 1, at, i, flags);
}

/* The headers, in the scratch; how many bytes they have. 0: they cannot be written. */
static __always_inline __u32 chance_headers(struct lb_scratch *at, struct packet *packet,
					    const struct choice *choice, const struct macs *macs,
					    __u32 hops)
{
	const __u32 list = chance_bytes(choice->flags, hops), outer = encap_bytes(choice->flags);
	const __u32 before = ETH_HLEN + encap_tag_bytes(macs) + outer;
	int written;

	packet->length += list; /* which UDP says */
	written = encap_write(at->outer, at->outer + sizeof(at->outer), packet, choice, macs,
			      packet->length + outer);
	packet->length -= list;
	if (!written)
		return 0;
	chance_write(at, before, packet, choice->flags, hops);
	return before + list;
}

/* After chance_list, which said `first`. LB_TX or LB_REDIRECT: the frame is as it leaves. LB_NEXT: nothing
 * has changed, and the packet is to go the way of others. A global function, which the verifier looks at by itself,
 * and no caller of chance_list, for the stack. */
__noinline int chance_send(struct xdp_md *ctx, struct packet *packet, __u64 hash, __u32 first)
{
	struct choice choice = {.hash = hash, .number = first};
	__u32 zero = 0, bytes, hops, end;
	struct lb_scratch *at = bpf_map_lookup_elem(&scratch, &zero);
	struct macs macs;

	if (!packet || !at)
		return LB_DROP_INTERNAL;
	hops = chance_choose(at, packet, &choice);
	if (!hops || encap_macs(choice.nexthop, &macs) != LB_NEXT)
		return LB_NEXT;
	bytes = chance_headers(at, packet, &choice, &macs, hops);
	end = packet->l3 + packet->length;
	if (ctx->data_end - ctx->data != end)
		encap_cut(ctx, end, packet->l3 + ETHERNET_PAYLOAD_MIN); /* no call, for the stack */
	if (!bytes || bpf_xdp_adjust_head(ctx, (int)packet->l3 - (int)bytes))
		return LB_NEXT;
	bytes = bounds_number(bytes, 255);
	if (!bytes || bytes > sizeof(at->outer) || bpf_xdp_store_bytes(ctx, 0, at->outer, bytes))
		return LB_DROP_INTERNAL;
	flow_count(LB_FLOW_CHANCE_SENT);
	at->hops.count = hops;
	at->hops.ifindex = choice.nexthop->ifindex;
	if (at->hops.ifindex == ctx->ingress_ifindex)
		return LB_TX;
	return bpf_redirect_map(&egress, at->hops.ifindex, XDP_DROP) == XDP_REDIRECT
		       ? LB_REDIRECT
		       : LB_DROP_NO_EGRESS;
}

#define CHANCE_NO_WAY (LB_HOPS_MAX + 1)

/* How many hops chance_send would send, for who explains. CHANCE_NO_WAY: the first has no next hop that is
 * resolved. */
__noinline __u32 chance_count(const struct packet *packet, __u64 hash, __u32 first)
{
	struct choice choice = {.hash = hash, .number = first};
	__u32 zero = 0, hops;
	struct lb_scratch *at = bpf_map_lookup_elem(&scratch, &zero);
	struct macs macs;

	if (!packet || !at)
		return 0;
	hops = chance_choose(at, packet, &choice);
	if (!choice.nexthop || encap_macs(choice.nexthop, &macs) != LB_NEXT)
		return CHANCE_NO_WAY;
	return hops;
}

#endif
