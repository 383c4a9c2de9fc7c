/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How are bounds kept where the verifier sees them, whatever the compiler does?
 *
 * A compiler infers more than the verifier, and leaves out what it has inferred:
 *
 *  - a check that another one implies. clang 19 knew from a check at a variable offset of the frame
 *    that one at a constant offset held: "invalid access to packet, off=28 size=2,
 *    R1(id=0,off=28,r=22)" (6.1, 6.12, 6.18).
 *  - a mask on a number that a branch has bounded already. The verifier may know that bound of
 *    another copy only, or have forgotten it in a 4-byte stack slot: "R8 offset is outside of the
 *    packet" (6.1, clang 14).
 *
 * So a variable offset is masked and its access is checked in one place, and a barrier hides both
 * from the compiler. A constant offset needs none of this: the verifier keeps the furthest check.
 * The barriers emit no instruction.
 *
 * Also compiled into lbd and the tests, by any compiler.
 */
#ifndef LB_BOUNDS_H
#define LB_BOUNDS_H

#include <linux/types.h>

/* The compiler knows nothing of the value from here on. */
#define BOUNDS_BARRIER(value) __asm__ volatile("" : "+r"(value))

/* `number`, which is at most `mask`, as the verifier knows it too. `mask` is a power of two less
 * one; the result is to be used at once. */
static inline __attribute__((always_inline)) __u64 bounds_number(__u64 number, __u64 mask)
{
	BOUNDS_BARRIER(number);
	number &= mask;
	BOUNDS_BARRIER(number);
	return number;
}

/* A place in the frame that no check of another place tells the compiler anything about. */
static inline __attribute__((always_inline)) void *bounds_at(void *base, __u64 offset, __u64 mask)
{
	void *at = base + bounds_number(offset, mask);

	BOUNDS_BARRIER(at);
	return at;
}

#endif
