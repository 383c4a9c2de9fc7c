/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The flow hash: 64 bits over the 5-tuple, or what the VIP's policy leaves of it, keyed by a
 * 128-bit seed. Also compiled into lbd, which must give the answers that the program gives.
 *
 * Multiply and fold, word by word, with the 64-bit finaliser of MurmurHash3 (A. Appleby, public
 * domain) at the end: every input bit reaches every output bit. The seed keeps a stranger from
 * choosing the slot of his flows in advance; it is no message authentication code. Addresses and
 * ports are taken as they lie in memory, so that nodes of one tier must be of one byte order.
 */
#ifndef LB_HASH_H
#define LB_HASH_H

#include "abi.h"

static inline __attribute__((always_inline)) __u64 lb_hash_word(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static inline __attribute__((always_inline)) __u64 lb_hash_end(__u64 hash, __u64 seed)
{
	hash ^= seed;
	hash *= 0xff51afd7ed558ccdull;
	hash ^= hash >> 33;
	hash *= 0xc4ceb9fe1a85ec53ull;
	return hash ^ hash >> 33;
}

/* The ports as they lie in the packet, source first, and the protocol above them. */
static inline __attribute__((always_inline)) __u64 lb_hash_l4(__be32 ports, __u8 protocol)
{
	return (__u64)protocol << 32 | ports;
}

static inline __attribute__((always_inline)) __u64
lb_hash_ipv4(const volatile __u64 seed[2], __be32 source, __be32 destination, __u64 l4)
{
	__u64 hash = lb_hash_word(seed[0], (__u64)source << 32 | destination);

	return lb_hash_end(lb_hash_word(hash, l4), seed[1]);
}

/* Addresses as pairs of words, in memory order. */
static inline __attribute__((always_inline)) __u64 lb_hash_ipv6(const volatile __u64 seed[2],
								const __u64 source[2],
								const __u64 destination[2],
								__u64 l4)
{
	__u64 hash = lb_hash_word(seed[0], source[0]);

	hash = lb_hash_word(hash + seed[1], source[1]);
	hash = lb_hash_word(hash + seed[0], destination[0]);
	hash = lb_hash_word(hash, destination[1]);
	return lb_hash_end(lb_hash_word(hash, l4), seed[1]);
}

/* A flow as its client's packets have it. */
struct lb_hash_flow {
	__u64 source[2], destination[2]; /* wire order; IPv4 in the low half of the first word */
	__be32 ports;                    /* source and destination as they lie in the packet */
	__u8 protocol;
	__u8 family; /* 4 or 6 */
};

/* What a VIP's policy does not hash counts as 0. By source, and by source and destination port, the
 * address of the VIP and the protocol do not count either: so a client has one backend at all VIPs
 * that have the same backends and table size. `flags`: LB_VIP_*. */
static inline __attribute__((always_inline)) __u64
lb_hash_flow(const volatile __u64 seed[2], const struct lb_hash_flow *flow, __u32 flags)
{
	__u64 destination[2] = {flow->destination[0], flow->destination[1]};
	__u64 l4 = lb_hash_l4(flow->ports, flow->protocol);

	if (__builtin_expect(flags & (LB_VIP_HASH_SOURCE | LB_VIP_HASH_SOURCE_PORT), 0)) {
		destination[0] = destination[1] = 0;
		l4 = flags & LB_VIP_HASH_SOURCE ? 0 : flow->ports & 0xffff0000;
	}
	if (flow->family == 4)
		return lb_hash_ipv4(seed, flow->source[0], destination[0], l4);
	return lb_hash_ipv6(seed, flow->source, destination, l4);
}

/* High half of the hash -> slot, without a division. */
static inline __attribute__((always_inline)) __u32 lb_hash_slot(__u64 hash, __u32 size)
{
	return (hash >> 32) * size >> 32;
}

/* --- the tag of a flow's record (flow_word.h): 30 bits that tell its slot, and the flow --- */

#define LB_HASH_TAG_BITS 30

/* By 5-tuple: the same bits that choose the slot, except the last two. So where two slots meet, a
 * tag may belong to either; see lb_tag_slot. */
static inline __attribute__((always_inline)) __u32 lb_hash_tag(__u64 hash)
{
	return hash >> (64 - LB_HASH_TAG_BITS);
}

/* By another policy, by which flows share a hash: one of the tags of the slot, those for which
 * tag * size >> 30 is `slot`, chosen by `own`, the hash of the 5-tuple. */
static inline __attribute__((always_inline)) __u32 lb_hash_tag_within(__u32 slot, __u32 size,
								      __u64 own)
{
	const __u64 slot_width = 1u << LB_HASH_TAG_BITS;
	/* Less than what rounding up may carry beyond the slot. */
	__u64 place = lb_hash_tag(own) * (slot_width - size) >> LB_HASH_TAG_BITS;

	return (slot * slot_width + place + size - 1) / size;
}

/* The slot of a tag, and another that it may have instead; both are the same except for one tag in
 * each slot. */
static inline __attribute__((always_inline)) __u32 lb_tag_slot(__u32 tag, __u32 size)
{
	return lb_hash_slot((__u64)tag << (64 - LB_HASH_TAG_BITS), size);
}

static inline __attribute__((always_inline)) __u32 lb_tag_slot_else(__u32 tag, __u32 size)
{
	return lb_hash_slot((__u64)tag << (64 - LB_HASH_TAG_BITS) | -1ull >> LB_HASH_TAG_BITS,
			    size);
}

#endif
