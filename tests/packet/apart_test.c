// SPDX-License-Identifier: BSD-2-Clause
/* Does it make no difference which buffer the headers are in?
 *
 * A driver may hand over a frame whose first buffer holds few of its bytes, or none (mlx5 with a
 * striding receive queue and a jumbo MTU). Every row of packet_test.c, packets to every member, and
 * packets that are answered are run once with all in the first buffer, then with 0 to 80 bytes of
 * them there: the same verdict, action and frame must come out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "harness.h"
#include "rows.h"
#include "rows_extension.h"
#include "rows_fragment.h"
#include "rows_icmp.h"
#include "rows_link.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIRST_BUFFER_MAX 80
#define RATE 100000000 /* answers are never too many */

static bool kernel_can;

/* Such a run gives the action and the frame, or -EINVAL where the kernel makes no such frames. */
static int run(const struct frame *in, int first_buffer, struct frame *out)
{
	int action;

	harness_first_buffer(first_buffer);
	action = harness_run(in, 0, out);
	harness_first_buffer(-1);
	return action;
}

/* The kernel moves the beginning of a frame only so far that an Ethernet header stays in the first
 * buffer. Two tags that come and an outer header of 20 bytes that goes leave 12 bytes beside it. */
static int least(const struct spec *spec)
{
	return spec->tag[1].type ? 2 : 0;
}

/* A packet that fills the first buffer is plain: that bytes after it are in others is not asked,
 * and they go along. */
static bool is_plain_with_a_tail(const struct frame *in, size_t first_buffer,
				 const struct frame *out, const struct frame *whole)
{
	struct flow flow;
	size_t tail;

	if (!frame_flow(in, &flow) || first_buffer < flow.l3 + flow.ip_length)
		return false;
	tail = in->length - flow.l3 - flow.ip_length;
	return tail && out->length == whole->length + tail &&
	       !memcmp(out->bytes, whole->bytes, whole->length);
}

static void same_wherever_the_headers_are(const struct spec *spec)
{
	static struct frame in, whole, apart;
	struct counts before, after, last;
	int action, i, bytes;

	frame_build(spec, &in);
	harness_counts(&before);
	action = run(&in, -1, &whole);
	harness_counts(&after);
	for (bytes = least(spec); bytes <= FIRST_BUFFER_MAX; bytes++) {
		const int other = run(&in, bytes, &apart);

		if (is_plain_with_a_tail(&in, bytes, &apart, &whole))
			continue;

		if (other != action)
			print_error("%d bytes in the first buffer\n", bytes);
		assert_int_equal(other, action);
		if (action != XDP_DROP && !frame_equal(&whole, &apart))
			fail_msg("%d bytes in the first buffer", bytes);
	}
	harness_counts(&last);
	for (i = 0; i < LB_VERDICT_COUNT; i++) {
		const uint64_t once = after.verdict[i] - before.verdict[i];

		if (last.verdict[i] - after.verdict[i] != once * (bytes - least(spec)))
			print_error("of verdict %s\n", harness_verdict_name(i));
		assert_int_equal(last.verdict[i] - after.verdict[i], once * (bytes - least(spec)));
	}
}

static void with_member(const struct spec *spec, enum vip_index vip, uint16_t member)
{
	static struct frame in;
	struct flow flow;
	uint32_t slot = 0;

	frame_build(spec, &in);
	frame_flow(&in, &flow);
	if (vip) {
		slot = harness_slot(vip, &flow);
		harness_slot_set(vip, slot, member);
	}
	same_wherever_the_headers_are(spec);
	if (vip)
		harness_slot_set(vip, slot, DECOY);
}

static void skip_if_the_kernel_cannot(void)
{
	if (kernel_can)
		return;
	print_message("BPF_PROG_TEST_RUN of this kernel makes no frame whose first buffer is "
		      "short (ctx_in.data_end below the data's size)\n");
	skip();
}

struct group {
	const struct row *rows;
	size_t count;
};

static void rows_come_out_the_same(void **state)
{
	const struct group *group = *state;
	size_t i;

	skip_if_the_kernel_cannot();
	for (i = 0; i < group->count; i++) {
		print_message("%s\n", group->rows[i].name);
		if (!group->rows[i].metadata)
			with_member(&group->rows[i].in, group->rows[i].vip, group->rows[i].member);
	}
}

static void faults_have_the_same_name(void **state)
{
	size_t i;

	(void)state;
	skip_if_the_kernel_cannot();
	for (i = 0; i < COUNT(faults); i++)
		with_member(&faults[i].in, NO_VIP, DECOY);
}

static void every_member_gets_the_same(void **state)
{
	static const struct spec web4 = {WEB4_TCP, .payload = 100},
				 web6 = {WEB6_TCP, .payload = 100};
	static const struct spec dns4 = {DNS4_UDP, .payload = 50}, dns6 = {DNS6_UDP, .payload = 50};
	int member;

	(void)state;
	skip_if_the_kernel_cannot();
	for (member = 0; member < MEMBER_COUNT; member++) {
		with_member(&web4, WEB4, member);
		with_member(&web6, WEB6, member);
		with_member(&dns4, DNS4, member);
		with_member(&dns6, DNS6, member);
	}
}

#define DF .fragment = 0x4000
#define TAG .tag = {{0x8100, 5}}
#define TWO_TAGS .tag = {{0x88a8, 7}, {0x8100, 5}}

static void answers_are_the_same(void **state)
{
	static const struct spec big[] = {
		{WEB4_TCP, DF, .payload = 1460},
		{WEB4_TCP, DF, .payload = 8900},
		{WEB4_TCP, .payload = 1460},
		{WEB4_TCP, DF, .options = 40, .payload = 1460},
		{WEB4_TCP, DF, .payload = 1460, .poke = {{ETH + 10, 1}}},
		{TAG, WEB4_TCP, DF, .payload = 1460},
		{TWO_TAGS, WEB4_TCP, DF, .payload = 1460},
	};
	static const struct spec big6[] = {
		{WEB6_TCP, .payload = 1440},
		{WEB6_TCP, .payload = 8900},
		{TAG, WEB6_TCP, .payload = 1440},
		{TWO_TAGS, WEB6_TCP, .payload = 1440},
	};
	static const struct spec echo[] = {
		{PACKET4(ICMP, "192.0.2.10", 0), .payload = 56},
		{PACKET6(ICMPV6, "2001:db8::10", 0), .payload = 56},
		{PACKET4(ICMP, "192.0.2.10", 0), .payload = 8900},
		{TAG, PACKET4(ICMP, "192.0.2.10", 0), .payload = 56},
		{TWO_TAGS, PACKET6(ICMPV6, "2001:db8::10", 0), .payload = 1},
		{PACKET4(ICMP, "192.0.2.99", 0), .payload = 56},
	};
	size_t i;

	(void)state;
	skip_if_the_kernel_cannot();
	for (i = 0; i < COUNT(big); i++) {
		with_member(&big[i], WEB4, TO4);
		with_member(&big[i], WEB4, GUE6);
	}
	for (i = 0; i < COUNT(big6); i++) {
		with_member(&big6[i], WEB6, TO4);
		with_member(&big6[i], WEB6, GUE6);
	}
	for (i = 0; i < COUNT(echo); i++)
		same_wherever_the_headers_are(&echo[i]);
}

static void two_tags_beyond_the_first_buffer_are_no_headroom(void **state)
{
	static const struct spec spec = {TWO_TAGS, WEB4_TCP};
	static struct frame in, out;
	struct counts before, after;

	(void)state;
	skip_if_the_kernel_cannot();
	frame_build(&spec, &in);
	harness_counts(&before);
	assert_int_equal(run(&in, 1, &out), XDP_DROP);
	harness_counts(&after);
	assert_int_equal(after.verdict[LB_DROP_NO_HEADROOM] - before.verdict[LB_DROP_NO_HEADROOM],
			 1);
}

static int open_harness(void **state)
{
	static const struct spec spec = {WEB4_TCP};
	static struct frame in, out;

	(void)state;
	if (harness_open_answering(RATE))
		return -1;
	frame_build(&spec, &in);
	kernel_can = run(&in, 20, &out) != -EINVAL;
	return 0;
}

#define ROWS(rows)                                                                                 \
	{                                                                                          \
#rows " come out the same", rows_come_out_the_same, NULL, NULL, &(struct group)    \
		{                                                                                  \
			rows, COUNT(rows)                                                          \
		}                                                                                  \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROWS(rows),
		ROWS(link_rows),
		ROWS(extension_rows),
		ROWS(icmp_rows),
		ROWS(fragment_rows),
		cmocka_unit_test(faults_have_the_same_name),
		cmocka_unit_test(every_member_gets_the_same),
		cmocka_unit_test(answers_are_the_same),
		cmocka_unit_test(two_tags_beyond_the_first_buffer_are_no_headroom),
	};

	return cmocka_run_group_tests_name("headers in other buffers", tests, open_harness,
					   harness_tear_down);
}
