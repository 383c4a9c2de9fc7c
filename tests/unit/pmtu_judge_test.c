/* SPDX-License-Identifier: BSD-2-Clause */
/* Which messages about the MTU of a way are believed, and how far down? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "../../lbd/api/err.h"
#include "../../lbd/route/pmtu_judge.h"

static struct lb_addr address(const char *text)
{
	struct lb_addr out = {0};
	struct lb_err err = {0};

	assert_int_equal(lb_addr_parse(text, &out, &err), 0);
	return out;
}

static struct pmtu_way way4(void)
{
	return (struct pmtu_way){.source = address("10.0.0.1"), .mtu = 1500, .inner = 4};
}

static struct pmtu_news news4(void)
{
	return (struct pmtu_news){.source = address("10.0.0.1"),
				  .destination = address("10.0.0.2"),
				  .mtu = 1400,
				  .length = 1500,
				  .protocol = IPPROTO_IPIP};
}

static void quote_must_be_what_is_sent(void **state)
{
	struct pmtu_way way = way4();
	struct pmtu_news news = news4();

	(void)state;
	assert_true(pmtu_is_quoted(&news, &way));
	news.protocol = IPPROTO_IPV6;
	assert_false(pmtu_is_quoted(&news, &way));
	way.inner = 6;
	assert_true(pmtu_is_quoted(&news, &way));
	news.protocol = IPPROTO_UDP;
	news.source_port = 49152;
	assert_false(pmtu_is_quoted(&news, &way));
	way.gue = true;
	assert_true(pmtu_is_quoted(&news, &way));
	news.source_port = 49151;
	assert_false(pmtu_is_quoted(&news, &way));
}

static void a_pool_of_both_families_sends_either_protocol(void **state)
{
	struct pmtu_way way = way4();
	struct pmtu_news news = news4();

	(void)state;
	way.inner = 0;
	assert_true(pmtu_is_quoted(&news, &way));
	news.protocol = IPPROTO_IPV6;
	assert_true(pmtu_is_quoted(&news, &way));
	news.protocol = IPPROTO_UDP;
	assert_false(pmtu_is_quoted(&news, &way));
	assert_int_equal(pmtu_floor(&way), 1280 + 20);
}

static void quoted_source_must_be_ours(void **state)
{
	struct pmtu_way way = way4();
	struct pmtu_news news = news4();

	(void)state;
	news.source = address("10.0.0.3");
	assert_false(pmtu_is_quoted(&news, &way));
	way.source = address("10.0.0.0");
	way.source_mask = htonl(0xff);
	assert_true(pmtu_is_quoted(&news, &way));
	news.source = address("10.0.1.3");
	assert_false(pmtu_is_quoted(&news, &way));
	news.source = address("2001:db8::a00:3");
	assert_false(pmtu_is_quoted(&news, &way));
	way.source = address("2001:db8::");
	way.source_mask = htonl(0xffffffff);
	assert_true(pmtu_is_quoted(&news, &way));
	news.source = address("2001:db8:0:1::3");
	assert_false(pmtu_is_quoted(&news, &way));
}

static void quoted_length_must_explain_the_message(void **state)
{
	struct pmtu_way way = way4();
	struct pmtu_news news = news4();

	(void)state;
	news.length = 1401;
	assert_true(pmtu_is_quoted(&news, &way));
	news.length = 1400; /* it would have fitted */
	assert_false(pmtu_is_quoted(&news, &way));
	news.length = 1501; /* never sent */
	assert_false(pmtu_is_quoted(&news, &way));
}

static void checks_of_full_size_outweigh_a_message(void **state)
{
	struct pmtu_way way = way4();
	struct pmtu_news news = news4();

	(void)state;
	way.arrived = 1500;
	assert_false(pmtu_is_quoted(&news, &way));
	way.arrived = 1400;
	assert_true(pmtu_is_quoted(&news, &way));
}

static void floor_leaves_a_packet_of_the_least_size(void **state)
{
	struct pmtu_way way = way4();

	(void)state;
	assert_int_equal(pmtu_floor(&way), 552 + 20);
	way.gue = true;
	assert_int_equal(pmtu_floor(&way), 552 + 28);
	way.inner = 6;
	assert_int_equal(pmtu_floor(&way), 1280 + 28);
	way.gue = false;
	assert_int_equal(pmtu_floor(&way), 1280 + 20);
	way.source = address("2001:db8::1");
	assert_int_equal(pmtu_floor(&way), 1280 + 40);
	way.gue = true;
	assert_int_equal(pmtu_floor(&way), 1280 + 48);
	way.inner = 4;
	assert_int_equal(pmtu_floor(&way), 552 + 48);
}

static void one_message_counts_once_traffic_is_seen_and_no_more_than_one_an_interval(void **state)
{
	struct pmtu_trust trust = {0};

	(void)state;
	assert_true(pmtu_is_due(&trust, 5000));
	assert_false(pmtu_is_recent(&trust, 100, 5000)); /* nothing to compare with */
	assert_false(pmtu_is_due(&trust, 5000 + PMTU_INTERVAL_MS - 1));
	assert_true(pmtu_is_due(&trust, 5000 + PMTU_INTERVAL_MS));
	assert_false(pmtu_is_recent(&trust, 100, 6000)); /* nothing was sent */
	assert_true(pmtu_is_recent(&trust, 101, 7000));
	assert_false(pmtu_is_recent(&trust, 200, 7001 + PMTU_RECENT_MS)); /* long ago */
	assert_true(pmtu_is_recent(&trust, 201, 8001 + PMTU_RECENT_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quote_must_be_what_is_sent),
		cmocka_unit_test(a_pool_of_both_families_sends_either_protocol),
		cmocka_unit_test(quoted_source_must_be_ours),
		cmocka_unit_test(quoted_length_must_explain_the_message),
		cmocka_unit_test(checks_of_full_size_outweigh_a_message),
		cmocka_unit_test(floor_leaves_a_packet_of_the_least_size),
		cmocka_unit_test(
			one_message_counts_once_traffic_is_seen_and_no_more_than_one_an_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
