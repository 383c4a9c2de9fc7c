// SPDX-License-Identifier: BSD-2-Clause
/* Does the guard's program do what the balancer does, beside what its rules say; while it comes and goes? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "../../lbd/plane/explain.h"
#include "../../lbd/plane/guard.h"
#include "../../lbd/plane/trace.h"
#include "harness.h"
#include "random_frame.h"
#include "random_world.h"

#define FRAMES 400

static struct datapath *plane(void)
{
	return harness_datapath();
}

static void come(void)
{
	struct lb_err err = {0};

	if (datapath_guard_use(plane(), GUARD_LISTS, &err))
		fail_msg("%s; %s", err.message, err.hint);
}

static int go(void **state)
{
	(void)state;
	datapath_trace_stop(plane());
	datapath_guard_drop(plane(), GUARD_LISTS);
	datapath_guard_drop(plane(), GUARD_SYN);
	return 0;
}

static void assert_forwards(enum vip_index vip, const struct spec *spec)
{
	static struct frame in, out, expected;
	struct flow flow;
	uint64_t hash;

	frame_build(spec, &in);
	assert_true(frame_flow(&in, &flow));
	hash = harness_hash(vip, &flow);
	harness_slot_set(vip, harness_slot(vip, &flow), TO4);
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	harness_wrap(&in, TO4, hash, &expected);
	assert_true(frame_equal(&expected, &out));
}

static const struct spec web = {.family = 4,
				.protocol = 6,
				.source = "198.51.100.7",
				.destination = "192.0.2.10",
				.sport = 40000,
				.dport = 443};
static const struct spec every = {.family = 4,
				  .protocol = 6,
				  .source = "198.51.100.7",
				  .destination = "192.0.2.11",
				  .sport = 40000,
				  .dport = 4711};

static void test_comes_and_goes(void **state)
{
	const int balancer = datapath_program_fd(plane());

	(void)state;
	come();
	assert_int_not_equal(datapath_program_fd(plane()), balancer);
	assert_int_equal(datapath_guard_use(plane(), GUARD_SYN, NULL), 0);
	datapath_guard_drop(plane(), GUARD_LISTS);
	assert_int_not_equal(datapath_program_fd(plane()), balancer);
	datapath_guard_drop(plane(), GUARD_SYN);
	assert_int_equal(datapath_program_fd(plane()), balancer);
	assert_null(datapath_guard_maps(plane()).vips);
}

static void test_vips_without_rules_are_served(void **state)
{
	(void)state;
	come();
	assert_forwards(WEB4, &web);
	assert_forwards(EVERY4, &every);
	assert_int_equal(harness_vip_flag(WEB4, "192.0.2.10:443/tcp", LB_VIP_GUARDED), 0);
	assert_forwards(WEB4, &web);
	assert_int_equal(harness_vip_flag(WEB4, "192.0.2.10:443/tcp", 0), 0);
}

/* Whether any VIP is a prefix, each program is told by itself. */
static void test_knows_of_vips_that_come_and_go(void **state)
{
	const struct spec spec = {.family = 4,
				  .protocol = 6,
				  .source = "198.51.100.7",
				  .destination = "203.0.113.9",
				  .sport = 40000,
				  .dport = 443};
	static struct frame in, out;
	struct lb_endpoint prefix;

	(void)state;
	come();
	frame_build(&spec, &in);
	assert_int_equal(harness_vip_flag(DNS4, "203.0.113.0/24:443/tcp", 0), 0);
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	assert_int_equal(lb_endpoint_parse("203.0.113.0/24:443/tcp", &prefix, NULL), 0);
	assert_int_equal(datapath_vip_del(plane(), &prefix, NULL), 0);
	assert_int_equal(harness_run(&in, 0, &out), XDP_PASS);
}

static void test_rules_stay_where_a_larger_one_takes_over(void **state)
{
	const struct guard_sizes sizes = {0};

	(void)state;
	come();
	datapath_guard_maps(plane()).vips[WEB4].monitored = 7;
	assert_int_equal(datapath_guard_load(plane(), &sizes, NULL), 0);
	assert_int_equal(datapath_guard_maps(plane()).vips[WEB4].monitored, 7);
	assert_int_equal(datapath_guard_enter(plane(), GUARD_LISTS, NULL), 0);
	assert_int_equal(datapath_guard_maps(plane()).vips[WEB4].monitored, 7);
}

static void test_says_what_explain_says(void **state)
{
	static struct explained said;
	static struct frame in, out;

	(void)state;
	come();
	for (int n = 0; n < FRAMES; n++) {
		const uint32_t vip = 1 + n / 20 % (VIP_COUNT - 1);
		int action;

		if (n % 20 == 0)
			random_world(vip);
		random_world_frame(&in, vip);
		assert_int_equal(datapath_explain(plane(), in.bytes, in.length, 0, &said, NULL), 0);
		action = harness_run(&in, 0, &out);
		assert_int_equal(action, harness_verdict_action(said.verdict));
		assert_int_equal(out.length, said.length);
		assert_memory_equal(out.bytes, said.frame, out.length);
	}
}

static bool count_traced(void *user, const struct lb_traced *packet)
{
	(void)packet;
	++*(int *)user;
	return true;
}

static void test_traces_through_a_change(void **state)
{
	const struct lb_trace_filter filter = {
		.every = 1, .snap = 64, .vip = WEB4, .pool = LB_TRACE_NONE};
	int told = 0;

	(void)state;
	harness_slots_decoy();
	assert_int_equal(datapath_trace_start(plane(), &filter, NULL), 0);
	datapath_trace_allow(plane(), 1000);
	assert_forwards(WEB4, &web);
	come();
	assert_forwards(WEB4, &web);
	datapath_guard_drop(plane(), GUARD_LISTS);
	assert_forwards(WEB4, &web);
	datapath_trace_read(plane(), count_traced, &told);
	assert_int_equal(told, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_comes_and_goes, go),
		cmocka_unit_test_teardown(test_vips_without_rules_are_served, go),
		cmocka_unit_test_teardown(test_knows_of_vips_that_come_and_go, go),
		cmocka_unit_test_teardown(test_rules_stay_where_a_larger_one_takes_over, go),
		cmocka_unit_test_teardown(test_says_what_explain_says, go),
		cmocka_unit_test_teardown(test_traces_through_a_change, go),
	};

	return cmocka_run_group_tests_name("guard", tests, harness_set_up, harness_tear_down);
}
