/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What rival_load.c and rival.bpf.c share. */
#ifndef BENCH_RIVAL_H
#define BENCH_RIVAL_H

#include <linux/types.h>

struct rival_vip4_key {
	__be32 address;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

struct rival_vip6_key {
	__be32 address[4];
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

struct rival_vip {
	__u32 number;
	__u32 ring_start, ring_size;
};

struct rival_flow4_key {
	__be32 source, destination;
	__be32 ports;
	__u32 protocol;
};

struct rival_flow6_key {
	__be32 source[4], destination[4];
	__be32 ports;
	__u32 protocol;
};

struct rival_real {
	__be32 daddr[4];
	__be32 saddr[4];
	__u32 outer6;
};

struct rival_gateway {
	__u8 dst_mac[6];
	__u8 src_mac[6];
};

struct rival_count {
	__u64 packets, bytes;
};

/* Per-CPU array "outcomes". */
enum rival_outcome { RIVAL_SENT, RIVAL_PASSED, RIVAL_DROPPED, RIVAL_MISSED, RIVAL_OUTCOMES };

#endif
