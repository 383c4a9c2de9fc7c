/* SPDX-License-Identifier: BSD-2-Clause */
/* What has to follow when the word of a slot is stored? */
#include "slots_private.h"

void slots_count_state(struct slots *slots, uint32_t word, int by)
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

void slots_store_past(struct slots *slots, uint32_t slot, uint32_t past)
{
	if (slots->pasts && slots->pasts[slot] != past)
		__atomic_store_n(&slots->pasts[slot], past, __ATOMIC_RELEASE);
}

static void store_past(struct slots *slots, uint32_t slot, uint32_t word, const uint64_t *gone)
{
	uint64_t forgotten = 0;

	if (!slots->pasts)
		return;
	slots_store_past(
		slots, slot,
		slot_next_past(slots->pasts[slot], slots->words[slot], word, gone, &forgotten));
	if (slots->remember_s)
		slots->forgotten += forgotten;
}

void slots_forget(struct slots *slots, uint32_t slot, const uint64_t *gone)
{
	if (past_of(slots, slot) != LB_PAST_NONE)
		store_past(slots, slot, slots->words[slot], gone);
}

static void store_word(struct slots *slots, uint32_t slot, uint32_t word)
{
	if (state_of(slots->words[slot]) == MOVING)
		slots->unswept = 2; /* the rest of this pass, and a whole one */
	slots_count_state(slots, slots->words[slot], -1);
	slots_count_state(slots, word, 1);
	if (state_of(word) == TRACKED) {
		slots->marks[slot] |= SLOT_BUSY; /* until a whole pass has found it free */
		slots->deadlines[slot] = 0;
	}
	__atomic_store_n(&slots->words[slot], word, __ATOMIC_RELEASE);
}

void slots_store_renamed(struct slots *slots, uint32_t slot, uint32_t word, uint32_t past)
{
	uint64_t forgotten = 0;

	slots_store_past(slots, slot, slot_next_past(past, word, word, NULL, &forgotten));
	store_word(slots, slot, word);
}

void slots_store_joined(struct slots *slots, uint32_t slot, uint32_t word, uint32_t past)
{
	uint64_t forgotten = 0;

	slots_store_past(slots, slot,
			 past_joined(past_of(slots, slot), lb_slot_current(slots->words[slot]),
				     word, past, &forgotten));
	if (slots->remember_s)
		slots->forgotten += forgotten;
}

void slots_store(struct slots *slots, uint32_t slot, uint32_t word)
{
	slots_store_without(slots, slot, word, NULL);
}

void slots_store_without(struct slots *slots, uint32_t slot, uint32_t word, const uint64_t *gone)
{
	store_past(slots, slot, word, gone);
	store_word(slots, slot, word);
}

/* The second under way counts as gone: no transition is short. */
void slots_begin(struct slots *slots, uint32_t slot, uint32_t now, uint32_t transition)
{
	slots->deadlines[slot] = now + transition + 1;
	if (slots->deadlines[slot] < slots->next_deadline)
		slots->next_deadline = slots->deadlines[slot];
}
