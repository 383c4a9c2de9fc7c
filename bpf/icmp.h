/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which flow of a VIP is an ICMP error about (RFC 792, RFC 4443)?
 *
 *   | IP router -> VIP | ICMP 8 | IP VIP -> client … | ports 4 | 4 … |
 *                               '--- what a backend has sent ---'
 *
 * The error quotes a packet that a backend has sent; turned around, it belongs to the flow that the
 * backend has, and so finds it: path MTU discovery works behind the balancer. Eight bytes of the
 * quoted transport header suffice. What quotes no flow of the VIP's (another source, another
 * protocol, a later fragment, cut off before the ports) is the stack's, as is all other ICMP to the
 * address of a VIP but echo requests, and all that is malformed or fragmented.
 */
#ifndef LB_ICMP_H
#define LB_ICMP_H

#include "parse.h"
#include "vip.h"

enum icmp4_type {
	ICMP4_UNREACHABLE = 3, /* "frag needed" is one */
	ICMP4_ECHO = 8,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER = 12,
};

enum icmp6_type {
	ICMP6_UNREACHABLE = 1, /* from here: */
	ICMP6_PARAMETER = 4,   /* to here: too big, time exceeded */
	ICMP6_ECHO = 128,
};

#define ICMP_HEADER 8
#define QUOTED_L4 8 /* bytes of transport header, the least that RFC 792 has quoted */

static __always_inline int icmp_is_echo(const struct packet *packet)
{
	return packet->icmp_type == (packet->family == 4 ? ICMP4_ECHO : ICMP6_ECHO);
}

static __always_inline int icmp_is_error(const struct packet *packet)
{
	if (packet->family == 6)
		return packet->icmp_type >= ICMP6_UNREACHABLE &&
		       packet->icmp_type <= ICMP6_PARAMETER;
	return packet->icmp_type == ICMP4_UNREACHABLE || packet->icmp_type == ICMP4_TIME_EXCEEDED ||
	       packet->icmp_type == ICMP4_PARAMETER;
}

static __always_inline int quote_has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* The packet becomes one of the quoted flow, as its client sends them. `l4`: where the quoted
 * transport header begins. */
static __always_inline int quote_turn(struct xdp_md *ctx, struct packet *packet, __u32 l4,
				      __u8 protocol)
{
	__be32 ports;

	if (!quote_has_ports(protocol) || l4 + QUOTED_L4 > packet->l3 + packet->length ||
	    bpf_xdp_load_bytes(ctx, l4, &ports, sizeof(ports)))
		return LB_PASS_ICMP;
	packet->protocol = protocol;
	packet->ports = ports << 16 | ports >> 16;
	packet->has_ports = 1;
	packet->tcp_flags = 0;
	packet->quoted = 1;
	return LB_NEXT;
}

static __always_inline int quote_ipv4(struct xdp_md *ctx, struct packet *packet)
{
	const __u32 start = packet->l4 + ICMP_HEADER;
	struct iphdr quote = {};

	if (bpf_xdp_load_bytes(ctx, start, &quote, sizeof(quote)))
		return LB_PASS_ICMP;
	if (quote.version != 4 || quote.ihl < 5 || quote.saddr != (__be32)packet->destination[0] ||
	    quote.frag_off & bpf_htons(IP_OFFSET_MASK))
		return LB_PASS_ICMP;
	packet->source[0] = quote.daddr;
	return quote_turn(ctx, packet, start + quote.ihl * 4, quote.protocol);
}

static __always_inline int quote_ipv6(struct xdp_md *ctx, struct packet *packet)
{
	__u64 quote[5] = {}; /* an IPv6 header: 8 bytes, source, destination */
	struct walk walk = {};

	walk.offset = packet->l4 + ICMP_HEADER;
	walk.end = packet->l3 + packet->length;
	if (bpf_xdp_load_bytes(ctx, walk.offset, quote, sizeof(quote)))
		return LB_PASS_ICMP;
	if (((__u8 *)quote)[0] >> 4 != 6 || quote[1] != packet->destination[0] ||
	    quote[2] != packet->destination[1])
		return LB_PASS_ICMP;
	packet->source[0] = quote[3];
	packet->source[1] = quote[4];
	walk.offset += sizeof(struct ipv6hdr);
	walk.protocol = ((__u8 *)quote)[6];
	if (extension_walk(ctx, &walk) != LB_NEXT || walk.fragment == FRAGMENT_LATER)
		return LB_PASS_ICMP;
	return quote_turn(ctx, packet, walk.offset, walk.protocol);
}

/* LB_NEXT for an error about a flow, which the packet then stands for; LB_TX_ECHO for an echo
 * request to the address of a VIP, which the caller is to answer; else a verdict. */
__noinline int icmp_read(struct xdp_md *ctx, struct packet *packet)
{
	if (!packet)
		return LB_DROP_INTERNAL;
	if (!vip_has_address(packet))
		return LB_PASS_NOT_VIP;
	if (packet->fault != LB_NEXT || packet->fragment ||
	    packet->protocol != (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return LB_PASS_ICMP;
	packet->icmp_type = packet->ports; /* the first byte of the header */
	if (icmp_is_echo(packet))
		return LB_TX_ECHO;
	if (!icmp_is_error(packet))
		return LB_PASS_ICMP;
	return packet->family == 4 ? quote_ipv4(ctx, packet) : quote_ipv6(ctx, packet);
}

#endif
