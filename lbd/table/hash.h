/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a table hash, and how? One keyed 64-bit hash for addresses, slots and digests.
 *
 * Every use has its own purpose, so that no two uses see correlated numbers. The results decide
 * which backend owns which slot: any change here moves the flows of every user at upgrade.
 */
#ifndef LB_TABLE_HASH_H
#define LB_TABLE_HASH_H

#include <stdint.h>
#include "../api/addr.h"

enum hash_purpose {
	HASH_SLOT = 1,      /* rendezvous: one side of a (slot, member) pair */
	HASH_MEMBER,        /* rendezvous: the other side */
	HASH_ROUNDING,      /* rendezvous: which way a member's cap is rounded */
	HASH_MAGLEV_OFFSET, /* Maglev: where a member's permutation starts */
	HASH_MAGLEV_SKIP,   /* Maglev: and its stride */
	HASH_DIGEST,
	HASH_DIGEST_OWNER,
};

/* A bijection of 64 bits in which every output bit depends on every input bit: the finalizer of
 * SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA
 * 2014). */
static inline uint64_t hash_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline uint64_t hash_key(const uint64_t seed[2], enum hash_purpose purpose)
{
	return hash_mix(hash_mix(seed[0] ^ hash_mix(purpose)) ^ seed[1]);
}

static inline uint64_t hash_number(const uint64_t seed[2], enum hash_purpose purpose,
				   uint64_t number)
{
	return hash_mix(hash_key(seed, purpose) ^ hash_mix(number));
}

static inline uint64_t hash_address(const uint64_t seed[2], enum hash_purpose purpose,
				    const struct lb_addr *address)
{
	uint64_t hash = hash_mix(hash_key(seed, purpose) ^ address->family), word = 0;

	for (int i = 0; i < 16; i++) { /* byte by byte: the same on any machine */
		word = word << 8 | address->bytes[i];
		if (i % 8 == 7)
			hash = hash_mix(hash ^ word);
	}
	return hash;
}

#endif
