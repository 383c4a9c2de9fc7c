/* SPDX-License-Identifier: BSD-2-Clause */
/* Do slots go from state to state as lbd/plane/slots.h says, and do their counts and deadlines hold? */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "../../bpf/hash.h"
#include "../../lbd/plane/slots.h"

#define SIZE 6u
#define NONE LB_NONE

enum { A = 3, B = 64, C = 65533 }; /* members, at the ends of the words of a bitmap */

#define MOVING(current, previous) ((uint32_t)(previous) << 16 | (current))
#define SETTLED(a) MOVING(a, a)
#define TRACKED(a) MOVING(a, NONE)

enum { ALL_STAY, CURRENT_GONE, PREVIOUS_GONE, BOTH_GONE };

static const struct {
	const char *what;
	uint32_t word;
	uint16_t owner;
	int gone;
	uint32_t next;
} RULES[] = {
	{"settled, same owner", SETTLED(A), A, ALL_STAY, SETTLED(A)},
	{"settled, another owner", SETTLED(A), B, ALL_STAY, MOVING(B, A)},
	{"settled, no owner", SETTLED(A), NONE, ALL_STAY, MOVING(NONE, A)},
	{"settled on a removed one", SETTLED(A), B, BOTH_GONE, SETTLED(B)},
	{"settled on the last one, removed", SETTLED(A), NONE, BOTH_GONE, SETTLED(NONE)},

	{"no owner, still none", SETTLED(NONE), NONE, ALL_STAY, SETTLED(NONE)},
	{"no owner, then one", SETTLED(NONE), A, ALL_STAY, TRACKED(A)},

	{"tracked, same owner", TRACKED(A), A, ALL_STAY, TRACKED(A)},
	{"tracked, another owner", TRACKED(A), B, ALL_STAY, MOVING(B, A)},
	{"tracked, no owner", TRACKED(A), NONE, ALL_STAY, MOVING(NONE, A)},
	{"tracked on a removed one", TRACKED(A), B, CURRENT_GONE, TRACKED(B)},
	{"tracked on the last one, removed", TRACKED(A), NONE, CURRENT_GONE, SETTLED(NONE)},

	{"moving, same owner", MOVING(B, A), B, ALL_STAY, MOVING(B, A)},
	{"moving, another owner", MOVING(B, A), C, ALL_STAY, MOVING(C, A)},
	{"moving, no owner", MOVING(B, A), NONE, ALL_STAY, MOVING(NONE, A)},
	{"moving, back to the previous owner", MOVING(B, A), A, ALL_STAY, TRACKED(A)},
	{"moving, owner removed, a third", MOVING(B, A), C, CURRENT_GONE, MOVING(C, A)},
	{"moving, owner removed, back", MOVING(B, A), A, CURRENT_GONE, TRACKED(A)},
	{"moving, owner removed, no other", MOVING(B, A), NONE, CURRENT_GONE, MOVING(NONE, A)},
	{"moving, previous removed", MOVING(B, A), B, PREVIOUS_GONE, TRACKED(B)},
	{"moving, previous removed, a third", MOVING(B, A), C, PREVIOUS_GONE, TRACKED(C)},
	{"moving, both removed", MOVING(B, A), C, BOTH_GONE, TRACKED(C)},
	{"moving, both removed, no other", MOVING(B, A), NONE, BOTH_GONE, SETTLED(NONE)},

	{"moving to nobody, still", MOVING(NONE, A), NONE, ALL_STAY, MOVING(NONE, A)},
	{"moving to nobody, then to one", MOVING(NONE, A), B, ALL_STAY, MOVING(B, A)},
	{"moving to nobody, then back", MOVING(NONE, A), A, ALL_STAY, TRACKED(A)},
	{"moving to nobody, previous removed", MOVING(NONE, A), NONE, PREVIOUS_GONE, SETTLED(NONE)},
};

static const uint64_t NOBODY[1024];
static const uint64_t ONLY_A[1024] = {1ull << A};

static uint32_t words[SIZE];
static struct slots slots;

static int set_up(void **state)
{
	(void)state;
	memset(words, 0xff, sizeof(words));
	return slots_init(&slots, words, SIZE);
}

static int tear_down(void **state)
{
	(void)state;
	slots_clear(&slots);
	return 0;
}

/* What has been counted along the way is what a count finds. */
static void check_counts(void)
{
	uint32_t moving = 0, tracked = 0, i;

	for (i = 0; i < slots.size; i++) {
		bool settled = lb_slot_is_settled(slots.words[i]);

		tracked += !settled && lb_slot_previous(slots.words[i]) == NONE;
		moving += !settled && lb_slot_previous(slots.words[i]) != NONE;
	}
	assert_int_equal(slots.moving, moving);
	assert_int_equal(slots.tracked, tracked);
}

static void check_word(uint32_t slot, uint32_t word)
{
	assert_int_equal(words[slot], word);
	check_counts();
}

static void settle_all(uint16_t owner)
{
	uint16_t owners[SIZE];
	uint32_t i;

	for (i = 0; i < SIZE; i++)
		owners[i] = owner;
	slots_settle(&slots, owners);
}

/* Slot 0 gets an owner, the others stay as they are. `gone` may be NONE. */
static void change(uint16_t owner, uint16_t gone, uint32_t now, uint32_t transition)
{
	uint64_t marks[1024] = {0};
	uint16_t owners[SIZE];
	uint32_t i;

	for (i = 0; i < SIZE; i++)
		owners[i] = lb_slot_current(words[i]);
	owners[0] = owner;
	if (gone != NONE)
		marks[gone / 64] = 1ull << gone % 64;
	slots_change(&slots, owners, marks, now, transition);
	check_counts();
}

static void whole_pass(void)
{
	slots_sweep_end(&slots);
	check_counts();
}

/* A tag whose slot is this one. */
static uint32_t tag_of(uint32_t slot)
{
	return lb_hash_tag_within(slot, SIZE, 0);
}

static void every_state_and_event_leads_where_the_rules_say(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++) {
		uint32_t next =
			slot_next_word(RULES[i].word, RULES[i].owner, RULES[i].gone & CURRENT_GONE,
				       RULES[i].gone & PREVIOUS_GONE);

		if (next != RULES[i].next)
			fail_msg("%s: %08x, not %08x", RULES[i].what, next, RULES[i].next);
	}
}

static void a_change_touches_no_slot_that_keeps_its_owner(void **state)
{
	(void)state;
	settle_all(A);
	change(B, NONE, 100, 10);
	check_word(0, MOVING(B, A));
	check_word(1, SETTLED(A));
	assert_int_equal(slots.moving, 1);
}

static void a_new_vip_has_only_settled_slots(void **state)
{
	(void)state;
	settle_all(A);
	check_word(0, SETTLED(A));
	assert_int_equal(slots.moving + slots.tracked, 0);
	assert_int_equal(slots.next_deadline, SLOTS_NEVER);
}

/* `now` has lost up to a second, so that a transition of 10 s ends with the eleventh. */
static void a_transition_is_never_shorter_than_asked_for(void **state)
{
	(void)state;
	settle_all(A);
	change(B, NONE, 100, 10);
	slots_expire(&slots, 110);
	check_word(0, MOVING(B, A));
	slots_expire(&slots, 111);
	check_word(0, TRACKED(B));
	assert_int_equal(slots.next_deadline, SLOTS_NEVER);
}

static void a_further_change_keeps_the_first_deadline(void **state)
{
	(void)state;
	settle_all(A);
	change(B, NONE, 100, 10);
	change(C, NONE, 105, 10);
	change(NONE, NONE, 106, 10);
	change(B, NONE, 107, 10);
	check_word(0, MOVING(B, A));
	slots_expire(&slots, 110);
	check_word(0, MOVING(B, A));
	slots_expire(&slots, 111);
	check_word(0, TRACKED(B));
}

static void a_change_of_a_tracked_slot_has_a_deadline_of_its_own(void **state)
{
	(void)state;
	settle_all(A);
	change(B, NONE, 100, 10);
	change(A, NONE, 105, 10);
	check_word(0, TRACKED(A));
	change(C, NONE, 108, 10);
	slots_expire(&slots, 118);
	check_word(0, MOVING(C, A));
	slots_expire(&slots, 119);
	check_word(0, TRACKED(C));
}

static void released_slots_need_no_transition(void **state)
{
	const uint16_t before[SIZE] = {A, A, A, B, B, B}, after[SIZE] = {C, C, B, B, C, C};

	(void)state;
	slots_settle(&slots, before);
	assert_false(slots_take_changed(&slots));
	slots_change(&slots, after, NOBODY, 0, 60);
	assert_int_equal(slots.moving, 5);
	assert_true(slots_take_changed(&slots));
	assert_false(slots_take_changed(&slots));
	slots_release(&slots, ONLY_A);
	assert_int_equal(words[0], TRACKED(C));
	assert_int_equal(words[2], TRACKED(B));
	assert_int_equal(words[3], SETTLED(B));
	assert_int_equal(words[4], MOVING(C, B));
	assert_int_equal(slots.moving, 2);
	assert_int_equal(slots.tracked, 3);
}

static void hastened_slots_expire_early_and_the_others_do_not(void **state)
{
	const uint16_t before[SIZE] = {A, A, A, B, B, B}, after[SIZE] = {C, C, B, B, C, C};

	(void)state;
	slots_settle(&slots, before);
	slots_change(&slots, after, NOBODY, 100, 60);
	slots_hasten(&slots, ONLY_A, 131);
	slots_expire(&slots, 130);
	assert_int_equal(slots.moving, 5);
	slots_expire(&slots, 131);
	assert_int_equal(words[0], TRACKED(C));
	assert_int_equal(words[2], TRACKED(B));
	assert_int_equal(words[4], MOVING(C, B));
	slots_expire(&slots, 160);
	assert_int_equal(slots.moving, 2);
	slots_expire(&slots, 161);
	assert_int_equal(slots.moving, 0);
}

static void no_transition_is_put_off_by_hastening(void **state)
{
	(void)state;
	settle_all(A);
	change(B, NONE, 100, 10);
	slots_hasten(&slots, ONLY_A, 200);
	slots_expire(&slots, 111);
	check_word(0, TRACKED(B));
}

static void each_slot_expires_at_its_own_deadline(void **state)
{
	uint16_t owners[SIZE] = {B, A, A, A, A, B};

	(void)state;
	settle_all(A);
	change(B, NONE, 100, 10);
	slots_change(&slots, owners, NOBODY, 105, 10);
	assert_int_equal(slots.moving, 2);
	slots_expire(&slots, 111);
	check_word(0, TRACKED(B));
	check_word(5, MOVING(B, A));
	slots_expire(&slots, 115);
	check_word(5, MOVING(B, A));
	slots_expire(&slots, 116);
	check_word(5, TRACKED(B));
}

static void a_removed_member_is_named_by_no_slot(void **state)
{
	static const uint16_t members[] = {A, B, C};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		uint16_t gone = members[i], other = members[(i + 1) % 3];

		settle_all(gone);
		change(other, NONE, 100, 10);
		check_word(0, MOVING(other, gone));
		change(other, gone, 101, 10);
		check_word(0, TRACKED(other));
		change(gone, NONE, 102, 10);
		change(other, gone, 103, 10);
		check_word(0, TRACKED(other));
	}
}

static void a_census_counts_all_members_in_one_pass(void **state)
{
	static struct slots_census census;
	const uint16_t owners[SIZE] = {B, B, C, A, A, A};

	(void)state;
	settle_all(A);
	slots_change(&slots, owners, NOBODY, 100, 10);
	slots_count(&slots, &census);
	assert_int_equal(census.owned[A], 3);
	assert_int_equal(census.owned[B], 2);
	assert_int_equal(census.owned[C], 1);
	assert_int_equal(census.leaving[A], 3);
	assert_int_equal(census.leaving[B], 0);
	slots_uncount(&slots, &census);
	for (uint32_t i = 0; i <= LB_NONE; i++)
		assert_true(!census.owned[i] && !census.leaving[i]);
	slots_expire(&slots, 111);
	slots_count(&slots, &census);
	assert_int_equal(census.leaving[A], 0);
	slots_uncount(&slots, &census);
}

static void track_slot_0(void)
{
	settle_all(A);
	change(B, NONE, 100, 10);
	slots_expire(&slots, 111);
	check_word(0, TRACKED(B));
}

static void a_tracked_slot_settles_after_a_whole_pass_without_a_stray_flow(void **state)
{
	(void)state;
	track_slot_0();
	whole_pass(); /* began before the slot was TRACKED */
	check_word(0, TRACKED(B));
	slots_seen(&slots, tag_of(0), B); /* where the owner is: no reason to wait */
	slots_seen(&slots, tag_of(1), B); /* another slot */
	whole_pass();
	check_word(0, SETTLED(B));
}

static void a_stray_flow_keeps_its_slot_tracked(void **state)
{
	int i;

	(void)state;
	track_slot_0();
	for (i = 0; i < 5; i++) {
		slots_seen(&slots, tag_of(0), A);
		slots_seen(&slots, tag_of(0), B);
		whole_pass();
		check_word(0, TRACKED(B));
	}
	whole_pass();
	check_word(0, SETTLED(B));
}

static void a_slot_that_is_tracked_anew_waits_for_a_whole_pass_again(void **state)
{
	(void)state;
	track_slot_0();
	whole_pass();
	change(A, NONE, 120, 10);
	change(B, NONE, 121, 10); /* flows of A may be behind the sweep */
	check_word(0, TRACKED(B));
	whole_pass();
	check_word(0, TRACKED(B));
	whole_pass();
	check_word(0, SETTLED(B));
}

static void the_sweep_settles_only_tracked_slots(void **state)
{
	(void)state;
	settle_all(A);
	change(B, NONE, 100, 10);
	whole_pass();
	whole_pass();
	check_word(0, MOVING(B, A));
	change(NONE, NONE, 101, 10);
	slots_expire(&slots, 111);
	check_word(0, SETTLED(NONE));
	whole_pass();
	check_word(0, SETTLED(NONE));
}

static void without_a_flow_on_record_tracked_slots_settle_at_once(void **state)
{
	const uint16_t owners[SIZE] = {B, C, A, A, A, A};

	(void)state;
	track_slot_0();
	slots_change(&slots, owners, NOBODY, 120, 10);
	slots_settle_tracked(&slots);
	check_word(0, SETTLED(B));
	check_word(1, MOVING(C, A));
}

static void a_reset_forgets_everything(void **state)
{
	uint32_t i;

	(void)state;
	track_slot_0();
	change(A, NONE, 120, 10);
	slots_reset(&slots);
	for (i = 0; i < SIZE; i++)
		check_word(i, SETTLED(NONE));
	assert_int_equal(slots.next_deadline, SLOTS_NEVER);
}

/* Deadlines far from each other, random owners and removals: what is counted along the way holds,
 * and nothing moves for longer than its transition. */
static void counts_hold_through_random_changes(void **state)
{
	static const uint16_t members[] = {A, B, C, NONE};
	uint64_t random = 1;
	uint32_t now = 1000, step;

	(void)state;
	for (step = 0; step < 20000; step++) {
		uint16_t gone = NONE, owner;

		random = random * 6364136223846793005u + 1442695040888963407u;
		owner = members[random >> 40 & 3];
		if ((random >> 42 & 7) == 0)
			gone = members[random >> 45 & 3];
		if (gone != owner)
			change(owner, gone, now, 1 + (random >> 48 & 15));
		now += random >> 52 & 3;
		slots_expire(&slots, now);
		check_counts();
		if ((random >> 54 & 7) == 0)
			whole_pass();
		assert_true(!slots.moving || slots.next_deadline > now);
		assert_true(!slots.moving || slots.next_deadline <= now + 17);
	}
}

#define test_of_slots(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- tags --- */

static uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 31;
}

static void a_tag_by_5_tuple_tells_the_slot_or_its_neighbour(void **state)
{
	static const uint32_t sizes[] = {251, 65537, 1048573};
	uint64_t hash;
	int i, n;

	(void)state;
	for (i = 0; i < 3; i++)
		for (n = 0; n < 1000000; n++) {
			/* Every second one is the first or last of a slot. */
			hash = n % 2 ? mixed(n)
				     : ((uint64_t)(n / 4 % sizes[i]) << 32) / sizes[i] << 32;
			hash += n % 4 == 2 ? 0xffffffffffffffffull : 0;
			if (lb_tag_slot(lb_hash_tag(hash), sizes[i]) !=
			    lb_hash_slot(hash, sizes[i]))
				assert_int_equal(lb_tag_slot_else(lb_hash_tag(hash), sizes[i]),
						 lb_hash_slot(hash, sizes[i]));
		}
}

static void a_tag_within_a_slot_tells_that_slot(void **state)
{
	static const uint32_t sizes[] = {251, 65537, 1048573};
	uint32_t slot, tag, first, last;
	int i, n;

	(void)state;
	for (i = 0; i < 3; i++)
		for (n = 0; n < 1000000; n++) {
			slot = n % sizes[i];
			tag = lb_hash_tag_within(slot, sizes[i], mixed(n));
			first = lb_hash_tag_within(slot, sizes[i], 0);
			last = lb_hash_tag_within(slot, sizes[i], UINT64_MAX);
			assert_int_equal(lb_tag_slot(tag, sizes[i]), slot);
			assert_int_equal(lb_tag_slot(first, sizes[i]), slot);
			assert_int_equal(lb_tag_slot(last, sizes[i]), slot);
			assert_in_range(tag, first, last);
			assert_true(last - first >= (1u << 30) / sizes[i] - 2);
		}
}

/* --- pasts --- */

#define PAST(p0, p1) ((uint32_t)(p1) << 16 | (p0))
#define NO_PAST LB_PAST_NONE

enum { D = 7, E = 8 };

static const struct {
	const char *what;
	uint32_t past, word, next;
	uint16_t gone;
	uint32_t becomes;
	unsigned int forgotten;
} PASTS[] = {
	{"the first change", NO_PAST, SETTLED(A), MOVING(B, A), NONE, PAST(A, NONE), 0},
	{"the second", PAST(A, NONE), MOVING(B, A), MOVING(C, A), NONE, PAST(A, B), 0},
	{"a third", PAST(A, B), MOVING(C, A), MOVING(D, A), NONE, PAST(A, C), 1},
	{"a third, back to the second", PAST(A, B), MOVING(C, A), MOVING(B, A), NONE, PAST(A, C),
	 0},
	{"back to the first", PAST(A, B), MOVING(C, A), TRACKED(A), NONE, PAST(C, B), 0},
	{"to nobody", PAST(A, NONE), MOVING(B, A), MOVING(NONE, A), NONE, PAST(A, B), 0},
	{"the transition ends", PAST(A, B), MOVING(C, A), TRACKED(C), NONE, PAST(A, B), 0},
	{"it ends, and nobody is the owner", PAST(A, B), MOVING(NONE, A), SETTLED(NONE), NONE,
	 PAST(A, B), 0},
	{"another owner after nobody", PAST(A, B), SETTLED(NONE), TRACKED(C), NONE, PAST(A, B), 0},
	{"a change after a transition", PAST(A, NONE), TRACKED(B), MOVING(C, B), NONE, PAST(B, A),
	 0},
	{"a change after one of three", PAST(A, B), TRACKED(C), MOVING(D, C), NONE, PAST(C, A), 1},
	{"back after a transition", PAST(A, B), TRACKED(C), MOVING(A, C), NONE, PAST(C, B), 0},
	{"nothing is elsewhere any more", PAST(A, B), TRACKED(C), SETTLED(C), NONE, NO_PAST, 0},
	{"nothing happens", PAST(A, B), MOVING(C, A), MOVING(C, A), NONE, PAST(A, B), 0},
	{"the owner is removed", PAST(A, B), TRACKED(C), TRACKED(D), C, PAST(A, B), 0},
	{"the first owner is removed", PAST(A, B), MOVING(C, A), TRACKED(C), A, PAST(B, NONE), 0},
	{"the first is, and another comes", PAST(A, B), MOVING(C, A), TRACKED(D), A, PAST(C, B), 0},
	{"the second is removed", PAST(A, B), MOVING(C, A), MOVING(C, A), B, PAST(A, NONE), 0},
	{"the only one is", PAST(A, NONE), TRACKED(C), TRACKED(C), A, NO_PAST, 0},
	{"one that is removed forgets nobody", PAST(A, B), MOVING(C, A), MOVING(D, A), B,
	 PAST(A, C), 0},
};

static void a_past_has_who_had_the_slot_before(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(PASTS) / sizeof(PASTS[0]); i++) {
		uint64_t gone[1024] = {0}, forgotten = 0;
		uint32_t past;

		if (PASTS[i].gone != NONE)
			gone[PASTS[i].gone / 64] = 1ull << PASTS[i].gone % 64;
		past = slot_next_past(PASTS[i].past, PASTS[i].word, PASTS[i].next, gone,
				      &forgotten);
		if (past != PASTS[i].becomes || forgotten != PASTS[i].forgotten)
			fail_msg("%s: %#x, %u forgotten; expected %#x, %u", PASTS[i].what, past,
				 (unsigned int)forgotten, PASTS[i].becomes, PASTS[i].forgotten);
	}
}

static uint32_t pasts[SIZE];

static void with_pasts(uint32_t remember_s)
{
	memset(pasts, 0xff, sizeof(pasts));
	slots.pasts = pasts;
	slots.remember_s = remember_s;
	settle_all(A);
}

static void a_removed_member_is_in_no_past(void **state)
{
	static const uint16_t owners[][SIZE] = {{B, C, A, A, A, A}, {D, D, A, A, A, A}};

	(void)state;
	with_pasts(0);
	slots_change(&slots, owners[0], NOBODY, 100, 10);
	slots_change(&slots, owners[1], NOBODY, 101, 10);
	assert_int_equal(pasts[0], PAST(A, B));
	assert_int_equal(pasts[1], PAST(A, C));
	slots_change(&slots, owners[1], ONLY_A, 102, 10);
	assert_int_equal(pasts[0], PAST(B, NONE));
	assert_int_equal(pasts[1], PAST(C, NONE));
	slots_expire(&slots, 111);
	change(D, B, 112, 10); /* no word changes */
	assert_int_equal(pasts[0], NO_PAST);
	assert_int_equal(pasts[1], PAST(C, NONE));
}

static void two_passes_at(uint32_t now)
{
	slots_expire(&slots, now);
	whole_pass();
	whole_pass();
}

static void a_slot_with_a_past_waits_before_it_settles(void **state)
{
	(void)state;
	with_pasts(3600);
	change(B, NONE, 100, 10);
	two_passes_at(111);
	two_passes_at(111 + 3599);
	check_word(0, TRACKED(B));
	slots_settle_tracked(&slots);
	check_word(0, TRACKED(B));
	assert_int_equal(pasts[0], PAST(A, NONE));
	two_passes_at(111 + 3600);
	check_word(0, SETTLED(B));
	assert_int_equal(pasts[0], NO_PAST);
}

static void each_change_makes_it_wait_again(void **state)
{
	(void)state;
	with_pasts(3600);
	change(B, NONE, 100, 10);
	two_passes_at(111);
	change(C, NONE, 3000, 10);
	two_passes_at(3011);
	two_passes_at(3011 + 3599);
	check_word(0, TRACKED(C));
	assert_int_equal(pasts[0], PAST(B, A));
	two_passes_at(3011 + 3600);
	check_word(0, SETTLED(C));
}

static void a_slot_does_not_wait_where_nothing_is_to_be_remembered(void **state)
{
	(void)state;
	with_pasts(0);
	change(B, NONE, 100, 10);
	two_passes_at(111);
	check_word(0, SETTLED(B));
	slots.remember_s = 3600;
	change(C, NONE, 200, 10);
	change(C, B, 201, 10); /* the only one of its past is removed */
	check_word(0, TRACKED(C));
	two_passes_at(211);
	check_word(0, SETTLED(C));
}

static void what_is_forgotten_is_counted_where_it_was_to_be_remembered(void **state)
{
	(void)state;
	with_pasts(0);
	for (int i = 0; i < 2; i++) {
		const uint16_t owners[] = {B, C, D, E};

		for (int n = 0; n < 4; n++)
			change(owners[n], NONE, 100, 10);
		assert_int_equal(slots.forgotten, 2 * i);
		settle_all(A);
		slots.remember_s = 3600;
	}
}

static const uint16_t *only_a_is_b(void);

static void pasts_are_taken_over_by_the_numbers_of_the_next_pool(void **state)
{
	uint32_t copied[SIZE], copied_pasts[SIZE];
	struct slots copy;

	(void)state;
	with_pasts(0);
	change(C, NONE, 100, 10);
	change(D, NONE, 101, 10);
	assert_int_equal(pasts[0], PAST(A, C));
	memset(copied, 0xff, sizeof(copied));
	memset(copied_pasts, 0xff, sizeof(copied_pasts));
	assert_int_equal(slots_init(&copy, copied, SIZE), 0);
	copy.pasts = copied_pasts;
	slots_take_over(&copy, &slots, only_a_is_b(), false);
	assert_int_equal(copied[0], MOVING(D, B));
	assert_int_equal(copied_pasts[0], PAST(B, C));
	assert_int_equal(copied_pasts[1], NO_PAST);
	slots_take_over(&slots, &slots, only_a_is_b(), false);
	assert_int_equal(pasts[0], PAST(B, C));
	assert_int_equal(pasts[1], NO_PAST); /* a new number is no change of the owner */
	slots_clear(&copy);
}

static void slots_that_are_joined_have_the_pasts_of_both(void **state)
{
	uint32_t one[SIZE], two[SIZE], past_one[SIZE], past_two[SIZE];
	struct slots from = {.words = one, .pasts = past_one, .size = SIZE};
	struct slots to;

	(void)state;
	for (uint32_t i = 0; i < SIZE; i++) {
		one[i] = i ? SETTLED(B) : MOVING(C, A);
		past_one[i] = i ? NO_PAST : PAST(A, D);
		two[i] = SETTLED(B);
		past_two[i] = NO_PAST;
	}
	assert_int_equal(slots_init(&to, two, SIZE), 0);
	to.pasts = past_two;
	slots_join(&to, &from);
	assert_int_equal(two[0], TRACKED(B));
	assert_int_equal(past_two[0], PAST(A, C));
	assert_int_equal(past_two[1], NO_PAST);
	one[0] = TRACKED(B);
	past_two[0] = PAST(E, NONE);
	slots_join_pasts(&to, &from);
	assert_int_equal(past_two[0], PAST(E, A));
	slots_clear(&to);
}

static void an_adopted_past_has_known_members_of_slots_that_are_not_settled(void **state)
{
	uint64_t known[1024] = {0};

	(void)state;
	with_pasts(3600);
	words[0] = TRACKED(C);
	words[1] = MOVING(C, A);
	pasts[0] = PAST(B, A);
	pasts[1] = PAST(A, B);
	pasts[2] = PAST(B, NONE); /* stored for a word that was to follow */
	slots_adopt(&slots, 100, 10);
	assert_int_equal(pasts[2], NO_PAST);
	known[A / 64] = 1ull << A % 64;
	slots_keep_known(&slots, known);
	assert_int_equal(pasts[0], PAST(A, NONE));
	assert_int_equal(pasts[1], PAST(A, NONE));
}

/* Each range of hashes that two slots have in common begins where one of them does. */
static void each_slot_is_joined_with_those_that_its_hashes_have(void **state)
{
	static const uint32_t sizes[][2] = {{251, 509}, {509, 251}, {257, 263}, {251, 65521}};
	static uint32_t here[65521], there[65521];
	static bool met[65521];

	(void)state;
	for (int n = 0; n < 4; n++)
		for (uint32_t slot = 0; slot < sizes[n][0]; slot += 1 + slot / 8) {
			struct slots from = {.words = here, .size = sizes[n][0]};
			struct slots to;

			assert_int_equal(slots_init(&to, there, sizes[n][1]), 0);
			memset(met, 0, sizeof(met));
			for (uint32_t i = 0; i < sizes[n][0]; i++)
				here[i] = i == slot ? TRACKED(A) : SETTLED(A);
			for (uint32_t i = 0; i < sizes[n][1]; i++)
				there[i] = SETTLED(B);
			for (int by = 0; by < 2; by++)
				for (uint64_t i = 0; i < sizes[n][by]; i++) {
					const uint64_t hash =
						((i << 32) + sizes[n][by] - 1) / sizes[n][by] << 32;

					if (lb_hash_slot(hash, from.size) == slot)
						met[lb_hash_slot(hash, to.size)] = true;
				}
			slots_join(&to, &from);
			for (uint32_t i = 0; i < to.size; i++)
				assert_int_equal(there[i], met[i] ? TRACKED(B) : SETTLED(B));
			slots_sweep_end(&to);
			slots_sweep_end(&to);
			assert_int_not_equal(to.tracked, 0); /* until all VIPs have come */
			slots_joined(&to);
			slots_sweep_end(&to);
			assert_int_equal(to.tracked, 0);
			slots_clear(&to);
		}
}

/* Members of the pool that VIPs leave, by those of the next: only A has one there, at B. */
static const uint16_t *only_a_is_b(void)
{
	static uint16_t same[LB_NONE + 1];

	memset(same, 0xff, sizeof(same));
	same[A] = B;
	return same;
}

static void slots_that_are_taken_over_keep_state_and_deadline(void **state)
{
	static const uint16_t before[SIZE] = {A, A, A, A, A, C}, after[SIZE] = {A, C, A, C, A, C};
	static const uint32_t expected[SIZE] = {SETTLED(B),   MOVING(C, B), SETTLED(B),
						MOVING(C, B), SETTLED(B),   SETTLED(C)};
	uint32_t copied[SIZE];
	struct slots copy;

	(void)state;
	memset(copied, 0xff, sizeof(copied));
	assert_int_equal(slots_init(&copy, copied, SIZE), 0);
	slots_settle(&slots, before);
	slots_change(&slots, after, NOBODY, 100, 10);
	slots_take_over(&copy, &slots, only_a_is_b(), false);
	assert_memory_equal(copied, expected, sizeof(expected));
	assert_int_equal(copy.moving, 2);
	assert_int_equal(copy.next_deadline, slots.next_deadline);
	assert_int_equal(slots_last_deadline(&copy), 111);
	assert_int_equal(copy.foreign, 3); /* C is no member there, and two are MOVING */
	slots_clear(&copy);
}

static void slots_are_foreign_until_a_whole_pass_finds_nothing_elsewhere(void **state)
{
	static const uint16_t before[SIZE] = {A, A, A, A, A, A}, after[SIZE] = {B, B, B, B, B, B};

	(void)state;
	slots_settle(&slots, before);
	slots_take_over(&slots, &slots, only_a_is_b(), true);
	slots_change(&slots, after, NOBODY, 100, 10);
	assert_int_equal(slots.moving, 0);
	assert_int_equal(slots.foreign, SIZE);
	slots_sweep_end(&slots); /* of the pass under way */
	assert_int_equal(slots.foreign, SIZE);
	slots_seen(&slots, lb_hash_tag_within(2, SIZE, 0), A);
	slots_sweep_end(&slots);
	assert_in_range(slots.foreign, 1, 2);
	slots_sweep_end(&slots);
	assert_int_equal(slots.foreign, 0);
}

static void slots_are_joined_where_no_packet_notices(void **state)
{
	static const struct {
		uint32_t from, to;
		bool may;
	} rows[] = {
		{SETTLED(A), SETTLED(A), true},       {SETTLED(A), TRACKED(A), true},
		{SETTLED(A), MOVING(B, A), true},     {SETTLED(A), MOVING(A, B), false},
		{SETTLED(A), SETTLED(B), false},      {TRACKED(A), TRACKED(A), true},
		{TRACKED(A), SETTLED(A), false},      {MOVING(B, A), MOVING(B, A), true},
		{MOVING(B, A), MOVING(B, C), false},  {MOVING(B, A), TRACKED(A), false},
		{SETTLED(NONE), SETTLED(NONE), true}, {TRACKED(A), MOVING(B, A), true},
	};
	uint32_t one = 0, other = 0, early = 5, late = 6;
	struct slots from = {.words = &one, .size = 1, .deadlines = &early};
	struct slots to = {.words = &other, .size = 1, .deadlines = &late};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		one = rows[i].from;
		other = rows[i].to;
		assert_int_equal(slots_may_join(&from, &to), rows[i].may);
	}
	one = other = MOVING(B, A);
	assert_false(slots_may_join(&to, &from)); /* a shorter transition */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_and_event_leads_where_the_rules_say),
		test_of_slots(a_new_vip_has_only_settled_slots),
		test_of_slots(a_change_touches_no_slot_that_keeps_its_owner),
		test_of_slots(a_transition_is_never_shorter_than_asked_for),
		test_of_slots(a_further_change_keeps_the_first_deadline),
		test_of_slots(a_change_of_a_tracked_slot_has_a_deadline_of_its_own),
		test_of_slots(released_slots_need_no_transition),
		test_of_slots(hastened_slots_expire_early_and_the_others_do_not),
		test_of_slots(no_transition_is_put_off_by_hastening),
		test_of_slots(each_slot_expires_at_its_own_deadline),
		test_of_slots(a_removed_member_is_named_by_no_slot),
		test_of_slots(a_census_counts_all_members_in_one_pass),
		test_of_slots(a_tracked_slot_settles_after_a_whole_pass_without_a_stray_flow),
		test_of_slots(a_stray_flow_keeps_its_slot_tracked),
		test_of_slots(a_slot_that_is_tracked_anew_waits_for_a_whole_pass_again),
		test_of_slots(the_sweep_settles_only_tracked_slots),
		test_of_slots(without_a_flow_on_record_tracked_slots_settle_at_once),
		test_of_slots(a_reset_forgets_everything),
		test_of_slots(counts_hold_through_random_changes),
		test_of_slots(slots_that_are_taken_over_keep_state_and_deadline),
		test_of_slots(slots_are_foreign_until_a_whole_pass_finds_nothing_elsewhere),
		cmocka_unit_test(slots_are_joined_where_no_packet_notices),
		cmocka_unit_test(a_past_has_who_had_the_slot_before),
		test_of_slots(a_removed_member_is_in_no_past),
		test_of_slots(a_slot_with_a_past_waits_before_it_settles),
		test_of_slots(each_change_makes_it_wait_again),
		test_of_slots(a_slot_does_not_wait_where_nothing_is_to_be_remembered),
		test_of_slots(what_is_forgotten_is_counted_where_it_was_to_be_remembered),
		test_of_slots(pasts_are_taken_over_by_the_numbers_of_the_next_pool),
		test_of_slots(slots_that_are_joined_have_the_pasts_of_both),
		test_of_slots(an_adopted_past_has_known_members_of_slots_that_are_not_settled),
		cmocka_unit_test(a_tag_by_5_tuple_tells_the_slot_or_its_neighbour),
		cmocka_unit_test(a_tag_within_a_slot_tells_that_slot),
		cmocka_unit_test(each_slot_is_joined_with_those_that_its_hashes_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
