// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What does the usual design cost? A balancer that remembers every connection.
 *
 * parse -> VIP (hash map) -> connection (LRU hash map, by the 5-tuple; on a miss the VIP's ring of
 * backends, and an insert) -> backend -> counters -> encapsulate -> XDP_TX
 *
 * Well made for what it is: keys as short as the family allows, the ring asked only on a miss,
 * arrays for the rest, the same outer headers as the balancer's. What a product would do besides
 * (ICMP, fragments, rate limits on inserts) is left out in its favour.
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
#include "rival.h"

#define MAP(kind, name, key_type, value_type)                                                      \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, 1);                                                            \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

MAP(BPF_MAP_TYPE_HASH, rival_vips4, struct rival_vip4_key, struct rival_vip);
MAP(BPF_MAP_TYPE_HASH, rival_vips6, struct rival_vip6_key, struct rival_vip);
MAP(BPF_MAP_TYPE_LRU_HASH, rival_flows4, struct rival_flow4_key, __u32);
MAP(BPF_MAP_TYPE_LRU_HASH, rival_flows6, struct rival_flow6_key, __u32);
MAP(BPF_MAP_TYPE_ARRAY, rival_ring, __u32, __u32);
MAP(BPF_MAP_TYPE_ARRAY, rival_reals, __u32, struct rival_real);
MAP(BPF_MAP_TYPE_ARRAY, rival_gateway, __u32, struct rival_gateway);
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, rival_real_counts, __u32, struct rival_count);
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, rival_vip_counts, __u32, struct rival_count);
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, rival_outcomes, __u32, __u64);

struct packet {
	__u8 family, protocol, tos;
	__u32 length; /* of the IP packet */
	__be32 ports;
	__be32 source[4], destination[4];
};

static __always_inline int parse_l4(void *l4, void *end, struct packet *packet)
{
	const __u32 size = packet->protocol == IPPROTO_TCP   ? sizeof(struct tcphdr)
			   : packet->protocol == IPPROTO_UDP ? sizeof(struct udphdr)
							     : 0;

	if (!size || l4 + sizeof(struct udphdr) > end)
		return -1;
	if (packet->protocol == IPPROTO_TCP && l4 + sizeof(struct tcphdr) > end)
		return -1;
	packet->ports = *(__be32 *)l4;
	return 0;
}

static __always_inline int parse_ipv4(struct iphdr *ip, void *end, struct packet *packet)
{
	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != 5 ||
	    ip->frag_off & bpf_htons(0x3fff))
		return -1;
	packet->family = 4;
	packet->protocol = ip->protocol;
	packet->tos = ip->tos;
	packet->length = bpf_ntohs(ip->tot_len);
	packet->source[0] = ip->saddr;
	packet->destination[0] = ip->daddr;
	return parse_l4(ip + 1, end, packet);
}

static __always_inline int parse_ipv6(struct ipv6hdr *ip, void *end, struct packet *packet)
{
	if ((void *)(ip + 1) > end || ip->version != 6)
		return -1;
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	packet->tos = bpf_ntohs(*(__be16 *)ip) >> 4;
	packet->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	__builtin_memcpy(packet->source, &ip->saddr, 16);
	__builtin_memcpy(packet->destination, &ip->daddr, 16);
	return parse_l4(ip + 1, end, packet);
}

static __always_inline int parse(struct xdp_md *ctx, struct packet *packet)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return -1;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return parse_ipv4((void *)(eth + 1), end, packet);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6((void *)(eth + 1), end, packet);
	return -1;
}

static __always_inline struct rival_vip *find_vip(const struct packet *packet)
{
	if (packet->family == 4) {
		struct rival_vip4_key key = {packet->destination[0], packet->ports >> 16,
					     packet->protocol, 0};

		return bpf_map_lookup_elem(&rival_vips4, &key);
	} else {
		struct rival_vip6_key key = {
			.port = packet->ports >> 16,
			.protocol = packet->protocol,
		};

		__builtin_memcpy(key.address, packet->destination, 16);
		return bpf_map_lookup_elem(&rival_vips6, &key);
	}
}

static __always_inline void count_outcome(__u32 outcome)
{
	__u64 *count = bpf_map_lookup_elem(&rival_outcomes, &outcome);

	if (count)
		++*count;
}

/* --- the connection --- */

static __always_inline __u32 mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x85ebca6bu;
	return hash ^ hash >> 15;
}

static __always_inline __u32 *ask_ring(const struct packet *packet, const struct rival_vip *vip)
{
	__u32 hash = mix(packet->ports, packet->protocol), index;
	int i;

#pragma unroll
	for (i = 0; i < 4; i++)
		hash = mix(mix(hash, packet->source[i]), packet->destination[i]);
	hash *= 0xc2b2ae35u;
	hash ^= hash >> 16;
	index = vip->ring_start + ((__u64)hash * vip->ring_size >> 32);
	count_outcome(RIVAL_MISSED);
	return bpf_map_lookup_elem(&rival_ring, &index);
}

static __always_inline __u32 *find_real4(const struct packet *packet, const struct rival_vip *vip)
{
	struct rival_flow4_key key = {packet->source[0], packet->destination[0], packet->ports,
				      packet->protocol};
	__u32 *real = bpf_map_lookup_elem(&rival_flows4, &key);

	if (real)
		return real;
	real = ask_ring(packet, vip);
	if (real)
		bpf_map_update_elem(&rival_flows4, &key, real, BPF_ANY);
	return real;
}

static __always_inline __u32 *find_real6(const struct packet *packet, const struct rival_vip *vip)
{
	struct rival_flow6_key key = {.ports = packet->ports, .protocol = packet->protocol};
	__u32 *real;

	__builtin_memcpy(key.source, packet->source, 16);
	__builtin_memcpy(key.destination, packet->destination, 16);
	real = bpf_map_lookup_elem(&rival_flows6, &key);
	if (real)
		return real;
	real = ask_ring(packet, vip);
	if (real)
		bpf_map_update_elem(&rival_flows6, &key, real, BPF_ANY);
	return real;
}

/* --- the outer header --- */

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

static __always_inline void write_ipv4(struct iphdr *ip, const struct packet *packet,
				       const struct rival_real *real)
{
	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.tos = packet->tos,
		.tot_len = bpf_htons(packet->length + sizeof(outer)),
		.frag_off = bpf_htons(0x4000),
		.ttl = 64,
		.protocol = packet->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6,
		.saddr = real->saddr[0],
		.daddr = real->daddr[0],
	};

	outer.check = checksum(&outer);
	*ip = outer;
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, const struct packet *packet,
				       const struct rival_real *real)
{
	__be32 *words = (__be32 *)ip;

	words[0] = bpf_htonl(6u << 28 | (__u32)packet->tos << 20);
	ip->payload_len = bpf_htons(packet->length);
	ip->nexthdr = packet->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	ip->hop_limit = 64;
	__builtin_memcpy(&ip->saddr, real->saddr, 16);
	__builtin_memcpy(&ip->daddr, real->daddr, 16);
}

static __always_inline int write_outer(struct xdp_md *ctx, const struct packet *packet,
				       const struct rival_real *real,
				       const struct rival_gateway *gateway)
{
	const __u32 outer = real->outer6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct ethhdr *eth;
	void *end;

	if (bpf_xdp_adjust_head(ctx, -(int)outer))
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)(eth + 1) + sizeof(struct iphdr) > end)
		return XDP_DROP;
	__builtin_memcpy(eth->h_dest, gateway->dst_mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, gateway->src_mac, ETH_ALEN);
	if (real->outer6) {
		if ((void *)(eth + 1) + sizeof(struct ipv6hdr) > end)
			return XDP_DROP;
		eth->h_proto = bpf_htons(ETH_P_IPV6);
		write_ipv6((void *)(eth + 1), packet, real);
	} else {
		eth->h_proto = bpf_htons(ETH_P_IP);
		write_ipv4((void *)(eth + 1), packet, real);
	}
	return XDP_TX;
}

/* --- all of it --- */

static __always_inline void count(void *map, __u32 key, __u32 bytes)
{
	struct rival_count *value = bpf_map_lookup_elem(map, &key);

	if (value) {
		value->packets++;
		value->bytes += bytes;
	}
}

static __always_inline int balance(struct xdp_md *ctx)
{
	struct packet packet = {};
	struct rival_vip *vip;
	struct rival_real *real;
	struct rival_gateway *gateway;
	__u32 *number, zero = 0;

	if (parse(ctx, &packet))
		return XDP_PASS;
	vip = find_vip(&packet);
	if (!vip)
		return XDP_PASS;
	number = packet.family == 4 ? find_real4(&packet, vip) : find_real6(&packet, vip);
	if (!number)
		return XDP_DROP;
	real = bpf_map_lookup_elem(&rival_reals, number);
	gateway = bpf_map_lookup_elem(&rival_gateway, &zero);
	if (!real || !gateway)
		return XDP_DROP;
	count(&rival_real_counts, *number, packet.length);
	count(&rival_vip_counts, vip->number, packet.length);
	return write_outer(ctx, &packet, real, gateway);
}

SEC("xdp.frags")
int rival(struct xdp_md *ctx)
{
	const int action = balance(ctx);

	count_outcome(action == XDP_TX     ? RIVAL_SENT
		      : action == XDP_PASS ? RIVAL_PASSED
					   : RIVAL_DROPPED);
	return action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
