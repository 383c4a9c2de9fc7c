/* SPDX-License-Identifier: BSD-2-Clause */
/* Do tables in force move when the slots that are free are not in one piece, whatever fails, and
 * whenever lbd ends? The real service runs over a plane, a disk and a time in memory (fake.h). */
#include "fake.h"
#include "../lib/splitmix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define SECOND FAKE_SECOND
#define AREA 1040

static const struct apply_options by_force = {.force = true, .max_moved_percent = 100};
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	return (splitmix64(&random_state) >> 32) * limit >> 32;
}

#define WEIGHS(weight)                                                                             \
	"'backends': [{'address': '10.0.0.1', 'weight': 10}, {'address': "                         \
	"'10.0.0.2', 'weight': " weight "}]"
#define OWN(address, size)                                                                         \
	"{'address': '" address "', 'table_size': " size ", 'backends': [{'address': '10.0.0.3', " \
	"'weight': 10}]}"
/* Two VIPs, one of which has an entry for its fragments, whose slots lie between others. */
#define SHARED(weight)                                                                             \
	"'pools': [{'name': 'p', 'table_size': 251, 'transition_s': 30, " WEIGHS(weight) "}]"
#define USERS                                                                                      \
	"{'address': '192.0.2.2:80/tcp', 'pool': 'p', 'fragments': '3-tuple'}, "                   \
	"{'address': '[2001:db8::2]:80/tcp', 'pool': 'p'}"

#define FIRST OWN("192.0.2.1:80/tcp", "251")
#define THIRD OWN("192.0.2.3:80/tcp", "251")
#define LAST OWN("192.0.2.4:80/tcp", "251")

/* One after the other: where the first and the third were is free then, and 36 slots at the end. */
static const char *const crowded[] = {
	"{'vips': [" FIRST "]}",
	"{" SHARED("10") ", 'vips': [" FIRST ", " USERS "]}",
	"{" SHARED("10") ", 'vips': [" FIRST ", " USERS ", " THIRD "]}",
	"{" SHARED("10") ", 'vips': [" FIRST ", " USERS ", " THIRD ", " LAST "]}",
	"{" SHARED("30") ", 'vips': [" USERS ", " LAST "]}",
};
static const char *const large =
	"{" SHARED("30") ", 'vips': [" USERS ", " LAST ", " OWN("192.0.2.5:80/tcp", "491") "]}";
static const char *const nothing = "{'vips': []}";

static void apply(const char *text)
{
	struct lb_err err = {0};

	if (fake_apply(text, &by_force, &err))
		fail_msg("%s: %s", err.path, err.message);
}

/* Slots are free, but not in one piece. */
static void start(void)
{
	struct lb_err err = {0};

	fake_open(8, 32, AREA, 16);
	assert_int_equal(fake_start(&err), 0);
	for (size_t i = 0; i < sizeof(crowded) / sizeof(*crowded); i++)
		apply(crowded[i]);
	assert_int_equal(ranges_used(fake.service->slot_ranges), 2 * 251);
	assert_true(ranges_largest(fake.service->slot_ranges) < 491);
}

static const struct live_table *shared_table(void)
{
	return fake.service->live_pools[0].tables[POOL_STREAMS];
}

static void a_table_in_force_makes_room(void **state)
{
	uint32_t before[251], pasts[251];
	const struct live_table *table;
	uint32_t start_before;

	(void)state;
	start();
	table = shared_table();
	start_before = table->start;
	assert_true(table->slots.moving);
	memcpy(before, table->slots.words, sizeof(before));
	memcpy(pasts, table->slots.pasts, sizeof(pasts));
	apply(large);
	assert_ptr_equal(shared_table(), table);
	assert_int_not_equal(table->start, start_before);
	assert_memory_equal(table->slots.words, before, sizeof(before));
	assert_memory_equal(table->slots.pasts, pasts, sizeof(pasts));
	fake_check(true);
	fake_pass(40 * SECOND); /* the transition ends where the slots are now */
	assert_int_equal(table->slots.moving, 0);
	fake_check(true);
	fake_stop();
	assert_int_equal(fake_start(NULL), 0);
	fake_check(true);
	fake_close();
}

/* --- what fails --- */

/* With call n from now on that fails; false: as many were not made. */
static bool change_fails(long n, bool goes_on, bool allocations)
{
	struct lb_err err = {0};
	bool failed;

	start();
	fake.allocations_fail = allocations;
	fake.failing = fake.calls + n;
	fake.goes_on = goes_on;
	if (fake_apply(large, &by_force, &err))
		assert_true(err.message[0]);
	failed = fake.calls > fake.failing;
	fake.failing = -1;
	fake.allocations_fail = false;
	fake_pass(SECOND); /* entries are repaired */
	fake_check(true);
	apply(large);
	fake_check(true);
	fake_pass(40 * SECOND);
	fake_check(true);
	apply(nothing);
	fake_pass(SECOND);
	fake_check_empty();
	assert_int_equal(ranges_largest(fake.service->slot_ranges), AREA);
	fake_close();
	return failed;
}

static void each_call_that_makes_room_fails(void **state)
{
	long n = 0;

	(void)state;
	for (int how = 0; how < 4; how++)
		for (n = 0; change_fails(n, how & 1, how & 2); n++)
			;
	assert_true(n > 10);
}

static bool ends_amid(long n)
{
	bool ended;

	start();
	fake.snapshot_at = fake.calls + n;
	apply(large);
	ended = fake.snapshot.slots;
	fake_stop();
	if (ended) {
		fake_restore();
		assert_int_equal(fake_start(NULL), 0);
		fake_check(true);
		fake_pass(60 * SECOND);
		fake_check(true);
		assert_int_equal(live_tables(&fake.service->live_pools[0]), POOL_CLASSES);
		apply(large);
		fake_check(true);
		apply(nothing);
		fake_pass(SECOND);
		fake_check(true);
	}
	fake_close();
	return ended;
}

static void lbd_may_end_while_a_table_moves(void **state)
{
	long n = 0;

	(void)state;
	while (ends_amid(n))
		n++;
	assert_true(n > 5);
}

/* --- random documents --- */

#define DOCUMENTS 1000
#define ROOM 4000

static const uint32_t sizes[] = {251, 257, 491, 1021};

/* VIPs by their address: what table each has, 0: it is not there. */
static uint64_t random_document(uint32_t *vips, char *text, size_t room)
{
	uint64_t sum = 0;
	size_t used = snprintf(text, room, "{'vips': [");

	for (int i = 0; i < 12; i++) {
		uint32_t size = vips[i] ? vips[i] : sizes[random_below(4)];

		if (random_below(3) == 0)
			size = vips[i] ? 0 : size;
		else if (!vips[i])
			size = 0;
		if (sum + size > ROOM)
			size = 0;
		vips[i] = size;
		sum += size;
		if (size)
			used += snprintf(text + used, room - used,
					 "%s{'address': '192.0.2.%d:80/tcp', 'table_size': %u, "
					 "'backends': [{'address': '10.0.0.%u', 'weight': 1}]}",
					 text[used - 1] == '[' ? "" : ", ", i + 1, size,
					 1 + random_below(3));
	}
	snprintf(text + used, room - used, "]}");
	return sum;
}

static void documents_follow_documents_in_a_crowded_area(void **state)
{
	uint32_t vips[12] = {0}, next[12], there = 0, refused = 0, made = 0, crowds = 0;
	char text[4096];

	(void)state;
	fake_open(12, 64, ROOM, 16);
	assert_int_equal(fake_start(NULL), 0);
	for (int i = 0; i < DOCUMENTS; i++) {
		struct lb_err err = {0};
		const uint32_t piece = ranges_largest(fake.service->slot_ranges);
		uint32_t largest = 0;
		uint64_t sum = 0;

		memcpy(next, vips, sizeof(next));
		crowds += random_document(next, text, sizeof(text)) > ROOM * 9 / 10;
		for (int n = 0; n < 12; n++) {
			sum += vips[n] ? vips[n] : next[n]; /* at once */
			if (!vips[n] && next[n] > largest)
				largest = next[n];
		}
		if (!fake_apply(text, &by_force, &err)) {
			memcpy(vips, next, sizeof(vips));
			made += largest > piece;
		} else {
			assert_int_equal(err.code, LB_ERR_LIMIT);
			refused += sum <= ROOM;
		}
		there += sum <= ROOM;
		fake_check(true);
		fake_pass(random_below(2) * SECOND);
	}
	print_message("%u documents had room, of which %u were refused; %u got it by moves; %u "
		      "filled more than 90 %%\n",
		      there, refused, made, crowds);
	assert_true(made >= 10 && refused * 5 <= there);
	fake_close();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_in_force_makes_room),
		cmocka_unit_test(each_call_that_makes_room_fails),
		cmocka_unit_test(lbd_may_end_while_a_table_moves),
		cmocka_unit_test(documents_follow_documents_in_a_crowded_area),
	};

	random_state = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)random_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
