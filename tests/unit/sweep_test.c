/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the sweep delete the words that are dead, and only those, count the others, and give numbers
 * back when nothing names them? */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "../../bpf/flow_word.h"
#include "../../lbd/plane/slots.h"
#include "../../lbd/plane/sweep.h"

#define BUCKETS 8u
#define MEMBERS 6
#define SIZE 4u /* slots */

#define TRANSITION_S 60
#define IDLE_S 900
#define TRANSITION 15 /* sweep_units(60): 13.97 units, rounded up; one for the unit under way */
#define IDLE 211      /* sweep_units(900): 209.5 */
#define NOW 1000

#define CONFIRMED LB_FLOW_PROVEN
#define TAG(slot) ((slot) << 28 | 1u) /* that of a flow of this slot */

static struct lb_flow_bucket buckets[BUCKETS];
static uint32_t slot_words[SIZE];
static struct slots slots;
static struct sweep_tables *tables; /* these slots */
static struct sweep *sweep;

static int set_up(void **state)
{
	const uint16_t owners[SIZE] = {0};
	uint16_t member;

	(void)state;
	memset(buckets, 0, sizeof(buckets));
	memset(slot_words, 0xff, sizeof(slot_words));
	if (slots_init(&slots, slot_words, SIZE))
		return -1;
	slots_settle(&slots, owners);
	tables = sweep_tables_new(2);
	if (!tables)
		return -1;
	tables->at[tables->count++] = &slots;
	sweep = sweep_new(buckets, BUCKETS, MEMBERS);
	for (member = 0; sweep && member < 4; member++)
		sweep_member_set(sweep, member, tables, TRANSITION_S, IDLE_S);
	return sweep ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	sweep_free(sweep);
	free(tables);
	slots_clear(&slots);
	return 0;
}

static void whole_pass(uint32_t time)
{
	assert_true(sweep_step(sweep, BUCKETS, time));
}

/* Whether a word written at `written` outlives a pass at `time`. */
static bool lives(uint32_t confirmed, uint32_t written, uint32_t time)
{
	bool alive;

	buckets[3].word[5] = flow_word(TAG(0u), 1, confirmed, written);
	whole_pass(time);
	alive = buckets[3].word[5] != 0;
	assert_int_equal(sweep_flows(sweep, 1), alive);
	assert_int_equal(sweep_total(sweep), alive);
	buckets[3].word[5] = 0;
	return alive;
}

static void no_word_dies_before_its_time(void **state)
{
	const uint32_t times[] = {1, 59, 60, 61, 900, 901, 86400};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		/* Written at the very end of a unit, looked at when the seconds are just over. */
		uint64_t written_ns = (5ull << LB_FLOW_TIME_SHIFT) - 1;
		uint64_t now_ns = written_ns + times[i] * 1000000000ull;
		uint32_t age = (now_ns >> LB_FLOW_TIME_SHIFT) - (written_ns >> LB_FLOW_TIME_SHIFT);

		assert_true(age <= sweep_units(times[i]));
		assert_true(sweep_units(times[i]) <= age + 2);
	}
}

static void an_unconfirmed_word_lives_for_a_transition(void **state)
{
	(void)state;
	assert_int_equal(sweep_units(TRANSITION_S), TRANSITION);
	assert_true(lives(0, NOW, NOW));
	assert_true(lives(0, NOW, NOW + TRANSITION));
	assert_false(lives(0, NOW, NOW + TRANSITION + 1));
}

static void a_confirmed_word_lives_for_the_idle_time(void **state)
{
	(void)state;
	assert_int_equal(sweep_units(IDLE_S), IDLE);
	assert_true(lives(CONFIRMED, NOW, NOW + TRANSITION + 1));
	assert_true(lives(CONFIRMED, NOW, NOW + IDLE));
	assert_false(lives(CONFIRMED, NOW, NOW + IDLE + 1));
}

static void times_of_another_vip_are_its_own(void **state)
{
	(void)state;
	sweep_member_set(sweep, 1, tables, 20, 40);
	assert_true(lives(CONFIRMED, NOW, NOW + 11));
	assert_false(lives(CONFIRMED, NOW, NOW + 12));
	assert_true(lives(0, NOW, NOW + 6));
	assert_false(lives(0, NOW, NOW + 7));
}

static void ages_hold_where_the_time_wraps(void **state)
{
	const uint32_t wrap = LB_FLOW_TIME_MASK + 1;

	(void)state;
	assert_true(lives(CONFIRMED, wrap - 10, wrap - 10 + IDLE));
	assert_false(lives(CONFIRMED, wrap - 10, wrap - 10 + IDLE + 1));
	assert_true(lives(0, wrap - 1, wrap - 1 + TRANSITION));
	assert_false(lives(0, wrap - 1, wrap - 1 + TRANSITION + 1));
	/* The clock goes on beyond 15 bits, words do not. */
	assert_true(lives(0, 7 * wrap + 4, 7 * wrap + 5));
}

static void a_word_from_a_clock_ahead_is_new(void **state)
{
	(void)state;
	assert_true(lives(0, NOW + 1, NOW));
	assert_true(lives(0, NOW + 15, NOW));
	assert_true(lives(CONFIRMED, 2, LB_FLOW_TIME_MASK));
	assert_false(lives(CONFIRMED, NOW + 17, NOW));
}

static void every_word_of_every_bucket_is_looked_at(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < BUCKETS * LB_FLOW_WAYS; i++)
		buckets[i / 8].word[i % 8] = flow_word(i, i % 4, 0, i % 2 ? NOW : NOW - 500);
	whole_pass(NOW);
	for (i = 0; i < BUCKETS * LB_FLOW_WAYS; i++)
		assert_int_equal(buckets[i / 8].word[i % 8] != 0, i % 2);
	assert_int_equal(sweep_total(sweep), BUCKETS * LB_FLOW_WAYS / 2);
	assert_int_equal(sweep_flows(sweep, 0), 0);
	assert_int_equal(sweep_flows(sweep, 1), BUCKETS * LB_FLOW_WAYS / 4);
	assert_int_equal(sweep_flows(sweep, 3), BUCKETS * LB_FLOW_WAYS / 4);
}

static void words_of_nobody_are_deleted(void **state)
{
	(void)state;
	buckets[0].word[0] = flow_word(1, 4, CONFIRMED, NOW);       /* a number not in use */
	buckets[1].word[1] = flow_word(1, MEMBERS, CONFIRMED, NOW); /* no number at all */
	buckets[2].word[2] = 1ull << 32;                            /* not even that */
	buckets[7].word[7] = flow_word(1, LB_NONE - 1, CONFIRMED, NOW);
	whole_pass(NOW);
	assert_int_equal(buckets[0].word[0], 0);
	assert_int_equal(buckets[1].word[1], 0);
	assert_int_equal(buckets[2].word[2], 0);
	assert_int_equal(buckets[7].word[7], 0);
	assert_int_equal(sweep_total(sweep), 0);
}

static void counts_are_of_the_last_whole_pass(void **state)
{
	(void)state;
	buckets[0].word[0] = flow_word(1, 2, 0, NOW);
	buckets[6].word[0] = flow_word(2, 2, 0, NOW);
	assert_false(sweep_step(sweep, 5, NOW));
	assert_int_equal(sweep_flows(sweep, 2), 0);
	assert_true(sweep_step(sweep, 5, NOW));
	assert_int_equal(sweep_flows(sweep, 2), 2);
	buckets[0].word[0] = 0;
	assert_false(sweep_step(sweep, 5, NOW));
	assert_int_equal(sweep_flows(sweep, 2), 2);
	assert_int_equal(sweep_total(sweep), 2);
	assert_true(sweep_step(sweep, 5, NOW));
	assert_int_equal(sweep_flows(sweep, 2), 1);
	assert_int_equal(sweep_total(sweep), 1);
}

/* Slot 1 has a flow on member 2, slot 2 one on its owner. */
static void a_slot_is_busy_while_a_live_flow_is_elsewhere(void **state)
{
	int i;

	(void)state;
	buckets[0].word[0] = flow_word(TAG(1u), 2, CONFIRMED, NOW);
	buckets[0].word[1] = flow_word(TAG(2u), 0, CONFIRMED, NOW);
	for (i = 0; i < (int)SIZE; i++)
		slot_words[i] = lb_slot_word(0, LB_NONE);
	slots.tracked = SIZE;
	whole_pass(NOW + IDLE);
	slots_sweep_end(&slots);
	assert_int_equal(slots.tracked, 1);
	assert_int_equal(slot_words[1], lb_slot_word(0, LB_NONE));
	whole_pass(NOW + IDLE + 1);
	slots_sweep_end(&slots);
	assert_int_equal(slots.tracked, 0);
}

/* A word says whose flow it is, not in which of two tables: it counts in both. */
static void a_slot_of_each_table_is_busy(void **state)
{
	uint32_t words[SIZE];
	struct slots others;

	(void)state;
	memset(words, 0xff, sizeof(words));
	assert_int_equal(slots_init(&others, words, SIZE), 0);
	tables->at[tables->count++] = &others;
	for (uint32_t i = 0; i < SIZE; i++)
		slot_words[i] = words[i] = lb_slot_word(0, LB_NONE);
	slots.tracked = others.tracked = SIZE;
	buckets[0].word[0] = flow_word(TAG(1u), 2, CONFIRMED, NOW);
	whole_pass(NOW);
	slots_sweep_end(&slots);
	slots_sweep_end(&others);
	assert_int_equal(slots.tracked, 1);
	assert_int_equal(others.tracked, 1);
	assert_int_equal(words[1], lb_slot_word(0, LB_NONE));
	slots_clear(&others);
}

static void assert_nothing_free(void)
{
	uint16_t number;

	assert_false(sweep_take_free(sweep, &number));
}

static void assert_free(uint16_t expected)
{
	uint16_t number = LB_NONE;

	assert_true(sweep_take_free(sweep, &number));
	assert_int_equal(number, expected);
}

static void a_number_is_free_after_a_whole_pass_and_once(void **state)
{
	(void)state;
	buckets[0].word[0] = flow_word(1, 2, CONFIRMED, NOW);
	assert_false(sweep_step(sweep, 3, NOW)); /* behind the pass under way */
	sweep_member_gone(sweep, 2);
	assert_int_equal(sweep_gone(sweep), 1);
	assert_true(sweep_step(sweep, BUCKETS, NOW));
	assert_nothing_free();
	assert_int_not_equal(buckets[0].word[0], 0);
	assert_false(sweep_step(sweep, 3, NOW));
	assert_nothing_free();
	assert_true(sweep_step(sweep, BUCKETS, NOW));
	assert_int_equal(buckets[0].word[0], 0);
	assert_free(2);
	assert_nothing_free();
	assert_int_equal(sweep_gone(sweep), 0);
	whole_pass(NOW);
	assert_nothing_free();
}

static void each_number_waits_for_a_pass_of_its_own(void **state)
{
	(void)state;
	sweep_member_gone(sweep, 3);
	whole_pass(NOW);
	sweep_member_gone(sweep, 0);
	sweep_member_gone(sweep, 1);
	whole_pass(NOW);
	assert_free(3);
	assert_nothing_free();
	assert_int_equal(sweep_gone(sweep), 2);
	whole_pass(NOW);
	assert_free(0);
	assert_free(1);
	assert_nothing_free();
}

static void a_number_that_is_used_again_counts_anew(void **state)
{
	(void)state;
	buckets[0].word[0] = flow_word(1, 2, CONFIRMED, NOW);
	whole_pass(NOW);
	sweep_member_gone(sweep, 2);
	assert_int_equal(sweep_flows(sweep, 2), 0);
	whole_pass(NOW);
	whole_pass(NOW);
	assert_free(2);
	sweep_member_set(sweep, 2, tables, TRANSITION_S, IDLE_S);
	buckets[0].word[0] = flow_word(1, 2, 0, NOW);
	whole_pass(NOW);
	assert_int_equal(sweep_flows(sweep, 2), 1);
	assert_nothing_free();
}

static void a_cleared_member_does_not_come_free(void **state)
{
	(void)state;
	sweep_member_clear(sweep, 2);
	whole_pass(NOW);
	whole_pass(NOW);
	assert_nothing_free();
	assert_int_equal(sweep_gone(sweep), 0);
}

/* --- against the program, which renews dead words at the same moment --- */

#define ROUNDS 300000
/* A busy machine lets either side wait for a turn in each round, and does as many as it can in this time. */
#define ROUNDS_MAX_S 30
#define ROUNDS_LEAST 1000
#define WORDS ((int)BUCKETS * LB_FLOW_WAYS)
#define DEAD flow_word(TAG(1u), 1, CONFIRMED, NOW - 2 * IDLE)
#define FRESH flow_word(TAG(1u), 1, CONFIRMED, NOW)

static uint32_t round_ready, round_done; /* atomic: rounds begun, and raced through */
static uint32_t renewed;

static __u64 *word_at(int i)
{
	return &buckets[i / LB_FLOW_WAYS].word[i % LB_FLOW_WAYS];
}

/* Against the direction of the sweep, so that the two meet in every round. */
static void *renew(void *user)
{
	uint32_t number;
	int i;

	for (number = 1;; number++) {
		while (__atomic_load_n(&round_ready, __ATOMIC_ACQUIRE) < number)
			sched_yield();
		if (round_ready == UINT32_MAX)
			return user;
		renewed = 0;
		for (i = WORDS; i--;) {
			__u64 dead = DEAD;

			renewed += __atomic_compare_exchange_n(word_at(i), &dead, FRESH, false,
							       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		}
		__atomic_store_n(&round_done, number, __ATOMIC_RELEASE);
	}
}

/* Words that were renewed in time stay, and the pass that lost them counts them. */
static void check_race(void)
{
	uint32_t alive = 0;
	int i;

	for (i = 0; i < WORDS; i++) {
		assert_true(!*word_at(i) || *word_at(i) == FRESH);
		alive += *word_at(i) != 0;
	}
	assert_int_equal(alive, renewed);
	assert_int_equal(sweep_flows(sweep, 1), alive);
}

static void a_word_that_the_program_renews_first_lives_and_counts(void **state)
{
	const time_t end = time(NULL) + ROUNDS_MAX_S;
	uint32_t number;
	pthread_t thread;
	int i;

	(void)state;
	round_ready = round_done = 0;
	assert_int_equal(pthread_create(&thread, NULL, renew, NULL), 0);
	for (number = 1; number <= ROUNDS && (number <= ROUNDS_LEAST || time(NULL) < end);
	     number++) {
		for (i = 0; i < WORDS; i++)
			*word_at(i) = DEAD;
		__atomic_store_n(&round_ready, number, __ATOMIC_RELEASE);
		whole_pass(NOW);
		while (__atomic_load_n(&round_done, __ATOMIC_ACQUIRE) < number)
			sched_yield();
		check_race();
	}
	__atomic_store_n(&round_ready, UINT32_MAX, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

#define test_of_sweep(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_word_dies_before_its_time),
		test_of_sweep(an_unconfirmed_word_lives_for_a_transition),
		test_of_sweep(a_confirmed_word_lives_for_the_idle_time),
		test_of_sweep(times_of_another_vip_are_its_own),
		test_of_sweep(ages_hold_where_the_time_wraps),
		test_of_sweep(a_word_from_a_clock_ahead_is_new),
		test_of_sweep(every_word_of_every_bucket_is_looked_at),
		test_of_sweep(words_of_nobody_are_deleted),
		test_of_sweep(counts_are_of_the_last_whole_pass),
		test_of_sweep(a_slot_is_busy_while_a_live_flow_is_elsewhere),
		test_of_sweep(a_slot_of_each_table_is_busy),
		test_of_sweep(a_number_is_free_after_a_whole_pass_and_once),
		test_of_sweep(each_number_waits_for_a_pass_of_its_own),
		test_of_sweep(a_number_that_is_used_again_counts_anew),
		test_of_sweep(a_cleared_member_does_not_come_free),
		test_of_sweep(a_word_that_the_program_renews_first_lives_and_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
