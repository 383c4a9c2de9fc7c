// SPDX-License-Identifier: BSD-2-Clause
#include "pmtu_judge.h"

#include <arpa/inet.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>
#include "../../bpf/abi.h"

#define IPV4_MTU_MIN 68 /* RFC 791 */
#define PORT_MIN 49152u /* of GUE's source ports, bpf/encap.h */

/* --- reading --- */

/* `rest` is what the quote has after its IP header. */
static bool read_protocol(uint8_t protocol, const void *rest, size_t length, struct pmtu_news *out)
{
	struct udphdr udp;

	out->protocol = protocol;
	if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6)
		return true;
	if (protocol != IPPROTO_UDP || length < sizeof(udp))
		return false;
	memcpy(&udp, rest, sizeof(udp));
	out->source_port = ntohs(udp.source);
	return ntohs(udp.dest) == LB_GUE_PORT && !udp.check;
}

/* As the program writes it: no options, id 0, DF alone. */
static bool is_outer_ipv4(const struct iphdr *ip)
{
	return ip->version == 4 && ip->ihl == 5 && !ip->id && ip->frag_off == htons(IP_DF);
}

/* A router from before RFC 1191 says 0: the next of the usual sizes below the packet's (section 7.1
 * there, the values up to date). */
static uint32_t plateau_below(uint32_t length)
{
	static const uint32_t plateaus[] = {9000, 8166, 4352, 2002, 1492, 1400, 1280, 1006, 576};
	size_t i;

	for (i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < length)
			return plateaus[i];
	return IPV4_MTU_MIN;
}

/* "Port unreachable", of whichever family. */
static enum pmtu_refusal refused_port(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? PMTU_NO_PORT : PMTU_NO_DEVICE;
}

static bool read_kind_ipv4(const struct icmphdr *icmp, uint8_t protocol, struct pmtu_news *out)
{
	if (icmp->type != ICMP_DEST_UNREACH)
		return false;
	out->refusal = PMTU_NOT_REFUSED;
	if (icmp->code == ICMP_PROT_UNREACH)
		out->refusal = PMTU_NO_PROTOCOL;
	else if (icmp->code == ICMP_PORT_UNREACH)
		out->refusal = refused_port(protocol);
	return out->refusal || icmp->code == ICMP_FRAG_NEEDED;
}

static bool read_kind_ipv6(const struct icmp6_hdr *icmp, uint8_t protocol, struct pmtu_news *out)
{
	out->refusal = PMTU_NOT_REFUSED;
	if (icmp->icmp6_type == ICMP6_PARAM_PROB && icmp->icmp6_code == ICMP6_PARAMPROB_NEXTHEADER)
		out->refusal = PMTU_NO_PROTOCOL;
	else if (icmp->icmp6_type == ICMP6_DST_UNREACH &&
		 icmp->icmp6_code == ICMP6_DST_UNREACH_NOPORT)
		out->refusal = refused_port(protocol);
	return out->refusal || icmp->icmp6_type == ICMP6_PACKET_TOO_BIG;
}

bool pmtu_read_ipv4(const void *packet, size_t length, struct pmtu_news *out)
{
	struct iphdr outer, quoted;
	struct icmphdr icmp;
	const uint8_t *at = packet;
	size_t header;

	if (length < sizeof(outer))
		return false;
	memcpy(&outer, at, sizeof(outer));
	header = outer.ihl * 4u;
	if (header < sizeof(outer) || length < header + sizeof(icmp) + sizeof(quoted))
		return false;
	memcpy(&icmp, at + header, sizeof(icmp));
	memcpy(&quoted, at + header + sizeof(icmp), sizeof(quoted));
	at += header + sizeof(icmp);
	length -= header + sizeof(icmp);
	*out = (struct pmtu_news){.destination = {.family = 4},
				  .source = {.family = 4},
				  .mtu = ntohs(icmp.un.frag.mtu),
				  .length = ntohs(quoted.tot_len)};
	if (!read_kind_ipv4(&icmp, quoted.protocol, out) || quoted.saddr != outer.daddr ||
	    !is_outer_ipv4(&quoted) ||
	    !read_protocol(quoted.protocol, at + sizeof(quoted), length - sizeof(quoted), out))
		return false;
	memcpy(out->destination.bytes, &quoted.daddr, sizeof(quoted.daddr));
	memcpy(out->source.bytes, &quoted.saddr, sizeof(quoted.saddr));
	if (out->refusal)
		out->mtu = 0;
	else if (!out->mtu)
		out->mtu = plateau_below(out->length);
	return true;
}

bool pmtu_read_ipv6(const void *message, size_t length, struct pmtu_news *out)
{
	struct icmp6_hdr icmp;
	struct ip6_hdr quoted;
	const uint8_t *at = message;

	if (length < sizeof(icmp) + sizeof(quoted))
		return false;
	memcpy(&icmp, at, sizeof(icmp));
	memcpy(&quoted, at + sizeof(icmp), sizeof(quoted));
	*out = (struct pmtu_news){.destination = {.family = 6},
				  .source = {.family = 6},
				  .mtu = ntohl(icmp.icmp6_mtu),
				  .length = sizeof(quoted) + ntohs(quoted.ip6_plen)};
	if (!read_kind_ipv6(&icmp, quoted.ip6_nxt, out) || *(const uint8_t *)&quoted >> 4 != 6 ||
	    !read_protocol(quoted.ip6_nxt, at + sizeof(icmp) + sizeof(quoted),
			   length - sizeof(icmp) - sizeof(quoted), out))
		return false;
	memcpy(out->destination.bytes, &quoted.ip6_dst, sizeof(quoted.ip6_dst));
	memcpy(out->source.bytes, &quoted.ip6_src, sizeof(quoted.ip6_src));
	if (out->refusal)
		out->mtu = 0;
	return true;
}

/* --- judging --- */

static bool is_protocol(uint8_t quoted, const struct pmtu_way *way)
{
	if (way->gue)
		return quoted == IPPROTO_UDP;
	return (quoted == IPPROTO_IPIP && way->inner != 6) ||
	       (quoted == IPPROTO_IPV6 && way->inner != 4);
}

static bool is_source(const struct lb_addr *quoted, const struct pmtu_way *way)
{
	uint32_t theirs[4], ours[4];
	const int last = way->source.family == 4 ? 0 : 3;
	int i;

	if (quoted->family != way->source.family)
		return false;
	memcpy(theirs, quoted->bytes, sizeof(theirs));
	memcpy(ours, way->source.bytes, sizeof(ours));
	for (i = 0; i < last; i++)
		if (theirs[i] != ours[i])
			return false;
	return (theirs[last] & ~way->source_mask) == (ours[last] & ~way->source_mask);
}

/* The packet was too big for the MTU that is told, and not for the one known so far. */
bool pmtu_is_quoted(const struct pmtu_news *news, const struct pmtu_way *way)
{
	return is_source(&news->source, way) && is_protocol(news->protocol, way) &&
	       news->length > news->mtu && news->length <= way->mtu && news->mtu >= way->arrived &&
	       (!way->gue || news->source_port >= PORT_MIN);
}

uint32_t pmtu_floor(const struct pmtu_way *way)
{
	const uint32_t inner = way->inner == 4 ? PMTU_INNER_MIN_IPV4 : PMTU_INNER_MIN_IPV6;

	return inner + (way->source.family == 4 ? 20 : 40) + (way->gue ? 8 : 0);
}

bool pmtu_is_due(const struct pmtu_trust *trust, int64_t now_ms)
{
	return !trust->looked || now_ms - trust->looked_ms >= PMTU_INTERVAL_MS;
}

bool pmtu_is_recent(struct pmtu_trust *trust, uint64_t packets, int64_t now_ms)
{
	const bool recent = trust->looked && now_ms - trust->looked_ms <= PMTU_RECENT_MS &&
			    packets != trust->packets;

	*trust = (struct pmtu_trust){.packets = packets, .looked_ms = now_ms, .looked = true};
	return recent;
}
