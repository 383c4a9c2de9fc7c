/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is the sequence number of a SYN-ACK that says all that its connection needs?
 *
 * The balancer answers a SYN and keeps nothing; the backend makes the connection from the ACK, which
 * brings the number back. They share a secret and, roughly, the time.
 *
 *   cookie      MAC:23 | parity of the epoch:1 | MSS index:3 | SACK:1 | client's window scale:4
 *   TSval       the other half of the hash, where the client offered timestamps
 *
 * The hash is SipHash-2-4 over addresses, ports, the client's sequence number, the epoch, the low
 * byte of the cookie, whether there are timestamps, and the window scale that the SYN-ACK told.
 *
 * An epoch has 2^37 ns of TAI, 137 s. Of the two epochs that may have a parity, a cookie is of the
 * one now or of the nearer neighbour. So it lives for 68 to 206 s, and the clocks of two hosts may
 * be 68 s apart: 37 s of that is what TAI differs where only one of them was told of leap seconds.
 *
 * Compiled into the balancer's program, the backend's, lbd and tests. Nothing here reads a packet.
 */
#ifndef LB_SYN_COOKIE_H
#define LB_SYN_COOKIE_H

#include <linux/types.h>

#define SYN_INLINE static inline __attribute__((always_inline))

/* The one function that is called: inlined wherever a hash is needed, it would double a program. */
#ifdef __bpf__
#define SYN_FUNCTION __attribute__((noinline))
#else
#define SYN_FUNCTION static inline
#endif

#define SYN_HALF_SHIFT 36    /* nanoseconds of TAI to half epochs */
#define SYN_WSCALE_NONE 15u  /* the client offered no window scale */
#define SYN_WSCALE_MAX 14u   /* RFC 7323 section 2.3 */
#define SYN_WSCALE 10u       /* what the SYN-ACK tells */
#define SYN_MSS_DEFAULT4 536 /* of a SYN without that option: RFC 9293 section 3.7.1 */
#define SYN_MSS_DEFAULT6 1220

/* --- SipHash-2-4 --- */

#define SYN_HASH_WORDS 5 /* before the last one: addresses, then ports and sequence number */

struct syn_hash_input {
	__u64 key[2];
	__u64 word[SYN_HASH_WORDS];
	__u64 last; /* up to seven bytes, and in the high byte how many all are */
	__u64 count;
};

SYN_INLINE __u64 syn_rotate(__u64 word, int bits)
{
	return word << bits | word >> (64 - bits);
}

#define SYN_HASH_ROUND(a, b, c, d)                                                                 \
	do {                                                                                       \
		a += b;                                                                            \
		c += d;                                                                            \
		b = syn_rotate(b, 13) ^ a;                                                         \
		d = syn_rotate(d, 16) ^ c;                                                         \
		a = syn_rotate(a, 32) + d;                                                         \
		c += b;                                                                            \
		d = syn_rotate(d, 21) ^ a;                                                         \
		b = syn_rotate(b, 17) ^ c;                                                         \
		c = syn_rotate(c, 32);                                                             \
	} while (0)

/* Aumasson, Bernstein: SipHash, a fast short-input PRF (2012). */
SYN_FUNCTION __u64 syn_hash(const struct syn_hash_input *in)
{
	__u64 a, b, c, d, word;
	__u32 i;

	if (!in)
		return 0;
	a = in->key[0] ^ 0x736f6d6570736575ull;
	b = in->key[1] ^ 0x646f72616e646f6dull;
	c = in->key[0] ^ 0x6c7967656e657261ull;
	d = in->key[1] ^ 0x7465646279746573ull;
	for (i = 0; i < SYN_HASH_WORDS && i < in->count; i++) {
		word = in->word[i];
		d ^= word;
		SYN_HASH_ROUND(a, b, c, d);
		SYN_HASH_ROUND(a, b, c, d);
		a ^= word;
	}
	word = in->last;
	d ^= word;
	SYN_HASH_ROUND(a, b, c, d);
	SYN_HASH_ROUND(a, b, c, d);
	a ^= word;
	c ^= 0xff;
	SYN_HASH_ROUND(a, b, c, d);
	SYN_HASH_ROUND(a, b, c, d);
	SYN_HASH_ROUND(a, b, c, d);
	SYN_HASH_ROUND(a, b, c, d);
	return a ^ b ^ c ^ d;
}

/* --- what the client can take --- */

/* In pieces of 16 bits: clang 14 makes of a constant array one that the program cannot read. None is
 * less than the kernel takes (bpf_sk_assign_tcp_reqsk); a client with less is sent too much, as it
 * is by the kernel's own cookies. */
#define SYN_MSS_WORD(a, b, c, d) ((__u64)(d) << 48 | (__u64)(c) << 32 | (__u64)(b) << 16 | (a))
#define SYN_MSS4_LOW SYN_MSS_WORD(536, 1200, 1300, 1360)
#define SYN_MSS4_HIGH SYN_MSS_WORD(1400, 1440, 1460, 8960)
#define SYN_MSS6_LOW SYN_MSS_WORD(1220, 1300, 1340, 1380)
#define SYN_MSS6_HIGH SYN_MSS_WORD(1400, 1420, 1440, 8940)

SYN_INLINE __u32 syn_mss(__u32 family, __u32 index)
{
	const __u64 low = family == 6 ? SYN_MSS6_LOW : SYN_MSS4_LOW;
	const __u64 high = family == 6 ? SYN_MSS6_HIGH : SYN_MSS4_HIGH;

	return (index & 4 ? high : low) >> (index & 3) * 16 & 0xffff;
}

/* Of the largest that is no more than `mss`. */
SYN_INLINE __u32 syn_mss_index(__u32 family, __u32 mss)
{
	const __u64 low = family == 6 ? SYN_MSS6_LOW : SYN_MSS4_LOW;
	const __u64 high = family == 6 ? SYN_MSS6_HIGH : SYN_MSS4_HIGH;
	__u32 index = 0;

	index += mss >= (low >> 16 & 0xffff);
	index += mss >= (low >> 32 & 0xffff);
	index += mss >= low >> 48;
	index += mss >= (high & 0xffff);
	index += mss >= (high >> 16 & 0xffff);
	index += mss >= (high >> 32 & 0xffff);
	index += mss >= high >> 48;
	return index;
}

struct syn_options {
	__u32 tsval, tsecr; /* host order */
	__u16 mss;          /* 0: not offered */
	__u8 wscale;        /* SYN_WSCALE_NONE: not offered */
	__u8 sack;
	__u8 timestamps; /* whether there are any */
	__u8 pad[3];
	__u32 place; /* how far they have been read */
};

/* The low byte of the cookie. */
SYN_INLINE __u32 syn_option_bits(__u32 family, const struct syn_options *options)
{
	const __u32 none = family == 6 ? SYN_MSS_DEFAULT6 : SYN_MSS_DEFAULT4;
	const __u32 mss = options->mss ? options->mss : none;

	return syn_mss_index(family, mss) << 5 | (options->sack ? 1u << 4 : 0) |
	       (options->wscale & 15);
}

/* --- the cookie --- */

/* From client to VIP, in both directions. */
struct syn_flow {
	__u64 source[2], destination[2]; /* wire order; IPv4 in the low half of the first word */
	__be32 ports;                    /* source and destination as they lie in the packet */
	__u32 isn;                       /* the sequence number of the client's SYN, host order */
	__u32 family;                    /* 4 or 6 */
	__u32 timestamps;
	struct syn_hash_input hashed; /* room for it: a program's stack is small */
};

struct syn_cookie {
	__u32 sequence;
	__u32 timestamp;
};

SYN_INLINE __u64 syn_cookie_hash(const __u64 *key, struct syn_flow *flow, __u32 epoch, __u32 bits)
{
	const __u64 rest = (__u64)flow->isn << 32 | flow->ports;
	struct syn_hash_input *in = &flow->hashed;

	in->key[0] = key[0];
	in->key[1] = key[1];
	in->last = ((flow->timestamps ? 1ull : 0) | (flow->family == 6 ? 2ull : 0)) << 48 |
		   (__u64)SYN_WSCALE << 40 | (__u64)(bits & 0xff) << 32 | epoch;
	if (flow->family == 6) {
		in->word[0] = flow->source[0];
		in->word[1] = flow->source[1];
		in->word[2] = flow->destination[0];
		in->word[3] = flow->destination[1];
		in->word[4] = rest;
		in->count = 5;
		in->last |= 47ull << 56;
	} else {
		in->word[0] = flow->destination[0] << 32 | (__u32)flow->source[0];
		in->word[1] = rest;
		in->count = 2;
		in->last |= 23ull << 56;
	}
	return syn_hash(in);
}

/* `half`: the time in half epochs. */
SYN_INLINE struct syn_cookie syn_cookie_make(const __u64 *key, struct syn_flow *flow, __u32 half,
					     __u32 bits)
{
	const __u32 epoch = half >> 1;
	const __u64 hash = syn_cookie_hash(key, flow, epoch, bits);

	return (struct syn_cookie){
		.sequence = (__u32)(hash >> 32) << 9 | (epoch & 1) << 8 | (bits & 0xff),
		.timestamp = hash,
	};
}

/* The epoch that a cookie is of: the one now, or the neighbour that is nearer. */
SYN_INLINE __u32 syn_cookie_epoch(__u32 sequence, __u32 half)
{
	const __u32 epoch = half >> 1;

	if ((sequence >> 8 & 1) == (epoch & 1))
		return epoch;
	return half & 1 ? epoch + 1 : epoch - 1;
}

SYN_INLINE int syn_cookie_is_by(const __u64 *key, struct syn_flow *flow, __u32 half,
				struct syn_cookie cookie)
{
	const __u32 epoch = syn_cookie_epoch(cookie.sequence, half);
	const __u64 hash = syn_cookie_hash(key, flow, epoch, cookie.sequence);

	return (__u32)(hash >> 32) << 9 == (cookie.sequence & ~0x1ffu) &&
	       (!flow->timestamps || (__u32)hash == cookie.timestamp);
}

/* What an ACK acknowledges, before there was any data from the VIP: the SYN-ACK alone. */
SYN_INLINE void syn_cookie_read(__u32 family, __u32 sequence, struct syn_options *options)
{
	options->mss = syn_mss(family, sequence >> 5 & 7);
	options->sack = sequence >> 4 & 1;
	options->wscale = sequence & 15;
}

#endif
