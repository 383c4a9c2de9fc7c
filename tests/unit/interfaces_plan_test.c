/* SPDX-License-Identifier: BSD-2-Clause */
/* What is attached, kept and let go of when names lead to other links? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../lbd/plane/interfaces_plan.h"

#define NONE INTERFACE_NONE
#define COUNT 3

struct row {
	const char *what;
	uint32_t held[COUNT], found[COUNT];
	size_t from[COUNT];
	uint32_t release[COUNT]; /* the first 0 ends it */
};

static const struct row rows[] = {
	{"nothing is there", {0}, {0}, {NONE, NONE, NONE}, {0}},
	{"all is as it was", {5, 6, 7}, {5, 6, 7}, {0, 1, 2}, {0}},
	{"one comes", {5, 0, 7}, {5, 6, 7}, {0, NONE, 2}, {0}},
	{"one goes, or is renamed", {5, 6, 7}, {5, 0, 7}, {0, NONE, 2}, {6}},
	{"one is made again", {5, 6, 7}, {5, 9, 7}, {0, NONE, 2}, {6}},
	{"two exchange their names", {5, 6, 7}, {6, 5, 7}, {1, 0, 2}, {0}},
	{"one takes another's name", {5, 6, 7}, {6, 0, 7}, {1, NONE, 2}, {5}},
	{"one takes the name of another that comes back", {5, 6, 0}, {0, 5, 6}, {NONE, 0, 1}, {0}},
	{"all are made again", {5, 6, 7}, {8, 9, 10}, {NONE, NONE, NONE}, {5, 6, 7}},
};

static void each_change_of_names_has_its_plan(void **state)
{
	struct interfaces_plan plan;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		size_t releases = 0;

		print_message("%s\n", row->what);
		interfaces_plan(row->held, row->found, COUNT, &plan);
		assert_memory_equal(plan.from, row->from, sizeof(row->from));
		while (releases < COUNT && row->release[releases])
			releases++;
		assert_int_equal(plan.release_count, releases);
		assert_memory_equal(plan.release, row->release, releases * sizeof(uint32_t));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_of_names_has_its_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
