// SPDX-License-Identifier: BSD-2-Clause
/* What does a client's packet look like? */
#include "explain_packet.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define UDP_HEADER 8
#define SCTP_PACKET 28 /* the header, and an INIT or DATA chunk without more in it */
#define ICMP_HEADER 8
#define TTL 64

static uint32_t header_bytes(const struct explain_packet *packet)
{
	return packet->source.family == 4 ? IPV4_HEADER : IPV6_HEADER;
}

static uint32_t transport_bytes(const struct explain_packet *packet)
{
	switch (packet->protocol) {
	case IPPROTO_TCP:
		return TCP_HEADER;
	case IPPROTO_UDP:
		return UDP_HEADER;
	case IPPROTO_SCTP:
		return SCTP_PACKET;
	}
	return ICMP_HEADER;
}

uint32_t explain_packet_least(const struct explain_packet *packet)
{
	return header_bytes(packet) + transport_bytes(packet);
}

static void put16(uint8_t *at, uint16_t value)
{
	value = htons(value);
	memcpy(at, &value, sizeof(value));
}

/* RFC 1071. */
static uint16_t checksum(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static uint8_t next_protocol(const struct explain_packet *packet)
{
	if (packet->protocol)
		return packet->protocol;
	return packet->source.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static void put_ipv4(const struct explain_packet *packet, uint8_t *ip)
{
	ip[0] = 0x45;
	put16(ip + 2, packet->length);
	ip[6] = 0x40; /* DF, as TCP has it nearly everywhere */
	ip[8] = TTL;
	ip[9] = next_protocol(packet);
	memcpy(ip + 12, packet->source.bytes, 4);
	memcpy(ip + 16, packet->destination.bytes, 4);
	put16(ip + 10, checksum(ip, IPV4_HEADER));
}

static void put_ipv6(const struct explain_packet *packet, uint8_t *ip)
{
	ip[0] = 0x60;
	put16(ip + 4, packet->length - IPV6_HEADER);
	ip[6] = next_protocol(packet);
	ip[7] = TTL;
	memcpy(ip + 8, packet->source.bytes, 16);
	memcpy(ip + 24, packet->destination.bytes, 16);
}

/* Transport checksums stay 0: nothing on the way to the backend looks at them. */
static void put_transport(const struct explain_packet *packet, uint8_t *l4)
{
	if (!packet->protocol) {
		l4[0] = packet->source.family == 4 ? 8 : 128;
		return;
	}
	put16(l4, packet->source_port);
	put16(l4 + 2, packet->destination_port);
	switch (packet->protocol) {
	case IPPROTO_TCP:
		l4[12] = TCP_HEADER / 4 << 4;
		l4[13] = packet->opens ? 0x02 : 0x10;
		break;
	case IPPROTO_UDP:
		put16(l4 + 4, packet->length - header_bytes(packet));
		break;
	default:
		l4[12] = packet->opens ? 1 : 0;
		put16(l4 + 14, 16);
	}
}

size_t explain_packet_frame(const struct explain_packet *packet, uint8_t *out)
{
	const bool ipv4 = packet->source.family == 4;

	memset(out, 0, ETH_HLEN + packet->length);
	out[0] = out[6] = 2; /* two stations, of local addresses */
	out[5] = 1;
	out[11] = 2;
	put16(out + 12, ipv4 ? ETH_P_IP : ETH_P_IPV6);
	if (ipv4)
		put_ipv4(packet, out + ETH_HLEN);
	else
		put_ipv6(packet, out + ETH_HLEN);
	put_transport(packet, out + ETH_HLEN + header_bytes(packet));
	return ETH_HLEN + packet->length;
}
