// SPDX-License-Identifier: BSD-2-Clause
/* What else can a VIP have, that a packet's way depends on? */
#include "explain_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <netinet/in.h>
#include <cmocka.h>

#include "../../lbd/plane/datapath.h"
#include "../../lbd/plane/guard.h"
#include "../../lbd/plane/quic_aes.h"
#include "../../lbd/plane/quic_ids.h"
#include "aes_block.h"
#include "random_frame.h"
#include "random_world.h"

#define MEMORY 64 /* of flows that come again */
#define BLOCK 1u
#define ALLOW 2u
#define SYN 0x02
#define ACK 0x10

static struct frame memory[MEMORY];

static struct datapath *plane(void)
{
	return harness_datapath();
}

/* --- prefixes --- */

/* With the entry of its addresses alone. */
static void add_prefix(enum vip_index vip, const char *text)
{
	const struct lb_vip_value only = {.flags = LB_VIP_ADDRESS_ONLY};
	struct lb_endpoint endpoint, address = {0};

	assert_int_equal(lb_endpoint_parse(text, &endpoint, NULL), 0);
	address.address = endpoint.address;
	address.host_bits = endpoint.host_bits;
	assert_int_equal(datapath_vip_set(plane(), &address, &only, NULL), 0);
	assert_int_equal(harness_vip_flag(vip, text, 0), 0);
}

static void add_prefixes(void)
{
	add_prefix(SOURCE4, "192.0.2.64/26:0/tcp");
	add_prefix(DNS4, "192.0.2.96/27:50-60/udp");
	add_prefix(TUPLE4, "192.0.2.64/26:0/udp");
	add_prefix(SOURCE6, "2001:db8::80/121:0/tcp");
	add_prefix(DNS6, "2001:db8::c0/122:50-60/udp");
	add_prefix(TUPLE6, "2001:db8::80/121:0/udp");
}

/* RFC 1071. */
static void refresh_checksum(struct frame *frame, const struct flow *flow)
{
	uint8_t *ip = frame->bytes + flow->l3;
	uint16_t sum;

	if (flow->family != 4)
		return;
	ip[10] = ip[11] = 0;
	sum = frame_checksum(ip, (ip[0] & 15) * 4);
	ip[10] = sum >> 8;
	ip[11] = sum;
}

static void send_to_prefix(struct frame *frame, const struct flow *flow)
{
	const size_t last = flow->l3 + (flow->family == 4 ? 19 : 39);

	frame->bytes[last] = flow->family == 4 ? 64 + random_below(64) : 128 + random_below(128);
	refresh_checksum(frame, flow);
}

/* --- QUIC: rotation 0 is plaintext, 2 encrypted --- */

static const uint8_t quic_key[16] = {"sixteen bytes !"};
static const uint8_t quic_server[2][8] = {"server 1", "server 2"};

static void add_quic(enum vip_index vip, const char *text)
{
	const struct plane maps = datapath_plane(plane());

	assert_int_equal(harness_vip_flag(vip, text, LB_VIP_QUIC | LB_VIP_GUARDED), 0);
	maps.quic_vips[vip] = 8 | (8 | (uint64_t)LB_QUIC_ENCRYPTED) << LB_QUIC_CONFIG_BITS * 2;
	maps.quic_vip_keys[vip] = (uint64_t)1 << LB_QUIC_KEY_BITS * 2;
	datapath_guard_maps(plane()).vips[vip] =
		(struct lb_guard_vip){.rules = LB_GUARD_LISTS, .lists = BLOCK | ALLOW};
}

static void give_ids(uint32_t pool)
{
	const struct plane maps = datapath_plane(plane());
	const struct quic_ids ids = {maps.quic_ids, maps.quic_lines};
	struct lb_quic_server_id id = {.length = 8};

	for (int i = 0; i < 2; i++) {
		memcpy(id.bytes, quic_server[i], 8);
		assert_true(quic_ids_set(&ids, pool, &id, i ? AWAY6 : TO4));
	}
}

/* Of a short header, in a packet that has room for it. */
static void put_quic_id(struct frame *frame, const struct flow *flow)
{
	uint8_t *payload = frame->bytes + flow->l4 + 8;
	const bool encrypted = random_one_in(2);

	if (flow->l4 + 8 + 20 > flow->l3 + flow->ip_length || flow->protocol != IPPROTO_UDP)
		return;
	payload[0] = 0x40;
	payload[1] = encrypted ? 0x51 : 0x11;
	memcpy(payload + 2, quic_server[random_below(2)], 8);
	if (random_one_in(4))
		payload[2 + random_below(8)] ^= 1;
	if (encrypted)
		aes_block_encrypt(quic_key, payload + 2);
}

/* --- lists --- */

static void list(struct guard_trie *trie, uint8_t family, uint64_t high, uint8_t length,
		 uint16_t lists)
{
	struct guard_prefix prefix = {.high = high, .family = family, .length = length};

	guard_prefix_trim(&prefix);
	assert_in_range(guard_trie_add(trie, &prefix, lists), 0, 1);
}

/* About a fourth of the sources that are drawn, and of these a few are allowed. */
static void add_lists(void)
{
	static struct guard_trie trie;
	static struct guard_flat flat;
	const uint64_t secret[4] = {random_word(), random_word(), random_word(), random_word()};
	struct guard_sizes sizes;
	struct guard_memory maps;

	for (uint64_t i = 0; i < 64; i++) {
		list(&trie, 4, (16 + 3 * i) << 56, 8, BLOCK);
		list(&trie, 4, (16 + 3 * i) << 56 | random_word() >> 8, 11, ALLOW);
	}
	list(&trie, 6, 0x20010db840000000, 34, BLOCK);
	list(&trie, 6, 0x20010db860000000, 36, ALLOW);
	sizes = (struct guard_sizes){guard_flat_needs(&trie)};
	assert_int_equal(datapath_guard_load(plane(), &sizes, NULL), 0);
	maps = datapath_guard_maps(plane()).lists;
	assert_int_equal(guard_flat_fill(&flat, &maps, &trie, ALLOW, secret), 0);
	assert_int_equal(datapath_guard_enter(plane(), GUARD_LISTS, NULL), 0);
}

/* --- the SYN guard --- */

static void add_rules(void)
{
	const struct lb_guard_vip lists = {.rules = LB_GUARD_LISTS, .lists = BLOCK | ALLOW};
	const struct lb_guard_vip syns = {.rules = LB_GUARD_LISTS | LB_GUARD_SYN_ANSWER |
						   LB_GUARD_SYN_OPENS,
					  .lists = BLOCK | ALLOW,
					  .syn_mss = 1400};
	struct lb_guard_secret *secret;

	assert_int_equal(datapath_guard_use(plane(), GUARD_SYN, NULL), 0);
	secret = datapath_guard_maps(plane()).secret;
	secret->key[1][0] = random_word();
	secret->key[1][1] = random_word();
	secret->now = lb_guard_now(1, 1, 1);
	assert_int_equal(harness_vip_guard(DNS4, "192.0.2.10:53/udp", &lists), 0);
	assert_int_equal(harness_vip_guard(DNS6, "[2001:db8::10]:53/udp", &lists), 0);
	assert_int_equal(harness_vip_guard(WEB4, "192.0.2.10:443/tcp", &syns), 0);
	assert_int_equal(harness_vip_guard(WEB6, "[2001:db8::10]:443/tcp", &syns), 0);
}

static bool has_tcp_header(const struct flow *flow)
{
	return flow->protocol == IPPROTO_TCP && !flow->quoted &&
	       flow->l4 + 20 <= flow->l3 + flow->ip_length;
}

static void make_syn(struct frame *frame, const struct flow *flow)
{
	if (!has_tcp_header(flow))
		return;
	frame->bytes[flow->l4 + 12] = 0x50;
	frame->bytes[flow->l4 + 13] = SYN;
	refresh_checksum(frame, flow);
}

static void add_one(uint8_t *number)
{
	for (int i = 3; i >= 0 && !++number[i]; i--)
		;
}

/* It brings no timestamp, and needs none when the SYN had none. */
void explain_world_answered(const struct frame *syn, const uint8_t *answer)
{
	struct frame *ack = &memory[random_below(MEMORY)];
	struct flow flow;

	if (!frame_flow(syn, &flow) || syn->bytes[flow.l4 + 12] >> 4 != 5)
		return;
	*ack = *syn;
	add_one(ack->bytes + flow.l4 + 4);
	memcpy(ack->bytes + flow.l4 + 8, answer + flow.l4 + 4, 4);
	add_one(ack->bytes + flow.l4 + 8);
	ack->bytes[flow.l4 + 13] = ACK;
}

/* --- all of it --- */

void explain_world_open(void)
{
	assert_int_equal(datapath_quic_use(plane(), NULL), 0);
	quic_aes_key(quic_key, &datapath_plane(plane()).quic_keys[1]);
	add_prefixes();
	add_lists();
	add_rules();
	add_quic(QUIC4, "192.0.2.12:443/udp");
	add_quic(QUIC6, "[2001:db8::12]:443/udp");
	for (uint32_t pool = 0; pool < VIP_COUNT; pool++)
		give_ids(pool);
}

/* Pools of which it has records: its own, and another, now or earlier. */
static uint64_t random_pools(uint32_t vip)
{
	const uint32_t other = (vip + 1) % VIP_COUNT;

	switch (random_below(4)) {
	case 0:
		return lb_pools(other, vip, vip);
	case 1:
		return lb_pools(vip, other, other);
	default:
		return lb_pools(vip, vip, vip);
	}
}

void explain_world(uint32_t vip)
{
	const struct plane maps = datapath_plane(plane());
	uint32_t i;

	random_world(vip);
	for (i = 1; i < VIP_COUNT; i++)
		maps.vip_pools[i] = random_pools(i);
	for (i = 0; i < MEMBER_COUNT; i++)
		if (random_one_in(4))
			maps.members[i].pool = (vip + 1) % VIP_COUNT;
}

static void new_frame(struct frame *frame, uint32_t vip)
{
	struct flow flow;

	random_world_frame(frame, vip);
	if (!frame_flow(frame, &flow) || flow.fragment)
		return;
	if (random_one_in(8))
		send_to_prefix(frame, &flow);
	else if (vip == QUIC4 || vip == QUIC6)
		put_quic_id(frame, &flow);
	else if (random_one_in(4))
		make_syn(frame, &flow);
}

void explain_world_frame(struct frame *frame, uint32_t vip)
{
	struct frame *known = &memory[random_below(MEMORY)];

	if (random_one_in(2) || !known->length)
		new_frame(known, vip);
	*frame = *known;
}
