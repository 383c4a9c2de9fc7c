// SPDX-License-Identifier: BSD-2-Clause
/* Does the program that traces do with packets what the balancer does, and tell of each what became
 * of it?
 *
 * The oracle is explain, which runs the balancer's program: what it says of a random frame must become
 * of that while somebody traces. `trace_test SEED FRAMES` makes it longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "../../lbd/plane/explain.h"
#include "../../lbd/plane/trace.h"
#include "harness.h"
#include "random_frame.h"
#include "random_world.h"

#define FRAMES 1000
#define FILTER_FRAMES 250
#define WORLD_FRAMES 200
#define SNAP 1500
#define MANY 1000000

static uint64_t frames = FRAMES;

static const struct lb_trace_filter everything = {
	.every = 1, .snap = SNAP, .vip = LB_TRACE_NONE, .pool = LB_TRACE_NONE};

static void start(const struct lb_trace_filter *filter)
{
	struct lb_err err = {0};

	if (datapath_trace_start(harness_datapath(), filter, &err))
		fail_msg("%s; %s", err.message, err.hint);
	datapath_trace_allow(harness_datapath(), MANY);
}

static int stop(void **state)
{
	(void)state;
	datapath_trace_stop(harness_datapath());
	return 0;
}

static struct lb_traced last;
static uint32_t told;

static bool remember(void *user, const struct lb_traced *packet)
{
	(void)user;
	memcpy(&last, packet, offsetof(struct lb_traced, bytes) + packet->kept + packet->out_kept);
	told++;
	return true;
}

/* How many packets were told of since; the last one is in `last`. */
static uint32_t read_told(void)
{
	told = 0;
	datapath_trace_read(harness_datapath(), remember, NULL);
	return told;
}

/* --- what is told --- */

static uint32_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static uint64_t listed; /* packets that brought a list along */

static void assert_told(const struct frame *in, const struct frame *out, int action,
			const struct explained *said)
{
	const bool leaves = action == XDP_TX || action == XDP_REDIRECT;
	const struct lb_explained *way = &said->way;

	assert_string_equal(harness_verdict_name(last.verdict),
			    harness_verdict_name(said->verdict));
	assert_int_equal(last.length, in->length);
	assert_int_equal(last.kept, least(in->length, SNAP));
	assert_memory_equal(last.bytes, in->bytes, last.kept);
	assert_int_equal(last.out_length, leaves ? out->length : 0);
	assert_int_equal(last.out_kept, least(last.out_length, SNAP));
	assert_memory_equal(last.bytes + last.kept, out->bytes, last.out_kept);
	assert_memory_equal(&last.packet, &way->packet, sizeof(last.packet));
	assert_int_equal(last.vip, way->stage >= LB_EXPLAINED_VIP ? way->vip : LB_TRACE_NONE);
	assert_int_equal(last.member,
			 way->stage >= LB_EXPLAINED_MEMBER ? way->member : LB_TRACE_NONE);
	assert_int_equal(last.hops, way->hops);
	listed += way->hops != 0;
	if (said->verdict == LB_TX || said->verdict == LB_REDIRECT)
		assert_int_equal(last.egress, said->nexthop.ifindex);
}

static void explain(const struct frame *frame, struct explained *out)
{
	struct lb_err err = {0};

	if (datapath_explain(harness_datapath(), frame->bytes, frame->length, 0, out, &err))
		fail_msg("%s; %s", err.message, err.hint);
}

static void test_tells_what_becomes_of_it(void **state)
{
	static struct explained said;
	static struct frame in, out;
	struct counts before, after;
	uint64_t kinds[LB_VERDICT_COUNT] = {0};
	unsigned int i, many = 0;
	int action;

	(void)state;
	start(&everything);
	for (uint64_t n = 0; n < frames; n++) {
		const uint32_t vip = 1 + n / WORLD_FRAMES % (VIP_COUNT - 1);

		if (n % WORLD_FRAMES == 0)
			random_world(vip);
		random_world_frame(&in, vip);
		explain(&in, &said);
		harness_counts(&before);
		action = harness_run(&in, 0, &out);
		harness_counts(&after);
		assert_int_equal(read_told(), 1);
		assert_int_equal(action, harness_verdict_action(said.verdict));
		assert_int_equal(before.verdict[last.verdict] + 1, after.verdict[last.verdict]);
		assert_int_equal(out.length, said.length);
		assert_memory_equal(out.bytes, said.frame, out.length);
		assert_told(&in, &out, action, &said);
		kinds[last.verdict]++;
	}
	for (i = 0; i < LB_VERDICT_COUNT; i++)
		many += kinds[i] != 0;
	assert_true(many > 10);
	assert_true(listed > frames / 100);
}

/* --- whom it tells --- */

static const struct row {
	const char *what;
	struct lb_trace_filter filter; /* every, snap, and what is 0 of vip and pool: any */
} rows[] = {
	{"one verdict", {.verdicts = 1ull << LB_TX}},
	{"two verdicts", {.verdicts = 1ull << LB_PASS_NOT_VIP | 1ull << LB_DROP_UNRESOLVED}},
	{"a VIP", {.vip = WEB4}},
	{"its pool", {.pool = WEB4}},
	{"a family", {.family = 6}},
	{"a protocol", {.protocol = 17}},
	{"a port, of the source or the destination", {.port = 443}},
	{"a destination", {.family = 4, .destination_mask = {0xffffffff}}},
	{"a network of sources", {.family = 4, .source_mask = {0xff}}},
	{"an IPv6 destination", {.family = 6, .destination_mask = {~0ull, ~0ull}}},
	{"a backend", {.has_backend = 1}},
	{"an interface", {.ifindex = 1}},
	{"another interface", {.ifindex = 77}},
	{"a protocol and a verdict", {.protocol = 6, .verdicts = 1ull << LB_TX}},
};

/* What a row leaves open: addresses of the harness. */
static struct lb_trace_filter filter_of(const struct row *row)
{
	const struct lb_member *members = datapath_members(harness_datapath());
	struct lb_trace_filter filter = row->filter;
	uint8_t network = 198;

	filter.every = 1;
	filter.snap = SNAP;
	filter.vip = filter.vip ? filter.vip : LB_TRACE_NONE;
	filter.pool = filter.pool ? filter.pool : LB_TRACE_NONE;
	filter.port = htons(filter.port);
	memcpy(filter.backend, members[TO4].daddr, sizeof(filter.backend));
	inet_pton(filter.family == 6 ? AF_INET6 : AF_INET,
		  filter.family == 6 ? "2001:db8::10" : "192.0.2.10", filter.destination);
	memcpy(filter.source, &network, 1);
	return filter;
}

static bool is_in(const uint64_t address[2], const __u64 prefix[2], const __u64 mask[2])
{
	return (address[0] & mask[0]) == (prefix[0] & mask[0]) &&
	       (address[1] & mask[1]) == (prefix[1] & mask[1]);
}

/* Of another protocol, the program has read whatever stands where ports would. */
static bool has_port(const struct packet *packet, uint16_t port)
{
	const uint8_t protocol = packet->protocol;
	uint16_t ports[2];

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP)
		return false;
	memcpy(ports, &packet->ports, sizeof(ports));
	return packet->has_ports && (ports[0] == port || ports[1] == port);
}

static bool is_wanted(const struct lb_trace_filter *filter, const struct explained *said)
{
	const struct lb_explained *way = &said->way;
	const struct packet *packet = &way->packet;
	const uint32_t vip = way->stage >= LB_EXPLAINED_VIP ? way->vip : LB_TRACE_NONE;
	const bool forwarded = said->verdict == LB_TX || said->verdict == LB_REDIRECT;

	return (!filter->verdicts || filter->verdicts >> said->verdict & 1) &&
	       (filter->vip == LB_TRACE_NONE || filter->vip == vip) &&
	       (filter->pool == LB_TRACE_NONE || filter->pool == vip) && /* in this test the same */
	       (!filter->family || filter->family == packet->family) &&
	       (!filter->protocol || filter->protocol == packet->protocol) &&
	       (!filter->port || has_port(packet, filter->port)) &&
	       is_in((const uint64_t *)packet->source, filter->source, filter->source_mask) &&
	       is_in((const uint64_t *)packet->destination, filter->destination,
		     filter->destination_mask) &&
	       (!filter->has_backend ||
		(way->stage >= LB_EXPLAINED_MEMBER &&
		 !memcmp(said->member.daddr, filter->backend, sizeof(filter->backend)))) &&
	       (!filter->ifindex || filter->ifindex == 1 ||
		(forwarded && said->nexthop.ifindex == filter->ifindex));
}

static void test_tells_who_is_asked_for(void **state)
{
	static struct explained said;
	static struct frame in, out;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct lb_trace_filter filter = filter_of(&rows[i]);
		uint32_t wanted = 0;

		start(&filter);
		random_world(WEB4);
		for (int n = 0; n < FILTER_FRAMES; n++) {
			random_world_frame(&in, WEB4);
			explain(&in, &said);
			harness_run(&in, 0, &out);
			if (read_told() != is_wanted(&filter, &said))
				fail_msg("%s: frame %d, %s", rows[i].what, n,
					 harness_verdict_name(said.verdict));
			wanted += is_wanted(&filter, &said);
		}
		print_message("%4u of %d: %s\n", wanted, FILTER_FRAMES, rows[i].what);
		datapath_trace_stop(harness_datapath());
	}
}

/* --- bounds --- */

static void run_one(int times)
{
	static const struct spec spec = {.family = 4,
					 .protocol = 6,
					 .source = "198.51.100.1",
					 .sport = 40000,
					 .destination = "192.0.2.10",
					 .dport = 443,
					 .payload = 1300};
	static struct frame in, out;

	frame_build(&spec, &in);
	while (times--)
		harness_run(&in, 0, &out);
}

static void test_samples(void **state)
{
	struct lb_trace_filter filter = everything;
	uint32_t count;

	(void)state;
	filter.every = 10;
	filter.snap = 60;
	start(&filter);
	run_one(10000);
	count = read_told();
	print_message("1 of 10: %u of 10,000\n", count);
	assert_in_range(count, 800, 1250);
	assert_int_equal(last.kept, 60);
	assert_true(last.length > 1300);
}

static void test_tells_of_no_more_than_allowed(void **state)
{
	(void)state;
	start(&everything);
	assert_int_equal(datapath_trace_allow(harness_datapath(), 7), MANY);
	run_one(20);
	assert_int_equal(read_told(), 7);
	assert_int_equal(datapath_trace_allow(harness_datapath(), 3), 0);
	run_one(2);
	assert_int_equal(read_told(), 2);
	assert_int_equal(datapath_trace_allow(harness_datapath(), 3), 1);
}

static void test_counts_what_is_lost(void **state)
{
	(void)state;
	start(&everything);
	run_one(1000);
	assert_true(datapath_trace_lost(harness_datapath()) > 0);
	assert_int_equal(read_told() + datapath_trace_lost(harness_datapath()), 1000);
}

static bool only_one(void *user, const struct lb_traced *packet)
{
	++*(uint32_t *)user;
	(void)packet;
	return false;
}

static void test_reading_can_be_broken_off(void **state)
{
	uint32_t count = 0;

	(void)state;
	start(&everything);
	run_one(3);
	datapath_trace_read(harness_datapath(), only_one, &count);
	assert_int_equal(count, 1);
	assert_int_equal(read_told(), 2);
}

static void test_nothing_is_left(void **state)
{
	const int program = datapath_program_fd(harness_datapath());

	(void)state;
	start(&everything);
	assert_int_not_equal(datapath_program_fd(harness_datapath()), program);
	datapath_trace_stop(harness_datapath());
	assert_int_equal(datapath_program_fd(harness_datapath()), program);
	run_one(1);
	assert_int_equal(read_told(), 0);
}

static int set_up(void **state)
{
	(void)state;
	return harness_open_answering(100000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_tells_what_becomes_of_it, stop),
		cmocka_unit_test_teardown(test_tells_who_is_asked_for, stop),
		cmocka_unit_test_teardown(test_samples, stop),
		cmocka_unit_test_teardown(test_tells_of_no_more_than_allowed, stop),
		cmocka_unit_test_teardown(test_counts_what_is_lost, stop),
		cmocka_unit_test_teardown(test_reading_can_be_broken_off, stop),
		cmocka_unit_test_teardown(test_nothing_is_left, stop),
	};

	random_frame_state = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	if (!random_frame_state)
		random_frame_state = time(NULL);
	print_message("seed %llu\n", (unsigned long long)random_frame_state);
	if (argc > 2)
		frames = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests_name("trace", tests, set_up, harness_tear_down);
}
