/* SPDX-License-Identifier: BSD-2-Clause */
/* Which part of a configured prefix is the outer source of packets to a backend? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../lbd/api/err.h"
#include "../../lbd/route/outer_source.h"

static void gives(const char *configured, const char *backend, const char *expected)
{
	struct lb_prefix prefix = {0}, part;
	struct lb_addr address = {0};
	struct lb_err err = {0};
	char text[64];

	assert_int_equal(lb_prefix_parse(configured, &prefix, &err), 0);
	assert_int_equal(lb_addr_parse(backend, &address, &err), 0);
	part = outer_source(&prefix, &address);
	assert_string_equal(lb_prefix_format(&part, text), expected);
}

static void prefix_without_the_backend_is_used_as_it_is(void **state)
{
	(void)state;
	gives("10.200.0.0/16", "10.0.0.2", "10.200.0.0/16");
	gives("10.200.0.0/16", "10.201.0.0", "10.200.0.0/16");
	gives("10.200.0.0/16", "2001:db8::1", "10.200.0.0/16");
	gives("2001:db8:200::/96", "2001:db8:201::1", "2001:db8:200::/96");
}

static void part_has_neither_the_backend_nor_the_ends(void **state)
{
	(void)state;
	gives("10.0.0.0/16", "10.0.0.2", "10.0.64.0/18");
	gives("10.0.0.0/16", "10.0.64.0", "10.0.128.0/18");
	gives("10.0.0.0/16", "10.0.127.255", "10.0.128.0/18");
	gives("10.0.0.0/16", "10.0.128.0", "10.0.64.0/18");
	gives("10.0.0.0/16", "10.0.255.254", "10.0.64.0/18");
	gives("2001:db8::/96", "2001:db8::1", "2001:db8::4000:0/98");
	gives("2001:db8::/96", "2001:db8::4000:1", "2001:db8::8000:0/98");
}

static void few_addresses_are_divided_too(void **state)
{
	(void)state;
	gives("10.0.0.4/30", "10.0.0.5", "10.0.0.6/32");
	gives("10.0.0.4/30", "10.0.0.6", "10.0.0.5/32");
	gives("10.0.0.4/31", "10.0.0.4", "10.0.0.5/32");
	gives("10.0.0.4/31", "10.0.0.5", "10.0.0.4/32");
	gives("10.0.0.4", "10.0.0.4", "10.0.0.4/32");
	gives("2001:db8::4/127", "2001:db8::5", "2001:db8::4/128");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefix_without_the_backend_is_used_as_it_is),
		cmocka_unit_test(part_has_neither_the_backend_nor_the_ends),
		cmocka_unit_test(few_addresses_are_divided_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
