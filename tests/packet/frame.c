// SPDX-License-Identifier: BSD-2-Clause
/* How do a frame and its encapsulation look, byte for byte? */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "frame.h"

#define DEFAULT_TTL 61
#define OUTER_TTL 64
#define GUE_PORT 6080
#define DONT_FRAGMENT 0x4000
#define TCP_ACK 0x10
#define PAYLOAD_MIN 46 /* of an Ethernet frame: up to it padding goes along */

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

static void append_sctp(struct frame *frame, const struct spec *spec)
{
	append16(frame, spec->sport);
	append16(frame, spec->dport);
	append32(frame, 0x090a0b0c); /* verification tag */
	append32(frame, 0);          /* CRC32c, which nobody here looks at */
	append32(frame, spec->chunk << 24 | (4 + spec->payload));
}

static void append_icmp(struct frame *frame, const struct spec *spec)
{
	static struct frame quote; /* not reentrant: a quote of a quote is not needed */

	append8(frame, spec->icmp_type                  ? spec->icmp_type
		       : spec->protocol == IPPROTO_ICMP ? 8
							: 128);
	append8(frame, spec->icmp_code);
	append16(frame, 0);
	append32(frame, 0x12340001);
	if (!spec->quote)
		return;
	frame_build(spec->quote, &quote);
	if (spec->quote_length && spec->quote_length < quote.length - ETH)
		quote.length = ETH + spec->quote_length;
	frame_append(frame, quote.bytes + ETH, quote.length - ETH);
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
	case IPPROTO_SCTP:
		append_sctp(frame, spec);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		append_icmp(frame, spec);
		break;
	}
	append_payload(frame, spec->payload);
}

static size_t link_length(const struct spec *spec)
{
	size_t tags = 0;

	while (tags < 3 && spec->tag[tags].type)
		tags++;
	return ETH + 4 * tags;
}

/* With the pseudo header of RFC 9293 and RFC 8200 section 8.1; ICMPv4 has none. */
static void fill_l4_checksum(struct frame *frame, const struct spec *spec, size_t l4)
{
	size_t length = frame->length - l4;
	uint32_t sum = sum16(0, frame->bytes + l4, length);
	size_t addresses = link_length(spec) + (spec->family == 4 ? 12 : 8), at;

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
	append16(frame, spec->id ? spec->id : 0x1234);
	append16(frame, spec->fragment);
	append8(frame, spec->ttl ? spec->ttl : DEFAULT_TTL);
	append8(frame, spec->protocol);
	append16(frame, 0); /* checksum */
	append_address(frame, 4, spec->source);
	append_address(frame, 4, spec->destination);
	append_options(frame, spec->options);
	return frame->length;
}

/* One header; `next` is the number of what follows it. */
static void append_extension(struct frame *frame, const struct spec *spec, uint8_t number,
			     uint8_t next)
{
	size_t more =
		number == IPPROTO_AH ? 4 * spec->extension_length : 8 * spec->extension_length;

	append8(frame, next);
	if (number == IPPROTO_FRAGMENT) {
		append8(frame, 0);
		append16(frame, spec->fragment);
		append32(frame, spec->id ? spec->id : 0xcafe);
		return;
	}
	append8(frame, spec->extension_length);
	if (number == IPPROTO_ROUTING)
		append16(frame, 4 << 8 | spec->segments_left);
	else
		append16(frame, 0x0104); /* PadN, four bytes of it */
	append32(frame, 0);
	append_options(frame, more);
}

static void append_extensions(struct frame *frame, const struct spec *spec)
{
	uint16_t number = spec->extension, next;
	int i;

	for (i = 0; number; number = next, i++) {
		next = i < CHAIN_MAX ? spec->chain[i] : 0;
		append_extension(frame, spec, number & 0xff, next ? next & 0xff : spec->protocol);
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
	append_extensions(frame, spec);
	return frame->length;
}

static void fill_ip_length(struct frame *frame, const struct spec *spec, size_t l4)
{
	const size_t l3 = link_length(spec);
	uint8_t *ip = frame->bytes + l3;

	if (spec->family == 6) {
		set16(ip + 4, frame->length - l3 - 40);
		return;
	}
	set16(ip + 2, frame->length - l3);
	set16(ip + 10, frame_checksum(ip, l4 - l3));
}

static void append_link(struct frame *frame, const struct spec *spec)
{
	const uint16_t last = spec->family == 4 ? 0x0800 : 0x86dd;
	size_t i;

	append_ethernet(frame, balancer, station, spec->tag[0].type ? spec->tag[0].type : last);
	for (i = 0; i < 3 && spec->tag[i].type; i++) {
		append16(frame, spec->tag[i].control);
		append16(frame, i < 2 && spec->tag[i + 1].type ? spec->tag[i + 1].type : last);
	}
}

void frame_build(const struct spec *spec, struct frame *frame)
{
	size_t l4, i;

	frame->length = 0;
	append_link(frame, spec);
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
	for (i = 0; i < POKES_MAX; i++) {
		if (spec->poke[i].at)
			frame->bytes[spec->poke[i].at == POKE_FIRST ? 0 : spec->poke[i].at] =
				spec->poke[i].value;
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

size_t frame_l3(const struct frame *frame, unsigned int *type)
{
	size_t l3 = ETH;
	unsigned int found = frame->length < ETH ? 0 : get16(frame->bytes + 12);

	while ((found == 0x8100 || found == 0x88a8) && l3 < ETH + 8 && frame->length >= l3 + 4) {
		found = get16(frame->bytes + l3 + 2);
		l3 += 4;
	}
	if (type)
		*type = found;
	return frame->length < l3 ? 0 : l3;
}

bool frame_destination(const struct frame *frame, struct flow *flow)
{
	unsigned int type;
	const size_t l3 = frame_l3(frame, &type);

	memset(flow, 0, sizeof(*flow));
	if (type == 0x0800 && frame->length >= l3 + 20) {
		flow->family = 4;
		memcpy(flow->destination, frame->bytes + l3 + 16, 4);
	} else if (type == 0x86dd && frame->length >= l3 + 40) {
		flow->family = 6;
		memcpy(flow->destination, frame->bytes + l3 + 24, 16);
	}
	return flow->family;
}

/* An IP packet, or what is quoted of one: `room` bytes are there, of which the packet itself has
 * `end` by its own account. Reading goes on at `at`. */
struct reading {
	const uint8_t *ip;
	size_t room, end, at;
};

static void set_fragment(struct flow *flow, unsigned int offset, bool more, uint32_t id)
{
	flow->fragment = offset ? LATER_FRAGMENT : more ? FIRST_FRAGMENT : WHOLE;
	flow->id = flow->fragment == WHOLE ? 0 : id;
	flow->offset = offset;
}

/* The header alone; a packet that is quoted need not be there in full. */
static bool read_ipv4(struct reading *reading, struct flow *flow)
{
	const uint8_t *ip = reading->ip;

	if (reading->room < 20)
		return false;
	reading->end = get16(ip + 2);
	reading->at = (ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || reading->at < 20 || reading->at > reading->room)
		return false;
	set_fragment(flow, get16(ip + 6) & 0x1fff, ip[6] & 0x20, get16(ip + 4));
	flow->protocol = ip[9];
	memcpy(flow->source, ip + 12, 4);
	memcpy(flow->destination, ip + 16, 4);
	return true;
}

bool frame_is_extension(uint8_t number)
{
	static const uint8_t numbers[] = {0, 43, 44, 51, 60, 135, 139, 140};

	return memchr(numbers, number, sizeof(numbers));
}

static size_t extension_size(uint8_t number, uint8_t length)
{
	if (number == IPPROTO_FRAGMENT)
		return 8;
	return number == IPPROTO_AH ? 4 * (length + 2) : 8 * (length + 1);
}

/* `limit`: no extension header may end after it. */
static bool read_extensions(struct reading *reading, struct flow *flow, size_t limit)
{
	int i;

	for (i = 0; i < 6 && frame_is_extension(flow->protocol) && !flow->fragment; i++) {
		const uint8_t *header = reading->ip + reading->at, number = flow->protocol;

		if (reading->at + 8 > limit)
			return false;
		if (number == 43 && header[3]) {
			flow->elsewhere = true;
			return false;
		}
		reading->at += extension_size(number, header[1]);
		if (reading->at > limit)
			return false;
		if (number == 44)
			set_fragment(flow, get16(header + 2) >> 3, header[3] & 1,
				     (uint32_t)get16(header + 4) << 16 | get16(header + 6));
		flow->protocol = header[0];
	}
	/* What a later fragment says comes next is not heeded. */
	return flow->fragment == LATER_FRAGMENT || !frame_is_extension(flow->protocol);
}

static bool read_ipv6(struct reading *reading, struct flow *flow)
{
	const uint8_t *ip = reading->ip;

	if (reading->room < 40 || ip[0] >> 4 != 6)
		return false;
	reading->end = 40 + get16(ip + 4);
	reading->at = 40;
	flow->protocol = ip[6];
	memcpy(flow->source, ip + 8, 16);
	memcpy(flow->destination, ip + 24, 16);
	return true;
}

/* Has it a loose or strict source route that names further addresses (RFC 791 section 3.1)? */
static bool has_source_route(const struct reading *reading)
{
	const uint8_t *ip = reading->ip;
	size_t at = 20;

	while (at < reading->at && ip[at] != 0) {
		const size_t left = reading->at - at, length = ip[at] == 1 ? 1 : ip[at + 1];

		if (ip[at] != 1 && (left < 2 || length < 2 || length > left))
			return false;
		if ((ip[at] == 131 || ip[at] == 137) && length >= 3)
			return ip[at + 2] <= length;
		at += length;
	}
	return false;
}

/* Bytes of transport header that must be there; 0: no protocol of a VIP. */
static size_t l4_need(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_UDP:
		return 8;
	case IPPROTO_SCTP:
		return 12;
	}
	return 0;
}

/* Puts the quoted flow, turned around, into *flow. */
static bool read_quote(struct reading *outer, struct flow *flow)
{
	struct reading quote = {.ip = outer->ip + outer->at + 8};
	struct flow back = {.family = flow->family};
	const size_t size = flow->family == 4 ? 4 : 16;

	if (outer->end < outer->at + 8)
		return false;
	quote.room = outer->end - outer->at - 8;
	if (flow->family == 4
		    ? !read_ipv4(&quote, &back)
		    : !read_ipv6(&quote, &back) || !read_extensions(&quote, &back, quote.room))
		return false;
	if (back.fragment == LATER_FRAGMENT || !l4_need(back.protocol) ||
	    quote.at + 8 > quote.room || memcmp(back.source, flow->destination, size))
		return false;
	memcpy(flow->source, back.destination, size);
	flow->protocol = back.protocol;
	flow->sport = get16(quote.ip + quote.at + 2);
	flow->dport = get16(quote.ip + quote.at);
	flow->quoted = true;
	return true;
}

static bool is_error(const struct flow *flow, uint8_t type)
{
	if (flow->family == 4)
		return flow->protocol == IPPROTO_ICMP && (type == 3 || type == 11 || type == 12);
	return flow->protocol == IPPROTO_ICMPV6 && type >= 1 && type <= 4;
}

static bool read_l4(struct reading *reading, struct flow *flow)
{
	const uint8_t *l4 = reading->ip + reading->at;
	const size_t need = l4_need(flow->protocol);

	if (flow->fragment == LATER_FRAGMENT)
		return false;
	if (!need)
		return reading->at + 8 <= reading->end && !flow->fragment &&
		       is_error(flow, l4[0]) && read_quote(reading, flow);
	if (reading->at + need > reading->end)
		return false;
	flow->sport = get16(l4);
	flow->dport = get16(l4 + 2);
	return true;
}

static bool is_all(const uint8_t *bytes, size_t length, uint8_t value)
{
	while (length && bytes[length - 1] == value)
		length--;
	return !length;
}

/* RFC 1122 section 3.2.1.3, RFC 4291 section 2.5; or it is where the packet goes. */
static bool is_impossible_source(const struct flow *flow)
{
	const uint8_t *from = flow->source;

	if (!memcmp(from, flow->destination, 16))
		return true;
	if (flow->family == 4)
		return from[0] == 0 || from[0] == 127 || (from[0] >= 224 && from[0] < 240) ||
		       is_all(from, 4, 255);
	return from[0] == 255 || (is_all(from, 15, 0) && from[15] < 2);
}

bool frame_flow(const struct frame *frame, struct flow *flow)
{
	unsigned int type;
	const size_t l3 = frame_l3(frame, &type);
	struct reading reading = {.ip = frame->bytes + l3, .room = frame->length - l3};
	bool header;

	memset(flow, 0, sizeof(*flow));
	if (!l3 || (type != 0x0800 && type != 0x86dd))
		return false;
	flow->l3 = l3;
	flow->family = type == 0x0800 ? 4 : 6;
	header = flow->family == 4 ? read_ipv4(&reading, flow) : read_ipv6(&reading, flow);
	flow->ip_length = reading.end;
	if (!header || reading.end > reading.room || reading.at > reading.end ||
	    reading.ip[flow->family == 4 ? 8 : 7] == 0) {
		flow->fragment = WHOLE;
		return false;
	}
	if (flow->family == 6 && !read_extensions(&reading, flow, reading.end)) {
		flow->fragment = WHOLE;
		return false;
	}
	flow->l4 = l3 + reading.at;
	if (frame->bytes[0] & 1)
		flow->elsewhere = true;
	if (flow->family == 4 && has_source_route(&reading))
		flow->elsewhere = true;
	if (flow->elsewhere || is_impossible_source(flow)) {
		flow->fragment = WHOLE;
		return false;
	}
	return read_l4(&reading, flow);
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

uint64_t flow_hash_by(enum policy policy, const struct flow *flow, const uint64_t seed[2])
{
	static const uint8_t nothing[16];
	uint8_t l4[] = {flow->sport >> 8, flow->sport & 0xff, flow->dport >> 8, flow->dport & 0xff,
			flow->protocol};
	const uint8_t *destination = policy == BY_TUPLE ? flow->destination : nothing;
	uint64_t state = seed[0];

	if (policy != BY_TUPLE)
		l4[0] = l4[1] = l4[4] = 0;
	if (policy == BY_SOURCE)
		l4[2] = l4[3] = 0;
	if (flow->family == 4) {
		state = absorb(state, little_endian(flow->source, 4) << 32 |
					      little_endian(destination, 4));
	} else {
		state = absorb(state, little_endian(flow->source, 8));
		state = absorb(state + seed[1], little_endian(flow->source + 8, 8));
		state = absorb(state + seed[0], little_endian(destination, 8));
		state = absorb(state, little_endian(destination + 8, 8));
	}
	state = absorb(state, little_endian(l4, sizeof(l4))) ^ seed[1];
	state *= 18397679294719823053ull; /* the finaliser of MurmurHash3 */
	state ^= state >> 33;
	state *= 14181476777654086739ull;
	return state ^ (state >> 33);
}

uint64_t flow_hash(const struct flow *flow, const uint64_t seed[2])
{
	return flow_hash_by(BY_TUPLE, flow, seed);
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

/* The port's lower 14 bits are bits 16 to 29 of the hash; no checksum. */
static void wrap_udp(struct frame *out, size_t length, uint64_t hash)
{
	append16(out, 49152 + (hash >> 16) % 16384);
	append16(out, GUE_PORT);
	append16(out, 8 + length);
	append16(out, 0);
}

static void wrap_link(struct frame *out, const struct wrap *wrap)
{
	const uint16_t type = wrap->family == 4 ? 0x0800 : 0x86dd;

	append_ethernet(out, wrap->dst_mac, wrap->src_mac,
			wrap->vlan_protocol ? wrap->vlan_protocol : type);
	if (wrap->vlan_protocol) {
		append16(out, wrap->tci);
		append16(out, type);
	}
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
	const size_t l3 = frame_l3(in, NULL); /* tags do not go with it */
	const uint8_t *inner = in->bytes + l3;
	const bool inner4 = inner[0] >> 4 == 4;
	const size_t length = inner4 ? get16(inner + 2) : 40 + get16(inner + 4);
	const uint8_t tos = inner4 ? inner[1] : (inner[0] << 4 | inner[1] >> 4) & 0xff;
	const size_t between = wrap->gue ? 8 : 0;
	const uint8_t protocol = wrap->gue ? IPPROTO_UDP : inner4 ? 4 : 41;
	uint8_t *ip;

	out->length = 0;
	wrap_link(out, wrap);
	ip = out->bytes + out->length;
	if (wrap->family == 4) {
		wrap_ipv4(out, wrap, tos, length + between, protocol);
		wrap_source(ip + 12, wrap->source_mask, hash);
		set16(ip + 10, frame_checksum(ip, 20));
	} else {
		wrap_ipv6(out, wrap, tos, length + between, protocol, hash);
		wrap_source(ip + 20, wrap->source_mask, hash);
	}
	if (wrap->gue)
		wrap_udp(out, length, hash);
	frame_append(out, inner, in->length - l3 > PAYLOAD_MIN ? length : in->length - l3);
}
