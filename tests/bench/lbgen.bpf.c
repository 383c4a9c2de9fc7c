// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Where does traffic for a balancer come from, and where does it go to?
 *
 * generate writes one IPv4 or IPv6 packet, TCP without payload or UDP with 12 bytes of it, of the next
 * flow, and sends it out of the interface that it is run on. Every header is written for every
 * packet: pages come back from the receiver as it left them. Checksums are right, since conntrack
 * looks.
 *
 * backends counts and drops what comes back encapsulated, by its outer destination; anything else
 * passes.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "lbgen.h"

#define L4_LENGTH 20 /* a TCP header, or a UDP header and 12 bytes */
#define SPORT_FIRST 1024

const volatile struct lbgen_config lbgen_config = {};
struct lbgen_order lbgen_order = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct lbgen_backend);
	__type(value, __u64);
} lbgen_backends SEC(".maps");

struct flow {
	__be32 source;
	__be16 sport;
	__u16 draw; /* decides what it sends, against the shares */
};

static __always_inline struct flow next_flow(void)
{
	const __u32 low = (1u << lbgen_config.source_bits) - 1;
	__u32 index, draw;

	if (lbgen_config.spoof) {
		index = bpf_get_prandom_u32();
		draw = bpf_get_prandom_u32();
	} else {
		lbgen_order.index = lbgen_order.index * lbgen_order.multiplier + lbgen_order.addend;
		index = lbgen_order.index & lbgen_order.flows_mask;
		draw = index * 0x9e3779b1u >> 16;
	}
	return (struct flow){
		.source = bpf_htonl(bpf_ntohl(lbgen_config.source) + (index & low)),
		.sport = bpf_htons(SPORT_FIRST + (index >> lbgen_config.source_bits)),
		.draw = draw,
	};
}

static __always_inline __u32 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline __u32 halves(__be32 word)
{
	return (word & 0xffff) + (word >> 16);
}

/* A memcpy would cast "volatile" away, and clang copy the zeros that it sees. */
static __always_inline void write_ethernet(struct ethhdr *eth, __u16 type)
{
	const volatile __u16 *dst = (const volatile __u16 *)lbgen_config.dst_mac;
	const volatile __u16 *src = (const volatile __u16 *)lbgen_config.src_mac;
	int i;

#pragma unroll
	for (i = 0; i < ETH_ALEN / 2; i++) {
		((__u16 *)eth->h_dest)[i] = dst[i];
		((__u16 *)eth->h_source)[i] = src[i];
	}
	eth->h_proto = bpf_htons(type);
}

static __always_inline void write_ip(struct iphdr *ip, __be32 source, __u8 protocol)
{
	struct iphdr next = {
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(sizeof(next) + L4_LENGTH),
		.frag_off = bpf_htons(0x4000),
		.ttl = 57,
		.protocol = protocol,
		.saddr = source,
		.daddr = lbgen_config.dst_address,
	};
	__u32 sum = bpf_htons(0x4500) + next.tot_len + next.frag_off +
		    bpf_htons(57 << 8 | protocol) + halves(next.saddr) + halves(next.daddr);

	next.check = ~fold(sum);
	*ip = next;
}

/* Of the addresses, the protocol and the length. */
static __always_inline __u32 pseudo_sum(const struct iphdr *ip, __u8 protocol)
{
	return halves(ip->saddr) + halves(ip->daddr) + bpf_htons(protocol) + bpf_htons(L4_LENGTH);
}

/* Returns what pseudo_sum does. */
static __always_inline __u32 write_ip6(struct ipv6hdr *ip, __be32 source, __u8 protocol)
{
	__u32 sum = bpf_htons(protocol) + bpf_htons(L4_LENGTH);
	__be32 *words = (__be32 *)ip;
	int i;

	words[0] = bpf_htonl(0x60000000);
	words[1] = bpf_htons(L4_LENGTH) | (__u32)protocol << 16 | 57u << 24;
#pragma unroll
	for (i = 0; i < 4; i++) {
		const __be32 from = i < 3 ? lbgen_config.source6[i] : source;
		const __be32 to = lbgen_config.dst_address6[i];

		words[2 + i] = from;
		words[6 + i] = to;
		sum += halves(from) + halves(to);
	}
	return sum;
}

static __always_inline void write_tcp(struct tcphdr *tcp, __u32 pseudo, const struct flow *flow)
{
	const int syn = (__u32)flow->draw < lbgen_config.syn_share;
	const __be16 flags = bpf_htons(syn ? 0x5002 : 0x5010);
	const __be32 ack = syn ? 0 : bpf_htonl(1);
	__be32 *words = (__be32 *)tcp;
	__u32 sum;

	words[0] = flow->sport | (__u32)lbgen_config.dst_port << 16;
	words[1] = bpf_htonl(1);
	words[2] = ack;
	words[3] = flags | (__u32)bpf_htons(64240) << 16;
	sum = pseudo + halves(words[0]) + halves(words[1]) + halves(ack) + halves(words[3]);
	words[4] = (__u16)~fold(sum);
}

static __always_inline void write_udp(struct udphdr *udp, __u32 pseudo, const struct flow *flow)
{
	__be32 *words = (__be32 *)udp;
	__u32 sum;

	words[0] = flow->sport | (__u32)lbgen_config.dst_port << 16;
	sum = pseudo + halves(words[0]) + bpf_htons(L4_LENGTH);
	words[1] = bpf_htons(L4_LENGTH) | (~fold(sum) & 0xffff) << 16;
	words[2] = words[3] = words[4] = 0;
}

static __always_inline __u8 protocol_of(const struct flow *flow)
{
	/* Another part of the draw than write_tcp looks at. */
	const __u32 draw = (__u16)(flow->draw * 0x9e35u);

	return draw < lbgen_config.udp_share ? IPPROTO_UDP : IPPROTO_TCP;
}

static __always_inline void write_l4(void *l4, __u8 protocol, __u32 pseudo, const struct flow *flow)
{
	if (protocol == IPPROTO_UDP)
		write_udp(l4, pseudo, flow);
	else
		write_tcp(l4, pseudo, flow);
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	const struct flow flow = next_flow();
	const __u8 protocol = protocol_of(&flow);

	if (lbgen_config.ipv6) {
		if ((void *)(ip6 + 1) + L4_LENGTH > end)
			return XDP_DROP;
		write_ethernet(eth, ETH_P_IPV6);
		write_l4(ip6 + 1, protocol, write_ip6(ip6, flow.source, protocol), &flow);
		return XDP_TX;
	}
	if ((void *)(ip + 1) + L4_LENGTH > end)
		return XDP_DROP;
	write_ethernet(eth, ETH_P_IP);
	write_ip(ip, flow.source, protocol);
	write_l4(ip + 1, protocol, pseudo_sum(ip, protocol), &flow);
	return XDP_TX;
}

static __always_inline int count_backend(const struct lbgen_backend *backend)
{
	__u64 *count = bpf_map_lookup_elem(&lbgen_backends, backend), one = 1;

	if (count)
		++*count;
	else
		bpf_map_update_elem(&lbgen_backends, backend, &one, BPF_NOEXIST);
	return XDP_DROP;
}

static __always_inline int is_tunnel(__u8 protocol)
{
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6;
}

SEC("xdp.frags")
int backends(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct lbgen_backend backend = {};

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP) && is_tunnel(ip->protocol)) {
		__builtin_memcpy(backend.address, &ip->daddr, 4);
		return count_backend(&backend);
	}
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || (void *)(ip6 + 1) > end ||
	    !is_tunnel(ip6->nexthdr))
		return XDP_PASS;
	__builtin_memcpy(backend.address, &ip6->daddr, 16);
	return count_backend(&backend);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
