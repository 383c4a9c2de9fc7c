// SPDX-License-Identifier: BSD-2-Clause
/* How do echo replies and "too big" messages look, byte for byte? */
#include <netinet/in.h>
#include <string.h>
#include "frame_answer.h"

#define TTL 64

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static unsigned int get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static void swap(uint8_t *one, uint8_t *other, size_t length)
{
	uint8_t kept[16];

	memcpy(kept, one, length);
	memcpy(one, other, length);
	memcpy(other, kept, length);
}

static void fill_header_checksum(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, frame_checksum(ip, (ip[0] & 15) * 4));
}

/* RFC 4443 section 2.3: the pseudo header is the addresses, the length and 58. */
static void fill_icmp6_checksum(uint8_t *ip, size_t length)
{
	static uint8_t summed[40 + FRAME_MAX];

	memcpy(summed, ip + 8, 32);
	memset(summed + 32, 0, 8);
	put16(summed + 34, length);
	summed[39] = IPPROTO_ICMPV6;
	put16(ip + 42, 0);
	memcpy(summed + 40, ip + 40, length);
	put16(ip + 42, frame_checksum(summed, 40 + length));
}

void frame_echo_checksums(struct frame *frame)
{
	uint8_t *ip = frame->bytes + frame_l3(frame, NULL);

	if (ip[0] >> 4 == 6) {
		fill_icmp6_checksum(ip, get16(ip + 4));
		return;
	}
	fill_header_checksum(ip);
	put16(ip + 22, 0);
	put16(ip + 22, frame_checksum(ip + 20, get16(ip + 2) - 20));
}

void frame_echo_reply(const struct frame *in, struct frame *out)
{
	uint8_t *ip = out->bytes + frame_l3(in, NULL);
	bool four = false;

	*out = *in;
	swap(out->bytes, out->bytes + 6, 6);
	if (ip[0] >> 4 == 4) {
		swap(ip + 12, ip + 16, 4);
		ip[8] = TTL;
		ip[20] = 0;
		four = true;
	} else {
		swap(ip + 8, ip + 24, 16);
		ip[7] = TTL;
		ip[40] = 129;
	}
	frame_echo_checksums(out);
	if (four && !ip[22] && !ip[23]) /* both zeros of one's complement will do: one of them */
		put16(ip + 22, 0xffff);
}

static void too_big4(const uint8_t *packet, uint32_t mtu, uint8_t *ip)
{
	const uint8_t header[] = {0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, TTL, IPPROTO_ICMP};

	memcpy(ip, header, sizeof(header));
	put16(ip + 2, 20 + 8 + QUOTED);
	memcpy(ip + 12, packet + 16, 4);
	memcpy(ip + 16, packet + 12, 4);
	fill_header_checksum(ip);
	memset(ip + 20, 0, 8);
	ip[20] = 3;
	ip[21] = 4;
	put16(ip + 26, mtu);
	memcpy(ip + 28, packet, QUOTED);
	put16(ip + 22, frame_checksum(ip + 20, 8 + QUOTED));
}

static void too_big6(const uint8_t *packet, uint32_t mtu, uint8_t *ip)
{
	memset(ip, 0, 48);
	ip[0] = 0x60;
	put16(ip + 4, 8 + QUOTED);
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = TTL;
	memcpy(ip + 8, packet + 24, 16);
	memcpy(ip + 24, packet + 8, 16);
	ip[40] = 2;
	put16(ip + 44, mtu >> 16);
	put16(ip + 46, mtu & 0xffff);
	memcpy(ip + 48, packet, QUOTED);
	fill_icmp6_checksum(ip, 8 + QUOTED);
}

void frame_too_big(const struct frame *in, uint32_t mtu, struct frame *out)
{
	const size_t l3 = frame_l3(in, NULL);
	const uint8_t *packet = in->bytes + l3;

	memcpy(out->bytes, in->bytes, l3);
	swap(out->bytes, out->bytes + 6, 6);
	if (packet[0] >> 4 == 4) {
		too_big4(packet, mtu, out->bytes + l3);
		out->length = l3 + 28 + QUOTED;
	} else {
		too_big6(packet, mtu, out->bytes + l3);
		out->length = l3 + 48 + QUOTED;
	}
}

uint32_t frame_named_mtu(const struct frame *answer)
{
	const uint8_t *ip = answer->bytes + frame_l3(answer, NULL);

	return ip[0] >> 4 == 4 ? get16(ip + 26) : (uint32_t)get16(ip + 44) << 16 | get16(ip + 46);
}
