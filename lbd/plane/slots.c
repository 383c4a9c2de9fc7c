/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a slot when its owner changes, when time passes, and when the last stray flow has
 * ended? */
#include "slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/hash.h"
#include "../host/worker.h"

#define SLOTS_A_TURN 32768

enum slot_state { SETTLED, MOVING, TRACKED };

/* In passes over all slots: others may change words and deadlines in between, one after the other. */
static void pause_at(uint32_t slot)
{
	if (slot % SLOTS_A_TURN == SLOTS_A_TURN - 1)
		worker_yield();
}

static enum slot_state state_of(uint32_t word)
{
	if (lb_slot_is_settled(word))
		return SETTLED;
	return lb_slot_previous(word) == LB_NONE ? TRACKED : MOVING;
}

static bool is_foreign(const struct slots *slots, uint32_t slot)
{
	return slots->marks[slot] & SLOT_FOREIGN;
}

/* A slot without owner has the state SETTLED, and follows records. */
static bool is_clear(uint32_t word)
{
	return state_of(word) == SETTLED && lb_slot_current(word) != LB_NONE;
}

static uint32_t tracked_word(uint16_t owner)
{
	return lb_slot_word(owner, LB_NONE);
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

static void count(struct slots *slots, uint32_t word, int by)
{
	switch (state_of(word)) {
	case SETTLED:
		break;
	case MOVING:
		slots->moving += by;
		break;
	case TRACKED:
		slots->tracked += by;
		break;
	}
}

static void store(struct slots *slots, uint32_t slot, uint32_t word)
{
	if (state_of(slots->words[slot]) == MOVING)
		slots->unswept = 2; /* the rest of this pass, and a whole one */
	count(slots, slots->words[slot], -1);
	count(slots, word, 1);
	if (state_of(word) == TRACKED)
		slots->marks[slot] |= SLOT_BUSY; /* until a whole pass has found it free */
	__atomic_store_n(&slots->words[slot], word, __ATOMIC_RELEASE);
}

void slots_settle(struct slots *slots, const uint16_t *owners)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; pause_at(slot++))
		store(slots, slot, lb_slot_settled(owners[slot]));
}

void slots_track(struct slots *slots, const uint16_t *owners)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; pause_at(slot++))
		store(slots, slot, tracked_word(owners[slot]));
}

void slots_adopt(struct slots *slots, uint32_t now, uint32_t transition)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; slot++) {
		uint32_t word = slots->words[slot];

		count(slots, word, 1);
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

static bool has_bit(const uint64_t *members, uint16_t member)
{
	return member != LB_NONE && members[member / 64] >> member % 64 & 1;
}

void slots_change(struct slots *slots, const uint16_t *owners, const uint64_t *gone, uint32_t now,
		  uint32_t transition)
{
	uint32_t slot;

	for (slot = 0; slot < slots->size; pause_at(slot++)) {
		uint32_t word = slots->words[slot];
		uint32_t next =
			slot_next_word(word, owners[slot], has_bit(gone, lb_slot_current(word)),
				       has_bit(gone, lb_slot_previous(word)));

		if (next == word)
			continue;
		if (state_of(next) == MOVING && state_of(word) != MOVING) {
			/* The second under way counts as gone: no transition is short. */
			slots->deadlines[slot] = now + transition + 1;
			if (slots->deadlines[slot] < slots->next_deadline)
				slots->next_deadline = slots->deadlines[slot];
		}
		store(slots, slot, next);
		slots->changed = true;
	}
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

void slots_take_over(struct slots *to, const struct slots *from, const uint16_t *same,
		     bool recorded)
{
	uint32_t slot;

	for (slot = 0; slot < to->size; pause_at(slot++)) {
		const uint32_t word = from->words[slot];
		const uint16_t owner = same_member(same, lb_slot_current(word));

		to->deadlines[slot] = from->deadlines[slot];
		if (state_of(word) == MOVING && to->deadlines[slot] < to->next_deadline)
			to->next_deadline = to->deadlines[slot];
		store(to, slot, lb_slot_word(owner, same_member(same, lb_slot_previous(word))));
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

/* Where a packet goes that is on no record, and opens nothing. */
static uint16_t home_of(uint32_t word)
{
	return state_of(word) == MOVING ? lb_slot_previous(word) : lb_slot_current(word);
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
	for (uint32_t slot = 0; slot < from->size; slot++)
		if (!may_join(from, to, slot))
			return false;
	return true;
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

void slots_release(struct slots *slots, const uint64_t *members)
{
	uint32_t slot;

	for (slot = 0; slots->moving && slot < slots->size; pause_at(slot++)) {
		uint32_t word = slots->words[slot];

		if (is_moving_from(word, members))
			store(slots, slot, tracked_word(lb_slot_current(word)));
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

	if (now < slots->next_deadline)
		return;
	slots->next_deadline = SLOTS_NEVER; /* slots that begin to move meanwhile set theirs */
	for (slot = 0; slot < slots->size; pause_at(slot++)) {
		uint32_t word = slots->words[slot];

		if (state_of(word) != MOVING)
			continue;
		if (slots->deadlines[slot] <= now)
			store(slots, slot, tracked_word(lb_slot_current(word)));
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
		if (state_of(slots->words[slot]) == MOVING && slots->deadlines[slot] > last)
			last = slots->deadlines[slot];
	return last;
}

static void settle(struct slots *slots, bool busy_too)
{
	uint32_t slot;

	for (slot = 0; slots->tracked && slot < slots->size; pause_at(slot++)) {
		uint32_t word = slots->words[slot];

		if (state_of(word) == TRACKED && (busy_too || !(slots->marks[slot] & SLOT_BUSY)))
			store(slots, slot, lb_slot_settled(lb_slot_current(word)));
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

	for (slot = 0; slot < slots->size; pause_at(slot++))
		store(slots, slot, lb_slot_settled(LB_NONE));
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
