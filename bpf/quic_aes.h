/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What does an encrypted QUIC connection id say? One block of AES-128 (FIPS 197), decrypted.
 *
 * The equivalent inverse cipher of section 5.3.5: in each round a byte of the state is one look-up in a table,
 * which has InvSubBytes and InvMixColumns in it, and four of these make a column. lbd makes the tables, and
 * expands the keys (lbd/plane/quic_aes.h). A column is a little-endian word: row 0 in its low byte.
 *
 * Time depends on what is in the caches, and so a little on key and id. Who could measure that on a balancer
 * learns at most which server ids connections have.
 */
#ifndef LB_QUIC_AES_H
#define LB_QUIC_AES_H

#include "abi.h"
#include "maps.h"

/* The table's word at an offset. Written so that it takes one instruction less than what clang makes of an
 * index, which costs an id 100. */
static __always_inline __u32 aes_word(const struct lb_quic_aes *aes, __u32 row, __u64 offset)
{
#ifdef __bpf__
	__asm__ volatile("%0 += %1" : "+r"(offset) : "r"(aes));
	return *(const __u32 *)(offset + row * sizeof(aes->table[0]));
#else
	return aes->table[row][offset / sizeof(aes->table[0][0])];
#endif
}

#define AES_OFFSET 0x3fc /* of a byte's word */

/* A column of the next state: InvShiftRows takes row r from the column r to the left. */
static __always_inline __u32 aes_round(const struct lb_quic_aes *aes, __u32 row0, __u32 row1,
				       __u32 row2, __u32 row3, __u32 key)
{
	return aes_word(aes, 0, row0 << 2 & AES_OFFSET) ^ aes_word(aes, 1, row1 >> 6 & AES_OFFSET) ^
	       aes_word(aes, 2, row2 >> 14 & AES_OFFSET) ^
	       aes_word(aes, 3, row3 >> 22 & AES_OFFSET) ^ key;
}

/* The last round mixes no columns. */
static __always_inline __u32 aes_end(const struct lb_quic_aes *aes, __u32 row0, __u32 row1,
				     __u32 row2, __u32 row3, __u32 key)
{
	return (aes->last[row0 & 0xff] | aes->last[row1 >> 8 & 0xff] << 8 |
		aes->last[row2 >> 16 & 0xff] << 16 | (__u32)aes->last[row3 >> 24] << 24) ^
	       key;
}

static __always_inline void aes_decrypt(const struct lb_quic_aes *aes, const __u32 *key,
					__u64 word[2])
{
	__u32 a = (__u32)word[0] ^ key[0], b = (__u32)(word[0] >> 32) ^ key[1];
	__u32 c = (__u32)word[1] ^ key[2], d = (__u32)(word[1] >> 32) ^ key[3];
	__u32 e, f, g, h;
	int i;

#pragma unroll
	for (i = 1; i < LB_QUIC_AES_ROUNDS; i++) {
		key += 4;
		e = aes_round(aes, a, d, c, b, key[0]);
		f = aes_round(aes, b, a, d, c, key[1]);
		g = aes_round(aes, c, b, a, d, key[2]);
		h = aes_round(aes, d, c, b, a, key[3]);
		a = e;
		b = f;
		c = g;
		d = h;
	}
	key += 4;
	e = aes_end(aes, a, d, c, b, key[0]);
	f = aes_end(aes, b, a, d, c, key[1]);
	g = aes_end(aes, c, b, a, d, key[2]);
	h = aes_end(aes, d, c, b, a, key[3]);
	word[0] = (__u64)f << 32 | e;
	word[1] = (__u64)h << 32 | g;
}

/* In place, with the key that the VIP has for the rotation; 0: there is none. A global function, which the
 * verifier looks at by itself. */
__noinline int quic_decrypt(struct lb_quic_block *block, __u32 vip, __u32 rotation)
{
	__u64 *keys = bpf_map_lookup_elem(&quic_vip_keys, &vip);
	const __u32 number = keys ? lb_quic_key_at(*(volatile __u64 *)keys, rotation) : 0;
	struct lb_quic_key *key = bpf_map_lookup_elem(&quic_keys, &number);
	__u32 zero = 0;
	struct lb_quic_aes *aes = bpf_map_lookup_elem(&quic_aes, &zero);

	if (!block || !number || !key || !aes)
		return 0;
	aes_decrypt(aes, key->round, block->word);
	return 1;
}

#endif
