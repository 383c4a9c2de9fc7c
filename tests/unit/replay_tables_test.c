/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a table of a replay built once, never the wrong one, and gone a moment after the last request? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/control/replay_tables.h"

#define MEMBERS 3
#define SIZE 251
#define ROOM (8 * SIZE * sizeof(uint16_t))

static struct {
	void (*due)(void *user);
	void *user;
	int64_t delay_ms; /* 0: not set */
} timer;

static struct timer *timer_add(struct event_base *base, void (*due)(void *user), void *user)
{
	(void)base;
	timer.due = due;
	timer.user = user;
	timer.delay_ms = 0;
	return (struct timer *)&timer;
}

static void timer_set(struct timer *one, int64_t delay_ms)
{
	(void)one;
	timer.delay_ms = delay_ms;
}

static void timer_free(struct timer *one)
{
	(void)one;
}

static const struct timers timers = {.add = timer_add, .set = timer_set, .free = timer_free};
static const uint64_t seed[2] = {1, 2};

static struct replay_table_key key_of(enum lb_table_kind kind, uint32_t size, uint32_t weight)
{
	struct replay_table_key key = {kind, size, calloc(MEMBERS, sizeof(*key.members)), MEMBERS};

	for (uint32_t i = 0; i < MEMBERS; i++)
		key.members[i] =
			(struct table_member){.address = {.family = 4, .bytes = {10, 0, 0, i}},
					      .weight = weight + i,
					      .number = i};
	return key;
}

static const uint16_t *get(struct replay_tables *tables, enum lb_table_kind kind, uint32_t size,
			   uint32_t weight)
{
	const struct replay_table_key key = key_of(kind, size, weight);

	return replay_tables_get(tables, &key);
}

static void check_built(const uint16_t *owners, enum lb_table_kind kind, uint32_t weight)
{
	struct replay_table_key key = key_of(kind, SIZE, weight);
	uint16_t built[SIZE];

	assert_int_equal(table_build(kind, key.members, MEMBERS, SIZE, seed, built), 0);
	assert_memory_equal(owners, built, sizeof(built));
	free(key.members);
}

static void a_table_is_built_once_for_all_requests_of_a_replay(void **state)
{
	struct replay_tables *tables = replay_tables_new(&timers, seed, ROOM);
	const uint16_t *first;

	(void)state;
	replay_tables_begin(tables);
	first = get(tables, LB_TABLE_RENDEZVOUS, SIZE, 1);
	check_built(first, LB_TABLE_RENDEZVOUS, 1);
	assert_ptr_equal(get(tables, LB_TABLE_RENDEZVOUS, SIZE, 1), first);
	replay_tables_end(tables);
	replay_tables_begin(tables);
	assert_ptr_equal(get(tables, LB_TABLE_RENDEZVOUS, SIZE, 1), first);
	replay_tables_end(tables);
	replay_tables_free(tables);
}

static void other_weights_kinds_sizes_and_members_have_tables_of_their_own(void **state)
{
	struct replay_tables *tables = replay_tables_new(&timers, seed, ROOM);
	struct replay_table_key fewer = key_of(LB_TABLE_RENDEZVOUS, SIZE, 1);
	struct replay_table_key other = key_of(LB_TABLE_RENDEZVOUS, SIZE, 1);
	struct replay_table_key turned = key_of(LB_TABLE_RENDEZVOUS, SIZE, 1);
	const uint16_t *first;

	(void)state;
	replay_tables_begin(tables);
	first = get(tables, LB_TABLE_RENDEZVOUS, SIZE, 1);
	check_built(get(tables, LB_TABLE_RENDEZVOUS, SIZE, 5), LB_TABLE_RENDEZVOUS, 5);
	check_built(get(tables, LB_TABLE_MAGLEV, SIZE, 1), LB_TABLE_MAGLEV, 1);
	assert_ptr_not_equal(get(tables, LB_TABLE_RENDEZVOUS, SIZE + 6, 1), first);
	fewer.count--;
	assert_ptr_not_equal(replay_tables_get(tables, &fewer), first);
	other.members[2].address.bytes[0] = 11;
	assert_ptr_not_equal(replay_tables_get(tables, &other), first);
	turned.members[0].number = 1;
	turned.members[1].number = 0;
	assert_ptr_not_equal(replay_tables_get(tables, &turned), first);
	assert_ptr_equal(get(tables, LB_TABLE_RENDEZVOUS, SIZE, 1), first);
	replay_tables_end(tables);
	replay_tables_free(tables);
}

/* 0xff: not a member's number. A table that is built anew does not have it. */
static bool is_kept(struct replay_tables *tables, uint32_t size)
{
	uint16_t *owners = (uint16_t *)get(tables, LB_TABLE_MAGLEV, size, 1);
	const bool kept = owners[0] == 0xff;

	owners[0] = 0xff;
	return kept;
}

static void tables_are_gone_a_moment_after_the_last_request_and_not_during_one(void **state)
{
	struct replay_tables *tables = replay_tables_new(&timers, seed, ROOM);

	(void)state;
	replay_tables_begin(tables);
	assert_false(is_kept(tables, SIZE));
	assert_int_equal(timer.delay_ms, 0);
	replay_tables_end(tables);
	assert_int_equal(timer.delay_ms, 10000);
	replay_tables_begin(tables);
	timer.due(timer.user);
	assert_true(is_kept(tables, SIZE));
	replay_tables_end(tables);
	timer.due(timer.user);
	replay_tables_begin(tables);
	assert_false(is_kept(tables, SIZE));
	replay_tables_end(tables);
	replay_tables_free(tables);
}

static void more_than_there_is_room_for_is_kept_for_its_request_only(void **state)
{
	struct replay_tables *tables = replay_tables_new(&timers, seed, ROOM);

	(void)state;
	replay_tables_begin(tables);
	for (uint32_t i = 0; i < 8; i++)
		assert_non_null(get(tables, LB_TABLE_MAGLEV, SIZE, 100 + i));
	assert_false(is_kept(tables, SIZE));
	assert_true(is_kept(tables, SIZE));
	replay_tables_end(tables);
	replay_tables_begin(tables);
	assert_false(is_kept(tables, SIZE));
	replay_tables_end(tables);
	replay_tables_free(tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_is_built_once_for_all_requests_of_a_replay),
		cmocka_unit_test(other_weights_kinds_sizes_and_members_have_tables_of_their_own),
		cmocka_unit_test(
			tables_are_gone_a_moment_after_the_last_request_and_not_during_one),
		cmocka_unit_test(more_than_there_is_room_for_is_kept_for_its_request_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
