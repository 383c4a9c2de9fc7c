/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a slot when its owner changes, when time passes, and when the last stray flow has
 * ended? */
#include "slots_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/hash.h"

static bool is_foreign(const struct slots *slots, uint32_t slot)
{
	return slots->marks[slot] & SLOT_FOREIGN;
}

int slots_init(struct slots *slots, uint32_t *words, uint32_t size)
{
	*slots = (struct slots){
		.words = words,
		.size = size,
		.deadlines = calloc(size, sizeof(*slots->deadlines)),
		.marks = calloc(size, sizeof(*slots->marks)),
		.next_deadline = SLOTS_NEVER,
	};
	if (slots->deadlines && slots->marks)
		return 0;
	slots_clear(slots);
	return -ENOMEM;
}

void slots_clear(struct slots *slots)
{
	free(slots->deadlines);
	free(slots->marks);
	*slots = (struct slots){0};
}

void slots_settle(struct slots *slots, const uint16_t *owners)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; pause_at(slot++))
		slots_store(slots, slot, lb_slot_settled(owners[slot]));
}

void slots_track(struct slots *slots, const uint16_t *owners)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; pause_at(slot++))
		slots_store(slots, slot, tracked_word(owners[slot]));
}

void slots_adopt(struct slots *slots, uint32_t now, uint32_t transition)
{
	uint32_t slot;

	slots->now_s = now;
	for (slot = 0; slot < slots->size; slot++) {
		uint32_t word = slots->words[slot];

		slots_count_state(slots, word, 1);
		if (is_clear(word)) /* the word was to follow, or this */
			slots_store_past(slots, slot, LB_PAST_NONE);
		if (state_of(word) == TRACKED)
			slots->marks[slot] |= SLOT_BUSY;
		if (state_of(word) == MOVING)
			slots->deadlines[slot] = now + transition + 1;
	}
	if (slots->moving)
		slots->next_deadline = now + transition + 1;
}

static uint32_t next_of_moving(uint32_t word, uint16_t owner, bool previous_gone)
{
	if (previous_gone || owner == lb_slot_previous(word))
		return tracked_word(owner);
	return lb_slot_word(owner, lb_slot_previous(word));
}

uint32_t slot_next_word(uint32_t word, uint16_t owner, bool current_gone, bool previous_gone)
{
	uint16_t current = lb_slot_current(word);

	if (state_of(word) == MOVING)
		return next_of_moving(word, owner, previous_gone);
	if (owner == current)
		return word;
	if (current == LB_NONE) /* recorded flows of drained backends may be left */
		return tracked_word(owner);
	if (current_gone)
		return state_of(word) == SETTLED ? lb_slot_settled(owner) : tracked_word(owner);
	return lb_slot_word(owner, current);
}

void slots_follow(struct slots *slots, struct slots_owners owners, const uint64_t *gone,
		  uint32_t now, uint32_t transition)
{
	uint32_t slot;

	slots->now_s = now;
	if (slots->resizes) {
		resize_follow(slots, owners, gone, now, transition);
		return;
	}
	for (slot = 0; slot < slots->size; pause_at(slot++)) {
		uint32_t word = slots->words[slot];
		uint32_t next = slot_next_word(word, slots_owner(slot, slots->size, owners),
					       has_bit(gone, lb_slot_current(word)),
					       has_bit(gone, lb_slot_previous(word)));

		if (next == word) {
			slots_forget(slots, slot, gone);
			continue;
		}
		if (state_of(next) == MOVING && state_of(word) != MOVING)
			slots_begin(slots, slot, now, transition);
		slots_store_without(slots, slot, next, gone);
		slots->changed = true;
	}
}

void slots_change(struct slots *slots, const uint16_t *owners, const uint64_t *gone, uint32_t now,
		  uint32_t transition)
{
	slots_follow(slots, (struct slots_owners){owners, slots->size}, gone, now, transition);
}

static void set_foreign(struct slots *slots, uint32_t slot)
{
	if (!is_foreign(slots, slot))
		slots->foreign++;
	slots->marks[slot] |= SLOT_FOREIGN | SLOT_BUSY;
}

static uint16_t same_member(const uint16_t *same, uint16_t member)
{
	return member == LB_NONE || same[member] == LB_NONE ? member : same[member];
}

static uint32_t same_past(const uint16_t *same, uint32_t past)
{
	return (uint32_t)same_member(same, lb_past_at(past, 1)) << 16 |
	       same_member(same, lb_past_at(past, 0));
}

void slots_take_over(struct slots *to, const struct slots *from, const uint16_t *same,
		     bool recorded)
{
	uint32_t slot;

	for (slot = 0; slot < to->size; pause_at(slot++)) {
		const uint32_t word = from->words[slot];
		const uint16_t owner = same_member(same, lb_slot_current(word));

		to->deadlines[slot] = from->marks[slot] & SLOT_RECORDED ? 0 : from->deadlines[slot];
		to->marks[slot] &= ~SLOT_RECORDED;
		if (state_of(word) == MOVING && to->deadlines[slot] < to->next_deadline)
			to->next_deadline = to->deadlines[slot];
		slots_store_renamed(to, slot,
				    lb_slot_word(owner, same_member(same, lb_slot_previous(word))),
				    same_past(same, past_of(from, slot)));
		if (recorded || owner == lb_slot_current(word) || !is_clear(word))
			set_foreign(to, slot);
	}
	to->unswept = 2;
}

void slots_all_foreign(struct slots *slots)
{
	for (uint32_t slot = 0; slot < slots->size; slot++)
		set_foreign(slots, slot);
}

static bool may_join(const struct slots *from, const struct slots *to, uint32_t slot)
{
	const uint32_t a = from->words[slot], b = to->words[slot];

	if (home_of(a) != home_of(b))
		return false;
	if (state_of(a) == MOVING)
		return a == b && from->deadlines[slot] <= to->deadlines[slot];
	return is_clear(a) || !is_clear(b);
}

bool slots_may_join(const struct slots *from, const struct slots *to)
{
	if (from->size != to->size)
		return resize_may_join(from, to);
	for (uint32_t slot = 0; slot < from->size; slot++)
		if (!may_join(from, to, slot))
			return false;
	return true;
}

void slots_join_pasts(struct slots *to, const struct slots *from)
{
	for (uint32_t slot = 0; slot < from->size; pause_at(slot++))
		if (!is_clear(from->words[slot]) && !is_clear(to->words[slot]))
			slots_store_joined(to, slot, from->words[slot], past_of(from, slot));
}

void slots_keep_known(struct slots *slots, const uint64_t *known)
{
	for (uint32_t slot = 0; slots->pasts && slot < slots->size; pause_at(slot++))
		slots_store_past(slots, slot, past_known(slots->pasts[slot], known));
}

bool slots_take_changed(struct slots *slots)
{
	bool changed = slots->changed;

	slots->changed = false;
	return changed;
}

static bool is_moving_from(uint32_t word, const uint64_t *members)
{
	return state_of(word) == MOVING && has_bit(members, lb_slot_previous(word));
}

static void end_transition(struct slots *slots, uint32_t slot)
{
	if (slots->resizes)
		resize_recorded(slots, slot);
	else
		slots_store(slots, slot, tracked_word(lb_slot_current(slots->words[slot])));
}

void slots_release(struct slots *slots, const uint64_t *members)
{
	uint32_t slot;

	for (slot = 0; slots->moving && slot < slots->size; pause_at(slot++)) {
		if (is_moving_from(slots->words[slot], members))
			end_transition(slots, slot);
	}
}

void slots_hasten(struct slots *slots, const uint64_t *members, uint32_t until)
{
	uint32_t slot;

	for (slot = 0; slots->moving && slot < slots->size; pause_at(slot++)) {
		if (!is_moving_from(slots->words[slot], members) || slots->deadlines[slot] <= until)
			continue;
		slots->deadlines[slot] = until;
		if (slots->next_deadline > until)
			slots->next_deadline = until;
	}
}

void slots_expire(struct slots *slots, uint32_t now)
{
	uint32_t next_deadline = SLOTS_NEVER, slot;

	slots->now_s = now;
	if (now < slots->next_deadline)
		return;
	slots->next_deadline = SLOTS_NEVER; /* slots that begin to move meanwhile set theirs */
	for (slot = 0; slot < slots->size; pause_at(slot++)) {
		uint32_t word = slots->words[slot];

		if (state_of(word) != MOVING)
			continue;
		if (slots->deadlines[slot] <= now)
			end_transition(slots, slot);
		else if (slots->deadlines[slot] < next_deadline)
			next_deadline = slots->deadlines[slot];
	}
	if (next_deadline < slots->next_deadline)
		slots->next_deadline = next_deadline;
}

uint32_t slots_last_deadline(const struct slots *slots)
{
	uint32_t last = 0, slot;

	for (slot = 0; slots->moving && slot < slots->size; slot++)
		if (state_of(slots->words[slot]) == MOVING && slots->deadlines[slot] > last &&
		    slots->deadlines[slot] != SLOTS_NEVER)
			last = slots->deadlines[slot];
	return last;
}

/* Whether a TRACKED slot has to wait for the sake of its past. */
static bool waits(struct slots *slots, uint32_t slot)
{
	if (!slots->remember_s || past_of(slots, slot) == LB_PAST_NONE)
		return false;
	if (!slots->deadlines[slot])
		slots->deadlines[slot] = slots->now_s;
	return slots->now_s - slots->deadlines[slot] < slots->remember_s;
}

static void settle(struct slots *slots, bool busy_too)
{
	uint32_t slot;

	for (slot = 0; slots->tracked && slot < slots->size; pause_at(slot++)) {
		uint32_t word = slots->words[slot];

		if (state_of(word) == TRACKED && !waits(slots, slot) &&
		    (busy_too || !(slots->marks[slot] & SLOT_BUSY)))
			slots_store(slots, slot, lb_slot_settled(lb_slot_current(word)));
	}
}

static void end_foreign(struct slots *slots, bool busy_too)
{
	uint32_t slot;

	for (slot = 0; slots->foreign && slot < slots->size; slot++) {
		if (!is_foreign(slots, slot) || !is_clear(slots->words[slot]) ||
		    (!busy_too && slots->marks[slot] & SLOT_BUSY))
			continue;
		slots->marks[slot] &= ~SLOT_FOREIGN;
		slots->foreign--;
	}
}

void slots_settle_tracked(struct slots *slots)
{
	settle(slots, true);
	end_foreign(slots, true);
	slots->unswept = 0;
}

void slots_reset(struct slots *slots)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; pause_at(slot++)) {
		slots_store(slots, slot, lb_slot_settled(LB_NONE));
		slots_store_past(slots, slot, LB_PAST_NONE);
	}
	slots->next_deadline = SLOTS_NEVER;
	slots->unswept = 0;
}

static void mark_busy(struct slots *slots, uint32_t slot, uint16_t member)
{
	if (lb_slot_current(slots->words[slot]) != member)
		slots->marks[slot] |= SLOT_BUSY;
}

/* Of a flow by 5-tuple it is one of two slots: the other is only looked at for longer. */
void slots_seen(struct slots *slots, uint32_t tag, uint16_t member)
{
	mark_busy(slots, lb_tag_slot(tag, slots->size), member);
	mark_busy(slots, lb_tag_slot_else(tag, slots->size), member);
}

void slots_sweep_end(struct slots *slots)
{
	uint32_t slot;

	if (!slots->joined)
		settle(slots, false);
	end_foreign(slots, false);
	for (slot = 0; slot < slots->size; slot++)
		slots->marks[slot] &= ~SLOT_BUSY;
	if (slots->unswept)
		slots->unswept--;
}

void slots_count(const struct slots *slots, struct slots_census *census)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; slot++) {
		uint32_t word = slots->words[slot];

		census->owned[lb_slot_current(word)]++;
		if (state_of(word) == MOVING)
			census->leaving[lb_slot_previous(word)]++;
	}
}

void slots_uncount(const struct slots *slots, struct slots_census *census)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; slot++) {
		census->owned[lb_slot_current(slots->words[slot])] = 0;
		census->leaving[lb_slot_previous(slots->words[slot])] = 0;
	}
}
