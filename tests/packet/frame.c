// SPDX-License-Identifier: BSD-2-Clause
/* How do a frame and its encapsulation look, byte for byte? */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "frame.h"

#define DEFAULT_TTL 61
#define OUTER_TTL 64
#define DONT_FRAGMENT 0x4000
#define FRAGMENT_BITS 0x3fff /* more fragments, and the offset */
#define TCP_ACK 0x10

static const uint8_t station[] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t balancer[] = {0x02, 0, 0, 0, 0, 0x02};

void frame_append(struct frame *frame, const void *bytes, size_t length)
{
	if (frame->length + length > FRAME_MAX) {
		fprintf(stderr, "the test's frame is longer than FRAME_MAX\n");
		abort();
	}
	if (length)
		memcpy(frame->bytes + frame->length, bytes, length);
	frame->length += length;
}

static void append8(struct frame *frame, unsigned int value)
{
	frame_append(frame, &(uint8_t){value}, 1);
}

static void append16(struct frame *frame, unsigned int value)
{
	append8(frame, value >> 8);
	append8(frame, value & 0xff);
}

static void append32(struct frame *frame, uint32_t value)
{
	append16(frame, value >> 16);
	append16(frame, value & 0xffff);
}

/* Four or sixteen bytes. */
static void append_address(struct frame *frame, uint8_t family, const char *text)
{
	uint8_t bytes[16];

	if (inet_pton(family == 4 ? AF_INET : AF_INET6, text, bytes) != 1) {
		fprintf(stderr, "\"%s\" is no IPv%d address\n", text, family);
		abort();
	}
	frame_append(frame, bytes, family == 4 ? 4 : 16);
}

static void set16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static unsigned int get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static uint32_t sum16(uint32_t sum, const uint8_t *bytes, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

uint16_t frame_checksum(const uint8_t *bytes, size_t length)
{
	return fold(sum16(0, bytes, length));
}

static void append_ethernet(struct frame *frame, const uint8_t *dst, const uint8_t *src,
			    uint16_t type)
{
	frame_append(frame, dst, 6);
	frame_append(frame, src, 6);
	append16(frame, type);
}

/* No operation, which is an option of IPv4 and of TCP alike; the last one is end of list. */
static void append_options(struct frame *frame, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		append8(frame, i + 1 < length);
}

static void append_payload(struct frame *frame, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		append8(frame, 'a' + i % 26);
}

static void append_tcp(struct frame *frame, const struct spec *spec)
{
	append16(frame, spec->sport);
	append16(frame, spec->dport);
	append32(frame, 0x01020304);
	append32(frame, 0x05060708);
	append8(frame, (20 + spec->tcp_options) / 4 << 4);
	append8(frame, spec->tcp_flags ? spec->tcp_flags : TCP_ACK);
	append16(frame, 0xfaf0);
	append32(frame, 0); /* checksum, urgent pointer */
	append_options(frame, spec->tcp_options);
}

static void append_l4(struct frame *frame, const struct spec *spec)
{
	switch (spec->protocol) {
	case IPPROTO_TCP:
		append_tcp(frame, spec);
		break;
	case IPPROTO_UDP:
		append16(frame, spec->sport);
		append16(frame, spec->dport);
		append16(frame, 8 + spec->payload);
		append16(frame, 0);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		append8(frame, spec->protocol == IPPROTO_ICMP ? 8 : 128); /* echo request */
		append8(frame, 0);
		append16(frame, 0);
		append32(frame, 0x12340001);
		break;
	}
	append_payload(frame, spec->payload);
}

/* With the pseudo header of RFC 9293 and RFC 8200 section 8.1; ICMPv4 has none. */
static void fill_l4_checksum(struct frame *frame, const struct spec *spec, size_t l4)
{
	size_t length = frame->length - l4;
	uint32_t sum = sum16(0, frame->bytes + l4, length);
	size_t addresses = spec->family == 4 ? ETH + 12 : ETH + 8, at;

	if (spec->protocol != IPPROTO_ICMP) {
		sum = sum16(sum, frame->bytes + addresses, spec->family == 4 ? 8 : 32);
		sum += spec->protocol + length;
	}
	switch (spec->protocol) {
	case IPPROTO_TCP:
		at = 16;
		break;
	case IPPROTO_UDP:
		at = 6;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		at = 2;
		break;
	default:
		return;
	}
	set16(frame->bytes + l4 + at, fold(sum));
}

static size_t append_ipv4(struct frame *frame, const struct spec *spec)
{
	append8(frame, 4 << 4 | (20 + spec->options) / 4);
	append8(frame, spec->tos);
	append16(frame, 0); /* total length */
	append16(frame, 0x1234);
	append16(frame, spec->fragment);
	append8(frame, spec->ttl ? spec->ttl : DEFAULT_TTL);
	append8(frame, spec->protocol);
	append16(frame, 0); /* checksum */
	append_address(frame, 4, spec->source);
	append_address(frame, 4, spec->destination);
	append_options(frame, spec->options);
	return frame->length;
}

static void append_extension(struct frame *frame, const struct spec *spec)
{
	append8(frame, spec->protocol);
	append8(frame, 0); /* eight bytes */
	if (spec->extension == EXTENSION(IPPROTO_FRAGMENT)) {
		append16(frame, spec->fragment);
		append32(frame, 0xcafe);
	} else {
		append16(frame, 0x0104); /* PadN, four bytes of it */
		append32(frame, 0);
	}
}

static size_t append_ipv6(struct frame *frame, const struct spec *spec)
{
	append32(frame, 6u << 28 | (uint32_t)spec->tos << 20 | spec->label);
	append16(frame, 0); /* payload length */
	append8(frame, spec->extension ? spec->extension & 0xff : spec->protocol);
	append8(frame, spec->ttl ? spec->ttl : DEFAULT_TTL);
	append_address(frame, 6, spec->source);
	append_address(frame, 6, spec->destination);
	if (spec->extension)
		append_extension(frame, spec);
	return frame->length;
}

static void fill_ip_length(struct frame *frame, const struct spec *spec, size_t l4)
{
	uint8_t *ip = frame->bytes + ETH;

	if (spec->family == 6) {
		set16(ip + 4, frame->length - ETH - 40);
		return;
	}
	set16(ip + 2, frame->length - ETH);
	set16(ip + 10, frame_checksum(ip, l4 - ETH));
}

void frame_build(const struct spec *spec, struct frame *frame)
{
	size_t l4, i;

	frame->length = 0;
	append_ethernet(frame, balancer, station, spec->family == 4 ? 0x0800 : 0x86dd);
	if (spec->family == 4)
		l4 = append_ipv4(frame, spec);
	else
		l4 = append_ipv6(frame, spec);
	append_l4(frame, spec);
	fill_l4_checksum(frame, spec, l4);
	if (spec->l4_length)
		frame->length = l4 + spec->l4_length;
	fill_ip_length(frame, spec, l4);
	for (i = 0; i < spec->padding; i++)
		append8(frame, 0xee);
	for (i = 0; i < 4; i++) {
		if (spec->poke[i].at)
			frame->bytes[spec->poke[i].at] = spec->poke[i].value;
	}
}

void frame_raw(uint16_t type, const void *bytes, size_t length, struct frame *frame)
{
	frame->length = 0;
	append_ethernet(frame, balancer, station, type);
	frame_append(frame, bytes, length);
}

void frame_hex(struct frame *frame, size_t at, const char *hex)
{
	unsigned int value;

	for (frame->length = at; sscanf(hex, " %2x", &value) == 1; hex += 2) {
		append8(frame, value);
		hex += strspn(hex, " ");
	}
}

/* --- comparing --- */

void frame_dump(const char *title, const struct frame *frame, size_t from)
{
	size_t i;

	fprintf(stderr, "%s, %zu bytes, from byte %zu:", title, frame->length, from);
	for (i = from; i < frame->length && i < from + 64; i++)
		fprintf(stderr, " %02x", frame->bytes[i]);
	fputc('\n', stderr);
}

bool frame_equal(const struct frame *expected, const struct frame *actual)
{
	size_t i = 0;

	while (i < expected->length && i < actual->length && expected->bytes[i] == actual->bytes[i])
		i++;
	if (i == expected->length && i == actual->length)
		return true;
	fprintf(stderr, "frames differ at byte %zu\n", i);
	frame_dump("expected", expected, i - i % 16);
	frame_dump("actual  ", actual, i - i % 16);
	return false;
}

/* --- reading --- */

bool frame_destination(const struct frame *frame, struct flow *flow)
{
	const unsigned int type = frame->length < ETH ? 0 : get16(frame->bytes + 12);

	memset(flow, 0, sizeof(*flow));
	if (type == 0x0800 && frame->length >= ETH + 20) {
		flow->family = 4;
		memcpy(flow->destination, frame->bytes + ETH + 16, 4);
	} else if (type == 0x86dd && frame->length >= ETH + 40) {
		flow->family = 6;
		memcpy(flow->destination, frame->bytes + ETH + 24, 16);
	}
	return flow->family;
}

/* Length of the IP header when the packet is sound and no fragment; else 0. */
static size_t read_ipv4(const uint8_t *ip, size_t room, struct flow *flow)
{
	size_t header;

	if (room < 20)
		return 0;
	header = (ip[0] & 15) * 4;
	flow->ip_length = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header < 20 || header > flow->ip_length || ip[8] == 0)
		return 0;
	if (get16(ip + 6) & FRAGMENT_BITS)
		return 0;
	flow->protocol = ip[9];
	memcpy(flow->source, ip + 12, 4);
	memcpy(flow->destination, ip + 16, 4);
	return header;
}

static size_t read_ipv6(const uint8_t *ip, size_t room, struct flow *flow)
{
	if (room < 40 || ip[0] >> 4 != 6 || ip[7] == 0)
		return 0;
	flow->ip_length = 40 + get16(ip + 4);
	flow->protocol = ip[6];
	memcpy(flow->source, ip + 8, 16);
	memcpy(flow->destination, ip + 24, 16);
	return 40;
}

bool frame_flow(const struct frame *frame, struct flow *flow)
{
	const uint8_t *ip = frame->bytes + ETH;
	size_t header, need;

	memset(flow, 0, sizeof(*flow));
	if (frame->length < ETH)
		return false;
	switch (get16(frame->bytes + 12)) {
	case 0x0800:
		flow->family = 4;
		header = read_ipv4(ip, frame->length - ETH, flow);
		break;
	case 0x86dd:
		flow->family = 6;
		header = read_ipv6(ip, frame->length - ETH, flow);
		break;
	default:
		return false;
	}
	if (!header || flow->ip_length > frame->length - ETH)
		return false;
	if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP)
		return false;
	need = flow->protocol == IPPROTO_TCP ? 20 : 8;
	if (flow->ip_length < header + need)
		return false;
	flow->sport = get16(ip + header);
	flow->dport = get16(ip + header + 2);
	return true;
}

/* --- the hash --- */

/* Bytes as a number, the first byte the lowest. */
static uint64_t little_endian(const uint8_t *bytes, size_t length)
{
	uint64_t value = 0;

	while (length--)
		value = value << 8 | bytes[length];
	return value;
}

static uint64_t absorb(uint64_t state, uint64_t word)
{
	state ^= word;
	state *= 11400714819323198485ull; /* 2^64 divided by the golden ratio, odd */
	return state ^ (state >> 32);
}

uint64_t flow_hash(const struct flow *flow, const uint64_t seed[2])
{
	const uint8_t l4[] = {flow->sport >> 8, flow->sport & 0xff, flow->dport >> 8,
			      flow->dport & 0xff, flow->protocol};
	uint64_t state = seed[0];

	if (flow->family == 4) {
		state = absorb(state, little_endian(flow->source, 4) << 32 |
					      little_endian(flow->destination, 4));
	} else {
		state = absorb(state, little_endian(flow->source, 8));
		state = absorb(state + seed[1], little_endian(flow->source + 8, 8));
		state = absorb(state + seed[0], little_endian(flow->destination, 8));
		state = absorb(state, little_endian(flow->destination + 8, 8));
	}
	state = absorb(state, little_endian(l4, sizeof(l4))) ^ seed[1];
	state *= 18397679294719823053ull; /* the finaliser of MurmurHash3 */
	state ^= state >> 33;
	state *= 14181476777654086739ull;
	return state ^ (state >> 33);
}

uint32_t flow_slot(uint64_t hash, uint32_t size)
{
	return (hash >> 32) * size >> 32;
}

/* --- encapsulation: RFC 2003, RFC 2473 --- */

static void wrap_ipv4(struct frame *out, const struct wrap *wrap, uint8_t tos, size_t length,
		      uint8_t protocol)
{
	append8(out, 0x45);
	append8(out, tos);
	append16(out, 20 + length);
	append16(out, 0); /* identification */
	append16(out, DONT_FRAGMENT);
	append8(out, OUTER_TTL);
	append8(out, protocol);
	append16(out, 0);
	append_address(out, 4, wrap->source);
	append_address(out, 4, wrap->destination);
}

static void wrap_ipv6(struct frame *out, const struct wrap *wrap, uint8_t tos, size_t length,
		      uint8_t protocol, uint64_t hash)
{
	append32(out, 6u << 28 | (uint32_t)tos << 20 | (hash & 0xfffff));
	append16(out, length);
	append8(out, protocol);
	append8(out, OUTER_TTL);
	append_address(out, 6, wrap->source);
	append_address(out, 6, wrap->destination);
}

/* The hash's low 32 bits, lowest byte first, into the bits of the source that the mask leaves to
 * it. */
static void wrap_source(uint8_t *last, uint32_t mask, uint64_t hash)
{
	int i;

	for (i = 0; i < 4; i++)
		last[i] |= hash >> 8 * i & mask >> (24 - 8 * i) & 0xff;
}

void frame_wrap(const struct frame *in, const struct wrap *wrap, uint64_t hash, struct frame *out)
{
	const uint8_t *inner = in->bytes + ETH;
	const bool inner4 = inner[0] >> 4 == 4;
	const size_t length = inner4 ? get16(inner + 2) : 40 + get16(inner + 4);
	const uint8_t tos = inner4 ? inner[1] : (inner[0] << 4 | inner[1] >> 4) & 0xff;
	const uint8_t protocol = inner4 ? 4 : 41;
	uint8_t *ip = out->bytes + ETH;

	out->length = 0;
	append_ethernet(out, wrap->dst_mac, wrap->src_mac, wrap->family == 4 ? 0x0800 : 0x86dd);
	if (wrap->family == 4) {
		wrap_ipv4(out, wrap, tos, length, protocol);
		wrap_source(ip + 12, wrap->source_mask, hash);
		set16(ip + 10, frame_checksum(ip, 20));
	} else {
		wrap_ipv6(out, wrap, tos, length, protocol, hash);
		wrap_source(ip + 20, wrap->source_mask, hash);
	}
	frame_append(out, inner, in->length - ETH);
}
