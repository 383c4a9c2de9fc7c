// SPDX-License-Identifier: BSD-2-Clause
/* Are packets counted by VIP where limits.vips is so high that they wait for it (bpf/count.h)? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "../../lbd/plane/datapath.h"
#include "expect.h"
#include "rows.h"

#define LIMIT 20000

static const struct {
	struct spec spec;
	enum vip_index vip;
} sent[] = {{{WEB4_TCP}, WEB4}, {{DNS4_UDP}, DNS4}};

static void send_to(uint32_t which, unsigned int payload)
{
	struct spec spec = sent[which].spec;
	static struct frame in, out;
	struct flow flow;

	spec.payload = payload;
	frame_build(&spec, &in);
	assert_true(frame_flow(&in, &flow));
	harness_wrap(&in, TO4, flow_hash(&flow, harness_seed), &out);
	expect_run(&in, &(struct expect){.verdict = LB_TX,
					 .vip = sent[which].vip,
					 .member = TO4,
					 .flow = &flow,
					 .out = &out});
}

static struct lb_counter read_vip(enum vip_index vip)
{
	struct lb_counter counter;

	assert_int_equal(datapath_vip_counters(harness_datapath(), vip, &counter), 0);
	return counter;
}

/* expect_run looks at every counter after each packet. */
static void each_packet_is_counted_at_once(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 5 * LB_VIP_WAITING; i++)
		send_to(i % 7 == 0, i);
	assert_int_equal(read_vip(WEB4).packets + read_vip(DNS4).packets, 5 * LB_VIP_WAITING);
}

static void no_packet_that_waits_is_left_to_the_next_vip_of_the_number(void **state)
{
	const uint64_t others = read_vip(DNS4).packets;
	unsigned int i, round;

	(void)state;
	for (round = 0; round < LB_VIP_WAITING; round++) {
		for (i = 0; i <= round; i++)
			send_to(i % 2, 10);
		assert_int_equal(datapath_vip_counters_reset(harness_datapath(), WEB4), 0);
		assert_int_equal(read_vip(WEB4).packets, 0);
		assert_int_equal(read_vip(WEB4).bytes, 0);
	}
	assert_int_equal(read_vip(DNS4).packets, others + LB_VIP_WAITING * LB_VIP_WAITING / 4);
	for (i = 0; i < LB_VIP_WAITING; i++)
		send_to(1, 10);
	assert_int_equal(read_vip(WEB4).packets, 0);
}

static int set_up(void **state)
{
	(void)state;
	return harness_open_many(LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_packet_is_counted_at_once),
		cmocka_unit_test(no_packet_that_waits_is_left_to_the_next_vip_of_the_number),
	};

	return cmocka_run_group_tests_name("counts", tests, set_up, harness_tear_down);
}
