// SPDX-License-Identifier: BSD-2-Clause
/* Does a packet go to the server that its QUIC connection id names, and nothing else?
 *
 * Rows say what becomes of a payload. Then every beginning of long ones, every place of the first
 * buffer's end, and random payloads are compared with quic_frame.c. `quic_test SEED PACKETS` makes the
 * last part longer; with the seed 0 that is the time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <time.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "../../lbd/plane/datapath.h"
#include "../../lbd/plane/explain.h"
#include "../../lbd/plane/guard.h"
#include "../../lbd/plane/quic_aes.h"
#include "../../lbd/plane/quic_ids.h"
#include "../../lbd/plane/trace.h"
#include "aes_block.h"
#include "harness.h"
#include "quic_frame.h"
#include "random_frame.h"
#include "rows.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UDP_AT(family) (ETH + ((family) == 4 ? 20 : 40) + 8)
#define PACKETS 20000

static uint64_t packets = PACKETS;
static struct plane plane;
static struct lb_vip_value values[VIP_COUNT];

/* Appendix B of the draft has this one, of a server whose id is KEYED_ID. */
static const uint8_t key_of_draft[16] = {0x8f, 0x95, 0xf0, 0x92, 0x45, 0x76, 0x5f, 0x80,
					 0x25, 0x69, 0x34, 0xe5, 0x0c, 0x66, 0x20, 0x7f};
static const uint8_t other_key[16] = {"sixteen bytes !"};

/* Rotation 0 as large clouds have it, 1 with short ids, 6 with the longest; 2 and 3 are encrypted. */
static const struct quic_world world = {
	.length = {8, 2, 8, 12, 5, 0, 15, 0},
	.key = {[2] = key_of_draft, [3] = other_key},
	.server =
		{
			{8, {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}},
			{8, {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x89}},
			{2, {0xbe, 0xef}},
			{5, {1, 2, 3, 4, 5}},
			{15, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
			{15, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16}},
			{8, {0xed, 0x79, 0x3a, 0x51, 0xd4, 0x9b, 0x8f, 0x5f}},
			{12, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13}},
		},
	.servers = 8,
};
static const enum member_index of_server[] = {TO6,        TO4_PREFIX, GUE4, AWAY4,
					      TO6_PREFIX, TAG4,       BIG4, AWAY6};

/* --- the world in the data plane --- */

static void note_value(void *user, const struct lb_endpoint *endpoint,
		       const struct lb_vip_value *value)
{
	(void)user;
	(void)endpoint;
	if (!(value->flags & (LB_VIP_ADDRESS_ONLY | LB_VIP_FRAGMENTS_ONLY)))
		values[value->number] = *value;
}

static void give_id(uint32_t pool, size_t server)
{
	const struct quic_ids ids = {plane.quic_ids, plane.quic_lines};
	struct lb_quic_server_id id = {.length = world.server[server].length};

	memcpy(id.bytes, world.server[server].id, id.length);
	assert_true(quic_ids_set(&ids, pool, &id, of_server[server]));
}

static void take_id(uint32_t pool, size_t server)
{
	const struct quic_ids ids = {plane.quic_ids, plane.quic_lines};
	struct lb_quic_server_id id = {.length = world.server[server].length};

	memcpy(id.bytes, world.server[server].id, id.length);
	quic_ids_del(&ids, pool, &id, of_server[server]);
}

static void flag_vip(enum vip_index vip, const char *endpoint)
{
	struct lb_endpoint parsed;
	struct lb_vip_value value = values[vip];

	assert_int_equal(lb_endpoint_parse(endpoint, &parsed, NULL), 0);
	value.flags |= LB_VIP_QUIC;
	assert_int_equal(datapath_vip_set(harness_datapath(), &parsed, &value, NULL), 0);
	for (int i = 0; i < 8; i++) {
		const uint64_t encrypted = world.key[i] ? LB_QUIC_ENCRYPTED : 0;

		plane.quic_vips[vip] |= (world.length[i] | encrypted) << LB_QUIC_CONFIG_BITS * i;
		if (world.key[i]) {
			quic_aes_key(world.key[i], &plane.quic_keys[i]);
			plane.quic_vip_keys[vip] |= (uint64_t)i << LB_QUIC_KEY_BITS * i;
		}
	}
}

static int set_up(void **state)
{
	int error = harness_set_up(state);

	if (error)
		return error;
	harness_pin();
	plane = datapath_plane(harness_datapath());
	if (plane.quic_use(plane.datapath, NULL))
		return -1;
	plane.each_vip(plane.datapath, note_value, NULL);
	flag_vip(QUIC4, "192.0.2.12:443/udp");
	flag_vip(QUIC6, "[2001:db8::12]:443/udp");
	for (size_t i = 0; i < world.servers; i++)
		give_id(0, i);
	return 0;
}

/* --- one payload --- */

struct quic_counts {
	uint64_t of[LB_QUIC_COUNT_COUNT], member[MEMBER_COUNT], flows[LB_FLOW_COUNT_COUNT];
	struct lb_counter all[MEMBER_COUNT]; /* however they came */
};

static void take_counts(struct quic_counts *counts)
{
	assert_int_equal(plane.quic_counts(plane.datapath, counts->of), 0);
	assert_int_equal(plane.flow_counts(plane.datapath, counts->flows), 0);
	for (uint32_t i = 0; i < MEMBER_COUNT; i++)
		assert_int_equal(plane.quic_counter(plane.datapath, i, &counts->member[i]), 0);
	assert_int_equal(plane.counters(plane.datapath, 0, MEMBER_COUNT, counts->all), 0);
}

static void put(struct frame *frame, size_t at, const uint8_t *payload, size_t length)
{
	memcpy(frame->bytes + at, payload, length);
}

static void build(int family, const uint8_t *payload, size_t length, struct frame *frame)
{
	const struct spec spec4 = {PACKET4(UDP, "192.0.2.12", 443), .payload = (uint16_t)length};
	const struct spec spec6 = {PACKET6(UDP, "2001:db8::12", 443), .payload = (uint16_t)length};

	frame_build(family == 4 ? &spec4 : &spec6, frame);
	put(frame, UDP_AT(family), payload, length);
}

#define SLOT (-1) /* in the place of a server: the member that the slot has, TO4 */

/* The frame is for `server`, and counted as `what`. */
static void goes_to(const struct frame *in, int server, enum lb_quic_count what)
{
	static struct frame out, wrapped;
	const enum member_index member = server == SLOT ? TO4 : of_server[server];
	struct quic_counts before, after;
	struct flow flow;
	enum vip_index vip;
	uint32_t slot;
	int action;

	assert_true(frame_flow(in, &flow));
	vip = harness_vip_of(&flow);
	slot = harness_slot(vip, &flow);
	harness_slot_set(vip, slot, TO4);
	take_counts(&before);
	action = harness_run(in, 0, &out);
	take_counts(&after);
	harness_slot_set(vip, slot, DECOY);
	assert_int_equal(action, harness_member_action(member, flow.ip_length));
	harness_wrap(in, member, harness_hash(vip, &flow), &wrapped);
	assert_true(frame_equal(&wrapped, &out));
	for (int i = 0; i < LB_QUIC_COUNT_COUNT; i++)
		assert_int_equal(after.of[i] - before.of[i], i == (int)what);
	for (int i = 0; i < MEMBER_COUNT; i++) {
		assert_int_equal(after.member[i] - before.member[i],
				 server != SLOT && i == (int)member);
		assert_int_equal(after.all[i].packets - before.all[i].packets, i == (int)member);
		assert_int_equal(after.all[i].bytes - before.all[i].bytes,
				 i == (int)member ? flow.ip_length : 0);
	}
	assert_memory_equal(before.flows, after.flows, sizeof(before.flows));
}

/* --- rows: a payload in hex, and the server that it names --- */

struct quic_row {
	const char *name, *payload;
	int server;
	enum lb_quic_count what;
};

#define ID0 "1122334455667788" /* of server 0 */
#define KEYED_ID "ed793a51d49b8f5f"
#define KEYED_SHORT "504dd2d05a7b0de9b2b9907afb5ecf8c"
#define KEYED KEYED_SHORT "c3"
#define NONCE "a0a1a2a3a4a5a6a7a8"
#define BODY "0102030405060708090a0b0c0d0e0f1011121314"
#define V1 "00000001"
#define V2 "6b3343cf"

#define HIT(server) server, LB_QUIC_ROUTED
#define UNROUTABLE SLOT, LB_QUIC_UNROUTABLE
#define UNKNOWN SLOT, LB_QUIC_UNKNOWN_SERVER

static const struct quic_row quic_rows[] = {
	{"short header",
	 "40"
	 "07" ID0 NONCE BODY,
	 HIT(0)},
	{"short header, the fixed bit is 0",
	 "00"
	 "07" ID0 NONCE BODY,
	 HIT(0)},
	{"short header, spin and key bits",
	 "7f"
	 "07" ID0 NONCE BODY,
	 HIT(0)},
	{"the server's own five bits",
	 "40"
	 "1f" ID0 NONCE BODY,
	 HIT(0)},
	{"a server id that differs in its last bit",
	 "40"
	 "07"
	 "1122334455667789" NONCE BODY,
	 HIT(1)},
	{"a server id of two bytes",
	 "40"
	 "20"
	 "beef" NONCE BODY,
	 HIT(2)},
	{"a server id of five bytes",
	 "40"
	 "84"
	 "0102030405" NONCE BODY,
	 HIT(3)},
	{"a server id of fifteen bytes",
	 "40"
	 "c0"
	 "0102030405060708090a0b0c0d0e0f" NONCE BODY,
	 HIT(4)},
	{"another one of fifteen bytes",
	 "40"
	 "c0"
	 "0102030405060708090a0b0c0d0e10" NONCE BODY,
	 HIT(5)},
	{"nobody's server id",
	 "40"
	 "07"
	 "1122334455667780" NONCE BODY,
	 UNKNOWN},
	{"a server's id in another rotation",
	 "40"
	 "20"
	 "1122334455667788" NONCE BODY,
	 UNKNOWN},
	{"zeros",
	 "40"
	 "00"
	 "0000000000000000" NONCE BODY,
	 UNKNOWN},
	{"a rotation without a configuration",
	 "40"
	 "a7" ID0 NONCE BODY,
	 UNROUTABLE},
	{"rotation 7: unroutable",
	 "40"
	 "e7" ID0 NONCE BODY,
	 UNROUTABLE},
	{"short header, a nonce of four bytes",
	 "40"
	 "07" ID0 "a0a1a2a3",
	 HIT(0)},
	{"short header, a nonce of three bytes",
	 "40"
	 "07" ID0 "a0a1a2",
	 UNROUTABLE},
	{"encrypted: the draft's example", "40" KEYED BODY, HIT(6)},
	{"encrypted: nothing behind the id", "40" KEYED, HIT(6)},
	{"encrypted: a byte less", "40" KEYED_SHORT, UNROUTABLE},
	{"encrypted: another bit in the last byte", "40" KEYED_SHORT "c2" BODY, UNKNOWN},
	{"encrypted: the same id in plaintext",
	 "40"
	 "50" KEYED_ID "ee080dbf48c0d1e5" BODY,
	 UNKNOWN},
	{"encrypted: another rotation's key",
	 "40"
	 "70"
	 "4dd2d05a7b0de9b2b9907afb5ecf8cc3" BODY,
	 UNKNOWN},
	{"encrypted: the server id of it in rotation 0",
	 "40"
	 "07" KEYED_ID NONCE BODY,
	 HIT(6)},
	{"encrypted: Handshake of version 1", "e3" V1 "11" KEYED "00" BODY, HIT(6)},
	{"encrypted: Initial of version 2", "d3" V2 "11" KEYED "00" BODY, HIT(6)},
	{"encrypted: long header, an id of 20 bytes", "c3" V1 "14" KEYED "010203" BODY, HIT(6)},
	{"encrypted: long header, an id of 16 bytes", "c3" V1 "10" KEYED BODY, UNROUTABLE},
	{"one byte", "40", UNROUTABLE},
	{"one byte of a long header", "c0", UNROUTABLE},
	{"no payload", "", UNROUTABLE},

	{"Initial of version 1",
	 "c3" V1 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7"
	 "00" BODY,
	 HIT(0)},
	{"Handshake of version 1",
	 "e3" V1 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7"
	 "00" BODY,
	 HIT(0)},
	{"0-RTT of version 1",
	 "d3" V1 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7"
	 "00" BODY,
	 HIT(0)},
	{"Retry of version 1",
	 "f0" V1 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7"
	 "00" BODY,
	 HIT(0)},
	{"Initial of version 2",
	 "d3" V2 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7"
	 "00" BODY,
	 HIT(0)},
	{"Handshake of version 2",
	 "f3" V2 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7"
	 "00" BODY,
	 HIT(0)},
	{"a version that nobody knows",
	 "80"
	 "babababa"
	 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7" BODY,
	 HIT(0)},
	{"version negotiation",
	 "80"
	 "00000000"
	 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7"
	 "00" V1 V2,
	 HIT(0)},
	{"long header, an id of 20 bytes",
	 "c3" V1 "14"
	 "07" ID0 "a0a1a2a3a4a5a6a7a8a9aa" BODY,
	 HIT(0)},
	{"long header, an id of 13 bytes: the shortest",
	 "c3" V1 "0d"
	 "07" ID0 "a0a1a2a3" BODY,
	 HIT(0)},
	{"long header, an id of 12 bytes",
	 "c3" V1 "0c"
	 "07" ID0 "a0a1a2a3" BODY,
	 UNROUTABLE},
	{"long header, an id of 8 bytes, as clients choose it",
	 "c3" V1 "08"
	 "07" ID0 BODY,
	 UNROUTABLE},
	{"long header, an id of 1 byte",
	 "c3" V1 "01"
	 "07" ID0 NONCE BODY,
	 UNROUTABLE},
	{"long header, no id",
	 "c3" V1 "00"
	 "07" ID0 NONCE BODY,
	 UNROUTABLE},
	{"long header, a longer id than version 1 has",
	 "c3" V1 "1c"
	 "07" ID0 NONCE BODY,
	 HIT(0)},
	{"long header, an id longer than the packet",
	 "c3" V1 "ff"
	 "07" ID0 NONCE BODY,
	 UNROUTABLE},
	{"long header, rotation 7",
	 "c3" V1 "11"
	 "e7" ID0 "a0a1a2a3a4a5a6a7" BODY,
	 UNROUTABLE},
	{"long header, nobody's server id",
	 "c3" V1 "11"
	 "07"
	 "ffffffffffffffff"
	 "a0a1a2a3a4a5a6a7" BODY,
	 UNKNOWN},
	{"the source's id names a server, the destination's does not",
	 "c3" V1 "08"
	 "0102030405060708"
	 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7" BODY,
	 UNROUTABLE},
	{"coalesced: the first packet's id decides",
	 "e3" V1 "11"
	 "07" ID0 "a0a1a2a3a4a5a6a7"
	 "00"
	 "4004"
	 "01020304"
	 "e3" V1 "11"
	 "07"
	 "1122334455667789"
	 "a0a1a2a3a4a5a6a7"
	 "00"
	 "4004"
	 "01020304",
	 HIT(0)},
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t length = strlen(hex) / 2;

	for (size_t i = 0; i < length; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &out[i]), 1);
	return length;
}

static void test_row(void **state)
{
	const struct quic_row *row = *state;
	static struct frame in;
	uint8_t payload[256];
	const size_t length = from_hex(row->payload, payload);

	for (int family = 4; family <= 6; family += 2) {
		build(family, payload, length, &in);
		goes_to(&in, row->server, row->what);
	}
}

/* --- compared with quic_frame.c --- */

static const enum lb_quic_count counted[] = {
	[QUIC_IS_UNROUTABLE] = LB_QUIC_UNROUTABLE,
	[QUIC_IS_UNKNOWN] = LB_QUIC_UNKNOWN_SERVER,
	[QUIC_IS_ROUTED] = LB_QUIC_ROUTED,
};

static struct quic_named agrees(int family, const uint8_t *payload, size_t length)
{
	const struct quic_named named = quic_frame_named(&world, payload, length);
	static struct frame in;

	build(family, payload, length, &in);
	goes_to(&in, named.server, counted[named.is]);
	return named;
}

static void test_every_row_agrees(void **state)
{
	uint8_t payload[256];

	(void)state;
	for (size_t i = 0; i < COUNT(quic_rows); i++) {
		const size_t length = from_hex(quic_rows[i].payload, payload);
		const struct quic_named named = quic_frame_named(&world, payload, length);

		assert_int_equal(named.server, quic_rows[i].server);
		assert_int_equal(counted[named.is], quic_rows[i].what);
	}
}

static void test_truncations(void **state)
{
	uint8_t payload[256];

	(void)state;
	for (size_t i = 0; i < COUNT(quic_rows); i++)
		for (size_t length = from_hex(quic_rows[i].payload, payload) + 1; length--;)
			agrees(i % 2 ? 4 : 6, payload, length);
}

static void test_lengths(void **state)
{
	uint8_t payload[64], id[] = {0x07, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};

	(void)state;
	for (unsigned int length = 0; length <= 24; length++) {
		memset(payload, 0x5a, sizeof(payload));
		payload[0] = 0xc0;
		payload[5] = (uint8_t)length;
		memcpy(payload + 6, id, sizeof(id));
		agrees(4, payload, 64);
		agrees(4, payload, 6 + length);
	}
}

/* The frame in two buffers, the first of which ends anywhere. */
static void test_buffers(void **state)
{
	static struct frame in;
	uint8_t payload[256];

	(void)state;
	for (size_t i = 0; i < COUNT(quic_rows); i++) {
		const size_t length = from_hex(quic_rows[i].payload, payload);

		build(4, payload, length, &in);
		for (int first = 0; first <= 80; first++) {
			harness_first_buffer(first);
			if (!i && !first && harness_run(&in, 0, &(struct frame){0}) == -EINVAL) {
				harness_first_buffer(-1);
				print_message("this kernel makes no frames of several buffers\n");
				skip();
			}
			goes_to(&in, quic_rows[i].server, quic_rows[i].what);
			harness_first_buffer(-1);
		}
	}
}

static void test_long_way(void **state)
{
	const struct spec specs[] = {
		{PACKET4(UDP, "192.0.2.12", 443), .payload = 60, .options = 40},
		{PACKET4(UDP, "192.0.2.12", 443), .payload = 60, .tag = {{0x8100, 5}}},
		{PACKET4(UDP, "192.0.2.12", 443), .payload = 60, .tag = {{0x88a8, 5}, {0x8100, 6}}},
		{PACKET6(UDP, "2001:db8::12", 443), .payload = 60, .extension = EXTENSION(0)},
	};
	static struct frame in;
	uint8_t payload[256];
	struct flow flow;

	(void)state;
	for (size_t i = 0; i < COUNT(specs); i++) {
		frame_build(&specs[i], &in);
		assert_true(frame_flow(&in, &flow));
		put(&in, flow.l4 + 8, payload, from_hex(quic_rows[0].payload, payload));
		goes_to(&in, 0, LB_QUIC_ROUTED);
	}
}

/* Padding of a short frame is no part of the payload. */
static void test_padding(void **state)
{
	static const struct spec spec = {PACKET4(UDP, "192.0.2.12", 443), .payload = 10,
					 .padding = 8};
	static struct frame in;
	uint8_t payload[256];

	(void)state;
	frame_build(&spec, &in);
	from_hex(quic_rows[0].payload, payload);
	put(&in, UDP_AT(4), payload, 18);
	goes_to(&in, SLOT, LB_QUIC_UNROUTABLE);
}

/* FIPS 197 appendix B, and that one way undoes the other: who compares has to be right himself. */
static void test_block(void **state)
{
	uint8_t key[16], block[16], known[16], was[16];

	(void)state;
	from_hex("2b7e151628aed2a6abf7158809cf4f3c", key);
	from_hex("3243f6a8885a308d313198a2e0370734", block);
	from_hex("3925841d02dc09fbdc118597196a0b32", known);
	aes_block_encrypt(key, block);
	assert_memory_equal(block, known, sizeof(block));
	for (int i = 0; i < 1000; i++) {
		for (int n = 0; n < 16; n++) {
			key[n] = (uint8_t)random_word();
			was[n] = block[n];
		}
		aes_block_encrypt(key, block);
		aes_block_decrypt(key, block);
		assert_memory_equal(block, was, sizeof(block));
		aes_block_encrypt(key, block);
	}
}

static size_t random_payload(uint8_t *payload)
{
	const struct quic_server *server = &world.server[random_below(world.servers)];
	const size_t length = random_below(70);
	size_t at;

	for (size_t i = 0; i < 70; i++)
		payload[i] = (uint8_t)random_word();
	at = payload[0] & 0x80 ? 6 : 1;
	if (random_one_in(4))
		return length;
	payload[5] = payload[0] & 0x80 ? (uint8_t)random_below(24) : payload[5];
	memcpy(payload + at + 1, server->id, server->length);
	for (int i = 0; i < 8 && !random_one_in(5); i++)
		if (world.length[i] == server->length)
			payload[at] = (uint8_t)(i << 5 | (payload[at] & 31));
	if (random_one_in(8))
		payload[at + 1 + random_below(server->length)] ^= 1 << random_below(8);
	if (world.key[payload[at] >> 5])
		aes_block_encrypt(world.key[payload[at] >> 5], payload + at + 1);
	return length;
}

static void test_random(void **state)
{
	uint64_t seen[3] = {0};
	uint8_t payload[70];

	(void)state;
	print_message("seed %llu, %llu packets\n", (unsigned long long)random_frame_state,
		      (unsigned long long)packets);
	for (uint64_t i = 0; i < packets; i++) {
		const size_t length = random_payload(payload);

		seen[agrees(random_one_in(2) ? 4 : 6, payload, length).is]++;
	}
	for (int i = 0; i < 3; i++)
		assert_true(seen[i] > packets / 50);
}

/* --- what is no whole packet to the VIP --- */

static void test_fragment(void **state)
{
	const struct spec spec = {PACKET4(UDP, "192.0.2.12", 443), .payload = 64,
				  .fragment = 0x2000};
	static struct frame in;
	struct quic_counts before, after;
	uint8_t payload[256];

	(void)state;
	frame_build(&spec, &in);
	put(&in, UDP_AT(4), payload, from_hex(quic_rows[0].payload, payload));
	take_counts(&before);
	harness_run(&in, 0, &(struct frame){0});
	take_counts(&after);
	assert_memory_equal(before.of, after.of, sizeof(before.of));
	assert_memory_equal(before.member, after.member, sizeof(before.member));
}

static void test_quote(void **state)
{
	static const struct spec sent = {.family = 4,
					 .protocol = IPPROTO_UDP,
					 .source = "192.0.2.12",
					 .destination = CLIENT4,
					 .sport = 443,
					 .dport = 40000,
					 .payload = 60};
	static const struct spec error = {.family = 4,
					  .protocol = IPPROTO_ICMP,
					  .source = "198.51.100.1",
					  .destination = "192.0.2.12",
					  .icmp_type = 3,
					  .icmp_code = 4,
					  .quote = &sent};
	static struct frame in;

	(void)state;
	frame_build(&error, &in);
	goes_to(&in, SLOT, LB_QUIC_QUOTED);
}

/* A VIP without the flag. */
static void test_other_vips(void **state)
{
	static const struct spec spec = {PACKET4(UDP, "192.0.2.10", 53), .payload = 40};
	static struct frame in, out, wrapped;
	struct quic_counts before, after;
	uint8_t payload[256];
	struct flow flow;

	(void)state;
	frame_build(&spec, &in);
	put(&in, UDP_AT(4), payload, from_hex(quic_rows[0].payload, payload));
	assert_true(frame_flow(&in, &flow));
	take_counts(&before);
	harness_run(&in, 0, &out);
	take_counts(&after);
	harness_wrap(&in, DECOY, harness_hash(DNS4, &flow), &wrapped);
	assert_true(frame_equal(&wrapped, &out));
	assert_memory_equal(before.of, after.of, sizeof(before.of));
}

/* --- members that may not have it --- */

static void test_member_that_keeps_nothing(void **state)
{
	struct lb_member *member = &plane.members[of_server[0]];
	static struct frame in;
	uint8_t payload[256];

	(void)state;
	build(4, payload, from_hex(quic_rows[0].payload, payload), &in);
	member->flags &= ~LB_MEMBER_NEW;
	goes_to(&in, 0, LB_QUIC_ROUTED); /* it drains, or is unhealthy and keeps its flows */
	member->flags &= ~LB_MEMBER_OLD;
	goes_to(&in, SLOT, LB_QUIC_UNKNOWN_SERVER);
	member->flags |= LB_MEMBER_NEW | LB_MEMBER_OLD;
	goes_to(&in, 0, LB_QUIC_ROUTED);
}

static void test_pools(void **state)
{
	static struct frame in;
	uint8_t payload[256];

	(void)state;
	build(4, payload, from_hex(quic_rows[0].payload, payload), &in);
	take_id(0, 0);
	goes_to(&in, SLOT, LB_QUIC_UNKNOWN_SERVER);
	give_id(5, 0);
	goes_to(&in, SLOT, LB_QUIC_UNKNOWN_SERVER);
	plane.vip_pools[QUIC4] = lb_pools(0, 5, 5);
	goes_to(&in, 0, LB_QUIC_ROUTED);
	plane.vip_pools[QUIC4] = lb_pools(0, 3, 5);
	goes_to(&in, 0, LB_QUIC_ROUTED);
	plane.vip_pools[QUIC4] = lb_pools(5, 5, 5);
	goes_to(&in, 0, LB_QUIC_ROUTED);
	plane.vip_pools[QUIC4] = lb_pools(0, 0, 0);
	take_id(5, 0);
	give_id(0, 0);
	goes_to(&in, 0, LB_QUIC_ROUTED);
}

/* "routed" has what a number's earlier backend had, too. */
static void test_number_is_used_again(void **state)
{
	static struct frame in;
	struct quic_counts before, after;
	uint8_t payload[256];

	(void)state;
	build(4, payload, from_hex(quic_rows[0].payload, payload), &in);
	goes_to(&in, 0, LB_QUIC_ROUTED);
	take_counts(&before);
	assert_true(before.member[of_server[0]] > 0);
	assert_int_equal(plane.counters_reset(plane.datapath, of_server[0]), 0);
	take_counts(&after);
	assert_int_equal(after.member[of_server[0]], 0);
	assert_int_equal(after.of[LB_QUIC_ROUTED], before.of[LB_QUIC_ROUTED]);
	goes_to(&in, 0, LB_QUIC_ROUTED);
}

/* --- the flow table --- */

static enum member_index member_of(const struct frame *in)
{
	static struct frame out, wrapped;
	struct flow flow;

	assert_true(frame_flow(in, &flow));
	harness_run(in, 0, &out);
	for (int i = 0; i < MEMBER_COUNT; i++) {
		harness_wrap(in, i, harness_hash(QUIC4, &flow), &wrapped);
		if (wrapped.length == out.length && !memcmp(wrapped.bytes, out.bytes, out.length))
			return i;
	}
	return MEMBER_COUNT;
}

/* From a client's port of its own. */
static void build_from(uint16_t port, const char *hex, struct frame *frame)
{
	const struct spec spec = {.family = 4,
				  .protocol = IPPROTO_UDP,
				  .source = CLIENT4,
				  .destination = "192.0.2.12",
				  .sport = port,
				  .dport = 443,
				  .payload = (uint16_t)(strlen(hex) / 2)};
	uint8_t payload[256];

	frame_build(&spec, frame);
	put(frame, UDP_AT(4), payload, from_hex(hex, payload));
}

#define INITIAL                                                                                    \
	"c3" V1 "08"                                                                               \
	"0102030405060708"                                                                         \
	"00" BODY
/* Clients' own ids are random: one in eight is of any rotation. */
#define UNKNOWN_LONG                                                                               \
	"c3" V1 "12"                                                                               \
	"07"                                                                                       \
	"f1f2f3f4f5f6f7f8f9fafbfcfdfeff0001"                                                       \
	"00" BODY
#define UNKNOWN_SHORT                                                                              \
	"40"                                                                                       \
	"e1"                                                                                       \
	"0102030405060708" BODY

static void test_initial_opens_a_flow(void **state)
{
	const uint32_t moving = lb_slot_word(TO4, TO6_PREFIX);
	static struct frame initial, other, later, routed;
	struct quic_counts before, after;

	(void)state;
	build_from(1111, INITIAL, &initial);
	build_from(1111, UNKNOWN_SHORT, &later);
	build_from(2222, UNKNOWN_SHORT, &other);
	build_from(3333, quic_rows[0].payload, &routed);
	for (uint32_t i = 0; i < values[QUIC4].slots_size; i++)
		plane.slots[values[QUIC4].slots_start + i] = moving;
	assert_int_equal(member_of(&other), TO6_PREFIX);
	assert_int_equal(member_of(&initial), TO4);
	assert_int_equal(member_of(&later), TO4);
	take_counts(&before);
	assert_int_equal(member_of(&routed), of_server[0]);
	take_counts(&after);
	assert_memory_equal(before.flows, after.flows, sizeof(before.flows));
	build_from(5555, UNKNOWN_LONG, &initial);
	assert_int_equal(member_of(&initial), TO4);
	plane.members[TO6_PREFIX].flags &= ~LB_MEMBER_NEW; /* as while it drains */
	build_from(4444, INITIAL, &initial);
	assert_int_equal(member_of(&initial), TO4);
	plane.members[TO6_PREFIX].flags |= LB_MEMBER_NEW;
	harness_slots_decoy();
}

/* --- the program --- */

#define NOBODY LB_QUIC_COUNT_COUNT /* ids are not looked at */

static int program(void)
{
	return datapath_program_fd(plane.datapath);
}

/* As the program in place says it, and what explains. */
static void explained_as(const struct frame *in, bool looked)
{
	static struct explained said;
	static struct frame out;

	assert_int_equal(datapath_explain(plane.datapath, in->bytes, in->length, 0, &said, NULL),
			 0);
	assert_int_equal(said.way.quic_looked, looked);
	harness_run(in, 0, &out);
	assert_int_equal(said.length, out.length);
	assert_memory_equal(said.frame, out.bytes, out.length);
}

static void routes(const struct frame *in, const struct frame *other)
{
	goes_to(in, 0, LB_QUIC_ROUTED);
	goes_to(other, SLOT, LB_QUIC_UNROUTABLE);
	explained_as(in, true);
}

static void routes_nobody(const struct frame *in, const struct frame *other)
{
	goes_to(in, SLOT, NOBODY);
	goes_to(other, SLOT, NOBODY);
	explained_as(in, false);
}

static void use(void)
{
	assert_int_equal(plane.quic_use(plane.datapath, NULL), 0);
}

static void test_program_comes_and_goes(void **state)
{
	static struct frame in, other;
	int balancer, with_quic, guarded;
	uint8_t payload[256];

	(void)state;
	build(4, payload, from_hex(quic_rows[0].payload, payload), &in);
	build_from(1111, UNKNOWN_SHORT, &other);
	with_quic = program();
	routes(&in, &other);
	plane.quic_drop(plane.datapath);
	balancer = program();
	assert_int_not_equal(balancer, with_quic);
	routes_nobody(&in, &other);

	/* The guard has QUIC, and stays as it is when that comes and goes. */
	assert_int_equal(datapath_guard_use(plane.datapath, GUARD_LISTS, NULL), 0);
	guarded = program();
	routes(&in, &other);
	use();
	assert_int_equal(program(), guarded);
	plane.quic_drop(plane.datapath);
	assert_int_equal(program(), guarded);
	use();
	datapath_guard_drop(plane.datapath, GUARD_LISTS);
	assert_int_not_equal(program(), balancer);
	routes(&in, &other);
	assert_int_equal(datapath_guard_use(plane.datapath, GUARD_LISTS, NULL), 0);
	plane.quic_drop(plane.datapath);
	datapath_guard_drop(plane.datapath, GUARD_LISTS);
	assert_int_equal(program(), balancer);
	routes_nobody(&in, &other);
	use();
}

static bool count_told(void *user, const struct lb_traced *packet)
{
	*(int *)user += packet->member == of_server[0];
	return true;
}

static void test_traces_through_a_change(void **state)
{
	const struct lb_trace_filter filter = {
		.every = 1, .snap = 64, .vip = QUIC4, .pool = LB_TRACE_NONE};
	static struct frame in, other;
	uint8_t payload[256];
	int told = 0;

	(void)state;
	build(4, payload, from_hex(quic_rows[0].payload, payload), &in);
	build_from(1111, UNKNOWN_SHORT, &other);
	plane.quic_drop(plane.datapath);
	assert_int_equal(datapath_trace_start(plane.datapath, &filter, NULL), 0);
	datapath_trace_allow(plane.datapath, 1000);
	goes_to(&in, SLOT, NOBODY);
	use();
	goes_to(&in, 0, LB_QUIC_ROUTED);
	datapath_trace_allow(plane.datapath, 0); /* the way of those that are not looked at */
	goes_to(&in, 0, LB_QUIC_ROUTED);
	plane.quic_drop(plane.datapath);
	goes_to(&in, SLOT, NOBODY);
	datapath_trace_read(plane.datapath, count_told, &told);
	datapath_trace_stop(plane.datapath);
	assert_int_equal(told, 1);
	use();
}

/* Each program is told by itself whether any VIP is a prefix. */
static void test_knows_of_vips_that_come_and_go(void **state)
{
	const struct spec spec = {PACKET4(TCP, "203.0.113.9", 443)};
	static struct frame in, out;
	struct lb_endpoint prefix;

	(void)state;
	frame_build(&spec, &in);
	assert_int_equal(harness_run(&in, 0, &out), XDP_PASS);
	assert_int_equal(harness_vip_flag(DNS4, "203.0.113.0/24:443/tcp", 0), 0);
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	assert_int_equal(lb_endpoint_parse("203.0.113.0/24:443/tcp", &prefix, NULL), 0);
	assert_int_equal(datapath_vip_del(plane.datapath, &prefix, NULL), 0);
	assert_int_equal(harness_run(&in, 0, &out), XDP_PASS);
}

static const struct CMUnitTest others[] = {
	{"quic_frame.c says what the rows say", test_every_row_agrees, NULL, NULL, NULL},
	{"every beginning of every row", test_truncations, NULL, NULL, NULL},
	{"ids of 0 to 24 bytes", test_lengths, NULL, NULL, NULL},
	{"the first buffer ends anywhere", test_buffers, NULL, NULL, NULL},
	{"options, tags and extension headers", test_long_way, NULL, NULL, NULL},
	{"padding is no payload", test_padding, NULL, NULL, NULL},
	{"the AES of this test", test_block, NULL, NULL, NULL},
	{"random payloads", test_random, NULL, NULL, NULL},
	{"fragments go by their addresses", test_fragment, NULL, NULL, NULL},
	{"ICMP errors go by the addresses of what they quote", test_quote, NULL, NULL, NULL},
	{"a VIP without quic", test_other_vips, NULL, NULL, NULL},
	{"a server that drains, and one that keeps no flows", test_member_that_keeps_nothing, NULL,
	 NULL, NULL},
	{"servers of a pool that the VIP leaves", test_pools, NULL, NULL, NULL},
	{"a member's number is used again", test_number_is_used_again, NULL, NULL, NULL},
	{"an Initial opens a flow, and what is routed none", test_initial_opens_a_flow, NULL, NULL,
	 NULL},
	{"the program with QUIC comes and goes", test_program_comes_and_goes, NULL, NULL, NULL},
	{"a trace goes on while it does", test_traces_through_a_change, NULL, NULL, NULL},
	{"it knows of VIPs that come and go", test_knows_of_vips_that_come_and_go, NULL, NULL,
	 NULL},
};

int main(int argc, char **argv)
{
	struct CMUnitTest tests[COUNT(quic_rows) + COUNT(others)];

	random_frame_state = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	if (!random_frame_state)
		random_frame_state = time(NULL);
	if (argc > 2)
		packets = strtoull(argv[2], NULL, 10);
	for (size_t i = 0; i < COUNT(quic_rows); i++)
		tests[i] = (struct CMUnitTest){quic_rows[i].name, test_row, NULL, NULL,
					       (void *)&quic_rows[i]};
	memcpy(tests + COUNT(quic_rows), others, sizeof(others));
	return cmocka_run_group_tests_name("quic", tests, set_up, harness_tear_down);
}
