/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The SYN guard: a SYN is answered here, and nothing is kept of it.
 *
 *   SYN       back to its sender, as a SYN-ACK whose sequence number is a cookie (syn_cookie.h)
 *   ACK       forwarded as ever. In a slot that is not SETTLED the one that brings the cookie opens
 *             the flow, as a SYN does elsewhere; else it would go to the slot's previous owner
 *   the rest  forwarded as ever
 *
 * The SYN-ACK is never longer than the SYN, and has no option that the SYN had not: nobody makes a
 * reflector of it, and it needs no limit. What the SYN brings beside its header is cut off. ECN is
 * not agreed on. A SYN that is a fragment, has IPv4 options or IPv6 extension headers, or a FIN or
 * RST beside, is dropped.
 *
 *   before   | Ethernet | tags | IP | TCP: MSS, SACK, timestamps, window scale, … | data |
 *   after    | Ethernet | tags | IP | TCP: those of these four that were there   |
 *
 * All of this is out of line and takes numbers, as answer.h does.
 */
#ifndef LB_SYN_H
#define LB_SYN_H

#include <linux/tcp.h>
#include "answer.h"
#include "guard_maps.h"
#include "syn_options.h"

#define SYN_OUT_MAX 128
#define SYN_WINDOW_TOLD 32768 /* no client sends more before it hears from the backend */

/* --- the time --- */

/* Half epochs, asked for once a tick, since the clock is a call and the tick is not.  tick:32 | half
 * epochs:32 */
static __always_inline __u32 syn_half_now(struct lb_guard_secret *secret)
{
	const __u32 tick = bpf_jiffies64();
	__u64 known = *(volatile __u64 *)&secret->clock;

	if (known >> 32 != tick) {
		known = (__u64)tick << 32 | (__u32)(bpf_ktime_get_tai_ns() >> SYN_HALF_SHIFT);
		*(volatile __u64 *)&secret->clock = known;
	}
	return known;
}

static __always_inline struct lb_guard_secret *syn_secret(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&guard_secret, &zero);
}

/* --- reading --- */

typedef __u64 __attribute__((may_alias)) syn_long;

/* parse_read, but by words, or by two at once: memcpy goes by bytes, since nothing is known of where a frame
 * begins, and a load waits for all the stores that it spans. */
static __always_inline int syn_load(struct xdp_md *ctx, __u32 at, void *to, __u32 size, int twos)
{
	void *from = bounds_at((void *)(long)ctx->data, at, OFFSET_MASK);
	__u32 i;

	if (at > OFFSET_MASK || from + size > (void *)(long)ctx->data_end)
		return bpf_xdp_load_bytes(ctx, at, to, size);
#pragma unroll
	for (i = 0; twos && i < size; i += sizeof(syn_long))
		*(syn_long *)(to + i) = *(syn_long *)(from + i);
#pragma unroll
	for (i = 0; !twos && i < size; i += sizeof(syn_word))
		*(syn_word *)(to + i) = *(syn_word *)(from + i);
	return 0;
}

/* What is behind the TCP header's fixed part, where it lies in the first buffer; else by a call. */
static __always_inline int syn_options_load(struct xdp_md *ctx, __u32 at, __u32 length,
					    struct syn_option_bytes *bytes)
{
	void *from = bounds_at((void *)(long)ctx->data, at, OFFSET_MASK);
	__be32 *to = (void *)bytes;
	__u32 i;

	if (!length)
		return 0;
	if (from + length > (void *)(long)ctx->data_end) {
		/* 6.1 does not learn from a comparison with 0 that there is a byte to read. */
		length = bounds_number(length - 1, SYN_OPTIONS_MASK) + 1;
		return bpf_xdp_load_bytes(ctx, at, bytes, length);
	}
#pragma unroll
	for (i = 0; i < SYN_OPTIONS_MAX / 4; i++) {
		if (from + 4 * i + 4 > (void *)(long)ctx->data_end)
			break;
		to[i] = *(__be32 *)(from + 4 * i);
	}
	return 0;
}

struct syn_answer {
	struct syn_cookie cookie;
	__u32 mss;   /* what the way to the backends leaves */
	__u32 bytes; /* of the TCP header */
};

/* What is known of a segment. In a map, since all that calls and is called here has 512 bytes of stack
 * together. */
struct syn_work {
	struct syn_option_bytes bytes;
	struct syn_options options;
	struct syn_flow flow;
	struct tcphdr tcp;
	__be16 macs[6];
	struct syn_answer answer;
	__u64 now;             /* lb_guard_secret */
	__u8 out[SYN_OUT_MAX]; /* what is written, where the frame's first buffer does not hold it */
};
_Static_assert(sizeof(struct syn_work) <= sizeof(struct lb_scratch), "it lies in the scratch");

/* At its beginning: where it was a part of it, clang reckoned before the check for NULL what 6.1 takes
 * after it only ("pointer arithmetic on map_value_or_null prohibited"). */
static __always_inline struct syn_work *syn_work(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* The segment at `l4`, without its addresses; 0: it is there. */
static __always_inline int syn_read(struct xdp_md *ctx, __u32 l4, struct syn_work *work)
{
	struct tcphdr *tcp = &work->tcp;
	__u32 length;

	if (syn_load(ctx, l4, tcp, sizeof(*tcp), 0) || tcp->doff < 5)
		return -1;
	length = tcp->doff * 4 - sizeof(*tcp);
	if (syn_options_load(ctx, l4 + sizeof(*tcp), length, &work->bytes))
		return -1;
	syn_options_parse(&work->bytes, length, &work->options);
	work->flow.ports = (__u32)tcp->dest << 16 | tcp->source;
	work->flow.timestamps = work->options.timestamps;
	return 0;
}

static __always_inline int syn_read4(struct xdp_md *ctx, __u32 l3, struct syn_work *work)
{
	struct iphdr *ip = (void *)work->out;
	const __be32 *words = (void *)ip;
	__u64 sum = 0;
	int i;

	if (syn_load(ctx, l3, ip, sizeof(*ip), 0))
		return -1;
	work->flow.family = 4;
	work->flow.source[0] = ip->saddr;
	work->flow.destination[0] = ip->daddr;
	for (i = 0; i < 5; i++)
		sum += words[i];
	return checksum_fold(sum); /* what is answered must be the sender's */
}

/* Both addresses at once: the flow has them as the header has. */
static __always_inline int syn_read6(struct xdp_md *ctx, __u32 l3, struct syn_work *work)
{
	struct syn_flow *flow = &work->flow;

	flow->family = 6;
	return syn_load(ctx, l3 + offsetof(struct ipv6hdr, saddr), flow->source,
			sizeof(flow->source) + sizeof(flow->destination), 1);
}

/* --- writing --- */

static __always_inline __u32 syn_answer_bytes(const struct syn_options *options)
{
	__u32 bytes = sizeof(struct tcphdr);

	if (options->mss)
		bytes += 4;
	if (options->timestamps)
		bytes += 12;
	else if (options->sack)
		bytes += 4;
	if (options->wscale != SYN_WSCALE_NONE)
		bytes += 4;
	return bytes;
}

/* One word of an option, behind those that are there. `end`: of what may be written to. */
#define SYN_PUT(word)                                                                              \
	do {                                                                                       \
		if ((void *)(to + 1) > end)                                                        \
			return 0;                                                                  \
		*to = (word);                                                                      \
		sum += *to;                                                                        \
		to++;                                                                              \
	} while (0)

/* The TCP header, its checksum over `sum` of the pseudo header and all of it. Its fixed part is known to
 * be there; 0: the options are not. */
static __always_inline int syn_write_tcp(struct tcphdr *tcp, void *end, __u64 sum,
					 const struct syn_flow *flow,
					 const struct syn_options *options,
					 const struct syn_answer *answer)
{
	__be32 *to = (void *)tcp;
	__u32 sack;

	to[0] = flow->ports >> 16 | flow->ports << 16;
	to[1] = bpf_htonl(answer->cookie.sequence);
	to[2] = bpf_htonl(flow->isn + 1);
	to[3] = SYN_WORD(answer->bytes << 2, TCP_SYN | TCP_ACK, SYN_WINDOW_TOLD >> 8,
			 SYN_WINDOW_TOLD & 0xff);
	to[4] = 0;
	sum += (__u64)to[0] + to[1] + to[2] + to[3];
	to += 5;
	if (options->mss)
		SYN_PUT(SYN_WORD(SYN_MSS, 4, answer->mss >> 8, answer->mss & 0xff));
	sack = options->sack ? SYN_WORD(SYN_SACK, 2, 0, 0) : SYN_WORD(SYN_NOP, SYN_NOP, 0, 0);
	if (options->timestamps) {
		SYN_PUT(sack | SYN_WORD(0, 0, SYN_TIMESTAMPS, 10));
		SYN_PUT(bpf_htonl(answer->cookie.timestamp));
		SYN_PUT(bpf_htonl(options->tsval));
	} else if (options->sack) {
		SYN_PUT(sack | SYN_WORD(0, 0, SYN_NOP, SYN_NOP));
	}
	if (options->wscale != SYN_WSCALE_NONE)
		SYN_PUT(SYN_WORD(SYN_NOP, SYN_WINDOW, 3, SYN_WSCALE));
	tcp->check = checksum_fold(sum);
	return 1;
}

static __always_inline int syn_write4(void *at, void *end, const struct syn_flow *flow,
				      const struct syn_options *options,
				      const struct syn_answer *answer)
{
	const __be32 source = flow->destination[0], destination = flow->source[0];
	struct tcphdr *tcp = at + sizeof(struct iphdr);
	struct iphdr *ip = at;
	__be32 *words = at;
	__u64 sum;

	if ((void *)(tcp + 1) > end)
		return 0;
	words[0] = SYN_WORD(0x45, 0, 0, sizeof(*ip) + answer->bytes);
	words[1] = bpf_htonl(ANSWER_DF);
	words[2] = SYN_WORD(ANSWER_TTL, IPPROTO_TCP, 0, 0);
	words[3] = source;
	words[4] = destination;
	sum = (__u64)source + destination;
	ip->check = checksum_fold(sum + words[0] + words[1] + words[2]);
	sum += bpf_htons(answer->bytes) + bpf_htons(IPPROTO_TCP);
	return syn_write_tcp(tcp, end, sum, flow, options, answer);
}

static __always_inline int syn_write6(void *at, void *end, const struct syn_flow *flow,
				      const struct syn_options *options,
				      const struct syn_answer *answer)
{
	__u64 sum = bpf_htons(answer->bytes) + bpf_htons(IPPROTO_TCP);
	struct tcphdr *tcp = at + sizeof(struct ipv6hdr);
	__be32 *words = at;
	__u64 *addresses = at + offsetof(struct ipv6hdr, saddr);
	int i;

	if ((void *)(tcp + 1) > end)
		return 0;
	words[0] = bpf_htonl(6u << 28);
	words[1] = SYN_WORD(0, answer->bytes, IPPROTO_TCP, ANSWER_TTL);
	addresses[0] = flow->destination[0];
	addresses[1] = flow->destination[1];
	addresses[2] = flow->source[0];
	addresses[3] = flow->source[1];
	for (i = 0; i < 2; i++) {
		sum += (flow->source[i] & 0xffffffff) + (flow->source[i] >> 32);
		sum += (flow->destination[i] & 0xffffffff) + (flow->destination[i] >> 32);
	}
	return syn_write_tcp(tcp, end, sum, flow, options, answer);
}

static __always_inline int syn_write(void *at, void *end, const struct syn_flow *flow,
				     const struct syn_options *options,
				     const struct syn_answer *answer)
{
	return flow->family == 4 ? syn_write4(at, end, flow, options, answer)
				 : syn_write6(at, end, flow, options, answer);
}

static __always_inline int syn_swap(__be16 *macs)
{
	__be16 word;
	int i;

	if (macs[3] & bpf_htons(0x0100)) /* not of one station */
		return -1;
	for (i = 0; i < 3; i++) {
		word = macs[i];
		macs[i] = macs[i + 3];
		macs[i + 3] = word;
	}
	return 0;
}

/* MAC addresses change places; the tags stay. */
static __always_inline int syn_turn(struct xdp_md *ctx, struct syn_work *work)
{
	__be16 *macs = (void *)(long)ctx->data;

	if ((void *)(macs + 6) <= (void *)(long)ctx->data_end)
		return syn_swap(macs);
	if (bpf_xdp_load_bytes(ctx, 0, work->macs, sizeof(work->macs)) || syn_swap(work->macs))
		return -1;
	return bpf_xdp_store_bytes(ctx, 0, work->macs, sizeof(work->macs));
}

/* Where the first buffer does not hold all that is written. */
static __always_inline int syn_write_apart(struct xdp_md *ctx, __u32 l3, __u32 bytes,
					   struct syn_work *work, const struct syn_answer *answer)
{
	const __u32 least = sizeof(struct iphdr) + sizeof(struct tcphdr);

	bytes = bounds_number(bytes - least, 63) + least;
	return syn_write(work->out, work->out + SYN_OUT_MAX, &work->flow, &work->options, answer) &&
	       !bpf_xdp_store_bytes(ctx, l3, work->out, bytes);
}

/* --- the answer --- */

/* `length`: of the IP packet. `family` is a constant. */
static __always_inline int syn_answer(struct xdp_md *ctx, __u32 l3, __u32 length, __u32 mss,
				      __u32 family)
{
	const __u32 header = family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct lb_guard_secret *secret = syn_secret();
	struct syn_work *work = syn_work();
	struct syn_answer *answer;
	__u32 end;
	__u64 now;
	void *at;

	if (!secret || !work ||
	    (family == 4 ? syn_read4(ctx, l3, work) : syn_read6(ctx, l3, work)) ||
	    syn_read(ctx, l3 + header, work))
		return LB_DROP_GUARD;
	now = *(volatile __u64 *)&secret->now;
	answer = &work->answer;
	answer->mss = mss;
	answer->bytes = syn_answer_bytes(&work->options);
	if (!lb_guard_keys(now) || answer->bytes > work->tcp.doff * 4u ||
	    header + work->tcp.doff * 4u > length)
		return LB_DROP_GUARD;
	work->flow.isn = bpf_ntohl(work->tcp.seq);
	answer->cookie =
		syn_cookie_make(secret->key[lb_guard_key(now, 0)], &work->flow,
				syn_half_now(secret), syn_option_bits(family, &work->options));
	if (syn_turn(ctx, work))
		return LB_DROP_GUARD;
	at = bounds_at((void *)(long)ctx->data, l3, L3_OFFSET_MASK);
	if (!syn_write(at, (void *)(long)ctx->data_end, &work->flow, &work->options, answer) &&
	    !syn_write_apart(ctx, l3, header + answer->bytes, work, answer))
		return LB_DROP_INTERNAL;
	end = l3 + header + answer->bytes;
	if (l3 + length > end) /* there may be padding, too, and further buffers */
		bpf_xdp_adjust_tail(ctx, (int)end - (int)bpf_xdp_get_buff_len(ctx));
	return LB_TX_SYN;
}

__noinline int syn_answer4(struct xdp_md *ctx, __u32 l3, __u32 length, __u32 mss)
{
	return syn_answer(ctx, l3, length, mss, 4);
}

__noinline int syn_answer6(struct xdp_md *ctx, __u32 l3, __u32 length, __u32 mss)
{
	return syn_answer(ctx, l3, length, mss, 6);
}

static __always_inline int syn_is(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP && !packet_only_follows(packet) &&
	       (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* A SYN to a VIP whose SYNs are answered. */
static __always_inline int syn_guard(struct xdp_md *ctx, const struct packet *packet, __u32 mss)
{
	const __u32 header = packet->l4 - packet->l3;

	if (packet->fragment || packet->tcp_flags & (TCP_FIN | TCP_RST))
		return LB_DROP_GUARD;
	if (packet->family == 4)
		return header == sizeof(struct iphdr)
			       ? syn_answer4(ctx, packet->l3, packet->length, mss)
			       : LB_DROP_GUARD;
	return header == sizeof(struct ipv6hdr) ? syn_answer6(ctx, packet->l3, packet->length, mss)
						: LB_DROP_GUARD;
}

/* --- the proof --- */

static __always_inline int syn_proof(struct xdp_md *ctx, __u32 l3, __u32 family)
{
	const __u32 header = family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct lb_guard_secret *secret = syn_secret();
	struct syn_work *work = syn_work();
	__u32 i;

	if (!secret || !work ||
	    (family == 4 ? syn_read4(ctx, l3, work) : syn_read6(ctx, l3, work)) ||
	    syn_read(ctx, l3 + header, work))
		return 0;
	work->flow.isn = bpf_ntohl(work->tcp.seq) - 1;
	work->answer.cookie.sequence = bpf_ntohl(work->tcp.ack_seq) - 1;
	work->answer.cookie.timestamp = work->options.tsecr;
	work->now = *(volatile __u64 *)&secret->now;
#pragma nounroll
	for (i = 0; i < 2; i++) {
		if (i >= lb_guard_keys(work->now))
			return 0;
		if (syn_cookie_is_by(secret->key[lb_guard_key(work->now, i)], &work->flow,
				     syn_half_now(secret), work->answer.cookie))
			return 1;
	}
	return 0;
}

__noinline int syn_proof4(struct xdp_md *ctx, __u32 l3)
{
	return syn_proof(ctx, l3, 4);
}

__noinline int syn_proof6(struct xdp_md *ctx, __u32 l3)
{
	return syn_proof(ctx, l3, 6);
}

/* Whether the packet brings the cookie of a SYN that was answered, and so opens its flow. */
static __always_inline int syn_opens(struct xdp_md *ctx, const struct packet *packet)
{
	const __u32 header = packet->l4 - packet->l3;

	if (packet->protocol != IPPROTO_TCP || packet->fragment || packet->quoted ||
	    (packet->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
		return 0;
	if (packet->family == 4)
		return header == sizeof(struct iphdr) && syn_proof4(ctx, packet->l3);
	return header == sizeof(struct ipv6hdr) && syn_proof6(ctx, packet->l3);
}

#endif
