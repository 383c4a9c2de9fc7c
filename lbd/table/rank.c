/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a slot rank the members? The inner loop of table building, and the logarithm. */
#include <stdbool.h>
#include <stdlib.h>
#include "../../bpf/abi.h"
#include "hash.h"
#include "rank.h"

#define ONE (UINT64_C(1) << RANK_DRAW_BITS)
#define LN2 UINT64_C(199786072581291494) /* ln 2, in units of 2^-58 */

static uint64_t fixed_mul(uint64_t a, uint64_t b)
{
	return (unsigned __int128)a * b >> RANK_DRAW_BITS;
}

/* -ln(1 - draw), both in units of 2^-58, to 3 parts in 100,000; it never decreases as the draw
 * grows, and is never less than the draw. With 1 - draw = 2^-halvings * (1 - rest) and rest at most
 * 1/2, it is halvings * ln 2 plus rest + rest^2 / 2 + rest^3 / 3 + … */
static uint64_t negative_log(uint64_t draw)
{
	static const uint64_t coefficients[] = {
		ONE / 12, ONE / 11, ONE / 10, ONE / 9, ONE / 8, ONE / 7,
		ONE / 6,  ONE / 5,  ONE / 4,  ONE / 3, ONE / 2, ONE,
	};
	unsigned int halvings = __builtin_clzll((ONE - 1 - draw) | 1) - (64 - RANK_DRAW_BITS);
	uint64_t rest = ONE - ((ONE - draw) << halvings);
	uint64_t series = 0;

	for (size_t i = 0; i < sizeof(coefficients) / sizeof(*coefficients); i++)
		series = coefficients[i] + fixed_mul(rest, series);
	return halvings * LN2 + fixed_mul(rest, series);
}

uint64_t rank_score(uint64_t draw, uint32_t weight)
{
	return negative_log(draw) / weight;
}

struct rank_place rank_nobody(void)
{
	return (struct rank_place){.score = UINT64_MAX, .draw = UINT64_MAX, .index = LB_NONE};
}

static bool place_before(const struct rank_place *a, const struct rank_place *b)
{
	if (a->score != b->score)
		return a->score < b->score;
	return a->draw != b->draw ? a->draw < b->draw : a->index < b->index;
}

/* A draw at or above this cannot score as well as `score`: a logarithm is never less than its draw. */
static uint64_t draw_limit(uint64_t score, uint32_t weight)
{
	uint64_t limit;

	if (__builtin_mul_overflow(score, weight, &limit) ||
	    __builtin_add_overflow(limit, weight, &limit))
		return UINT64_MAX;
	return limit;
}

static inline uint64_t pair_draw(uint64_t slot_hash, uint64_t member_hash)
{
	return hash_mix(slot_hash ^ member_hash) >> (64 - RANK_DRAW_BITS);
}

uint64_t rank_draw(uint64_t slot_hash, uint64_t member_hash)
{
	return pair_draw(slot_hash, member_hash);
}

/* Of members [from, to), which weigh the same, the one with the least draw below *draw, or NULL.
 * This loop is where the time goes. */
static const struct rank_member *least_draw(const struct rank_member *from,
					    const struct rank_member *to, uint64_t slot_hash,
					    uint64_t *draw)
{
	const struct rank_member *found = NULL;
	uint64_t least = *draw;

	for (; from < to; from++) {
		uint64_t drawn = pair_draw(slot_hash, from->hash);

		if (drawn < least) {
			least = drawn;
			found = from;
		}
	}
	*draw = least;
	return found;
}

/* Of members that all weigh the same the least draw is the best, whatever it scores. Scores are a
 * quarter of the time. */
static void best_of_alike(const struct rank_member *list, size_t count, uint64_t slot_hash,
			  struct rank_place *best)
{
	uint64_t draw = UINT64_MAX;
	const struct rank_member *member = least_draw(list, list + count, slot_hash, &draw);

	*best = (struct rank_place){.score = UINT64_MAX, .draw = draw, .index = member->index};
}

void rank_best(const struct rank_member *list, size_t count, uint64_t slot_hash,
	       struct rank_place *best)
{
	const struct rank_member *end = list + count, *next;

	if (best->index == LB_NONE && count && list->alike == count) {
		best_of_alike(list, count, slot_hash, best);
		return;
	}

	for (; list < end; list = next) {
		uint64_t draw = draw_limit(best->score, list->weight);
		const struct rank_member *member;

		next = list + list->alike;
		member = least_draw(list, next, slot_hash, &draw);
		if (!member)
			continue;

		struct rank_place place = {rank_score(draw, member->weight), draw, member->index};

		if (place_before(&place, best))
			*best = place;
	}
}

void rank_next(const struct rank_member *list, size_t count, uint64_t slot_hash,
	       const struct rank_place *after, struct rank_place *best)
{
	uint32_t weight = 0;
	uint64_t limit = 0;

	*best = rank_nobody();
	for (size_t i = 0; i < count; i++) {
		uint64_t draw = pair_draw(slot_hash, list[i].hash);

		if (list[i].weight != weight) {
			weight = list[i].weight;
			limit = draw_limit(best->score, weight);
		}
		if (draw >= limit) /* nearly always: among n members about ln(n) get past */
			continue;

		struct rank_place place = {rank_score(draw, weight), draw, list[i].index};

		if (place_before(&place, best) && place_before(after, &place)) {
			*best = place;
			limit = draw_limit(best->score, weight);
		}
	}
}

static int heavier_first(const void *a, const void *b)
{
	const struct rank_member *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

void rank_list(struct rank_member *list, size_t count, const struct roster *roster,
	       const uint16_t *indices, const uint64_t seed[2])
{
	/* Not read back from list[i + 1]: with AddressSanitizer gcc 14 reads it at the end, too. */
	uint16_t alike = 0;

	for (size_t i = 0; i < count; i++) {
		const struct roster_entry *entry = &roster->entries[indices[i]];

		list[i].hash = hash_address(seed, HASH_MEMBER, &entry->address);
		list[i].weight = entry->weight;
		list[i].index = indices[i];
	}
	qsort(list, count, sizeof(*list), heavier_first);
	for (size_t i = count; i-- > 0;) {
		bool same = i + 1 < count && list[i].weight == list[i + 1].weight;

		alike = same ? alike + 1 : 1;
		list[i].alike = alike;
	}
}
