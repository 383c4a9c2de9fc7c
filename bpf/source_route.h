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
#include "bounds.h"

#define OPTIONS_MAX 40
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_LOOSE_ROUTE 131
#define OPTION_STRICT_ROUTE 137

/* The walk over the options: `next` is where the next one begins, `left` its finding. */
struct source_route {
	__u8 options[OPTIONS_MAX + 4]; /* so that two bytes follow each */
	__u32 bytes, next;
	int left;
};

/* One option on; 1: it was the last to look at. Options that make no sense are nobody's route:
 * whoever gets the packet judges them. */
static long source_route_step(__u32 number, void *user)
{
	struct source_route *route = user;
	const __u32 at = bounds_number(route->next, 63);
	__u8 type, length, pointer;

	(void)number;
	if (at >= OPTIONS_MAX || at >= route->bytes)
		return 1;
	type = route->options[at];
	length = route->options[at + 1];
	pointer = route->options[at + 2];
	if (type == OPTION_END || (type != OPTION_NOP && length < 2))
		return 1;
	if (type == OPTION_LOOSE_ROUTE || type == OPTION_STRICT_ROUTE) {
		route->left = length >= 3 && at + length <= route->bytes && pointer <= length;
		return 1;
	}
	length = type == OPTION_NOP ? 1 : length;
	if (length > route->bytes - at)
		return 1;
	route->next = at + length;
	return 0;
}

/* `bytes` of options begin at `at` of the frame: 4 to OPTIONS_MAX. By bpf_loop: a loop that the
 * verifier walks takes it 280,000 instructions (6.1). */
__noinline int source_route_is_left(struct xdp_md *ctx, __u32 at, __u32 bytes)
{
	struct source_route route = {.bytes = bytes};

	if (bytes < 4 || bytes > OPTIONS_MAX || bpf_xdp_load_bytes(ctx, at, route.options, bytes))
		return 0;
	bpf_loop(OPTIONS_MAX, source_route_step, &route, 0);
	return route.left;
}

#endif
