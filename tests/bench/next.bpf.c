// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* How does a program under BPF_PROG_TEST_RUN get a fresh packet each time?
 *
 * The kernel does not restore a frame between repeats: what a balancer has wrapped, it would be
 * given wrapped. So this program comes first. It takes off what was put on last time, writes the
 * Ethernet header again (the outer header lay over it), puts the next flow into the packet, and
 * calls the target, which stands in a prog array.
 *
 *   in    | Ethernet | outer IP | IP | TCP …      or, the first time and after XDP_PASS, without
 *   out              | Ethernet | IP | TCP …
 *
 * Fields are written in the width in which a balancer reads them: a load of four bytes over two
 * stores of two would wait for both, which a packet from a network card never makes it do.
 * Checksums are left as they were: no target looks at those of clients' packets.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "next.h"

#define SOURCE_BITS 17 /* clients' addresses in use: 198.18.0.0/15 */
#define SPORT_FIRST 1024
#define ICMP_HEADER 8
#define TAG_BYTES 4

const volatile struct next_config next_config = {};
struct next_order next_order = {};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

static __always_inline __u32 next_flow(void)
{
	__u32 index = next_order.index * next_order.multiplier + next_order.addend;

	next_order.index = index;
	return index & next_config.flows_mask;
}

static __always_inline __be32 source_of(__u32 flow)
{
	return bpf_htonl(bpf_ntohl(next_config.source) + (flow & ((1u << SOURCE_BITS) - 1)));
}

/* Spread over the VIPs by a multiplication, without a division. */
static __always_inline __be32 vip_of(__u32 flow)
{
	if (next_config.vips == 1)
		return next_config.vip;
	return bpf_htonl(bpf_ntohl(next_config.vip) +
			 ((__u64)(flow * 0x9e3779b1u) * next_config.vips >> 32));
}

static __always_inline __be32 ports_of(__u32 flow)
{
	return bpf_htons(SPORT_FIRST + (flow >> SOURCE_BITS)) | (__u32)next_config.dport << 16;
}

/* As packets from the backend have them. Two stores: over IPv4 the two lie in two cache lines, and
 * a store across both takes 20 ns. */
static __always_inline void write_turned_ports(__be16 *ports, __u32 flow)
{
	const __be32 of = ports_of(flow);

	*(volatile __be16 *)ports = of >> 16;
	*(volatile __be16 *)(ports + 1) = of;
}

static __always_inline int write_quote4(void *l3, void *end, __u32 flow)
{
	struct iphdr *ip = l3, *quote = l3 + sizeof(*ip) + ICMP_HEADER;
	__be16 *ports = (void *)(quote + 1);

	if ((void *)(ports + 2) > end)
		return -1;
	ip->daddr = vip_of(flow);
	quote->saddr = vip_of(flow);
	quote->daddr = source_of(flow);
	write_turned_ports(ports, flow);
	return 0;
}

static __always_inline int write_quote6(void *l3, void *end, __u32 flow)
{
	__u64 *words = l3, *quote = l3 + sizeof(struct ipv6hdr) + ICMP_HEADER;
	__be16 *ports = (void *)quote + sizeof(struct ipv6hdr);

	if ((void *)(ports + 2) > end)
		return -1;
	words[4] = (__u64)vip_of(flow) << 32;
	quote[2] = (__u64)vip_of(flow) << 32;
	quote[4] = (__u64)source_of(flow) << 32;
	write_turned_ports(ports, flow);
	return 0;
}

static __always_inline int write_ipv4(void *l3, void *end, __u32 flow)
{
	struct iphdr *ip = l3;
	__be32 *ports = (void *)(ip + 1);

	if ((void *)(ports + 1) > end)
		return -1;
	ip->saddr = source_of(flow);
	ip->daddr = vip_of(flow);
	*ports = ports_of(flow);
	return 0;
}

/* The second half of each address, whole: its first four bytes are 0. */
static __always_inline int write_ipv6(void *l3, void *end, __u32 flow)
{
	struct ipv6hdr *ip = l3;
	__be32 *ports = (void *)(ip + 1);
	__u64 *words = l3;

	if ((void *)(ports + 1) > end)
		return -1;
	words[2] = (__u64)source_of(flow) << 32;
	words[4] = (__u64)vip_of(flow) << 32;
	*ports = ports_of(flow);
	return 0;
}

static __always_inline int write_packet(void *l3, void *end, __u32 flow)
{
	if (next_config.quote)
		return next_config.family == 4 ? write_quote4(l3, end, flow)
					       : write_quote6(l3, end, flow);
	return next_config.family == 4 ? write_ipv4(l3, end, flow) : write_ipv6(l3, end, flow);
}

/* And the tag. */
static __always_inline int write_ethernet(void *data, void *end)
{
	const __be16 type = bpf_htons(next_config.family == 4 ? ETH_P_IP : ETH_P_IPV6);

	if (data + ETH_HLEN + TAG_BYTES > end)
		return -1;
	*(__u64 *)data = 0x0002010000000002ull;
	*(__u32 *)(data + 8) = 0x03000000;
	if (!next_config.tag) {
		*(__be16 *)(data + 12) = type;
		return 0;
	}
	*(__be16 *)(data + 12) = bpf_htons(ETH_P_8021Q);
	*(__be16 *)(data + 14) = next_config.tag;
	*(__be16 *)(data + 16) = type;
	return 0;
}

SEC("xdp.frags")
int next(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u32 flow = next_flow();
	long extra = end - data;

	barrier_var(extra); /* else clang narrows it: "R1 32-bit pointer arithmetic prohibited" */
	/* Also by 0 bytes, so that it costs the same whatever the target does. */
	if (next_config.restore && bpf_xdp_adjust_head(ctx, extra - next_config.length))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (next_config.restore && write_ethernet(data, end))
		return XDP_ABORTED;
	if (write_packet(data + ETH_HLEN + (next_config.tag ? TAG_BYTES : 0), end, flow))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &target, 0);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
