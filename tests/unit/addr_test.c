/* SPDX-License-Identifier: BSD-2-Clause */
/* Is every spelling of an address read right, written one way, and every wrong one refused in plain
 * words? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../lbd/api/addr.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static void addresses_have_one_canonical_spelling(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"192.0.2.10", "192.0.2.10"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"2001:DB8::A", "2001:db8::a"},
		{"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* RFC 5952, 4.2.2 */
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* 4.2.3: the longest run */
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* 4.2.3: the first of two */
		{"::ffff:c000:020a", "::ffff:192.0.2.10"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"fe80::1", "fe80::1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_addr address, again;
		char text[LB_ADDR_TEXT];

		assert_int_equal(lb_addr_parse(rows[i].in, &address, NULL), 0);
		assert_ptr_equal(lb_addr_format(&address, text), text);
		assert_string_equal(text, rows[i].out);
		assert_int_equal(lb_addr_parse(text, &again, NULL), 0);
		assert_true(lb_addr_equal(&address, &again));
	}
}

static void addresses_are_in_wire_order_with_zeros_behind(void **state)
{
	static const struct lb_addr expected = {.family = 4, .bytes = {192, 0, 2, 10}};
	struct lb_addr address;

	(void)state;
	memset(&address, 0xff, sizeof(address));
	assert_int_equal(lb_addr_parse("192.0.2.10", &address, NULL), 0);
	assert_memory_equal(&address, &expected, sizeof(expected));
}

struct bad_row {
	const char *text, *message, *hint;
};

static void expect_error(const struct lb_err *err, const struct bad_row *row)
{
	assert_int_equal(err->code, LB_ERR_PARAMS);
	assert_string_equal(err->path, "");
	assert_string_equal(err->message, row->message);
	assert_string_equal(err->hint, row->hint);
}

#define NOT_ADDRESS(text) "not an IPv4 or IPv6 address: \"" text "\""
#define FOUR_NUMBERS "an IPv4 address has four numbers, 0 to 255, without leading zeros"
#define WHITE_SPACE "remove the white space"

static void bad_addresses_are_refused_with_a_hint(void **state)
{
	static const struct bad_row rows[] = {
		{"", NOT_ADDRESS(""), "write an address, for example 192.0.2.10 or 2001:db8::10"},
		{"10.0.0", NOT_ADDRESS("10.0.0"), FOUR_NUMBERS},
		{"10.0.0.256", NOT_ADDRESS("10.0.0.256"), FOUR_NUMBERS},
		{"10.0.0.01", NOT_ADDRESS("10.0.0.01"), FOUR_NUMBERS},
		{"10.0.0.1.", NOT_ADDRESS("10.0.0.1."), FOUR_NUMBERS},
		{"10.0.0.1.2", NOT_ADDRESS("10.0.0.1.2"), FOUR_NUMBERS},
		{"167772161", NOT_ADDRESS("167772161"), FOUR_NUMBERS},
		{" 10.0.0.1", NOT_ADDRESS(" 10.0.0.1"), WHITE_SPACE},
		{"10.0.0.1 ", NOT_ADDRESS("10.0.0.1 "), WHITE_SPACE},
		{"10.0.0.1\n", NOT_ADDRESS("10.0.0.1?"), WHITE_SPACE},
		{"10.0.0.1/32", NOT_ADDRESS("10.0.0.1/32"), "write one address, without \"/\""},
		{"10.0.0.1:80", NOT_ADDRESS("10.0.0.1:80"),
		 "write the address alone, without a port"},
		{"example.com", NOT_ADDRESS("example.com"),
		 "host names are not looked up: write the address itself"},
		{"0x0a.0.0.1", NOT_ADDRESS("0x0a.0.0.1"),
		 "host names are not looked up: write the address itself"},
		{"fe80::1%eth0", NOT_ADDRESS("fe80::1%eth0"),
		 "an address with a scope (%interface) cannot be used"},
		{"[::1]", NOT_ADDRESS("[::1]"), "write the address without brackets"},
		{"1::2::3", NOT_ADDRESS("1::2::3"), ""},
		{"2001:db8::12345", NOT_ADDRESS("2001:db8::12345"), ""},
		{"1:2:3:4:5:6:7:8:9", NOT_ADDRESS("1:2:3:4:5:6:7:8:9"), ""},
		{":", NOT_ADDRESS(":"), "write the address alone, without a port"},
		{":::", NOT_ADDRESS(":::"), ""},
		{"::1.2.3", NOT_ADDRESS("::1.2.3"), ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_addr address = {.family = 77};
		struct lb_err err;

		assert_int_equal(lb_addr_parse(rows[i].text, &address, &err), -EINVAL);
		expect_error(&err, &rows[i]);
		assert_int_equal(address.family, 77); /* untouched */
	}
}

static void order_is_total_by_family_then_bytes(void **state)
{
	static const char *const sorted[] = {"0.0.0.1",   "9.0.0.0", "10.0.0.0",    "10.0.0.1",
					     "128.0.0.0", "::",      "2001:db8::1", "ff02::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			struct lb_addr a, b;
			int order;

			assert_int_equal(lb_addr_parse(sorted[i], &a, NULL), 0);
			assert_int_equal(lb_addr_parse(sorted[j], &b, NULL), 0);
			order = lb_addr_compare(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(lb_addr_equal(&a, &b), i == j);
		}
	}
}

static void endpoints_order_by_address_port_protocol(void **state)
{
	static const char *const sorted[] = {
		"9.0.0.1:80/tcp",      "10.0.0.1:0/tcp",     "10.0.0.1:0/udp",
		"10.0.0.1:80/tcp",     "10.0.0.1:80/udp",    "10.0.0.1:80-90/tcp",
		"10.0.0.1:80-100/tcp", "10.0.0.1:443/tcp",   "10.1.0.0:80/tcp",
		"10.1.0.0/24:0/tcp",   "10.1.0.0/24:80/tcp", "10.1.0.0/16:0/tcp",
		"[2001:db8::1]:1/tcp",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			struct lb_endpoint a, b;
			int order;

			assert_int_equal(lb_endpoint_parse(sorted[i], &a, NULL), 0);
			assert_int_equal(lb_endpoint_parse(sorted[j], &b, NULL), 0);
			order = lb_endpoint_compare(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}

static void unusable_addresses_say_why_and_their_neighbours_are_usable(void **state)
{
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{"0.0.0.0", "is the unspecified address"},
		{"0.0.0.1", NULL},
		{"126.255.255.255", NULL},
		{"127.0.0.0", "is a loopback address"},
		{"127.255.255.255", "is a loopback address"},
		{"128.0.0.0", NULL},
		{"169.253.255.255", NULL},
		{"169.254.0.0", "is a link-local address"},
		{"169.254.255.255", "is a link-local address"},
		{"169.255.0.0", NULL},
		{"223.255.255.255", NULL},
		{"224.0.0.0", "is a multicast address"},
		{"239.255.255.255", "is a multicast address"},
		{"240.0.0.0", NULL},
		{"255.255.255.254", NULL},
		{"255.255.255.255", "is a broadcast address"},
		{"::", "is the unspecified address"},
		{"::1", "is a loopback address"},
		{"::2", NULL},
		{"::ffff:192.0.2.1", "is an IPv4-mapped IPv6 address"},
		{"::fffe:192.0.2.1", NULL},
		{"2001:db8::1", NULL},
		{"fe7f::1", NULL},
		{"fe80::1", "is a link-local address"},
		{"febf::1", "is a link-local address"},
		{"fec0::1", NULL},
		{"fd00::1", NULL},
		{"feff::1", NULL},
		{"ff00::", "is a multicast address"},
		{"ff02::1", "is a multicast address"},
	};
	static const struct lb_addr unset;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_addr address;
		const char *reason;

		assert_int_equal(lb_addr_parse(rows[i].text, &address, NULL), 0);
		reason = lb_addr_unusable(&address);
		if (!rows[i].reason && reason)
			fail_msg("%s %s", rows[i].text, reason);
		if (rows[i].reason && !reason)
			fail_msg("%s is usable", rows[i].text);
		if (reason)
			assert_string_equal(reason, rows[i].reason);
	}
	assert_string_equal(lb_addr_unusable(&unset), "is not set");
}

static void endpoints_are_read_and_written(void **state)
{
	static const struct {
		const char *in, *out;
		uint8_t family, protocol;
		uint16_t port;
		uint8_t host_bits;
		uint16_t last_port;
	} rows[] = {
		{"192.0.2.1:443/tcp", "192.0.2.1:443/tcp", 4, IPPROTO_TCP, 443, 0, 0},
		{"192.0.2.1:3868/sctp", "192.0.2.1:3868/sctp", 4, IPPROTO_SCTP, 3868, 0, 0},
		{"192.0.2.1:0/udp", "192.0.2.1:0/udp", 4, IPPROTO_UDP, 0, 0, 0},
		{"192.0.2.1:65535/udp", "192.0.2.1:65535/udp", 4, IPPROTO_UDP, 65535, 0, 0},
		{"[2001:DB8:0::1]:53/udp", "[2001:db8::1]:53/udp", 6, IPPROTO_UDP, 53, 0, 0},
		{"[2001:db8:1111:2222:3333:4444:5555:6666]:65535/tcp",
		 "[2001:db8:1111:2222:3333:4444:5555:6666]:65535/tcp", 6, IPPROTO_TCP, 65535, 0, 0},
		{"192.0.2.0/24:443/tcp", "192.0.2.0/24:443/tcp", 4, IPPROTO_TCP, 443, 8, 0},
		{"192.0.2.1/32:443/tcp", "192.0.2.1:443/tcp", 4, IPPROTO_TCP, 443, 0, 0},
		{"2001:DB8::/48:0/tcp", "2001:db8::/48:0/tcp", 6, IPPROTO_TCP, 0, 80, 0},
		{"[2001:db8::]/48:0/tcp", "2001:db8::/48:0/tcp", 6, IPPROTO_TCP, 0, 80, 0},
		{"[2001:db8::/48]:53/udp", "2001:db8::/48:53/udp", 6, IPPROTO_UDP, 53, 80, 0},
		{"2001:db8::1/128:53/udp", "[2001:db8::1]:53/udp", 6, IPPROTO_UDP, 53, 0, 0},
		{"192.0.2.1:10000-20000/udp", "192.0.2.1:10000-20000/udp", 4, IPPROTO_UDP, 10000, 0,
		 20000},
		{"192.0.2.1:1-65535/udp", "192.0.2.1:1-65535/udp", 4, IPPROTO_UDP, 1, 0, 65535},
		{"192.0.2.1:80-80/tcp", "192.0.2.1:80/tcp", 4, IPPROTO_TCP, 80, 0, 0},
		{"[2001:db8::1]:1-2/sctp", "[2001:db8::1]:1-2/sctp", 6, IPPROTO_SCTP, 1, 0, 2},
		{"2001:db8:1111:2222:3333:4444:5555:6666/127:10000-65535/sctp",
		 "2001:db8:1111:2222:3333:4444:5555:6666/127:10000-65535/sctp", 6, IPPROTO_SCTP,
		 10000, 1, 65535},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_endpoint endpoint;
		char text[LB_ENDPOINT_TEXT];

		assert_int_equal(lb_endpoint_parse(rows[i].in, &endpoint, NULL), 0);
		assert_int_equal(endpoint.address.family, rows[i].family);
		assert_int_equal(endpoint.port, rows[i].port);
		assert_int_equal(endpoint.protocol, rows[i].protocol);
		assert_int_equal(endpoint.host_bits, rows[i].host_bits);
		assert_int_equal(endpoint.last_port, rows[i].last_port);
		assert_string_equal(lb_endpoint_format(&endpoint, text), rows[i].out);
		assert_int_equal(lb_endpoint_parse_one(rows[i].in, &endpoint, NULL),
				 lb_endpoint_is_wide(&endpoint) ? -EINVAL : 0);
	}
}

/* Of an endpoint: its first and last port, and an address that a host can have. */
static void endpoints_tell_what_they_hold(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t first, last;
		bool wide;
	} rows[] = {
		{"192.0.2.0:443/tcp", "192.0.2.0", 443, 443, false},
		{"192.0.2.0:0/tcp", "192.0.2.0", 0, 65535, false},
		{"192.0.2.0/24:443/tcp", "192.0.2.1", 443, 443, true},
		{"192.0.2.0:443-445/tcp", "192.0.2.0", 443, 445, true},
		{"2001:db8::/127:0/tcp", "2001:db8::1", 0, 65535, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_endpoint endpoint;
		char text[LB_ADDR_TEXT];
		struct lb_addr host;
		uint16_t first, last;

		assert_int_equal(lb_endpoint_parse(rows[i].text, &endpoint, NULL), 0);
		lb_endpoint_ports(&endpoint, &first, &last);
		host = lb_endpoint_host(&endpoint);
		assert_int_equal(first, rows[i].first);
		assert_int_equal(last, rows[i].last);
		assert_int_equal(lb_endpoint_is_wide(&endpoint), rows[i].wide);
		assert_string_equal(lb_addr_format(&host, text), rows[i].host);
	}
}

static void prefixes_cover_what_lies_within(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} rows[] = {
		{"192.0.2.0/24", "192.0.2.0/24", true},
		{"192.0.2.0/24", "192.0.2.128/25", true},
		{"192.0.2.0/24", "192.0.2.255/32", true},
		{"192.0.2.0/24", "192.0.3.0/32", false},
		{"192.0.2.0/24", "192.0.0.0/16", false},
		{"192.0.2.128/25", "192.0.2.0/24", false},
		{"192.0.2.0/25", "192.0.2.0/24", false},
		{"2001:db8::/33", "2001:db8:7fff::/48", true},
		{"2001:db8::/33", "2001:db8:8000::/48", false},
		{"0.0.0.0/0", "::/0", false},
		{"::/0", "10.0.0.0/8", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_prefix outer, inner;

		assert_int_equal(lb_prefix_parse(rows[i].outer, &outer, NULL), 0);
		assert_int_equal(lb_prefix_parse(rows[i].inner, &inner, NULL), 0);
		assert_int_equal(lb_prefix_covers(&outer, &inner), rows[i].covers);
	}
}

static void unusable_prefixes_say_why(void **state)
{
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{"10.0.0.0/8", NULL},
		{"192.0.2.0/24", NULL},
		{"192.0.2.0/31", NULL},
		{"12.0.0.0/7", "is shorter than /8"},
		{"0.0.0.0/0", "is the unspecified address"},
		{"127.0.0.0/8", "is a loopback address"},
		{"224.0.0.0/8", "is a multicast address"},
		{"169.0.0.0/8", "holds link-local addresses"},
		{"169.254.0.0/16", "is a link-local address"},
		{"169.252.0.0/15", NULL},
		{"255.0.0.0/8", "holds addresses that no host can have"},
		{"240.0.0.0/8", NULL},
		{"2001:db8::/32", NULL},
		{"2001::/16", NULL},
		{"2000::/15", "is shorter than /16"},
		{"::/16", "is the unspecified address"},
		{"fe80::/16", "is a link-local address"},
		{"::fffe:0:0/95", "holds addresses that no host can have"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_prefix prefix;
		const char *reason;

		assert_int_equal(lb_prefix_parse(rows[i].text, &prefix, NULL), 0);
		reason = lb_prefix_unusable(&prefix);
		if (!reason || !rows[i].reason)
			assert_true(reason == rows[i].reason);
		else
			assert_string_equal(reason, rows[i].reason);
	}
}

#define SHAPE6 "write it as [2001:db8::10]:443/tcp, for example"
#define BRACKETS(text) "an IPv6 address stands in brackets before its port: \"" text "\""
#define EVERY_PORT ", for example; port 0 stands for every port"

static void bad_endpoints_are_refused_with_a_hint(void **state)
{
	static const struct bad_row rows[] = {
		{"", NOT_ADDRESS(""), "write an address, for example 192.0.2.10 or 2001:db8::10"},
		{"192.0.2.1", "port is missing in \"192.0.2.1\"",
		 "write it as 192.0.2.1:443/tcp" EVERY_PORT},
		{"192.0.2.1/tcp", "port is missing in \"192.0.2.1/tcp\"",
		 "write it as 192.0.2.1:443/tcp" EVERY_PORT},
		{"[2001:db8::1]", "port is missing in \"[2001:db8::1]\"",
		 "write it as [2001:db8::1]:443/tcp" EVERY_PORT},
		{"192.0.2.1:80", "protocol is missing in \"192.0.2.1:80\"",
		 "write it as 192.0.2.1:80/tcp" EVERY_PORT},
		{"[2001:db8::1]:80", "protocol is missing in \"[2001:db8::1]:80\"",
		 "write it as [2001:db8::1]:80/tcp" EVERY_PORT},
		{"192.0.2.1:80/icmp", "protocol must be tcp, udp or sctp, not \"icmp\"", ""},
		{"192.0.2.1:80/TCP", "protocol must be tcp, udp or sctp, not \"TCP\"", ""},
		{"192.0.2.1:80/", "protocol must be tcp, udp or sctp, not \"\"", ""},
		{"192.0.2.1:80/tcp/udp", "protocol must be tcp, udp or sctp, not \"tcp/udp\"", ""},
		{"192.0.2.1:80/tcp ", "protocol must be tcp, udp or sctp, not \"tcp \"", ""},
		{"192.0.2.1:/tcp", "port must be a number, 0 to 65535, not \"\"", ""},
		{"192.0.2.1:http/tcp", "port must be a number, 0 to 65535, not \"http\"", ""},
		{"192.0.2.1:-1/tcp", "port must be a number, 0 to 65535, not \"-1\"", ""},
		{"192.0.2.1:+1/tcp", "port must be a number, 0 to 65535, not \"+1\"", ""},
		{"192.0.2.1: 1/tcp", "port must be a number, 0 to 65535, not \" 1\"", ""},
		{"192.0.2.1:080/tcp", "port must have no leading zeros, not \"080\"", ""},
		{"192.0.2.1:00/tcp", "port must have no leading zeros, not \"00\"", ""},
		{"192.0.2.1:65536/tcp", "port must be 0 to 65535, not 65536", ""},
		{"192.0.2.1:4294967376/tcp", "port must be 0 to 65535, not 4294967376", ""},
		{"2001:db8::1", BRACKETS("2001:db8::1"), SHAPE6},
		{"2001:db8::1:443/tcp", BRACKETS("2001:db8::1:443/tcp"), SHAPE6},
		{"2001:db8::1]:443/tcp", BRACKETS("2001:db8::1]:443/tcp"), SHAPE6},
		{"[192.0.2.1]:80/tcp",
		 "brackets are for IPv6 addresses only: \"[192.0.2.1]:80/tcp\"", ""},
		{"[2001:db8::1:80/tcp", NOT_ADDRESS("2001:db8::1:80/tcp"),
		 "write one address, without \"/\""},
		{"192.0.2.0/24", "port is missing in \"192.0.2.0/24\"",
		 "write it as 192.0.2.0/24:443/tcp" EVERY_PORT},
		{"2001:db8::/48/tcp", "port is missing in \"2001:db8::/48/tcp\"",
		 "write it as 2001:db8::/48:443/tcp" EVERY_PORT},
		{"192.0.2.1/24:443/tcp", "bits beyond the length are set in \"192.0.2.1/24\"",
		 "did you mean 192.0.2.0/24?"},
		{"192.0.2.1/7:443/tcp", "bits beyond the length are set in \"192.0.2.1/7\"", ""},
		{"[2001:db8::]/15:443/tcp", "bits beyond the length are set in \"2001:db8::/15\"",
		 ""},
		{"192.0.2.0/33:443/tcp", "length of the prefix must be 0 to 32, not \"33\"", ""},
		{"[192.0.2.0/24]:443/tcp",
		 "brackets are for IPv6 addresses only: \"[192.0.2.0/24]:443/tcp\"", ""},
		{"192.0.2.1:20-10/tcp", "the range of ports 20-10 ends before it begins",
		 "did you mean 10-20?"},
		{"192.0.2.1:0-10/tcp", "a range of ports cannot begin with 0",
		 "port 0 alone stands for every port"},
		{"192.0.2.1:10-/tcp", "port must be a number, 0 to 65535, not \"\"", ""},
		{"192.0.2.1:10-20-30/tcp", "port must be a number, 0 to 65535, not \"20-30\"", ""},
		{"192.0.2.1:10-65536/tcp", "port must be 0 to 65535, not 65536", ""},
		{"[2001:db8::1]80/tcp", "port is missing in \"[2001:db8::1]80/tcp\"",
		 "write it as [2001:db8::1]:443/tcp" EVERY_PORT},
		{"tcp://192.0.2.1:80", NOT_ADDRESS("tcp"),
		 "host names are not looked up: write the address itself"},
		{"web:80/tcp", NOT_ADDRESS("web"),
		 "host names are not looked up: write the address itself"},
		{"[fe80::1%eth0]:80/tcp", NOT_ADDRESS("fe80::1%eth0"),
		 "an address with a scope (%interface) cannot be used"},
		{":80/tcp", NOT_ADDRESS(""),
		 "write an address, for example 192.0.2.10 or 2001:db8::10"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_endpoint endpoint = {.port = 77};
		struct lb_err err;

		assert_int_equal(lb_endpoint_parse(rows[i].text, &endpoint, &err), -EINVAL);
		expect_error(&err, &rows[i]);
		assert_int_equal(endpoint.port, 77);
	}
}

static void prefixes_are_read_and_written(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"10.1.2.3", "10.1.2.3/32"},
		{"10.1.2.3/32", "10.1.2.3/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.1.2.128/25", "10.1.2.128/25"},
		{"2001:DB8::/32", "2001:db8::/32"},
		{"2001:db8::1", "2001:db8::1/128"},
		{"::/0", "::/0"},
		{"2001:db8:8000::/33", "2001:db8:8000::/33"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_prefix prefix;
		char text[LB_PREFIX_TEXT];

		assert_int_equal(lb_prefix_parse(rows[i].in, &prefix, NULL), 0);
		assert_string_equal(lb_prefix_format(&prefix, text), rows[i].out);
	}
}

#define LENGTH4(text) "length of the prefix must be 0 to 32, not \"" text "\""
#define HOST_BITS(text) "bits beyond the length are set in \"" text "\""

static void bad_prefixes_are_refused_with_a_hint(void **state)
{
	static const struct bad_row rows[] = {
		{"10.0.0.1/8", HOST_BITS("10.0.0.1/8"), "did you mean 10.0.0.0/8?"},
		{"10.1.2.129/25", HOST_BITS("10.1.2.129/25"), "did you mean 10.1.2.128/25?"},
		{"10.0.0.1/0", HOST_BITS("10.0.0.1/0"), "did you mean 0.0.0.0/0?"},
		{"2001:db8::1/127", HOST_BITS("2001:db8::1/127"), "did you mean 2001:db8::/127?"},
		{"10.0.0.0/33", LENGTH4("33"), ""},
		{"10.0.0.0/", LENGTH4(""), ""},
		{"10.0.0.0/-1", LENGTH4("-1"), ""},
		{"10.0.0.0/08", LENGTH4("08"), ""},
		{"10.0.0.0/8/8", LENGTH4("8/8"), ""},
		{"10.0.0.0/4294967304", LENGTH4("4294967304"), ""},
		{"10.0.0.0/255.0.0.0", LENGTH4("255.0.0.0"), ""},
		{"::/129", "length of the prefix must be 0 to 128, not \"129\"", ""},
		{"10.0.0/8", NOT_ADDRESS("10.0.0"), FOUR_NUMBERS},
		{"/8", NOT_ADDRESS(""), "write an address, for example 192.0.2.10 or 2001:db8::10"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lb_prefix prefix;
		struct lb_err err;

		assert_int_equal(lb_prefix_parse(rows[i].text, &prefix, &err), -EINVAL);
		expect_error(&err, &rows[i]);
	}
}

static void very_long_texts_are_refused(void **state)
{
	static const char *const starts[] = {"",    "1.",       "1:",         "[",
					     "[1:", "1.2.3.4:", "1.2.3.4:1/", "1.2.3.4/"};
	char *text = malloc(1 << 20);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct lb_addr address;
		struct lb_endpoint endpoint;
		struct lb_prefix prefix;
		struct lb_err err;

		memset(text, '1', 1 << 20);
		memcpy(text, starts[i], strlen(starts[i]));
		text[(1 << 20) - 1] = '\0';
		assert_int_equal(lb_addr_parse(text, &address, &err), -EINVAL);
		assert_int_equal(lb_endpoint_parse(text, &endpoint, &err), -EINVAL);
		assert_int_equal(lb_prefix_parse(text, &prefix, &err), -EINVAL);
	}
	free(text);
}

/* Whatever is accepted is written canonically and read back the same. */
static void random_texts_are_refused_or_survive_a_round_trip(void **state)
{
	static const char letters[] = "0123456789abf:.[]/%tcpud -";
	static const char *const seeds[] = {"[2001:db8::17:8]:443/tcp", "192.0.2.117:443/udp",
					    "192.0.2.0/24:443-990/udp", "2001:db8::/48:1/tcp"};
	char in[80], out[LB_ENDPOINT_TEXT];

	(void)state;
	srand(1);
	for (int round = 0; round < 200000; round++) {
		struct lb_endpoint endpoint, again;
		size_t start;

		strcpy(in, seeds[(size_t)rand() % ARRAY_SIZE(seeds)]);
		for (int changes = rand() % 3; changes >= 0; changes--) {
			start = (size_t)rand() % strlen(in);
			in[start] = letters[(size_t)rand() % (sizeof(letters) - 1)];
		}
		if (lb_endpoint_parse(in, &endpoint, NULL))
			continue;
		lb_endpoint_format(&endpoint, out);
		assert_int_equal(lb_endpoint_parse(out, &again, NULL), 0);
		assert_int_equal(lb_endpoint_compare(&endpoint, &again), 0);
	}
}

static void protocols_have_names(void **state)
{
	(void)state;
	assert_string_equal(lb_protocol_name(IPPROTO_TCP), "tcp");
	assert_string_equal(lb_protocol_name(IPPROTO_UDP), "udp");
	assert_string_equal(lb_protocol_name(IPPROTO_SCTP), "sctp");
	assert_null(lb_protocol_name(IPPROTO_ICMP));
	assert_null(lb_protocol_name(0));
}

static void what_was_never_set_can_be_shown(void **state)
{
	static const struct lb_endpoint unset = {.protocol = 255};
	char text[LB_ENDPOINT_TEXT];

	(void)state;
	assert_string_equal(lb_endpoint_format(&unset, text), "none:0/255");
}

static void sockets_give_back_what_they_were_given(void **state)
{
	static const char *const texts[] = {"192.0.2.10", "0.0.0.0", "2001:db8::10", "::"};
	const struct sockaddr local = {.sa_family = AF_UNIX};
	struct lb_addr given, got;
	struct sockaddr_storage socket;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(lb_addr_parse(texts[i], &given, NULL), 0);
		assert_int_equal(lb_addr_to_socket(&given, 6080, &socket),
				 given.family == 4 ? sizeof(struct sockaddr_in)
						   : sizeof(struct sockaddr_in6));
		assert_true(lb_addr_from_socket((struct sockaddr *)&socket, &got, &port));
		assert_memory_equal(&got, &given, sizeof(got));
		assert_int_equal(port, 6080);
	}
	assert_false(lb_addr_from_socket(&local, &got, NULL));
	assert_false(lb_addr_from_socket(NULL, &got, NULL));
	assert_int_equal(got.family, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_one_canonical_spelling),
		cmocka_unit_test(addresses_are_in_wire_order_with_zeros_behind),
		cmocka_unit_test(bad_addresses_are_refused_with_a_hint),
		cmocka_unit_test(order_is_total_by_family_then_bytes),
		cmocka_unit_test(endpoints_order_by_address_port_protocol),
		cmocka_unit_test(unusable_addresses_say_why_and_their_neighbours_are_usable),
		cmocka_unit_test(endpoints_are_read_and_written),
		cmocka_unit_test(endpoints_tell_what_they_hold),
		cmocka_unit_test(prefixes_cover_what_lies_within),
		cmocka_unit_test(unusable_prefixes_say_why),
		cmocka_unit_test(bad_endpoints_are_refused_with_a_hint),
		cmocka_unit_test(prefixes_are_read_and_written),
		cmocka_unit_test(bad_prefixes_are_refused_with_a_hint),
		cmocka_unit_test(very_long_texts_are_refused),
		cmocka_unit_test(random_texts_are_refused_or_survive_a_round_trip),
		cmocka_unit_test(sockets_give_back_what_they_were_given),
		cmocka_unit_test(protocols_have_names),
		cmocka_unit_test(what_was_never_set_can_be_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
