/* SPDX-License-Identifier: BSD-2-Clause */
/* Do the stages from the frame to the VIP read nothing that is not there, pass what is for no VIP,
 * and let nothing through that is not sound? Does the way of plain packets agree with that of all?
 *
 * The headers of the XDP program, compiled for this machine (xdp_shim.h). An input is a series of
 * frames: how many 16 bytes of the frame are not in its first buffer, the length in two bytes, the
 * frame. `packet_test --corpus FOLDER` writes one of each row.
 */
#include <arpa/inet.h>
#include "../../lbd/simulate/xdp_shim.h"

#include "../../bpf/maps.h"
#include "../../bpf/packet.h"

#define LB_ANSWER_H /* answers are not a matter of parsing */
static int answer_echo(struct xdp_md *ctx, const struct packet *packet)
{
	(void)ctx, (void)packet;
	return LB_TX_ECHO;
}

#include "../../bpf/parse.h"
#include "../../bpf/plain.h"
#include "../../bpf/rare.h"
#include "fuzz.h"

/* --- maps --- */

/* 192.0.2.LAST and 2001:db8::LAST, as in the rows of tests/packet. */
static struct {
	uint8_t last, protocol;
	uint16_t port;
	struct lb_vip_value value;
} vips[] = {
	{0x10, IPPROTO_TCP, 443, {1, 0, 251, 0}},
	{0x10, IPPROTO_UDP, 53, {2, 251, 251, 0}},
	{0x10, 0, 0, {1, 0, 0, LB_VIP_ADDRESS_ONLY}},
	{0x11, IPPROTO_TCP, 0, {3, 502, 251, LB_VIP_HASH_SOURCE}},
	{0x11, 0, 0, {3, 0, 0, LB_VIP_ADDRESS_ONLY}},
	{0x13, IPPROTO_SCTP, 5060, {4, 753, 251, 0}},
	{0x13, 0, 0, {4, 0, 0, LB_VIP_ADDRESS_ONLY}},
	{0x16, IPPROTO_UDP, 53, {5, 1004, 251, LB_VIP_FRAGMENTS_3TUPLE}},
	{0x16, IPPROTO_UDP, 0, {5, 1004, 251, LB_VIP_FRAGMENTS_3TUPLE | LB_VIP_FRAGMENTS_ONLY}},
	{0x16, 0, 0, {5, 0, 0, LB_VIP_ADDRESS_ONLY}},
	{0x17, IPPROTO_UDP, 53, {6, 1255, 251, LB_VIP_FRAGMENTS_DROP}},
	{0x17, 0, 0, {6, 0, 0, LB_VIP_ADDRESS_ONLY}},
};
#define VIPS (sizeof(vips) / sizeof(vips[0]))

/* The VIP addresses' last number is written in hexadecimal for IPv6, in decimal for IPv4. */
static const uint8_t prefix4[3] = {192, 0, 2};
static const uint8_t prefix6[15] = {0x20, 0x01, 0x0d, 0xb8};

static int last_of(const uint8_t *address, int family)
{
	if (family == 4)
		return memcmp(address, prefix4, 3) ? -1 : address[3] / 10 * 16 + address[3] % 10;
	return memcmp(address, prefix6, 15) ? -1 : address[15];
}

/* One line of each index, which holds what fits and sends to the hash maps for the rest. */
static struct lb_index4_line line4;
static struct lb_index6_line line6;

static void fill_index4(size_t way, size_t i)
{
	const uint8_t bytes[4] = {192, 0, 2, vips[i].last / 16 * 10 + vips[i].last % 16};
	uint32_t address;

	memcpy(&address, bytes, sizeof(address));
	line4.way[way].key = index_place4(address, htons(vips[i].port), vips[i].protocol).key |
			     (uint64_t)vips[i].value.flags << INDEX_FLAGS_SHIFT;
	line4.way[way].place =
		lb_place(vips[i].value.number, vips[i].value.slots_start, vips[i].value.slots_size);
}

static void fill_index6(size_t way, size_t i)
{
	uint8_t bytes[16] = {0};
	__u64 address[2];

	memcpy(bytes, prefix6, sizeof(prefix6));
	bytes[15] = vips[i].last;
	memcpy(address, bytes, sizeof(address));
	line6.way[way].key = index_place6(address, htons(vips[i].port), vips[i].protocol).key |
			     (uint64_t)vips[i].value.flags << INDEX_FLAGS_SHIFT;
	line6.way[way].place =
		lb_place(vips[i].value.number, vips[i].value.slots_start, vips[i].value.slots_size);
	memcpy(line6.way[way].address, address, sizeof(address));
}

static void fill_index(void)
{
	size_t i, way = 0;

	for (i = 0; i < VIPS && way < LB_INDEX_WAYS; i++) {
		if (!vips[i].protocol || vips[i].value.flags & LB_VIP_FRAGMENTS_ONLY)
			continue;
		fill_index4(way, i);
		fill_index6(way++, i);
	}
	line4.way[0].key |= LB_INDEX_MORE;
	line6.way[0].key |= LB_INDEX_MORE;
	other_vips = LB_OTHER_PORT0;
}

static void *look_up_vip(int last, __be16 port, uint8_t protocol)
{
	for (size_t i = 0; i < VIPS; i++)
		if (vips[i].last == last && vips[i].port == bpf_ntohs(port) &&
		    vips[i].protocol == protocol)
			return &vips[i].value;
	return NULL;
}

#define FRAGMENTS 8
static struct {
	struct lb_fragment_key key;
	struct lb_fragment value;
} records[FRAGMENTS];
static unsigned int record_count;

static void *look_up_fragment(const struct lb_fragment_key *key)
{
	for (unsigned int i = 0; i < FRAGMENTS && i < record_count; i++)
		if (!memcmp(&records[i].key, key, sizeof(*key)))
			return &records[i].value;
	return NULL;
}

static void *shim_look_up(const void *map, const void *key)
{
	const struct lb_vip4_key *key4 = key;
	const struct lb_vip6_key *key6 = key;

	if (map == &fragments)
		return look_up_fragment(key);
	if (map == &index4)
		return &line4;
	if (map == &index6)
		return &line6;
	if (map == &vips4) {
		FUZZ_CHECK(!key4->pad);
		return look_up_vip(last_of((const uint8_t *)&key4->address, 4), key4->port,
				   key4->protocol);
	}
	FUZZ_CHECK(map == &vips6 && !key6->pad);
	return look_up_vip(last_of(key6->address, 6), key6->port, key6->protocol);
}

static long shim_update(const void *map, const void *key, const void *value)
{
	const unsigned int at = record_count++ % FRAGMENTS;

	FUZZ_CHECK(map == &fragments);
	memcpy(&records[at].key, key, sizeof(records[at].key));
	memcpy(&records[at].value, value, sizeof(records[at].value));
	return 0;
}

/* --- the stages, as lb.bpf.c has them --- */

static int stages(struct xdp_md *ctx, struct packet *packet, struct vip *vip)
{
	int verdict = parse(ctx, packet);

	if (verdict == LB_NEXT && rare_is(packet))
		verdict = rare(ctx, packet);
	if (verdict == LB_NEXT)
		verdict = vip_find(packet, vip, 0);
	if (verdict == LB_NEXT && packet->fragment)
		verdict = fragment_admit(packet, vip->flags);
	return verdict;
}

/* --- what must hold; nothing here uses what the stages are made of --- */

static unsigned int two_bytes(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static bool has_tag(const uint8_t *frame, size_t length, size_t at)
{
	return length >= at + 4 &&
	       (two_bytes(frame + at - 2) == 0x8100 || two_bytes(frame + at - 2) == 0x88a8);
}

/* The address that the frame is for, by what its type says it is; NULL: none can be read. */
static const uint8_t *destination(const uint8_t *frame, size_t length, int *family)
{
	size_t at = 14;

	if (length < at)
		return NULL;
	while (at < 22 && has_tag(frame, length, at))
		at += 4;
	*family = two_bytes(frame + at - 2) == 0x0800   ? 4
		  : two_bytes(frame + at - 2) == 0x86dd ? 6
							: 0;
	if (*family == 4 && length >= at + 20)
		return frame + at + 16;
	return *family == 6 && length >= at + 40 ? frame + at + 24 : NULL;
}

static bool is_for_vip(const uint8_t *frame, size_t length)
{
	int family, last;
	const uint8_t *address = destination(frame, length, &family);

	last = address ? last_of(address, family) : -1;
	return last == 0x10 || last == 0x11 || last == 0x13 || last == 0x16 || last == 0x17;
}

static void check_sound(const struct xdp_md *ctx, const struct packet *packet,
			const struct vip *vip)
{
	const uint8_t *ip = ctx->frame + packet->l3;
	const bool four = packet->family == 4;

	FUZZ_CHECK(packet->l3 == 14 || packet->l3 == 18 || packet->l3 == 22);
	FUZZ_CHECK(packet->family == 4 || packet->family == 6);
	FUZZ_CHECK(packet->l3 + packet->length <= ctx->length);
	FUZZ_CHECK(packet->length == (four ? two_bytes(ip + 2) : 40 + two_bytes(ip + 4)));
	FUZZ_CHECK(ip[0] >> 4 == packet->family && ip[four ? 8 : 7]);
	FUZZ_CHECK(packet->l4 >= packet->l3 + (four ? 20 : 40));
	FUZZ_CHECK(packet->l4 <= packet->l3 + packet->length);
	FUZZ_CHECK(packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP ||
		   packet->protocol == IPPROTO_SCTP);
	FUZZ_CHECK(lb_place_size(vip->place));
	FUZZ_CHECK(!(ctx->frame[0] & 1));
	FUZZ_CHECK(packet->quoted ||
		   memcmp(ip + (four ? 12 : 8), ip + (four ? 16 : 24), four ? 4 : 16));
	FUZZ_CHECK(packet->quoted ||
		   (four ? ip[12] && ip[12] != 127 && ip[12] >> 4 != 14 : ip[8] != 0xff));
	FUZZ_CHECK(is_for_vip(ctx->frame, ctx->length));
	FUZZ_CHECK(!(vip->flags & LB_VIP_FRAGMENTS_ONLY) || packet->fragment == FRAGMENT_LATER);
	FUZZ_CHECK(!(vip->flags & LB_VIP_FRAGMENTS_DROP) || !packet->fragment);
	if (packet->quoted || packet->fragment == FRAGMENT_LATER)
		return;
	FUZZ_CHECK(packet->has_ports);
	FUZZ_CHECK(packet->l4 + (packet->protocol == IPPROTO_TCP ? 20u : 8u) <= ctx->length);
	if (!(packet->fragment && vip->flags & LB_VIP_FRAGMENTS_3TUPLE))
		FUZZ_CHECK(!memcmp(&packet->ports, ctx->frame + packet->l4, 4));
}

static bool passes(int verdict)
{
	return verdict == LB_PASS_NOT_IP || verdict == LB_PASS_RUNT || verdict == LB_PASS_NOT_VIP ||
	       verdict == LB_PASS_ICMP || verdict == LB_PASS_GROUP;
}

static void check(const struct xdp_md *ctx, int verdict, const struct packet *packet,
		  const struct vip *vip)
{
	FUZZ_CHECK(verdict >= LB_NEXT && verdict < LB_VERDICT_COUNT);
	FUZZ_CHECK(verdict != LB_DROP_INTERNAL);
	if (!is_for_vip(ctx->frame, ctx->length))
		FUZZ_CHECK(passes(verdict) && verdict != LB_PASS_ICMP);
	if (verdict == LB_NEXT)
		check_sound(ctx, packet, vip);
}

/* What the way of plain packets takes, the way of all packets takes for the same. */
static void check_plain(struct xdp_md *ctx)
{
	void *data = (void *)(uintptr_t)ctx->data, *end = (void *)(uintptr_t)ctx->data_end;
	const struct ethhdr *eth = data;
	struct packet plain = {0}, packet = {0};

	if (data + PLAIN_MIN > end || eth->h_dest[0] & 1)
		return;
	if (eth->h_proto == bpf_htons(ETH_P_IP)
		    ? !plain_ipv4(data, end, &plain)
		    : eth->h_proto != bpf_htons(ETH_P_IPV6) || !plain_ipv6(data, end, &plain))
		return;
	FUZZ_CHECK(parse(ctx, &packet) == LB_NEXT && !rare_is(&packet));
	FUZZ_CHECK(!memcmp(&plain, &packet, sizeof(packet)));
}

/* Copies of exactly their sizes: the whole frame, and its first buffer. */
static void one_frame(const uint8_t *bytes, uint32_t length, uint32_t beyond)
{
	const uint32_t first = beyond < length ? length - beyond : length;
	uint8_t *frame = malloc(length + 1), *buffer = malloc(first + !first);
	struct packet packet = {0};
	struct vip vip = {0};
	struct xdp_md ctx;
	int verdict;

	FUZZ_CHECK(frame && buffer);
	memcpy(frame, bytes, length);
	memcpy(buffer, bytes, first);
	ctx = (struct xdp_md){(uintptr_t)buffer, (uintptr_t)buffer + first, frame, length, 0, 0};
	check_plain(&ctx);
	verdict = stages(&ctx, &packet, &vip);
	check(&ctx, verdict, &packet, &vip);
	FUZZ_CHECK(!memcmp(frame, bytes, length) && !memcmp(buffer, bytes, first));
	free(frame);
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!other_vips)
		fill_index();
	record_count = 0;
	shim_now_ns = 1ull << 40;
	while (size > 3) {
		const uint32_t beyond = data[0] * 16, wanted = two_bytes(data + 1);
		const uint32_t length = wanted < size - 3 ? wanted : size - 3;

		one_frame(data + 3, length, beyond);
		data += 3 + length;
		size -= 3 + length;
		shim_now_ns += 7ull << 30;
	}
	return 0;
}
