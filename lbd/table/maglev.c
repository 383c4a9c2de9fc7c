/* SPDX-License-Identifier: BSD-2-Clause */
/* How does Maglev fill a table? Members take turns; at each turn a member takes the first free slot
 * of its own permutation of the slots (D. Eisenbud et al., NSDI 2016, section 3.4).
 *
 * With weights, turns are in proportion: in a round every member of the greatest weight has a turn,
 * and a member of weight w its k-th turn in round k * greatest / w, rounded up. Within a round
 * turns go by address. There is nothing to remember from one table to the next: one early
 * difference changes all later turns.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include "../../bpf/abi.h"
#include "hash.h"
#include "maglev.h"

/* One member's walk: position, position + skip, … modulo the table's size, which visits every slot
 * once as the size is a prime. */
struct walk {
	uint64_t round; /* of the next turn */
	uint32_t turn;
	uint32_t position;
	uint32_t skip;
	uint32_t weight;
	uint16_t index;
};

static bool walk_before(const struct walk *a, const struct walk *b)
{
	return a->round != b->round ? a->round < b->round : a->index < b->index;
}

/* heap[0] has the next turn; its round has changed. */
static void walks_restore(struct walk *heap, size_t count)
{
	struct walk moved = heap[0];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= count)
			break;
		if (child + 1 < count && walk_before(&heap[child + 1], &heap[child]))
			child++;
		if (walk_before(&moved, &heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

static void walk_schedule(struct walk *walk, uint32_t greatest)
{
	uint64_t turn = ++walk->turn;

	walk->round = (turn * greatest + walk->weight - 1) / walk->weight;
}

static int walk_compare(const void *a, const void *b)
{
	return walk_before(a, b) ? -1 : 1;
}

static struct walk *walks_new(const struct roster *roster, uint32_t size, const uint64_t seed[2],
			      uint32_t greatest)
{
	struct walk *walks = calloc(roster->count, sizeof(*walks));

	if (!walks)
		return NULL;
	for (size_t i = 0; i < roster->count; i++) {
		const struct roster_entry *entry = &roster->entries[i];
		uint64_t offset = hash_address(seed, HASH_MAGLEV_OFFSET, &entry->address);
		uint64_t skip = hash_address(seed, HASH_MAGLEV_SKIP, &entry->address);

		walks[i].position = offset % size;
		walks[i].skip = skip % (size - 1) + 1;
		walks[i].weight = entry->weight;
		walks[i].index = i;
		walk_schedule(&walks[i], greatest);
	}
	qsort(walks, roster->count, sizeof(*walks), walk_compare); /* a sorted array is a heap */
	return walks;
}

static uint32_t walk_next_free(struct walk *walk, const uint16_t *owners, uint32_t size)
{
	uint32_t slot;

	do {
		slot = walk->position;
		walk->position += walk->skip;
		if (walk->position >= size)
			walk->position -= size;
	} while (owners[slot] != LB_NONE);
	return slot;
}

int maglev_build(const struct roster *roster, uint32_t size, const uint64_t seed[2],
		 uint16_t *owners)
{
	struct walk *walks = NULL;
	uint32_t greatest = 0;

	for (size_t i = 0; i < roster->count; i++)
		if (roster->entries[i].weight > greatest)
			greatest = roster->entries[i].weight;
	if (roster->count > 0) {
		walks = walks_new(roster, size, seed, greatest);
		if (!walks)
			return -ENOMEM;
	}
	for (uint32_t slot = 0; slot < size; slot++)
		owners[slot] = LB_NONE;
	for (uint32_t filled = 0; walks && filled < size; filled++) {
		owners[walk_next_free(&walks[0], owners, size)] = walks[0].index;
		walk_schedule(&walks[0], greatest);
		walks_restore(walks, roster->count);
	}
	free(walks);
	return 0;
}
