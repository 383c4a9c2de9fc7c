/* SPDX-License-Identifier: BSD-2-Clause */
/* Are a member's paths shared by weight, and does a next hop that fails move only its own? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/route/nexthop_paths.h"

static unsigned int count_of(const uint16_t *path, uint16_t number)
{
	unsigned int count = 0, i;

	for (i = 0; i < LB_MEMBER_PATHS; i++)
		count += path[i] == number;
	return count;
}

static void without_candidates_nothing_is_resolved(void **state)
{
	uint16_t path[LB_MEMBER_PATHS] = {7, 7, 8, 8};

	(void)state;
	paths_assign(path, NULL, 0);
	assert_int_equal(count_of(path, LB_NEXTHOP_UNRESOLVED), LB_MEMBER_PATHS);
}

static void one_way_has_every_path(void **state)
{
	const struct path_candidate only = {.number = 3, .weight = 1};
	uint16_t path[LB_MEMBER_PATHS] = {0};

	(void)state;
	paths_assign(path, &only, 1);
	assert_int_equal(count_of(path, 3), LB_MEMBER_PATHS);
}

static void shares_follow_weights(void **state)
{
	static const struct {
		uint32_t weights[4], shares[4];
	} rows[] = {
		{{1, 1}, {4, 4}},       {{3, 1}, {6, 2}},
		{{1, 1, 1}, {3, 3, 2}}, {{1, 1, 1, 1}, {2, 2, 2, 2}},
		{{255, 1}, {8, 0}},     {{5, 3}, {5, 3}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct path_candidate candidates[4];
		uint16_t path[LB_MEMBER_PATHS] = {0};
		size_t count = 0;

		for (; count < 4 && rows[i].weights[count]; count++)
			candidates[count] = (struct path_candidate){
				.number = (uint16_t)(count + 1),
				.weight = rows[i].weights[count],
				.usable = true,
			};
		paths_assign(path, candidates, count);
		while (count--)
			assert_int_equal(count_of(path, (uint16_t)(count + 1)),
					 rows[i].shares[count]);
	}
}

static void what_is_unusable_is_left_out_unless_all_are(void **state)
{
	struct path_candidate candidates[] = {{1, 1, false}, {2, 1, true}};
	uint16_t path[LB_MEMBER_PATHS] = {0};

	(void)state;
	paths_assign(path, candidates, 2);
	assert_int_equal(count_of(path, 2), 8);
	candidates[1].usable = false;
	paths_assign(path, candidates, 2);
	assert_int_equal(count_of(path, 1), 4);
	assert_int_equal(count_of(path, 2), 4);
}

/* Every set of up to eight hops, weights at random: one fails, and comes back. */
static void a_hop_that_fails_moves_only_its_own_paths(void **state)
{
	(void)state;
	srand(1);
	for (unsigned int round = 0; round < 20000; round++) {
		struct path_candidate candidates[LB_MEMBER_PATHS];
		const size_t count = 2 + (size_t)rand() % (LB_MEMBER_PATHS - 1);
		const size_t failing = (size_t)rand() % count;
		uint16_t path[LB_MEMBER_PATHS] = {0}, before[LB_MEMBER_PATHS];
		size_t i;

		for (i = 0; i < count; i++)
			candidates[i] = (struct path_candidate){
				.number = (uint16_t)(i + 1),
				.weight = 1 + (uint32_t)rand() % 255,
				.usable = true,
			};
		paths_assign(path, candidates, count);
		memcpy(before, path, sizeof(before));
		candidates[failing].usable = false;
		paths_assign(path, candidates, count);
		for (i = 0; i < LB_MEMBER_PATHS; i++) {
			assert_int_not_equal(path[i], failing + 1);
			if (before[i] != failing + 1)
				assert_int_equal(path[i], before[i]);
		}
		memcpy(before, path, sizeof(before));
		candidates[failing].usable = true;
		paths_assign(path, candidates, count);
		for (i = 0; i < LB_MEMBER_PATHS; i++)
			assert_true(path[i] == before[i] || path[i] == failing + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_candidates_nothing_is_resolved),
		cmocka_unit_test(one_way_has_every_path),
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(what_is_unusable_is_left_out_unless_all_are),
		cmocka_unit_test(a_hop_that_fails_moves_only_its_own_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
