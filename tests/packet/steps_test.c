// SPDX-License-Identifier: BSD-2-Clause
/* What do packets of VIPs without quic pay while there are VIPs with it? Without those they pay nothing: see
 * stages_off_test.c. It is which of its member's counters is a packet's, whether a member keeps flows, and which values
 * are kept on the stack for that: 5 to 13 instructions, by the compiler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include "../../lbd/plane/datapath.h"
#include "harness.h"
#include "rows.h"
#include "steps.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct steps *with, *without;

static int set_up(void **state)
{
	if (harness_set_up(state))
		return -1;
	if (datapath_quic_use(harness_datapath(), NULL))
		return -1;
	with = steps_with_quic(harness_datapath());
	without = steps_of_balancer(harness_datapath());
	return with && without ? 0 : -1;
}

static int tear_down(void **state)
{
	steps_free(with);
	steps_free(without);
	return harness_tear_down(state);
}

/* --- packets --- */

static const struct {
	const char *name;
	struct spec spec;
	size_t more; /* instructions that it may take */
} packets[] = {
	{"UDP, IPv4", {PACKET4(UDP, "192.0.2.10", 53), .payload = 40}, 11},
	{"UDP, IPv6", {PACKET6(UDP, "2001:db8::10", 53), .payload = 40}, 11},
	{"TCP, IPv4", {PACKET4(TCP, "192.0.2.10", 443), .payload = 40}, 11},
	{"TCP, IPv6", {PACKET6(TCP, "2001:db8::10", 443), .payload = 40}, 11},
	{"by source, IPv4", {PACKET4(TCP, "192.0.2.14", 443), .payload = 40}, 14},
	{"by source, IPv6", {PACKET6(TCP, "2001:db8::14", 443), .payload = 40}, 14},
	{"by source and port, IPv4", {PACKET4(TCP, "192.0.2.15", 443), .payload = 40}, 14},
	{"by source and port, IPv6", {PACKET6(TCP, "2001:db8::15", 443), .payload = 40}, 14},
};

/* As the kernel does it, too. */
static size_t steps_of(struct steps *steps, const struct frame *in)
{
	static struct frame out, expected;
	size_t count;
	const int action = harness_run(in, 0, &expected);

	assert_int_equal(steps_run(steps, in, &out, &count), action);
	assert_int_equal(action, XDP_TX);
	assert_true(frame_equal(&expected, &out));
	return count;
}

static void test_takes_no_more(void **state)
{
	static struct frame in;

	(void)state;
	for (size_t i = 0; i < COUNT(packets); i++) {
		size_t more, less;

		frame_build(&packets[i].spec, &in);
		more = steps_of(with, &in);
		less = steps_of(without, &in);
		print_message("%s: %zu instructions, %zu while no VIP has quic\n", packets[i].name,
			      more, less);
		assert_in_range(more, 1, less + packets[i].more);
	}
}

static const struct CMUnitTest tests[] = {
	{"VIPs without quic hardly pay for others", test_takes_no_more, NULL, NULL, NULL},
};

int main(void)
{
	return cmocka_run_group_tests_name("steps", tests, set_up, tear_down);
}
