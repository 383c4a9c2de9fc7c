/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MTU do routers' messages tell, of which way, and which messages are not about ours? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "../../lbd/route/pmtu_judge.h"

/* A message as a raw socket gives it: IP header, ICMP header, the packet that was too big. */
static const uint8_t ipv4[] = {
	0x45, 0, 0,    56,   0,   0, 0,    0,    64, 1,
	0,    0, 203,  0,    113, 1, 10,   0,    0,  1, /* router to us */
	3,    4, 0,    0,    0,   0, 0x05, 0x78,        /* MTU 1400 */
	0x45, 0, 0x05, 0xdc, 0,   0, 0x40, 0,    64, 4,
	0,    0, 10,   0,    0,   1, 10,   0,    0,  2, /* us to backend */
	0x45, 0, 0x05, 0xc8, 0,   0, 0x40, 0,           /* the client's packet */
};
enum { HEADER = 20, TYPE = HEADER, CODE, MTU = TYPE + 6, QUOTE = TYPE + 8, PROTOCOL = QUOTE + 9 };
enum { SOURCE = QUOTE + 12, AFTER = QUOTE + 20, DPORT = AFTER + 2 };

/* ICMPv6 header, MTU 1400, the outer header from 2001:db8::1 to 2001:db8::2. */
static const uint8_t ipv6[] = {
	2,    0, 0, 0, 0, 0, 0x05, 0x78, 0x60, 0, 0,    0, 0x05, 0xb4, 41,   64,   0x20, 0x01, 0x0d,
	0xb8, 0, 0, 0, 0, 0, 0,    0,    0,    0, 0,    0, 1,    0x20, 0x01, 0x0d, 0xb8, 0,    0,
	0,    0, 0, 0, 0, 0, 0,    0,    0,    2, 0x60, 0, 0,    0,    0,    0,    6,    64,
};
enum { MTU6 = 4, NEXT6 = 8 + 6, AFTER6 = 48 };

struct change {
	size_t at;
	uint8_t byte;
};

static bool read4(struct pmtu_news *news, size_t length, int changes, const struct change *change)
{
	uint8_t message[sizeof(ipv4)];

	memcpy(message, ipv4, sizeof(ipv4));
	while (changes--)
		message[change[changes].at] = change[changes].byte;
	return pmtu_read_ipv4(message, length, news);
}
#define READ4(news, ...)                                                                           \
	read4(news, sizeof(ipv4), sizeof((struct change[]){__VA_ARGS__}) / sizeof(struct change),  \
	      (struct change[]){__VA_ARGS__})

static bool read6(struct pmtu_news *news, size_t length, int changes, const struct change *change)
{
	uint8_t message[sizeof(ipv6)];

	memcpy(message, ipv6, sizeof(ipv6));
	while (changes--)
		message[change[changes].at] = change[changes].byte;
	return pmtu_read_ipv6(message, length, news);
}
#define READ6(news, ...)                                                                           \
	read6(news, sizeof(ipv6), sizeof((struct change[]){__VA_ARGS__}) / sizeof(struct change),  \
	      (struct change[]){__VA_ARGS__})

static void message_about_our_packet_tells_the_mtu_and_the_way(void **state)
{
	struct pmtu_news news;
	char text[LB_ADDR_TEXT];

	(void)state;
	assert_true(pmtu_read_ipv4(ipv4, sizeof(ipv4), &news));
	assert_int_equal(news.mtu, 1400);
	assert_string_equal(lb_addr_format(&news.destination, text), "10.0.0.2");
	assert_true(pmtu_read_ipv6(ipv6, sizeof(ipv6), &news));
	assert_int_equal(news.mtu, 1400);
	assert_string_equal(lb_addr_format(&news.destination, text), "2001:db8::2");
}

static void encapsulations_that_are_ours_are_ipip_and_gue(void **state)
{
	struct pmtu_news news;

	(void)state;
	assert_true(READ4(&news, {PROTOCOL, 41}));
	assert_false(READ4(&news, {PROTOCOL, 6}));
	assert_true(READ4(&news, {PROTOCOL, 17}, {DPORT, 6080 >> 8}, {DPORT + 1, 6080 & 0xff},
			  {AFTER + 6, 0}));
	assert_false(READ4(&news, {PROTOCOL, 17}, {DPORT, 0}, {DPORT + 1, 53}));
	assert_true(READ6(&news, {NEXT6, 4}));
	assert_false(READ6(&news, {NEXT6, 6}));
	assert_true(READ6(&news, {NEXT6, 17}, {AFTER6 + 2, 6080 >> 8}, {AFTER6 + 3, 6080 & 0xff},
			  {AFTER6 + 6, 0}, {AFTER6 + 7, 0}));
	assert_false(READ6(&news, {NEXT6, 17}, {AFTER6 + 2, 0}, {AFTER6 + 3, 53}));
}

static void other_messages_are_passed_over(void **state)
{
	struct pmtu_news news;

	(void)state;
	assert_false(READ4(&news, {TYPE, 11}));
	assert_false(READ4(&news, {CODE, 1}));
	assert_false(
		READ4(&news, {SOURCE, 11})); /* quotes a packet that was not from its receiver */
	assert_false(READ6(&news, {0, 1}));
}

static void a_refusal_of_the_outer_header_is_told_by_its_kind(void **state)
{
	struct pmtu_news news;
	char text[LB_ADDR_TEXT];

	(void)state;
	assert_true(READ4(&news, {CODE, 2}));
	assert_int_equal(news.refusal, PMTU_NO_PROTOCOL);
	assert_int_equal(news.mtu, 0);
	assert_string_equal(lb_addr_format(&news.destination, text), "10.0.0.2");
	assert_true(READ4(&news, {CODE, 3}));
	assert_int_equal(news.refusal, PMTU_NO_DEVICE);
	assert_true(READ4(&news, {CODE, 3}, {PROTOCOL, 17}, {DPORT, 6080 >> 8},
			  {DPORT + 1, 6080 & 0xff}, {AFTER + 6, 0}));
	assert_int_equal(news.refusal, PMTU_NO_PORT);
	assert_false(READ4(&news, {CODE, 3}, {PROTOCOL, 17}, {DPORT, 0}));
	assert_false(READ4(&news, {CODE, 2}, {PROTOCOL, 6}));
	assert_true(READ6(&news, {0, 4}, {1, 1}));
	assert_int_equal(news.refusal, PMTU_NO_PROTOCOL);
	assert_string_equal(lb_addr_format(&news.destination, text), "2001:db8::2");
	assert_true(READ6(&news, {0, 1}, {1, 4}));
	assert_int_equal(news.refusal, PMTU_NO_DEVICE);
	assert_false(READ6(&news, {0, 4}, {1, 0}));
	assert_true(READ4(&news, {CODE, 4}));
	assert_int_equal(news.refusal, PMTU_NOT_REFUSED);
}

static void quote_that_the_program_does_not_write_is_passed_over(void **state)
{
	struct pmtu_news news;

	(void)state;
	assert_false(READ4(&news, {QUOTE + 5, 1})); /* an identification */
	assert_false(READ4(&news, {QUOTE + 6, 0})); /* no DF */
	assert_false(READ4(&news, {QUOTE + 7, 1})); /* a later fragment */
	assert_false(READ4(&news, {QUOTE, 0x46}));  /* options */
	assert_false(READ6(&news, {8, 0x40}));
	assert_false(READ4(&news, {PROTOCOL, 17}, {DPORT, 6080 >> 8}, {DPORT + 1, 6080 & 0xff},
			   {AFTER + 7, 1})); /* a UDP checksum */
}

static void quote_tells_source_length_and_port(void **state)
{
	struct pmtu_news news;
	char text[LB_ADDR_TEXT];

	(void)state;
	assert_true(READ4(&news, {PROTOCOL, 17}, {AFTER, 0xc1}, {AFTER + 1, 2}, {DPORT, 6080 >> 8},
			  {DPORT + 1, 6080 & 0xff}, {AFTER + 6, 0}));
	assert_int_equal(news.length, 1500);
	assert_int_equal(news.protocol, 17);
	assert_int_equal(news.source_port, 0xc102);
	assert_string_equal(lb_addr_format(&news.source, text), "10.0.0.1");
	assert_true(READ6(&news, {0, 2}));
	assert_int_equal(news.length, 1500);
	assert_int_equal(news.protocol, 41);
	assert_string_equal(lb_addr_format(&news.source, text), "2001:db8::1");
}

static void router_that_names_no_mtu_means_the_next_plateau(void **state)
{
	struct pmtu_news news;

	(void)state;
	assert_true(READ4(&news, {MTU, 0}, {MTU + 1, 0}));
	assert_int_equal(news.mtu, 1492); /* of a packet of 1,500 bytes */
	assert_true(READ4(&news, {MTU, 0}, {MTU + 1, 0}, {QUOTE + 2, 2}, {QUOTE + 3, 0x40}));
	assert_int_equal(news.mtu, 68); /* of one of 576 */
}

static void messages_cut_off_anywhere_are_never_read_beyond(void **state)
{
	struct pmtu_news news;
	size_t length;

	(void)state;
	for (length = 0; length < sizeof(ipv4); length++) {
		uint8_t *exact = memcpy(test_malloc(length + 1), ipv4, length);

		assert_int_equal(pmtu_read_ipv4(exact, length, &news), length >= AFTER);
		test_free(exact);
	}
	for (length = 0; length < sizeof(ipv6); length++)
		assert_int_equal(pmtu_read_ipv6(ipv6, length, &news), length >= AFTER6);
	assert_false(READ4(&news, {0, 0x44}));
	assert_false(READ4(&news, {0, 0x4f}));
	assert_false(READ4(&news, {QUOTE, 0x44}));
	assert_false(READ4(&news, {QUOTE, 0x4f}));
	assert_false(read4(&news, DPORT, 1, (struct change[]){{PROTOCOL, 17}}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_about_our_packet_tells_the_mtu_and_the_way),
		cmocka_unit_test(encapsulations_that_are_ours_are_ipip_and_gue),
		cmocka_unit_test(other_messages_are_passed_over),
		cmocka_unit_test(a_refusal_of_the_outer_header_is_told_by_its_kind),
		cmocka_unit_test(quote_that_the_program_does_not_write_is_passed_over),
		cmocka_unit_test(quote_tells_source_length_and_port),
		cmocka_unit_test(router_that_names_no_mtu_means_the_next_plateau),
		cmocka_unit_test(messages_cut_off_anywhere_are_never_read_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
