// SPDX-License-Identifier: BSD-2-Clause
/* Does any frame at all lead the XDP program astray?
 *
 * 200,000 frames, from sound packets of every kind (tags, extension headers, fragments, ICMP
 * errors, three transports) by random fields, changed bytes, cuts and additions. What must become
 * of each is worked out from the frame alone (frame.c) and, for fragments, from those before it: a
 * sound packet for a VIP goes to the member in its slot, wrapped and otherwise unchanged; what is
 * not addressed to a VIP comes back unchanged; nothing else is ever forwarded, and what leaves is
 * well formed. The counters must agree with what was seen. `random_test SEED` repeats a run;
 * `random_test SEED FRAMES` makes it longer, and with 0 the seed is the time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "harness.h"

#define FRAMES 200000
#define FORGET_FRAMES 10000 /* so often fragments are forgotten: before a record grows old */
#define FIRSTS_MAX 2048     /* fewer than the program keeps */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- random numbers: SplitMix64 (Steele, Lea, Flood 2014) --- */

static uint64_t random_state;

static uint64_t random_word(void)
{
	uint64_t word = random_state += 0x9e3779b97f4a7c15;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
	word = (word ^ word >> 27) * 0x94d049bb133111eb;
	return word ^ word >> 31;
}

static uint32_t below(uint32_t limit)
{
	return (random_word() >> 32) * limit >> 32;
}

static bool one_in(uint32_t times)
{
	return !below(times);
}

/* --- random frames --- */

static const char *const destinations[2][12] = {
	{"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "192.0.2.15",
	 "192.0.2.16", "192.0.2.17", "192.0.2.18", "192.0.2.19", "192.0.2.99", "224.0.0.1"},
	{"2001:db8::10", "2001:db8::11", "2001:db8::12", "2001:db8::13", "2001:db8::14",
	 "2001:db8::15", "2001:db8::16", "2001:db8::17", "2001:db8::18", "2001:db8::19",
	 "2001:db8::99", "ff02::1"},
};

static const char *random_destination(bool six)
{
	return destinations[six][below(one_in(8) ? 12 : 10)];
}

static uint8_t random_protocol(void)
{
	static const uint8_t usual[] = {IPPROTO_TCP,  IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP,
					IPPROTO_UDP,  IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMPV6,
					IPPROTO_ICMP, IPPROTO_SCTP};

	return one_in(16) ? below(256) : usual[below(COUNT(usual))];
}

static uint16_t random_port(void)
{
	static const uint16_t usual[] = {443, 443, 53, 53, 80, 5060, 0};

	return one_in(4) ? below(65536) : usual[below(COUNT(usual))];
}

/* Where there is a VIP, so that most packets are for one. */
static const struct {
	uint8_t destination; /* index */
	uint8_t protocol;
	uint16_t port;
} places[] = {
	{0, IPPROTO_TCP, 443}, {0, IPPROTO_UDP, 53}, {0, IPPROTO_TCP, 53},  {1, IPPROTO_TCP, 9},
	{1, IPPROTO_UDP, 99},  {1, IPPROTO_TCP, 80}, {2, IPPROTO_UDP, 443}, {3, IPPROTO_SCTP, 5060},
	{4, IPPROTO_TCP, 443}, {5, IPPROTO_TCP, 80}, {6, IPPROTO_UDP, 53},  {7, IPPROTO_UDP, 53},
	{8, IPPROTO_UDP, 53},  {9, IPPROTO_UDP, 53},
};

static void random_place(struct spec *spec)
{
	const uint32_t i = below(COUNT(places));

	spec->destination = destinations[spec->family == 6][places[i].destination];
	spec->protocol = places[i].protocol;
	spec->dport = places[i].port;
}

static uint16_t random_payload(void)
{
	if (one_in(64))
		return below(9100);
	return one_in(8) ? below(1500) : below(64);
}

static uint16_t random_extension(void)
{
	static const uint8_t numbers[] = {0, 43, 44, 51, 60, 135, 139, 140};

	return EXTENSION(numbers[below(COUNT(numbers))]);
}

static void random_chain(struct spec *spec)
{
	int i, count = one_in(4) ? below(CHAIN_MAX + 1) : 0;

	spec->extension = random_extension();
	for (i = 0; i < count; i++)
		spec->chain[i] = random_extension();
	spec->extension_length = one_in(2) ? 0 : below(4);
	spec->segments_left = one_in(4);
}

static void random_tags(struct spec *spec)
{
	uint32_t i, count = 1 + below(3);

	for (i = 0; i < count; i++) {
		spec->tag[i].type = one_in(2) ? 0x8100 : 0x88a8;
		spec->tag[i].control = below(65536);
	}
}

/* Few identifications, so that fragments meet. */
static void random_fragment(struct spec *spec)
{
	static const uint16_t bits4[] = {0x2000, 0x2000, 0x2009, 0x0012, 0x0001, 0x2001};
	static const uint16_t bits6[] = {0x0001, 0x0001, 0x0049, 0x0090, 0x0008, 0x0006};
	const uint32_t which = below(COUNT(bits4));

	spec->id = 1 + below(64);
	spec->fragment = spec->family == 4 ? bits4[which] : bits6[which];
	if (spec->family == 6 && !one_in(8)) {
		spec->extension = EXTENSION(IPPROTO_FRAGMENT);
		spec->chain[0] = 0;
	}
	if (one_in(8))
		spec->protocol = random_protocol();
}

/* A source route of the option's `length`, which may be used up or not quite right. */
static void random_route(struct spec *spec)
{
	spec->options = 12;
	spec->poke[0] = (struct poke){ETH + 20, one_in(2) ? 131 : 137};
	spec->poke[1] = (struct poke){ETH + 21, one_in(4) ? below(256) : 7};
	spec->poke[2] = (struct poke){ETH + 22, 4 * (1 + below(3))};
}

static const char *random_client(bool six)
{
	return six ? "2001:db8:c::7" : "198.51.100.7";
}

/* What a backend may have sent, so that the error is about a VIP's flow; or nearly so. */
static void random_error(struct spec *error, struct spec *quote)
{
	static const uint8_t types4[] = {3, 3, 11, 12, 4, 5, 8};
	static const uint8_t types6[] = {1, 2, 3, 4, 5, 128, 129};
	const bool six = error->family == 6;

	*quote = (struct spec){
		.family = error->family,
		.protocol = random_protocol(),
		.source = one_in(16) ? random_destination(six) : error->destination,
		.destination = random_client(six),
		.sport = random_port(),
		.dport = below(65536),
		.payload = below(200),
		.options = one_in(4) ? 4 * below(11) : 0,
		.fragment = one_in(8) ? below(65536) : 0,
	};
	if (!one_in(4)) {
		random_place(quote);
		error->destination = quote->source = quote->destination;
		quote->destination = random_client(six);
		quote->sport = quote->dport;
		quote->dport = below(65536);
	}
	if (six && one_in(4))
		random_chain(quote);
	error->protocol = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	error->icmp_type = six ? types6[below(COUNT(types6))] : types4[below(COUNT(types4))];
	error->quote = quote;
	error->quote_length = one_in(2) ? 0 : 1 + below(80);
	error->payload = 0;
}

static void random_packet(struct frame *frame)
{
	const bool six = below(2);
	struct spec quote, spec = {
				   .family = six ? 6 : 4,
				   .protocol = random_protocol(),
				   .source = random_client(six),
				   .destination = random_destination(six),
				   .sport = below(65536),
				   .dport = random_port(),
				   .tos = below(256),
				   .ttl = below(256),
				   .label = below(1 << 20),
				   .fragment = one_in(16) ? below(65536) : 0x4000,
				   .options = one_in(4) ? 4 * below(11) : 0,
				   .tcp_options = one_in(2) ? 4 * below(11) : 0,
				   .tcp_flags = below(256),
				   .chunk = below(16),
				   .payload = random_payload(),
				   .l4_length = one_in(32) ? 1 + below(8) : 0,
				   .padding = one_in(4) ? below(one_in(4) ? 500 : 64) : 0,
			   };

	if (!one_in(4))
		random_place(&spec);
	if (one_in(8))
		random_chain(&spec);
	if (one_in(6))
		random_tags(&spec);
	if (!six && one_in(16))
		random_route(&spec);
	if (one_in(6))
		random_fragment(&spec);
	else if (one_in(6))
		random_error(&spec, &quote);
	frame_build(&spec, frame);
}

/* Changes a few bytes; mostly of the headers, where they matter. */
static void damage(struct frame *frame)
{
	static const uint8_t telling[] = {0, 1, 4, 6, 17, 0x40, 0x44, 0x45, 0x46, 0x4f, 0x60, 0xff};
	uint32_t times = 1 + below(4);

	while (times--) {
		uint32_t at = 12 + below(one_in(4) ? frame->length - 12 : 44);

		if (at < frame->length)
			frame->bytes[at] = one_in(2) ? telling[below(COUNT(telling))] : below(256);
	}
}

static void random_frame(struct frame *frame)
{
	size_t i, l3;

	random_packet(frame);
	l3 = frame_l3(frame, NULL);
	if (one_in(32))
		frame->bytes[l3 + (frame->bytes[l3] >> 4 == 6 ? 7 : 8)] = 0; /* TTL, hop limit */
	if (one_in(64))
		frame->bytes[0] |= 1; /* to a group of stations */
	if (one_in(2))
		for (i = 12; i < 16; i++) /* of the source address, in both families */
			frame->bytes[l3 + i] = below(256);
	if (one_in(3))
		damage(frame);
	if (one_in(12))
		frame->length = ETH + below(frame->length - ETH + 1);
	if (one_in(32)) {
		for (i = ETH; i < frame->length; i++)
			frame->bytes[i] = below(256);
	}
}

/* --- the first fragments that the program must have on record --- */

static struct flow firsts[FIRSTS_MAX];
static int first_count;

static void forget_firsts(void)
{
	first_count = 0;
	harness_age_fragments(0);
}

static struct flow *first_of(const struct flow *flow)
{
	int i;

	for (i = first_count - 1; i >= 0; i--)
		if (firsts[i].family == flow->family && firsts[i].id == flow->id &&
		    (flow->family == 6 || firsts[i].protocol == flow->protocol) &&
		    !memcmp(firsts[i].source, flow->source, sizeof(flow->source)) &&
		    !memcmp(firsts[i].destination, flow->destination, sizeof(flow->destination)))
			return &firsts[i];
	return NULL;
}

/* --- what must become of one --- */

enum { EITHER = -1 }; /* passed or dropped, but not forwarded */

struct expectation {
	int action; /* XDP_* or EITHER */
	uint16_t member;
	enum vip_index vip;
	struct flow flow;
};

static bool is_vip_protocol(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* For this VIP, which is known. */
static void expect_member(struct expectation *expected)
{
	const enum vip_index vip = expected->vip;

	expected->member = harness_slot_get(vip, harness_slot(vip, &expected->flow));
	expected->action = harness_member_action(expected->member, expected->flow.ip_length);
}

/* The ports are known. */
static void expect_flow(struct expectation *expected)
{
	const struct flow *flow = &expected->flow;
	uint32_t flags;

	expected->action = XDP_PASS;
	expected->vip = harness_vip_of(flow);
	flags = expected->vip ? harness_vip_flags(expected->vip) : 0;
	if (flow->fragment == FIRST_FRAGMENT &&
	    !(flags & (LB_VIP_FRAGMENTS_3TUPLE | LB_VIP_FRAGMENTS_DROP)))
		firsts[first_count++] = *flow;
	if (!expected->vip)
		return;
	expected->action = XDP_DROP;
	if (!flow->fragment || !(flags & LB_VIP_FRAGMENTS_DROP))
		expect_member(expected);
}

static void expect_later(struct expectation *expected)
{
	const struct flow *first = first_of(&expected->flow);

	if (first)
		expected->flow.protocol = first->protocol;
	expected->action = EITHER;
	if (expected->flow.family == 6 && frame_is_extension(expected->flow.protocol))
		return;
	if (expected->flow.offset == 1 &&
	    (expected->flow.protocol == IPPROTO_TCP || expected->flow.protocol == IPPROTO_SCTP))
		return; /* it would lie over what its first was judged by */
	expected->action = XDP_PASS;
	if (!is_vip_protocol(expected->flow.protocol))
		return;
	if (first) {
		expected->flow.sport = first->sport;
		expected->flow.dport = first->dport;
		expect_flow(expected);
		return;
	}
	expected->action = XDP_DROP;
	expected->vip = harness_vip_of_fragments(&expected->flow);
	if (expected->vip)
		expect_member(expected);
}

static void expect(const struct frame *frame, struct expectation *expected)
{
	struct flow destination;
	bool sound = frame_flow(frame, &expected->flow);

	expected->action = XDP_PASS;
	expected->vip = NO_VIP;
	if (!frame_destination(frame, &destination) || !harness_is_vip_address(&destination))
		return;
	if (sound) {
		expect_flow(expected);
	} else if (expected->flow.fragment == LATER_FRAGMENT) {
		expect_later(expected);
	} else if (!expected->flow.elsewhere) {
		expected->action = EITHER;
	}
}

/* --- what leaves --- */

static unsigned int field16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* Bytes of a sound outer header, so that the packet in it begins there; else 0. */
static size_t outer_header(const struct frame *out, uint8_t *inner)
{
	const uint8_t *ip = out->bytes + ETH;
	const size_t room = out->length - ETH;

	if (field16(out->bytes + 12) == 0x0800 && room > 20) {
		*inner = ip[9];
		return ip[0] == 0x45 && field16(ip + 2) <= room && field16(ip + 6) == 0x4000 &&
				       ip[8] && !frame_checksum(ip, 20)
			       ? 20
			       : 0;
	}
	if (field16(out->bytes + 12) == 0x86dd && room > 40) {
		*inner = ip[6];
		return ip[0] >> 4 == 6 && field16(ip + 4) + 40u <= room && ip[7] ? 40 : 0;
	}
	return 0;
}

/* An IP packet in an IP packet, each as long as the other says. */
static bool is_well_formed(const struct frame *out)
{
	uint8_t protocol = 0;
	const size_t header = out->length < ETH ? 0 : outer_header(out, &protocol);
	const uint8_t *outer = out->bytes + ETH, *inner = outer + header;
	const size_t payload = header == 20 ? field16(outer + 2) - 20u : field16(outer + 4);

	if (header && protocol == IPPROTO_IPIP)
		return inner[0] >> 4 == 4 && field16(inner + 2) == payload && inner[8];
	if (header && protocol == IPPROTO_IPV6)
		return inner[0] >> 4 == 6 && field16(inner + 4) + 40u == payload && inner[7];
	return false;
}

/* What was seen, to be compared with the counters. */
struct seen {
	uint64_t action[XDP_REDIRECT + 1];
	struct lb_counter member[MEMBER_COUNT];
};

/* BPF_PROG_TEST_RUN puts what does not fit into the first buffer, a page less some 576 bytes, into
 * others. Where a packet ends just with the first one it is plain, and what follows goes along. */
#define FIRST_BUFFER_LEAST 3000

static bool has_its_tail(const struct frame *in, const struct flow *flow, const struct frame *out,
			 const struct frame *wrapped)
{
	const size_t end = flow->l3 + flow->ip_length;

	return end > FIRST_BUFFER_LEAST && in->length > end &&
	       out->length == wrapped->length + in->length - end &&
	       !memcmp(out->bytes, wrapped->bytes, wrapped->length) &&
	       !memcmp(out->bytes + wrapped->length, in->bytes + end, in->length - end);
}

static bool frame_is_right(const struct frame *in, struct seen *seen)
{
	static struct frame out, wrapped;
	struct expectation expected;
	int action = harness_run(in, 0, &out);

	expect(in, &expected);
	if (action < 0 || action > XDP_REDIRECT) {
		fprintf(stderr, "the run gives %d\n", action);
		return false;
	}
	seen->action[action]++;
	if (action != expected.action &&
	    !(expected.action == EITHER && (action == XDP_PASS || action == XDP_DROP))) {
		fprintf(stderr, "action %d, expected %d\n", action, expected.action);
		return false;
	}
	if (action == XDP_PASS)
		return frame_equal(in, &out);
	if (action == XDP_DROP)
		return true;
	seen->member[expected.member].packets++;
	seen->member[expected.member].bytes += expected.flow.ip_length;
	if (!is_well_formed(&out)) {
		frame_dump("not well formed", &out, 0);
		return false;
	}
	harness_wrap(in, expected.member, harness_hash(expected.vip, &expected.flow), &wrapped);
	return has_its_tail(in, &expected.flow, &out, &wrapped) || frame_equal(&wrapped, &out);
}

/* --- the tests --- */

static void fill_slots(void)
{
	static const uint16_t owners[] = {TO4,   TO4_PREFIX, TO6,   TO6_PREFIX, TO6_PREFIX7,
					  AWAY4, AWAY6,      BIG4,  BIG6,       LOST4,
					  TO4,   TO6,        DECOY, NO_ROUTE4,  NOBODY};
	uint32_t slot;
	int vip;

	for (vip = 1; vip < VIP_COUNT; vip++) {
		for (slot = 0; slot < harness_vip_size(vip); slot++)
			harness_slot_set(vip, slot, owners[below(COUNT(owners))]);
	}
}

static uint64_t frames = FRAMES;

static void compare_counters(const struct counts *before, const struct seen *seen)
{
	uint64_t by_action[XDP_REDIRECT + 1] = {0}, sum = 0;
	struct counts after;
	int i;

	harness_counts(&after);
	for (i = 0; i < LB_VERDICT_COUNT; i++) {
		uint64_t count = after.verdict[i] - before->verdict[i];

		by_action[harness_verdict_action(i)] += count;
		sum += count;
		print_message("%10llu %s\n", (unsigned long long)count, harness_verdict_name(i));
	}
	assert_int_equal(sum, frames);
	for (i = 0; i <= XDP_REDIRECT; i++)
		assert_int_equal(by_action[i], seen->action[i]);
	for (i = 0; i < MEMBER_COUNT; i++) {
		assert_int_equal(after.member[i].packets - before->member[i].packets,
				 seen->member[i].packets);
		assert_int_equal(after.member[i].bytes - before->member[i].bytes,
				 seen->member[i].bytes);
	}
}

static void test_random_frames(void **state)
{
	const uint64_t seed = random_state;
	static struct seen seen;
	static struct frame in;
	struct counts before;
	uint64_t i;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	fill_slots();
	harness_counts(&before);
	for (i = 0; i < frames; i++) {
		if (i % FORGET_FRAMES == 0 || first_count == FIRSTS_MAX)
			forget_firsts();
		random_frame(&in);
		if (frame_is_right(&in, &seen))
			continue;
		frame_dump("frame", &in, 0);
		fail_msg("frame %llu of seed %llu", (unsigned long long)i,
			 (unsigned long long)seed);
	}
	compare_counters(&before, &seen);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		{"any frame is passed unchanged, dropped or wrapped for its member",
		 test_random_frames, NULL, NULL, NULL},
	};

	random_state = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	if (!random_state)
		random_state = time(NULL);
	if (argc > 2)
		frames = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests_name("random packets", tests, harness_set_up,
					   harness_tear_down);
}
