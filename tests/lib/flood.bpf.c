/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What does a spoofed flood look like, and how does a backend's network keep it off the backend?
 *
 * flood writes one TCP packet without payload, of a random flow from 198.18.0.0/15 (set aside for
 * such tests by RFC 2544), and sends it out of the interface that it is run on. Or it goes through
 * ports 1024 to 33791 of one address, as whoever forges packets of a client does. Every header is
 * written for every packet: pages come back from the receiver as it left them.
 *
 * filter takes the place of pass.bpf.c where the balancer's frames come out: it drops what is
 * encapsulated and has such a source, lest the backends' answers be what is measured.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flood.h"

#define SOURCE_NET 0xc6120000u /* 198.18.0.0 */
#define SOURCE_BITS 17

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

static __always_inline void write_ip(struct iphdr *ip, __u32 flow)
{
	struct iphdr next = {
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(sizeof(struct iphdr) + sizeof(struct tcphdr)),
		.frag_off = bpf_htons(0x4000),
		.ttl = 57,
		.protocol = IPPROTO_TCP,
		.saddr = flood_config.from
				 ?: bpf_htonl(SOURCE_NET | (flow & ((1u << SOURCE_BITS) - 1))),
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

static __always_inline void write_tcp(struct tcphdr *tcp, const struct iphdr *ip, __u32 flow)
{
	__u32 random = bpf_get_prandom_u32(), sum;
	struct tcphdr next = {
		.source = bpf_htons(1024 + (flow >> SOURCE_BITS)),
		.dest = flood_config.dst_port,
		.seq = random,
		.doff = sizeof(struct tcphdr) / 4,
		.window = bpf_htons(64240),
	};

	if (is_syn(random)) {
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

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	write_eth(eth);
	write_ip(ip, flow);
	write_tcp(tcp, ip, flow);
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
