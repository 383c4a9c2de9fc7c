// SPDX-License-Identifier: BSD-2-Clause
/* Does the SYN guard answer each SYN as it should, byte for byte, and let all else pass as ever?
 *
 * What is expected is written here from RFC 9293, RFC 7323 and the layout of the cookie, with lbd's
 * own SipHash: nothing of the program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "../../lbd/plane/guard.h"
#include "../../lbd/service/siphash.h"
#include "harness.h"
#include "rows.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ISN 0x01020304u /* as frame.c has it */
#define MSS4 1432
#define MSS6 1412
#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define ECE 0x40
#define CWR 0x80
#define HALF_SHIFT 36

static const uint64_t key[2] = {0x0123456789abcdef, 0x5a5aa5a5deadbeef};
static const uint64_t other_key[2] = {0x1111111111111111, 0x2222222222222222};

static struct datapath *plane(void)
{
	return harness_datapath();
}

/* --- the guard on the harness's VIPs --- */

static void rules_set(uint32_t rules)
{
	const struct lb_guard_vip rules4 = {.rules = rules, .syn_mss = MSS4};
	const struct lb_guard_vip rules6 = {.rules = rules, .syn_mss = MSS6};

	assert_int_equal(harness_vip_guard(WEB4, "192.0.2.10:443/tcp", &rules4), 0);
	assert_int_equal(harness_vip_guard(WEB6, "[2001:db8::10]:443/tcp", &rules6), 0);
	assert_int_equal(harness_vip_guard(DNS4, "192.0.2.10:53/udp", &rules4), 0);
}

static void keys_set(uint32_t count)
{
	struct lb_guard_secret *secret = datapath_guard_maps(plane()).secret;

	memcpy(secret->key[2], key, sizeof(key));
	memcpy(secret->key[1], other_key, sizeof(other_key));
	secret->now = lb_guard_now(2, 1, count);
}

static int begin(void **state)
{
	struct lb_err err = {0};

	(void)state;
	if (datapath_guard_use(plane(), GUARD_SYN, &err))
		fail_msg("%s; %s", err.message, err.hint);
	rules_set(LB_GUARD_SYN_ANSWER | LB_GUARD_SYN_OPENS);
	keys_set(2);
	return 0;
}

static int end(void **state)
{
	(void)state;
	harness_first_buffer(-1);
	datapath_guard_drop(plane(), GUARD_SYN);
	return 0;
}

/* --- the model --- */

static uint32_t half_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_TAI, &now);
	return ((uint64_t)now.tv_sec * 1000000000 + now.tv_nsec) >> HALF_SHIFT;
}

struct cookie {
	uint32_t sequence, timestamp;
};

static struct cookie cookie_of(const uint64_t by[2], const struct flow *flow, uint32_t isn,
			       uint32_t epoch, uint8_t bits, bool timestamps)
{
	const size_t size = flow->family == 4 ? 4 : 16;
	const uint16_t ports[2] = {htons(flow->sport), htons(flow->dport)};
	uint8_t bytes[64], *at = bytes;
	uint64_t hash;

	memcpy(at, flow->source, size);
	memcpy(at + size, flow->destination, size);
	at += 2 * size;
	memcpy(at, ports, 4);
	memcpy(at + 4, &isn, 4);
	memcpy(at + 8, &epoch, 4);
	at[12] = bits;
	at[13] = 10;
	at[14] = timestamps + (flow->family == 6 ? 2 : 0);
	hash = siphash(by, bytes, at + 15 - bytes);
	return (struct cookie){.sequence = (hash >> 32) << 9 | (epoch & 1) << 8 | bits,
			       .timestamp = hash};
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static size_t hex(const char *text, uint8_t *out)
{
	size_t count = 0;

	for (; *text; text += 2 + (text[2] == ' '))
		if (sscanf(text, "%2hhx", &out[count++]) != 1)
			abort();
	return count;
}

static void fill_checksum(uint8_t *tcp, size_t length, const struct flow *flow)
{
	const size_t size = flow->family == 4 ? 4 : 16;
	uint8_t bytes[128] = {0};

	memcpy(bytes, flow->source, size);
	memcpy(bytes + size, flow->destination, size);
	put16(bytes + 2 * size, IPPROTO_TCP);
	put16(bytes + 2 * size + 2, length);
	memcpy(bytes + 2 * size + 4, tcp, length);
	put16(tcp + 16, frame_checksum(bytes, 2 * size + 4 + length));
}

/* The SYN-ACK owed to `in`, whose options are `options`: "TTTTTTTT" in it becomes our TSval. */
static void expect_answer(const struct frame *in, const struct flow *flow, const char *options,
			  uint8_t bits, uint32_t half, struct frame *out)
{
	uint8_t *tcp, *ip = out->bytes + flow->l3;
	struct cookie cookie;
	size_t length, timestamp = 0;
	char text[128];

	*out = *in;
	memcpy(out->bytes, in->bytes + 6, 6);
	memcpy(out->bytes + 6, in->bytes, 6);
	memset(ip, 0, flow->l4 - flow->l3);
	snprintf(text, sizeof(text), "%s", options);
	if (strstr(text, "TTTTTTTT")) {
		timestamp = (strstr(text, "TTTTTTTT") - text) / 2;
		memcpy(text + 2 * timestamp, "00000000", 8);
	}
	cookie = cookie_of(key, flow, ISN, half >> 1, bits, timestamp);
	tcp = out->bytes + flow->l4;
	memset(tcp, 0, 20);
	length = 20 + hex(text, tcp + 20);
	put16(tcp, flow->dport);
	put16(tcp + 2, flow->sport);
	put32(tcp + 4, cookie.sequence);
	put32(tcp + 8, ISN + 1);
	tcp[12] = length / 4 << 4;
	tcp[13] = SYN | ACK;
	put16(tcp + 14, 32768);
	if (timestamp)
		put32(tcp + 20 + timestamp, cookie.timestamp);
	fill_checksum(tcp, length, flow);
	if (flow->family == 4) {
		ip[0] = 0x45;
		put16(ip + 2, 20 + length);
		put16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		memcpy(ip + 12, flow->destination, 4);
		memcpy(ip + 16, flow->source, 4);
		put16(ip + 10, frame_checksum(ip, 20));
	} else {
		ip[0] = 0x60;
		put16(ip + 4, length);
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		memcpy(ip + 8, flow->destination, 16);
		memcpy(ip + 24, flow->source, 16);
	}
	if (flow->l3 + flow->ip_length > flow->l4 + length)
		out->length = flow->l4 + length;
}

/* --- SYNs that are answered --- */

static const struct {
	const char *name, *options, *answer4, *answer6;
	uint8_t bits4, bits6; /* MSS index:3 | SACK:1 | window scale:4 */
} options_rows[] = {
	{"none", "", "", "", 0x0f, 0x0f},
	{"MSS", "020405b4", "02040598", "02040584", 6 << 5 | 15, 6 << 5 | 15},
	{"as Linux", "020405b4 0402 080aaabbccdd00000000 01 030307",
	 "02040598 0402080aTTTTTTTTaabbccdd 0103030a", "02040584 0402080aTTTTTTTTaabbccdd 0103030a",
	 6 << 5 | 16 | 7, 6 << 5 | 16 | 7},
	{"as Windows", "020405b4 01 030308 01 01 0402", "02040598 04020101 0103030a",
	 "02040584 04020101 0103030a", 6 << 5 | 16 | 8, 6 << 5 | 16 | 8},
	{"as macOS", "020405b4 01 030306 0101 080aaabbccdd00000000 0402 0000",
	 "02040598 0402080aTTTTTTTTaabbccdd 0103030a", "02040584 0402080aTTTTTTTTaabbccdd 0103030a",
	 6 << 5 | 16 | 6, 6 << 5 | 16 | 6},
	{"timestamps alone", "0101 080aaabbccdd00000000", "0101080aTTTTTTTTaabbccdd",
	 "0101080aTTTTTTTTaabbccdd", 0x0f, 0x0f},
	{"window scale alone", "01 030300", "0103030a", "0103030a", 0, 0},
	{"window scale beyond 14", "01 0303ff", "0103030a", "0103030a", 14, 14},
	{"SACK alone", "0101 0402", "04020101", "04020101", 0x1f, 0x1f},
	{"timestamps and window scale, packed", "080aaabbccdd00000000 030302 000000",
	 "0101080aTTTTTTTTaabbccdd 0103030a", "0101080aTTTTTTTTaabbccdd 0103030a", 2, 2},
	{"a small MSS", "02040100", "02040598", "02040584", 0x0f, 0x0f},
	{"a large MSS", "02042328", "02040598", "02040584", 7 << 5 | 15, 7 << 5 | 15},
	{"one that nobody knows", "fd04f989 020405b4 2202 0101", "02040598", "02040584",
	 6 << 5 | 15, 6 << 5 | 15},
	{"40 bytes",
	 "020405b4 0402 080aaabbccdd00000000 01 030307 fd12 f989aabbccddeeff00112233445566ff 0101",
	 "02040598 0402080aTTTTTTTTaabbccdd 0103030a", "02040584 0402080aTTTTTTTTaabbccdd 0103030a",
	 6 << 5 | 16 | 7, 6 << 5 | 16 | 7},
	{"one that is cut off after good ones", "020405b4 0402 080a", "02040598 04020101",
	 "02040584 04020101", 6 << 5 | 16 | 15, 6 << 5 | 16 | 15},
	{"one without length", "020405b4 0500 0402", "02040598", "02040584", 6 << 5 | 15,
	 6 << 5 | 15},
	{"end before others", "020405b4 00 030307", "02040598", "02040584", 6 << 5 | 15,
	 6 << 5 | 15},
};

static void build(const struct spec *spec, const char *options, struct frame *in, struct flow *flow)
{
	uint8_t bytes[64];
	const size_t length = hex(options, bytes);
	struct spec own = *spec;

	own.tcp_options = length;
	frame_build(&own, in);
	assert_true(frame_flow(in, flow));
	memcpy(in->bytes + flow->l4 + 20, bytes, length);
}

static void without_spaces(const char *text, char *out)
{
	for (; *text; text++)
		if (*text != ' ')
			*out++ = *text;
	*out = '\0';
}

/* Again where the epoch has changed in between. */
static void assert_answered(const char *name, const struct spec *spec, const char *options,
			    const char *answer, uint8_t bits)
{
	static struct frame in, out, expected;
	struct counts before, after;
	char given[128], wanted[128];
	struct flow flow;
	uint32_t half;
	int action;

	without_spaces(options, given);
	without_spaces(answer, wanted);
	build(spec, given, &in, &flow);
	do {
		half = half_now();
		harness_counts(&before);
		action = harness_run(&in, 0, &out);
		harness_counts(&after);
	} while (half != half_now());
	if (action != XDP_TX || after.verdict[LB_TX_SYN] != before.verdict[LB_TX_SYN] + 1)
		fail_msg("%s: action %d, and tx_syn counts %d", name, action,
			 (int)(after.verdict[LB_TX_SYN] - before.verdict[LB_TX_SYN]));
	expect_answer(&in, &flow, wanted, bits, half, &expected);
	if (!frame_equal(&expected, &out))
		fail_msg("%s: another answer", name);
	assert_true(out.length <= in.length);
}

static void syn_is_answered_with_what_it_offers(void **state)
{
	const struct spec spec4 = {WEB4_TCP, .tcp_flags = SYN},
			  spec6 = {WEB6_TCP, .tcp_flags = SYN};

	(void)state;
	for (size_t i = 0; i < COUNT(options_rows); i++) {
		assert_answered(options_rows[i].name, &spec4, options_rows[i].options,
				options_rows[i].answer4, options_rows[i].bits4);
		assert_answered(options_rows[i].name, &spec6, options_rows[i].options,
				options_rows[i].answer6, options_rows[i].bits6);
	}
}

static const struct {
	const char *name;
	struct spec spec;
} syn_rows[] = {
	{"data is cut off", {WEB4_TCP, .tcp_flags = SYN, .payload = 400}},
	{"data is cut off, IPv6", {WEB6_TCP, .tcp_flags = SYN, .payload = 400}},
	{"a VLAN tag stays", {WEB4_TCP, .tcp_flags = SYN, .tag = {{0x8100, 0x0064}}}},
	{"two tags stay, IPv6",
	 {WEB6_TCP, .tcp_flags = SYN, .tag = {{0x88a8, 0x0064}, {0x8100, 0x0065}}}},
	{"ECN is not agreed on", {WEB4_TCP, .tcp_flags = SYN | ECE | CWR}},
	{"ECN and DSCP do not come back", {WEB4_TCP, .tcp_flags = SYN, .tos = 0xbb}},
	{"the traffic class and flow label neither",
	 {WEB6_TCP, .tcp_flags = SYN, .tos = 0xbb, .label = 0x12345}},
	{"PSH does not matter", {WEB4_TCP, .tcp_flags = SYN | PSH}},
	{"a TTL of 1", {WEB4_TCP, .tcp_flags = SYN, .ttl = 1}},
	{"any port of the client",
	 {.family = 4,
	  .protocol = IPPROTO_TCP,
	  .source = "203.0.113.255",
	  .destination = "192.0.2.10",
	  .sport = 1,
	  .dport = 443,
	  .tcp_flags = SYN}},
};

static void syn_is_answered_however_it_comes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(syn_rows); i++) {
		const bool six = syn_rows[i].spec.family == 6;

		assert_answered(syn_rows[i].name, &syn_rows[i].spec,
				"020405b4 0402 080aaabbccdd00000000 01 030307",
				six ? "02040584 0402080aTTTTTTTTaabbccdd 0103030a"
				    : "02040598 0402080aTTTTTTTTaabbccdd 0103030a",
				6 << 5 | 16 | 7);
	}
}

static void syn_is_answered_wherever_its_headers_are(void **state)
{
	const struct spec specs[] = {{WEB4_TCP, .tcp_flags = SYN},
				     {WEB6_TCP, .tcp_flags = SYN, .payload = 100}};

	(void)state;
	for (int bytes = 0; bytes <= 100; bytes++) {
		harness_first_buffer(bytes);
		for (size_t i = 0; i < COUNT(specs); i++)
			assert_answered("in several buffers", &specs[i],
					"020405b4 0402 080aaabbccdd00000000 01 030307",
					i ? "02040584 0402080aTTTTTTTTaabbccdd 0103030a"
					  : "02040598 0402080aTTTTTTTTaabbccdd 0103030a",
					6 << 5 | 16 | 7);
	}
}

/* --- SYNs that are not --- */

static const struct {
	const char *name;
	struct spec spec;
} drop_rows[] = {
	{"FIN beside", {WEB4_TCP, .tcp_flags = SYN | FIN}},
	{"RST beside", {WEB6_TCP, .tcp_flags = SYN | RST}},
	{"a first fragment", {WEB4_TCP, .tcp_flags = SYN, .fragment = 0x2000, .payload = 64}},
	{"IPv4 options", {WEB4_TCP, .tcp_flags = SYN, .options = 8}},
	{"an extension header",
	 {WEB6_TCP, .tcp_flags = SYN, .extension = EXTENSION(IPPROTO_DSTOPTS)}},
	{"a wrong checksum of the IP header",
	 {WEB4_TCP, .tcp_flags = SYN, .poke = {{ETH + 10, 1}}}},
	{"a TCP header that is too short",
	 {WEB4_TCP, .tcp_flags = SYN, .poke = {{ETH + 32, 0x40}}}},
	{"options beyond the packet",
	 {WEB4_TCP, .tcp_flags = SYN, .poke = {{ETH + 32, 0x60}}, .padding = 4}},
	{"a frame from a group", {WEB4_TCP, .tcp_flags = SYN, .poke = {{6, 0x33}}}},
};

static uint64_t dropped_by(const struct frame *in, int verdict)
{
	static struct frame out;
	struct counts before, after;
	int action;

	harness_counts(&before);
	action = harness_run(in, 0, &out);
	harness_counts(&after);
	return action == XDP_DROP ? after.verdict[verdict] - before.verdict[verdict] : 0;
}

static void what_cannot_be_answered_is_dropped(void **state)
{
	static struct frame in;

	(void)state;
	for (size_t i = 0; i < COUNT(drop_rows); i++) {
		frame_build(&drop_rows[i].spec, &in);
		if (dropped_by(&in, LB_DROP_GUARD) != 1)
			fail_msg("%s: not dropped", drop_rows[i].name);
	}
}

static void without_a_secret_nothing_is_answered(void **state)
{
	const struct spec spec = {WEB4_TCP, .tcp_flags = SYN};
	static struct frame in;

	(void)state;
	keys_set(0);
	frame_build(&spec, &in);
	assert_int_equal(dropped_by(&in, LB_DROP_GUARD), 1);
}

/* --- all else --- */

static void assert_forwarded(const char *name, const struct spec *spec, enum vip_index vip)
{
	static struct frame in, out, expected;
	struct flow flow;

	frame_build(spec, &in);
	assert_true(frame_flow(&in, &flow));
	harness_slot_set(vip, harness_slot(vip, &flow), TO4);
	if (harness_run(&in, 0, &out) != XDP_TX)
		fail_msg("%s: not forwarded", name);
	harness_wrap(&in, TO4, harness_hash(vip, &flow), &expected);
	if (!frame_equal(&expected, &out))
		fail_msg("%s: changed", name);
}

static void all_else_is_forwarded(void **state)
{
	(void)state;
	assert_forwarded("ACK", &(struct spec){WEB4_TCP, .tcp_flags = ACK}, WEB4);
	assert_forwarded("data", &(struct spec){WEB6_TCP, .tcp_flags = ACK, .payload = 99}, WEB6);
	assert_forwarded("FIN", &(struct spec){WEB4_TCP, .tcp_flags = ACK | FIN}, WEB4);
	assert_forwarded("RST", &(struct spec){WEB4_TCP, .tcp_flags = RST}, WEB4);
	assert_forwarded("SYN-ACK", &(struct spec){WEB4_TCP, .tcp_flags = SYN | ACK}, WEB4);
	assert_forwarded("UDP", &(struct spec){DNS4_UDP, .payload = 9}, DNS4);
	assert_forwarded("a SYN to another VIP",
			 &(struct spec){PACKET4(TCP, "192.0.2.10", 53), .tcp_flags = SYN},
			 DNS_TCP4);
	rules_set(LB_GUARD_SYN_OPENS);
	assert_forwarded("a SYN while the guard is off", &(struct spec){WEB4_TCP, .tcp_flags = SYN},
			 WEB4);
}

/* --- the ACK in a slot that moves --- */

#define FROM AWAY4
#define TO TO4

/* What brings the cookie by `by`, with timestamps or without. */
static void build_ack(const struct spec *spec, const uint64_t by[2], bool timestamps, int epochs,
		      struct frame *out, struct flow *flow)
{
	struct cookie cookie;

	build(spec, timestamps ? "0101080a0000000100000000" : "", out, flow);
	cookie = cookie_of(by, flow, ISN - 1, (half_now() >> 1) + epochs, 0xd7, timestamps);
	put32(out->bytes + flow->l4 + 8, cookie.sequence + 1);
	if (timestamps)
		put32(out->bytes + flow->l4 + 28, cookie.timestamp);
}

static uint32_t chain; /* LB_MEMBER_CHAIN: both have it */
static struct tag tag; /* of what comes */

static enum member_index taker(enum vip_index vip, const struct frame *in, const struct flow *flow)
{
	static struct frame out, expected;
	uint32_t start = 0;

	for (enum vip_index i = 1; i < vip; i++)
		start += harness_vip_size(i);
	datapath_vip_pools(plane())[vip] = lb_pools(0, 0, 0);
	for (int i = 0; i < 2; i++) {
		struct lb_member *member = &datapath_members(plane())[i ? TO : FROM];

		member->pool = 0;
		member->flags |= LB_MEMBER_NEW | LB_MEMBER_OLD;
		member->flags = (member->flags & ~LB_MEMBER_CHAIN) | chain;
	}
	datapath_slots(plane())[start + harness_slot(vip, flow)] = lb_slot_word(TO, FROM);
	datapath_plane(plane()).pasts[start + harness_slot(vip, flow)] = FROM << 16 | FROM;
	harness_run(in, 0, &out);
	harness_slot_set(vip, harness_slot(vip, flow), DECOY);
	harness_wrap(in, TO, harness_hash(vip, flow), &expected);
	return out.length == expected.length && !memcmp(out.bytes, expected.bytes, out.length)
		       ? TO
		       : FROM;
}

/* Each case has a port of its own: what one does to the flow table is no other's. */
static enum member_index taker_of(bool six, const uint64_t by[2], bool timestamps, int epochs,
				  uint8_t flags, int fault)
{
	static uint16_t port = 2000;
	static struct frame in;
	struct spec spec6 = {WEB6_TCP, .tcp_flags = flags}, spec = {WEB4_TCP, .tcp_flags = flags};
	struct flow flow;

	if (six)
		spec = spec6;
	spec.sport = port++;
	spec.tag[0] = tag;
	build_ack(&spec, by, timestamps, epochs, &in, &flow);
	if (fault)
		in.bytes[flow.l4 + fault] ^= 0x10;
	return taker(six ? WEB6 : WEB4, &in, &flow);
}

static void ack_with_a_cookie_opens_a_flow(void **state)
{
	(void)state;
	for (int six = 0; six < 2; six++) {
		for (int timestamps = 0; timestamps < 2; timestamps++) {
			assert_int_equal(taker_of(six, key, timestamps, 0, ACK, 0), TO);
			assert_int_equal(taker_of(six, key, timestamps, 0, ACK | PSH, 0), TO);
			assert_int_equal(taker_of(six, other_key, timestamps, 0, ACK, 0), TO);
			assert_int_equal(taker_of(six, key, timestamps, 0, ACK, 8), FROM);
			assert_int_equal(taker_of(six, key, timestamps, 0, ACK, 4), FROM);
			assert_int_equal(taker_of(six, key, timestamps, -2, ACK, 0), FROM);
			assert_int_equal(taker_of(six, key, timestamps, 0, ACK | RST, 0), FROM);
		}
		assert_int_equal(taker_of(six, key, true, 0, ACK, 30), FROM);
	}
}

/* As a SYN has none: nobody else can have the connection. */
static void ack_with_a_cookie_brings_no_list(void **state)
{
	(void)state;
	chain = LB_MEMBER_CHAIN;
	for (int six = 0; six < 2; six++) {
		tag = (struct tag){0};
		assert_int_equal(taker_of(six, key, false, 0, ACK, 0), TO);
		assert_int_equal(taker_of(six, key, false, 0, ACK, 8), FROM);
		tag.type = 0x8100;
		assert_int_equal(taker_of(six, key, false, 0, ACK, 0), TO);
		assert_int_equal(taker_of(six, key, false, 0, ACK, 8), FROM);
	}
	chain = 0;
	tag = (struct tag){0};
}

static void only_keys_in_use_open_flows(void **state)
{
	(void)state;
	keys_set(1);
	assert_int_equal(taker_of(false, key, true, 0, ACK, 0), TO);
	assert_int_equal(taker_of(false, other_key, true, 0, ACK, 0), FROM);
	rules_set(LB_GUARD_SYN_ANSWER);
	assert_int_equal(taker_of(false, key, true, 0, ACK, 0), FROM);
}

static struct lb_guard_syns counted(enum vip_index vip)
{
	struct lb_guard_syns counts;

	assert_int_equal(datapath_syn_counts(plane(), vip, &counts), 0);
	return counts;
}

static void assert_counted(uint64_t seen, uint64_t answered, uint64_t opened)
{
	const struct lb_guard_syns counts = counted(WEB4);

	assert_int_equal(counts.seen, seen);
	assert_int_equal(counts.answered, answered);
	assert_int_equal(counts.opened, opened);
}

static void syns_are_counted_where_they_are_to_be(void **state)
{
	const struct spec syn = {WEB4_TCP, .tcp_flags = SYN}, ack = {WEB4_TCP, .tcp_flags = ACK},
			  wrong = {WEB4_TCP, .tcp_flags = SYN | FIN};
	static struct frame in, out;
	struct flow flow;

	(void)state;
	assert_int_equal(datapath_syn_counts_reset(plane(), WEB4), 0);
	rules_set(LB_GUARD_SYN_OPENS);
	assert_forwarded("SYN", &syn, WEB4);
	assert_counted(0, 0, 0);
	rules_set(LB_GUARD_SYN_COUNT);
	assert_forwarded("SYN", &syn, WEB4);
	assert_forwarded("ACK", &ack, WEB4);
	assert_counted(1, 0, 0);
	rules_set(LB_GUARD_SYN_ANSWER | LB_GUARD_SYN_OPENS);
	build(&syn, "", &in, &flow);
	assert_int_equal(harness_run(&in, 0, &out), XDP_TX);
	assert_counted(2, 1, 0);
	build(&wrong, "", &in, &flow);
	assert_int_equal(harness_run(&in, 0, &out), XDP_DROP);
	assert_counted(3, 1, 0);
	assert_int_equal(taker_of(false, key, true, 0, ACK, 0), TO);
	assert_int_equal(taker_of(false, key, true, 0, ACK, 8), FROM);
	assert_counted(3, 1, 1);
	assert_int_equal(counted(WEB6).opened, 0);
}

static int open_harness(void **state)
{
	harness_pin();
	return harness_set_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(syn_is_answered_with_what_it_offers, begin, end),
		cmocka_unit_test_setup_teardown(syn_is_answered_however_it_comes, begin, end),
		cmocka_unit_test_setup_teardown(syn_is_answered_wherever_its_headers_are, begin,
						end),
		cmocka_unit_test_setup_teardown(what_cannot_be_answered_is_dropped, begin, end),
		cmocka_unit_test_setup_teardown(without_a_secret_nothing_is_answered, begin, end),
		cmocka_unit_test_setup_teardown(all_else_is_forwarded, begin, end),
		cmocka_unit_test_setup_teardown(ack_with_a_cookie_opens_a_flow, begin, end),
		cmocka_unit_test_setup_teardown(ack_with_a_cookie_brings_no_list, begin, end),
		cmocka_unit_test_setup_teardown(only_keys_in_use_open_flows, begin, end),
		cmocka_unit_test_setup_teardown(syns_are_counted_where_they_are_to_be, begin, end),
	};

	return cmocka_run_group_tests(tests, open_harness, harness_tear_down);
}
