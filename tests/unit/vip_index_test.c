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

#define LINES 8u /* few, so that lines overflow */
#define ENDPOINTS 64u

static struct lb_index4_line lines4[LINES];
static struct lb_index6_line lines6[LINES];

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
	uint32_t address;
	struct index_place at;
	const struct lb_index4_line *line;
	int i;

	memcpy(&address, endpoint->address.bytes, sizeof(address));
	at = index_place4(address, htons(endpoint->port), endpoint->protocol);
	line = &lines4[at.line & (LINES - 1)];
	for (i = 0; i < LB_INDEX_WAYS; i++)
		if ((line->way[i].key & INDEX_KEY_MASK) == at.key)
			return found(line->way[i].key, line->way[i].place);
	return (struct reading){line->way[0].key & LB_INDEX_MORE ? ASK_THE_MAP : ABSENT, {0}};
}

static struct reading read6(const struct lb_endpoint *endpoint)
{
	__u64 address[2];
	struct index_place at;
	const struct lb_index6_line *line;
	int i;

	memcpy(address, endpoint->address.bytes, sizeof(address));
	at = index_place6(address, htons(endpoint->port), endpoint->protocol);
	line = &lines6[at.line & (LINES - 1)];
	for (i = 0; i < LB_INDEX_WAYS; i++)
		if ((line->way[i].key & INDEX_KEY_MASK) == at.key &&
		    !memcmp(line->way[i].address, address, sizeof(address)))
			return found(line->way[i].key, line->way[i].place);
	return (struct reading){line->way[0].key & LB_INDEX_MORE ? ASK_THE_MAP : ABSENT, {0}};
}

static struct reading reading_of(uint32_t number)
{
	const struct lb_endpoint endpoint = endpoint_of(number);

	return endpoint.address.family == 6 ? read6(&endpoint) : read4(&endpoint);
}

static int start(void **state)
{
	memset(lines4, 0, sizeof(lines4));
	memset(lines6, 0, sizeof(lines6));
	*state = vip_index_new(lines4, lines6, LINES);
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

	for (line = 0; line < LINES; line++)
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
	struct vip_index *next = vip_index_new(lines4, lines6, LINES);

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

#define ROW(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(entry_is_found_with_all_it_says),
		ROW(largest_values_fit_their_place),
		ROW(every_vip_number_fits_its_place),
		ROW(flags_change_in_place),
		ROW(any_sequence_of_changes_reads_as_the_maps_would),
		ROW(mark_goes_with_the_last_that_did_not_fit),
		ROW(lines_of_an_earlier_lbd_are_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
