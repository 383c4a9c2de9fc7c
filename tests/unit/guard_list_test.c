// SPDX-License-Identifier: BSD-2-Clause
/* Does the program's own look-up find, in maps that prefixes were written to, what a search through all prefixes
 * finds; after each of many changes? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#pragma GCC diagnostic ignored "-Wunused-function" /* helpers that lists have no need of */
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "../../lbd/simulate/xdp_shim.h"
#include "../../bpf/guard_list.h"
#include "../../lbd/plane/guard_flat.h"

#define LISTS 5u
#define ALLOWS 0x12u /* lists 1 and 4 */
#define MOST 2000u

static struct guard_memory memory;
static struct lb_guard_vip vip;
static struct lb_guard_hits hits[LB_GUARD_PLACES];
static struct guard_trie trie;
static struct guard_flat flat;
static uint64_t state = 1;

static void *shim_look_up(const void *map, const void *key)
{
	const uint32_t index = *(const uint32_t *)key;

	if (map == &guard_tuning)
		return memory.tuning;
	if (map == &guard_combos)
		return index < LB_GUARD_COMBOS ? &memory.combos[index] : NULL;
	if (map == &guard_filter4)
		return &memory.filter[0][index];
	if (map == &guard_filter6)
		return &memory.filter[1][index];
	if (map == &guard_filter6_short)
		return &memory.filter[2][index];
	if (map == &guard_24)
		return &memory.cells[index];
	if (map == &guard_exact4)
		return index < memory.lines4 ? &memory.exact4[index] : NULL;
	if (map == &guard_exact6)
		return index < memory.lines6 ? &memory.exact6[index] : NULL;
	if (map == &guard_vips)
		return &vip;
	return map == &guard_hits ? &hits[index] : NULL;
}

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull;
}

static uint32_t below(uint32_t limit)
{
	return (draw() >> 32) * limit >> 32;
}

/* --- the maps --- */

static void *zeroed(size_t count, size_t bytes)
{
	void *at = calloc(count, bytes);

	assert_non_null(at);
	return at;
}

static void forget(void)
{
	guard_flat_clear(&flat);
	free(memory.tuning);
	free(memory.combos);
	free(memory.cells);
	free(memory.exact4);
	free(memory.exact6);
	for (unsigned int i = 0; i < LB_GUARD_FILTERS; i++)
		free(memory.filter[i]);
	memory = (struct guard_memory){0};
}

static void fill(void)
{
	const struct guard_needs needs = guard_flat_needs(&trie);
	const uint64_t secret[4] = {draw(), draw(), draw(), draw()};

	forget();
	memory.tuning = zeroed(1, sizeof(*memory.tuning));
	memory.combos = zeroed(LB_GUARD_COMBOS, sizeof(*memory.combos));
	memory.cells = zeroed(needs.cell_lines, sizeof(*memory.cells));
	memory.exact4 = zeroed(needs.lines4, sizeof(*memory.exact4));
	memory.exact6 = zeroed(needs.lines6, sizeof(*memory.exact6));
	memory.lines4 = needs.lines4;
	memory.lines6 = needs.lines6;
	for (unsigned int i = 0; i < LB_GUARD_FILTERS; i++) {
		memory.filter_words[i] = needs.filter_words[i];
		memory.filter[i] = zeroed(needs.filter_words[i], sizeof(__u64));
	}
	assert_int_equal(guard_flat_fill(&flat, &memory, &trie, ALLOWS, secret), 0);
}

/* --- the oracle: every prefix, one after the other --- */

static struct guard_prefix known[MOST];
static uint16_t known_lists[MOST];
static uint32_t known_count;

static bool blocks(const struct guard_prefix *source, uint16_t lists)
{
	int longest = -1;
	bool blocked = false;

	for (uint32_t i = 0; i < known_count; i++) {
		const uint16_t these = known_lists[i] & lists;

		if (!these || known[i].length < longest || !guard_prefix_covers(&known[i], source))
			continue;
		if (known[i].length > longest || these & ALLOWS)
			blocked = !(these & ALLOWS);
		longest = known[i].length;
	}
	return blocked;
}

static bool found_blocked(const struct guard_prefix *source, uint16_t lists)
{
	struct packet packet = {.family = source->family};

	vip.rules = LB_GUARD_LISTS;
	vip.lists = lists;
	packet.source[0] =
		source->family == 4 ? bpf_htonl(source->high >> 32) : bpf_cpu_to_be64(source->high);
	packet.source[1] = bpf_cpu_to_be64(source->low);
	return guard_list(&packet, 7) == LB_DROP_BLOCKED;
}

/* --- prefixes by chance, near each other, so that they nest --- */

static struct guard_prefix draw_prefix(uint8_t family)
{
	struct guard_prefix prefix = {.family = family};

	if (family == 4) {
		prefix.length = GUARD_LENGTH4_MIN + below(33 - GUARD_LENGTH4_MIN);
		prefix.high = (0x0a000000ull | (draw() & 0x3ff0f03)) << 32;
	} else {
		static const uint8_t lengths[] = {20, 29, 32, 36, 40,  44, 48,
						  52, 56, 64, 96, 127, 128};

		prefix.length = lengths[below(sizeof(lengths))];
		prefix.high = 0x20010db800000000ull | (draw() & 0x00000f0303010003ull);
		prefix.low = draw() & 0x8000000000000003ull;
	}
	guard_prefix_trim(&prefix);
	return prefix;
}

static struct guard_prefix draw_source(uint8_t family)
{
	struct guard_prefix source =
		known_count && below(4) ? known[below(known_count)] : draw_prefix(family);
	const unsigned int bits = family == 4 ? 32 : 128;

	if (source.family != family)
		source = draw_prefix(family);
	if (source.length < 64)
		source.high |= draw() >> source.length;
	if (source.length < 128)
		source.low |= source.length <= 64 ? draw() : draw() >> (source.length - 64);
	if (family == 4) {
		source.high &= 0xffffffffull << 32;
		source.low = 0;
	}
	source.length = bits;
	return source;
}

static void assert_right(uint32_t sources)
{
	for (uint32_t i = 0; i < sources; i++) {
		const struct guard_prefix source = draw_source(below(2) ? 4 : 6);
		const uint16_t lists = below(2) ? 0x1f : draw() & 0x1f;

		if (found_blocked(&source, lists) != blocks(&source, lists))
			fail_msg("family %u, source %016llx %016llx, lists %x: %s", source.family,
				 (unsigned long long)source.high, (unsigned long long)source.low,
				 lists,
				 blocks(&source, lists) ? "must be blocked"
							: "must not be blocked");
	}
}

static uint32_t find_known(const struct guard_prefix *prefix)
{
	uint32_t i = 0;

	while (i < known_count &&
	       (known[i].family != prefix->family || known[i].length != prefix->length ||
		known[i].high != prefix->high || known[i].low != prefix->low))
		i++;
	return i;
}

static void add(const struct guard_prefix *prefix, uint16_t lists)
{
	const uint32_t at = find_known(prefix);

	if (at == known_count) {
		known[known_count] = *prefix;
		known_lists[known_count++] = 0;
	}
	known_lists[at] |= lists;
	assert_true(guard_trie_add(&trie, prefix, lists) >= 0);
}

static void del(uint32_t at, uint16_t lists)
{
	const struct guard_prefix prefix = known[at];

	assert_true(guard_trie_del(&trie, &prefix, lists) >= 0);
	known_lists[at] &= ~lists;
	if (known_lists[at])
		return;
	known[at] = known[--known_count];
	known_lists[at] = known_lists[known_count];
}

static int start(void **test)
{
	(void)test;
	known_count = 0;
	guard_trie_clear(&trie);
	return 0;
}

static int end(void **test)
{
	(void)test;
	forget();
	guard_trie_clear(&trie);
	return 0;
}

/* Where a table is full, all goes into a larger one. */
static void change(const struct guard_prefix *prefix)
{
	const int error = guard_flat_change(&flat, prefix);

	if (error == -ENOSPC)
		fill();
	else
		assert_int_equal(error, 0);
}

/* --- tests --- */

static void test_many_at_once(void **test)
{
	(void)test;
	for (uint32_t i = 0; i < 500; i++) {
		const struct guard_prefix prefix = draw_prefix(below(2) ? 4 : 6);

		add(&prefix, 1u << below(LISTS));
	}
	fill();
	assert_right(20000);
}

static void test_one_after_the_other(void **test)
{
	(void)test;
	fill();
	for (uint32_t i = 0; i < 3000; i++) {
		struct guard_prefix prefix = draw_prefix(below(2) ? 4 : 6);

		if (prefix.family == 4 && prefix.length < 14)
			prefix.length = 32; /* seldom, they are many cells */
		if (known_count > 100 || (known_count && below(2))) {
			const uint32_t at = below(known_count);

			prefix = known[at];
			del(at, below(2) ? known_lists[at] : 1u << below(LISTS));
		} else {
			add(&prefix, 1u << below(LISTS));
		}
		change(&prefix);
		assert_right(20);
		if (below(4) == 0)
			guard_flat_settle(&flat);
		assert_right(20);
	}
}

static void test_nothing_is_left(void **test)
{
	uint32_t i, left = 0;

	(void)test;
	fill();
	for (i = 0; i < 300; i++) {
		struct guard_prefix prefix = draw_prefix(below(2) ? 4 : 6);

		add(&prefix, 1u << below(LISTS));
		change(&prefix);
	}
	while (known_count) {
		const uint32_t at = below(known_count);
		const struct guard_prefix prefix = known[at];

		del(at, known_lists[at]);
		change(&prefix);
	}
	guard_flat_settle(&flat);
	for (i = 0; i < GUARD_CELL_LINES * 8; i++)
		left += memory.cells[i / 8].word[i % 8] != 0;
	for (i = 0; i < memory.lines4 * 8; i++)
		left += memory.exact4[i / 8].word[i % 8] != 0;
	for (i = 0; i < memory.lines6 * 8; i++)
		left += memory.exact6[i / 8].word[i % 8] != 0;
	assert_int_equal(left, 0);
	assert_int_equal(trie.listed[0] + trie.listed[1], 0);
	assert_int_equal(trie.root[0] | trie.root[1], 0);
}

static void test_at_equal_length_allow_wins(void **test)
{
	struct guard_prefix prefix = {0xc6336400ull << 32, 0, 4, 24};
	const struct guard_prefix source = {0xc6336407ull << 32, 0, 4, 32};

	(void)test;
	add(&prefix, 1u << 0 | 1u << 1);
	fill();
	assert_false(found_blocked(&source, 3));
	assert_true(found_blocked(&source, 1));
	prefix.length = 16;
	guard_prefix_trim(&prefix);
	add(&prefix, 1u << 2);
	change(&prefix);
	assert_false(found_blocked(&source, 7));
	assert_true(found_blocked(&source, 4));
}

static void test_a_list_that_counts_drops_nothing(void **test)
{
	const struct guard_prefix prefix = {0xc6336400ull << 32, 0, 4, 24};
	const struct guard_prefix source = {0xc6336407ull << 32, 0, 4, 32};

	(void)test;
	add(&prefix, 1u << 3);
	fill();
	vip.monitored = 1u << 3;
	hits[3].packets = 0;
	assert_false(found_blocked(&source, 0));
	assert_int_equal(hits[3].packets, 1);
	vip.monitored = 0;
	assert_true(found_blocked(&source, 1u << 3));
	assert_int_equal(hits[3].packets, 2);
}

/* Filters grow, and shed what is gone. */
static void test_filters_follow(void **test)
{
	struct guard_prefix prefix = {.family = 4, .length = 32};
	uint32_t i, wrong = 0;

	(void)test;
	fill();
	for (i = 0; i < 8000; i++) {
		prefix.high = (uint64_t)(i * 0x9e3779b1u) << 32;
		assert_true(guard_trie_add(&trie, &prefix, 1) > 0);
		change(&prefix);
	}
	assert_true(flat.filter[0].words >= 1024);
	for (i = 0; i < 8000; i++) {
		prefix.high = (uint64_t)(i * 0x9e3779b1u) << 32;
		assert_true(found_blocked(&prefix, 1));
	}
	for (i = 0; i < 7900; i++) {
		prefix.high = (uint64_t)(i * 0x9e3779b1u) << 32;
		assert_true(guard_trie_del(&trie, &prefix, 1) > 0);
		change(&prefix);
	}
	for (i = 0; i < 7900; i++)
		wrong += list_filter(&guard_filter4, i * 0x9e3779b1u >> 8, memory.tuning->secret[0],
				     memory.tuning->filter[0]);
	assert_true(wrong < 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_at_once, start, end),
		cmocka_unit_test_setup_teardown(test_one_after_the_other, start, end),
		cmocka_unit_test_setup_teardown(test_nothing_is_left, start, end),
		cmocka_unit_test_setup_teardown(test_at_equal_length_allow_wins, start, end),
		cmocka_unit_test_setup_teardown(test_a_list_that_counts_drops_nothing, start, end),
		cmocka_unit_test_setup_teardown(test_filters_follow, start, end),
	};

	return cmocka_run_group_tests_name("guard_list", tests, NULL, NULL);
}
