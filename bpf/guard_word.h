/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where is a prefix of a list in the guard's maps (abi.h)? Also compiled into lbd, which must write what the
 * program reads. Addresses are in host order, IPv4 in the upper half of the first word. */
#ifndef LB_GUARD_WORD_H
#define LB_GUARD_WORD_H

#include <linux/types.h>
#include "abi.h"

#define GUARD_INLINE static inline __attribute__((always_inline))

/* --- filters --- */

struct guard_bits {
	__u32 word; /* within all of the array */
	__u64 mask;
};

/* One multiplication. The word comes from bits to which all of the key contributes. */
GUARD_INLINE struct guard_bits guard_bits(__u64 key, __u64 secret, __u64 region)
{
	const __u64 hash = key * secret;

	return (struct guard_bits){
		(__u32)(region >> 32) + ((__u32)(hash >> 29) & (__u32)region),
		1ull << (hash >> 58) | 1ull << (hash >> 52 & 63) | 1ull << (hash >> 46 & 63),
	};
}

#define GUARD_KEY4_SHIFT 40 /* /24, from the upper half of a word */
#define GUARD_KEY6_SHIFT 16 /* /48 */
#define GUARD_KEY6_SHORT_SHIFT 32
#define GUARD_LONG6 48 /* prefixes that the first of the two IPv6 filters is for */

/* --- exact words --- */

/* The two lines where it may be, and the word without the number of its combination, which are the low bits. */
struct guard_exact {
	__u32 line[2];
	__u64 word;
};
#define GUARD_COMBO_MASK 0xffull

GUARD_INLINE __u64 guard_mask(__u32 bits)
{
	return bits ? ~0ull << (64 - bits) : 0;
}

GUARD_INLINE void guard_lines(__u64 hash, __u32 lines, struct guard_exact *out)
{
	const __u64 other = (hash ^ hash >> 29) * 0x9e3779b97f4a7c15ull;

	out->line[0] = (hash >> 32) * lines >> 32;
	out->line[1] = (other >> 32) * lines >> 32;
}

/* address:32 | length:8 | combination:8 */
GUARD_INLINE struct guard_exact guard_word4(__u32 address, __u32 length, const __u64 secret[4],
					    __u32 lines)
{
	struct guard_exact out;

	out.word = (__u64)(address & (__u32)(guard_mask(length) >> 32)) << 16 | length << 8;
	guard_lines(out.word * secret[1], lines, &out);
	return out;
}

/* A keyed tag of 56 bits: nobody can choose an address that has another's. */
GUARD_INLINE struct guard_exact guard_word6(__u64 high, __u64 low, __u32 length,
					    const __u64 secret[4], __u32 lines)
{
	struct guard_exact out;
	__u64 hash;

	high &= guard_mask(length < 64 ? length : 64);
	low &= guard_mask(length > 64 ? length - 64 : 0);
	hash = high * secret[1];
	hash = (hash ^ hash >> 32 ^ low) * secret[2];
	hash = (hash ^ hash >> 29) + length;
	hash *= secret[3];
	hash ^= hash >> 32;
	out.word = hash * secret[2] & ~GUARD_COMBO_MASK;
	guard_lines(hash * secret[1], lines, &out);
	return out;
}

#endif
