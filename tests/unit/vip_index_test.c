/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the VIP index say of every endpoint what the VIP maps say, through any sequence of changes?
 * What a reader finds is worked out here as bpf/vip.h does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/vip_index.h"
#include "../../lbd/service/live.h"
#include "../../lbd/plane/vip_index.h"

#define LINES 9u /* few, so that lines overflow */
#define LINES_MANY 2048u
#define ENDPOINTS 128u

static struct lb_index4_line lines4[LINES_MANY];
static struct lb_index6_line lines6[LINES_MANY];
static uint32_t line_count;

/* Even numbers are IPv4, odd ones IPv6. */
static struct lb_endpoint endpoint_of(uint32_t number)
{
	struct lb_endpoint endpoint = {.port = number % 8 < 2 ? 0 : 443,
				       .protocol = number % 16 < 8 ? 6 : 17};

	if (number % 2) {
		endpoint.address = (struct lb_addr){.family = 6, .bytes = {0x20, 1, 0xd, 0xb8}};
		endpoint.address.bytes[15] = number;
	} else {
		endpoint.address = (struct lb_addr){.family = 4, .bytes = {192, 0, 2, number}};
	}
	return endpoint;
}

static struct lb_vip_value value_of(uint32_t number, uint32_t flags)
{
	return (struct lb_vip_value){.number = 1000 + number,
				     .slots_start = number * 65537,
				     .slots_size = 65537 + number,
				     .flags = flags};
}

enum answer { ABSENT, FOUND, ASK_THE_MAP };

struct reading {
	enum answer answer;
	struct lb_vip_value value;
};

static struct reading found(uint64_t key, uint64_t place)
{
	return (struct reading){FOUND,
				{lb_place_number(place), lb_place_start(place),
				 lb_place_size(place), index_flags(key)}};
}

static struct reading read4(const struct lb_endpoint *endpoint)
{
	uint32_t address, line;
	struct index_place at;
	int i, way;

	memcpy(&address, endpoint->address.bytes, sizeof(address));
	at = index_place4(address, htons(endpoint->port), endpoint->protocol);
	line = ((uint64_t)at.hash * line_count) >> 32;
	for (i = 0; i < 8; i++, line = (line + 1) % line_count) {
		const struct lb_index4_way *ways = lines4[line].way;

		for (way = 0; way < LB_INDEX_WAYS; way++)
			if ((ways[way].key & INDEX_KEY_MASK) == at.key)
				return found(ways[way].key, ways[way].place);
		if (!(ways[0].key & LB_INDEX_MORE))
			return (struct reading){ABSENT, {0}};
	}
	return (struct reading){ASK_THE_MAP, {0}};
}

static struct reading read6(const struct lb_endpoint *endpoint)
{
	__u64 address[2];
	struct index_place at;
	uint32_t line;
	int i, way;

	memcpy(address, endpoint->address.bytes, sizeof(address));
	at = index_place6(address, htons(endpoint->port), endpoint->protocol);
	line = ((uint64_t)at.hash * line_count) >> 32;
	for (i = 0; i < 8; i++, line = (line + 1) % line_count) {
		const struct lb_index6_way *ways = lines6[line].way;
		int alike = 0;

		for (way = 0; way < LB_INDEX_WAYS; way++) {
			if ((ways[way].key & INDEX_KEY_MASK) != at.key)
				continue;
			if (!memcmp(ways[way].address, address, sizeof(address)))
				return found(ways[way].key, ways[way].place);
			assert_int_equal(alike++, 0); /* or the program would find neither */
		}
		if (!(ways[0].key & LB_INDEX_MORE))
			return (struct reading){ABSENT, {0}};
	}
	return (struct reading){ASK_THE_MAP, {0}};
}

static struct reading reading_at(const struct lb_endpoint *endpoint)
{
	return endpoint->address.family == 6 ? read6(endpoint) : read4(endpoint);
}

static struct reading reading_of(uint32_t number)
{
	const struct lb_endpoint endpoint = endpoint_of(number);

	return reading_at(&endpoint);
}

static int start(void **state)
{
	memset(lines4, 0, sizeof(lines4));
	memset(lines6, 0, sizeof(lines6));
	line_count = LINES;
	*state = vip_index_new(lines4, lines6, line_count);
	return !*state;
}

static int start_many(void **state)
{
	memset(lines4, 0, sizeof(lines4));
	memset(lines6, 0, sizeof(lines6));
	line_count = LINES_MANY;
	*state = vip_index_new(lines4, lines6, line_count);
	return !*state;
}

static int end(void **state)
{
	vip_index_free(*state);
	return 0;
}

static void add(struct vip_index *index, uint32_t number, uint32_t flags)
{
	const struct lb_endpoint endpoint = endpoint_of(number);
	const struct lb_vip_value value = value_of(number, flags);

	vip_index_add(index, &endpoint, &value);
}

static void del(struct vip_index *index, uint32_t number)
{
	const struct lb_endpoint endpoint = endpoint_of(number);

	vip_index_del(index, &endpoint);
}

static void assert_value(const struct lb_vip_value *is, struct lb_vip_value expected)
{
	assert_memory_equal(is, &expected, sizeof(expected));
}

static void entry_is_found_with_all_it_says(void **state)
{
	struct reading reading;
	uint32_t number;

	for (number = 0; number < 4; number++) {
		add(*state, number, 0x15);
		reading = reading_of(number);
		assert_int_equal(reading.answer, FOUND);
		assert_value(&reading.value, value_of(number, 0x15));
	}
	assert_int_equal(reading_of(4).answer, ABSENT);
}

static void largest_values_fit_their_place(void **state)
{
	const uint64_t place =
		lb_place(LB_VIPS_MAX - 1, LB_SLOTS_MAX - LB_TABLE_SIZE_MAX, LB_TABLE_SIZE_MAX);

	(void)state;
	assert_int_equal(lb_place_number(place), LB_VIPS_MAX - 1);
	assert_int_equal(lb_place_start(place), LB_SLOTS_MAX - LB_TABLE_SIZE_MAX);
	assert_int_equal(lb_place_size(place), LB_TABLE_SIZE_MAX);
}

/* There are more numbers than VIPs, since a change adds before it removes. */
static void every_vip_number_fits_its_place(void **state)
{
	const struct config config = {.vips = LB_VIPS_MAX}, small = {.vips = 3};
	const uint32_t last = place_numbers(&config) - 1;
	const uint64_t place = lb_place(last, 0, 1);

	(void)state;
	assert_int_equal(lb_place_number(place), last);
	assert_int_equal(lb_place_start(place), 0);
	assert_int_equal(place_numbers(&small), 6);
}

static void flags_change_in_place(void **state)
{
	const struct lb_endpoint endpoint = endpoint_of(2);

	add(*state, 2, 1);
	vip_index_flags(*state, &endpoint, 0x7e);
	assert_int_equal(reading_of(2).value.flags, 0x7e);
	assert_int_equal(reading_of(2).value.number, 1002);
}

static void slots_change_in_place(void **state)
{
	const struct lb_endpoint endpoint = endpoint_of(2);
	struct lb_vip_value value = value_of(2, 1);

	add(*state, 2, 1);
	value.slots_start += 5000;
	value.slots_size = 509;
	vip_index_place(*state, &endpoint, &value);
	assert_int_equal(reading_of(2).value.slots_start, value.slots_start);
	assert_int_equal(reading_of(2).value.slots_size, 509);
	assert_int_equal(reading_of(2).value.flags, 1);
}

/* Compares with what the maps would hold: present ones are found or asked of the map, absent ones
 * are absent unless their line sends to the map. */
static void check_all(const bool present[ENDPOINTS], const uint32_t flags[ENDPOINTS])
{
	struct reading reading;
	uint32_t number;

	for (number = 0; number < ENDPOINTS; number++) {
		reading = reading_of(number);
		if (!present[number])
			assert_int_not_equal(reading.answer, FOUND);
		else
			assert_int_not_equal(reading.answer, ABSENT);
		if (reading.answer == FOUND)
			assert_value(&reading.value, value_of(number, flags[number]));
	}
}

static uint32_t marked_lines(void)
{
	uint32_t line, count = 0;

	for (line = 0; line < line_count; line++)
		count += !!(lines4[line].way[0].key & LB_INDEX_MORE) +
			 !!(lines6[line].way[0].key & LB_INDEX_MORE);
	return count;
}

static void any_sequence_of_changes_reads_as_the_maps_would(void **state)
{
	bool present[ENDPOINTS] = {false};
	uint32_t flags[ENDPOINTS] = {0}, most_marked = 0;
	unsigned int step;

	srandom(7);
	for (step = 0; step < 20000; step++) {
		const uint32_t number = random() % ENDPOINTS;
		const struct lb_endpoint endpoint = endpoint_of(number);

		if (present[number] && random() % 4 == 0) {
			flags[number] = random() % 128;
			vip_index_flags(*state, &endpoint, flags[number]);
		} else if (present[number]) {
			del(*state, number);
			present[number] = false;
		} else {
			flags[number] = random() % 128;
			add(*state, number, flags[number]);
			present[number] = true;
		}
		check_all(present, flags);
		if (marked_lines() > most_marked)
			most_marked = marked_lines();
	}
	assert_true(most_marked > 4); /* else it was no test of lines that are full */
}

static void mark_goes_with_the_last_that_did_not_fit(void **state)
{
	uint32_t number;

	for (number = 0; number < ENDPOINTS; number++)
		add(*state, number, 0);
	assert_true(marked_lines() > 4);
	for (number = 0; number < ENDPOINTS; number++)
		del(*state, number);
	assert_int_equal(marked_lines(), 0);
	assert_memory_equal(lines4[0].way, &(struct lb_index4_line){0}, sizeof(lines4[0]));
}

/* An lbd that ended between the maps and the index: some of what the maps have is not in the lines.
 * The next one counts anew what does not fit. */
static void lines_of_an_earlier_lbd_are_completed(void **state)
{
	bool present[ENDPOINTS];
	uint32_t flags[ENDPOINTS], number;
	struct vip_index *next = vip_index_new(lines4, lines6, line_count);

	for (number = 0; number < ENDPOINTS; number++)
		if (number % 5)
			add(*state, number, 0);
	for (number = 0; number < ENDPOINTS; number++) {
		const struct lb_endpoint endpoint = endpoint_of(number);
		const struct lb_vip_value value = value_of(number, number);

		present[number] = true;
		flags[number] = number;
		vip_index_adopt(next, &endpoint, &value);
	}
	vip_index_adopted(next);
	check_all(present, flags);
	for (number = 0; number < ENDPOINTS; number++)
		del(next, number);
	assert_int_equal(marked_lines(), 0);
	vip_index_free(next);
}

/* --- as many as a node has: lines that are full to 60 to 100 % --- */

#define PLACES (LINES_MANY * LB_INDEX_WAYS) /* of a family */
#define MANY (4 * PLACES)                   /* that may be there; half of each family */
#define MANY_STEPS 3000000u

static struct lb_endpoint many_of(uint32_t number)
{
	struct lb_endpoint endpoint = {.port = 1 + number % 3, .protocol = 6};

	if (number % 2) {
		endpoint.address = (struct lb_addr){.family = 6, .bytes = {0x20, 1, 0xd, 0xb8}};
		memcpy(endpoint.address.bytes + 12, &number, sizeof(number));
	} else {
		number = htonl(0x0a000000 + number / 2);
		endpoint.address.family = 4;
		memcpy(endpoint.address.bytes, &number, sizeof(number));
	}
	return endpoint;
}

static struct lb_vip_value many_value(uint32_t number)
{
	return (struct lb_vip_value){number, number, 251, number % 16};
}

static enum answer check_many(const bool *present, uint32_t number)
{
	const struct lb_endpoint endpoint = many_of(number);
	const struct reading reading = reading_at(&endpoint);

	assert_int_not_equal(reading.answer, present[number] ? ABSENT : FOUND);
	if (reading.answer == FOUND)
		assert_value(&reading.value, many_value(number));
	return reading.answer;
}

static void change_many(struct vip_index *index, bool *present, uint32_t number)
{
	const struct lb_endpoint endpoint = many_of(number);
	const struct lb_vip_value value = many_value(number);

	if (present[number])
		vip_index_del(index, &endpoint);
	else
		vip_index_add(index, &endpoint, &value);
	present[number] = !present[number];
}

/* How many of those that are there the map is asked for. */
static uint32_t check_all_many(const bool *present)
{
	uint32_t number, asked = 0;

	for (number = 0; number < MANY; number++)
		asked += check_many(present, number) == ASK_THE_MAP && present[number];
	return asked;
}

static void millions_of_changes_of_full_lines_read_as_the_map_would(void **state)
{
	bool *present = calloc(MANY, sizeof(*present));
	static const uint8_t tenths[6] = {8,  10, 6,
					  10, 8,  10}; /* of the places, and each time others */
	uint32_t step, number, asked[11] = {0}, full = 0, count = 0, wanted = 0;

	srandom(11);
	for (step = 0; step < MANY_STEPS; step++) {
		if (step % (MANY_STEPS / 6) == 0) {
			full = tenths[step / (MANY_STEPS / 6) % 6];
			wanted = 2 * PLACES * full / 10;
		}
		number = random() % MANY;
		if (present[number] == (count < wanted) && random() % 4)
			continue;
		count += present[number] ? -1 : 1;
		change_many(*state, present, number);
		check_many(present, number);
		check_many(present, random() % MANY);
		if (step % (MANY_STEPS / 12) == MANY_STEPS / 12 - 1)
			asked[full] = check_all_many(present);
	}
	print_message("of %u places, beyond the lines: %u at 60 %%, %u at 80 %%, %u at 100 %%\n",
		      2 * PLACES, asked[6], asked[8], asked[10]);
	assert_true(asked[6] < PLACES / 1000);
	assert_true(asked[8] < PLACES / 30);
	assert_true(asked[10] > 0);
	for (number = 0; number < MANY; number++)
		if (present[number])
			change_many(*state, present, number);
	assert_int_equal(marked_lines(), 0);
	free(present);
}

/* --- IPv6 addresses with one hash --- */

/* What times `of`, which is odd, is 1: each round doubles the bits that are right. */
static uint64_t inverse(uint64_t of)
{
	uint64_t x = of;
	int i;

	for (i = 0; i < 5; i++)
		x *= 2 - of * x;
	return x;
}

/* Changes the address so that its hash changes in low bits, which neither key nor line has. */
static struct lb_endpoint twin_of(struct lb_endpoint endpoint, uint32_t low_bits)
{
	const uint64_t factor = 0xff51afd7ed558ccdull;
	uint64_t address[2], hash;

	memcpy(address, endpoint.address.bytes, sizeof(address));
	hash = (address[0] ^ index_service(htons(endpoint.port), endpoint.protocol)) *
	       0x9e3779b97f4a7c15ull;
	hash ^= hash >> 32;
	address[1] = hash ^ (((hash ^ address[1]) * factor) ^ low_bits) * inverse(factor);
	memcpy(endpoint.address.bytes, address, sizeof(address));
	return endpoint;
}

static void addresses_of_one_hash_are_told_apart(void **state)
{
	struct lb_endpoint twins[LB_INDEX_REACH + 2];
	struct reading reading;
	uint32_t i, k;

	for (i = 0; i < LB_INDEX_REACH + 2; i++) {
		twins[i] = twin_of(endpoint_of(3), i);
		assert_int_not_equal(reading_at(&twins[i]).answer, FOUND);
		vip_index_add(*state, &twins[i],
			      &(struct lb_vip_value){.number = i, .slots_size = 1});
		for (k = 0; k <= i; k++) {
			reading = reading_at(&twins[k]);
			assert_int_equal(reading.answer, k < LB_INDEX_REACH ? FOUND : ASK_THE_MAP);
			if (reading.answer == FOUND)
				assert_int_equal(reading.value.number, k);
		}
	}
	for (i = 0; i < LB_INDEX_REACH + 2; i++)
		vip_index_del(*state, &twins[i]);
	assert_int_equal(marked_lines(), 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(entry_is_found_with_all_it_says),
		ROW(largest_values_fit_their_place),
		ROW(every_vip_number_fits_its_place),
		ROW(flags_change_in_place),
		ROW(slots_change_in_place),
		ROW(any_sequence_of_changes_reads_as_the_maps_would),
		ROW(mark_goes_with_the_last_that_did_not_fit),
		cmocka_unit_test_setup_teardown(
			millions_of_changes_of_full_lines_read_as_the_map_would, start_many, end),
		ROW(addresses_of_one_hash_are_told_apart),
		ROW(lines_of_an_earlier_lbd_are_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
