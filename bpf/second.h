/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Is a packet with a list of backends for this one, or for the next of the list?
 *
 * The balancer that sends such a packet does not know which backend has its connection. So each
 * backend looks: it accepts what it has a socket for, and the last of the list accepts the rest.
 *
 *	a SYN, a fragment, what is no TCP                      accept
 *	a socket in any state but LISTEN                       accept
 *	a listener, and the packet brings a SYN cookie of it   accept
 *	otherwise, while next < count                          pass on
 *	otherwise                                              accept, and count
 *
 * What is counted then was misdelivered: no backend that was asked has the connection, and this one
 * resets it. Nothing else shows that anywhere. A RST that comes too late is no such packet, nor is
 * an ICMP error.
 *
 * An ICMP error belongs to the connection whose packet it quotes. The socket is looked for by
 * bpf_skc_lookup_tcp: bpf_sk_lookup_tcp reports a half-open connection as its listener, and one in
 * TIME_WAIT not at all.
 *
 * Included by decap.bpf.c (XDP), which takes the outer header off what is accepted and leaves the
 * rest as it is, and by second.bpf.c (TC), which passes on. Before that they define SECOND_CONTEXT
 * and SECOND_LOAD, a helper that copies bytes of the packet.
 *
 * A packet without a list is for this backend. While a balancer asks for it (second_question.h) it is
 * looked at, too, and counted when no connection is here.
 *
 * A list is looked at only when its sender is in second_sources; the map is empty at first. Else
 * whoever reaches a backend could have it send packets elsewhere.
 */
#ifndef LB_SECOND_H
#define LB_SECOND_H

#include <linux/tcp.h>
#include "outer.h"
#include "second_counters.h"

#define SECOND_PREFIXES_MAX 1024

/* So an IPv6 address that has an IPv4 address in it is not taken for that. */
struct second_prefix {
	__u32 length; /* 32, of the family, and those of the address */
	__be32 family;
	__be32 address[4]; /* IPv4 in the first word */
};

/* Balancers and backends: who may send a list. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SECOND_PREFIXES_MAX);
	__type(key, struct second_prefix);
	__type(value, __u32); /* unused */
} second_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct second_stats);
} second_stats SEC(".maps");

/* Until when packets without a list are looked at, too, by bpf_ktime_get_coarse_ns: a balancer asks
 * for it while it changes something (second_question.h). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} second_watch SEC(".maps");

static __always_inline bool second_is_watched(void)
{
	__u32 zero = 0;
	__u64 *until = bpf_map_lookup_elem(&second_watch, &zero);

	return until && *until && *until > bpf_ktime_get_coarse_ns();
}

static __always_inline void second_count(enum second which)
{
	__u32 zero = 0;
	struct second_stats *stats = bpf_map_lookup_elem(&second_stats, &zero);

	if (!stats)
		return;
	switch (which) {
#define X(enumerator, name, meaning)                                                               \
	case SECOND_##enumerator:                                                                  \
		stats->name++;                                                                     \
		break;
		SECOND_COUNTER_LIST(X)
#undef X
	default:
		break;
	}
}

/* `address`: as in struct outer, IPv4 in the last word. */
static __always_inline struct second_prefix second_key(__u8 family, const __be32 *address)
{
	struct second_prefix key = {.length = 160, .family = bpf_htonl(family)};

	if (family == 4)
		key.address[0] = address[3];
	else
		__builtin_memcpy(key.address, address, sizeof(key.address));
	return key;
}

static __always_inline bool second_is_believed(const struct outer *outer)
{
	struct second_prefix key = second_key(outer->family, outer->source);

	return bpf_map_lookup_elem(&second_sources, &key);
}

/* The connection that a packet belongs to, as its client sees it. */
struct second_flow {
	struct bpf_sock_tuple tuple;
	struct tcphdr tcp; /* of an ICMP error all 0: without ACK it brings no cookie */
};

/* `ip`: the inner header. */
static __always_inline enum second second_socket(SECOND_CONTEXT *ctx, struct second_flow *flow,
						 __u32 size, void *ip, __u32 ip_size)
{
	struct bpf_sock *socket =
		bpf_skc_lookup_tcp(ctx, &flow->tuple, size, BPF_F_CURRENT_NETNS, 0);
	enum second result = SECOND_SOCKET;

	if (!socket)
		return SECOND_PASSED_ON;
	if (socket->state == BPF_TCP_TIME_WAIT)
		result = SECOND_TIME_WAIT;
	else if (socket->state == BPF_TCP_NEW_SYN_RECV)
		result = SECOND_SYN_RECV;
	else if (socket->state == BPF_TCP_LISTEN)
		result =
			!bpf_tcp_check_syncookie(socket, ip, ip_size, &flow->tcp, sizeof(flow->tcp))
				? SECOND_COOKIE
				: SECOND_PASSED_ON;
	bpf_sk_release(socket);
	return result;
}

#define SECOND_QUOTED 8 /* bytes of an ICMP header before the quote */

/* SECOND_SOCKET: it is known where to look. */
static __always_inline enum second second_tcp(SECOND_CONTEXT *ctx, __u32 at, __u32 length,
					      struct tcphdr *tcp)
{
	if (length < sizeof(*tcp) || SECOND_LOAD(ctx, at, tcp, sizeof(*tcp)))
		return SECOND_OTHER;
	return tcp->syn && !tcp->ack ? SECOND_SYN : SECOND_SOCKET;
}

/* `at`: the ICMP header. The quoted packet is one that the connection's backend has sent. */
static __always_inline enum second second_quote4(SECOND_CONTEXT *ctx, __u32 at, __be32 vip,
						 struct second_flow *flow)
{
	struct iphdr quote;
	__be16 ports[2];
	__u8 type;

	if (SECOND_LOAD(ctx, at, &type, sizeof(type)) || (type != 3 && type != 11 && type != 12) ||
	    SECOND_LOAD(ctx, at + SECOND_QUOTED, &quote, sizeof(quote)) || quote.version != 4 ||
	    quote.ihl < 5 || quote.protocol != IPPROTO_TCP || quote.saddr != vip ||
	    quote.frag_off & bpf_htons(0x1fff) ||
	    SECOND_LOAD(ctx, at + SECOND_QUOTED + quote.ihl * 4, ports, sizeof(ports)))
		return SECOND_OTHER;
	flow->tuple.ipv4.saddr = quote.daddr;
	flow->tuple.ipv4.sport = ports[1];
	flow->tuple.ipv4.dport = ports[0];
	return SECOND_SOCKET;
}

static __always_inline enum second second_quote6(SECOND_CONTEXT *ctx, __u32 at,
						 struct second_flow *flow)
{
	struct ipv6hdr quote;
	__be16 ports[2];
	__be32 differ = 0;
	__u8 type;

	if (SECOND_LOAD(ctx, at, &type, sizeof(type)) || type < 1 || type > 4 ||
	    SECOND_LOAD(ctx, at + SECOND_QUOTED, &quote, sizeof(quote)) || quote.version != 6 ||
	    quote.nexthdr != IPPROTO_TCP ||
	    SECOND_LOAD(ctx, at + SECOND_QUOTED + sizeof(quote), ports, sizeof(ports)))
		return SECOND_OTHER;
	for (int i = 0; i < 4; i++)
		differ |= quote.saddr.in6_u.u6_addr32[i] ^ flow->tuple.ipv6.daddr[i];
	if (differ)
		return SECOND_OTHER;
	__builtin_memcpy(flow->tuple.ipv6.saddr, &quote.daddr, sizeof(quote.daddr));
	flow->tuple.ipv6.sport = ports[1];
	flow->tuple.ipv6.dport = ports[0];
	return SECOND_SOCKET;
}

static __always_inline enum second second_last(const struct second_flow *flow)
{
	return flow->tcp.ack && !flow->tcp.rst ? SECOND_LOST : SECOND_LATE;
}

/* `at`: the inner header. `length`: bytes of the packet there. */
static __always_inline enum second second_choose4(SECOND_CONTEXT *ctx, __u32 at, __u32 length,
						  bool last)
{
	struct second_flow flow = {};
	enum second result = SECOND_OTHER;
	struct iphdr ip;
	__u32 header;

	if (SECOND_LOAD(ctx, at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5 ||
	    bpf_ntohs(ip.tot_len) > length)
		return SECOND_MALFORMED;
	header = ip.ihl * 4;
	if (ip.frag_off & bpf_htons(IP_FRAGMENT) || bpf_ntohs(ip.tot_len) < header)
		return SECOND_OTHER;
	flow.tuple.ipv4.saddr = ip.saddr;
	flow.tuple.ipv4.daddr = ip.daddr;
	if (ip.protocol == IPPROTO_ICMP) {
		result = second_quote4(ctx, at + header, ip.daddr, &flow);
	} else if (ip.protocol == IPPROTO_TCP) {
		result = second_tcp(ctx, at + header, bpf_ntohs(ip.tot_len) - header, &flow.tcp);
		flow.tuple.ipv4.sport = flow.tcp.source;
		flow.tuple.ipv4.dport = flow.tcp.dest;
	}
	if (result != SECOND_SOCKET)
		return result;
	result = second_socket(ctx, &flow, sizeof(flow.tuple.ipv4), &ip, sizeof(ip));
	return result == SECOND_PASSED_ON && last ? second_last(&flow) : result;
}

/* Extension headers are not walked: what has them is accepted. */
static __always_inline enum second second_choose6(SECOND_CONTEXT *ctx, __u32 at, __u32 length,
						  bool last)
{
	struct second_flow flow = {};
	enum second result = SECOND_OTHER;
	struct ipv6hdr ip;

	if (SECOND_LOAD(ctx, at, &ip, sizeof(ip)) || ip.version != 6 ||
	    bpf_ntohs(ip.payload_len) + sizeof(ip) > length)
		return SECOND_MALFORMED;
	__builtin_memcpy(flow.tuple.ipv6.saddr, &ip.saddr, sizeof(ip.saddr));
	__builtin_memcpy(flow.tuple.ipv6.daddr, &ip.daddr, sizeof(ip.daddr));
	at += sizeof(ip);
	if (ip.nexthdr == IPPROTO_ICMPV6) {
		result = second_quote6(ctx, at, &flow);
	} else if (ip.nexthdr == IPPROTO_TCP) {
		result = second_tcp(ctx, at, bpf_ntohs(ip.payload_len), &flow.tcp);
		flow.tuple.ipv6.sport = flow.tcp.source;
		flow.tuple.ipv6.dport = flow.tcp.dest;
	}
	if (result != SECOND_SOCKET)
		return result;
	result = second_socket(ctx, &flow, sizeof(flow.tuple.ipv6), &ip, sizeof(ip));
	return result == SECOND_PASSED_ON && last ? second_last(&flow) : result;
}

static __always_inline enum second second_choose(SECOND_CONTEXT *ctx, const struct outer *outer)
{
	const __u32 at = ETH_HLEN + outer->header;

	const bool last = outer->next == outer->count;

	if (outer->protocol == IPPROTO_IPIP)
		return second_choose4(ctx, at, outer->payload, last);
	return second_choose6(ctx, at, outer->payload, last);
}

/* A packet without a list goes nowhere else: it is counted when no connection is here, and else not. */
static __always_inline void second_count_plain(enum second result)
{
	if (result == SECOND_LOST)
		second_count(SECOND_STRAY);
}

#endif
