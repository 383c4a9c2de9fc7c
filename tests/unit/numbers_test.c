/* SPDX-License-Identifier: BSD-2-Clause */
/* Are numbers and ranges handed out once, and all of them? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/plane/numbers.h"

static void every_number_comes_once(void **state)
{
	struct numbers *numbers = numbers_new(100);
	bool seen[100] = {false};
	uint32_t number, i;

	(void)state;
	for (i = 0; i < 100; i++) {
		assert_true(numbers_take(numbers, &number));
		assert_true(number < 100 && !seen[number]);
		seen[number] = true;
	}
	assert_false(numbers_take(numbers, &number));
	assert_int_equal(numbers_used(numbers), 100);
	numbers_free(numbers);
}

static void a_freed_number_comes_back_last(void **state)
{
	struct numbers *numbers = numbers_new(4);
	uint32_t number, i;

	(void)state;
	assert_true(numbers_take(numbers, &number));
	numbers_give_back(numbers, number);
	for (i = 0; i < 3; i++) {
		uint32_t other;

		assert_true(numbers_take(numbers, &other));
		assert_int_not_equal(other, number);
	}
	assert_true(numbers_take(numbers, &i));
	assert_int_equal(i, number);
	numbers_free(numbers);
}

/* In any order, as a start finds them; the rest still comes once each. */
static void claimed_numbers_are_taken(void **state)
{
	struct numbers *numbers = numbers_new(100);
	bool seen[100] = {false};
	uint32_t number, i;

	(void)state;
	for (i = 0; i < 100; i += 3) {
		number = (i * 37 + 5) % 100;
		assert_true(numbers_claim(numbers, number));
		assert_false(numbers_claim(numbers, number));
		seen[number] = true;
	}
	assert_false(numbers_claim(numbers, 100));
	assert_int_equal(numbers_used(numbers), 34);
	for (i = 0; i < 66; i++) {
		assert_true(numbers_take(numbers, &number));
		assert_true(number < 100 && !seen[number]);
		seen[number] = true;
	}
	assert_false(numbers_take(numbers, &number));
	numbers_give_back(numbers, 7);
	assert_true(numbers_claim(numbers, 7));
	assert_false(numbers_claim(numbers, 7));
	numbers_free(numbers);
}

static void ranges_merge_when_given_back(void **state)
{
	struct ranges *ranges = ranges_new(100);
	uint32_t a, b, c, whole;

	(void)state;
	assert_true(ranges_take(ranges, 30, &a));
	assert_true(ranges_take(ranges, 30, &b));
	assert_true(ranges_take(ranges, 40, &c));
	assert_false(ranges_take(ranges, 1, &whole));
	ranges_give_back(ranges, a, 30);
	ranges_give_back(ranges, c, 40);
	assert_false(ranges_take(ranges, 60, &whole));
	ranges_give_back(ranges, b, 30);
	assert_int_equal(ranges_used(ranges), 0);
	assert_true(ranges_take(ranges, 100, &whole));
	assert_int_equal(whole, 0);
	ranges_free(ranges);
}

/* Of two pieces that fit the small one is cut, so that the large one stays whole. */
static void ranges_leave_the_largest_piece_whole(void **state)
{
	struct ranges *ranges = ranges_new(100);
	uint32_t wall, low, gap, start;

	(void)state;
	assert_true(ranges_take(ranges, 50, &low));
	assert_true(ranges_take(ranges, 10, &wall));
	assert_true(ranges_take(ranges, 20, &gap));
	assert_true(ranges_take(ranges, 10, &start));
	ranges_give_back(ranges, low, 50);
	ranges_give_back(ranges, gap, 20);
	assert_int_equal(ranges_largest(ranges), 50);
	assert_true(ranges_take(ranges, 15, &start));
	assert_int_equal(start, gap);
	assert_int_equal(ranges_largest(ranges), 50);
	assert_true(ranges_take(ranges, 50, &start));
	assert_int_equal(start, low);
	assert_int_equal(ranges_largest(ranges), 10);
	ranges_free(ranges);
}

#define SPACE 1000
#define HELD 40

/* Against a plain map of what is taken. */
static void ranges_never_overlap(void **state)
{
	struct ranges *ranges = ranges_new(SPACE);
	uint32_t start[HELD], length[HELD] = {0}, used = 0;
	bool taken[SPACE] = {false};

	(void)state;
	srand(1);
	for (int step = 0; step < 100000; step++) {
		int i = rand() % HELD;

		if (length[i]) {
			ranges_give_back(ranges, start[i], length[i]);
			memset(taken + start[i], false, length[i]);
			used -= length[i];
			length[i] = 0;
		} else if (ranges_take(ranges, 1 + rand() % 60, &start[i])) {
			uint32_t end = start[i];

			length[i] = ranges_used(ranges) - used;
			for (; end < start[i] + length[i]; end++) {
				assert_true(end < SPACE && !taken[end]);
				taken[end] = true;
			}
			used += length[i];
		}
		assert_int_equal(ranges_used(ranges), used);
	}
	ranges_free(ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_comes_once),
		cmocka_unit_test(a_freed_number_comes_back_last),
		cmocka_unit_test(claimed_numbers_are_taken),
		cmocka_unit_test(ranges_merge_when_given_back),
		cmocka_unit_test(ranges_leave_the_largest_piece_whole),
		cmocka_unit_test(ranges_never_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
