/* SPDX-License-Identifier: BSD-2-Clause */
/* Which routes make packets to a VIP loop, and what is an operator told to do? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "../../lbd/plane/loops.h"

static void only_a_route_to_elsewhere_loops(void **state)
{
	(void)state;
	assert_true(loops_by_route(0, RTN_UNICAST));
	assert_false(loops_by_route(0, RTN_LOCAL));
	assert_false(loops_by_route(0, RTN_BLACKHOLE));
	assert_false(loops_by_route(0, RTN_UNREACHABLE));
	assert_false(loops_by_route(0, RTN_PROHIBIT));
	assert_false(loops_by_route(-EINVAL, 0));       /* blackhole */
	assert_false(loops_by_route(-EHOSTUNREACH, 0)); /* unreachable */
	assert_false(loops_by_route(-EACCES, 0));       /* prohibit */
	assert_false(loops_by_route(-ENETUNREACH, 0));  /* no route at all */
}

static void nothing_loops_without_a_warning_to_give(void **state)
{
	const struct loops_facts facts = {.ipv4.forwards = "eth0", .ipv6.forwards = "eth0"};
	json_auto_t *warnings = json_array();

	(void)state;
	loops_judge(&facts, warnings);
	assert_int_equal(json_array_size(warnings), 0);
}

static void each_family_is_warned_of_with_its_commands(void **state)
{
	struct loops_facts facts = {
		.ipv4 = {.forwards = "eth0", .count = 3},
		.ipv6 = {.forwards = "eth1", .count = 1},
	};
	json_auto_t *warnings = json_array();

	(void)state;
	lb_prefix_parse("192.0.2.10", &facts.ipv4.first, NULL);
	lb_prefix_parse("2001:db8:10::/64", &facts.ipv6.first, NULL);
	loops_judge(&facts, warnings);
	assert_int_equal(json_array_size(warnings), 2);
	assert_string_equal(
		json_string_value(json_array_get(warnings, 0)),
		"IPv4 forwarding is on at eth0, and the VIP address 192.0.2.10 (and 2 more VIP "
		"addresses) is neither local nor blackholed: a packet to it on a port without a "
		"VIP goes back to the router and loops until its TTL ends; run \"ip route add "
		"blackhole 192.0.2.10/32\", or \"ip address add 192.0.2.10/32 dev lo\", or switch "
		"forwarding off: \"sysctl -w net.ipv4.ip_forward=0\"");
	assert_non_null(strstr(json_string_value(json_array_get(warnings, 1)),
			       "run \"ip -6 route add blackhole 2001:db8:10::/64\", or \"ip -6 "
			       "address add 2001:db8:10::/64 dev lo\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_route_to_elsewhere_loops),
		cmocka_unit_test(nothing_loops_without_a_warning_to_give),
		cmocka_unit_test(each_family_is_warned_of_with_its_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
