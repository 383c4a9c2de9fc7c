// SPDX-License-Identifier: BSD-2-Clause
/* Is what the program did with one frame all that was expected, and nothing else? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "expect.h"

static void expect_verdict(const struct counts *before, const struct counts *after,
			   enum lb_verdict expected)
{
	unsigned int i;

	for (i = 0; i < LB_VERDICT_COUNT; i++) {
		if (after->verdict[i] != before->verdict[i] && i != expected)
			print_error("verdict %s, expected %s\n", harness_verdict_name(i),
				    harness_verdict_name(expected));
	}
	for (i = 0; i < LB_VERDICT_COUNT; i++)
		assert_int_equal(after->verdict[i] - before->verdict[i], i == expected);
}

/* `its`: whether the packet is to be counted here. */
static void expect_counter(const struct lb_counter *before, const struct lb_counter *after,
			   bool its, const struct expect *expect)
{
	assert_int_equal(after->packets - before->packets, its);
	assert_int_equal(after->bytes - before->bytes, its ? expect->flow->ip_length : 0);
}

static void expect_counters(const struct counts *before, const struct counts *after,
			    const struct expect *expect)
{
	const bool forwarded = expect->verdict == LB_TX || expect->verdict == LB_REDIRECT;
	int i;

	for (i = 0; i < MEMBER_COUNT; i++)
		expect_counter(&before->member[i], &after->member[i],
			       forwarded && i == (int)expect->member, expect);
	for (i = 0; i < VIP_COUNT; i++)
		expect_counter(&before->vip[i], &after->vip[i], forwarded && i == (int)expect->vip,
			       expect);
}

static int run(const struct frame *in, const struct expect *expect, struct frame *out)
{
	uint32_t slot = 0;
	int action;

	if (expect->vip) {
		slot = flow_slot(flow_hash(expect->flow, harness_seed),
				 harness_vip_size(expect->vip));
		harness_slot_set(expect->vip, slot, expect->member);
	}
	action = harness_run(in, expect->metadata, out);
	if (expect->vip)
		harness_slot_set(expect->vip, slot, DECOY);
	return action;
}

void expect_run(const struct frame *in, const struct expect *expect)
{
	static struct frame out;
	struct counts before, after;
	int action;

	harness_counts(&before);
	action = run(in, expect, &out);
	harness_counts(&after);
	if (action == -EINVAL && expect->metadata > 32) {
		print_message("this kernel takes no metadata of %u bytes\n", expect->metadata);
		skip();
	}
	expect_verdict(&before, &after, expect->verdict);
	assert_int_equal(action, harness_verdict_action(expect->verdict));
	expect_counters(&before, &after, expect);
	if (expect->out)
		assert_true(frame_equal(expect->out, &out));
	else if (action == XDP_PASS)
		assert_true(frame_equal(in, &out));
	else
		assert_int_equal(action, XDP_DROP);
}
