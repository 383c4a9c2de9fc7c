/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The words of the VIP index (abi.h). Also compiled into lbd, which must find the lines that the
 * program looks at.
 *
 * lbd writes `place` (and `address`) before `key`, and clears `key` before `place`: who has matched
 * a key and then reads a place of 0 has met an entry on its way in or out, which is no entry.
 */
#ifndef LB_VIP_INDEX_H
#define LB_VIP_INDEX_H

#include <linux/types.h>
#include "abi.h"
#include "bounds.h"

#define INDEX_FLAGS_SHIFT 56
#define INDEX_KEY_MASK ((1ull << INDEX_FLAGS_SHIFT) - 1)
_Static_assert(((__u64)LB_VIP_INDEXED << INDEX_FLAGS_SHIFT | INDEX_KEY_MASK) == LB_INDEX_MORE - 1,
	       "flags fill the bits between key and mark");
_Static_assert(!(LB_VIP_INDEXED & (LB_VIP_ADDRESS_ONLY | LB_VIP_FRAGMENTS_ONLY)) &&
		       LB_VIP_FRAGMENTS_DROP <= LB_VIP_INDEXED,
	       "what the index must hold has room there");

struct index_place {
	__u64 key; /* without flags */
	__u32 hash;
};

/* The line where an entry belongs. */
static inline __attribute__((always_inline)) __u32 index_line(__u32 hash, __u32 lines)
{
	return (__u64)hash * lines >> 32;
}

static inline __attribute__((always_inline)) __u32 index_next_line(__u32 line, __u32 lines)
{
	return line + 1 < lines ? line + 1 : 0;
}

static inline __attribute__((always_inline)) __u32 index_flags(__u64 key)
{
	return (key & ~LB_INDEX_MORE) >> INDEX_FLAGS_SHIFT;
}

static inline __attribute__((always_inline)) int index_is(__u64 key, __u64 wanted)
{
	return (key & INDEX_KEY_MASK) == wanted;
}

/* `way` where it has the wanted key, else 0. Without a branch: in lines that are full of VIPs no
 * predictor can tell which of them is next. Barriers keep the compiler from making one. The shift is
 * of an unsigned word: of a mask of -1 or 0 the verifier of 6.18 looks at both cases, three times a
 * line ("BPF program is too large"). */
static inline __attribute__((always_inline)) __u64 index_way(__u64 key, __u64 wanted, __u64 way)
{
	__u64 same = ((key ^ wanted) & INDEX_KEY_MASK) - 1;

	BOUNDS_BARRIER(same);
	same >>= 63;
	BOUNDS_BARRIER(same);
	return same * way;
}

static inline __attribute__((always_inline)) __u64 index_service(__be16 port, __u8 protocol)
{
	return (__u64)protocol << 48 | (__u64)port << 32;
}

static inline __attribute__((always_inline)) struct index_place
index_place4(__be32 address, __be16 port, __u8 protocol)
{
	const __u64 key = index_service(port, protocol) | address;

	return (struct index_place){key, key * 0x9e3779b97f4a7c15ull >> 32};
}

static inline __attribute__((always_inline)) struct index_place
index_place6(const __u64 address[2], __be16 port, __u8 protocol)
{
	const __u64 service = index_service(port, protocol);
	__u64 hash = (address[0] ^ service) * 0x9e3779b97f4a7c15ull;

	hash = (hash ^ hash >> 32 ^ address[1]) * 0xff51afd7ed558ccdull;
	return (struct index_place){service | hash >> 32, hash >> 20};
}

#endif
