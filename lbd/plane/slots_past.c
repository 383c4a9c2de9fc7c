/* SPDX-License-Identifier: BSD-2-Clause */
/* Which owners may a slot have had, as far as other nodes have recorded flows as theirs? */
#include "slots_private.h"

struct past {
	uint16_t owner[LB_PASTS];
	int count;
	uint16_t current;
	const uint64_t *gone;
	uint64_t forgotten;
};

static void add(struct past *past, uint16_t owner)
{
	if (owner == LB_NONE || owner == past->current ||
	    (past->gone && has_bit(past->gone, owner)))
		return;
	for (int i = 0; i < past->count; i++)
		if (past->owner[i] == owner)
			return;
	if (past->count < LB_PASTS)
		past->owner[past->count++] = owner;
	else
		past->forgotten++;
}

static void add_past(struct past *past, uint32_t word)
{
	for (int i = 0; i < LB_PASTS; i++)
		add(past, lb_past_at(word, i));
}

static void add_previous(struct past *past, uint32_t word)
{
	if (state_of(word) == MOVING)
		add(past, lb_slot_previous(word));
}

static uint32_t past_word(const struct past *past)
{
	uint32_t word = LB_PAST_NONE;

	for (int i = past->count - 1; i >= 0; i--)
		word = word << 16 | past->owner[i];
	return word;
}

/* The owner before the transition comes first, then the one that the slot has had until now. */
uint32_t slot_next_past(uint32_t past, uint32_t word, uint32_t next, const uint64_t *gone,
			uint64_t *forgotten)
{
	struct past to = {.current = lb_slot_current(next), .gone = gone};

	if (is_clear(next))
		return LB_PAST_NONE;
	add_previous(&to, next);
	add(&to, lb_slot_current(word));
	add_previous(&to, word);
	add_past(&to, past);
	*forgotten += to.forgotten;
	return past_word(&to);
}

uint32_t past_joined(uint32_t own, uint16_t current, uint32_t word, uint32_t past,
		     uint64_t *forgotten)
{
	struct past joined = {.current = current};

	add(&joined, lb_past_at(own, 0));
	add_previous(&joined, word);
	add(&joined, lb_slot_current(word));
	add_past(&joined, past);
	add_past(&joined, own);
	*forgotten += joined.forgotten;
	return past_word(&joined);
}

uint32_t past_known(uint32_t past, const uint64_t *known)
{
	struct past kept = {.current = LB_NONE};

	for (int i = 0; i < LB_PASTS; i++)
		if (has_bit(known, lb_past_at(past, i)))
			add(&kept, lb_past_at(past, i));
	return past_word(&kept);
}
