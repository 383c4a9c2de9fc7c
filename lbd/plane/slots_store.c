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

void slots_store(struct slots *slots, uint32_t slot, uint32_t word)
{
	if (state_of(slots->words[slot]) == MOVING)
		slots->unswept = 2; /* the rest of this pass, and a whole one */
	slots_count_state(slots, slots->words[slot], -1);
	slots_count_state(slots, word, 1);
	if (state_of(word) == TRACKED)
		slots->marks[slot] |= SLOT_BUSY; /* until a whole pass has found it free */
	__atomic_store_n(&slots->words[slot], word, __ATOMIC_RELEASE);
}

/* The second under way counts as gone: no transition is short. */
void slots_begin(struct slots *slots, uint32_t slot, uint32_t now, uint32_t transition)
{
	slots->deadlines[slot] = now + transition + 1;
	if (slots->deadlines[slot] < slots->next_deadline)
		slots->next_deadline = slots->deadlines[slot];
}
