// SPDX-License-Identifier: BSD-2-Clause
/* Do the fragments of a datagram find each other, and only each other?
 *
 * Each test has a datagram of its own (an identification that no other test uses), sends fragments
 * of it and of others, and compares verdicts and whole frames. The member stands in the one slot of
 * the datagram's flow; every other slot holds the decoy. Also here: what a client keeps of its
 * backend where the VIP hashes less than the 5-tuple.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "harness.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MEMBER TO4

/* A VIP for both families. */
struct target {
	uint8_t family;
	enum vip_index vip;
	const char *source, *destination;
	uint16_t port;
};

static const struct target tracked[] = {
	{4, DNS4, "198.51.100.7", "192.0.2.10", 53},
	{6, DNS6, "2001:db8:c::7", "2001:db8::10", 53},
};
static const struct target by_tuple[] = {
	{4, TUPLE4, "198.51.100.7", "192.0.2.16", 53},
	{6, TUPLE6, "2001:db8:c::7", "2001:db8::16", 53},
	{4, ALL4, "198.51.100.7", "192.0.2.18", 7777},
	{6, ALL6, "2001:db8:c::7", "2001:db8::18", 7777},
};
static const struct target refusing[] = {
	{4, REFUSE4, "198.51.100.7", "192.0.2.17", 53},
	{6, REFUSE6, "2001:db8:c::7", "2001:db8::17", 53},
};

static uint32_t last_id = 0x100;

/* A datagram of three fragments of 64 bytes each. */
struct datagram {
	const struct target *target;
	uint16_t sport;
	uint8_t protocol;
	uint32_t id;
	struct tag tag;
};

static struct datagram datagram_to(const struct target *target)
{
	return (struct datagram){
		.target = target, .sport = 40000, .protocol = IPPROTO_UDP, .id = ++last_id};
}

/* `unit`: offset in units of 8 bytes; 0: the first, with the UDP header. */
static void build_fragment(const struct datagram *datagram, unsigned int unit, bool more,
			   struct frame *frame)
{
	const struct target *target = datagram->target;
	const bool six = target->family == 6;
	const struct spec spec = {
		.tag = {datagram->tag},
		.family = target->family,
		.protocol = datagram->protocol,
		.source = target->source,
		.destination = target->destination,
		.sport = datagram->sport,
		.dport = target->port,
		.id = datagram->id,
		.extension = six ? EXTENSION(44) : 0,
		.fragment = six ? unit << 3 | more : (more ? 0x2000 : 0) | unit,
		.payload = 56,
	};

	frame_build(&spec, frame);
}

/* Runs `frame`; exactly this verdict is counted. */
static void run(const struct frame *frame, enum lb_verdict verdict, struct frame *out)
{
	struct counts before, after;
	unsigned int i;
	int action;

	harness_counts(&before);
	action = harness_run(frame, 0, out);
	harness_counts(&after);
	for (i = 0; i < LB_VERDICT_COUNT; i++) {
		uint64_t rise = after.verdict[i] - before.verdict[i];

		if (rise && i != verdict)
			print_error("verdict %s, expected %s\n", harness_verdict_name(i),
				    harness_verdict_name(verdict));
		assert_int_equal(rise, i == verdict);
	}
	assert_int_equal(action, harness_verdict_action(verdict));
}

/* The flow that all the datagram's fragments have, as its first one tells. */
static void flow_of(const struct datagram *datagram, struct flow *flow)
{
	static struct frame first;

	build_fragment(datagram, 0, true, &first);
	assert_true(frame_flow(&first, flow));
}

static void goes_to_member(const struct datagram *datagram, unsigned int unit, bool more)
{
	const enum vip_index vip = datagram->target->vip;
	static struct frame in, out, wrapped;
	struct flow flow;
	uint32_t slot;

	flow_of(datagram, &flow);
	slot = harness_slot(vip, &flow);
	build_fragment(datagram, unit, more, &in);
	harness_slot_set(vip, slot, MEMBER);
	run(&in, LB_TX, &out);
	harness_slot_set(vip, slot, DECOY);
	harness_wrap(&in, MEMBER, harness_hash(vip, &flow), &wrapped);
	assert_true(frame_equal(&wrapped, &out));
}

static void becomes(const struct datagram *datagram, unsigned int unit, bool more,
		    enum lb_verdict verdict)
{
	static struct frame in, out;

	build_fragment(datagram, unit, more, &in);
	run(&in, verdict, &out);
	if (harness_verdict_action(verdict) == XDP_PASS)
		assert_true(frame_equal(&in, &out));
}

/* --- track --- */

static void later_fragments_follow_their_first(void **state)
{
	const struct datagram datagram = datagram_to(*state);

	goes_to_member(&datagram, 0, true);
	goes_to_member(&datagram, 8, true);
	goes_to_member(&datagram, 16, false);
	goes_to_member(&datagram, 8, true); /* once more: a copy is no other datagram */
}

static void a_later_fragment_before_its_first_is_dropped(void **state)
{
	const struct datagram datagram = datagram_to(*state);

	becomes(&datagram, 16, false, LB_DROP_FRAGMENT_UNKNOWN);
	goes_to_member(&datagram, 0, true);
	goes_to_member(&datagram, 16, false);
}

static void fragments_in_any_order_after_the_first_follow(void **state)
{
	const struct datagram datagram = datagram_to(*state);

	goes_to_member(&datagram, 0, true);
	goes_to_member(&datagram, 16, false);
	goes_to_member(&datagram, 8, true);
}

static void a_later_fragment_with_tags_follows_a_first_without(void **state)
{
	struct datagram datagram = datagram_to(*state);

	goes_to_member(&datagram, 0, true);
	datagram.tag = (struct tag){0x8100, 77};
	goes_to_member(&datagram, 8, false);
}

static void another_identification_is_another_datagram(void **state)
{
	const struct datagram datagram = datagram_to(*state);
	struct datagram other = datagram;

	other.id ^= 0x4000;
	goes_to_member(&datagram, 0, true);
	becomes(&other, 8, false, LB_DROP_FRAGMENT_UNKNOWN);
}

static void another_source_is_another_datagram(void **state)
{
	const struct target *target = *state;
	const struct datagram datagram = datagram_to(target);
	struct target elsewhere = *target;
	struct datagram other = datagram;

	elsewhere.source = target->family == 4 ? "198.51.100.8" : "2001:db8:d::7";
	other.target = &elsewhere;
	goes_to_member(&datagram, 0, true);
	becomes(&other, 8, false, LB_DROP_FRAGMENT_UNKNOWN);
}

static void another_vip_address_is_another_datagram(void **state)
{
	const struct target *target = *state;
	const struct datagram datagram = datagram_to(target);
	struct target elsewhere = *target;
	struct datagram other = datagram;

	elsewhere.destination = target->family == 4 ? "192.0.2.11" : "2001:db8::11";
	other.target = &elsewhere;
	goes_to_member(&datagram, 0, true);
	becomes(&other, 8, false, LB_DROP_FRAGMENT_UNKNOWN);
}

static void another_datagram_of_the_same_identification_takes_over(void **state)
{
	const struct datagram datagram = datagram_to(*state);
	struct datagram next = datagram;

	next.sport = 40001;
	goes_to_member(&datagram, 0, true);
	goes_to_member(&next, 0, true);
	goes_to_member(&next, 8, false);
}

/* RFC 8200 section 4.5: only the first fragment's next header counts. */
static void later_fragments_may_name_another_next_header(void **state)
{
	static const uint8_t others[] = {IPPROTO_TCP,     IPPROTO_ICMPV6,   IPPROTO_ESP,
					 IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, 253};
	const struct datagram datagram = datagram_to(*state);
	static struct frame in, out, wrapped;
	struct flow flow;
	size_t i;

	goes_to_member(&datagram, 0, true);
	flow_of(&datagram, &flow);
	harness_slot_set(datagram.target->vip, harness_slot(datagram.target->vip, &flow), MEMBER);
	for (i = 0; i < COUNT(others); i++) {
		build_fragment(&datagram, 1, true, &in); /* byte 8: no harm to UDP */
		in.bytes[ETH + 40] = others[i];
		run(&in, LB_TX, &out);
		harness_wrap(&in, MEMBER, harness_hash(datagram.target->vip, &flow), &wrapped);
		assert_true(frame_equal(&wrapped, &out));
	}
	harness_slots_decoy();
}

/* Whatever it says of itself: its receiver, too, goes by what the first one says. */
static void no_fragment_lies_over_what_its_first_was_judged_by(void **state)
{
	const struct target *target = *state;
	const bool six = target->family == 6;
	const struct target web = {target->family, six ? WEB6 : WEB4, target->source,
				   target->destination, 443};
	const struct target sctp = {target->family, six ? SCTP6 : SCTP4, target->source,
				    six ? "2001:db8::13" : "192.0.2.13", 5060};
	struct datagram datagram = datagram_to(&web);
	static struct frame in, out;

	datagram.protocol = IPPROTO_TCP;
	goes_to_member(&datagram, 0, true);
	becomes(&datagram, 1, true, LB_DROP_TRUNCATED);
	build_fragment(&datagram, 1, true, &in);
	if (six) {
		in.bytes[ETH + 40] = IPPROTO_UDP;
		run(&in, LB_DROP_TRUNCATED, &out);
	}
	datagram = datagram_to(&sctp);
	datagram.protocol = IPPROTO_SCTP;
	goes_to_member(&datagram, 0, true);
	becomes(&datagram, 1, true, LB_DROP_TRUNCATED);
	goes_to_member(&datagram, 2, true);
}

static void a_first_fragment_is_forgotten_after_30_s(void **state)
{
	const struct datagram datagram = datagram_to(*state);

	goes_to_member(&datagram, 0, true);
	harness_age_fragments(6);
	goes_to_member(&datagram, 8, false);
	harness_age_fragments(2);
	becomes(&datagram, 8, false, LB_DROP_FRAGMENT_UNKNOWN);
	goes_to_member(&datagram, 0, true);
	goes_to_member(&datagram, 8, false);
}

static void fragments_to_a_port_without_vip_all_reach_the_stack(void **state)
{
	struct target target = *(const struct target *)*state;
	struct datagram datagram;

	target.port = 5555;
	datagram = datagram_to(&target);
	becomes(&datagram, 8, true, LB_DROP_FRAGMENT_UNKNOWN); /* it may be the VIP's */
	becomes(&datagram, 0, true, LB_PASS_NOT_VIP);
	becomes(&datagram, 8, true, LB_PASS_NOT_VIP);
	becomes(&datagram, 16, false, LB_PASS_NOT_VIP);
}

static void the_oldest_first_fragment_makes_room(void **state)
{
	const struct datagram oldest = datagram_to(*state);
	static struct frame in, out;
	struct datagram other;
	int i;

	goes_to_member(&oldest, 0, true);
	for (i = 0; i < 4 * LB_FRAGMENTS_MAX; i++) {
		other = datagram_to(*state);
		build_fragment(&other, 0, true, &in);
		assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	}
	becomes(&oldest, 8, false, LB_DROP_FRAGMENT_UNKNOWN);
	goes_to_member(&other, 8, false);
}

static void fragments_of_other_addresses_leave_no_record(void **state)
{
	struct target target = *(const struct target *)*state;
	struct datagram stranger, own;

	target.destination = target.family == 4 ? "192.0.2.99" : "2001:db8::99";
	stranger = datagram_to(&target);
	becomes(&stranger, 0, true, LB_PASS_NOT_VIP);
	becomes(&stranger, 8, false, LB_PASS_NOT_VIP);
	own = stranger;
	own.target = *state;
	becomes(&own, 8, false, LB_DROP_FRAGMENT_UNKNOWN);
}

/* --- 3-tuple, drop --- */

static void by_3_tuple_all_fragments_of_a_client_have_one_backend(void **state)
{
	struct datagram datagram = datagram_to(*state);
	struct flow first, again;

	goes_to_member(&datagram, 8, true); /* out of order */
	goes_to_member(&datagram, 0, true);
	goes_to_member(&datagram, 16, false);
	flow_of(&datagram, &first);
	datagram = datagram_to(*state);
	datagram.sport++;
	goes_to_member(&datagram, 16, false);
	flow_of(&datagram, &again);
	assert_true(harness_hash(datagram.target->vip, &first) ==
		    harness_hash(datagram.target->vip, &again));
}

static void a_vip_that_takes_no_fragments_records_none(void **state)
{
	const struct datagram datagram = datagram_to(*state);

	becomes(&datagram, 0, true, LB_DROP_FRAGMENT);
	becomes(&datagram, 8, false, LB_DROP_FRAGMENT_UNKNOWN);
}

/* --- hash policies --- */

static uint32_t slot_of(uint8_t family, enum vip_index vip, const char *to, uint16_t sport,
			uint16_t dport)
{
	const struct spec spec = {
		.family = family,
		.protocol = IPPROTO_TCP,
		.source = family == 4 ? "198.51.100.7" : "2001:db8:c::7",
		.destination = to,
		.sport = sport,
		.dport = dport,
	};
	static struct frame in, out, wrapped;
	struct flow flow;
	uint32_t slot;

	frame_build(&spec, &in);
	assert_true(frame_flow(&in, &flow));
	slot = harness_slot(vip, &flow);
	harness_slot_set(vip, slot, MEMBER);
	run(&in, LB_TX, &out);
	harness_slot_set(vip, slot, DECOY);
	harness_wrap(&in, MEMBER, harness_hash(vip, &flow), &wrapped);
	assert_true(frame_equal(&wrapped, &out));
	return slot;
}

static void by_source_a_client_keeps_one_backend(void **state)
{
	const bool six = *(const uint8_t *)*state == 6;
	const enum vip_index vip = six ? SOURCE6 : SOURCE4;
	const char *to = six ? "2001:db8::14" : "192.0.2.14";
	const uint32_t slot = slot_of(six ? 6 : 4, vip, to, 40000, 443);
	int i;

	for (i = 0; i < 500; i++)
		assert_int_equal(slot_of(six ? 6 : 4, vip, to, 1024 + 77 * i, 1 + 99 * i), slot);
}

static void by_source_and_port_a_client_keeps_one_backend_a_port(void **state)
{
	const bool six = *(const uint8_t *)*state == 6;
	const enum vip_index vip = six ? PORT6 : PORT4;
	const char *to = six ? "2001:db8::15" : "192.0.2.15";
	const uint32_t slot = slot_of(six ? 6 : 4, vip, to, 40000, 443);
	int i, others = 0;

	for (i = 0; i < 100; i++) {
		assert_int_equal(slot_of(six ? 6 : 4, vip, to, 1024 + 77 * i, 443), slot);
		others += slot_of(six ? 6 : 4, vip, to, 40000, 1000 + i) != slot;
	}
	assert_true(others > 90); /* 311 slots */
}

/* --- all of them --- */

static int forget_fragments(void **state)
{
	(void)state;
	harness_age_fragments(0);
	return 0;
}

static struct CMUnitTest tests[64];
static size_t test_count;

static void add(const char *name, CMUnitTestFunction function, const struct target *targets,
		size_t count)
{
	static char names[COUNT(tests)][128];
	size_t i;

	for (i = 0; i < count; i++) {
		snprintf(names[test_count], sizeof(names[0]), "%s, %s", name,
			 targets[i].family == 4 ? "IPv4" : "IPv6");
		tests[test_count] = (struct CMUnitTest){.name = names[test_count],
							.test_func = function,
							.setup_func = forget_fragments,
							.initial_state = (void *)&targets[i]};
		test_count++;
	}
}

#define TRACKED(name) add(#name, name, tracked, COUNT(tracked))

int main(void)
{
	TRACKED(later_fragments_follow_their_first);
	TRACKED(a_later_fragment_before_its_first_is_dropped);
	TRACKED(fragments_in_any_order_after_the_first_follow);
	TRACKED(a_later_fragment_with_tags_follows_a_first_without);
	TRACKED(another_identification_is_another_datagram);
	TRACKED(another_source_is_another_datagram);
	TRACKED(another_vip_address_is_another_datagram);
	TRACKED(another_datagram_of_the_same_identification_takes_over);
	add("later_fragments_may_name_another_next_header",
	    later_fragments_may_name_another_next_header, &tracked[1], 1);
	TRACKED(no_fragment_lies_over_what_its_first_was_judged_by);
	TRACKED(a_first_fragment_is_forgotten_after_30_s);
	TRACKED(fragments_to_a_port_without_vip_all_reach_the_stack);
	TRACKED(the_oldest_first_fragment_makes_room);
	TRACKED(fragments_of_other_addresses_leave_no_record);
	add("by_3_tuple_all_fragments_of_a_client_have_one_backend",
	    by_3_tuple_all_fragments_of_a_client_have_one_backend, by_tuple, COUNT(by_tuple));
	add("a_vip_that_takes_no_fragments_records_none",
	    a_vip_that_takes_no_fragments_records_none, refusing, COUNT(refusing));
	TRACKED(by_source_a_client_keeps_one_backend);
	TRACKED(by_source_and_port_a_client_keeps_one_backend_a_port);
	return _cmocka_run_group_tests("fragments", tests, test_count, harness_set_up,
				       harness_tear_down);
}
