/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the loaded program find each of many VIPs, and no other, where lines of the VIP index are
 * too full to hold them all; while they come and go?
 *
 * One slot a VIP. The slot of the VIP that is looked for has a member without a next hop, all
 * others have none: so the verdict tells which VIP was found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lbd/plane/datapath.h"
#include "frame.h"

#define VIPS 40u /* of a family; the index has eight lines of four */

static struct datapath *datapath;

struct family {
	uint8_t number;
	const char *client, *prefix;
};
static struct family ipv4 = {4, "198.51.100.7", "192.0.2."};
static struct family ipv6 = {6, "2001:db8:c::7", "2001:db8::"};

static int open_datapath(void **state)
{
	const struct datapath_options options = {
		.vips = 7, .members = 2, .slots = VIPS, .flows = 8, .seed = {1, 2}};
	struct lb_err err = {0};

	if (datapath_open(&options, &datapath, &err)) {
		fprintf(stderr, "%s: %s\n", err.message, err.hint);
		return -1;
	}
	datapath_members(datapath)[0] = (struct lb_member){.flags = LB_MEMBER_VALID};
	memset(datapath_slots(datapath), 0xff, VIPS * sizeof(uint32_t));
	(void)state;
	return 0;
}

static int close_datapath(void **state)
{
	(void)state;
	datapath_close(datapath);
	return 0;
}

/* --- VIPs: those of even numbers have port 443, of odd ones 80; the first has every port --- */

static uint16_t port_of(uint32_t vip)
{
	return vip == 0 ? 0 : vip % 2 ? 80 : 443;
}

static const char *address_of(const struct family *family, uint32_t vip)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s%u", family->prefix, 10 + vip);
	return text;
}

static struct lb_endpoint endpoint_of(const struct family *family, uint32_t vip)
{
	struct lb_endpoint endpoint = {.port = port_of(vip), .protocol = IPPROTO_TCP};

	assert_int_equal(lb_addr_parse(address_of(family, vip), &endpoint.address, NULL), 0);
	return endpoint;
}

static void add(const struct family *family, uint32_t vip)
{
	const struct lb_endpoint endpoint = endpoint_of(family, vip);
	const struct lb_vip_value value = {.number = vip, .slots_start = vip, .slots_size = 1};

	assert_int_equal(datapath_vip_set(datapath, &endpoint, &value, NULL), 0);
}

static void del(const struct family *family, uint32_t vip)
{
	const struct lb_endpoint endpoint = endpoint_of(family, vip);

	assert_int_equal(datapath_vip_del(datapath, &endpoint, NULL), 0);
}

/* --- packets --- */

static enum lb_verdict verdict_of(const struct family *family, uint32_t vip, uint16_t port)
{
	const struct spec spec = {.family = family->number,
				  .protocol = IPPROTO_TCP,
				  .source = family->client,
				  .destination = address_of(family, vip),
				  .sport = 40000,
				  .dport = port};
	static struct frame frame, out;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.bytes, .data_out = out.bytes,
		    .data_size_out = sizeof(out.bytes));
	uint64_t before[LB_VERDICT_COUNT], after[LB_VERDICT_COUNT];
	enum lb_verdict verdict;

	frame_build(&spec, &frame);
	run.data_size_in = frame.length;
	assert_int_equal(datapath_verdicts(datapath, before), 0);
	assert_int_equal(bpf_prog_test_run_opts(datapath_program_fd(datapath), &run), 0);
	assert_int_equal(datapath_verdicts(datapath, after), 0);
	for (verdict = 0; verdict < LB_VERDICT_COUNT; verdict++)
		if (after[verdict] != before[verdict])
			return verdict;
	return LB_VERDICT_COUNT;
}

static void check_vip(const struct family *family, uint32_t vip, bool present)
{
	const uint16_t port = port_of(vip) ? port_of(vip) : 5000;
	uint32_t *slot = &datapath_slots(datapath)[vip];

	*slot = lb_slot_settled(0);
	assert_int_equal(verdict_of(family, vip, port),
			 present ? LB_DROP_UNRESOLVED : LB_PASS_NOT_VIP);
	*slot = lb_slot_settled(LB_NONE);
	if (vip)
		assert_int_equal(verdict_of(family, vip, port + 1), LB_PASS_NOT_VIP);
}

static void each_vip_is_found_and_no_other_while_they_come_and_go(void **state)
{
	const struct family *family = *state;
	bool present[VIPS] = {false};
	uint32_t step, vip;

	srandom(family->number);
	for (step = 0; step < 100; step++) {
		/* Mostly many, so that there is more than fits. */
		vip = random() % VIPS;
		if (!present[vip])
			add(family, vip);
		else if (random() % 4 == 0)
			del(family, vip);
		else
			continue;
		present[vip] = !present[vip];
		for (vip = 0; vip < VIPS; vip++)
			check_vip(family, vip, present[vip]);
	}
	for (vip = 0; vip < VIPS; vip++)
		if (present[vip])
			del(family, vip);
}

/* With 32 places for 40, eight at least are beyond the index. */
static void all_are_found_where_not_all_fit(void **state)
{
	uint32_t vip;

	for (vip = 0; vip < VIPS; vip++)
		add(*state, vip);
	for (vip = 0; vip < VIPS; vip++)
		check_vip(*state, vip, true);
	for (vip = 0; vip < VIPS; vip++)
		del(*state, vip);
	for (vip = 0; vip < VIPS; vip++)
		check_vip(*state, vip, false);
}

/* An entry for fragments takes no packets with ports; made a VIP's own, and back, it does and does
 * not. */
static void entry_for_fragments_becomes_a_vip_and_back(void **state)
{
	const struct lb_endpoint endpoint = endpoint_of(*state, 0);
	struct lb_vip_value value = {.slots_size = 1,
				     .flags = LB_VIP_FRAGMENTS_3TUPLE | LB_VIP_FRAGMENTS_ONLY};
	int turn;

	for (turn = 0; turn < 2; turn++) {
		value.flags |= LB_VIP_FRAGMENTS_ONLY;
		assert_int_equal(datapath_vip_set(datapath, &endpoint, &value, NULL), 0);
		check_vip(*state, 0, false);
		value.flags &= ~LB_VIP_FRAGMENTS_ONLY;
		assert_int_equal(datapath_vip_set(datapath, &endpoint, &value, NULL), 0);
		check_vip(*state, 0, true);
	}
	del(*state, 0);
	check_vip(*state, 0, false);
}

/* The kernel takes 1,000,000, and one more branch before a stage can double them. At present they are at
 * most 119,000 (clang 19): there is room for twice as many, and a change that makes ten times as many is seen. */
#define VERIFIED_MAX 250000u

static void check_verified(const struct datapath *loaded, const struct datapath_options *options)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(datapath_program_fd(loaded), &info, &size), 0);
	if (info.verified_insns > VERIFIED_MAX || !info.verified_insns)
		fail_msg("%u VIPs, answer_rate %u: %u instructions verified, at most %u wanted",
			 options->vips, options->answer_rate, info.verified_insns, VERIFIED_MAX);
}

/* The verifier knows the settings, and walks other ways with others. */
static void program_loads_with_any_number_of_vips_and_head_room(void **state)
{
	static const uint32_t vips[] = {1, 3, 31, 1024, 10000, LB_VIPS_MAX};
	struct datapath *loaded;
	struct lb_err err = {0};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(vips) / sizeof(vips[0]); i++) {
		const struct datapath_options options = {
			.vips = vips[i / 2],
			.members = 2,
			.slots = 251,
			.flows = 8,
			.vip_counters = i % 2,
			.answer_rate = i % 2 ? 1000 : 0,
			.seed = {1, 2},
		};

		if (datapath_open(&options, &loaded, &err))
			fail_msg("%u VIPs: %s", options.vips, err.message);
		check_verified(loaded, &options);
		datapath_close(loaded);
	}
}

#define ROWS(test)                                                                                 \
	{#test ", IPv4", test, open_datapath, close_datapath, &ipv4},                              \
	{                                                                                          \
#test ", IPv6", test, open_datapath, close_datapath, &ipv6                         \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_loads_with_any_number_of_vips_and_head_room),
		ROWS(each_vip_is_found_and_no_other_while_they_come_and_go),
		ROWS(all_are_found_where_not_all_fit),
		ROWS(entry_for_fragments_becomes_a_vip_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
