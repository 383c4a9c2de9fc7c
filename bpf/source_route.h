/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Is an IPv4 packet on its way to another address, by way of ours (RFC 791 section 3.1)?
 *
 *   | type 131 (loose) or 137 (strict) | length | pointer | addresses, 4 each |
 *
 * A route whose pointer is not beyond its length names a further address; it is for the stack to
 * judge, as is an IPv6 routing header with segments left. A part of stage 1.
 */
#ifndef LB_SOURCE_ROUTE_H
#define LB_SOURCE_ROUTE_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define OPTIONS_MAX 40
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_LOOSE_ROUTE 131
#define OPTION_STRICT_ROUTE 137

/* `bytes` of options begin at `at` of the frame: 4 to OPTIONS_MAX. Options that make no sense are
 * nobody's route: whoever gets the packet judges them. */
__noinline int source_route_is_left(struct xdp_md *ctx, __u32 at, __u32 bytes)
{
	__u8 options[OPTIONS_MAX + 2] = {}; /* so that two bytes follow each */
	__u32 i, next = 0;

	if (bytes < 4 || bytes > OPTIONS_MAX || bpf_xdp_load_bytes(ctx, at, options, bytes))
		return 0;
	for (i = 0; i < OPTIONS_MAX; i++) {
		const __u8 *option = options + next;

		if (*option == OPTION_END)
			return 0;
		if (*option == OPTION_LOOSE_ROUTE || *option == OPTION_STRICT_ROUTE)
			return option[1] >= 3 && next + option[1] <= bytes &&
			       option[2] <= option[1];
		if (*option != OPTION_NOP && option[1] < 2)
			return 0;
		next += *option == OPTION_NOP ? 1 : option[1];
		if (next >= bytes || next >= OPTIONS_MAX)
			return 0;
	}
	return 0;
}

#endif
