/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the health of backends decide as promised who takes new flows, and who keeps old ones? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/abi.h"
#include "../../lbd/service/standing.h"

#define BACKENDS_MAX 8

static const struct standing_use some, all = {.all = true};

/* A pool whose backends have weights 10, 20, …, and are checked. Enough is half of the weight. */
static struct lb_pool pool_of(struct lb_backend *backends, size_t count)
{
	memset(backends, 0, count * sizeof(*backends));
	for (size_t i = 0; i < count; i++)
		backends[i].weight = 10 * (i + 1);
	return (struct lb_pool){
		.backends = backends,
		.backend_count = count,
		.health = {.kind = LB_HEALTH_TCP},
		.spill_percent = 50,
	};
}

/* Standings as letters: f, w, i; a capital for one that is arriving. Groups up to `kept` stay. */
static struct standing_use weigh_kept(const struct lb_pool *pool, const char *letters,
				      uint32_t kept, const char *expected)
{
	struct health_standing standings[BACKENDS_MAX] = {0};
	uint32_t weights[BACKENDS_MAX];
	char seen[64] = "";
	struct standing_use use;

	for (size_t i = 0; i < pool->backend_count; i++) {
		standings[i].is = tolower(letters[i]) == 'f'   ? STANDING_FIT
				  : tolower(letters[i]) == 'w' ? STANDING_WAITING
							       : STANDING_ILL;
		standings[i].arriving = isupper(letters[i]);
	}
	use = standing_weigh(pool, standings, kept, weights);
	for (size_t i = 0; i < pool->backend_count; i++)
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%u", i ? " " : "",
			 weights[i]);
	assert_string_equal(seen, expected);
	return use;
}

/* Whether all are used. */
static bool weigh(const struct lb_pool *pool, const char *letters, const char *expected)
{
	return weigh_kept(pool, letters, 0, expected).all;
}

static void only_fit_backends_take_new_flows(void **state)
{
	struct lb_backend backends[3];
	const struct lb_pool pool = pool_of(backends, 3);

	(void)state;
	assert_false(weigh(&pool, "fff", "10 20 30"));
	assert_false(weigh(&pool, "fif", "10 0 30"));
	assert_false(weigh(&pool, "wfi", "0 20 0"));
}

static void when_none_is_fit_all_are_used_or_none(void **state)
{
	struct lb_backend backends[3];
	struct lb_pool pool = pool_of(backends, 3);

	(void)state;
	assert_true(weigh(&pool, "iii", "10 20 30"));
	assert_true(weigh(&pool, "wiw", "10 20 30"));
	pool.when_all_unhealthy = LB_ALL_UNHEALTHY_DROP;
	assert_false(weigh(&pool, "iii", "0 0 0"));
	assert_false(weigh(&pool, "wiw", "0 0 0"));
	assert_false(weigh(&pool, "wif", "0 0 30"));
}

static void who_cannot_be_reached_yet_takes_no_new_flows_while_others_do(void **state)
{
	struct lb_backend backends[3];
	struct lb_pool pool = pool_of(backends, 3);

	(void)state;
	assert_false(weigh(&pool, "Fff", "0 20 30"));
	assert_false(weigh(&pool, "FFf", "0 0 30"));
	assert_false(weigh(&pool, "FFF", "10 20 30"));
	assert_false(weigh(&pool, "FiF", "10 0 30"));
	assert_true(weigh(&pool, "Wii", "0 20 30")); /* all are used, so the other two serve */
	pool.health.kind = LB_HEALTH_NONE;
	assert_false(weigh(&pool, "Fff", "0 20 30"));
	backends[1].drain = true;
	backends[2].weight = 0;
	assert_false(weigh(&pool, "Fff", "10 0 0"));
}

/* --- groups --- */

/* Two of priority 0, of weight 10 and 20; two of 1, of 30 and 40; one of 2, of 50. */
static struct lb_pool grouped(struct lb_backend *backends)
{
	const struct lb_pool pool = pool_of(backends, 5);

	for (size_t i = 0; i < 5; i++)
		backends[i].priority = i / 2;
	return pool;
}

static void assert_last(const struct lb_pool *pool, const char *letters, uint32_t last,
			const char *expected)
{
	assert_int_equal(weigh_kept(pool, letters, 0, expected).last, last);
}

static void a_later_group_is_used_while_too_little_of_those_before_is_in_service(void **state)
{
	struct lb_backend backends[5];
	struct lb_pool pool = grouped(backends);

	(void)state;
	assert_last(&pool, "fffff", 0, "10 20 0 0 0");
	assert_last(&pool, "iffff", 0, "0 20 0 0 0");   /* 20 of 30 */
	assert_last(&pool, "fifff", 1, "10 0 30 40 0"); /* 10 of 30; then 80 of 100 */
	assert_last(&pool, "iiffi", 1, "0 0 30 40 0");  /* 70 of 100 */
	assert_last(&pool, "iiiff", 2, "0 0 0 40 50");  /* 40 of 100; there is no other */
	assert_last(&pool, "fifif", 2, "10 0 30 0 50"); /* 40 of 100 */
	assert_last(&pool, "iiiif", 2, "0 0 0 0 50");
	assert_last(&pool, "iifii", 2, "0 0 30 0 0"); /* never enough: all that can serve */
	assert_last(&pool, "fiiii", 2, "10 0 0 0 0");
	backends[0].weight = 20;
	assert_last(&pool, "fifff", 0, "20 0 0 0 0"); /* just half is not less than half */
}

static void enough_is_what_the_pool_says(void **state)
{
	struct lb_backend backends[5];
	struct lb_pool pool = grouped(backends);

	(void)state;
	pool.spill_percent = 100;
	assert_last(&pool, "fffff", 0, "10 20 0 0 0");
	assert_last(&pool, "iffff", 2, "0 20 30 40 50");
	pool.spill_percent = 1; /* while anybody is there */
	assert_last(&pool, "fifff", 0, "10 0 0 0 0");
	assert_last(&pool, "iifif", 1, "0 0 30 0 0");
}

static void who_drains_waits_or_cannot_be_reached_is_not_in_service(void **state)
{
	struct lb_backend backends[5];
	struct lb_pool pool = grouped(backends);

	(void)state;
	assert_last(&pool, "fwfff", 1, "10 0 30 40 0");
	assert_last(&pool, "fFfff", 1, "10 0 30 40 0");
	assert_last(&pool, "FFfff", 1, "0 0 30 40 0");
	assert_last(&pool, "FFFFF", 0, "10 20 0 0 0"); /* for want of others */
	backends[1].drain = true;
	assert_last(&pool, "fffff", 1, "10 0 30 40 0");
	backends[0].drain = true;
	assert_last(&pool, "fffff", 1, "0 0 30 40 0");
	pool.health.kind = LB_HEALTH_NONE;
	assert_last(&pool, "iiiii", 1, "0 0 30 40 0");
	backends[0].drain = backends[1].drain = false;
	backends[1].weight = 0; /* counts neither way */
	assert_last(&pool, "fffff", 0, "10 0 0 0 0");
	backends[0].weight = 0; /* a group without weight is none */
	assert_last(&pool, "fffff", 1, "0 0 30 40 0");
}

static void where_none_is_fit_groups_are_used_as_if_all_were(void **state)
{
	struct lb_backend backends[5];
	struct lb_pool pool = grouped(backends);

	(void)state;
	assert_last(&pool, "iiiii", 0, "10 20 0 0 0");
	assert_true(weigh(&pool, "iiiii", "10 20 0 0 0"));
	backends[1].drain = true;
	assert_last(&pool, "iiiii", 1, "10 0 30 40 0");
	pool.when_all_unhealthy = LB_ALL_UNHEALTHY_DROP;
	assert_false(weigh(&pool, "iiiii", "0 0 0 0 0"));
}

static void groups_that_are_kept_are_used_needed_or_not(void **state)
{
	struct lb_backend backends[5];
	const struct lb_pool pool = grouped(backends);

	(void)state;
	assert_int_equal(weigh_kept(&pool, "fffif", 1, "10 20 30 0 0").last, 1);
	assert_int_equal(weigh_kept(&pool, "iiiff", 1, "0 0 0 40 50").last, 2);
}

static void who_is_in_reserve_does_not_wait_for_its_share(void **state)
{
	struct lb_backend backends[5];
	const struct lb_pool pool = grouped(backends);
	const struct standing_use use = {.last = 1};

	(void)state;
	assert_int_equal(standing_share(&pool.backends[3], use), 40);
	assert_int_equal(standing_share(&pool.backends[4], use), 0);
	backends[3].drain = true;
	assert_int_equal(standing_share(&pool.backends[3], use), 0);
}

/* --- waiting --- */

static void waiting_is_for_a_way_or_a_result_and_not_for_a_weight(void **state)
{
	const struct health_standing arriving = {.is = STANDING_FIT, .arriving = true};
	const struct health_standing waiting = {.is = STANDING_WAITING};
	const struct health_standing ill = {.is = STANDING_ILL};

	(void)state;
	assert_true(standing_waits(arriving, 10, 0));
	assert_true(standing_waits(waiting, 10, 0));
	assert_false(standing_waits(ill, 10, 0));
	assert_false(standing_waits(arriving, 10, 10)); /* used, as there is no other */
	assert_false(standing_waits(arriving, 0, 0));   /* it drains, or has weight 0 */
}

static void who_has_no_share_does_not_count_as_fit(void **state)
{
	struct lb_backend backends[3];
	struct lb_pool pool = pool_of(backends, 3);

	(void)state;
	backends[0].drain = true;
	backends[1].weight = 0;
	assert_true(weigh(&pool, "ffi", "0 0 30"));
	pool.when_all_unhealthy = LB_ALL_UNHEALTHY_DROP;
	assert_false(weigh(&pool, "ffi", "0 0 0"));
}

static void without_a_check_nobody_is_unfit(void **state)
{
	struct lb_backend backends[2];
	struct lb_pool pool = pool_of(backends, 2);
	const struct health_standing ill = {.is = STANDING_ILL, .known = true};

	(void)state;
	pool.health.kind = LB_HEALTH_NONE;
	pool.on_unhealthy = LB_ON_UNHEALTHY_RESET;
	pool.when_all_unhealthy = LB_ALL_UNHEALTHY_DROP;
	assert_false(weigh(&pool, "iw", "10 20"));
	assert_true(standing_keeps_old(&pool, ill, some));
	assert_int_equal(standing_of_new(&pool, true).is, STANDING_FIT);
	assert_true(standing_of_new(&pool, true).known);
}

static void a_pool_without_backends_uses_nobody(void **state)
{
	const struct lb_pool pool = {.health = {.kind = LB_HEALTH_TCP}};

	(void)state;
	weigh(&pool, "", "");
}

static void old_flows_end_only_where_reset_says_so_and_the_backend_is_ill(void **state)
{
	struct lb_backend backends[1];
	struct lb_pool pool = pool_of(backends, 1);
	const struct health_standing ill = {.is = STANDING_ILL, .known = true};
	const struct health_standing waiting = {.is = STANDING_WAITING};
	const struct health_standing fit = {.is = STANDING_FIT, .known = true};

	(void)state;
	assert_true(standing_keeps_old(&pool, ill, some));
	pool.on_unhealthy = LB_ON_UNHEALTHY_RESET;
	assert_false(standing_keeps_old(&pool, ill, some));
	assert_true(standing_keeps_old(&pool, ill, all)); /* all are used: the check may be wrong */
	assert_true(standing_keeps_old(&pool, waiting, some));
	assert_true(standing_keeps_old(&pool, fit, some));
}

static void a_new_backend_waits_where_something_is_known(void **state)
{
	struct lb_backend backends[1];
	struct lb_pool pool = pool_of(backends, 1);

	(void)state;
	assert_int_equal(standing_of_new(&pool, true).is, STANDING_WAITING);
	assert_int_equal(standing_of_new(&pool, false).is, STANDING_FIT);
	assert_false(standing_of_new(&pool, false).known);
	pool.when_all_unhealthy = LB_ALL_UNHEALTHY_DROP;
	assert_int_equal(standing_of_new(&pool, true).is, STANDING_WAITING);
	assert_int_equal(standing_of_new(&pool, false).is, STANDING_WAITING);
}

static void a_result_is_known(void **state)
{
	struct health_standing standing = {.is = STANDING_WAITING, .arriving = true};

	(void)state;
	standing_take_result(&standing, HEALTH_HEALTHY);
	assert_int_equal(standing.is, STANDING_FIT);
	assert_true(standing.known);
	assert_true(standing.arriving); /* checks may go another way */
	standing_take_result(&standing, HEALTH_UNHEALTHY);
	assert_int_equal(standing.is, STANDING_ILL);
}

/* What set_members leaves in the data plane for a standing is read back as something that has the
 * same effect. */
static void what_an_earlier_lbd_has_left_goes_on_as_it_was(void **state)
{
	const uint32_t valid = LB_MEMBER_VALID;

	(void)state;
	assert_int_equal(standing_of_left(valid | LB_MEMBER_NEW | LB_MEMBER_OLD).is, STANDING_FIT);
	assert_int_equal(standing_of_left(valid | LB_MEMBER_OLD).is, STANDING_WAITING);
	assert_int_equal(standing_of_left(valid).is, STANDING_ILL);
	assert_true(standing_of_left(valid).known);
	assert_true(standing_of_left(valid | LB_MEMBER_OLD).known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_fit_backends_take_new_flows),
		cmocka_unit_test(when_none_is_fit_all_are_used_or_none),
		cmocka_unit_test(who_cannot_be_reached_yet_takes_no_new_flows_while_others_do),
		cmocka_unit_test(
			a_later_group_is_used_while_too_little_of_those_before_is_in_service),
		cmocka_unit_test(enough_is_what_the_pool_says),
		cmocka_unit_test(who_drains_waits_or_cannot_be_reached_is_not_in_service),
		cmocka_unit_test(where_none_is_fit_groups_are_used_as_if_all_were),
		cmocka_unit_test(groups_that_are_kept_are_used_needed_or_not),
		cmocka_unit_test(who_is_in_reserve_does_not_wait_for_its_share),
		cmocka_unit_test(waiting_is_for_a_way_or_a_result_and_not_for_a_weight),
		cmocka_unit_test(who_has_no_share_does_not_count_as_fit),
		cmocka_unit_test(without_a_check_nobody_is_unfit),
		cmocka_unit_test(a_pool_without_backends_uses_nobody),
		cmocka_unit_test(old_flows_end_only_where_reset_says_so_and_the_backend_is_ill),
		cmocka_unit_test(a_new_backend_waits_where_something_is_known),
		cmocka_unit_test(a_result_is_known),
		cmocka_unit_test(what_an_earlier_lbd_has_left_goes_on_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
