/* SPDX-License-Identifier: BSD-2-Clause */
/* Which member does each slot get, when nobody may have much more or much less than its share? See
 * match.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/abi.h"
#include "hash.h"
#include "match.h"

#define CAP_PERCENT 102
#define FLOOR_PERCENT 98
#define FLOOR_SLOTS 40 /* a floor is at least this far below the share */
#define COIN_BITS 16
#define COIN_LEAST (1u << (COIN_BITS - 2))
#define MATCH_REFUSALS_MAX 63 /* what fits above a draw in a seat's rank */
#define NO_SLOT UINT32_MAX

/* A slot that a member has; the greater the rank, the sooner it gives the slot up. */
struct seat {
	uint64_t rank; /* refusals << RANK_DRAW_BITS | draw */
	uint32_t slot;
};

/* A member's slots: a heap in match->seats[first …] with the one to give up first on top. */
struct bench {
	uint32_t first;
	uint32_t taken;
	uint32_t room;
};

struct match {
	const struct roster *roster;
	uint32_t size;
	uint64_t seed[2];
	struct bench *benches; /* by roster index */
	struct seat *seats;
	struct match_choice *choices; /* by slot */
	struct rank_member *asked;    /* members with room, whom a refused slot may ask next */
	size_t asked_count;
	uint16_t *indices; /* scratch, roster->count */
	uint32_t *surplus; /* scratch: slots that may be given up, `size` */
};

/* --- bounds --- */

static uint32_t share_floor(const struct match *match, size_t index)
{
	return match->size * (uint64_t)match->roster->entries[index].weight / match->roster->weight;
}

static uint32_t member_floor(const struct match *match, size_t index)
{
	uint64_t weight = match->roster->entries[index].weight, all = match->roster->weight;
	uint64_t percent = (match->size * weight * FLOOR_PERCENT + 100 * all - 1) / (100 * all);
	uint32_t share = share_floor(match, index);
	uint32_t slots = share > FLOOR_SLOTS ? share - FLOOR_SLOTS : 0;

	return percent < slots ? percent : slots;
}

/* In [1/4, 1), in units of 2^-COIN_BITS: what is added to a cap before it is rounded down. */
static uint32_t member_coin(const struct match *match, size_t index)
{
	const struct lb_addr *address = &match->roster->entries[index].address;
	uint64_t hash = hash_address(match->seed, HASH_ROUNDING, address);

	return COIN_LEAST + (hash >> (64 - COIN_BITS)) * 3 / 4;
}

/* `lift` turns coins up: 0 leaves them as they fell, 1 << COIN_BITS has every cap rounded up. */
static uint32_t member_cap(const struct match *match, size_t index, uint32_t lift)
{
	uint64_t whole = 100 * match->roster->weight; /* a slot */
	uint64_t cap = CAP_PERCENT * (uint64_t)match->roster->entries[index].weight * match->size;
	uint64_t added = whole * (member_coin(match, index) + lift) >> COIN_BITS;
	uint64_t rounded = (cap + added) / whole, up = (cap + whole - 1) / whole;

	return rounded < up ? rounded : up;
}

/* Sets every bench's room; the sum, which is at least `size`. */
static uint64_t set_rooms(struct match *match)
{
	uint64_t total = 0;

	for (uint32_t lift = 0; total < match->size; lift += 1 << (COIN_BITS - 6)) {
		total = 0;
		for (size_t i = 0; i < match->roster->count; i++) {
			match->benches[i].first = total;
			match->benches[i].room = member_cap(match, i, lift);
			total += match->benches[i].room;
		}
	}
	return total;
}

/* --- seats --- */

static bool seat_before(const struct seat *a, const struct seat *b)
{
	return a->rank != b->rank ? a->rank > b->rank : a->slot > b->slot;
}

static void bench_push(struct match *match, struct bench *bench, struct seat seat)
{
	struct seat *heap = match->seats + bench->first;
	uint32_t at = bench->taken++;

	while (at > 0 && seat_before(&seat, &heap[(at - 1) / 2])) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = seat;
}

static uint32_t bench_pop(struct match *match, struct bench *bench)
{
	struct seat *heap = match->seats + bench->first;
	struct seat moved = heap[--bench->taken];
	uint32_t slot = heap[0].slot, at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= bench->taken)
			break;
		if (child + 1 < bench->taken && seat_before(&heap[child + 1], &heap[child]))
			child++;
		if (seat_before(&moved, &heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
	return slot;
}

/* --- asking --- */

/* The slot asks the member it has chosen. Which slot is left without a seat: NO_SLOT, another, or
 * this one. */
static uint32_t ask(struct match *match, uint32_t slot)
{
	const struct match_choice *choice = &match->choices[slot];
	struct bench *bench = &match->benches[choice->index];
	struct seat seat = {(uint64_t)choice->refusals << RANK_DRAW_BITS | choice->draw, slot};
	uint32_t left = NO_SLOT;

	if (bench->room == 0)
		return slot;
	if (bench->taken == bench->room) {
		if (seat_before(&seat, &match->seats[bench->first]))
			return slot;
		left = bench_pop(match, bench);
	}
	bench_push(match, bench, seat);
	return left;
}

/* The slot turns to the next member in its order; false when none is left. */
static bool choose_next(struct match *match, uint32_t slot)
{
	struct match_choice *choice = &match->choices[slot];
	const struct rank_place after = {
		.score = rank_score(choice->draw, match->roster->entries[choice->index].weight),
		.draw = choice->draw,
		.index = choice->index,
	};
	struct rank_place next;

	rank_next(match->asked, match->asked_count, hash_number(match->seed, HASH_SLOT, slot),
		  &after, &next);
	choice->draw = next.draw;
	choice->index = next.index;
	if (choice->refusals < MATCH_REFUSALS_MAX)
		choice->refusals++;
	return next.index != LB_NONE;
}

/* The slot starts over, with the best of those who are asked. */
static void choose_first(struct match *match, uint32_t slot)
{
	struct rank_place best = rank_nobody();

	rank_best(match->asked, match->asked_count, hash_number(match->seed, HASH_SLOT, slot),
		  &best);
	match->choices[slot] = (struct match_choice){.draw = best.draw, .index = best.index};
}

/* Until every slot that lost its seat on the way has another, or has asked everybody. */
static void find_seat(struct match *match, uint32_t slot)
{
	do
		slot = ask(match, slot);
	while (slot != NO_SLOT && choose_next(match, slot));
}

/* Whoever has room is asked from now on. */
static void set_asked(struct match *match)
{
	match->asked_count = 0;
	for (size_t i = 0; i < match->roster->count; i++)
		if (match->benches[i].room > 0)
			match->indices[match->asked_count++] = i;
	rank_list(match->asked, match->asked_count, match->roster, match->indices, match->seed);
}

/* --- the two steps --- */

static void seat_all(struct match *match, uint16_t *owners)
{
	set_asked(match);
	for (uint32_t slot = 0; slot < match->size; slot++)
		find_seat(match, slot);
	for (uint32_t slot = 0; slot < match->size; slot++)
		owners[slot] = match->choices[slot].index;
}

/* Empties every bench down to its share, and leaves room on those below their floor for what they
 * lack. Returns how many slots are in match->surplus. */
static uint32_t collect_surplus(struct match *match)
{
	uint32_t count = 0;

	for (size_t i = 0; i < match->roster->count; i++) {
		struct bench *bench = &match->benches[i];
		uint32_t share = share_floor(match, i), floor = member_floor(match, i);

		while (bench->taken > share)
			match->surplus[count++] = bench_pop(match, bench);
		bench->room = bench->taken < floor ? floor - bench->taken : 0;
		bench->first += bench->taken;
		bench->taken = 0;
	}
	return count;
}

static void fill_floors(struct match *match, uint16_t *owners)
{
	uint32_t count = collect_surplus(match);

	set_asked(match);
	if (match->asked_count == 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		choose_first(match, match->surplus[i]);
		find_seat(match, match->surplus[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = match->surplus[i];

		if (match->choices[slot].index != LB_NONE)
			owners[slot] = match->choices[slot].index;
	}
}

struct match_choice *match_choices(struct match *match)
{
	return match->choices;
}

void match_run(struct match *match, uint16_t *owners)
{
	seat_all(match, owners);
	fill_floors(match, owners);
}

struct match *match_new(const struct roster *roster, uint32_t size, const uint64_t seed[2])
{
	struct match *match = calloc(1, sizeof(*match));

	if (!match)
		return NULL;
	match->roster = roster;
	match->size = size;
	match->seed[0] = seed[0];
	match->seed[1] = seed[1];
	match->benches = calloc(roster->count, sizeof(*match->benches));
	match->asked = calloc(roster->count, sizeof(*match->asked));
	match->indices = calloc(roster->count, sizeof(*match->indices));
	match->choices = calloc(size, sizeof(*match->choices));
	match->surplus = calloc(size, sizeof(*match->surplus));
	if (match->benches)
		match->seats = calloc(set_rooms(match), sizeof(*match->seats));
	if (match->benches && match->asked && match->indices && match->choices && match->surplus &&
	    match->seats)
		return match;
	match_free(match);
	return NULL;
}

void match_free(struct match *match)
{
	if (!match)
		return;
	free(match->benches);
	free(match->asked);
	free(match->indices);
	free(match->choices);
	free(match->surplus);
	free(match->seats);
	free(match);
}
