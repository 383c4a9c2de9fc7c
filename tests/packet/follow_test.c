// SPDX-License-Identifier: BSD-2-Clause
/* Whose are packets that must not change the flow table, and those of VIPs that hash less than the
 * 5-tuple, while a slot is MOVING or TRACKED?
 *
 * ICMP errors and later fragments follow the flow that they belong to, and leave every word of the
 * flow table as it is: anybody can forge them. flow_test.c has the packets that do change it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../bpf/flow_word.h"
#include "flow_rig.h"

enum { TCP4, TCP6, UDP4, UDP6, SCTP4, SOURCE4, SOURCE6, PORT4, VIP_COUNT };

static const struct rig_vip vips[VIP_COUNT] = {
	[TCP4] = {"192.0.2.10:443/tcp", "192.0.2.10", 2039, .tcp = true},
	[TCP6] = {"[2001:db8::10]:443/tcp", "2001:db8::10", 2039, .tcp = true},
	[UDP4] = {"192.0.2.10:53/udp", "192.0.2.10", 251},
	[UDP6] = {"[2001:db8::10]:53/udp", "2001:db8::10", 251},
	[SCTP4] = {"192.0.2.11:5060/udp", "192.0.2.11", 251, .sctp = true},
	[SOURCE4] = {"192.0.2.12:443/tcp", "192.0.2.12", 307, .tcp = true,
		     .flags = LB_VIP_HASH_SOURCE},
	[SOURCE6] = {"[2001:db8::12]:443/tcp", "2001:db8::12", 307, .tcp = true,
		     .flags = LB_VIP_HASH_SOURCE},
	[PORT4] = {"192.0.2.13:443/tcp", "192.0.2.13", 307, .tcp = true,
		   .flags = LB_VIP_HASH_SOURCE_PORT},
};

#define FIRST_BACKEND 1000u
#define FLOWS 4096

enum role { OWNER, PREVIOUS, THIRD, ROLES, NOBODY = LB_NONE };

static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static uint16_t member(uint32_t vip, enum role role)
{
	return role == NOBODY ? LB_NONE : vip * ROLES + role;
}

static uint32_t backend(uint32_t vip, enum role role)
{
	return role == NOBODY ? RIG_DROPPED : member(vip, role) + FIRST_BACKEND;
}

static struct client client_of(uint32_t vip)
{
	return (struct client){.vip = vip, .source = 77, .port = 40000};
}

static void given_slot(const struct client *client, enum role current, enum role previous)
{
	*rig_slot(rig_hash(client), client->vip) =
		lb_slot_word(member(client->vip, current), member(client->vip, previous));
}

static void given_record(const struct client *client, enum role role, uint32_t confirmed)
{
	rig_bucket(rig_flow_hash(client))->word[3] =
		flow_word(rig_tag(client), member(client->vip, role), confirmed, rig_time() - 5);
}

/* --- what must not change --- */

static struct lb_flow_bucket *table_copy(void)
{
	uint32_t count;
	const struct lb_flow_bucket *buckets = rig_buckets(&count);
	struct lb_flow_bucket *copy = malloc(count * sizeof(*copy));

	assert_non_null(copy);
	memcpy(copy, buckets, count * sizeof(*copy));
	return copy;
}

static void table_is(struct lb_flow_bucket *expected)
{
	uint32_t count;
	const struct lb_flow_bucket *buckets = rig_buckets(&count);

	assert_memory_equal(buckets, expected, count * sizeof(*expected));
	free(expected);
}

static void error_goes_to(const struct client *client, enum role role)
{
	struct lb_flow_bucket *before = table_copy();

	assert_int_equal(rig_send_error(client), backend(client->vip, role));
	table_is(before);
}

static void goes_to(const struct client *client, uint8_t tcp_flags, enum role role)
{
	assert_int_equal(rig_send(client, tcp_flags), backend(client->vip, role));
}

/* --- ICMP errors --- */

static void error_in_settled_slot_goes_to_its_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, OWNER, OWNER);
	given_record(&client, PREVIOUS, LB_FLOW_PROVEN);
	error_goes_to(&client, OWNER);
}

static void error_in_moving_slot_follows_the_record(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, OWNER, PREVIOUS);
	given_record(&client, THIRD, 0);
	error_goes_to(&client, THIRD);
}

static void error_in_tracked_slot_follows_the_record(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, OWNER, NOBODY);
	given_record(&client, PREVIOUS, LB_FLOW_PROVEN);
	error_goes_to(&client, PREVIOUS);
}

static void error_in_moving_slot_without_record_goes_to_previous_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, OWNER, PREVIOUS);
	error_goes_to(&client, PREVIOUS);
}

static void error_in_moving_slot_whose_previous_owner_is_gone_goes_to_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, OWNER, PREVIOUS);
	rig_member_flags(member(client.vip, PREVIOUS), 0);
	error_goes_to(&client, OWNER);
}

static void error_in_tracked_slot_without_record_goes_to_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, OWNER, NOBODY);
	error_goes_to(&client, OWNER);
}

static void error_with_the_record_of_a_gone_backend_leaves_it_alone(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, OWNER, NOBODY);
	given_record(&client, THIRD, LB_FLOW_PROVEN);
	rig_member_flags(member(client.vip, THIRD), 0);
	error_goes_to(&client, OWNER);
}

static void error_about_a_new_connection_goes_where_its_syn_went(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, OWNER, PREVIOUS);
	goes_to(&client, RIG_SYN, OWNER);
	error_goes_to(&client, OWNER);
}

static void error_about_a_slot_without_owner_is_dropped(void **state)
{
	const struct client client = client_of(*(int *)*state);

	given_slot(&client, NOBODY, NOBODY);
	error_goes_to(&client, NOBODY);
}

/* --- fragments --- */

static void later_fragment_follows_the_record_and_renews_nothing(void **state)
{
	const struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket *before;

	given_slot(&client, OWNER, PREVIOUS);
	assert_int_equal(rig_send_fragment(&client, false, 7), backend(client.vip, PREVIOUS));
	before = table_copy();
	given_slot(&client, OWNER, THIRD); /* the record alone leads to PREVIOUS now */
	assert_int_equal(rig_send_fragment(&client, true, 7), backend(client.vip, PREVIOUS));
	table_is(before);
}

static void later_fragment_in_moving_slot_without_record_goes_to_previous_owner(void **state)
{
	const struct client client = client_of(*(int *)*state);
	struct lb_flow_bucket *before;

	given_slot(&client, OWNER, OWNER);
	assert_int_equal(rig_send_fragment(&client, false, 8), backend(client.vip, OWNER));
	before = table_copy();
	given_slot(&client, OWNER, PREVIOUS);
	assert_int_equal(rig_send_fragment(&client, true, 8), backend(client.vip, PREVIOUS));
	table_is(before);
}

/* --- SCTP --- */

static void init_in_moving_slot_goes_to_new_owner_and_other_chunks_to_previous(void **state)
{
	const struct client opening = client_of(*(int *)*state);
	struct client old = opening;

	given_slot(&opening, OWNER, PREVIOUS);
	goes_to(&opening, RIG_SYN, OWNER);
	goes_to(&opening, RIG_ACK, OWNER);
	old.port++;
	given_slot(&old, OWNER, PREVIOUS);
	goes_to(&old, RIG_ACK, PREVIOUS);
}

/* --- VIPs that hash less than the 5-tuple: a slot for each client, a record for each flow --- */

static void connections_of_one_client_are_on_record_one_by_one(void **state)
{
	const struct client established = client_of(*(int *)*state);
	struct client opening = established;

	opening.port++;
	assert_true(rig_hash(&established) == rig_hash(&opening));
	given_slot(&established, OWNER, PREVIOUS);
	goes_to(&opening, RIG_SYN, OWNER);
	goes_to(&established, RIG_ACK, PREVIOUS);
	goes_to(&opening, RIG_ACK, OWNER);
	error_goes_to(&established, PREVIOUS);
	error_goes_to(&opening, OWNER);
	given_slot(&established, THIRD, NOBODY);
	goes_to(&established, RIG_ACK, PREVIOUS);
	goes_to(&opening, RIG_ACK, OWNER);
}

static void the_tag_of_a_record_tells_the_clients_slot(void **state)
{
	const struct client client = client_of(*(int *)*state);
	const struct lb_flow_bucket *bucket = rig_bucket(rig_flow_hash(&client));
	int way;

	given_slot(&client, OWNER, PREVIOUS);
	goes_to(&client, RIG_SYN, OWNER);
	way = rig_way(bucket, rig_tag(&client));
	assert_true(way >= 0);
	assert_ptr_equal(rig_slot((uint64_t)flow_word_tag(bucket->word[way]) << 34, client.vip),
			 rig_slot(rig_hash(&client), client.vip));
}

/* A bucket has room for eight of them. */
static void connections_of_one_client_in_one_bucket_have_a_record_each(void **state)
{
	const struct client established = client_of(*(int *)*state);
	const struct lb_flow_bucket *bucket = rig_bucket(rig_flow_hash(&established));
	struct client opening = established;
	int i;

	given_slot(&established, OWNER, PREVIOUS);
	goes_to(&established, RIG_ACK, PREVIOUS);
	for (i = 1; i < LB_FLOW_WAYS; i++) {
		do
			opening.port++;
		while (rig_bucket(rig_flow_hash(&opening)) != bucket);
		goes_to(&opening, RIG_SYN, OWNER);
		goes_to(&opening, RIG_ACK, OWNER);
	}
	goes_to(&established, RIG_ACK, PREVIOUS);
}

/* --- all of them --- */

static int open_rig(void **state)
{
	(void)state;
	return rig_open(vips, VIP_COUNT, VIP_COUNT * ROLES, FLOWS, seed);
}

static int close_rig(void **state)
{
	(void)state;
	rig_close();
	return 0;
}

/* THIRD in every slot, for who looks into a wrong one. */
static int reset(void **state)
{
	uint32_t count, vip, i;
	struct lb_flow_bucket *buckets = rig_buckets(&count);

	(void)state;
	rig_await_time_unit();
	memset(buckets, 0, count * sizeof(*buckets));
	for (vip = 0; vip < VIP_COUNT; vip++) {
		for (i = 0; i < ROLES; i++)
			rig_member_set(member(vip, i), vip, backend(vip, i),
				       LB_MEMBER_NEW | LB_MEMBER_OLD);
		for (i = 0; i < vips[vip].size; i++)
			rig_slots(vip)[i] = lb_slot_settled(member(vip, THIRD));
	}
	return 0;
}

static int tcp4 = TCP4, tcp6 = TCP6, udp4 = UDP4, udp6 = UDP6, sctp4 = SCTP4, source4 = SOURCE4,
	   source6 = SOURCE6, port4 = PORT4;

#define ROW(name, vip)                                                                             \
	{                                                                                          \
#vip ": " #name, name, reset, NULL, &(vip)                                         \
	}
#define EVERY(name) ROW(name, tcp4), ROW(name, tcp6), ROW(name, udp4), ROW(name, udp6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(error_in_settled_slot_goes_to_its_owner),
		EVERY(error_in_moving_slot_follows_the_record),
		EVERY(error_in_tracked_slot_follows_the_record),
		EVERY(error_in_moving_slot_without_record_goes_to_previous_owner),
		EVERY(error_in_moving_slot_whose_previous_owner_is_gone_goes_to_owner),
		EVERY(error_in_tracked_slot_without_record_goes_to_owner),
		EVERY(error_with_the_record_of_a_gone_backend_leaves_it_alone),
		ROW(error_in_moving_slot_follows_the_record, sctp4),
		ROW(error_in_moving_slot_follows_the_record, source4),
		ROW(error_in_moving_slot_follows_the_record, source6),
		ROW(error_about_a_new_connection_goes_where_its_syn_went, tcp4),
		ROW(error_about_a_new_connection_goes_where_its_syn_went, tcp6),
		ROW(error_about_a_new_connection_goes_where_its_syn_went, sctp4),
		ROW(error_about_a_slot_without_owner_is_dropped, tcp4),
		ROW(error_about_a_slot_without_owner_is_dropped, tcp6),
		ROW(later_fragment_follows_the_record_and_renews_nothing, udp4),
		ROW(later_fragment_in_moving_slot_without_record_goes_to_previous_owner, udp4),
		ROW(init_in_moving_slot_goes_to_new_owner_and_other_chunks_to_previous, sctp4),
		ROW(connections_of_one_client_are_on_record_one_by_one, source4),
		ROW(connections_of_one_client_are_on_record_one_by_one, source6),
		ROW(connections_of_one_client_are_on_record_one_by_one, port4),
		ROW(the_tag_of_a_record_tells_the_clients_slot, source4),
		ROW(the_tag_of_a_record_tells_the_clients_slot, source6),
		ROW(the_tag_of_a_record_tells_the_clients_slot, port4),
		ROW(connections_of_one_client_in_one_bucket_have_a_record_each, source4),
		ROW(connections_of_one_client_in_one_bucket_have_a_record_each, source6),
		ROW(connections_of_one_client_in_one_bucket_have_a_record_each, port4),
	};

	return cmocka_run_group_tests_name("what follows", tests, open_rig, close_rig);
}
