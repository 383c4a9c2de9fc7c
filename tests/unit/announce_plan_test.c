/* SPDX-License-Identifier: BSD-2-Clause */
/* Are just those routes there that VIPs wish for? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../lbd/service/announce_plan.h"

#define MAX 16

static struct lb_prefix prefix_of(const char *text)
{
	struct lb_prefix prefix;

	assert_int_equal(lb_prefix_parse(text, &prefix, NULL), 0);
	return prefix;
}

/* "+192.0.2.10" of a VIP that wishes to be announced, "-" of one that does not, "?" of one that knows
 * too little; NULL ends them. */
static size_t wants_of(const char *const *texts, struct announce_want *wants)
{
	size_t count = 0;

	for (; texts[count]; count++)
		wants[count] = (struct announce_want){
			.prefix = prefix_of(texts[count] + 1),
			.wish = *texts[count] == '+'   ? ANNOUNCE_YES
				: *texts[count] == '-' ? ANNOUNCE_NO
						       : ANNOUNCE_KEEP,
		};
	return announce_merge(wants, count);
}

static void plans(const char *const *wanted, const char *const *there, const char *expected)
{
	struct announce_want wants[MAX];
	struct lb_prefix found[MAX];
	struct announce_step steps[2 * MAX];
	char seen[512] = "", text[LB_PREFIX_TEXT];
	size_t want_count = wants_of(wanted, wants), found_count = 0, count;

	for (; there[found_count]; found_count++)
		found[found_count] = prefix_of(there[found_count]);
	count = announce_plan(wants, want_count, found, found_count, steps);
	for (size_t i = 0; i < count; i++) {
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%c%s", i ? " " : "",
			 steps[i].add ? '+' : '-', lb_prefix_format(&steps[i].prefix, text));
		if (steps[i].want != ANNOUNCE_NOBODY)
			assert_int_equal(
				lb_prefix_compare(&wants[steps[i].want].prefix, &steps[i].prefix),
				0);
	}
	assert_string_equal(seen, expected);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__ NULL})

static void what_is_wanted_and_missing_is_added(void **state)
{
	(void)state;
	plans(LIST("+192.0.2.10", ), LIST(), "+192.0.2.10/32");
	plans(LIST("+192.0.2.0/24", "+192.0.2.0", "+2001:db8::10", ), LIST("192.0.2.0/32", ),
	      "+192.0.2.0/24 +2001:db8::10/128");
	plans(LIST(), LIST(), "");
}

static void what_is_there_and_wanted_stays(void **state)
{
	(void)state;
	plans(LIST("+192.0.2.10", "+2001:db8::10", ), LIST("192.0.2.10", "2001:db8::10", ), "");
}

static void what_nobody_wants_is_removed_before_others_are_added(void **state)
{
	(void)state;
	plans(LIST("+192.0.2.10", ), LIST("192.0.2.0/24", "192.0.2.11", "2001:db8::/48", ),
	      "-192.0.2.0/24 -192.0.2.11/32 -2001:db8::/48 +192.0.2.10/32");
	plans(LIST("-192.0.2.10", "+192.0.2.9", ), LIST("192.0.2.10", ),
	      "-192.0.2.10/32 +192.0.2.9/32");
	plans(LIST("-192.0.2.10", ), LIST(), "");
}

static void what_is_undecided_stays_as_it_is(void **state)
{
	(void)state;
	plans(LIST("?192.0.2.10", ), LIST(), "");
	plans(LIST("?192.0.2.10", ), LIST("192.0.2.10", ), "");
}

static void one_vip_that_wishes_so_suffices_for_an_address(void **state)
{
	(void)state;
	plans(LIST("-192.0.2.10", "+192.0.2.10", "?192.0.2.10", ), LIST(), "+192.0.2.10/32");
	plans(LIST("-192.0.2.10", "?192.0.2.10", ), LIST("192.0.2.10", ), "");
	plans(LIST("-192.0.2.10", "-192.0.2.10", ), LIST("192.0.2.10", ), "-192.0.2.10/32");
	/* An address within a prefix has a route of its own. */
	plans(LIST("-192.0.2.10", "+192.0.2.0/24", ), LIST("192.0.2.10", ),
	      "-192.0.2.10/32 +192.0.2.0/24");
}

static enum announce_wish wish(uint32_t all, uint32_t healthy, uint32_t unhealthy, uint32_t needed)
{
	return announce_wish(&(struct announce_health){all, healthy, unhealthy, needed});
}

static void health_decides_once_enough_is_known(void **state)
{
	(void)state;
	assert_int_equal(wish(0, 0, 0, 0), ANNOUNCE_YES);
	assert_int_equal(wish(3, 0, 3, 0), ANNOUNCE_YES); /* it does not ask */
	assert_int_equal(wish(3, 1, 2, 1), ANNOUNCE_YES);
	assert_int_equal(wish(3, 0, 3, 1), ANNOUNCE_NO);
	assert_int_equal(wish(3, 0, 2, 1), ANNOUNCE_KEEP); /* the third may be healthy */
	assert_int_equal(wish(3, 1, 2, 2), ANNOUNCE_NO);
	assert_int_equal(wish(3, 0, 0, 3), ANNOUNCE_KEEP);
	assert_int_equal(wish(0, 0, 0, 1), ANNOUNCE_NO);
}

static void share_is_rounded_up_and_never_nobody(void **state)
{
	(void)state;
	assert_int_equal(announce_needed(10, 0, 0), 0);
	assert_int_equal(announce_needed(10, 3, 0), 3);
	assert_int_equal(announce_needed(10, 0, 25), 3);
	assert_int_equal(announce_needed(10, 4, 25), 4);
	assert_int_equal(announce_needed(10, 1, 100), 10);
	assert_int_equal(announce_needed(0, 0, 50), 1);
	assert_int_equal(announce_needed(4294967295u, 0, 100), 4294967295u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wanted_and_missing_is_added),
		cmocka_unit_test(what_is_there_and_wanted_stays),
		cmocka_unit_test(what_nobody_wants_is_removed_before_others_are_added),
		cmocka_unit_test(what_is_undecided_stays_as_it_is),
		cmocka_unit_test(one_vip_that_wishes_so_suffices_for_an_address),
		cmocka_unit_test(health_decides_once_enough_is_known),
		cmocka_unit_test(share_is_rounded_up_and_never_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
