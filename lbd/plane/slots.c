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
		.busy = calloc(size, sizeof(*slots->busy)),
		.next_deadline = SLOTS_NEVER,
	};
	if (slots->deadlines && slots->busy)
		return 0;
	slots_clear(slots);
	return -ENOMEM;
}

void slots_clear(struct slots *slots)
{
	free(slots->deadlines);
	free(slots->busy);
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
		slots->busy[slot] = true; /* until a whole pass has found it free */
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
			slots->busy[slot] = true;
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

static void settle(struct slots *slots, bool busy_too)
{
	uint32_t slot;

	for (slot = 0; slots->tracked && slot < slots->size; pause_at(slot++)) {
		uint32_t word = slots->words[slot];

		if (state_of(word) == TRACKED && (busy_too || !slots->busy[slot]))
			store(slots, slot, lb_slot_settled(lb_slot_current(word)));
	}
}

void slots_settle_tracked(struct slots *slots)
{
	settle(slots, true);
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
		slots->busy[slot] = true;
}

/* Of a flow by 5-tuple it is one of two slots: the other is only looked at for longer. */
void slots_seen(struct slots *slots, uint32_t tag, uint16_t member)
{
	mark_busy(slots, lb_tag_slot(tag, slots->size), member);
	mark_busy(slots, lb_tag_slot_else(tag, slots->size), member);
}

void slots_sweep_end(struct slots *slots)
{
	settle(slots, false);
	memset(slots->busy, false, slots->size);
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
