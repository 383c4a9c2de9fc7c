/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a rendezvous table brought up to date? The dear part is each slot's best member (slots *
 * members hashes), so that is kept from table to table. A slot looks at all members only if its
 * best one went or lost weight; otherwise only at those that came or gained weight. What follows
 * from it (match.h) is cheap and done afresh. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include "../../bpf/abi.h"
#include "hash.h"
#include "rendezvous.h"

struct update {
	uint16_t *kept;            /* old index -> index; LB_NONE: gone, or lighter than before */
	struct rank_member *all;   /* of the roster */
	uint64_t *hashes;          /* of its members, by index */
	struct rank_member *risen; /* those that came or gained weight */
	uint16_t *indices;         /* scratch */
	size_t risen_count;
	struct match *match;
};

static void update_clear(struct update *update)
{
	free(update->kept);
	free(update->all);
	free(update->hashes);
	free(update->risen);
	free(update->indices);
	match_free(update->match);
}

static int update_init(struct update *update, const struct roster *old, const struct roster *next,
		       uint32_t size, const uint64_t seed[2])
{
	*update = (struct update){
		.kept = calloc(old ? old->count + 1 : 1, sizeof(*update->kept)),
		.all = calloc(next->count, sizeof(*update->all)),
		.hashes = calloc(next->count, sizeof(*update->hashes)),
		.risen = calloc(next->count, sizeof(*update->risen)),
		.indices = calloc(next->count, sizeof(*update->indices)),
		.match = match_new(next, size, seed),
	};
	if (update->kept && update->all && update->hashes && update->risen && update->indices &&
	    update->match)
		return 0;
	update_clear(update);
	return -ENOMEM;
}

/* Both rosters are sorted: one walk over the two finds who went, stayed and came. */
static void compare_rosters(struct update *update, const struct roster *old,
			    const struct roster *next, const uint64_t seed[2])
{
	size_t was = 0, count = 0;

	for (size_t i = 0; i < next->count; i++) {
		const struct roster_entry *entry = &next->entries[i];
		int order = 1;

		while (old && was < old->count &&
		       (order = lb_addr_compare(&old->entries[was].address, &entry->address)) < 0)
			update->kept[was++] = LB_NONE;
		if (order == 0) {
			uint32_t weight = old->entries[was].weight;

			update->kept[was++] = weight > entry->weight ? LB_NONE : i;
			if (weight >= entry->weight)
				continue;
		}
		update->indices[count++] = i;
	}
	while (old && was < old->count)
		update->kept[was++] = LB_NONE;
	update->risen_count = count;
	rank_list(update->risen, count, next, update->indices, seed);
	for (size_t i = 0; i < next->count; i++)
		update->indices[i] = i;
	rank_list(update->all, next->count, next, update->indices, seed);
	for (size_t i = 0; i < next->count; i++)
		update->hashes[update->all[i].index] = update->all[i].hash;
}

/* `kept`: the index of the slot's best member so far, LB_NONE when it must be found again. */
static struct match_choice update_first(const struct update *update, const struct roster *next,
					uint64_t slot_hash, uint16_t kept)
{
	struct rank_place best = rank_nobody();

	if (kept == LB_NONE) {
		rank_best(update->all, next->count, slot_hash, &best);
	} else {
		best.index = kept;
		best.draw = rank_draw(slot_hash, update->hashes[kept]);
		if (update->risen_count) {
			best.score = rank_score(best.draw, next->entries[kept].weight);
			rank_best(update->risen, update->risen_count, slot_hash, &best);
		}
	}
	return (struct match_choice){.draw = best.draw, .index = best.index};
}

int rendezvous_update(const struct roster *old, const struct roster *next, uint32_t size,
		      const uint64_t seed[2], uint16_t *firsts, uint16_t *owners)
{
	struct match_choice *choices;
	struct update update;

	if (next->count == 0) {
		for (uint32_t slot = 0; slot < size; slot++)
			owners[slot] = LB_NONE;
		return 0;
	}
	if (update_init(&update, old, next, size, seed))
		return -ENOMEM;
	if (old && old->count == 0) /* firsts say nothing */
		old = NULL;
	compare_rosters(&update, old, next, seed);
	choices = match_choices(update.match);
	for (uint32_t slot = 0; slot < size; slot++) {
		uint16_t kept = old ? update.kept[firsts[slot]] : LB_NONE;

		choices[slot] =
			update_first(&update, next, hash_number(seed, HASH_SLOT, slot), kept);
		firsts[slot] = choices[slot].index;
	}
	match_run(update.match, owners);
	update_clear(&update);
	return 0;
}
