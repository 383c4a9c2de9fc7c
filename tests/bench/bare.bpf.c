// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What is the least that a balancer can cost? Programs without maps, to be measured against.
 *
 * tx sends the frame back as it is. encap parses the IP header, puts one IPv4 header with its
 * checksum around the packet and sends it back: the floor for whoever balances by IP-in-IP.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__u32 length;
	__u8 tos, protocol;
};

static __always_inline int parse_inner(void *data, void *end, struct inner *inner)
{
	struct ethhdr *eth = data;
	struct iphdr *ip4 = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if ((void *)(ip4 + 1) > end)
		return -1;
	if (eth->h_proto == bpf_htons(ETH_P_IP) && ip4->version == 4) {
		*inner = (struct inner){bpf_ntohs(ip4->tot_len), ip4->tos, IPPROTO_IPIP};
		return 0;
	}
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || (void *)(ip6 + 1) > end)
		return -1;
	*inner = (struct inner){bpf_ntohs(ip6->payload_len) + sizeof(*ip6),
				bpf_ntohs(*(__be16 *)ip6) >> 4, IPPROTO_IPV6};
	return 0;
}

static __always_inline __u16 checksum(const struct iphdr *ip)
{
	const __u16 *words = (const void *)ip;
	__u32 sum = 0;
	int i;

#pragma unroll
	for (i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Back to where it came from: addresses swapped. */
static __always_inline void write_ethernet(void *data, __u64 head, __u32 tail)
{
	const __u64 source = head >> 48 | (__u64)tail << 16;

	*(__u64 *)data = source | head << 48;
	*(__u32 *)(data + 8) = head >> 16;
	*(__be16 *)(data + 12) = bpf_htons(ETH_P_IP);
}

static __always_inline void write_ip(struct iphdr *ip, const struct inner *inner)
{
	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.tos = inner->tos,
		.tot_len = bpf_htons(inner->length + sizeof(outer)),
		.frag_off = bpf_htons(0x4000),
		.ttl = 64,
		.protocol = inner->protocol,
		.saddr = bpf_htonl(0x0a010001),
		.daddr = bpf_htonl(0x0a010002),
	};

	outer.check = checksum(&outer);
	*ip = outer;
}

SEC("xdp.frags")
int encap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct inner inner;
	__u64 head;
	__u32 tail;

	if (parse_inner(data, end, &inner))
		return XDP_PASS;
	head = *(__u64 *)data;
	tail = *(__u32 *)(data + 8);
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct iphdr)))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + ETH_HLEN + sizeof(struct iphdr) > end)
		return XDP_DROP;
	write_ethernet(data, head, tail);
	write_ip(data + ETH_HLEN, &inner);
	return XDP_TX;
}

SEC("xdp.frags")
int tx(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
