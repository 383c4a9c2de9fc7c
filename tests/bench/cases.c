// SPDX-License-Identifier: BSD-2-Clause
/* Which cases are there? A new one is a row here; what it varies must be known to world.c. */
#include <netinet/in.h>
#include <string.h>
#include "../packet/aes_block.h"
#include "cases.h"

#define SYN 0x02
#define ACK 0x10
#define V6 .family = 6, .outer6 = true
#define UDP .protocol = IPPROTO_UDP
#define QUIC_SHORT 0x40 /* first byte of a packet with a short header */

/* Rows that are compared with each other stand side by side: they are measured one after the other
 * in each round. */
static const struct bench_case cases[] = {
	{.name = "tcp4-1", .flows = 1},
	{.name = "tcp4-1k", .flows = 1024},
	{.name = "tcp4-64k", .flows = 65536},
	{.name = "tcp4-1m", .flows = MILLION},
	{.name = "one-percent-moving-1m",
	 .flows = MILLION,
	 .slots = ONE_PERCENT_MOVING,
	 .records = RECORDS_PRESENT},
	{.name = "syn4-1m", .flows = MILLION, .tcp_flags = SYN},
	{.name = "syn4-1", .flows = 1, .tcp_flags = SYN},
	{.name = "cookie-1m", .flows = MILLION, .tcp_flags = SYN, .cookies = true},
	{.name = "tcp6-1", .flows = 1, V6},
	{.name = "tcp6-1k", .flows = 1024, V6},
	{.name = "tcp6-64k", .flows = 65536, V6},
	{.name = "tcp6-1m", .flows = MILLION, V6},
	{.name = "6in4-1m", .flows = MILLION, .family = 6},
	{.name = "4in6-1", .flows = 1, .outer6 = true},
	{.name = "4in6-1m", .flows = MILLION, .outer6 = true},
	{.name = "udp4-1", .flows = 1, UDP},
	{.name = "udp4-1m", .flows = MILLION, UDP},
	{.name = "quic4-1", .flows = 1, UDP, .quic = true},
	{.name = "quic4-1m", .flows = MILLION, UDP, .quic = true},
	{.name = "quic-key4-1", .flows = 1, UDP, .quic = true, .encrypted = true},
	{.name = "gue4-1m", .flows = MILLION, .gue = true},
	{.name = "gue6-1m", .flows = MILLION, V6, .gue = true},
	{.name = "hash-source-1m", .flows = MILLION, .by_source = true},
	{.name = "any-port-1m", .flows = MILLION, .any_port = true},
	{.name = "prefix4-1m", .flows = MILLION, .prefix = true},
	{.name = "prefix6-1m", .flows = MILLION, V6, .prefix = true},
	{.name = "port-range-1m", .flows = MILLION, .range = true},
	{.name = "beside-prefix-1", .flows = 1, .beside = true},
	{.name = "tcp4-128k", .flows = 131072},
	{.name = "lists-10", .flows = 131072, .prefixes = 10},
	{.name = "lists-10k", .flows = 131072, .prefixes = 10000},
	{.name = "lists-100k", .flows = 131072, .prefixes = 100000},
	{.name = "lists-1m", .flows = 131072, .prefixes = 999000},
	{.name = "rate-1k", .flows = 1024, .rate = MILLION},
	{.name = "rate-128k", .flows = 131072, .rate = MILLION},
	{.name = "tagged-1m", .flows = MILLION, .tagged = true},
	{.name = "icmp4-error-1m", .flows = MILLION, .icmp_error = true},
	{.name = "icmp6-error-1m", .flows = MILLION, V6, .icmp_error = true},
	{.name = "not-a-vip-1", .flows = 1, .stranger = true},
	{.name = "not-a-vip-1m", .flows = MILLION, .stranger = true},
	{.name = "moving-recorded-1k",
	 .flows = 1024,
	 .slots = ALL_MOVING,
	 .records = RECORDS_PRESENT},
	{.name = "moving-recorded-64k",
	 .flows = 65536,
	 .slots = ALL_MOVING,
	 .records = RECORDS_PRESENT},
	{.name = "moving-recorded-1m",
	 .flows = MILLION,
	 .slots = ALL_MOVING,
	 .records = RECORDS_PRESENT},
	{.name = "moving-unrecorded-1m", .flows = MILLION, .slots = ALL_MOVING},
	{.name = "moving-unrecorded-syn-1m",
	 .flows = MILLION,
	 .slots = ALL_MOVING,
	 .tcp_flags = SYN},
	{.name = "tracked-unrecorded-1m", .flows = MILLION, .slots = ALL_TRACKED},
	{.name = "vips-31-1m", .flows = MILLION, .vips = 31},
	{.name = "vips-100-1m", .flows = MILLION, .vips = 100, .members = 100, .table = 4093},
	{.name = "vips-10000-1m", .flows = MILLION, .vips = 10000, .members = 5, .table = 251},
	{.name = "pool-31", .flows = MILLION, .vips = 31, .pools = 1},
	{.name = "pool-100", .flows = MILLION, .vips = 100, .pools = 1},
	{.name = "pool-1000", .flows = MILLION, .vips = 1000, .pools = 1},
	{.name = "pool-10000", .flows = MILLION, .vips = 10000, .pools = 1},
	{.name = "pool-100000", .flows = MILLION, .vips = 100000, .pools = 1},
	{.name = "own-31-16381", .flows = MILLION, .vips = 31, .table = 16381},
	{.name = "members-10-1m", .flows = MILLION, .members = 10},
	{.name = "members-1000-1m", .flows = MILLION, .members = 1000},
};

size_t case_count(void)
{
	return sizeof(cases) / sizeof(*cases);
}

struct bench_case case_get(size_t index)
{
	struct bench_case bench_case = cases[index];

	if (!bench_case.family)
		bench_case.family = 4;
	if (!bench_case.protocol)
		bench_case.protocol = IPPROTO_TCP;
	if (!bench_case.tcp_flags && bench_case.protocol == IPPROTO_TCP)
		bench_case.tcp_flags = ACK;
	if (!bench_case.vips)
		bench_case.vips = 1;
	if (!bench_case.pools)
		bench_case.pools = bench_case.vips;
	if (!bench_case.members)
		bench_case.members = 100;
	if (!bench_case.table)
		bench_case.table = LB_TABLE_SIZE_DEFAULT;
	return bench_case;
}

struct bench_case case_named(const char *name)
{
	size_t index = 0;

	while (strcmp(cases[index].name, name))
		index++;
	return case_get(index);
}

const char *case_slots_name(enum slots_state slots)
{
	static const char *const names[] = {
		[ALL_SETTLED] = "settled",
		[ONE_PERCENT_MOVING] = "1 % moving",
		[ALL_MOVING] = "moving",
		[ALL_TRACKED] = "tracked",
	};

	return names[slots];
}

const char *case_source(uint8_t family)
{
	return family == 4 ? "198.18.0.0" : "2001:db8:c::";
}

const char *case_vip(const struct bench_case *bench_case)
{
	if (bench_case->stranger)
		return bench_case->family == 4 ? "10.99.0.0" : "2001:db8:99::";
	return bench_case->family == 4 ? "10.64.0.0" : "2001:db8:64::";
}

uint16_t case_port(const struct bench_case *bench_case)
{
	return bench_case->any_port ? 8443 : CASE_PORT;
}

/* What a router says of a packet on its way from the backend to the client. */
static void error_frame(const struct bench_case *bench_case, struct frame *frame)
{
	const bool ipv4 = bench_case->family == 4;
	const struct spec quote = {
		.family = bench_case->family,
		.protocol = bench_case->protocol,
		.source = case_vip(bench_case),
		.destination = case_source(bench_case->family),
		.sport = case_port(bench_case),
		.dport = 1024,
		.payload = 12,
	};
	const struct spec spec = {
		.family = bench_case->family,
		.protocol = ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
		.source = ipv4 ? "198.51.100.1" : "2001:db8:51::1",
		.destination = case_vip(bench_case),
		.icmp_type = ipv4 ? 3 : 2,
		.icmp_code = ipv4 ? 4 : 0,
		.quote = &quote,
	};

	frame_build(&spec, frame);
}

const uint8_t case_quic_key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
				   0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};

/* A short header, and an id of rotation 0 that names the first member. */
static void put_quic(struct frame *frame, bool encrypted)
{
	uint8_t *id = frame->bytes + CASE_QUIC_SERVER_ID;

	id[-2] = QUIC_SHORT;
	id[-1] = 0;
	memset(id, 0, CASE_QUIC_SERVER_ID_LENGTH);
	id[CASE_QUIC_SERVER_ID_LENGTH - 1] = 1;
	if (encrypted)
		aes_block_encrypt(case_quic_key, id);
}

/* The answer has as many, so that the frame keeps its length: MSS 1,460, SACK, timestamps, window scale 7. */
static const uint8_t linux_options[] = {2, 4, 5, 180, 4, 2, 8, 10, 1, 2,
					3, 4, 0, 0,   0, 0, 1, 3,  3, 7};

void case_frame(const struct bench_case *bench_case, struct frame *frame)
{
	const struct spec spec = {
		.tag[0] = {bench_case->tagged ? 0x8100 : 0, CASE_TAG},
		.family = bench_case->family,
		.protocol = bench_case->protocol,
		.source = case_source(bench_case->family),
		.destination = case_vip(bench_case),
		.sport = 1024,
		.dport = case_port(bench_case),
		.tcp_flags = bench_case->tcp_flags,
		.tcp_options = bench_case->cookies ? sizeof(linux_options) : 0,
		.payload = bench_case->quic      ? 40
			   : bench_case->cookies ? 0
						 : 12,
	};

	if (bench_case->icmp_error)
		error_frame(bench_case, frame);
	else
		frame_build(&spec, frame);
	if (bench_case->quic)
		put_quic(frame, bench_case->encrypted);
	if (bench_case->cookies)
		memcpy(frame->bytes + frame->length - sizeof(linux_options), linux_options,
		       sizeof(linux_options));
}

enum lb_verdict case_verdict(const struct bench_case *bench_case)
{
	if (bench_case->stranger)
		return LB_PASS_NOT_VIP;
	return bench_case->cookies ? LB_TX_SYN : LB_TX;
}

int case_growth(const struct bench_case *bench_case)
{
	if (bench_case->stranger || bench_case->cookies)
		return 0;
	return (bench_case->outer6 ? 40 : 20) + (bench_case->gue ? 8 : 0) -
	       (bench_case->tagged ? 4 : 0);
}

bool case_has_floor(const struct bench_case *bench_case)
{
	return !bench_case->stranger && !bench_case->tagged;
}

bool case_has_rival(const struct bench_case *bench_case)
{
	return !bench_case->gue && !bench_case->tagged && !bench_case->icmp_error &&
	       !bench_case->any_port && !bench_case->prefix && !bench_case->range &&
	       !bench_case->beside && !bench_case->quic && !bench_case->cookies &&
	       bench_case->pools == bench_case->vips;
}
