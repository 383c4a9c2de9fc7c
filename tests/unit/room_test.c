/* SPDX-License-Identifier: BSD-2-Clause */
/* Do pieces go where nothing is, and is what was asked for free then? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "../../lbd/service/room.h"
#include "../lib/splitmix.h"

#define PIECES 40

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	return (splitmix64(&random_state) >> 32) * limit >> 32;
}

/* Whether these slots meet no piece, where it is now; `after`: nor where it goes. */
static bool is_free(const struct room_piece *pieces, size_t count, const struct room_piece *of,
		    uint32_t start, uint32_t size, bool after)
{
	for (size_t i = 0; i < count; i++) {
		const uint32_t at = after ? pieces[i].to : pieces[i].start;

		if (&pieces[i] != of && start < at + pieces[i].size && at < start + size)
			return false;
	}
	return true;
}

static void check_plan(const struct room_piece *pieces, size_t count, uint32_t area, uint32_t start,
		       uint32_t size)
{
	assert_true(size <= area && start <= area - size);
	assert_true(is_free(pieces, count, NULL, start, size, true));
	for (size_t i = 0; i < count; i++) {
		const struct room_piece *piece = &pieces[i];

		if (piece->to == piece->start)
			continue;
		assert_false(piece->fixed);
		assert_true(piece->to <= area - piece->size);
		assert_true(is_free(pieces, count, NULL, piece->to, piece->size, false));
		assert_true(is_free(pieces, count, piece, piece->to, piece->size, true));
	}
}

static size_t random_pieces(struct room_piece *pieces, uint32_t area)
{
	uint32_t at = random_below(100);
	size_t count = 0;

	while (count < PIECES) {
		const uint32_t size = 1 + random_below(100);

		if (size > area - at)
			break;
		pieces[count++] =
			(struct room_piece){.start = at, .size = size, .fixed = !random_below(10)};
		at += size + (random_below(2) ? random_below(100) : 0);
		if (at > area)
			break;
	}
	return count;
}

static void pieces_go_to_what_is_free_and_is_not_to_be(void **state)
{
	struct room_piece pieces[PIECES];
	uint32_t planned = 0, moved = 0, start;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const uint32_t area = 400 + random_below(1600), size = 1 + random_below(300);
		const size_t count = random_pieces(pieces, area);

		if (room_plan(pieces, count, area, size, &start))
			continue;
		planned++;
		check_plan(pieces, count, area, start, size);
		for (size_t i = 0; i < count; i++)
			moved += pieces[i].to != pieces[i].start;
	}
	print_message("%u of 20000 had room, %u pieces moved\n", planned, moved);
	assert_true(planned > 5000 && moved > 1000);
}

static void as_few_slots_move_as_can(void **state)
{
	struct room_piece pieces[] = {{.start = 10, .size = 29},
				      {.start = 50, .size = 10},
				      {.start = 70, .size = 20, .fixed = true}};
	uint32_t start;

	(void)state;
	assert_int_equal(room_plan(pieces, 3, 120, 31, &start), 0);
	assert_int_equal(start, 39);
	assert_int_equal(pieces[1].to, 0);
	assert_int_equal(pieces[0].to, 10);
	assert_int_equal(room_plan(pieces, 3, 120, 61, &start), -ENOSPC);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_go_to_what_is_free_and_is_not_to_be),
		cmocka_unit_test(as_few_slots_move_as_can),
	};

	random_state = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)random_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
