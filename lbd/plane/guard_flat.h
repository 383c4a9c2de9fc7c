/* SPDX-License-Identifier: BSD-2-Clause */
/* How do the prefixes of lists (guard_trie.h) get into the guard's maps (bpf/abi.h), and stay right there while
 * they change? Pure: the maps are memory, edited by one atomic store a word, so that a packet meanwhile finds the
 * old or the new verdict of its source. */
#ifndef LB_GUARD_FLAT_H
#define LB_GUARD_FLAT_H

#include "../../bpf/abi.h"
#include "guard_trie.h"

/* The shortest prefixes that a list may have: what they stand for is bounded, in cells and keys of filters. */
#define GUARD_LENGTH4_MIN 8
#define GUARD_LENGTH6_MIN 20

/* The maps, as memory. */
struct guard_memory {
	struct lb_guard_tuning *tuning;
	struct lb_guard_combo *combos; /* LB_GUARD_COMBOS */
	__u64 *filter[LB_GUARD_FILTERS];
	uint32_t filter_words[LB_GUARD_FILTERS]; /* of the array: twice its largest region */
	struct lb_guard_line *cells;             /* GUARD_CELL_LINES */
	struct lb_guard_line *exact4, *exact6;
	uint32_t lines4, lines6;
};
#define GUARD_CELL_LINES 65536u

/* What is needed for so many prefixes, with room for more. */
struct guard_needs {
	uint32_t filter_words[LB_GUARD_FILTERS];
	uint32_t cell_lines, lines4, lines6;
};
struct guard_needs guard_flat_needs(const struct guard_trie *trie);

struct guard_filter {
	uint32_t words; /* of the region in use; a power of two */
	uint32_t keys;  /* that were put into it */
	uint32_t live;  /* of these, that are still wanted; about */
};

struct guard_flat {
	struct guard_memory memory;
	const struct guard_trie *trie;
	uint16_t allows; /* lists that allow; the others block */
	uint32_t combos; /* numbers in use, 0 included */
	struct guard_filter filter[LB_GUARD_FILTERS];
	uint32_t exact_of_length[33]; /* IPv4: exact words */
	struct guard_prefix *late;    /* whose words go with the next guard_flat_settle */
	size_t late_count, late_room;
};

/* Writes all of it into memory that packets do not use yet; the memory is 0. 0; -ENOSPC: a table is full. The
 * secret: random words. */
int guard_flat_fill(struct guard_flat *flat, const struct guard_memory *memory,
		    const struct guard_trie *trie, uint16_t allows, const uint64_t secret[4]);
/* After each change of the trie, of this prefix. -ENOSPC: a table is full; fill new memory then. What packets find
 * stays right but for this change. */
int guard_flat_change(struct guard_flat *flat, const struct guard_prefix *prefix);
/* Takes away what only packets could still need that had read the old tables: some milliseconds after the changes.
 */
void guard_flat_settle(struct guard_flat *flat);
void guard_flat_clear(struct guard_flat *flat); /* frees what is not the maps'; zeroed: fine */

#endif
