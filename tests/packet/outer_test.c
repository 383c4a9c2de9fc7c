// SPDX-License-Identifier: BSD-2-Clause
/* Is a packet wrapped as its member and its next hop ask for: GUE, tags, one of several paths?
 *
 * One row of rows_outer.h, one test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "expect.h"
#include "rows_outer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_row(void **state)
{
	const struct outer_row *row = *state;
	static struct frame in, out;
	struct flow flow;
	struct expect expect = {.verdict = row->verdict,
				.vip = row->vip,
				.member = row->member,
				.flow = &flow,
				.metadata = row->metadata};

	frame_build(&row->in, &in);
	assert_true(frame_flow(&in, &flow));
	if (row->verdict == LB_TX || row->verdict == LB_REDIRECT) {
		harness_wrap(&in, row->member, flow_hash(&flow, harness_seed), &out);
		expect.out = &out;
	}
	expect_run(&in, &expect);
}

static void test_golden(void **state)
{
	const struct outer_golden *golden = *state;
	static struct frame in, out;
	struct flow flow;

	frame_build(&golden->in, &in);
	assert_true(frame_flow(&in, &flow));
	assert_true(flow_hash(&flow, harness_seed) == golden->hash);
	frame_hex(&out, 0, golden->out);
	frame_append(&out, in.bytes + ETH, in.length - ETH);
	expect_run(&in, &(struct expect){.verdict = LB_TX,
					 .vip = golden->vip,
					 .member = golden->member,
					 .flow = &flow,
					 .out = &out});
}

/* Over 1,024 flows each path is taken, and the one that the hash says. */
static void flow_hash_picks_one_of_eight_paths(void **state)
{
	struct spec spec = {WEB4_TCP};
	static struct frame in, out;
	unsigned int taken[LB_MEMBER_PATHS] = {0}, i;
	struct flow flow;
	uint64_t hash;

	(void)state;
	for (i = 0; i < 1024; i++) {
		spec.sport = 20000 + i;
		frame_build(&spec, &in);
		assert_true(frame_flow(&in, &flow));
		hash = flow_hash(&flow, harness_seed);
		harness_wrap(&in, SPREAD4, hash, &out);
		taken[hash % LB_MEMBER_PATHS]++;
		expect_run(&in, &(struct expect){.verdict = LB_TX,
						 .vip = WEB4,
						 .member = SPREAD4,
						 .flow = &flow,
						 .out = &out});
	}
	for (i = 0; i < LB_MEMBER_PATHS; i++)
		assert_in_range(taken[i], 80, 180); /* 128 on average */
}

/* The source port is never below 49152 and takes many values: it is what networks spread by. */
static void gue_source_port_spreads_flows(void **state)
{
	struct spec spec = {DNS4_UDP};
	static struct frame in, out;
	static bool seen[65536];
	unsigned int i, port, different = 0;
	struct flow flow;

	(void)state;
	for (i = 0; i < 1024; i++) {
		spec.sport = 20000 + i;
		frame_build(&spec, &in);
		assert_true(frame_flow(&in, &flow));
		harness_slot_set(DNS4,
				 flow_slot(flow_hash(&flow, harness_seed), harness_vip_size(DNS4)),
				 GUE4);
		assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
		port = out.bytes[ETH + 20] << 8 | out.bytes[ETH + 21];
		assert_in_range(port, 49152, 65535);
		different += !seen[port];
		seen[port] = true;
	}
	harness_slots_decoy();
	assert_in_range(different, 900, 1024);
}

/* --- all of them --- */

static struct CMUnitTest tests[COUNT(outer_rows) + COUNT(outer_goldens) + 2];
static size_t test_count;

static void add(const char *name, CMUnitTestFunction function, const void *row)
{
	tests[test_count++] = (struct CMUnitTest){
		.name = name, .test_func = function, .initial_state = (void *)row};
}

int main(void)
{
	size_t i;

	for (i = 0; i < COUNT(outer_rows); i++)
		add(outer_rows[i].name, test_row, &outer_rows[i]);
	for (i = 0; i < COUNT(outer_goldens); i++)
		add(outer_goldens[i].name, test_golden, &outer_goldens[i]);
	add("flow_hash_picks_one_of_eight_paths", flow_hash_picks_one_of_eight_paths, NULL);
	add("gue_source_port_spreads_flows", gue_source_port_spreads_flows, NULL);
	return _cmocka_run_group_tests("outer headers", tests, test_count, harness_set_up,
				       harness_tear_down);
}
