// SPDX-License-Identifier: BSD-2-Clause
/* Which backends does a packet bring along, that may have its connection?
 *
 * Whole frames, put together here from what harness_wrap says of the same packet without a list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "../../lbd/plane/datapath.h"
#include "expect.h"
#include "harness.h"
#include "rows_outer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NONE LB_NONE

/* Four of one family, with the next hop of the interface that a packet comes from. */
enum who { A, B, C, D, NOBODY_ELSE, WHO_COUNT = NOBODY_ELSE };

static const enum member_index of4[] = {TO4, DECOY, SPREAD4, TO4_PREFIX};
static const enum member_index of6[] = {TO6, TO6_PREFIX, TO6_PREFIX7, BIG6};

#define CHAIN LB_MEMBER_CHAIN
#define SICK LB_MEMBER_SICK
#define GONE LB_MEMBER_GONE
#define TAKES (LB_MEMBER_NEW | LB_MEMBER_OLD)
#define ALL_CHAIN                                                                                  \
	{                                                                                          \
		CHAIN, CHAIN, CHAIN, CHAIN                                                         \
	}

#define SETTLED(a)                                                                                 \
	{                                                                                          \
		a, a                                                                               \
	}
#define TRACKED(a)                                                                                 \
	{                                                                                          \
		a, NONE                                                                            \
	}
#define MOVING(b, a)                                                                               \
	{                                                                                          \
		b, a                                                                               \
	}

struct list_row {
	const char *what;
	uint16_t word[2]; /* current and previous, by enum who */
	uint16_t past[2];
	uint32_t flags[WHO_COUNT];
	int count;         /* of hops; 0: as without */
	enum who to[4];    /* the first, then the hops */
	uint8_t tcp_flags; /* 0: ACK */
	uint16_t fragment;
	uint32_t mtu; /* 0: 1500 */
};

#define SYN 0x02
#define SYN_ACK 0x12
#define RST 0x04

/* A packet has 20 + 20 bytes and 12 of payload over IPv4; with a list of one hop 40 more outside. */
static const struct list_row list_rows[] = {
	{"settled", SETTLED(A), {B, C}, ALL_CHAIN, 0, .to = {A}},
	{"tracked, one owner before", TRACKED(B), {A, NONE}, ALL_CHAIN, 1, .to = {B, A}},
	{"tracked, two", TRACKED(C), {A, B}, ALL_CHAIN, 2, .to = {C, A, B}},
	{"tracked, none", TRACKED(C), {NONE, NONE}, ALL_CHAIN, 0, .to = {C}},
	{"moving, one", MOVING(B, A), {A, NONE}, ALL_CHAIN, 1, .to = {A, B}},
	{"moving, two", MOVING(C, A), {A, B}, ALL_CHAIN, 2, .to = {A, C, B}},
	{"moving, a SYN", MOVING(C, A), {A, B}, ALL_CHAIN, 0, .to = {C}, .tcp_flags = SYN},
	{"moving, a SYN and ACK",
	 MOVING(C, A),
	 {A, B},
	 ALL_CHAIN,
	 2,
	 .to = {A, C, B},
	 .tcp_flags = SYN_ACK},
	{"moving, a RST", MOVING(C, A), {A, B}, ALL_CHAIN, 2, .to = {A, C, B}, .tcp_flags = RST},
	{"the owner before the transition is sick",
	 MOVING(C, A),
	 {A, B},
	 {CHAIN | SICK, CHAIN, CHAIN},
	 2,
	 .to = {C, B, A}},
	{"the same, and one further back has no program",
	 MOVING(C, A),
	 {A, B},
	 {CHAIN | SICK, 0, CHAIN},
	 2,
	 .to = {C, A, B}},
	{"neither of these has one", MOVING(C, A), {A, B}, {SICK, 0, CHAIN}, 1, .to = {C, A}},
	{"so is the owner",
	 MOVING(C, A),
	 {A, B},
	 {CHAIN | SICK, CHAIN, CHAIN | SICK},
	 2,
	 .to = {A, B, C}},
	{"the owner is sick",
	 MOVING(C, A),
	 {A, B},
	 {CHAIN, CHAIN, CHAIN | SICK},
	 2,
	 .to = {A, B, C}},
	{"one before is sick",
	 TRACKED(C),
	 {A, B},
	 {CHAIN | SICK, CHAIN, CHAIN},
	 2,
	 .to = {C, B, A}},
	{"the first has no program", TRACKED(C), {A, B}, {CHAIN, CHAIN, 0}, 0, .to = {C}},
	{"the second has none: comes last",
	 TRACKED(C),
	 {A, B},
	 {0, CHAIN, CHAIN},
	 2,
	 .to = {C, B, A}},
	{"two have none: one is the last", TRACKED(C), {A, B}, {0, 0, CHAIN}, 1, .to = {C, A}},
	{"none behind one without a program",
	 TRACKED(C),
	 {A, B},
	 {0, CHAIN | SICK, CHAIN},
	 1,
	 .to = {C, A}},
	{"one is gone", TRACKED(C), {A, B}, {CHAIN | GONE, CHAIN, CHAIN}, 1, .to = {C, B}},
	{"all others are", TRACKED(C), {A, NONE}, {CHAIN | GONE, CHAIN, CHAIN}, 0, .to = {C}},
	{"nobody owns it", MOVING(NONE, A), {A, B}, ALL_CHAIN, 1, .to = {A, B}},
	{"a first fragment", TRACKED(B), {A, NONE}, ALL_CHAIN, 0, .to = {B}, .fragment = 0x2000},
};

static struct plane plane;

static uint32_t index_of(enum vip_index vip, uint32_t slot)
{
	const uint16_t mark = 0x7b7b;
	uint32_t i = 0;

	harness_slot_set(vip, slot, mark);
	while (plane.slots[i] != lb_slot_settled(mark))
		i++;
	return i;
}

static uint16_t number_of(const enum member_index *of, uint16_t who)
{
	return who == NONE ? NONE : of[who];
}

static uint32_t word_of(const enum member_index *of, const uint16_t who[2])
{
	return (uint32_t)number_of(of, who[1]) << 16 | number_of(of, who[0]);
}

static void given(const struct list_row *row, enum vip_index vip, const enum member_index *of,
		  uint32_t index)
{
	for (int i = 0; i < WHO_COUNT; i++) {
		struct lb_member *member = &plane.members[of[i]];

		member->pool = 7;
		member->flags = (member->flags & (LB_MEMBER_OUTER6 | LB_MEMBER_GUE)) |
				LB_MEMBER_VALID | TAKES | row->flags[i];
	}
	plane.vip_pools[vip] = lb_pools(7, 7, 7);
	memset(plane.flows, 0, plane.bucket_count * sizeof(*plane.flows));
	plane.slots[index] = word_of(of, row->word);
	plane.pasts[index] = word_of(of, row->past);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put_hop(uint8_t *at, uint16_t member, size_t bytes)
{
	memcpy(at, plane.members[member].daddr, bytes);
}

/* Of the frame without a list, which has IP in IP. */
static void add_list(struct frame *frame, bool six, const uint16_t *hops, int count, uint64_t hash)
{
	const size_t ip = six ? 40 : 20, hop = six ? 16 : 4, more = 16 + count * hop;
	uint8_t *outer = frame->bytes + ETH, *udp = outer + ip, *list = udp + 8;
	const size_t inner = frame->length - ETH - ip;

	memmove(udp + more, udp, inner);
	frame->length += more;
	put16(udp, 0xc000 | (hash >> 16 & 0x3fff));
	put16(udp + 2, 6080);
	put16(udp + 4, more + inner);
	put16(udp + 6, 0);
	list[0] = 1 + count * hop / 4;
	list[1] = outer[six ? 6 : 9]; /* 4 or 41 */
	put16(list + 2, 0);
	put16(list + 4, six);
	list[6] = 0;
	list[7] = count;
	for (int i = 0; i < count; i++)
		put_hop(list + 8 + i * hop, hops[i], hop);
	outer[six ? 6 : 9] = 17;
	put16(outer + (six ? 4 : 2), (six ? 0 : ip) + more + inner);
	if (six)
		return;
	put16(outer + 10, 0);
	put16(outer + 10, frame_checksum(outer, ip));
}

static uint64_t counted(enum lb_flow_count what)
{
	uint64_t counts[LB_FLOW_COUNT_COUNT];

	plane.flow_counts(plane.datapath, counts);
	return counts[what];
}

static void run(const struct list_row *row, const struct spec *spec, enum vip_index vip, bool six)
{
	const enum member_index *of = six ? of6 : of4;
	const uint64_t sent = counted(LB_FLOW_CHANCE_SENT);
	static struct frame in, expected, out;
	uint16_t hops[3];
	struct flow flow;
	uint64_t hash;
	uint32_t index;

	frame_build(spec, &in);
	frame_flow(&in, &flow);
	hash = flow_hash(&flow, harness_seed);
	index = index_of(vip, flow_slot(hash, harness_vip_size(vip)));
	given(row, vip, of, index);
	for (int i = 0; i < row->count; i++)
		hops[i] = of[row->to[i + 1]];
	harness_wrap(&in, of[row->to[0]], hash, &expected);
	if (row->count)
		add_list(&expected, six, hops, row->count, hash);
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	if (!frame_equal(&expected, &out))
		fail_msg("%s, IPv%d outside", row->what, six ? 6 : 4);
	assert_int_equal(counted(LB_FLOW_CHANCE_SENT) - sent, row->count > 0);
}

static void run_both(const struct list_row *row, struct spec spec, enum vip_index vip)
{
	run(row, &spec, vip, false);
	run(row, &spec, vip, true);
}

static void test_row(void **state)
{
	const struct list_row *row = *state;
	struct spec spec4 = {WEB4_TCP, .tcp_flags = row->tcp_flags, .fragment = row->fragment};
	struct spec spec6 = {WEB6_TCP, .tcp_flags = row->tcp_flags, .fragment = row->fragment};

	run_both(row, spec4, WEB4);
	if (!row->fragment)
		run_both(row, spec6, WEB6);
}

static const struct list_row moved = {"moved", MOVING(C, A), {A, B}, ALL_CHAIN, 2, .to = {A, C, B}};

/* The long way, too. */
static void packets_with_a_tag_have_a_list(void **state)
{
	struct spec spec = {WEB4_TCP, .tag = {{0x8100, 5}}};

	(void)state;
	run_both(&moved, spec, WEB4);
}

static void padding_does_not_go_along(void **state)
{
	struct spec spec = {WEB4_TCP, .payload = 100, .padding = 9};
	struct spec bare = {WEB4_TCP, .payload = 100};
	static struct frame in, expected, out;

	(void)state;
	run(&moved, &bare, WEB4, false);
	frame_build(&bare, &in);
	assert_int_equal(harness_run(&in, 0, &expected), XDP_TX);
	frame_build(&spec, &in);
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	assert_true(frame_equal(&expected, &out));
}

static void datagrams_have_no_list(void **state)
{
	const struct list_row row = {"a datagram", TRACKED(C), {A, B}, ALL_CHAIN, 0, .to = {C}};
	struct spec spec = {DNS4_UDP};

	(void)state;
	run(&row, &spec, DNS4, false);
}

static void an_icmp_error_about_tcp_has_a_list(void **state)
{
	const struct spec reply = {.family = 4,
				   .protocol = 6,
				   .source = "192.0.2.10",
				   .destination = "198.51.100.7",
				   .sport = 443,
				   .dport = 40000};
	struct spec spec = {.family = 4,
			    .protocol = 1,
			    .source = "203.0.113.1",
			    .destination = "192.0.2.10",
			    .icmp_type = 3,
			    .icmp_code = 4,
			    .quote = &reply,
			    .quote_length = 28};

	(void)state;
	run(&moved, &spec, WEB4, false);
}

static uint32_t mtu_of(uint16_t member, uint32_t mtu)
{
	struct lb_nexthop *nexthop = &plane.nexthops[plane.members[member].path[0]];
	const uint32_t before = nexthop->mtu;

	nexthop->mtu = mtu;
	return before;
}

/* 52 bytes of a packet, 20 + 8 + 8 outside, 4 for each hop. */
static void the_last_hops_go_where_there_is_no_room(void **state)
{
	static const struct {
		uint32_t mtu;
		int count;
	} steps[] = {{96, 2}, {95, 1}, {92, 1}, {91, 0}, {72, 0}};
	struct spec spec = {WEB4_TCP, .payload = 12};

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct list_row row = moved;
		const uint64_t refused = counted(LB_FLOW_CHANCE_NO_ROOM);
		const uint32_t before = mtu_of(TO4, steps[i].mtu);

		row.count = steps[i].count;
		run(&row, &spec, WEB4, false);
		assert_int_equal(counted(LB_FLOW_CHANCE_NO_ROOM) - refused, !steps[i].count);
		mtu_of(TO4, before);
	}
}

static int set_up(void **state)
{
	int error = harness_set_up(state);

	plane = error ? (struct plane){0} : datapath_plane(harness_datapath());
	return error;
}

#define OWN_TESTS 6
static struct CMUnitTest tests[COUNT(list_rows) + OWN_TESTS] = {
	cmocka_unit_test(packets_with_a_tag_have_a_list),
	cmocka_unit_test(padding_does_not_go_along),
	cmocka_unit_test(datagrams_have_no_list),
	cmocka_unit_test(an_icmp_error_about_tcp_has_a_list),
	cmocka_unit_test(the_last_hops_go_where_there_is_no_room),
};

int main(void)
{
	for (size_t i = 0; i < COUNT(list_rows); i++)
		tests[OWN_TESTS - 1 + i] =
			(struct CMUnitTest){.name = list_rows[i].what,
					    .test_func = test_row,
					    .initial_state = (void *)&list_rows[i]};
	return _cmocka_run_group_tests("lists", tests, OWN_TESTS - 1 + COUNT(list_rows), set_up,
				       harness_tear_down);
}
