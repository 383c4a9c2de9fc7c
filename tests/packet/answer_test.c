// SPDX-License-Identifier: BSD-2-Clause
/* Does the program answer what it should, with the right bytes, and nothing else?
 *
 * One row of rows_answer.h, one test; then what no row can say: rates, and that a packet of the
 * size that a sender was told does fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "expect.h"
#include "frame_answer.h"
#include "rows_answer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND 1000000000ull
#define RATE 1 /* an answer takes a second's tokens */

static void refill(void)
{
	harness_limits_set(0, 0);
}

/* --- rows --- */

static void test_echo(void **state)
{
	const struct echo_row *row = *state;
	struct expect expect = {.verdict = row->verdict};
	static struct frame in, out;

	frame_build(&row->in, &in);
	in.bytes[0] |= row->to_group;
	if (row->verdict == LB_TX_ECHO) {
		frame_echo_reply(&in, &out);
		expect.out = &out;
	}
	refill();
	expect_run(&in, &expect);
}

static void test_big(void **state)
{
	const struct big_row *row = *state;
	struct flow flow;
	struct expect expect = {.verdict = row->verdict,
				.vip = row->vip,
				.member = row->member,
				.flow = &flow,
				.metadata = row->metadata};
	static struct frame in, out;

	frame_build(&row->in, &in);
	assert_true(frame_flow(&in, &flow) || flow.fragment == LATER_FRAGMENT || !row->vip);
	in.bytes[0] |= row->to_group;
	if (row->verdict == LB_TX_TOO_BIG) {
		frame_too_big(&in, row->mtu, &out);
		expect.out = &out;
	}
	refill();
	expect_run(&in, &expect);
}

static void test_golden(void **state)
{
	const struct answer_golden *golden = *state;
	struct flow flow;
	static struct frame in, out;
	struct expect expect = {.verdict = golden->vip ? LB_TX_TOO_BIG : LB_TX_ECHO,
				.vip = golden->vip,
				.member = golden->member,
				.flow = &flow,
				.out = &out};

	frame_build(&golden->in, &in);
	frame_flow(&in, &flow);
	memcpy(out.bytes, in.bytes + 6, 6);
	memcpy(out.bytes + 6, in.bytes, 6);
	memcpy(out.bytes + 12, in.bytes + 12, 2);
	frame_hex(&out, ETH, golden->out);
	frame_append(&out, in.bytes + ETH + golden->from, golden->to - golden->from);
	refill();
	expect_run(&in, &expect);
}

/* --- more than one packet --- */

static const struct spec tcp4 = {TCP4(1500), DF}, tcp6 = {TCP6(1500)};
static const struct spec ping4 = {ECHO4, .payload = 56}, ping6 = {ECHO6, .payload = 56};

/* A packet of exactly the named size is forwarded; of one byte more, not. */
static void named_mtu_fits(const struct spec *like, enum vip_index vip, enum member_index member)
{
	struct spec spec = *like;
	const size_t headers = spec.family == 4 ? 40 : 60;
	static struct frame in, answer, wrapped;
	struct flow flow;
	struct expect big = {.verdict = LB_TX_TOO_BIG, .vip = vip, .member = member, .flow = &flow};
	struct expect fits = {.verdict = LB_TX, .vip = vip, .member = member, .flow = &flow};

	frame_build(&spec, &in);
	assert_true(frame_flow(&in, &flow));
	harness_slot_set(vip, flow_slot(flow_hash(&flow, harness_seed), harness_vip_size(vip)),
			 member);
	refill();
	assert_int_equal(harness_run(&in, 0, &answer), XDP_TX);
	spec.payload = frame_named_mtu(&answer) - headers;
	frame_build(&spec, &in);
	assert_true(frame_flow(&in, &flow));
	harness_wrap(&in, member, flow_hash(&flow, harness_seed), &wrapped);
	fits.out = &wrapped;
	expect_run(&in, &fits);

	spec.payload++;
	frame_build(&spec, &in);
	frame_too_big(&in, spec.payload - 1 + headers, &answer);
	big.out = &answer;
	refill();
	expect_run(&in, &big);
}

static void packet_of_the_named_mtu_fits(void **state)
{
	static const enum member_index members[] = {TO4,  TO6,  GUE4,     GUE6,
						    TAG4, TAG6, TAG_GUE4, TAG_GUE6};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(members); i++) {
		named_mtu_fits(&tcp4, WEB4, members[i]);
		named_mtu_fits(&tcp6, WEB6, members[i]);
	}
}

static enum lb_verdict verdict_of(const struct spec *spec)
{
	static struct frame in, out;
	struct counts before, after;
	struct flow flow;
	int i;

	frame_build(spec, &in);
	if (frame_flow(&in, &flow)) {
		const enum vip_index vip = harness_vip_of(&flow);

		harness_slot_set(
			vip, flow_slot(flow_hash(&flow, harness_seed), harness_vip_size(vip)), TO4);
	}
	harness_counts(&before);
	assert_true(harness_run(&in, 0, &out) >= 0);
	harness_counts(&after);
	for (i = 0; i < LB_VERDICT_COUNT; i++) {
		if (after.verdict[i] != before.verdict[i])
			break;
	}
	return i;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

/* A machine that stands still for half a second has given tokens: once more, then. */
static bool took_too_long(uint64_t began)
{
	return now() - began > SECOND / 2;
}

static void five_requests(const struct spec *in, enum lb_verdict verdict[5])
{
	uint64_t began;

	do {
		began = now();
		harness_limits_set(began, 0);
		verdict[0] = verdict_of(in);
		harness_limits_set(now() - SECOND, 0); /* time gives tokens */
		verdict[1] = verdict_of(in);
		verdict[2] = verdict_of(in);
		refill(); /* but never more than for one second */
		verdict[3] = verdict_of(in);
		verdict[4] = verdict_of(in);
	} while (took_too_long(began));
}

static void answers_beyond_the_rate_are_dropped(void **state)
{
	static const struct {
		const struct spec *in;
		enum lb_verdict verdict;
	} kinds[] = {{&ping4, LB_TX_ECHO},
		     {&ping6, LB_TX_ECHO},
		     {&tcp4, LB_TX_TOO_BIG},
		     {&tcp6, LB_TX_TOO_BIG}};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(kinds); i++) {
		enum lb_verdict verdict[5];

		five_requests(kinds[i].in, verdict);
		assert_int_equal(verdict[0], LB_DROP_LIMITED);
		assert_int_equal(verdict[1], kinds[i].verdict);
		assert_int_equal(verdict[2], LB_DROP_LIMITED);
		assert_int_equal(verdict[3], kinds[i].verdict);
		assert_int_equal(verdict[4], LB_DROP_LIMITED);
	}
}

static void kinds_of_answers_have_a_rate_each(void **state)
{
	static const struct spec *const in[] = {&ping4, &ping6, &tcp4, &tcp6};
	enum lb_verdict verdict[COUNT(in)];
	uint64_t began;

	(void)state;
	do {
		began = now();
		refill();
		for (size_t i = 0; i < COUNT(in); i++)
			verdict[i] = verdict_of(in[i]);
	} while (took_too_long(began));
	assert_int_equal(verdict[0], LB_TX_ECHO);
	assert_int_equal(verdict[1], LB_DROP_LIMITED);
	assert_int_equal(verdict[2], LB_TX_TOO_BIG);
	assert_int_equal(verdict[3], LB_DROP_LIMITED);
}

/* What gets no answer anyhow must not use up the tokens of what does. */
static void unanswered_packets_take_no_tokens(void **state)
{
	const struct spec looped = {ECHO4_FROM("127.0.0.1", WEB4_ADDRESS)};
	const struct spec looped6 = {ECHO6_FROM("::1", WEB6_ADDRESS)};
	const struct spec cut = {TCP4(1500)}, mapped_tcp6 = {TCP6_FROM("::2", 1500)};

	(void)state;
	refill();
	assert_int_equal(verdict_of(&looped), LB_PASS_ICMP);
	assert_int_equal(verdict_of(&looped6), LB_PASS_ICMP);
	assert_int_equal(verdict_of(&ping4), LB_TX_ECHO);
	assert_int_equal(verdict_of(&cut), LB_DROP_TOO_BIG);
	assert_int_equal(verdict_of(&mapped_tcp6), LB_DROP_TOO_BIG);
	assert_int_equal(verdict_of(&tcp4), LB_TX_TOO_BIG);
}

/* RFC 1624: sums that carry. Every identification, both families, against full sums. */
static void reply_has_right_checksums_for_every_identification(void **state)
{
	static struct frame in, out;
	uint32_t id;

	(void)state;
	for (id = 0; id < 65536; id += 251) {
		const struct spec *spec = id & 1 ? &ping4 : &ping6;
		const size_t l4 = ETH + (spec->family == 4 ? 20 : 40);

		frame_build(spec, &in);
		in.bytes[l4 + 4] = id >> 8;
		in.bytes[l4 + 5] = id & 0xff;
		in.bytes[ETH + 4] = spec->family == 4 ? id >> 8 : in.bytes[ETH + 4];
		frame_echo_checksums(&in);
		frame_echo_reply(&in, &out);
		refill();
		expect_run(&in, &(struct expect){.verdict = LB_TX_ECHO, .out = &out});
	}
}

static void wrong_checksum_of_a_request_stays_wrong(void **state)
{
	static struct frame in, right, out;

	(void)state;
	frame_build(&ping4, &in);
	frame_echo_reply(&in, &right);
	in.bytes[ETH + 20 + 8] ^= 0x10; /* its data changed on the way */
	refill();
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	assert_memory_equal(out.bytes, right.bytes, ETH + 28);
	assert_int_not_equal(frame_checksum(out.bytes + ETH + 20, out.length - ETH - 20), 0);
}

/* --- all of them --- */

#define TESTS_MAX (COUNT(echo_rows) + COUNT(big_rows) + COUNT(answer_goldens) + 6)

static struct CMUnitTest tests[TESTS_MAX];
static size_t test_count;

static void add(const char *name, CMUnitTestFunction function, const void *row)
{
	tests[test_count++] = (struct CMUnitTest){
		.name = name, .test_func = function, .initial_state = (void *)row};
}

#define ADD(function) add(#function, function, NULL)

static void add_tests(void)
{
	size_t i;

	for (i = 0; i < COUNT(echo_rows); i++)
		add(echo_rows[i].name, test_echo, &echo_rows[i]);
	for (i = 0; i < COUNT(big_rows); i++)
		add(big_rows[i].name, test_big, &big_rows[i]);
	for (i = 0; i < COUNT(answer_goldens); i++)
		add(answer_goldens[i].name, test_golden, &answer_goldens[i]);
	ADD(packet_of_the_named_mtu_fits);
	ADD(answers_beyond_the_rate_are_dropped);
	ADD(kinds_of_answers_have_a_rate_each);
	ADD(unanswered_packets_take_no_tokens);
	ADD(reply_has_right_checksums_for_every_identification);
	ADD(wrong_checksum_of_a_request_stays_wrong);
}

static int open_harness(void **state)
{
	(void)state;
	return harness_open_answering(RATE);
}

int main(void)
{
	add_tests();
	return _cmocka_run_group_tests("answers", tests, test_count, open_harness,
				       harness_tear_down);
}
