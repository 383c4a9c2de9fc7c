/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How is a list of backends laid out? GUE of variant 0 (draft-ietf-intarea-gue-09 section 3) with private
 * data, as GLB has it:
 *
 *	| 0 0 hlen:5 | protocol 4 or 41 | flags: 0 | type 16 | next 8 | count 8 | hops … |
 *
 * `hlen` counts words of four bytes after the first one. Type 0 has hops of 4 bytes and is for an
 * outer IPv4 header, type 1 hops of 16 and is for IPv6. Of `count` hops the first `next` were asked.
 */
#ifndef LB_GUE_H
#define LB_GUE_H

#include <linux/types.h>

struct gue_list {
	__u8 control; /* version 2 bits, control message 1, hlen 5 */
	__u8 protocol;
	__be16 flags;
	__be16 type;
	__u8 next, count;
};

#define GUE_HLEN 0x1f

#endif
