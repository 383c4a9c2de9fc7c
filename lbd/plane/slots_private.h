/* SPDX-License-Identifier: BSD-2-Clause */
/* What do slots.c, slots_past.c, slots_resize.c and slots_store.c share? */
#ifndef LB_SLOTS_PRIVATE_H
#define LB_SLOTS_PRIVATE_H

#include "slots.h"

#include "../host/worker.h"

#define SLOTS_A_TURN 32768

enum slot_state { SETTLED, MOVING, TRACKED };

static inline enum slot_state state_of(uint32_t word)
{
	if (lb_slot_is_settled(word))
		return SETTLED;
	return lb_slot_previous(word) == LB_NONE ? TRACKED : MOVING;
}

/* A slot without owner has the state SETTLED, and follows records. */
static inline bool is_clear(uint32_t word)
{
	return state_of(word) == SETTLED && lb_slot_current(word) != LB_NONE;
}

/* Where a packet goes that is on no record, and opens nothing. */
static inline uint16_t home_of(uint32_t word)
{
	return state_of(word) == MOVING ? lb_slot_previous(word) : lb_slot_current(word);
}

static inline uint32_t tracked_word(uint16_t owner)
{
	return lb_slot_word(owner, LB_NONE);
}

static inline bool has_bit(const uint64_t *members, uint16_t member)
{
	return member != LB_NONE && members[member / 64] >> member % 64 & 1;
}

/* In passes over all slots: others may change words and deadlines in between, one after the other. */
static inline void pause_at(uint32_t slot)
{
	if (slot % SLOTS_A_TURN == SLOTS_A_TURN - 1)
		worker_yield();
}

/* --- slots_store.c --- */
/* So many more, or fewer, slots have the state of the word. */
void slots_count_state(struct slots *slots, uint32_t word, int by);
void slots_store(struct slots *slots, uint32_t slot, uint32_t word);
/* The same, and members of `gone` are in no past of it. */
void slots_store_without(struct slots *slots, uint32_t slot, uint32_t word, const uint64_t *gone);
/* The word stays, the past is another. */
void slots_store_past(struct slots *slots, uint32_t slot, uint32_t past);
void slots_forget(struct slots *slots, uint32_t slot, const uint64_t *gone);
/* The past is not what comes of the words, since the owners have other numbers now. */
void slots_store_renamed(struct slots *slots, uint32_t slot, uint32_t word, uint32_t past);
static inline uint32_t past_of(const struct slots *slots, uint32_t slot)
{
	return slots->pasts ? slots->pasts[slot] : LB_PAST_NONE;
}
/* A slot of another table led flows to this one's: its owners become past ones of this slot, too. */
void slots_store_joined(struct slots *slots, uint32_t slot, uint32_t word, uint32_t past);
/* A transition of the slot begins. */
void slots_begin(struct slots *slots, uint32_t slot, uint32_t now, uint32_t transition);

/* --- slots_past.c --- */
/* `own`, of a slot of this owner, with those of another table's slot. *forgotten as in slot_next_past. */
uint32_t past_joined(uint32_t own, uint16_t current, uint32_t word, uint32_t past,
		     uint64_t *forgotten);
/* Without those that `known` has no bit for. */
uint32_t past_known(uint32_t past, const uint64_t *known);

/* --- slots_resize.c --- */
void resize_follow(struct slots *slots, struct slots_owners owners, const uint64_t *gone,
		   uint32_t now, uint32_t transition);
/* A transition of the slot has ended; slots_follow has to come next. */
void resize_recorded(struct slots *slots, uint32_t slot);
bool resize_may_join(const struct slots *from, const struct slots *to);

#endif
