// SPDX-License-Identifier: BSD-2-Clause
/* What does the loaded program do with one packet whose slot is MOVING, TRACKED or without owner,
 * and what with a million whose slots are SETTLED?
 *
 * Of each row is checked: the backend that the packet goes to; every count of the flow table; and
 * the whole bucket afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../bpf/flow_word.h"
#include "flow_rig.h"

enum { TCP4, TCP6, UDP4, UDP6, EVERY4, VIP_COUNT };

static const struct rig_vip vips[VIP_COUNT] = {
	[TCP4] = {"192.0.2.10:443/tcp", "192.0.2.10", 2039, true},
	[TCP6] = {"[2001:db8::10]:443/tcp", "2001:db8::10", 2039, true},
	[UDP4] = {"192.0.2.10:53/udp", "192.0.2.10", 251, false},
	[UDP6] = {"[2001:db8::10]:53/udp", "2001:db8::10", 251, false},
	[EVERY4] = {"192.0.2.11:0/tcp", "192.0.2.11", 1021, true},
};

#define FIRST_BACKEND 1000u /* identities: member numbers from here on */

/* What a member is to a test; each VIP has one of each. */
enum role { OWNER, PREVIOUS, THIRD, ROLES, NOBODY = LB_NONE };

static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};

#define FLOWS 128 /* 16 buckets, and a budget of 8 evictions */
#define BUDGET (FLOWS / 16)
#define IDLE 100 /* units */
#define CONFIRMED LB_FLOW_PROVEN

static uint64_t counted[LB_FLOW_COUNT_COUNT]; /* at the last look */

static uint16_t member(uint32_t vip, enum role role)
{
	return role == NOBODY ? LB_NONE : vip * ROLES + role;
}

static uint32_t backend(uint32_t vip, enum role role)
{
	return role == NOBODY ? RIG_DROPPED : member(vip, role) + FIRST_BACKEND;
}

/* --- given --- */

static struct client client_of(uint32_t vip)
{
	return (struct client){.vip = vip, .source = 77, .port = 40000};
}

static void given_slot(const struct client *client, enum role current, enum role previous)
{
	*rig_slot(rig_hash(client), client->vip) =
		lb_slot_word(member(client->vip, current), member(client->vip, previous));
}

static void given_moving(const struct client *client)
{
	given_slot(client, OWNER, PREVIOUS);
}

static void given_tracked(const struct client *client)
{
	given_slot(client, OWNER, NOBODY);
}

static void given_takes_no_new(const struct client *client, enum role role)
{
	rig_member_flags(member(client->vip, role), LB_MEMBER_OLD);
}

static uint64_t record(const struct client *client, enum role role, uint32_t confirmed,
		       uint32_t age)
{
	return flow_word(rig_tag(client), member(client->vip, role), confirmed, rig_time() - age);
}

static void given_record(const struct client *client, enum role role, uint32_t confirmed,
			 uint32_t age)
{
	rig_bucket(rig_hash(client))->word[3] = record(client, role, confirmed, age);
}

/* Eight words of strangers in the client's bucket. Their tags are none of a client here. */
static void given_full_bucket(const struct client *client, uint32_t confirmed, uint32_t age)
{
	struct lb_flow_bucket *bucket = rig_bucket(rig_hash(client));
	int way;

	for (way = 0; way < LB_FLOW_WAYS; way++)
		bucket->word[way] = flow_word(0x2ead0000 + way, member(client->vip, THIRD),
					      confirmed, rig_time() - age);
}

/* --- then --- */

static void goes_to(const struct client *client, uint8_t tcp_flags, enum role role)
{
	assert_int_equal(rig_send(client, tcp_flags), backend(client->vip, role));
}

/* What the packets since the last look must have counted; everything else stays. */
static void counts(const uint64_t expected[LB_FLOW_COUNT_COUNT])
{
	uint64_t now[LB_FLOW_COUNT_COUNT];
	int i, wrong = 0;

	rig_counts(now);
	for (i = 0; i < LB_FLOW_COUNT_COUNT; i++) {
		uint64_t rise = now[i] - counted[i];

		if (rise == expected[i])
			continue;
		print_error("%s: %llu, expected %llu\n", rig_count_name(i),
			    (unsigned long long)rise, (unsigned long long)expected[i]);
		wrong++;
	}
	memcpy(counted, now, sizeof(counted));
	assert_int_equal(wrong, 0);
}

#define COUNTS(...) counts((const uint64_t[LB_FLOW_COUNT_COUNT]){__VA_ARGS__})
#define COUNTS_NOTHING() COUNTS([LB_FLOW_HIT] = 0)

static void recorded(const struct client *client, enum role role, uint32_t confirmed)
{
	const struct lb_flow_bucket *bucket = rig_bucket(rig_hash(client));
	int way = rig_way(bucket, rig_tag(client));
	uint64_t word;

	assert_true(way >= 0);
	word = bucket->word[way];
	assert_int_equal(flow_word_member(word), member(client->vip, role));
	assert_int_equal(flow_word_grade(word), confirmed);
	assert_int_equal(flow_word_age(word, rig_time()), 0);
}

static void bucket_is(const struct client *client, const struct lb_flow_bucket *expected)
{
	assert_memory_equal(rig_bucket(rig_hash(client)), expected, sizeof(*expected));
}

static void table_is_empty(void)
{
	uint32_t count, i, way;
	const struct lb_flow_bucket *buckets = rig_buckets(&count);

	for (i = 0; i < count; i++)
		for (way = 0; way < LB_FLOW_WAYS; way++)
			assert_true(buckets[i].word[way] == 0);
}

/* --- MOVING --- */

static void syn_to_moving_slot_goes_to_new_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
	recorded(&client, OWNER, LB_FLOW_NEW);
}

static void retransmitted_syn_follows_its_record(void **state)
{
	const struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket before;

	given_moving(&client);
	goes_to(&client, RIG_SYN, OWNER);
	before = *rig_bucket(rig_hash(&client));
	given_slot(&client, THIRD, PREVIOUS); /* the owner has changed in between */
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_HIT] = 1);
	bucket_is(&client, &before);
}

static void retransmitted_syn_keeps_its_record_alive_but_confirms_nothing(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_record(&client, OWNER, 0, 5);
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_HIT] = 1, [LB_FLOW_CONFIRMED] = 1);
	recorded(&client, OWNER, 0);
	given_record(&client, OWNER, CONFIRMED, 5); /* of an earlier flow, from the same port */
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_HIT] = 1, [LB_FLOW_CONFIRMED] = 1);
	recorded(&client, OWNER, CONFIRMED);
}

/* Each packet that is no SYN shows more, and more in a later time unit; nothing is written when it
 * does not. */
static void grade_of_a_record_rises_with_its_packets(void **state)
{
	static const struct {
		uint32_t before, age, after;
	} rows[] = {
		{LB_FLOW_FOUND, 0, LB_FLOW_SEEN},
		{LB_FLOW_NEW, 0, LB_FLOW_SEEN},
		{LB_FLOW_NEW, 1, 4},
		{LB_FLOW_FOUND, 9, 4},
		{LB_FLOW_SEEN, 0, 4},
		{LB_FLOW_SEEN, 1, LB_FLOW_PROVEN},
		{4, 0, LB_FLOW_PROVEN},
		{4, 1, LB_FLOW_PROVEN},
		{LB_FLOW_PROVEN, 1, LB_FLOW_PROVEN},
	};
	const struct client client = client_of(*(int *)*state);
	size_t i;

	given_moving(&client);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		given_record(&client, OWNER, rows[i].before, rows[i].age);
		goes_to(&client, RIG_ACK, OWNER);
		COUNTS([LB_FLOW_HIT] = 1, [LB_FLOW_CONFIRMED] = 1);
		recorded(&client, OWNER, rows[i].after);
	}
	goes_to(&client, RIG_ACK, OWNER);
	COUNTS([LB_FLOW_HIT] = 1);
}

static void record_is_as_old_as_its_last_packet(void **state)
{
	const struct client client = client_of(*(int *)*state);
	const uint32_t began = rig_time();

	given_moving(&client);
	goes_to(&client, RIG_ACK, PREVIOUS);
	recorded(&client, PREVIOUS, 0);
	while (rig_time() == began)
		usleep(10000);
	goes_to(&client, RIG_ACK, PREVIOUS);
	recorded(&client, PREVIOUS, 4);
}

static void record_is_found_in_every_way(void **state)
{
	const struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket *bucket = rig_bucket(rig_hash(&client));
	struct lb_flow_bucket expected;
	int way;

	given_moving(&client);
	for (way = 0; way < LB_FLOW_WAYS; way++) {
		given_full_bucket(&client, CONFIRMED, 0);
		bucket->word[way] = record(&client, OWNER, CONFIRMED, 0);
		expected = *bucket;
		goes_to(&client, RIG_ACK, OWNER);
		bucket_is(&client, &expected);
	}
	COUNTS([LB_FLOW_HIT] = LB_FLOW_WAYS);
}

static void syn_ack_is_no_syn(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	goes_to(&client, RIG_SYN_ACK, PREVIOUS);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
	recorded(&client, PREVIOUS, 0);
}

static void unrecorded_non_syn_in_moving_slot_goes_to_previous_owner_and_is_recorded(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	goes_to(&client, RIG_ACK, PREVIOUS);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
	recorded(&client, PREVIOUS, 0);
	given_tracked(&client);
	goes_to(&client, RIG_ACK, PREVIOUS);
	COUNTS([LB_FLOW_HIT] = 1, [LB_FLOW_CONFIRMED] = 1);
	recorded(&client, PREVIOUS, LB_FLOW_SEEN);
}

static void unrecorded_non_syn_of_a_removed_previous_owner_goes_to_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	rig_member_set(member(client.vip, PREVIOUS), client.vip, backend(client.vip, PREVIOUS), 0);
	goes_to(&client, RIG_ACK, OWNER);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
	recorded(&client, OWNER, 0);
}

static void unrecorded_non_syn_goes_to_a_previous_owner_that_drains(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_takes_no_new(&client, PREVIOUS);
	goes_to(&client, RIG_ACK, PREVIOUS);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
	recorded(&client, PREVIOUS, 0);
}

static void udp_in_moving_slot_goes_to_previous_owner_and_is_recorded(void **state)
{
	unrecorded_non_syn_in_moving_slot_goes_to_previous_owner_and_is_recorded(state);
}

static void syn_of_a_moving_slot_without_owner_is_dropped(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, NOBODY, PREVIOUS);
	goes_to(&client, RIG_SYN, NOBODY);
	COUNTS([LB_FLOW_MISSED] = 1);
	table_is_empty();
	goes_to(&client, RIG_ACK, PREVIOUS);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
}

/* --- TRACKED --- */

static void hit_wins_in_tracked_slot(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_tracked(&client);
	given_record(&client, THIRD, CONFIRMED, 7);
	goes_to(&client, RIG_ACK, THIRD);
	COUNTS([LB_FLOW_HIT] = 1, [LB_FLOW_CONFIRMED] = 1);
	recorded(&client, THIRD, CONFIRMED);
}

static void record_is_written_once_a_unit(void **state)
{
	const struct client client = client_of(*(int *)*state);
	int i;

	given_tracked(&client);
	given_record(&client, THIRD, CONFIRMED, 7);
	for (i = 0; i < 1000; i++)
		goes_to(&client, RIG_ACK, THIRD);
	COUNTS([LB_FLOW_HIT] = 1000, [LB_FLOW_CONFIRMED] = 1);
}

static void miss_in_tracked_slot_goes_to_owner_and_records_nothing(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_tracked(&client);
	goes_to(&client, RIG_SYN, OWNER);
	goes_to(&client, RIG_ACK, OWNER);
	COUNTS([LB_FLOW_MISSED] = 2);
	table_is_empty();
}

static void slot_without_owner_still_follows_records(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, NOBODY, NOBODY);
	goes_to(&client, RIG_ACK, NOBODY);
	goes_to(&client, RIG_SYN, NOBODY);
	COUNTS([LB_FLOW_MISSED] = 2);
	table_is_empty();
	given_record(&client, THIRD, CONFIRMED, 0);
	goes_to(&client, RIG_ACK, THIRD);
	COUNTS([LB_FLOW_HIT] = 1);
}

static void settled_slot_asks_no_record(void **state)
{
	const struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket before;

	given_slot(&client, OWNER, OWNER);
	given_record(&client, THIRD, CONFIRMED, 7);
	before = *rig_bucket(rig_hash(&client));
	goes_to(&client, RIG_ACK, OWNER);
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS_NOTHING();
	bucket_is(&client, &before);
}

/* --- records that no longer hold --- */

/* Anybody can forge a SYN. Nor does it keep the record alive. */
static void syn_leaves_a_live_flow_with_a_backend_that_drains(void **state)
{
	const struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket before;
	uint32_t grade;

	given_moving(&client);
	given_takes_no_new(&client, THIRD);
	for (grade = LB_FLOW_FOUND; grade <= LB_FLOW_PROVEN; grade++) {
		if (grade == LB_FLOW_NEW || grade == LB_FLOW_CLOSED)
			continue;
		given_record(&client, THIRD, grade, IDLE);
		before = *rig_bucket(rig_hash(&client));
		goes_to(&client, RIG_SYN, THIRD);
		COUNTS([LB_FLOW_HIT] = 1);
		bucket_is(&client, &before);
	}
	goes_to(&client, RIG_ACK, THIRD);
	COUNTS([LB_FLOW_HIT] = 1, [LB_FLOW_CONFIRMED] = 1);
}

static void syn_begins_anew(const struct client *client, uint32_t grade, uint32_t age)
{
	given_moving(client);
	given_takes_no_new(client, THIRD);
	given_record(client, THIRD, grade, age);
	goes_to(client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_REPLACED] = 1);
	recorded(client, OWNER, LB_FLOW_NEW);
}

static void syn_replaces_the_record_of_a_flow_that_is_over_at_a_backend_that_drains(void **state)
{
	const struct client client = client_of(*(int *)*state);

	syn_begins_anew(&client, LB_FLOW_NEW, 0);
	syn_begins_anew(&client, LB_FLOW_CLOSED, 2);
	syn_begins_anew(&client, LB_FLOW_PROVEN, IDLE + 1);
	goes_to(&client, RIG_ACK, OWNER);
	COUNTS([LB_FLOW_HIT] = 1, [LB_FLOW_CONFIRMED] = 1);
}

static void syn_replaces_the_record_at_a_backend_that_keeps_no_old_flows(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_record(&client, THIRD, LB_FLOW_PROVEN, 0);
	rig_member_flags(member(client.vip, THIRD), 0);
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_REPLACED] = 1);
	recorded(&client, OWNER, LB_FLOW_NEW);
}

/* A forged FIN and a SYN at once get no further than a SYN alone. */
static void syn_soon_after_a_close_goes_to_the_backend_on_record(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_takes_no_new(&client, THIRD);
	given_record(&client, THIRD, LB_FLOW_PROVEN, 0);
	goes_to(&client, RIG_FIN_ACK, THIRD);
	recorded(&client, THIRD, LB_FLOW_CLOSED);
	goes_to(&client, RIG_SYN, THIRD);
	recorded(&client, THIRD, LB_FLOW_FOUND);
	given_record(&client, THIRD, LB_FLOW_CLOSED, 1);
	goes_to(&client, RIG_SYN, THIRD);
	recorded(&client, THIRD, LB_FLOW_FOUND);
}

static void fin_or_reset_closes_a_record_and_the_last_ack_leaves_it_closed(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_record(&client, THIRD, LB_FLOW_PROVEN, 3);
	goes_to(&client, RIG_FIN_ACK, THIRD);
	recorded(&client, THIRD, LB_FLOW_CLOSED);
	goes_to(&client, RIG_ACK, THIRD);
	recorded(&client, THIRD, LB_FLOW_CLOSED);
	given_record(&client, THIRD, LB_FLOW_SEEN, 3);
	goes_to(&client, RIG_RST, THIRD);
	recorded(&client, THIRD, LB_FLOW_CLOSED);
	memset(rig_bucket(rig_hash(&client)), 0, sizeof(struct lb_flow_bucket));
	goes_to(&client, RIG_FIN_ACK, PREVIOUS);
	recorded(&client, PREVIOUS, LB_FLOW_CLOSED);
}

static void a_closed_flow_that_goes_on_sending_is_alive(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_record(&client, THIRD, LB_FLOW_CLOSED, 1);
	goes_to(&client, RIG_ACK, THIRD);
	recorded(&client, THIRD, 4);
}

static void record_of_removed_member_is_replaced(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_tracked(&client);
	given_record(&client, THIRD, CONFIRMED, 7);
	rig_member_set(member(client.vip, THIRD), client.vip, backend(client.vip, THIRD), 0);
	goes_to(&client, RIG_ACK, OWNER);
	COUNTS([LB_FLOW_REPLACED] = 1);
	recorded(&client, OWNER, 0);
}

/* Its tuple may have had a flow since, while the slot was SETTLED: then that is on no record. */
static void
non_syn_with_record_of_removed_member_in_moving_slot_goes_to_previous_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_record(&client, THIRD, CONFIRMED, 7);
	rig_member_set(member(client.vip, THIRD), client.vip, backend(client.vip, THIRD), 0);
	goes_to(&client, RIG_ACK, PREVIOUS);
	COUNTS([LB_FLOW_REPLACED] = 1);
	recorded(&client, PREVIOUS, 0);
}

static void syn_with_record_of_removed_member_in_moving_slot_goes_to_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_record(&client, THIRD, CONFIRMED, 7);
	rig_member_set(member(client.vip, THIRD), client.vip, backend(client.vip, THIRD), 0);
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_REPLACED] = 1);
	recorded(&client, OWNER, LB_FLOW_NEW);
}

static void record_of_removed_member_is_emptied_when_the_slot_has_no_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, NOBODY, NOBODY);
	given_record(&client, THIRD, CONFIRMED, 7);
	rig_member_set(member(client.vip, THIRD), client.vip, backend(client.vip, THIRD), 0);
	goes_to(&client, RIG_ACK, NOBODY);
	COUNTS([LB_FLOW_REPLACED] = 1);
	table_is_empty();
}

/* A number that another VIP has by now: a record from before may name it. */
static void record_of_other_vip_is_not_followed(void **state)
{
	const struct client client = client_of(*(int *)*state);
	const uint32_t other = (client.vip + 1) % VIP_COUNT;

	given_tracked(&client);
	rig_bucket(rig_hash(&client))->word[0] =
		flow_word(rig_tag(&client), member(other, THIRD), CONFIRMED, rig_time());
	goes_to(&client, RIG_ACK, OWNER);
	COUNTS([LB_FLOW_REPLACED] = 1);
	recorded(&client, OWNER, 0);
}

/* A VIP has the pool of another one, and some of its slots and records are from before that, or
 * from before the pool before. */
static void members_of_each_pool_of_the_vip_are_its_own(void **state)
{
	const struct client client = client_of(*(int *)*state);
	const uint32_t other = (client.vip + 1) % VIP_COUNT, third = (client.vip + 2) % VIP_COUNT;
	const uint32_t pools[] = {client.vip, other, third};
	int now;

	for (now = 0; now < 3; now++) {
		rig_pools_set(client.vip, pools[now], pools[(now + 1) % 3], pools[(now + 2) % 3]);
		given_tracked(&client);
		rig_bucket(rig_hash(&client))->word[0] =
			flow_word(rig_tag(&client), member(other, THIRD), CONFIRMED, rig_time());
		assert_int_equal(rig_send(&client, RIG_ACK), backend(other, THIRD));
		COUNTS([LB_FLOW_HIT] = 1);
		rig_bucket(rig_hash(&client))->word[0] = 0;
		*rig_slot(rig_hash(&client), client.vip) =
			lb_slot_word(member(client.vip, OWNER), member(other, PREVIOUS));
		assert_int_equal(rig_send(&client, RIG_ACK), backend(other, PREVIOUS));
		COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
		rig_bucket(rig_hash(&client))->word[rig_tag(&client) % LB_FLOW_WAYS] = 0;
	}
}

static void record_of_number_beyond_the_members_is_not_followed(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_tracked(&client);
	rig_bucket(rig_hash(&client))->word[0] =
		flow_word(rig_tag(&client), 60000, CONFIRMED, rig_time());
	goes_to(&client, RIG_ACK, OWNER);
	COUNTS([LB_FLOW_REPLACED] = 1);
	recorded(&client, OWNER, 0);
}

/* --- a full bucket --- */

static void refused_syn_goes_to_previous_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket before;

	given_moving(&client);
	given_full_bucket(&client, CONFIRMED, 1);
	before = *rig_bucket(rig_hash(&client));
	goes_to(&client, RIG_SYN, PREVIOUS);
	goes_to(&client, RIG_ACK, PREVIOUS);
	COUNTS([LB_FLOW_MISSED] = 2, [LB_FLOW_REFUSED] = 2);
	bucket_is(&client, &before);
}

static void refused_syn_goes_to_owner_when_previous_takes_no_new_flows(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_moving(&client);
	given_full_bucket(&client, CONFIRMED, 1);
	given_takes_no_new(&client, PREVIOUS);
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_REFUSED] = 1);
}

/* A flood of SYNs to the slots of one bucket, which is all confirmed, live words: their flows stay. */
static void confirmed_live_word_is_never_evicted(void **state)
{
	struct client client = client_of(*(int *)*state);
	const struct lb_flow_bucket *bucket = rig_bucket(rig_hash(&client));
	struct lb_flow_bucket before;
	uint32_t hits = 0;
	int i;

	given_full_bucket(&client, CONFIRMED, IDLE - 3);
	before = *bucket;
	for (i = 0; i < 2000; i++) {
		client.source++;
		if (rig_bucket(rig_hash(&client)) != bucket)
			continue;
		given_moving(&client);
		goes_to(&client, i % 2 ? RIG_SYN : RIG_ACK, PREVIOUS);
		hits++;
	}
	assert_true(hits > 50);
	COUNTS([LB_FLOW_MISSED] = hits, [LB_FLOW_REFUSED] = hits);
	assert_memory_equal(bucket, &before, sizeof(before));
}

static void empty_word_is_taken_first(void **state)
{
	const struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket expected;

	given_moving(&client);
	given_full_bucket(&client, 0, 20);
	rig_bucket(rig_hash(&client))->word[5] = 0;
	expected = *rig_bucket(rig_hash(&client));
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
	expected.word[5] = rig_bucket(rig_hash(&client))->word[5];
	bucket_is(&client, &expected);
	recorded(&client, OWNER, LB_FLOW_NEW);
}

/* Words 0 to 7, of which `victim` is the one that must go. */
static void evicts(const struct client *client, uint8_t tcp_flags, enum role role, int victim)
{
	struct lb_flow_bucket *bucket = rig_bucket(rig_hash(client)), expected = *bucket;

	given_moving(client);
	goes_to(client, tcp_flags, role);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_EVICTED] = 1);
	expected.word[victim] = bucket->word[victim];
	bucket_is(client, &expected);
	recorded(client, role, tcp_flags == RIG_SYN ? LB_FLOW_NEW : LB_FLOW_FOUND);
}

static void word_that_has_shown_least_is_evicted_first_and_of_those_the_oldest(void **state)
{
	const struct client client = client_of(*(int *)*state);
	__u64 *words = rig_bucket(rig_hash(&client))->word;
	static const struct {
		uint32_t grade, age;
		int way;
	} given[] = {{4, 9, 1},
		     {4, 3, 4},
		     {LB_FLOW_SEEN, 2, 0},
		     {LB_FLOW_CLOSED, 1, 7},
		     {LB_FLOW_NEW, 0, 5},
		     {LB_FLOW_FOUND, 1, 3}};
	size_t i;

	for (i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		given_full_bucket(&client, CONFIRMED, IDLE);
		for (size_t n = 0; n <= i; n++)
			words[given[n].way] =
				flow_word(0x2ead0000 + given[n].way, member(client.vip, THIRD),
					  given[n].grade, rig_time() - given[n].age);
		evicts(&client, RIG_SYN, OWNER, given[i == 1 ? 0 : i].way);
	}
}

static void confirmed_word_past_its_idle_time_is_evicted(void **state)
{
	const struct client client = client_of(*(int *)*state);
	__u64 *words = rig_bucket(rig_hash(&client))->word;

	given_full_bucket(&client, CONFIRMED, 1);
	words[4] =
		flow_word(0x2ead0004, member(client.vip, THIRD), CONFIRMED, rig_time() - IDLE - 1);
	evicts(&client, RIG_SYN, OWNER, 4);
	given_full_bucket(&client, CONFIRMED, 1);
	words[1] =
		flow_word(0x2ead0001, member(client.vip, THIRD), CONFIRMED, rig_time() - IDLE - 1);
	evicts(&client, RIG_ACK, PREVIOUS, 1);
}

/* The next client whose packets look into the same bucket. */
static struct client neighbour(struct client client)
{
	const struct lb_flow_bucket *bucket = rig_bucket(rig_hash(&client));

	do
		client.source++;
	while (rig_bucket(rig_hash(&client)) != bucket);
	return client;
}

/* Needs a program whose budget nothing has been taken from. */
static void over_budget_packets_other_than_syns_evict_no_more_and_syns_do(void **state)
{
	struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket before;
	int i;

	given_full_bucket(&client, 0, 5);
	for (i = 0; i < BUDGET; i++) {
		client = neighbour(client);
		given_moving(&client);
		goes_to(&client, RIG_ACK, PREVIOUS);
	}
	COUNTS([LB_FLOW_MISSED] = BUDGET, [LB_FLOW_EVICTED] = BUDGET);
	client = neighbour(client);
	given_moving(&client);
	before = *rig_bucket(rig_hash(&client));
	goes_to(&client, RIG_ACK, PREVIOUS);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_OVER_BUDGET] = 1);
	bucket_is(&client, &before);
	goes_to(&client, RIG_SYN, OWNER);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_EVICTED] = 1);
	recorded(&client, OWNER, LB_FLOW_NEW);
}

/* Other buckets' empty words are there for all. */
static void over_budget_packets_still_take_empty_words(void **state)
{
	struct client client = client_of(*(int *)*state);

	over_budget_packets_other_than_syns_evict_no_more_and_syns_do(state);
	memset(rig_bucket(rig_hash(&client)), 0, sizeof(struct lb_flow_bucket));
	given_moving(&client);
	goes_to(&client, RIG_ACK, PREVIOUS);
	COUNTS([LB_FLOW_MISSED] = 1, [LB_FLOW_INSERTED] = 1);
	recorded(&client, PREVIOUS, 0);
}

/* --- SETTLED: nothing is remembered --- */

#define STEADY_FLOWS 100000
#define STEADY_ROUNDS 10
#define STEADY_SYNS 100000

static struct client steady_client(uint32_t i)
{
	return (struct client){.vip = i % VIP_COUNT, .source = i / 50, .port = 1024 + i % 50000};
}

/* The backend is the owner of the flow's slot, and nobody else. */
static void goes_to_slot_owner(const struct client *client, uint8_t tcp_flags)
{
	uint32_t owner = lb_slot_current(*rig_slot(rig_hash(client), client->vip));

	if (rig_send(client, tcp_flags) != owner + FIRST_BACKEND)
		fail_msg("a packet went astray");
}

static void a_million_packets_and_a_syn_flood_on_settled_slots_write_no_flow_word(void **state)
{
	struct client client;
	uint32_t vip, i, round;

	(void)state;
	for (vip = 0; vip < VIP_COUNT; vip++)
		for (i = 0; i < vips[vip].size; i++)
			rig_slots(vip)[i] = lb_slot_settled(member(vip, i % ROLES));
	for (round = 0; round < STEADY_ROUNDS; round++) {
		for (i = 0; i < STEADY_FLOWS; i++) {
			client = steady_client(i);
			goes_to_slot_owner(&client, round ? RIG_ACK : RIG_SYN);
		}
	}
	for (i = 0; i < STEADY_SYNS; i++) { /* every one from another address */
		client = (struct client){i % 2 ? TCP4 : TCP6, 0x01000000 + i, i};
		goes_to_slot_owner(&client, RIG_SYN);
	}
	COUNTS_NOTHING();
	table_is_empty();
}

/* --- all of them --- */

static int open_rig(void **state)
{
	(void)state;
	memset(counted, 0, sizeof(counted));
	return rig_open(vips, VIP_COUNT, VIP_COUNT * ROLES, FLOWS, seed);
}

static int close_rig(void **state)
{
	(void)state;
	rig_close();
	return 0;
}

/* An empty table, every member as it should be, and THIRD in every slot, for who looks into a wrong
 * one. No test runs into another time unit. */
static int reset(void **state)
{
	uint32_t count, vip, i;
	struct lb_flow_bucket *buckets = rig_buckets(&count);

	(void)state;
	rig_await_time_unit();
	memset(buckets, 0, count * sizeof(*buckets));
	rig_idle(IDLE);
	for (vip = 0; vip < VIP_COUNT; vip++) {
		for (i = 0; i < ROLES; i++)
			rig_member_set(member(vip, i), vip, backend(vip, i),
				       LB_MEMBER_NEW | LB_MEMBER_OLD);
		for (i = 0; i < vips[vip].size; i++)
			rig_slots(vip)[i] = lb_slot_settled(member(vip, THIRD));
		rig_pools_set(vip, vip, vip, vip);
	}
	rig_counts(counted);
	return 0;
}

static int reopen(void **state)
{
	rig_close();
	return open_rig(state) || reset(state);
}

static int tcp4 = TCP4, tcp6 = TCP6, udp4 = UDP4, udp6 = UDP6, every4 = EVERY4;

#define ROW(name, text, vip, setup)                                                                \
	{                                                                                          \
		text ": " #name, name, setup, NULL, &(vip)                                         \
	}
#define TCP(name) ROW(name, "ipv4", tcp4, reset), ROW(name, "ipv6", tcp6, reset)
#define UDP(name) ROW(name, "ipv4", udp4, reset), ROW(name, "ipv6", udp6, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TCP(syn_to_moving_slot_goes_to_new_owner),
		ROW(syn_to_moving_slot_goes_to_new_owner, "every port", every4, reset),
		TCP(retransmitted_syn_follows_its_record),
		TCP(retransmitted_syn_keeps_its_record_alive_but_confirms_nothing),
		TCP(grade_of_a_record_rises_with_its_packets),
		ROW(record_is_as_old_as_its_last_packet, "ipv4", tcp4, reset),
		TCP(record_is_found_in_every_way),
		TCP(syn_ack_is_no_syn),
		TCP(unrecorded_non_syn_in_moving_slot_goes_to_previous_owner_and_is_recorded),
		TCP(unrecorded_non_syn_of_a_removed_previous_owner_goes_to_owner),
		TCP(unrecorded_non_syn_goes_to_a_previous_owner_that_drains),
		UDP(udp_in_moving_slot_goes_to_previous_owner_and_is_recorded),
		TCP(syn_of_a_moving_slot_without_owner_is_dropped),
		TCP(hit_wins_in_tracked_slot),
		UDP(hit_wins_in_tracked_slot),
		TCP(record_is_written_once_a_unit),
		TCP(miss_in_tracked_slot_goes_to_owner_and_records_nothing),
		UDP(miss_in_tracked_slot_goes_to_owner_and_records_nothing),
		TCP(slot_without_owner_still_follows_records),
		UDP(slot_without_owner_still_follows_records),
		TCP(settled_slot_asks_no_record),
		TCP(syn_leaves_a_live_flow_with_a_backend_that_drains),
		TCP(syn_replaces_the_record_of_a_flow_that_is_over_at_a_backend_that_drains),
		TCP(syn_replaces_the_record_at_a_backend_that_keeps_no_old_flows),
		TCP(syn_soon_after_a_close_goes_to_the_backend_on_record),
		TCP(fin_or_reset_closes_a_record_and_the_last_ack_leaves_it_closed),
		TCP(a_closed_flow_that_goes_on_sending_is_alive),
		TCP(record_of_removed_member_is_replaced),
		UDP(record_of_removed_member_is_replaced),
		TCP(non_syn_with_record_of_removed_member_in_moving_slot_goes_to_previous_owner),
		UDP(non_syn_with_record_of_removed_member_in_moving_slot_goes_to_previous_owner),
		TCP(syn_with_record_of_removed_member_in_moving_slot_goes_to_owner),
		TCP(record_of_removed_member_is_emptied_when_the_slot_has_no_owner),
		TCP(record_of_other_vip_is_not_followed),
		UDP(record_of_other_vip_is_not_followed),
		TCP(members_of_each_pool_of_the_vip_are_its_own),
		UDP(members_of_each_pool_of_the_vip_are_its_own),
		TCP(record_of_number_beyond_the_members_is_not_followed),
		TCP(refused_syn_goes_to_previous_owner),
		TCP(refused_syn_goes_to_owner_when_previous_takes_no_new_flows),
		TCP(confirmed_live_word_is_never_evicted),
		TCP(empty_word_is_taken_first),
		TCP(word_that_has_shown_least_is_evicted_first_and_of_those_the_oldest),
		TCP(confirmed_word_past_its_idle_time_is_evicted),
		ROW(over_budget_packets_other_than_syns_evict_no_more_and_syns_do, "ipv4", tcp4,
		    reopen),
		ROW(over_budget_packets_still_take_empty_words, "ipv6", tcp6, reopen),
		ROW(a_million_packets_and_a_syn_flood_on_settled_slots_write_no_flow_word,
		    "all VIPs", tcp4, reopen),
	};

	return cmocka_run_group_tests_name("flows", tests, open_rig, close_rig);
}
