/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the kernel have just the routes that are announced, and does nobody else's change? In a
 * network namespace of its own, as root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lbd/route/announce_routes.h"

#define TABLE 4242
#define PROTOCOL 76

static struct announce_routes *routes;

static struct lb_prefix prefix_of(const char *text)
{
	struct lb_prefix prefix;

	assert_int_equal(lb_prefix_parse(text, &prefix, NULL), 0);
	return prefix;
}

static int add(const char *text)
{
	const struct lb_prefix prefix = prefix_of(text);

	return announce_routes_add(routes, &prefix);
}

static int take_away(const char *text)
{
	const struct lb_prefix prefix = prefix_of(text);

	return announce_routes_remove(routes, &prefix);
}

static void ip(const char *arguments)
{
	char command[160];

	snprintf(command, sizeof(command), "ip %s", arguments);
	assert_int_equal(system(command), 0);
}

static void finds(const char *expected)
{
	struct announce_found found;
	char seen[256] = "", text[LB_PREFIX_TEXT];

	assert_int_equal(announce_routes_find(routes, &found), 0);
	for (size_t i = 0; i < found.count; i++)
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%s", i ? " " : "",
			 lb_prefix_format(&found.ours[i], text));
	announce_found_clear(&found);
	assert_string_equal(seen, expected);
}

static int make_network(void **state)
{
	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET))
		return 0;
	if (system("ip link set lo up"))
		return -1;
	routes = announce_routes_open(TABLE, PROTOCOL);
	return routes ? 0 : -1;
}

static int end_network(void **state)
{
	(void)state;
	announce_routes_close(routes);
	return 0;
}

#define NEEDS_NETWORK()                                                                            \
	do {                                                                                       \
		(void)state;                                                                       \
		if (!routes)                                                                       \
			skip();                                                                    \
	} while (0)

static void table_that_does_not_exist_is_empty(void **state)
{
	NEEDS_NETWORK();
	finds("");
	assert_int_equal(take_away("192.0.2.10"), 0);
	assert_int_equal(announce_routes_withdraw(TABLE, PROTOCOL), 0);
}

static void routes_come_and_go(void **state)
{
	NEEDS_NETWORK();
	assert_int_equal(add("2001:db8::10"), 0);
	assert_int_equal(add("192.0.2.10"), 0);
	assert_int_equal(add("192.0.2.0/24"), 0);
	assert_int_equal(add("2001:db8:1::/48"), 0);
	finds("192.0.2.0/24 192.0.2.10/32 2001:db8::10/128 2001:db8:1::/48");
	assert_int_equal(
		system("ip route show table 4242 | grep -q 'blackhole 192.0.2.10 proto 76'"), 0);
	assert_int_equal(take_away("192.0.2.10"), 0);
	assert_int_equal(take_away("192.0.2.10"), 0);
	assert_int_equal(take_away("2001:db8::10"), 0);
	finds("192.0.2.0/24 2001:db8:1::/48");
	assert_int_equal(announce_routes_withdraw(TABLE, PROTOCOL), 0);
	finds("");
}

static void no_packet_is_led_by_them(void **state)
{
	NEEDS_NETWORK();
	assert_int_equal(add("192.0.2.10"), 0);
	assert_int_not_equal(system("ip route get 192.0.2.10 2>&1 | grep -q blackhole"), 0);
	assert_int_equal(announce_routes_withdraw(TABLE, PROTOCOL), 0);
}

static void routes_of_others_stay(void **state)
{
	struct announce_found found;

	NEEDS_NETWORK();
	ip("route add blackhole 198.51.100.1 table 4242 proto static");
	ip("route add blackhole 2001:db8::1 table 4242 proto static");
	ip("route add blackhole 198.51.100.2 table 4243 proto 76");
	finds("");
	assert_int_equal(announce_routes_find(routes, &found), 0);
	assert_int_equal(found.others, 2);
	assert_int_equal(found.other_protocol, 4);
	announce_found_clear(&found);
	assert_int_equal(add("198.51.100.1"), -EEXIST);
	assert_int_equal(add("2001:db8::1"), -EEXIST);
	assert_int_equal(announce_routes_withdraw(TABLE, PROTOCOL), 0);
	ip("route del blackhole 198.51.100.1 table 4242 proto static");
	ip("route del blackhole 2001:db8::1 table 4242 proto static");
	ip("route del blackhole 198.51.100.2 table 4243 proto 76");
}

/* Of our protocol, whoever has made them. */
static void routes_of_another_kind_or_metric_are_removed(void **state)
{
	NEEDS_NETWORK();
	ip("route add 192.0.2.10 dev lo table 4242 proto 76");
	ip("route add blackhole 192.0.2.11 table 4242 proto 76 metric 7");
	ip("route add blackhole 192.0.2.11 table 4242 proto 76 metric 8");
	ip("route add 2001:db8::10 dev lo table 4242 proto 76");
	finds("192.0.2.10/32 192.0.2.11/32 2001:db8::10/128");
	assert_int_equal(announce_routes_withdraw(TABLE, PROTOCOL), 0);
	finds("192.0.2.11/32");
	assert_int_equal(announce_routes_withdraw(TABLE, PROTOCOL), 0);
	finds("");
}

static void rule_that_leads_to_the_table_is_seen(void **state)
{
	struct announce_found found;

	NEEDS_NETWORK();
	for (int i = 0; i < 2; i++) {
		ip(i ? "-6 rule add to 2001:db8::/48 lookup 4242" : "rule add lookup 4242");
		assert_int_equal(announce_routes_find(routes, &found), 0);
		assert_true(found.ruled);
		announce_found_clear(&found);
		ip(i ? "-6 rule del to 2001:db8::/48 lookup 4242" : "rule del lookup 4242");
	}
	assert_int_equal(announce_routes_find(routes, &found), 0);
	assert_false(found.ruled);
	announce_found_clear(&found);
}

static void count(void *user)
{
	++*(int *)user;
}

/* How often, in the turn of the loop that follows: more changes than one are told once. */
static int told_of(struct event_base *base, int *told, const char *what)
{
	*told = 0;
	ip(what);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return *told;
}

static void changes_by_others_are_told(void **state)
{
	struct event_base *base = event_base_new();
	int told = 0;

	NEEDS_NETWORK();
	assert_int_equal(announce_routes_watch(routes, base, count, &told), 0);
	assert_int_equal(add("192.0.2.10"), 0);
	assert_int_equal(add("2001:db8::10"), 0);
	assert_int_equal(told_of(base, &told, "route add blackhole 192.0.2.10 table 4141"), 0);
	assert_int_equal(told_of(base, &told, "rule add lookup 4141"), 0);
	assert_int_equal(told_of(base, &told, "route del blackhole 192.0.2.10 table 4242"), 1);
	assert_int_equal(told_of(base, &told, "-6 route del 2001:db8::10 table 4242"), 1);
	assert_int_equal(told_of(base, &told, "route add 192.0.2.10 dev lo table 4242"), 1);
	assert_int_equal(told_of(base, &told, "-6 rule add to 2001:db8::/48 lookup 4242"), 1);
	assert_int_equal(told_of(base, &told, "-6 rule del to 2001:db8::/48 lookup 4242"), 1);
	assert_int_equal(told_of(base, &told, "route del 192.0.2.10 table 4242"), 1);
	ip("rule del lookup 4141");
	event_base_free(base);
}

static void many_routes_fit(void **state)
{
	struct announce_found found;
	char text[LB_PREFIX_TEXT];

	NEEDS_NETWORK();
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), i % 2 ? "10.1.%d.%d" : "2001:db8::%x:%x", i / 250,
			 i % 250);
		assert_int_equal(add(text), 0);
	}
	assert_int_equal(announce_routes_find(routes, &found), 0);
	assert_int_equal(found.count, 3000);
	announce_found_clear(&found);
	assert_int_equal(announce_routes_withdraw(TABLE, PROTOCOL), 0);
	finds("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_that_does_not_exist_is_empty),
		cmocka_unit_test(routes_come_and_go),
		cmocka_unit_test(no_packet_is_led_by_them),
		cmocka_unit_test(routes_of_others_stay),
		cmocka_unit_test(routes_of_another_kind_or_metric_are_removed),
		cmocka_unit_test(rule_that_leads_to_the_table_is_seen),
		cmocka_unit_test(changes_by_others_are_told),
		cmocka_unit_test(many_routes_fit),
	};

	return cmocka_run_group_tests(tests, make_network, end_network);
}
