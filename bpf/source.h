/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which source addresses can no host have (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5)?
 *
 * 0/8, 127/8, 224/4, 255.255.255.255; ::, ::1, ff00::/8; and the packet's own destination. The rest
 * of 240/4 is reserved, but some networks use it and hosts accept it.
 */
#ifndef LB_SOURCE_H
#define LB_SOURCE_H

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/types.h>

static __always_inline int source4_is_bad(__be32 source, __be32 destination)
{
	const __u8 first = source; /* little-endian: the low byte comes first */

	return first == 0 || first == 127 || (first & 0xf0) == 224 || source == 0xffffffff ||
	       source == destination;
}

/* Fewer questions, for plain packets: no source that is bad passes, but not every good one does. */
static __always_inline int source4_is_plain(__be32 source, __be32 destination)
{
	const __u8 first = source;

	return first - 1u < 223 && first != 127 && source != destination;
}

static __always_inline int source6_is_bad(const __u64 source[2], const __u64 destination[2])
{
	if (!source[0] && (!source[1] || source[1] == bpf_cpu_to_be64(1)))
		return 1;
	return (__u8)source[0] == 0xff ||
	       (source[0] == destination[0] && source[1] == destination[1]);
}

static __always_inline int source6_is_plain(const __u64 source[2], const __u64 destination[2])
{
	return source[0] && (__u8)source[0] != 0xff &&
	       (source[0] != destination[0] || source[1] != destination[1]);
}

#endif
