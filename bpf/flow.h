/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which member takes a packet whose slot is not SETTLED? The flow table's look-up, insert and
 * victim rule.
 *
 *   record                    a SYN goes                      any other packet goes
 *   none, slot MOVING         to the owner, recorded          to the previous owner, recorded
 *   none, slot TRACKED        to the owner                    to the owner
 *   its member takes it       to that member                  to that member
 *   its member does not       to the owner, recorded;         to the previous owner or, without
 *                             or to that member (below)       one, to the owner, recorded
 *
 * A member takes a SYN with LB_MEMBER_NEW and other packets with LB_MEMBER_OLD. A previous owner
 * without LB_MEMBER_OLD counts as none. A SYN goes to a member on record that takes no new flows
 * while that member keeps old ones and the recorded flow may be alive (flow_is_over). A SYN whose
 * record is refused goes to the previous owner, if that takes new flows: later packets of its flow
 * have no record and go there. What only follows (`only_follows`) goes where any other packet goes,
 * and changes no record.
 *
 * Compiled three times: into the program, into lbd (the sweep) and into tests. Whoever includes it
 * defines what differs between them:
 *
 *   flow_member_flags   LB_MEMBER_* of a member; 0 when it is of none of the VIP's pools
 *   flow_count          counts one enum lb_flow_count
 *   flow_may_evict      whether a packet that is no SYN may still push a record out (a budget)
 *
 * Words change by compare-and-swap only. Who loses the race does not try again.
 */
#ifndef LB_FLOW_H
#define LB_FLOW_H

#include "bounds.h"
#include "flow_word.h"

/* One packet's look-up. */
struct flow {
	struct lb_flow_bucket *bucket;
	__u32 tag;
	__u32 time;
	__u32 idle;       /* units after which a confirmed word of any VIP is dead */
	__u64 pools;      /* of its VIP, see lb_pools */
	int syn;          /* opens a TCP connection or an SCTP association */
	int closes;       /* a TCP FIN or RST */
	int only_follows; /* an ICMP error or a later fragment: it changes nothing in the table */
};

LB_FLOW_INLINE __u64 flow_read(const struct flow *flow, int way)
{
	return *(volatile __u64 *)&flow->bucket->word[way & (LB_FLOW_WAYS - 1)];
}

LB_FLOW_INLINE int flow_write(const struct flow *flow, int way, __u64 old, __u64 word)
{
	const __u64 place = bounds_number(way, LB_FLOW_WAYS - 1);

	return __sync_val_compare_and_swap(&flow->bucket->word[place], old, word) == old;
}

LB_FLOW_INLINE int flow_is_at(const struct flow *flow, int way, __u64 *word)
{
	*word = flow_read(flow, way);
	return flow_word_tag(*word) == flow->tag && *word;
}

/* The way of this flow's word, or -1. It is nearly always where flow_victim has begun to look for
 * a free one; a search from the first way on would end where no branch predictor can foresee. */
LB_FLOW_INLINE int flow_find(const struct flow *flow, __u64 *word)
{
	int way = flow->tag & (LB_FLOW_WAYS - 1);

	if (flow_is_at(flow, way, word))
		return way;
#pragma unroll
	for (way = 0; way < LB_FLOW_WAYS; way++)
		if (flow_is_at(flow, way, word))
			return way;
	return -1;
}

/* How readily a word is given up: more is sooner, 0 is never. */
LB_FLOW_INLINE __u32 flow_victim_rank(const struct flow *flow, __u64 word)
{
	__u32 age = flow_word_age(word, flow->time), grade = flow_word_grade(word);

	if (!word)
		return ~0u;
	if (age > flow->idle)
		return (LB_FLOW_PROVEN + 1) << 16 | age;
	return grade == LB_FLOW_PROVEN ? 0 : (LB_FLOW_PROVEN - grade) << 16 | age;
}

/* The way to write a new word to, or -1. Ties are broken by where the search starts, which differs
 * from flow to flow: else a flood would always hit the newest word. */
LB_FLOW_INLINE int flow_victim(const struct flow *flow, __u64 *old)
{
	__u32 best_rank = 0, rank;
	int best = -1, i;

#pragma unroll
	for (i = 0; i < LB_FLOW_WAYS; i++) {
		int way = (flow->tag + i) & (LB_FLOW_WAYS - 1);
		__u64 word = flow_read(flow, way);

		rank = flow_victim_rank(flow, word);
		if (rank > best_rank) {
			best_rank = rank;
			best = way;
			*old = word;
		}
	}
	return best;
}

LB_FLOW_INLINE __u32 flow_first_grade(const struct flow *flow)
{
	if (flow->closes)
		return LB_FLOW_CLOSED;
	return flow->syn ? LB_FLOW_NEW : LB_FLOW_FOUND;
}

/* Records that `member` has the flow. 0, or -1 when the table refuses. */
LB_FLOW_INLINE int flow_insert(const struct flow *flow, __u32 member)
{
	__u64 old = 0;
	int way = flow_victim(flow, &old);

	if (way < 0) {
		flow_count(LB_FLOW_REFUSED);
		return -1;
	}
	if (old && !flow->syn && !flow_may_evict(flow)) {
		flow_count(LB_FLOW_OVER_BUDGET);
		return -1;
	}
	if (!flow_write(flow, way, old,
			flow_word(flow->tag, member, flow_first_grade(flow), flow->time))) {
		flow_count(LB_FLOW_RACED);
		return -1;
	}
	flow_count(old ? LB_FLOW_EVICTED : LB_FLOW_INSERTED);
	return 0;
}

/* What the flow has shown by now. A SYN shows nothing, but after a FIN it begins another flow. What
 * follows on a FIN at once, as the last ACK does, is no sign of life; later packets are. */
LB_FLOW_INLINE __u32 flow_grade(const struct flow *flow, __u64 word)
{
	__u32 grade = flow_word_grade(word), age = flow_word_age(word, flow->time);

	if (flow->closes)
		return LB_FLOW_CLOSED;
	if (flow->syn)
		return grade == LB_FLOW_CLOSED ? LB_FLOW_FOUND : grade;
	if (grade == LB_FLOW_CLOSED && !age)
		return grade;
	return flow_grade_after(grade, age);
}

/* Its word lives on. A SYN keeps it from ending before its flow has begun. Written once a unit but
 * for a flow's first packets. */
LB_FLOW_INLINE void flow_confirm(const struct flow *flow, int way, __u64 word)
{
	__u64 fresh =
		flow_word(flow->tag, flow_word_member(word), flow_grade(flow, word), flow->time);

	if (fresh == word)
		return;
	flow_write(flow, way, word, fresh);
	flow_count(LB_FLOW_CONFIRMED);
}

LB_FLOW_INLINE int flow_member_takes(const struct flow *flow, __u32 member, __u32 wanted)
{
	return member != LB_NONE && flow_member_flags(flow, member) & wanted;
}

/* Whether a SYN, to a backend on record that takes no new flows, may be of another flow than the
 * one on record: that has shown nothing yet, is dead, or was closed more than a time unit ago. A
 * live flow is not given up for a SYN, which anybody can forge. */
LB_FLOW_INLINE int flow_is_over(const struct flow *flow, __u64 word)
{
	__u32 age = flow_word_age(word, flow->time), grade = flow_word_grade(word);

	return age > flow->idle || grade == LB_FLOW_NEW || (grade == LB_FLOW_CLOSED && age > 1);
}

/* Whether the packet may be of a flow from before the slot's first change, which is on no record. */
LB_FLOW_INLINE int flow_is_previous(const struct flow *flow, __u32 slot)
{
	return !flow->syn && flow_member_takes(flow, lb_slot_previous(slot), LB_MEMBER_OLD);
}

/* Where a packet without a record goes while the slot is MOVING. */
LB_FLOW_INLINE __u32 flow_route_moving(const struct flow *flow, __u32 slot)
{
	__u32 current = lb_slot_current(slot), previous = lb_slot_previous(slot);

	if (flow_is_previous(flow, slot)) {
		/* Refused or not: until the transition ends a miss leads here. */
		flow_insert(flow, previous);
		return previous;
	}
	if (current == LB_NONE)
		return LB_NONE;
	if (flow_insert(flow, current) && flow_member_takes(flow, previous, LB_MEMBER_NEW))
		return previous; /* unrecorded, its later packets will miss and go there */
	return current;
}

/* The backend on record no longer takes the packet: its flow begins again, at the slot's owner. Or
 * the record is what a removed backend left behind, and the tuple has had an unrecorded flow since:
 * the packet goes where it would go without a record. */
LB_FLOW_INLINE __u32 flow_replace(const struct flow *flow, int way, __u64 word, __u32 slot)
{
	__u32 owner = flow_is_previous(flow, slot) ? lb_slot_previous(slot) : lb_slot_current(slot);

	flow_write(flow, way, word,
		   owner == LB_NONE
			   ? 0
			   : flow_word(flow->tag, owner, flow_first_grade(flow), flow->time));
	flow_count(LB_FLOW_REPLACED);
	return owner;
}

/* To the member that has the flow, or would have a packet of it that opens nothing; but the word is
 * not renewed, nor one written. */
LB_FLOW_INLINE __u32 flow_follow(const struct flow *flow, __u32 slot)
{
	__u64 word = 0;

	if (flow_find(flow, &word) >= 0 &&
	    flow_member_takes(flow, flow_word_member(word), LB_MEMBER_OLD)) {
		flow_count(LB_FLOW_HIT);
		return flow_word_member(word);
	}
	flow_count(LB_FLOW_MISSED);
	return flow_is_previous(flow, slot) ? lb_slot_previous(slot) : lb_slot_current(slot);
}

/* The member for a packet, LB_NONE when none takes it. `slot` is not SETTLED, or has no owner. */
LB_FLOW_INLINE __u32 flow_route(const struct flow *flow, __u32 slot)
{
	__u64 word = 0;
	int way;

	if (flow->only_follows)
		return flow_follow(flow, slot);
	way = flow_find(flow, &word);
	if (way >= 0) {
		__u32 member = flow_word_member(word), flags = flow_member_flags(flow, member);

		if (flags & (flow->syn ? LB_MEMBER_NEW : LB_MEMBER_OLD)) {
			flow_count(LB_FLOW_HIT);
			flow_confirm(flow, way, word);
			return member;
		}
		if (flags & LB_MEMBER_OLD && !flow_is_over(flow, word)) {
			flow_count(LB_FLOW_HIT); /* SYNs must not keep the word alive */
			if (flow_word_grade(word) == LB_FLOW_CLOSED)
				flow_confirm(flow, way, word);
			return member;
		}
		return flow_replace(flow, way, word, slot);
	}
	flow_count(LB_FLOW_MISSED);
	return lb_slot_previous(slot) == LB_NONE ? lb_slot_current(slot)
						 : flow_route_moving(flow, slot);
}

#endif
