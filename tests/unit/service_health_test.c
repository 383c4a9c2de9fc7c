/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a backend keep its standing through changes of the document, and does none inherit another
 * one's? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/service/live.h"

#define MAX 4

/* Backends 10.0.0.1, 10.0.0.2 …, as a pool and as what it is in the data plane. */
struct scene {
	struct lb_backend backends[MAX];
	struct table_member members[MAX];
	struct health_standing standings[MAX];
	struct lb_pool pool;
	struct live_pool live;
};

static void add(struct scene *scene, uint8_t address, uint16_t number, enum standing is)
{
	const struct lb_addr at = {.family = 4, .bytes = {10, 0, 0, address}};
	size_t i = scene->pool.backend_count++;

	scene->backends[i] = (struct lb_backend){.address = at, .weight = 10};
	scene->members[i] = (struct table_member){.address = at, .number = number, .weight = 10};
	scene->standings[i] = (struct health_standing){.is = is, .known = true};
	scene->pool.backends = scene->backends;
	scene->pool.health.kind = LB_HEALTH_TCP;
	scene->live.backends = scene->members;
	scene->live.standings = scene->standings;
	scene->live.backend_count = scene->pool.backend_count;
}

/* What `next` becomes after `before` (NULL: it is a new pool): for each backend its standing, and a
 * ! when it has a weight in what the change is assessed by. */
static void assert_becomes(const struct scene *before, struct scene *next, const char *expected)
{
	static const char letters[] = {'f', 'w', 'i'};
	struct live_pool live = next->live;
	char seen[2 * MAX + 1] = "";

	assert_int_equal(checks_weigh(&next->pool, before ? &before->live : NULL, &live), 0);
	for (size_t i = 0; i < live.backend_count; i++) {
		strncat(seen, &letters[live.standings[i].is], 1);
		if (live.backends[i].weight)
			strcat(seen, "!");
	}
	assert_string_equal(seen, expected);
	free(live.standings);
}

static void who_stays_keeps_its_standing_and_who_comes_waits(void **state)
{
	struct scene before = {0}, next = {0};

	(void)state;
	add(&before, 1, 11, STANDING_FIT);
	add(&before, 2, 12, STANDING_ILL);
	add(&before, 4, 14, STANDING_FIT);
	add(&next, 1, 11, 0);
	add(&next, 2, 12, 0);
	add(&next, 3, 13, 0);
	add(&next, 4, 14, 0);
	assert_becomes(&before, &next, "f!iw!f!");
}

/* Its share is counted, so that max_moved bounds what the change comes to. */
static void who_comes_is_assessed_as_if_ready_but_stays_arriving(void **state)
{
	struct health_standing presumed[MAX];
	struct scene before = {0}, next = {0};

	(void)state;
	add(&before, 1, 11, STANDING_FIT);
	add(&before, 2, 12, STANDING_FIT);
	before.standings[1].arriving = true;
	add(&next, 1, 11, STANDING_FIT);
	add(&next, 2, 12, STANDING_FIT);
	next.standings[1].arriving = true;
	add(&next, 3, 13, STANDING_WAITING);
	next.standings[2].arriving = true;
	assert_becomes(&before, &next, "f!fw!");
	arrive_presume(&next.pool, &before.live, &next.live, presumed);
	assert_true(presumed[1].arriving); /* was assessed when it came */
	assert_int_equal(presumed[2].is, STANDING_FIT);
	assert_false(presumed[2].arriving);
	before.standings[0].is = next.standings[0].is = STANDING_ILL;
	arrive_presume(&next.pool, &before.live, &next.live, presumed);
	assert_int_equal(presumed[2].is, STANDING_WAITING); /* all are used, or none */
}

static void a_backend_that_was_removed_and_added_again_is_another_one(void **state)
{
	struct scene before = {0}, next = {0};

	(void)state;
	add(&before, 1, 11, STANDING_FIT);
	add(&before, 2, 12, STANDING_ILL);
	add(&next, 1, 21, 0); /* another number at the same address */
	add(&next, 2, 12, 0);
	assert_becomes(&before, &next, "w!i!"); /* and nobody is fit: all are used */
}

static void a_new_vip_uses_all_of_its_backends_or_none(void **state)
{
	struct scene next = {0};

	(void)state;
	add(&next, 1, 11, 0);
	add(&next, 2, 12, 0);
	assert_becomes(NULL, &next, "f!f!");
	next.pool.when_all_unhealthy = LB_ALL_UNHEALTHY_DROP;
	assert_becomes(NULL, &next, "ww");
}

static void without_a_check_everybody_is_fit_again(void **state)
{
	struct scene before = {0}, next = {0};

	(void)state;
	add(&before, 1, 11, STANDING_ILL);
	add(&before, 2, 12, STANDING_FIT);
	add(&next, 1, 11, 0);
	add(&next, 2, 12, 0);
	next.pool.health.kind = LB_HEALTH_NONE;
	assert_becomes(&before, &next, "f!f!");
}

static void another_weight_or_policy_does_not_change_a_standing(void **state)
{
	struct scene before = {0}, next = {0};

	(void)state;
	add(&before, 1, 11, STANDING_FIT);
	add(&before, 2, 12, STANDING_ILL);
	add(&next, 1, 11, 0);
	add(&next, 2, 12, 0);
	next.backends[1].weight = 99;
	next.pool.on_unhealthy = LB_ON_UNHEALTHY_RESET;
	next.pool.health.kind = LB_HEALTH_HTTP;
	assert_becomes(&before, &next, "f!i");
	next.backends[0].drain = true; /* the only fit one has no share any more */
	assert_becomes(&before, &next, "fi!");
}

/* The table of an earlier lbd whose members are adopted is the table of the first document. */
static void what_was_adopted_goes_on(void **state)
{
	struct scene before = {0}, next = {0};
	const uint32_t left[] = {LB_MEMBER_VALID | LB_MEMBER_OLD | LB_MEMBER_NEW,
				 LB_MEMBER_VALID | LB_MEMBER_OLD, LB_MEMBER_VALID};

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		add(&before, i, 10 + i, 0);
		before.standings[i] = standing_of_left(left[i]);
		add(&next, i, 10 + i, 0);
	}
	before.pool.health.kind =
		LB_HEALTH_NONE; /* the maps do not say whether there was a check */
	assert_becomes(&before, &next, "f!wi");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_stays_keeps_its_standing_and_who_comes_waits),
		cmocka_unit_test(who_comes_is_assessed_as_if_ready_but_stays_arriving),
		cmocka_unit_test(a_backend_that_was_removed_and_added_again_is_another_one),
		cmocka_unit_test(a_new_vip_uses_all_of_its_backends_or_none),
		cmocka_unit_test(without_a_check_everybody_is_fit_again),
		cmocka_unit_test(another_weight_or_policy_does_not_change_a_standing),
		cmocka_unit_test(what_was_adopted_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
