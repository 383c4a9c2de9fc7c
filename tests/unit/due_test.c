/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the first of many moments always the earliest, whatever is set, moved and taken out? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../../lbd/health/due.h"

#define COUNT 300
#define STEPS 20000

static void what_is_set_comes_out_in_order(void **state)
{
	struct due dues[COUNT] = {0}, *first;
	struct due_heap heap = {0};
	int64_t last = -1;

	(void)state;
	srandom(1);
	assert_null(due_first(&heap));
	assert_int_equal(due_reserve(&heap, COUNT), 0);
	for (size_t i = 0; i < COUNT; i++)
		due_set(&heap, &dues[i], random() % 100);
	for (size_t i = 0; i < COUNT; i++) {
		first = due_first(&heap);
		assert_true(first->at_us >= last);
		last = first->at_us;
		due_unset(&heap, first);
		due_unset(&heap, first);
	}
	assert_null(due_first(&heap));
	due_free(&heap);
}

static const struct due *earliest(const struct due *dues)
{
	const struct due *least = NULL;

	for (size_t i = 0; i < COUNT; i++)
		if (dues[i].place && (!least || dues[i].at_us < least->at_us))
			least = &dues[i];
	return least;
}

static void the_first_is_the_earliest_at_any_time(void **state)
{
	struct due dues[COUNT] = {0};
	struct due_heap heap = {0};

	(void)state;
	srandom(2);
	for (size_t step = 0; step < STEPS; step++) {
		struct due *due = &dues[random() % COUNT];
		const struct due *least;

		assert_int_equal(due_reserve(&heap, COUNT), 0);
		if (random() % 3)
			due_set(&heap, due, random() % 1000);
		else
			due_unset(&heap, due);
		least = earliest(dues);
		assert_true(!least == !due_first(&heap));
		if (least)
			assert_int_equal(due_first(&heap)->at_us, least->at_us);
	}
	due_free(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_comes_out_in_order),
		cmocka_unit_test(the_first_is_the_earliest_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
