/* SPDX-License-Identifier: BSD-2-Clause */
/* Do the parts of a prefix say whose each port is, as a search through all endpoints does? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/plane/wide.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define ENDPOINTS 40u

static int start(void **state)
{
	*state = wide_table_new();
	return !*state;
}

static int end(void **state)
{
	wide_table_free(*state);
	return 0;
}

static struct lb_endpoint parse(const char *text)
{
	struct lb_endpoint endpoint;

	if (lb_endpoint_parse(text, &endpoint, NULL))
		fail_msg("no endpoint: %s", text);
	return endpoint;
}

static void set(struct wide_table *table, const char *text, uint32_t number)
{
	const struct lb_endpoint endpoint = parse(text);

	assert_int_equal(wide_table_set(table, &endpoint, number), 0);
}

/* As the program does (bpf/vip.h): the last part that begins no later. */
static uint32_t part_at(const struct lb_parts *parts, uint16_t port)
{
	uint32_t at = 0, step;

	for (step = LB_PARTS_MAX / 2; step; step /= 2)
		if (parts->part[at + step].first <= port)
			at += step;
	return parts->part[at].first <= port && port <= parts->part[at].last ? parts->part[at].vip
									     : 0;
}

/* --- what each prefix is told --- */

struct told {
	struct lb_endpoint prefix[ENDPOINTS + 1];
	struct lb_parts parts[ENDPOINTS + 1];
	bool gone[ENDPOINTS + 1];
	size_t count;
};

static int note(void *user, const struct lb_endpoint *prefix, const struct lb_parts *parts)
{
	struct told *told = user;

	assert_true(told->count < ARRAY_SIZE(told->prefix));
	told->prefix[told->count] = *prefix;
	told->gone[told->count] = !parts;
	if (parts)
		told->parts[told->count] = *parts;
	told->count++;
	return 0;
}

static void told_of(struct wide_table *table, const char *text, struct told *out)
{
	const struct lb_endpoint endpoint = parse(text);

	out->count = 0;
	assert_int_equal(wide_table_each(table, &endpoint, note, out), 0);
}

static void longest_prefix_then_fewest_ports_has_a_port(void **state)
{
	static const struct {
		uint16_t port;
		uint32_t vip;
	} rows[] = {
		{0, 1},   {79, 1},  {80, 3},  {81, 1},  {99, 1},  {100, 2},
		{149, 2}, {150, 4}, {151, 2}, {200, 2}, {201, 1}, {65535, 1},
	};
	static struct told told;

	set(*state, "10.0.0.0/8:0/tcp", 1);
	set(*state, "10.0.0.0/8:150/tcp", 9);
	set(*state, "10.1.0.0/16:100-200/tcp", 2);
	set(*state, "10.1.0.0/16:80/tcp", 3);
	set(*state, "10.1.0.0/16:150/tcp", 4);
	set(*state, "10.1.0.0/16:80/udp", 5);
	told_of(*state, "10.1.0.0/16:1/tcp", &told);
	assert_int_equal(told.count, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(part_at(&told.parts[0], rows[i].port), LB_PART_VIP | rows[i].vip);
}

static void only_ranges_of_the_very_address_say_so(void **state)
{
	static struct told told;

	set(*state, "10.0.0.0/8:0/tcp", 1);
	set(*state, "10.0.0.1:80-90/tcp", 2);
	told_of(*state, "10.0.0.1:80-90/tcp", &told);
	assert_int_equal(part_at(&told.parts[0], 79), LB_PART_VIP | 1);
	assert_int_equal(part_at(&told.parts[0], 80), LB_PART_VIP | LB_PART_ADDRESS | 2);
}

static void nobody_has_what_no_prefix_has(void **state)
{
	static struct told told;

	set(*state, "2001:db8::/32:80-90/udp", 1);
	told_of(*state, "2001:db8::/32:80-90/udp", &told);
	assert_int_equal(part_at(&told.parts[0], 0), 0);
	assert_int_equal(part_at(&told.parts[0], 79), 0);
	assert_int_equal(part_at(&told.parts[0], 90), LB_PART_VIP | 1);
	assert_int_equal(part_at(&told.parts[0], 91), 0);
	assert_int_equal(part_at(&told.parts[0], 65535), 0);
}

static void change_is_told_to_the_prefixes_within_and_to_no_other(void **state)
{
	const struct lb_endpoint middle = parse("10.1.0.0/16:80/tcp");
	static struct told told;

	set(*state, "10.0.0.0/8:0/tcp", 1);
	set(*state, "10.1.0.0/16:80/tcp", 2);
	set(*state, "10.1.0.0/24:81/tcp", 3);
	set(*state, "10.1.255.255:81-82/tcp", 4);
	set(*state, "10.2.0.0/16:80/tcp", 5);
	set(*state, "10.1.0.0/24:80/udp", 6);
	told_of(*state, "10.1.0.0/16:80/tcp", &told);
	assert_int_equal(told.count, 3);
	assert_int_equal(told.prefix[0].host_bits, 16);
	assert_int_equal(told.prefix[1].host_bits, 8);
	assert_int_equal(told.prefix[2].host_bits, 0);
	assert_int_equal(part_at(&told.parts[1], 80), LB_PART_VIP | 2);
	wide_table_del(*state, &middle);
	told_of(*state, "10.1.0.0/16:80/tcp", &told);
	assert_int_equal(told.count, 3);
	assert_true(told.gone[0] && !told.gone[1]);
	assert_int_equal(part_at(&told.parts[1], 80), LB_PART_VIP | 1);
}

static int refuse(void *user, const struct lb_endpoint *prefix, const struct lb_parts *parts)
{
	(void)prefix;
	(void)parts;
	++*(int *)user;
	return -ENOMEM;
}

static void first_failure_ends_it(void **state)
{
	const struct lb_endpoint endpoint = parse("10.0.0.0/8:0/tcp");
	int calls = 0;

	set(*state, "10.0.0.0/8:0/tcp", 1);
	set(*state, "10.1.0.0/16:0/tcp", 2);
	assert_int_equal(wide_table_each(*state, &endpoint, refuse, &calls), -ENOMEM);
	assert_int_equal(wide_table_all(*state, refuse, &calls), -ENOMEM);
	assert_int_equal(calls, 2);
}

/* As many as an address may belong to, each within the one before. */
static void deepest_nest_has_room(void **state)
{
	static struct told told;
	char text[LB_ENDPOINT_TEXT];

	for (unsigned int i = 0; i < LB_WIDE_DEPTH; i++) {
		snprintf(text, sizeof(text), "10.0.0.1:%u-%u/tcp", 100 + i, 1000 - i);
		set(*state, text, i);
	}
	told_of(*state, text, &told);
	for (unsigned int port = 99; port <= 1001; port++) {
		unsigned int within = port < 550 ? port - 100 : 1000 - port;

		if (within >= LB_WIDE_DEPTH)
			within = LB_WIDE_DEPTH - 1;
		assert_int_equal(
			part_at(&told.parts[0], port),
			port < 100 || port > 1000 ? 0 : (LB_PART_VIP | LB_PART_ADDRESS | within));
	}
}

/* --- at random, against a search through all --- */

struct known {
	struct lb_endpoint endpoint;
	bool there;
};

static struct lb_endpoint random_endpoint(void)
{
	static const uint16_t ports[] = {0, 1, 79, 80, 443, 8080, 65534, 65535};
	const bool is6 = random() % 2;
	struct lb_endpoint endpoint = {.protocol = random() % 2 ? 6 : 17};
	const unsigned int bits = is6 ? 128 : 32;

	endpoint.address.family = is6 ? 6 : 4;
	endpoint.address.bytes[0] = 10;
	endpoint.address.bytes[is6 ? 7 : 2] = (uint8_t)random();
	endpoint.address.bytes[is6 ? 15 : 3] = (uint8_t)random();
	endpoint.host_bits = (uint8_t)(random() % (is6 ? 100 : 20));
	lb_addr_mask(&endpoint.address, bits - endpoint.host_bits);
	endpoint.port = ports[random() % ARRAY_SIZE(ports)];
	if (endpoint.port && endpoint.port < 65535 && random() % 2)
		endpoint.last_port =
			(uint16_t)(endpoint.port + 1 + random() % (65535 - endpoint.port));
	return endpoint;
}

/* What has the longer prefix, or at the same prefix fewer ports; of equals either may be right. */
static int specificity(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	uint16_t first_a, last_a, first_b, last_b;

	if (a->host_bits != b->host_bits)
		return a->host_bits < b->host_bits ? 1 : -1;
	lb_endpoint_ports(a, &first_a, &last_a);
	lb_endpoint_ports(b, &first_b, &last_b);
	return (last_b - first_b) - (last_a - first_a);
}

static bool fits(const struct lb_endpoint *endpoint, const struct lb_endpoint *prefix,
		 uint16_t port)
{
	const struct lb_prefix outer = lb_endpoint_prefix(endpoint);
	const struct lb_prefix inner = lb_endpoint_prefix(prefix);
	uint16_t first, last;

	lb_endpoint_ports(endpoint, &first, &last);
	return endpoint->protocol == prefix->protocol && lb_prefix_covers(&outer, &inner) &&
	       first <= port && port <= last;
}

static void check_port(const struct known *known, const struct lb_endpoint *prefix,
		       const struct lb_parts *parts, uint16_t port)
{
	const uint32_t found = part_at(parts, port);
	const struct lb_endpoint *best = NULL;

	for (size_t i = 0; i < ENDPOINTS; i++)
		if (known[i].there && fits(&known[i].endpoint, prefix, port) &&
		    (!best || specificity(&known[i].endpoint, best) > 0))
			best = &known[i].endpoint;
	if (!best) {
		assert_int_equal(found, 0);
		return;
	}
	assert_true(found & LB_PART_VIP);
	assert_true(fits(&known[found & 0xffff].endpoint, prefix, port));
	assert_int_equal(specificity(&known[found & 0xffff].endpoint, best), 0);
}

static bool is_known(const struct known *known, const struct lb_endpoint *endpoint)
{
	for (size_t i = 0; i < ENDPOINTS; i++)
		if (known[i].there && !lb_endpoint_compare(&known[i].endpoint, endpoint))
			return true;
	return false;
}

static void parts_agree_with_a_search_through_all(void **state)
{
	static const uint16_t ports[] = {0, 1, 2, 78, 79, 80, 81, 443, 8080, 65534, 65535};
	struct known known[ENDPOINTS] = {0};
	static struct told told;

	srandom(1);
	for (int round = 0; round < 3000; round++) {
		struct known *one = &known[random() % ENDPOINTS];

		if (one->there)
			wide_table_del(*state, &one->endpoint);
		else
			one->endpoint = random_endpoint();
		if (!one->there && is_known(known, &one->endpoint))
			continue;
		one->there = !one->there;
		if (one->there)
			assert_int_equal(
				wide_table_set(*state, &one->endpoint, (uint32_t)(one - known)), 0);
		if (round % 8)
			continue;
		told.count = 0;
		assert_int_equal(wide_table_all(*state, note, &told), 0);
		for (size_t i = 0; i < told.count; i++)
			for (size_t j = 0; j < ARRAY_SIZE(ports) + 4; j++)
				check_port(known, &told.prefix[i], &told.parts[i],
					   j < ARRAY_SIZE(ports) ? ports[j] : (uint16_t)random());
	}
}

static void there_is_a_bound(void **state)
{
	struct lb_endpoint endpoint = {
		.address = {4, {10}}, .protocol = 6, .port = 1, .last_port = 2};
	const struct lb_endpoint first = endpoint;
	uint32_t i;

	for (i = 0; i < 4 * LB_WIDE_MAX; i++) {
		endpoint.address.bytes[2] = (uint8_t)(i >> 8);
		endpoint.address.bytes[3] = (uint8_t)i;
		assert_int_equal(wide_table_set(*state, &endpoint, i), 0);
	}
	endpoint.address.bytes[1] = 1;
	assert_int_equal(wide_table_set(*state, &endpoint, i), -ENOSPC);
	assert_int_equal(wide_table_set(*state, &first, i), 0);
	wide_table_del(*state, &first);
	assert_int_equal(wide_table_set(*state, &endpoint, i), 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(longest_prefix_then_fewest_ports_has_a_port),
		ROW(only_ranges_of_the_very_address_say_so),
		ROW(nobody_has_what_no_prefix_has),
		ROW(change_is_told_to_the_prefixes_within_and_to_no_other),
		ROW(first_failure_ends_it),
		ROW(deepest_nest_has_room),
		ROW(parts_agree_with_a_search_through_all),
		ROW(there_is_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
