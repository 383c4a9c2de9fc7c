/* SPDX-License-Identifier: BSD-2-Clause */
/* Which recorded flows are alive, whose are they, and where do they disagree with their slot's
 * owner? */
#include "sweep.h"

#include <stdlib.h>

#include "../../bpf/flow_word.h"

struct swept_member {
	const struct sweep_tables *tables; /* NULL: words that name it are deleted */
	uint32_t flow_idle, transition;    /* units */
	uint32_t counting, counted;        /* live words: of this pass, of the last one */
	/* 0: not gone. Else gone since pass `gone - 1`, and free when a whole later one has ended. */
	uint32_t gone;
};

struct sweep {
	struct lb_flow_bucket *buckets;
	uint32_t bucket_count, next, member_count;
	uint32_t pass;
	uint64_t counting, counted; /* live words of all members */
	uint32_t gone_count;        /* members to be freed */
	uint32_t search;            /* where sweep_take_free goes on */
	struct swept_member members[];
};

struct sweep *sweep_new(struct lb_flow_bucket *buckets, uint32_t bucket_count, uint32_t members)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep) + members * sizeof(sweep->members[0]));

	if (!sweep)
		return NULL;
	sweep->buckets = buckets;
	sweep->bucket_count = bucket_count;
	sweep->member_count = members;
	return sweep;
}

void sweep_free(struct sweep *sweep)
{
	free(sweep);
}

struct sweep_tables *sweep_tables_new(size_t room)
{
	struct sweep_tables *tables;

	return calloc(1, sizeof(*tables) + room * sizeof(tables->at[0]));
}

uint32_t sweep_units(uint32_t seconds)
{
	return (((uint64_t)seconds * 1000000000) >> LB_FLOW_TIME_SHIFT) + 2;
}

void sweep_member_set(struct sweep *sweep, uint16_t member, const struct sweep_tables *tables,
		      uint32_t transition_s, uint32_t flow_idle_s)
{
	struct swept_member *swept = &sweep->members[member];

	swept->tables = tables;
	swept->transition = sweep_units(transition_s);
	swept->flow_idle = sweep_units(flow_idle_s);
}

void sweep_member_gone(struct sweep *sweep, uint16_t member)
{
	sweep->members[member] = (struct swept_member){.gone = sweep->pass + 1};
	sweep->gone_count++;
}

void sweep_member_clear(struct sweep *sweep, uint16_t member)
{
	sweep->members[member] = (struct swept_member){0};
}

static bool is_dead(const struct swept_member *member, uint64_t word, uint32_t time)
{
	uint32_t age = flow_word_age(word, time);

	if (!member->tables)
		return true;
	return age >
	       (flow_word_grade(word) < LB_FLOW_CLOSED ? member->transition : member->flow_idle);
}

/* Whether it is alive; deletes it when not. Lost to the program, it is looked at again. */
static bool lives(struct sweep *sweep, uint64_t *place, uint64_t *word, uint32_t time)
{
	*word = __atomic_load_n(place, __ATOMIC_RELAXED);
	while (*word) {
		uint32_t number = flow_word_member(*word);

		if (number < sweep->member_count && !is_dead(&sweep->members[number], *word, time))
			return true;
		if (__atomic_compare_exchange_n(place, word, 0, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return false;
	}
	return false;
}

static void sweep_word(struct sweep *sweep, uint64_t *place, uint32_t time)
{
	struct swept_member *member;
	uint64_t word;
	size_t i;

	if (!lives(sweep, place, &word, time))
		return;
	member = &sweep->members[flow_word_member(word)];
	member->counting++;
	sweep->counting++;
	for (i = 0; i < member->tables->count; i++)
		slots_seen(member->tables->at[i], flow_word_tag(word), flow_word_member(word));
}

static void end_pass(struct sweep *sweep)
{
	uint32_t i;

	for (i = 0; i < sweep->member_count; i++) {
		sweep->members[i].counted = sweep->members[i].counting;
		sweep->members[i].counting = 0;
	}
	sweep->counted = sweep->counting;
	sweep->counting = 0;
	sweep->next = 0;
	sweep->pass++;
	sweep->search = 0;
}

bool sweep_step(struct sweep *sweep, uint32_t buckets, uint32_t time)
{
	uint32_t end = sweep->bucket_count - sweep->next > buckets ? sweep->next + buckets
								   : sweep->bucket_count;
	int way;

	for (; sweep->next < end; sweep->next++)
		for (way = 0; way < LB_FLOW_WAYS; way++)
			sweep_word(sweep, (uint64_t *)&sweep->buckets[sweep->next].word[way], time);
	if (sweep->next < sweep->bucket_count)
		return false;
	end_pass(sweep);
	return true;
}

/* A member that was gone during pass p (gone = p + 1) is free once pass p + 1 has ended, when the
 * pass that is next is p + 2. */
bool sweep_take_free(struct sweep *sweep, uint16_t *number)
{
	for (; sweep->gone_count && sweep->search < sweep->member_count; sweep->search++) {
		struct swept_member *member = &sweep->members[sweep->search];

		if (!member->gone || sweep->pass < member->gone + 1)
			continue;
		member->gone = 0;
		sweep->gone_count--;
		*number = sweep->search;
		return true;
	}
	return false;
}

uint32_t sweep_flows(const struct sweep *sweep, uint16_t member)
{
	return sweep->members[member].counted;
}

uint64_t sweep_total(const struct sweep *sweep)
{
	return sweep->counted;
}

uint32_t sweep_gone(const struct sweep *sweep)
{
	return sweep->gone_count;
}
