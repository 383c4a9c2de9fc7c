// SPDX-License-Identifier: BSD-2-Clause
/* Does the XDP program do the right thing with each kind of frame, byte for byte?
 *
 * One row of rows*.h, one test. Of each is checked: the XDP action; that the expected verdict's
 * counter rose by one and no other; that the member's counter rose by one packet and the bytes of
 * the clients' IP packet when it was forwarded, and no member's otherwise; and the whole frame that
 * comes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ctype.h>
#include <errno.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "harness.h"
#include "rows.h"
#include "rows_extension.h"
#include "rows_fragment.h"
#include "rows_icmp.h"
#include "rows_link.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct expectation {
	enum lb_verdict verdict;
	enum vip_index vip;
	enum member_index member;
	unsigned int metadata;
};

static bool forwards(enum lb_verdict verdict)
{
	return verdict == LB_TX || verdict == LB_REDIRECT;
}

/* --- what is compared --- */

static void compare_verdicts(const struct counts *before, const struct counts *after,
			     enum lb_verdict expected)
{
	unsigned int i;

	for (i = 0; i < LB_VERDICT_COUNT; i++) {
		uint64_t rise = after->verdict[i] - before->verdict[i];

		if (rise && i != expected)
			print_error("verdict %s, expected %s\n", harness_verdict_name(i),
				    harness_verdict_name(expected));
	}
	for (i = 0; i < LB_VERDICT_COUNT; i++)
		assert_int_equal(after->verdict[i] - before->verdict[i], i == expected);
}

/* packets: 1 or 0, for `member`; every other member must stay at 0. */
static void compare_members(const struct counts *before, const struct counts *after,
			    enum member_index member, uint64_t packets, uint64_t bytes)
{
	int i;

	for (i = 0; i < MEMBER_COUNT; i++) {
		bool its = packets && i == (int)member;

		assert_int_equal(after->member[i].packets - before->member[i].packets,
				 its ? packets : 0);
		assert_int_equal(after->member[i].bytes - before->member[i].bytes, its ? bytes : 0);
	}
}

/* --- one frame --- */

/* Runs with `member` in the slot of the flow, which holds the decoy again afterwards. */
static int run_with_slot(const struct frame *in, const struct flow *flow,
			 const struct expectation *expected, struct frame *out)
{
	uint32_t slot = 0;
	int action;

	if (expected->vip) {
		slot = harness_slot(expected->vip, flow);
		harness_slot_set(expected->vip, slot, expected->member);
	}
	action = harness_run(in, expected->metadata, out);
	if (expected->vip)
		harness_slot_set(expected->vip, slot, DECOY);
	return action;
}

/* Older kernels take at most 32 bytes of metadata, which leaves room for every outer header. */
static void skip_without_metadata(int action, unsigned int metadata)
{
	if (action != -EINVAL || metadata <= 32)
		return;
	print_message("this kernel takes no metadata of %u bytes: the headroom cannot be used up\n",
		      metadata);
	skip();
}

static void check_frame(const struct frame *in, const struct expectation *expected)
{
	static struct frame out, wrapped;
	struct counts before, after;
	struct flow flow;
	bool sound = frame_flow(in, &flow);
	int action;

	assert_true(sound || !expected->vip);
	harness_counts(&before);
	action = run_with_slot(in, &flow, expected, &out);
	harness_counts(&after);
	skip_without_metadata(action, expected->metadata);
	compare_verdicts(&before, &after, expected->verdict);
	assert_int_equal(action, harness_verdict_action(expected->verdict));
	compare_members(&before, &after, expected->member, forwards(expected->verdict),
			flow.ip_length);
	if (action == XDP_PASS)
		assert_true(frame_equal(in, &out));
	if (forwards(expected->verdict)) {
		harness_wrap(in, expected->member, harness_hash(expected->vip, &flow), &wrapped);
		assert_true(frame_equal(&wrapped, &out));
	}
}

/* --- one test for each kind of row --- */

static void test_row(void **state)
{
	const struct row *row = *state;
	const struct expectation expected = {row->verdict, row->vip, row->member, row->metadata};
	static struct frame in;

	frame_build(&row->in, &in);
	check_frame(&in, &expected);
}

static void test_raw(void **state)
{
	const struct raw *raw = *state;
	const struct expectation expected = {.verdict = raw->verdict};
	static struct frame in;

	frame_raw(raw->type, NULL, 0, &in);
	frame_hex(&in, ETH, raw->hex);
	check_frame(&in, &expected);
}

enum target { AT_VIP, AT_OTHER_PORT, AT_OTHER_ADDRESS, TARGET_COUNT };

struct fault_case {
	const struct fault *fault;
	enum target target;
	char name[96];
};

static void test_fault(void **state)
{
	const struct fault_case *this = *state;
	struct spec spec = this->fault->in;
	struct expectation expected = {.verdict = this->fault->verdict};
	static struct frame in;

	if (this->target == AT_OTHER_PORT) {
		spec.dport++;
		if (this->fault->port_readable)
			expected.verdict = LB_PASS_NOT_VIP;
	}
	if (this->target == AT_OTHER_ADDRESS) {
		spec.destination = spec.family == 4 ? "192.0.2.99" : "2001:db8::99";
		expected.verdict = LB_PASS_NOT_VIP;
	}
	frame_build(&spec, &in);
	check_frame(&in, &expected);
}

static void test_golden(void **state)
{
	const struct golden *golden = *state;
	static struct frame in, out, expected;
	struct flow flow;

	frame_raw(golden->packet[0] == '4' ? 0x0800 : 0x86dd, NULL, 0, &in);
	frame_hex(&in, ETH, golden->packet);
	assert_true(frame_flow(&in, &flow));
	assert_true(flow_hash(&flow, harness_seed) == golden->hash);

	harness_slot_set(golden->vip, golden->slot, golden->member);
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	harness_slot_set(golden->vip, golden->slot, DECOY);

	frame_hex(&expected, 0,
		  golden->outer[0] == '4' ? "06b0b1b2b30106a0a1a2a3010800"
					  : "06b0b1b2b30106a0a1a2a30186dd");
	frame_hex(&expected, ETH, golden->outer);
	frame_hex(&expected, expected.length, golden->packet);
	assert_true(frame_equal(&expected, &out));
}

/* The outer header of TO6_PREFIX shows the low 32 bits of the hash, the slot its high ones. */
static void test_golden_flow(void **state)
{
	const struct golden_flow *golden = *state;
	static struct frame in, out, wrapped;

	frame_build(&golden->in, &in);
	harness_slot_set(golden->vip, golden->slot, TO6_PREFIX);
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	harness_slot_set(golden->vip, golden->slot, DECOY);
	harness_wrap(&in, TO6_PREFIX, golden->hash, &wrapped);
	assert_true(frame_equal(&wrapped, &out));
}

/* BPF_PROG_TEST_RUN gives frames of several buffers to any program; a driver asks for "xdp.frags". */
static void test_attach(void **state)
{
	(void)state;
	assert_int_equal(harness_attach(), 0);
}

/* --- all of them --- */

#define TESTS_MAX                                                                                  \
	(COUNT(rows) + COUNT(link_rows) + COUNT(extension_rows) + COUNT(icmp_rows) +               \
	 COUNT(fragment_rows) + COUNT(raws) + COUNT(link_raws) + TARGET_COUNT * COUNT(faults) +    \
	 COUNT(goldens) + COUNT(golden_flows) + 1)

static struct CMUnitTest tests[TESTS_MAX];
static size_t test_count;

static void add(const char *name, CMUnitTestFunction function, const void *row)
{
	tests[test_count++] = (struct CMUnitTest){
		.name = name, .test_func = function, .initial_state = (void *)row};
}

static void add_faults(void)
{
	static const char *const suffix[] = {"to a VIP", "to another port of a VIP's address",
					     "to another address"};
	static struct fault_case cases[COUNT(faults)][TARGET_COUNT];
	size_t i;
	int target;

	for (i = 0; i < COUNT(faults); i++) {
		for (target = 0; target < TARGET_COUNT; target++) {
			struct fault_case *this = &cases[i][target];

			this->fault = &faults[i];
			this->target = target;
			snprintf(this->name, sizeof(this->name), "%s, %s", faults[i].name,
				 suffix[target]);
			add(this->name, test_fault, this);
		}
	}
}

static void add_rows(const struct row *row, size_t count)
{
	for (; count; count--, row++)
		add(row->name, test_row, row);
}

static void add_raws(const struct raw *raw, size_t count)
{
	for (; count; count--, raw++)
		add(raw->name, test_raw, raw);
}

static void add_tests(void)
{
	size_t i;

	add_rows(rows, COUNT(rows));
	add_rows(link_rows, COUNT(link_rows));
	add_rows(extension_rows, COUNT(extension_rows));
	add_rows(icmp_rows, COUNT(icmp_rows));
	add_rows(fragment_rows, COUNT(fragment_rows));
	add_faults();
	add_raws(raws, COUNT(raws));
	add_raws(link_raws, COUNT(link_raws));
	for (i = 0; i < COUNT(goldens); i++)
		add(goldens[i].name, test_golden, &goldens[i]);
	for (i = 0; i < COUNT(golden_flows); i++)
		add(golden_flows[i].name, test_golden_flow, &golden_flows[i]);
	add("the program attaches natively at an MTU of 9000", test_attach, NULL);
}

/* An input of tests/fuzz/parser_fuzz.c: one frame, all of it in the first buffer. */
static int write_input(const char *folder, const struct row *row)
{
	static struct frame frame;
	char path[4096], *at;
	FILE *file;
	int error;

	frame_build(&row->in, &frame);
	if (frame.length > 2048)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", folder, row->name);
	for (at = path + strlen(folder) + 1; *at; at++)
		if (!isalnum(*at))
			*at = '_';
	file = fopen(path, "wb");
	if (!file)
		return -1;
	fputc(0, file);
	fputc(frame.length >> 8, file);
	fputc(frame.length & 0xff, file);
	error = fwrite(frame.bytes, 1, frame.length, file) != frame.length;
	return fclose(file) || error ? -1 : 0;
}

static int write_corpus(const char *folder)
{
	size_t i;

	for (i = 0; i < test_count; i++) {
		if (tests[i].test_func == test_row && write_input(folder, tests[i].initial_state)) {
			perror(folder);
			return 1;
		}
	}
	return 0;
}

/* `packet_test --corpus FOLDER`: no test is run, every row's frame is written. */
int main(int argc, char **argv)
{
	add_tests();
	if (argc == 3 && !strcmp(argv[1], "--corpus"))
		return write_corpus(argv[2]);
	return _cmocka_run_group_tests("packets", tests, test_count, harness_set_up,
				       harness_tear_down);
}
