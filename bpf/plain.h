/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 1 for nearly all packets: TCP or UDP in a sound IP packet, without tags, options, extension
 * headers or fragments, and with all headers in the first buffer.
 *
 * So is that the frame is for one station, and its source may be a host's. Each of these is asked
 * for here, and then known to the compiler: the way of a plain packet is compiled apart, without
 * what the others need. What is not plain goes the long way (parse.h), which would find in a plain
 * packet just what is found here; tests/fuzz/parser_fuzz.c compares.
 */
#ifndef LB_PLAIN_H
#define LB_PLAIN_H

#include "parse.h"

#define PLAIN_IPV4 0x45 /* version 4, a header of 20 bytes */

/* The first buffer has the shortest plain frame, and so every header before the transport header. */
#define PLAIN_MIN (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr))

/* `header`: bytes of the IP header. 0 unless the transport header is all there, by the buffer and by
 * the length of the packet. */
static __always_inline int plain_l4(void *ip, void *end, __u32 header, struct packet *packet)
{
	void *l4 = ip + header;

	if (packet->protocol == IPPROTO_TCP) {
		if (l4 + sizeof(struct tcphdr) > end ||
		    packet->length < header + sizeof(struct tcphdr))
			return 0;
		packet->tcp_flags = ((__u8 *)l4)[13];
	} else {
		if (packet->protocol != IPPROTO_UDP || l4 + sizeof(struct udphdr) > end ||
		    packet->length < header + sizeof(struct udphdr))
			return 0;
	}
	packet->ports = *(__be32 *)l4;
	packet->has_ports = 1;
	packet->fault = LB_NEXT;
	return 1;
}

/* The packet ends with the first buffer, except for the padding of a short frame. (Whether there are
 * further buffers would be a helper call.) */
static __always_inline int plain_room(__u32 length, __u32 room)
{
	if (unlikely(length != room))
		return length < room && room <= ETHERNET_PAYLOAD_MIN;
	return 1;
}

static __always_inline int plain_ipv4(void *data, void *end, struct packet *packet)
{
	struct iphdr *ip = data + ETH_HLEN;
	__u32 length, room = end - (void *)ip;

	if (*(__u8 *)ip != PLAIN_IPV4 || !ip->ttl || ip->frag_off & bpf_htons(IP_FRAGMENT_MASK))
		return 0;
	length = bpf_ntohs(ip->tot_len);
	if (!plain_room(length, room) || !source4_is_plain(ip->saddr, ip->daddr))
		return 0;
	packet->family = 4;
	packet->protocol = ip->protocol;
	packet->tos = ip->tos;
	packet->length = length;
	packet->source[0] = ip->saddr;
	packet->destination[0] = ip->daddr;
	packet->l3 = ETH_HLEN;
	packet->l4 = ETH_HLEN + sizeof(*ip);
	return plain_l4(ip, end, sizeof(*ip), packet);
}

static __always_inline int plain_ipv6(void *data, void *end, struct packet *packet)
{
	struct ipv6hdr *ip = data + ETH_HLEN;
	__u64 *words = (void *)ip;
	__u32 payload;

	if ((void *)(ip + 1) > end || ip->version != 6 || !ip->hop_limit)
		return 0;
	payload = bpf_ntohs(ip->payload_len);
	if (!plain_room(payload + sizeof(*ip), end - (void *)ip) ||
	    !source6_is_plain(&words[1], &words[3]))
		return 0;
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	packet->tos = bpf_ntohs(*(__be16 *)ip) >> 4;
	packet->length = payload + sizeof(*ip);
	packet->source[0] = words[1];
	packet->source[1] = words[2];
	packet->destination[0] = words[3];
	packet->destination[1] = words[4];
	packet->l3 = ETH_HLEN;
	packet->l4 = ETH_HLEN + sizeof(*ip);
	return plain_l4(ip, end, sizeof(*ip), packet);
}

#endif
