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
#include "random_frame.h"

#define FRAMES 200000
#define FORGET_FRAMES 10000 /* so often fragments are forgotten: before a record grows old */
#define FIRSTS_MAX 2048     /* fewer than the program keeps */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
			harness_slot_set(vip, slot, owners[random_below(COUNT(owners))]);
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
	const uint64_t seed = random_frame_state;
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

	random_frame_state = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	if (!random_frame_state)
		random_frame_state = time(NULL);
	if (argc > 2)
		frames = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests_name("random packets", tests, harness_set_up,
					   harness_tear_down);
}
