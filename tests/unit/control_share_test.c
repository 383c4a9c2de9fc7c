/* SPDX-License-Identifier: BSD-2-Clause */
/* Do places and turns of a socket go to everybody, whatever one user does? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../lbd/control/share.h"

#define MS 1000000ull

static struct share *share;

static int begin(const struct share_limits *limits)
{
	share = share_new(limits);
	return share ? 0 : -1;
}

static void a_user_gets_its_part_of_the_places_and_root_all(void **state)
{
	const struct share_limits limits = {.clients = 6, .clients_by_user = 2, .for_root = 1};
	struct share_user *one, *root;

	(void)state;
	assert_int_equal(begin(&limits), 0);
	one = share_enter(share, 1000);
	assert_non_null(one);
	assert_ptr_equal(share_enter(share, 1000), one);
	assert_null(share_enter(share, 1000));
	assert_non_null(share_enter(share, 1001));
	assert_non_null(share_enter(share, 1002));
	assert_non_null(share_enter(share, 1003));
	assert_null(share_enter(share, 1004)); /* the last place is root's */
	assert_false(share_full(share));
	root = share_enter(share, 0);
	assert_non_null(root);
	assert_true(share_full(share));
	assert_null(share_enter(share, 0));
	share_leave(share, one);
	assert_ptr_equal(share_enter(share, 0), root);
	share_leave(share, root);
	assert_ptr_equal(share_enter(share, 1000), one);
	share_free(share);
}

static void all_turns_together_take_a_fixed_part_of_the_time(void **state)
{
	const struct share_limits limits = {.clients = 100, .clients_by_user = 100, .rest = 3};
	struct share_user *user;
	uint64_t now = 1000 * MS, busy = 0;

	(void)state;
	assert_int_equal(begin(&limits), 0);
	user = share_enter(share, 1000);
	assert_int_equal(share_wait(share, now), 0);
	for (uint64_t length = 1; length <= 100; length++) {
		share_had(share, user, now, now + length * MS);
		busy += length * MS;
		now += length * MS;
		now += share_wait(share, now);
	}
	assert_int_equal(now - 1000 * MS, 4 * busy);
	assert_int_equal(share_wait(share, now + 1000 * MS), 0);
	share_free(share);
}

static void turns_go_round_by_user_not_by_client(void **state)
{
	const struct share_limits limits = {.clients = 100, .clients_by_user = 100};
	struct share_user *many, *few, *late;

	(void)state;
	assert_int_equal(begin(&limits), 0);
	many = share_enter(share, 1000);
	for (int i = 0; i < 50; i++)
		share_enter(share, 1000);
	few = share_enter(share, 1001);
	share_had(share, many, 0, 1);
	assert_true(share_before(few, many));
	share_had(share, few, 1, 2);
	assert_true(share_before(many, few));
	/* Who leaves and comes back has not waited longer than those who stayed. */
	late = share_enter(share, 1002);
	assert_false(share_before(late, many));
	assert_false(share_before(late, few));
	share_had(share, many, 2, 3);
	assert_true(share_before(late, many));
	share_free(share);
}

static void who_does_not_read_gets_no_turn_and_stops_nobody_else(void **state)
{
	const struct share_limits limits = {
		.clients = 9, .clients_by_user = 9, .unread = 250, .unread_by_user = 100};
	struct share_user *deaf, *other, *third;

	(void)state;
	assert_int_equal(begin(&limits), 0);
	deaf = share_enter(share, 1000);
	other = share_enter(share, 1001);
	third = share_enter(share, 1002);
	share_unread(share, deaf, 60);
	assert_true(share_may(share, deaf));
	share_unread(share, deaf, 60);
	assert_false(share_may(share, deaf));
	assert_true(share_may(share, other));
	share_unread(share, other, 100);
	assert_true(share_may(share, third));
	share_unread(share, third, 31);
	assert_false(share_may(share, third)); /* all together hold too much */
	share_count(share);
	assert_true(share_may(share, deaf));
	share_free(share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_gets_its_part_of_the_places_and_root_all),
		cmocka_unit_test(all_turns_together_take_a_fixed_part_of_the_time),
		cmocka_unit_test(turns_go_round_by_user_not_by_client),
		cmocka_unit_test(who_does_not_read_gets_no_turn_and_stops_nobody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
