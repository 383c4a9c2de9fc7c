/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What does a spoofed flood look like, and how does a backend's network keep it off the backend?
 *
 * flood writes one TCP packet without payload, of a random flow from 198.18.0.0/15 (set aside for
 * such tests by RFC 2544), and sends it out of the interface that it is run on. Or it goes through
 * ports 1024 to 33791 of one address, as whoever forges packets of a client does. Or it writes all
 * that a VIP may get of TCP and UDP, fragments too. Every header is written for every packet: pages
 * come back from the receiver as it left them.
 *
 * filter takes the place of pass.bpf.c where the balancer's frames come out: it drops what is
 * encapsulated and has such a source, lest the backends' answers be what is measured.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flood.h"

#define SOURCE_NET 0xc6120000u /* 198.18.0.0 */
#define SOURCE_BITS 17
#define SOURCE_BITS_OF_ALL 9 /* two prefixes of 24 bits */

#define MORE_FRAGMENTS 0x2000
#define DONT_FRAGMENT 0x4000
#define FRAGMENT_BYTES 24 /* of payload, in a first one */

const volatile struct flood_config flood_config = {};

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* A memcpy of dst_mac would cast "volatile" away, and clang copy the zeros that it sees. */
static __always_inline void write_eth(struct ethhdr *eth)
{
	static const __u8 source[ETH_ALEN] = {2, 0, 0, 0, 0xf1, 0x0d};
	int i;

#pragma unroll
	for (i = 0; i < ETH_ALEN; i++)
		eth->h_dest[i] = flood_config.dst_mac[i];
	__builtin_memcpy(eth->h_source, source, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
}

static __always_inline __u32 source_mask(void)
{
	return (1u << (flood_config.kind == FLOOD_ALL ? SOURCE_BITS_OF_ALL : SOURCE_BITS)) - 1;
}

/* What a packet is, but for its flow. */
struct shape {
	__u8 protocol;
	__u8 syn;
	__u16 fragment; /* as in the IP header */
	__u16 payload;
};

static __always_inline void write_ip(struct iphdr *ip, __u32 flow, const struct shape *shape)
{
	struct iphdr next = {
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(sizeof(struct iphdr) + shape->payload),
		.frag_off = bpf_htons(shape->fragment),
		.ttl = 57,
		.protocol = shape->protocol,
		.saddr = flood_config.from ?: bpf_htonl(SOURCE_NET | (flow & source_mask())),
		.daddr = flood_config.dst_address,
	};

	next.check = fold(bpf_csum_diff(NULL, 0, (__be32 *)&next, sizeof(next), 0));
	*ip = next;
}

/* Of pairs: the flow whose SYN was the last packet. One CPU runs the flood. */
static __u32 paired_flow;
static __u32 ack_follows;
static __u32 next_port;

static __always_inline __u32 choose_flow(void)
{
	__u32 flow = bpf_get_prandom_u32();

	if (flood_config.from)
		flow = next_port++ << SOURCE_BITS;
	else if (flood_config.sources)
		flow %= flood_config.sources;
	if (flood_config.kind != FLOOD_PAIR)
		return flow;
	ack_follows = !ack_follows;
	if (ack_follows)
		paired_flow = flow;
	return paired_flow;
}

static __always_inline int is_syn(__u32 random)
{
	if (flood_config.kind == FLOOD_PAIR)
		return ack_follows;
	return flood_config.kind == FLOOD_SYN || (flood_config.kind == FLOOD_MIX && random & 1);
}

/* Of all: SYN, ACK, datagram; first fragment of a SYN, of a datagram, a later one of that. They have one
 * identification, so that later ones find a first one of their source. */
static __always_inline struct shape choose_shape(void)
{
	const __u32 random = bpf_get_prandom_u32(), lot = random >> 16;
	struct shape shape = {IPPROTO_TCP, is_syn(random), DONT_FRAGMENT, sizeof(struct tcphdr)};

	if (flood_config.kind != FLOOD_ALL)
		return shape;
	shape.syn = lot % 3 == 0;
	if (lot % 3 == 2)
		shape.protocol = IPPROTO_UDP;
	if (!(random & 1))
		return shape;
	shape.payload = FRAGMENT_BYTES;
	shape.fragment = MORE_FRAGMENTS;
	if (lot % 3 == 1) {
		shape.protocol = IPPROTO_UDP;
		shape.fragment = FRAGMENT_BYTES / 8;
	}
	return shape;
}

/* Without a checksum; zeros fill what TCP would have. */
static __always_inline void write_udp(struct tcphdr *payload, __u32 flow)
{
	struct udphdr *udp = (void *)payload;
	struct tcphdr zeros = {};

	*payload = zeros;
	udp->source = bpf_htons(1024 + (flow >> SOURCE_BITS));
	udp->dest = flood_config.dst_port;
	udp->len = bpf_htons(sizeof(*payload));
}

static __always_inline void write_tcp(struct tcphdr *tcp, const struct iphdr *ip, __u32 flow,
				      int syn)
{
	__u32 random = bpf_get_prandom_u32(), sum;
	struct tcphdr next = {
		.source = bpf_htons(1024 + (flow >> SOURCE_BITS)),
		.dest = flood_config.dst_port,
		.seq = random,
		.doff = sizeof(struct tcphdr) / 4,
		.window = bpf_htons(64240),
	};

	if (syn) {
		next.syn = 1;
	} else {
		next.ack = 1;
		next.ack_seq = ~random;
	}
	sum = bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(struct tcphdr));
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&ip->saddr, 8, sum);
	next.check = fold(bpf_csum_diff(NULL, 0, (__be32 *)&next, sizeof(next), sum));
	*tcp = next;
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 flow = choose_flow();
	const struct shape shape = choose_shape();

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	write_eth(eth);
	write_ip(ip, flow, &shape);
	if (shape.protocol == IPPROTO_UDP)
		write_udp(tcp, flow);
	else
		write_tcp(tcp, ip, flow, shape.syn);
	return XDP_TX;
}

SEC("xdp.frags")
int filter(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *outer = (void *)(eth + 1), *inner = outer + 1;

	if ((void *)(inner + 1) > (void *)(long)ctx->data_end ||
	    eth->h_proto != bpf_htons(ETH_P_IP) || outer->protocol != IPPROTO_IPIP)
		return XDP_PASS;
	if (bpf_ntohl(inner->saddr) >> SOURCE_BITS == SOURCE_NET >> SOURCE_BITS)
		return XDP_DROP;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
