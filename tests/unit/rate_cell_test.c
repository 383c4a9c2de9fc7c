// SPDX-License-Identifier: BSD-2-Clause
/* Is a cell an exact token bucket, also when its clock wraps; and whose packets do floods cost? */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../bpf/rate_cell.h"

#define SECOND 1000000000ull
#define WRAP_NS ((RATE_TIME_MASK + 1) / RATE_PER_NS)
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static uint64_t state = 0x9e3779b97f4a7c15ull;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull;
}

static uint64_t below(uint64_t limit)
{
	return draw() % limit;
}

/* --- one bucket against one that counts tokens and knows no wrap --- */

struct bucket {
	uint64_t ns, used; /* in 1/16 ns of its rate */
};

static bool bucket_takes(struct bucket *bucket, uint64_t ns, uint64_t cost)
{
	const uint64_t filled = (ns - bucket->ns) * RATE_PER_NS;

	bucket->used -= filled < bucket->used ? filled : bucket->used;
	bucket->ns = ns;
	if (bucket->used + cost > RATE_SPAN)
		return false;
	bucket->used += cost;
	return true;
}

static bool cell_takes(uint64_t *cell, uint64_t ns, uint64_t cost)
{
	const uint64_t now = rate_time(ns), used = rate_used(*cell, now);

	if (!rate_fits(used, cost))
		return false;
	*cell = rate_cell(used + cost, now, *cell & RATE_TAG_MASK);
	return true;
}

/* Mostly about as long as a packet's share, at times none, or long; none just as long as the wrap. */
static uint64_t draw_gap(uint64_t per_second)
{
	switch (below(20)) {
	case 0:
		return 0;
	case 1:
		return below(3 * SECOND);
	case 2:
		return below(WRAP_NS - 2 * SECOND);
	case 3:
		return WRAP_NS + below(WRAP_NS - 2 * SECOND);
	default:
		return below(2 * SECOND / per_second + 2);
	}
}

static void run(uint64_t per_second, uint32_t most, uint64_t start, int packets)
{
	const uint64_t price = rate_price(per_second);
	struct bucket bucket = {.ns = start};
	uint64_t cell = rate_cell(0, rate_time(start), below(RATE_TAG_MASK));
	uint64_t ns = start;

	for (int i = 0; i < packets; i++) {
		const uint64_t cost = rate_cost(price, 1 + below(most));

		if (below(1000) < 10)
			ns += draw_gap(per_second);
		else
			ns += below(2 * SECOND / per_second + 1);
		assert_int_equal(cell_takes(&cell, ns, cost), bucket_takes(&bucket, ns, cost));
	}
}

static void is_a_token_bucket(void **test)
{
	static const uint64_t rates[] = {1, 7, 100, 999, 1000, 44100, 1000000, 100000000};

	(void)test;
	for (size_t i = 0; i < LENGTH(rates); i++) {
		run(rates[i], 1, SECOND, 200000);
		run(rates[i], 1, WRAP_NS - SECOND / 2, 200000);
		run(rates[i], 1, draw() >> 12, 200000);
	}
}

static void is_a_token_bucket_of_bytes(void **test)
{
	static const uint64_t rates[] = {100000, 12345678, 10000000000ull};

	(void)test;
	for (size_t i = 0; i < LENGTH(rates); i++)
		run(rates[i], 65535, WRAP_NS - SECOND, 200000);
}

static void follows_its_rate_through_a_wrap(void **test)
{
	const uint64_t price = rate_price(1000), start = WRAP_NS - 5 * SECOND;
	uint64_t cell = 0, taken = 0;

	(void)test;
	for (uint64_t ns = start; ns < start + 10 * SECOND; ns += 1000)
		taken += cell_takes(&cell, ns, rate_cost(price, 1));
	assert_in_range(taken, 10999, 11001); /* a bucket, and ten seconds */
}

static void what_is_left_of_long_ago_costs_no_more_than_the_slack(void **test)
{
	const uint64_t cost = rate_cost(rate_price(10), 1);

	(void)test;
	for (int i = 0; i < 100000; i++) {
		const uint64_t ns = draw() >> 8;
		uint64_t cell = draw();

		assert_true(cell_takes(&cell, ns, cost) ||
			    cell_takes(&cell, ns + 225000000, cost)); /* SLACK, and a packet */
	}
}

static void dear_rates_are_as_exact_as_cheap_ones(void **test)
{
	(void)test;
	for (uint64_t rate = 1; rate <= 10000000000ull; rate *= 10) {
		const double is = (double)RATE_PRICES / (double)rate_price(rate);

		assert_true(is > (double)rate * 0.998 && is < (double)rate * 1.002);
	}
}

/* --- many sources --- */

static struct lb_rate_pair pairs[LB_RATE_PAIRS];
static const __u64 secret[4] = {0x9e3779b97f4a7c15ull, 0xc2b2ae3d27d4eb4full, 0x165667b19e3779f9ull,
				0xd6e8feb86659fd93ull};

static bool source_passes(uint64_t source, uint64_t ns, uint64_t cost)
{
	const struct rate_place place = rate_place(source, 0, 5, 1, secret);
	const uint64_t now = rate_time(ns);
	__u64 used, *cell = pairs[place.pair].cell;
	const int which = rate_choose(cell[0], cell[1], place.tag, now, &used);

	if (!rate_fits(used, cost))
		return false;
	cell[which] = rate_cell(used + cost, now, place.tag);
	return true;
}

#define CLIENTS 1000
#define ATTACKERS 50
#define FLOOD_PPS 5000000
#define CLIENT_PPS 100
#define ATTACKER_PPS 20000

/* `flood`: so many packets a second, each from another source. */
static void flood(uint64_t limit, uint64_t flood_pps, uint64_t *dropped, uint64_t *passed)
{
	const uint64_t all = flood_pps + CLIENTS * CLIENT_PPS + ATTACKERS * ATTACKER_PPS;
	const uint64_t cost = rate_cost(rate_price(limit), 1), seconds = 2;

	memset(pairs, 0, sizeof(pairs));
	*dropped = *passed = 0;
	for (uint64_t i = 0; i < seconds * all; i++) {
		const uint64_t ns = 77 * SECOND + i * SECOND / all, lot = below(all);

		if (lot < flood_pps)
			source_passes(0x1000000 + (draw() & 0xffffffff), ns, cost);
		else if (lot < flood_pps + CLIENTS * CLIENT_PPS)
			*dropped += !source_passes(1 + lot % CLIENTS, ns, cost);
		else
			*passed += source_passes(10000 + lot % ATTACKERS, ns, cost);
	}
	*passed /= ATTACKERS;
}

static void floods_cost_attackers_and_no_clients(void **test)
{
	uint64_t dropped, passed;

	(void)test;
	flood(1000, FLOOD_PPS, &dropped, &passed);
	assert_int_equal(dropped, 0);
	assert_in_range(passed, 2990,
			3300); /* a bucket and two seconds; who loses a place has more */
}

/* Cells that count for all who share them drop 26 % of clients' packets here. */
static void floods_cost_no_clients_where_the_limit_is_low(void **test)
{
	uint64_t dropped, passed;

	(void)test;
	flood(CLIENT_PPS * 6 / 5, 2 * FLOOD_PPS, &dropped, &passed);
	assert_int_equal(dropped, 0);
}

static void without_a_flood_attackers_have_their_limit(void **test)
{
	uint64_t dropped, passed;

	(void)test;
	flood(1000, 0, &dropped, &passed);
	assert_int_equal(dropped, 0);
	assert_in_range(passed, 2990, 3010);
}

static void is_found_in_either_cell(void **test)
{
	const uint64_t now = rate_time(77 * SECOND), cost = rate_cost(rate_price(10), 1);
	const uint64_t mine = rate_cell(3 * cost, now, 7), other = rate_cell(cost, now, 8);
	__u64 used;

	(void)test;
	assert_int_equal(rate_choose(mine, other, 7, now, &used), 0);
	assert_int_equal(used, 3 * cost);
	assert_int_equal(rate_choose(other, mine, 7, now, &used), 1);
	assert_int_equal(used, 3 * cost);
	assert_int_equal(rate_choose(other, mine, 9, now, &used), 0); /* which loses less */
	assert_int_equal(used, 0);
	assert_int_equal(rate_choose(mine, other, 9, now, &used), 1);
	assert_int_equal(used, 0);
}

/* Sources that differ little, and rules of one source, do not meet in one pair. */
static void neighbours_have_cells_of_their_own(void **test)
{
	static uint16_t met[LB_RATE_PAIRS];
	unsigned int worst = 0;

	(void)test;
	for (uint64_t shift = 0; shift <= 48; shift += 8) {
		memset(met, 0, sizeof(met));
		for (uint64_t i = 0; i < 2 * LB_RATE_PAIRS; i++) {
			const struct rate_place place = rate_place(i << shift, 0, 5, 1, secret);
			const struct rate_place other = rate_place(i << shift, 0, 5, 2, secret);

			met[place.pair]++;
			worst = met[place.pair] > worst ? met[place.pair] : worst;
			assert_false(place.tag == other.tag && place.pair == other.pair);
		}
		assert_in_range(worst, 2, 16); /* two on average; 16 once in ten million pairs */
	}
}

static void both_parts_of_an_address_count(void **test)
{
	const struct rate_place a = rate_place(1, 0, 5, 1, secret);
	const struct rate_place b = rate_place(1, 1, 5, 1, secret);
	const struct rate_place c = rate_place(1, 0, 6, 1, secret);

	(void)test;
	assert_true(a.pair != b.pair && a.pair != c.pair && b.pair != c.pair);
	assert_true(a.tag != b.tag && a.tag != c.tag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_token_bucket),
		cmocka_unit_test(is_a_token_bucket_of_bytes),
		cmocka_unit_test(follows_its_rate_through_a_wrap),
		cmocka_unit_test(what_is_left_of_long_ago_costs_no_more_than_the_slack),
		cmocka_unit_test(dear_rates_are_as_exact_as_cheap_ones),
		cmocka_unit_test(floods_cost_attackers_and_no_clients),
		cmocka_unit_test(floods_cost_no_clients_where_the_limit_is_low),
		cmocka_unit_test(without_a_flood_attackers_have_their_limit),
		cmocka_unit_test(is_found_in_either_cell),
		cmocka_unit_test(neighbours_have_cells_of_their_own),
		cmocka_unit_test(both_parts_of_an_address_count),
	};

	return cmocka_run_group_tests_name("rate_cell", tests, NULL, NULL);
}
