/* SPDX-License-Identifier: BSD-2-Clause */
/* Is each QUIC server id found where the program looks for it, and none that is gone? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../lbd/plane/quic_ids.h"

#define LINES 64
#define POOLS 3
#define IDS (LINES * LB_QUIC_WAYS / 2) /* as full as lbd ever makes it */

static struct lb_quic_line lines[LINES];
static const struct quic_ids ids = {lines, LINES};

/* What the array should say: members by pool and id, LB_NONE for none. */
static uint16_t model[POOLS][IDS];

static struct lb_quic_server_id id_numbered(size_t number)
{
	struct lb_quic_server_id id = {.length = (uint8_t)(2 + number % 14)};

	memcpy(id.bytes, &number, 2);
	return id;
}

/* As bpf/quic.h looks: only so far as lines say that an id has passed them. */
static uint16_t seen_by_program(uint32_t pool, const struct lb_quic_server_id *id)
{
	uint8_t bytes[16] = {0};
	__u64 word[2];
	uint32_t line;

	memcpy(bytes, id->bytes, id->length);
	bytes[15] = id->length;
	memcpy(word, bytes, sizeof(word));
	line = lb_quic_line_of(word, pool, LINES);
	for (uint32_t i = 0; i < LB_QUIC_REACH; i++) {
		for (int way = 0; way < LB_QUIC_WAYS; way++) {
			const struct lb_quic_id *entry = &lines[line].id[way];

			if (entry->word[0] == word[0] && entry->word[1] == word[1] &&
			    entry->whose >> 16 == lb_quic_whose(pool, 0) >> 16)
				return (uint16_t)entry->whose;
		}
		if (!lines[line].id[0].passed)
			break;
		line = (line + 1) % LINES;
	}
	return LB_NONE;
}

static void check_all(void)
{
	for (uint32_t pool = 0; pool < POOLS; pool++)
		for (size_t i = 0; i < IDS; i++) {
			const struct lb_quic_server_id id = id_numbered(i);

			assert_int_equal(seen_by_program(pool, &id), model[pool][i]);
		}
}

static size_t taken(void)
{
	size_t count = 0;

	for (uint32_t pool = 0; pool < POOLS; pool++)
		for (size_t i = 0; i < IDS; i++)
			count += model[pool][i] != LB_NONE;
	return count;
}

static void clear(void)
{
	memset(lines, 0, sizeof(lines));
	memset(model, 0xff, sizeof(model));
}

static void set_some(unsigned int rounds)
{
	for (unsigned int round = 0; round < rounds; round++) {
		const uint32_t pool = (uint32_t)rand() % POOLS;
		const size_t number = (size_t)rand() % IDS;
		const struct lb_quic_server_id id = id_numbered(number);
		const uint16_t member = (uint16_t)(rand() % 1000);
		uint16_t *now = &model[pool][number];

		if (*now == LB_NONE && taken() == IDS)
			continue;
		if (rand() % 3) {
			assert_true(quic_ids_set(&ids, pool, &id, member));
			*now = member;
		} else {
			quic_ids_del(&ids, pool, &id, member);
			*now = *now == member ? LB_NONE : *now;
			if (*now != LB_NONE && rand() % 2) {
				quic_ids_del(&ids, pool, &id, *now);
				*now = LB_NONE;
			}
		}
	}
}

static void an_id_is_found_until_it_is_taken_away(void **state)
{
	(void)state;
	clear();
	for (int round = 0; round < 200; round++) {
		set_some(50);
		check_all();
	}
}

/* Or packets would look further for ever. */
static void nothing_is_left_of_ids_that_are_gone(void **state)
{
	(void)state;
	clear();
	set_some(2000);
	for (uint32_t pool = 0; pool < POOLS; pool++)
		for (size_t i = 0; i < IDS; i++) {
			const struct lb_quic_server_id id = id_numbered(i);

			quic_ids_del(&ids, pool, &id, model[pool][i]);
		}
	for (size_t line = 0; line < LINES; line++) {
		assert_int_equal(lines[line].id[0].passed, 0);
		for (int way = 0; way < LB_QUIC_WAYS; way++)
			assert_int_equal(lines[line].id[way].whose, 0);
	}
}

static bool keep_even(void *user, uint32_t pool, const struct lb_quic_server_id *id,
		      uint16_t member)
{
	size_t number = 0;

	(void)user;
	memcpy(&number, id->bytes, 2);
	assert_int_equal(id->length, id_numbered(number).length);
	assert_int_equal(model[pool][number], member);
	if (member % 2)
		model[pool][number] = LB_NONE;
	return member % 2 == 0;
}

/* An lbd that was killed has written an id, and not yet that it has passed other lines. */
static void what_an_earlier_lbd_has_left_is_taken_over(void **state)
{
	(void)state;
	clear();
	set_some(2000);
	for (size_t line = 0; line < LINES; line++)
		lines[line].id[0].passed = 0;
	quic_ids_adopt(&ids, keep_even, NULL);
	check_all();
	set_some(2000);
	check_all();
}

static void an_id_without_a_place_is_refused(void **state)
{
	size_t placed = 0;

	(void)state;
	clear();
	for (size_t i = 0; i < LINES * LB_QUIC_WAYS + 100; i++) {
		const struct lb_quic_server_id id = id_numbered(i);

		placed += quic_ids_set(&ids, 0, &id, 7);
	}
	assert_true(placed > LINES * LB_QUIC_WAYS / 2 && placed <= LINES * LB_QUIC_WAYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_found_until_it_is_taken_away),
		cmocka_unit_test(nothing_is_left_of_ids_that_are_gone),
		cmocka_unit_test(what_an_earlier_lbd_has_left_is_taken_over),
		cmocka_unit_test(an_id_without_a_place_is_refused),
	};

	srand(7);
	return cmocka_run_group_tests_name("quic_ids", tests, NULL, NULL);
}
