// SPDX-License-Identifier: BSD-2-Clause
/* Does any frame at all lead the XDP program astray?
 *
 * 200,000 frames, from sound packets by random fields, changed bytes, cuts and additions. What must
 * become of each is worked out from the frame alone (frame.c): a sound packet for a VIP goes to the
 * member in its slot, wrapped and otherwise unchanged; what is not addressed to a VIP comes back
 * unchanged; nothing else is ever forwarded. The counters must agree with what was seen.
 * `random_test SEED` repeats a run.
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

static const char *const destinations[2][5] = {
	{"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.99", "224.0.0.1"},
	{"2001:db8::10", "2001:db8::11", "2001:db8::12", "2001:db8::99", "ff02::1"},
};

static const char *random_destination(bool six)
{
	return destinations[six][one_in(8) ? below(5) : below(3)];
}

static uint8_t random_protocol(void)
{
	static const uint8_t usual[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP,    IPPROTO_UDP,
					IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMPV6, IPPROTO_ICMP};

	return one_in(16) ? below(256) : usual[below(COUNT(usual))];
}

static uint16_t random_port(void)
{
	static const uint16_t usual[] = {443, 443, 53, 53, 80, 0};

	return one_in(4) ? below(65536) : usual[below(COUNT(usual))];
}

static uint16_t random_payload(void)
{
	if (one_in(64))
		return below(9100);
	return one_in(8) ? below(1500) : below(64);
}

static void random_packet(struct frame *frame)
{
	static const uint8_t extensions[] = {0, 43, 44, 51, 60, 135, 139, 140};
	const bool six = below(2);
	struct spec spec = {
		.family = six ? 6 : 4,
		.protocol = random_protocol(),
		.source = six ? "2001:db8:c::7" : "198.51.100.7",
		.destination = random_destination(six),
		.sport = below(65536),
		.dport = random_port(),
		.tos = below(256),
		.ttl = below(256),
		.label = below(1 << 20),
		.fragment = one_in(16) ? below(65536) : 0x4000,
		.options = one_in(4) ? 4 * below(11) : 0,
		.extension = one_in(16) ? EXTENSION(extensions[below(8)]) : 0,
		.tcp_options = one_in(2) ? 4 * below(11) : 0,
		.tcp_flags = below(256),
		.payload = random_payload(),
		.l4_length = one_in(32) ? 1 + below(8) : 0,
		.padding = one_in(4) ? below(64) : 0,
	};

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
	size_t i;

	random_packet(frame);
	if (one_in(32))
		frame->bytes[ETH + (frame->bytes[12] == 0x86 ? 7 : 8)] = 0; /* TTL, hop limit */
	for (i = 12; i < 16; i++) /* of the source address, in both families */
		frame->bytes[ETH + i] = below(256);
	if (one_in(3))
		damage(frame);
	if (one_in(12))
		frame->length = ETH + below(frame->length - ETH + 1);
	if (one_in(32)) {
		for (i = ETH; i < frame->length; i++)
			frame->bytes[i] = below(256);
	}
}

/* --- what must become of one --- */

enum { EITHER = -1 }; /* passed or dropped, but not forwarded */

struct expectation {
	int action; /* XDP_* or EITHER */
	uint16_t member;
	struct flow flow;
};

static void expect(const struct frame *frame, struct expectation *expected)
{
	struct flow destination;
	enum vip_index vip;
	bool sound = frame_flow(frame, &expected->flow);

	expected->action = XDP_PASS;
	if (!frame_destination(frame, &destination) || !harness_is_vip_address(&destination))
		return;
	expected->action = EITHER;
	if (!sound)
		return;
	expected->action = XDP_PASS;
	vip = harness_vip_of(&expected->flow);
	if (!vip)
		return;
	expected->member = harness_slot_get(
		vip, flow_slot(flow_hash(&expected->flow, harness_seed), harness_vip_size(vip)));
	expected->action = harness_member_action(expected->member, expected->flow.ip_length);
}

/* What was seen, to be compared with the counters. */
struct seen {
	uint64_t action[XDP_REDIRECT + 1];
	struct lb_counter member[MEMBER_COUNT];
};

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
	harness_wrap(in, expected.member, flow_hash(&expected.flow, harness_seed), &wrapped);
	return frame_equal(&wrapped, &out);
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
	assert_int_equal(sum, FRAMES);
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
	int i;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	fill_slots();
	harness_counts(&before);
	for (i = 0; i < FRAMES; i++) {
		random_frame(&in);
		if (frame_is_right(&in, &seen))
			continue;
		frame_dump("frame", &in, 0);
		fail_msg("frame %d of seed %llu", i, (unsigned long long)seed);
	}
	compare_counters(&before, &seen);
}

static int open_harness(void **state)
{
	(void)state;
	return harness_open();
}

static int close_harness(void **state)
{
	(void)state;
	harness_close();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		{"any frame is passed unchanged, dropped or wrapped for its member",
		 test_random_frames, NULL, NULL, NULL},
	};

	random_state = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	return cmocka_run_group_tests_name("random packets", tests, open_harness, close_harness);
}
