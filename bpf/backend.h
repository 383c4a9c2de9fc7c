/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 4: from a flow to the member that takes it, and to its next hop. */
#ifndef LB_BACKEND_H
#define LB_BACKEND_H

#include "hash.h"
#include "maps.h"
#include "packet.h"
#include "vip.h"

struct flow;
static __always_inline __u32 flow_member_flags(const struct flow *flow, __u32 number);
static __always_inline int flow_may_evict(const struct flow *flow);
static __always_inline void flow_count(enum lb_flow_count what);

#include "flow.h"

struct choice {
	__u64 hash;
	__u32 number; /* of the member */
	__u32 led;    /* by its QUIC id: how much further on its counter is; else 0 */
	__u32 flags;  /* the member's, read once: lbd may be changing them */
	struct lb_member *member;
	struct lb_nexthop *nexthop;
	/* Not on the plain way: the member that gets it with a list (chance.h), and 1; 0: none does. */
	__u32 listed;
};

/* What the flow chooses its slot by; flags 0: what tells it from every other. */
static __always_inline __u64 flow_hash(const struct packet *packet, __u32 flags)
{
	const struct lb_hash_flow flow = {
		.source = {packet->source[0], packet->source[1]},
		.destination = {packet->destination[0], packet->destination[1]},
		.ports = packet->ports,
		.protocol = packet->protocol,
		.family = packet->family,
	};

	return lb_hash_flow(config.seed, &flow, flags);
}

/* Where in the flow table the flow's record is. */
struct place {
	__u32 tag, bucket;
};

/* Where flows share a hash, the 5-tuple tells each from the others. */
static __always_inline struct place flow_place(const struct packet *packet, const struct vip *vip,
					       __u64 hash)
{
	const __u32 size = lb_place_size(vip->place);
	__u64 own;

	if (!(vip->flags & (LB_VIP_HASH_SOURCE | LB_VIP_HASH_SOURCE_PORT)))
		return (struct place){lb_hash_tag(hash), hash};
	own = flow_hash(packet, 0);
	return (struct place){lb_hash_tag_within(lb_hash_slot(hash, size), size, own), own};
}

/* --- what flow.h asks for --- */

static __always_inline __u32 flow_member_flags(const struct flow *flow, __u32 number)
{
	struct lb_member *member = bpf_map_lookup_elem(&members, &number);

	return member && lb_pools_have(flow->pools, member->pool)
		       ? *(volatile __u32 *)&member->flags
		       : 0;
}

static __always_inline void flow_count(enum lb_flow_count what)
{
	__u32 key = what;
	__u64 *count = bpf_map_lookup_elem(&flow_counts, &key);

	if (count)
		++*count;
}

/* Packets that are not SYNs push out each other's records, and those of new connections before
 * their first ACK, only so fast: a flood of them must not keep connections from being made. */
static __always_inline int flow_may_evict(const struct flow *flow)
{
	__u32 zero = 0;
	struct lb_budget *spent = bpf_map_lookup_elem(&budget, &zero);

	if (!spent)
		return 0;
	if (spent->time != flow->time) {
		spent->time = flow->time;
		spent->used = 0;
	}
	if (spent->used >= config.flow_budget)
		return 0;
	spent->used++;
	return 1;
}

/* --- the slot, and where it is not SETTLED the flow table --- */

enum { NO_OPENING, OPENS_FLOW, CLOSES_FLOW, ONLY_FOLLOWS };
#define ROLE_PLAIN 0x100 /* on the plain way: with the packet's tcp_flags, which tell its role */

/* The number of no member: the packet goes the way of those that are not plain, since it may have a list. */
#define NO_MEMBER_AGAIN 0x10000u

static __always_inline int flags_role(__u32 tcp_flags)
{
	if ((tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return OPENS_FLOW;
	return tcp_flags & (TCP_FIN | TCP_RST) ? CLOSES_FLOW : NO_OPENING;
}

static __always_inline int packet_role(const struct packet *packet)
{
	if (unlikely(packet_only_follows(packet)))
		return ONLY_FOLLOWS;
	return flags_role(packet->tcp_flags);
}

/* The flow table's time. The clock moves on with the kernel's ticks, whose number is read without a
 * call: so it is asked once a tick, and `flow_clock` remembers, in one word for all CPUs,
 *
 *   tick:49 | time:15 */
static __always_inline __u32 flow_time(void)
{
	const __u64 tick = bpf_jiffies64() << LB_FLOW_TIME_BITS;
	__u64 known = flow_clock;

	if ((known & ~(__u64)LB_FLOW_TIME_MASK) != tick) {
		known = tick |
			(bpf_ktime_get_coarse_ns() >> LB_FLOW_TIME_SHIFT & LB_FLOW_TIME_MASK);
		flow_clock = known;
	}
	return known & LB_FLOW_TIME_MASK;
}

static __always_inline __u32 member_flags(__u32 number)
{
	struct lb_member *member = bpf_map_lookup_elem(&members, &number);

	return member ? *(volatile __u32 *)&member->flags : 0;
}

/* Whether packets of the slot may have a list. */
static __always_inline int slot_is_chain(__u32 slot)
{
	return (member_flags(lb_slot_current(slot)) | member_flags(lb_slot_previous(slot))) &
	       LB_MEMBER_CHAIN;
}

/* Out of line: the common path has no use for its registers. */
__noinline __u32 unsettled_member(__u32 tag, __u32 bucket, __u32 slot, __u32 vip, int kind)
{
	const int role = kind & ROLE_PLAIN ? flags_role(kind) : kind;
	__u32 zero = 0;
	struct lb_tuning *tuned = bpf_map_lookup_elem(&tuning, &zero);
	__u64 *pools = bpf_map_lookup_elem(&vip_pools, &vip);
	struct flow flow = {
		.tag = tag,
		.time = flow_time(),
		.idle = tuned ? *(volatile __u32 *)&tuned->flow_idle : LB_FLOW_TIME_MASK,
		.pools = pools ? *(volatile __u64 *)pools : 0,
		.syn = role == OPENS_FLOW,
		.closes = role == CLOSES_FLOW,
		.only_follows = role == ONLY_FOLLOWS,
	};

	if (kind > ROLE_PLAIN && role != OPENS_FLOW && slot_is_chain(slot))
		return NO_MEMBER_AGAIN; /* TCP: other packets have no flags */
	bucket &= config.flow_buckets - 1;
	flow.bucket = bpf_map_lookup_elem(&flows, &bucket);
	return flow.bucket ? flow_route(&flow, slot) : lb_slot_current(slot);
}

/* `missing`: the verdict where there is no such member. On the plain way unsettled_member may have said one that is
 * none (NO_MEMBER_AGAIN): that costs other packets no branch, nor a register. */
static __always_inline int choose_nexthop(struct choice *choice, int missing)
{
	/* A key of its own, or all of *choice would live in memory. */
	__u32 number = choice->number;

	choice->member = bpf_map_lookup_elem(&members, &number);
	if (!choice->member)
		return missing;
	choice->flags = *(volatile __u32 *)&choice->member->flags;
	if (!(choice->flags & LB_MEMBER_VALID))
		return LB_DROP_INTERNAL;
	if (missing == LB_AGAIN && choice->led && !(choice->flags & LB_MEMBER_OLD))
		return missing; /* its QUIC id names a member that keeps no flows: its slot decides */
	number = *(volatile __u16 *)&choice->member->path[choice->hash % LB_MEMBER_PATHS];
	choice->nexthop = bpf_map_lookup_elem(&nexthops, &number);
	return choice->nexthop ? LB_NEXT : LB_DROP_INTERNAL;
}

#endif
