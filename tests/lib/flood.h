/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What flood_tool tells flood.bpf.c, as rodata "flood_config". */
#ifndef TESTS_FLOOD_H
#define TESTS_FLOOD_H

#include <linux/types.h>

enum flood_kind { FLOOD_SYN, FLOOD_ACK, FLOOD_MIX, FLOOD_PAIR, FLOOD_ALL };

struct flood_config {
	__u8 dst_mac[6];
	__u16 kind; /* enum flood_kind */
	__be32 dst_address;
	__be16 dst_port;
	__u16 pad;
	__u32 sources; /* how many different flows; 0: any of 2^32 */
	__be32 from;   /* one address, its ports in turn; 0: random flows of 198.18.0.0/15 */
};

#endif
