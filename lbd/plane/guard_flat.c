/* SPDX-License-Identifier: BSD-2-Clause */
/* How do the prefixes of lists get into the guard's maps? See guard_flat.h.
 *
 * An IPv4 /24 that has one combination for all its addresses, the first or the second, has it in two bits. Every
 * other one that has any says "finer", and then exact words say it: of each prefix longer than /24, of the /24
 * itself where such are in it and it has a combination, and of prefixes up to /23 with another combination. A word
 * that is no longer needed first says what is right without it, and goes later: a packet may be about to look
 * there. */
#include "guard_flat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/guard_word.h"

#define KEYS_PER_WORD 4 /* of a filter: 16 bits each */
#define FILTER4_WORDS_MAX (1u << 17)
#define FILTER_WORDS_MIN 8u
#define FINER 3u

static void store(__u64 *at, uint64_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* --- how large --- */

static uint32_t power_of_two(uint64_t value, uint32_t most)
{
	uint32_t power = FILTER_WORDS_MIN;

	while (power < value && power < most)
		power <<= 1;
	return power;
}

/* 2.5 words a prefix, and half as many prefixes more; a /24 may need one for each that is finer. */
static uint32_t exact_lines(uint32_t prefixes)
{
	return (uint32_t)((uint64_t)prefixes * 5 / 2 * 3 / 2 / 8) + 256;
}

struct guard_needs guard_flat_needs(const struct guard_trie *trie)
{
	const uint32_t keys6 = trie->listed[1] + 1024;

	return (struct guard_needs){
		.filter_words = {2 * FILTER4_WORDS_MAX,
				 2 * power_of_two(keys6 / 2, FILTER4_WORDS_MAX),
				 2 * power_of_two(keys6 / 2, FILTER4_WORDS_MAX)},
		.cell_lines = GUARD_CELL_LINES,
		.lines4 = exact_lines(trie->listed[0]),
		.lines6 = exact_lines(trie->listed[1]),
	};
}

/* --- combinations --- */

static bool is_empty(const struct lb_guard_combo *combo)
{
	for (unsigned int i = 0; i < LB_GUARD_PLACES; i++)
		if (combo->lists[i])
			return false;
	return true;
}

/* From the longest prefix to the shortest; at equal length what allows comes first. */
static struct lb_guard_combo combine(const struct guard_flat *flat,
				     const struct guard_node *const *cover, size_t count)
{
	struct lb_guard_combo combo = {0};
	unsigned int place = 0;
	uint16_t seen = 0;

	while (count--) {
		const uint16_t fresh = cover[count]->lists & ~seen;
		const uint16_t parts[2] = {fresh & flat->allows, fresh & ~flat->allows};

		seen |= fresh;
		for (unsigned int kind = 0; kind < 2; kind++) {
			if (!parts[kind])
				continue;
			place += (place & 1) != kind;
			combo.lists[place] |= parts[kind];
		}
	}
	return combo;
}

/* Its number, 0 for none; -ENOSPC. */
static int number_of(struct guard_flat *flat, const struct guard_node *const *cover, size_t count)
{
	const struct lb_guard_combo combo = combine(flat, cover, count);

	if (is_empty(&combo))
		return 0;
	for (uint32_t i = 1; i < flat->combos; i++)
		if (!memcmp(&flat->memory.combos[i], &combo, sizeof(combo)))
			return (int)i;
	if (flat->combos == LB_GUARD_COMBOS)
		return -ENOSPC;
	flat->memory.combos[flat->combos] = combo;
	return (int)flat->combos++;
}

/* --- exact words --- */

static struct guard_exact place_of(const struct guard_flat *flat, const struct guard_prefix *prefix)
{
	const struct lb_guard_tuning *tuning = flat->memory.tuning;

	if (prefix->family == 4)
		return guard_word4(prefix->high >> 32, prefix->length, tuning->secret,
				   flat->memory.lines4);
	return guard_word6(prefix->high, prefix->low, prefix->length, tuning->secret,
			   flat->memory.lines6);
}

static __u64 *find_word(const struct guard_flat *flat, const struct guard_prefix *prefix,
			const struct guard_exact *exact, bool is_free)
{
	struct lb_guard_line *lines =
		prefix->family == 4 ? flat->memory.exact4 : flat->memory.exact6;

	for (unsigned int i = 0; i < 2; i++) {
		struct lb_guard_line *line = &lines[exact->line[i]];

		for (unsigned int way = 0; way < 8; way++) {
			const uint64_t word = line->word[way];

			if (is_free ? !word : word && (word & ~GUARD_COMBO_MASK) == exact->word)
				return &line->word[way];
		}
	}
	return NULL;
}

/* --- lengths in use: written beside those that are read, then these are read --- */

static void write_lengths(struct guard_flat *flat)
{
	struct lb_guard_tuning *tuning = flat->memory.tuning;
	const uint32_t copy = !(tuning->lengths & 1);
	unsigned int at4 = 0, at6 = 0;

	memset(tuning->lengths4[copy], 0, LB_GUARD_LENGTHS4);
	memset(tuning->lengths6[copy], 0, LB_GUARD_LENGTHS6);
	for (unsigned int length = 32; length; length--)
		if (flat->exact_of_length[length])
			tuning->lengths4[copy][at4++] = (uint8_t)length;
	for (unsigned int length = 128; length && at6 < LB_GUARD_LENGTHS6; length--)
		if (flat->trie->of_length[1][length])
			tuning->lengths6[copy][at6++] = (uint8_t)length;
	__atomic_store_n(&tuning->lengths, copy, __ATOMIC_RELEASE);
}

static void count_exact(struct guard_flat *flat, const struct guard_prefix *prefix, bool more)
{
	uint32_t *count;

	if (prefix->family != 4)
		return;
	count = &flat->exact_of_length[prefix->length];
	*count += more ? 1 : -1u;
	if (*count == (more ? 1 : 0))
		write_lengths(flat);
}

static void set_late(struct guard_flat *flat, const struct guard_prefix *prefix)
{
	if (flat->late_count == flat->late_room) {
		const size_t room = flat->late_room ? 2 * flat->late_room : 64;
		void *late = reallocarray(flat->late, room, sizeof(*flat->late));

		if (!late)
			return; /* the word stays, and is right */
		flat->late = late;
		flat->late_room = room;
	}
	flat->late[flat->late_count++] = *prefix;
}

/* The combination of the prefix's addresses that no longer prefix has; `needed`: packets must find it here. */
static int put_exact(struct guard_flat *flat, const struct guard_prefix *prefix, uint32_t combo,
		     bool needed)
{
	const struct guard_exact exact = place_of(flat, prefix);
	__u64 *word = find_word(flat, prefix, &exact, false);

	if (needed && !word) {
		word = find_word(flat, prefix, &exact, true);
		if (!word)
			return -ENOSPC;
		store(word, exact.word | combo);
		count_exact(flat, prefix, true);
		return 0;
	}
	if (!word)
		return 0;
	if (needed || (combo && prefix->family == 4)) {
		store(word, exact.word | combo);
		if (!needed)
			set_late(flat, prefix);
		return 0;
	}
	store(word, 0);
	count_exact(flat, prefix, false);
	return 0;
}

/* --- filters --- */

static uint64_t region(uint32_t words)
{
	return (uint64_t)words << 32 | (words - 1);
}

static void put_key(struct guard_flat *flat, unsigned int which, uint64_t key, uint32_t words)
{
	const struct guard_bits bits =
		guard_bits(key, flat->memory.tuning->secret[0], region(words));
	__u64 *word = &flat->memory.filter[which][bits.word];

	if ((*word & bits.mask) != bits.mask)
		store(word, *word | bits.mask);
}

static unsigned int code_at(const struct guard_flat *flat, uint32_t cell)
{
	return flat->memory.cells[cell >> 8].word[(cell & 255) / 32] >> cell % 32 * 2 & 3;
}

static uint32_t put_cells(struct guard_flat *flat, uint32_t words)
{
	uint32_t keys = 0;

	for (uint32_t word = 0; word < GUARD_CELL_LINES * 8; word++) {
		const uint64_t codes = flat->memory.cells[word / 8].word[word % 8];

		for (uint32_t i = 0; codes && i < 32; i++) {
			if (!(codes >> i * 2 & 3))
				continue;
			put_key(flat, LB_GUARD_FILTER4, word * 32 + i, words);
			keys++;
		}
	}
	return keys;
}

static unsigned int filter6_of(unsigned int length)
{
	return length >= GUARD_LONG6 ? LB_GUARD_FILTER6 : LB_GUARD_FILTER6_SHORT;
}

static uint32_t put_prefix6(struct guard_flat *flat, uint64_t high, unsigned int length,
			    uint32_t words)
{
	const unsigned int which = filter6_of(length);
	const uint32_t more = length < 32 ? 1u << (32 - length) : 1;

	if (which == LB_GUARD_FILTER6) {
		put_key(flat, which, high >> GUARD_KEY6_SHIFT, words);
		return 1;
	}
	for (uint32_t i = 0; i < more; i++)
		put_key(flat, which, (high >> GUARD_KEY6_SHORT_SHIFT) + i, words);
	return more;
}

static uint32_t put_tree6(struct guard_flat *flat, uint32_t at, unsigned int which, uint32_t words)
{
	const struct guard_node *node;
	uint32_t keys = 0;

	if (!at)
		return 0;
	node = &flat->trie->nodes[at];
	if (node->lists && filter6_of(node->length) == which)
		keys = put_prefix6(flat, node->high, node->length, words);
	return keys + put_tree6(flat, node->child[0], which, words) +
	       put_tree6(flat, node->child[1], which, words);
}

/* Into a region that packets do not read, which they then do. */
static void refill(struct guard_flat *flat, unsigned int which, uint32_t words)
{
	struct guard_filter *filter = &flat->filter[which];

	memset(flat->memory.filter[which] + words, 0, words * sizeof(uint64_t));
	filter->keys = which == LB_GUARD_FILTER4
			       ? put_cells(flat, words)
			       : put_tree6(flat, flat->trie->root[1], which, words);
	filter->live = filter->keys;
	filter->words = words;
	store(&flat->memory.tuning->filter[which], region(words));
}

static void refresh(struct guard_flat *flat, unsigned int which)
{
	const struct guard_filter *filter = &flat->filter[which];
	const uint32_t most = flat->memory.filter_words[which] / 2;
	const uint32_t wanted = power_of_two(filter->live / KEYS_PER_WORD + 1, most);

	if (filter->keys <= filter->live + filter->live / 10 + 256 &&
	    (wanted <= filter->words || filter->words == most))
		return;
	if (wanted == filter->words) /* the same one would be read meanwhile */
		refill(flat, which, wanted == most ? wanted / 2 : wanted * 2);
	else
		refill(flat, which, wanted);
	if (flat->filter[which].words < wanted)
		refill(flat, which, wanted);
}

static void filter_add(struct guard_flat *flat, unsigned int which, uint64_t key)
{
	flat->filter[which].keys++;
	flat->filter[which].live++;
	put_key(flat, which, key, flat->filter[which].words);
}

/* --- cells --- */

static void set_code(struct guard_flat *flat, uint32_t cell, uint32_t code)
{
	__u64 *word = &flat->memory.cells[cell >> 8].word[(cell & 255) / 32];
	const unsigned int shift = cell % 32 * 2;

	store(word, (*word & ~(3ull << shift)) | (uint64_t)code << shift);
}

static struct guard_prefix prefix_of_cell(uint32_t cell)
{
	return (struct guard_prefix){.high = (uint64_t)cell << 40, .family = 4, .length = 24};
}

static struct guard_prefix prefix_of(const struct guard_node *node, uint8_t family)
{
	return (struct guard_prefix){node->high, node->low, family, node->length};
}

/* What a cell is by the trie. */
struct cell {
	int combo;
	bool finer; /* longer prefixes are in it */
	bool own;   /* itself is on a list */
};

static struct cell cell_now(struct guard_flat *flat, const struct guard_prefix *prefix)
{
	const struct guard_node *cover[GUARD_COVER_MAX];
	const size_t count = guard_trie_cover(flat->trie, prefix, cover);
	const uint32_t within = guard_trie_within(flat->trie, prefix);
	const struct guard_node *node = within ? &flat->trie->nodes[within] : NULL;
	struct cell cell = {.combo = number_of(flat, cover, count)};

	cell.own = node && node->length == 24 && node->lists;
	cell.finer = node && (node->length > 24 || node->child[0] || node->child[1]);
	return cell;
}

static int update_cell(struct guard_flat *flat, uint32_t number)
{
	const struct guard_prefix prefix = prefix_of_cell(number);
	const struct cell cell = cell_now(flat, &prefix);
	const unsigned int before = code_at(flat, number);
	const unsigned int code = cell.finer || cell.combo > 2 ? FINER : (unsigned int)cell.combo;
	const bool needed = cell.combo && (cell.finer || (cell.own && cell.combo > 2));
	int error = 0;

	if (cell.combo < 0)
		return cell.combo;
	if (needed)
		error = put_exact(flat, &prefix, (uint32_t)cell.combo, true);
	if (error)
		return error;
	if (code != before)
		set_code(flat, number, code);
	if (!needed && (before == FINER || code == FINER))
		put_exact(flat, &prefix, (uint32_t)cell.combo, false);
	if (code && !before)
		filter_add(flat, LB_GUARD_FILTER4, number);
	if (!code && before)
		flat->filter[LB_GUARD_FILTER4].live--;
	return 0;
}

/* --- prefixes --- */

static bool needs_exact(const struct guard_prefix *prefix, bool listed, int combo)
{
	if (prefix->family == 6 || prefix->length > 24)
		return listed;
	return listed && combo > 2;
}

/* The words of all that are listed below a node, itself included; `cover`, with room, has those above. */
static int put_tree(struct guard_flat *flat, uint32_t at, uint8_t family,
		    const struct guard_node **cover, size_t count)
{
	const struct guard_node *node;
	struct guard_prefix prefix;
	int error = 0, combo;

	if (!at)
		return 0;
	node = &flat->trie->nodes[at];
	prefix = prefix_of(node, family);
	if (node->lists)
		cover[count++] = node;
	if (node->lists && (family == 6 || node->length != 24)) {
		combo = number_of(flat, cover, count);
		error = combo < 0 ? combo
				  : put_exact(flat, &prefix, (uint32_t)combo,
					      needs_exact(&prefix, true, combo));
	}
	for (unsigned int i = 0; !error && i < 2; i++)
		error = put_tree(flat, node->child[i], family, cover, count);
	return error;
}

/* Those of a prefix and within it, and its own where it is on no list any more. */
static int put_prefix(struct guard_flat *flat, const struct guard_prefix *prefix)
{
	const struct guard_node *cover[GUARD_COVER_MAX];
	size_t count = guard_trie_cover(flat->trie, prefix, cover);
	const bool listed = count && cover[count - 1]->length == prefix->length;
	int combo;

	if (listed)
		return put_tree(flat, guard_trie_within(flat->trie, prefix), prefix->family, cover,
				count - 1);
	if (prefix->family == 6 || prefix->length != 24) {
		combo = number_of(flat, cover, count);
		if (combo < 0)
			return combo;
		put_exact(flat, prefix, (uint32_t)combo, false);
	}
	return put_tree(flat, guard_trie_within(flat->trie, prefix), prefix->family, cover, count);
}

static int change4(struct guard_flat *flat, const struct guard_prefix *prefix)
{
	const uint32_t first = (uint32_t)(prefix->high >> 40);
	const uint32_t cells = prefix->length < 24 ? 1u << (24 - prefix->length) : 1;
	int error = put_prefix(flat, prefix);

	for (uint32_t i = 0; !error && i < cells; i++)
		error = update_cell(flat, first + i);
	if (!error)
		refresh(flat, LB_GUARD_FILTER4);
	return error;
}

static int change6(struct guard_flat *flat, const struct guard_prefix *prefix)
{
	const unsigned int which = filter6_of(prefix->length);
	struct guard_filter *filter = &flat->filter[which];
	const bool listed = guard_trie_find(flat->trie, prefix);
	uint32_t keys = prefix->length < 32 ? 1u << (32 - prefix->length) : 1;
	int error;

	write_lengths(flat);
	error = put_prefix(flat, prefix);
	if (error)
		return error;
	if (listed) {
		put_prefix6(flat, prefix->high, prefix->length, filter->words);
		filter->keys += keys;
		filter->live += keys;
	} else {
		filter->live -= keys < filter->live ? keys : filter->live;
	}
	refresh(flat, which);
	return 0;
}

int guard_flat_change(struct guard_flat *flat, const struct guard_prefix *prefix)
{
	return prefix->family == 4 ? change4(flat, prefix) : change6(flat, prefix);
}

void guard_flat_settle(struct guard_flat *flat)
{
	for (size_t i = 0; i < flat->late_count; i++) {
		const struct guard_prefix *prefix = &flat->late[i];
		const struct guard_exact exact = place_of(flat, prefix);
		__u64 *word = find_word(flat, prefix, &exact, false);
		struct cell cell;
		bool needed;

		if (!word)
			continue;
		if (prefix->length == 24) {
			cell = cell_now(flat, prefix);
			needed = cell.combo && (cell.finer || (cell.own && cell.combo > 2));
		} else {
			needed = needs_exact(prefix, guard_trie_find(flat->trie, prefix),
					     (int)(*word & GUARD_COMBO_MASK));
		}
		if (needed)
			continue;
		store(word, 0);
		count_exact(flat, prefix, false);
	}
	flat->late_count = 0;
}

/* --- all at once --- */

/* By words of 32 cells: a short prefix has many. */
static void set_codes(struct guard_flat *flat, uint32_t first, uint32_t cells, uint32_t code)
{
	const uint64_t all = code * 0x5555555555555555ull;
	uint32_t i = 0;

	while (i < cells) {
		const uint32_t cell = first + i;

		if (cell % 32 == 0 && cells - i >= 32) {
			flat->memory.cells[cell >> 8].word[(cell & 255) / 32] = all;
			i += 32;
		} else {
			set_code(flat, cell, code);
			i++;
		}
	}
}

static int fill_cells(struct guard_flat *flat, uint32_t at, const struct guard_node **cover,
		      size_t count)
{
	const struct guard_node *node;
	int error = 0, combo;
	uint32_t first;

	if (!at)
		return 0;
	node = &flat->trie->nodes[at];
	first = (uint32_t)(node->high >> 40);
	if (node->length >= 24)
		return update_cell(flat, first);
	if (node->lists) {
		cover[count++] = node;
		combo = number_of(flat, cover, count);
		if (combo < 0)
			return combo;
		set_codes(flat, first, 1u << (24 - node->length),
			  combo > 2 ? FINER : (uint32_t)combo);
	}
	for (unsigned int i = 0; !error && i < 2; i++)
		error = fill_cells(flat, node->child[i], cover, count);
	return error;
}

int guard_flat_fill(struct guard_flat *flat, const struct guard_memory *memory,
		    const struct guard_trie *trie, uint16_t allows, const uint64_t secret[4])
{
	const struct guard_node *cover[GUARD_COVER_MAX];
	int error;

	guard_flat_clear(flat);
	flat->memory = *memory;
	flat->trie = trie;
	flat->allows = allows;
	flat->combos = 1;
	for (unsigned int i = 0; i < 4; i++)
		memory->tuning->secret[i] = secret[i] | 1;
	memory->tuning->lines4 = memory->lines4;
	memory->tuning->lines6 = memory->lines6;
	for (unsigned int i = 0; i < LB_GUARD_FILTERS; i++)
		flat->filter[i].words = FILTER_WORDS_MIN;
	error = put_tree(flat, trie->root[0], 4, cover, 0);
	if (!error)
		error = fill_cells(flat, trie->root[0], cover, 0);
	if (!error)
		error = put_tree(flat, trie->root[1], 6, cover, 0);
	for (unsigned int i = 0; !error && i < LB_GUARD_FILTERS; i++) {
		flat->filter[i].live =
			i == LB_GUARD_FILTER4 ? put_cells(flat, FILTER_WORDS_MIN)
					      : put_tree6(flat, trie->root[1], i, FILTER_WORDS_MIN);
		refill(flat, i,
		       power_of_two(flat->filter[i].live / KEYS_PER_WORD + 1,
				    memory->filter_words[i] / 2));
	}
	write_lengths(flat);
	return error;
}

void guard_flat_clear(struct guard_flat *flat)
{
	free(flat->late);
	*flat = (struct guard_flat){0};
}
