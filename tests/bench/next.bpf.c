// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* How does a program under BPF_PROG_TEST_RUN get a fresh packet each time, and how do several
 * programs take turns within one run?
 *
 * The kernel does not restore a frame between repeats: what a balancer has wrapped, it would be
 * given wrapped. So this program comes first. It takes off what was put on last time, writes the
 * Ethernet header again (the outer header lay over it), puts the next flow into the packet, and
 * calls the target, which stands in a prog array.
 *
 *   in    | Ethernet | outer IP | IP | TCP …      or, the first time and after XDP_PASS, without
 *   out              | Ethernet | IP | TCP …
 *
 * A SYN that is answered comes back as a SYN-ACK in its place; so all of it is written again.
 *
 * Fields are written in the width in which a balancer reads them: a load of four bytes over two
 * stores of two would wait for both, which a packet from a network card never makes it do.
 * Checksums are left as they were, but those of packets that are answered: of all others no target
 * looks at them.
 *
 * After each burst it is another contender's turn (turns.h), with a target and a frame of its own,
 * and this program notes what the burst took. A run in the kernel costs some 20 ms besides, in
 * which a shared machine may have become another: so bursts of a run of their own could not be
 * compared.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "next.h"

#define SOURCE_BITS 17 /* clients' addresses in use: 198.18.0.0/15 */
#define SPORT_FIRST 1024
#define ICMP_HEADER 8
#define TAG_BYTES 4

const volatile struct next_config next_configs[NEXT_CONTENDERS] = {};
struct next_turns next_turns = {};
struct next_contender next_contenders[NEXT_CONTENDERS] = {};
__u32 next_burst_ns[NEXT_BURSTS] = {};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, NEXT_CONTENDERS);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

static __always_inline __u32 next_flow(const volatile struct next_config *config,
				       struct next_contender *of)
{
	__u32 index = of->index * next_turns.multiplier + next_turns.addend;

	of->index = index;
	return index & config->flows_mask;
}

static __always_inline __be32 source_of(const volatile struct next_config *config, __u32 flow)
{
	return bpf_htonl(bpf_ntohl(config->source) + (flow & ((1u << SOURCE_BITS) - 1)));
}

/* Spread over the VIPs by a multiplication, without a division. */
static __always_inline __be32 vip_of(const volatile struct next_config *config, __u32 flow)
{
	if (config->vips == 1)
		return config->vip;
	return bpf_htonl(bpf_ntohl(config->vip) +
			 ((__u64)(flow * 0x9e3779b1u) * config->vips >> 32));
}

static __always_inline __be32 ports_of(const volatile struct next_config *config, __u32 flow)
{
	return bpf_htons(SPORT_FIRST + (flow >> SOURCE_BITS)) | (__u32)config->dport << 16;
}

/* As packets from the backend have them. Two stores: over IPv4 the two lie in two cache lines, and
 * a store across both takes 20 ns. */
static __always_inline void write_turned_ports(const volatile struct next_config *config,
					       __be16 *ports, __u32 flow)
{
	const __be32 of = ports_of(config, flow);

	*(volatile __be16 *)ports = of >> 16;
	*(volatile __be16 *)(ports + 1) = of;
}

static __always_inline int write_quote4(const volatile struct next_config *config, void *l3,
					void *end, __u32 flow)
{
	struct iphdr *ip = l3, *quote = l3 + sizeof(*ip) + ICMP_HEADER;
	__be16 *ports = (void *)(quote + 1);

	if ((void *)(ports + 2) > end)
		return -1;
	ip->daddr = vip_of(config, flow);
	quote->saddr = vip_of(config, flow);
	quote->daddr = source_of(config, flow);
	write_turned_ports(config, ports, flow);
	return 0;
}

static __always_inline int write_quote6(const volatile struct next_config *config, void *l3,
					void *end, __u32 flow)
{
	__u64 *words = l3, *quote = l3 + sizeof(struct ipv6hdr) + ICMP_HEADER;
	__be16 *ports = (void *)quote + sizeof(struct ipv6hdr);

	if ((void *)(ports + 2) > end)
		return -1;
	words[4] = (__u64)vip_of(config, flow) << 32;
	quote[2] = (__u64)vip_of(config, flow) << 32;
	quote[4] = (__u64)source_of(config, flow) << 32;
	write_turned_ports(config, ports, flow);
	return 0;
}

/* Whole, since it is read so (cases.h says where and how). */
static __always_inline int write_server_id(const volatile struct next_config *config, void *payload,
					   void *end, __u32 flow)
{
	const __u32 server = (__u64)(flow * 0x9e3779b1u) * config->servers >> 32;
	__u64 *id = payload + 2;

	if ((void *)(id + 1) > end)
		return -1;
	*id = (__u64)bpf_htonl(server + 1) << 32;
	return 0;
}

/* Those of IPv4, and of TCP with its options. */
static __always_inline int write_headers(const volatile struct next_config *config, void *l3,
					 void *end)
{
	const volatile __be32 *from = (const volatile void *)(config->frame + ETH_HLEN);
	__be32 *to = l3;
	int i;

	if ((void *)(to + NEXT_SYN_WORDS) > end)
		return -1;
#pragma unroll
	for (i = 0; i < NEXT_SYN_WORDS; i++)
		to[i] = from[i];
	return 0;
}

/* Of a header without options, whose answer must be the sender's. With the two bytes before it, in one store:
 * so it is read. */
static __always_inline void write_checksum(void *l3)
{
	__be32 *word = l3;
	__u64 sum = word[0] + (__u64)word[1] + (word[2] & 0xffff) + word[3] + word[4];

	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	word[2] = (word[2] & 0xffff) | (__u32)~sum << 16;
}

static __always_inline int write_ipv4(const volatile struct next_config *config, void *l3,
				      void *end, __u32 flow)
{
	struct iphdr *ip = l3;
	__be32 *ports = (void *)(ip + 1);

	if ((void *)(ports + 1) > end)
		return -1;
	if (config->answered && write_headers(config, l3, end))
		return -1;
	ip->saddr = source_of(config, flow);
	ip->daddr = vip_of(config, flow);
	*ports = ports_of(config, flow);
	if (config->answered)
		write_checksum(ip);
	if (config->servers)
		return write_server_id(config, (void *)ports + sizeof(struct udphdr), end, flow);
	return 0;
}

/* The second half of each address, whole: its first four bytes are 0. */
static __always_inline int write_ipv6(const volatile struct next_config *config, void *l3,
				      void *end, __u32 flow)
{
	struct ipv6hdr *ip = l3;
	__be32 *ports = (void *)(ip + 1);
	__u64 *words = l3;

	if ((void *)(ports + 1) > end)
		return -1;
	words[2] = (__u64)source_of(config, flow) << 32;
	words[4] = (__u64)vip_of(config, flow) << 32;
	*ports = ports_of(config, flow);
	return 0;
}

static __always_inline int write_packet(const volatile struct next_config *config, void *l3,
					void *end, __u32 flow)
{
	if (config->quote)
		return config->family == 4 ? write_quote4(config, l3, end, flow)
					   : write_quote6(config, l3, end, flow);
	return config->family == 4 ? write_ipv4(config, l3, end, flow)
				   : write_ipv6(config, l3, end, flow);
}

/* And the tag. */
static __always_inline int write_ethernet(const volatile struct next_config *config, void *data,
					  void *end)
{
	const __be16 type = bpf_htons(config->family == 4 ? ETH_P_IP : ETH_P_IPV6);

	if (data + ETH_HLEN + TAG_BYTES > end)
		return -1;
	*(__u64 *)data = 0x0002010000000002ull;
	*(__u32 *)(data + 8) = 0x03000000;
	if (!config->tag) {
		*(__be16 *)(data + 12) = type;
		return 0;
	}
	*(__be16 *)(data + 12) = bpf_htons(ETH_P_8021Q);
	*(__be16 *)(data + 14) = config->tag;
	*(__be16 *)(data + 16) = type;
	return 0;
}

/* --- turns --- */

/* There and back: 0 1 2 2 1 0 0 1 2 … */
static __always_inline __u32 whose_turn(__u32 burst)
{
	__u32 at = burst % (2 * next_turns.count);

	at = at < next_turns.count ? at : 2 * next_turns.count - 1 - at;
	return at & (NEXT_CONTENDERS - 1);
}

/* From the frame of one contender to that of another. It begins where the other began, as in cache
 * lines. */
static __always_inline int change_frame(struct xdp_md *ctx, __u32 from, __u32 to)
{
	const volatile struct next_config *config = &next_configs[to];
	const __u32 length = config->length;
	__u64 last = length - 1;

	barrier_var(last); /* else 6.1 does not know that the length is not 0 */
	if (last >= NEXT_FRAME ||
	    bpf_xdp_adjust_tail(ctx, (int)length - (int)next_configs[from].length))
		return -1;
	return bpf_xdp_store_bytes(ctx, 0, (void *)config->frame, last + 1);
}

/* A part of a burst is over: the head, which is not timed, or the timed rest. */
static __noinline int turn(struct xdp_md *ctx)
{
	struct next_turns *turns = &next_turns;
	const __u32 from = turns->who & (NEXT_CONTENDERS - 1);

	if (turns->part == NEXT_HEAD) {
		turns->part = NEXT_TIMED;
		turns->left = turns->timed;
		turns->since = bpf_ktime_get_ns();
		return 0;
	}
	if (turns->part == NEXT_TIMED) {
		next_burst_ns[turns->burst % NEXT_BURSTS] = bpf_ktime_get_ns() - turns->since;
		turns->burst++;
	}
	turns->who = whose_turn(turns->burst);
	turns->part = NEXT_HEAD;
	turns->left = turns->head;
	return change_frame(ctx, from, turns->who);
}

/* Index by constants, for jumps that the kernel makes direct. */
static __always_inline void call_target(struct xdp_md *ctx, __u32 who)
{
	switch (who) {
	case 0:
		return bpf_tail_call_static(ctx, &target, 0);
	case 1:
		return bpf_tail_call_static(ctx, &target, 1);
	case 2:
		return bpf_tail_call_static(ctx, &target, 2);
	case 3:
		return bpf_tail_call_static(ctx, &target, 3);
	case 4:
		return bpf_tail_call_static(ctx, &target, 4);
	}
}
_Static_assert(NEXT_USED == 5, "call_target has a case for each");

SEC("xdp.frags")
int next(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 who = next_turns.who & (NEXT_CONTENDERS - 1);
	const volatile struct next_config *config = &next_configs[who];
	struct next_contender *of = &next_contenders[who];
	long length = end - data;

	of->bytes += length;
	barrier_var(length); /* else clang narrows it: "R1 32-bit pointer arithmetic prohibited" */
	/* Also by 0 bytes, so that it costs the same whatever the target does. */
	if (bpf_xdp_adjust_head(ctx, length - config->length))
		return XDP_ABORTED;
	if (!next_turns.left) {
		if (turn(ctx))
			return XDP_ABORTED;
		who = next_turns.who & (NEXT_CONTENDERS - 1);
		config = &next_configs[who];
		of = &next_contenders[who];
	}
	next_turns.left--;
	of->packets++;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (write_ethernet(config, data, end) ||
	    write_packet(config, data + ETH_HLEN + (config->tag ? TAG_BYTES : 0), end,
			 next_flow(config, of)))
		return XDP_ABORTED;
	call_target(ctx, who);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
