/* SPDX-License-Identifier: BSD-2-Clause */
/* Is lbd's state one short line? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "../../lbd/control/status_line.h"

static void line_counts_and_names_what_is_missing(void **state)
{
	static const char *const detached[] = {"eth1", "eth2"};
	char text[STATUS_LINE_TEXT];

	(void)state;
	assert_string_equal(status_line_text(&(struct status_facts){0}, text),
			    "0 VIPs, 0 backends, 0 unhealthy");
	assert_string_equal(
		status_line_text(&(struct status_facts){.vips = 1, .backends = 1}, text),
		"1 VIP, 1 backend, 0 unhealthy");
	assert_string_equal(status_line_text(&(struct status_facts){12, 240, 3, detached, 2}, text),
			    "12 VIPs, 240 backends, 3 unhealthy; interfaces detached: eth1, eth2");
}

static void long_line_is_cut_off(void **state)
{
	static const char *detached[64];
	char text[STATUS_LINE_TEXT];

	(void)state;
	for (int i = 0; i < 64; i++)
		detached[i] = "abcdefghijklmno";
	status_line_text(&(struct status_facts){1, 1, 1, detached, 64}, text);
	assert_int_equal(strlen(text), STATUS_LINE_TEXT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_counts_and_names_what_is_missing),
		cmocka_unit_test(long_line_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
