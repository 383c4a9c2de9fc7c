/* SPDX-License-Identifier: BSD-2-Clause */
/* How do VIPs go from a table to one of another size, with the same members, and keep their flows?
 *
 * A slot is a range of hashes (lb_hash_slot), so each of one table meets some neighbours of the other.
 * A flow would change its owner where these differ, and no word can say which of its owners a flow had
 * before. But a record can. So before the VIPs go, their flows are put on record: a slot that meets
 * others than its owner is MOVING to one of them. When its transition has ended every flow is on record
 * that has sent meanwhile, and every one that has begun since. The slot stays MOVING, which records what
 * comes, until this is true of all slots. Then packets may go by the other table, from one look-up to
 * the next: it follows records where flows are on record (slots_join), and where none is it has the same
 * owner.
 */
#include "slots_private.h"

#include "../../bpf/hash.h"

struct range {
	uint32_t first, last;
};

/* The slots of a table of `other` slots that a slot meets: those of its lowest hash to its highest. */
static struct range met_by(uint32_t slot, uint32_t size, uint32_t other)
{
	const uint64_t low = (((uint64_t)slot << 32) + size - 1) / size;
	const uint64_t high = (((uint64_t)(slot + 1) << 32) + size - 1) / size - 1;

	return (struct range){lb_hash_slot(low << 32, other), lb_hash_slot(high << 32, other)};
}

uint16_t slots_owner(uint32_t slot, uint32_t size, struct slots_owners owners)
{
	struct range met;

	if (size == owners.size)
		return owners.at[slot];
	met = met_by(slot, size, owners.size);
	return owners.at[met.first + (met.last - met.first) / 2];
}

static bool has_owner(struct range met, struct slots_owners owners, uint16_t member)
{
	for (uint32_t slot = met.first; slot <= met.last; slot++)
		if (owners.at[slot] == member)
			return true;
	return false;
}

/* Another owner than `home`, that which the slot has if it may have it; `home`: there is none. */
static uint16_t owner_beside(struct range met, struct slots_owners owners, uint16_t home,
			     uint16_t current)
{
	if (current != home && has_owner(met, owners, current))
		return current;
	for (uint32_t slot = met.first; slot <= met.last; slot++)
		if (owners.at[slot] != home)
			return owners.at[slot];
	return home;
}

/* While some flow is on no record what is on none keeps its home. Later it may go to any of the owners. */
static uint32_t next_word(uint32_t word, struct range met, struct slots_owners owners,
			  bool recorded)
{
	uint16_t home = home_of(word), owner;

	if (recorded && !has_owner(met, owners, home))
		home = owners.at[met.first];
	owner = owner_beside(met, owners, home, lb_slot_current(word));
	if (owner != home)
		return lb_slot_word(owner, home);
	return state_of(word) != MOVING && home == lb_slot_current(word) ? word
									 : tracked_word(home);
}

static void mark_recorded(struct slots *slots, uint32_t slot)
{
	slots->marks[slot] |= SLOT_RECORDED;
	slots->deadlines[slot] = SLOTS_NEVER;
}

void resize_recorded(struct slots *slots, uint32_t slot)
{
	mark_recorded(slots, slot);
	slots->due = true;
}

static void follow(struct slots *slots, uint32_t slot, struct slots_owners owners,
		   const uint64_t *gone, uint32_t now, uint32_t transition)
{
	const bool recorded = slots->marks[slot] & SLOT_RECORDED;
	const uint32_t word = slots->words[slot];
	const uint32_t next =
		next_word(word, met_by(slot, slots->size, owners.size), owners, recorded);

	if (state_of(next) != MOVING)
		slots->marks[slot] &= ~SLOT_RECORDED; /* flows that begin are on none */
	else if (!recorded && state_of(word) != MOVING)
		slots_begin(slots, slot, now, transition);
	if (next == word) {
		slots_forget(slots, slot, gone);
		return;
	}
	slots_store_without(slots, slot, next, gone);
	slots->changed = true;
}

void resize_follow(struct slots *slots, struct slots_owners owners, const uint64_t *gone,
		   uint32_t now, uint32_t transition)
{
	slots->due = false;
	for (uint32_t slot = 0; slot < slots->size; pause_at(slot++)) {
		const uint16_t home = home_of(slots->words[slot]);

		if (home == LB_NONE || has_bit(gone, home)) /* nobody has flows that are on none */
			mark_recorded(slots, slot);
		follow(slots, slot, owners, gone, now, transition);
	}
}

static bool may_leave(const struct slots *from, const struct slots *to, uint32_t slot)
{
	const uint32_t word = from->words[slot];
	const struct range met = met_by(slot, from->size, to->size);

	if (state_of(word) == MOVING)
		return from->marks[slot] & SLOT_RECORDED;
	if (lb_slot_current(word) == LB_NONE)
		return true;
	for (uint32_t other = met.first; other <= met.last; other++)
		if (state_of(to->words[other]) == MOVING ||
		    lb_slot_current(to->words[other]) != lb_slot_current(word))
			return false;
	return true;
}

bool resize_may_join(const struct slots *from, const struct slots *to)
{
	for (uint32_t slot = 0; from->resizes && slot < from->size; slot++)
		if (!may_leave(from, to, slot))
			return false;
	return from->resizes;
}

static void join(struct slots *to, uint32_t slot, uint32_t word, uint32_t past)
{
	if (is_clear(to->words[slot]))
		slots_store(to, slot, tracked_word(lb_slot_current(to->words[slot])));
	slots_store_joined(to, slot, word, past);
}

void slots_join(struct slots *to, const struct slots *from)
{
	to->joined = true;
	to->unswept = 2;
	for (uint32_t slot = 0; slot < from->size; pause_at(slot++)) {
		const struct range met = met_by(slot, from->size, to->size);

		for (uint32_t other = met.first; !is_clear(from->words[slot]) && other <= met.last;
		     other++)
			join(to, other, from->words[slot], past_of(from, slot));
	}
}

void slots_joined(struct slots *to)
{
	to->joined = false;
}
