// SPDX-License-Identifier: BSD-2-Clause
/* When does syn_guard auto go on and off? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../lbd/service/syn_auto.h"

#define ABOVE 1000
#define LOOK 250

static struct syn_auto state;
static int64_t now;

/* For so long at this rate; how often it has changed. */
static int pass(uint64_t rate, int64_t ms)
{
	int changes = 0;

	for (int64_t end = now + ms; now < end;) {
		now += LOOK;
		changes += syn_auto_step(&state, ABOVE, rate, now);
	}
	return changes;
}

static int begin(void **test)
{
	(void)test;
	state = (struct syn_auto){0};
	now = 1000000;
	return 0;
}

static void goes_on_at_once_above_the_rate_and_not_at_it(void **test)
{
	(void)test;
	assert_int_equal(pass(ABOVE, 60000), 0);
	assert_false(state.on);
	assert_int_equal(pass(ABOVE + 1, LOOK), 1);
	assert_true(state.on);
	assert_int_equal(pass(UINT64_MAX, 600000), 0);
	assert_true(state.on);
}

static void goes_off_below_half_of_it_after_the_hold_time(void **test)
{
	(void)test;
	pass(ABOVE + 1, LOOK);
	assert_int_equal(pass(ABOVE / 2 + 1, 600000), 0);
	assert_true(state.on);
	assert_int_equal(pass(ABOVE / 2, SYN_AUTO_HOLD_MS - LOOK), 0);
	assert_int_equal(pass(ABOVE, LOOK), 0); /* the time begins anew */
	assert_int_equal(pass(0, SYN_AUTO_HOLD_MS - LOOK), 0);
	assert_true(state.on);
	assert_int_equal(pass(0, LOOK), 1);
	assert_false(state.on);
	assert_int_equal(pass(ABOVE, 60000), 0);
}

static int64_t time_until_off(void)
{
	const int64_t from = now;

	assert_int_equal(pass(ABOVE + 1, LOOK), 1);
	while (state.on)
		pass(0, LOOK);
	return now - from - LOOK;
}

static void waves_hold_it_longer_and_longer(void **test)
{
	(void)test;
	assert_int_equal(time_until_off(), 5000);
	assert_int_equal(time_until_off(), 10000);
	assert_int_equal(time_until_off(), 20000);
	assert_int_equal(time_until_off(), 40000);
	assert_int_equal(time_until_off(), 60000);
	assert_int_equal(time_until_off(), 60000);
	pass(0, 60000);
	assert_int_equal(time_until_off(), 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(goes_on_at_once_above_the_rate_and_not_at_it, begin),
		cmocka_unit_test_setup(goes_off_below_half_of_it_after_the_hold_time, begin),
		cmocka_unit_test_setup(waves_hold_it_longer_and_longer, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
