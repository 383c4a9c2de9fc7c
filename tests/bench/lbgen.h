/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a user of lbgen.bpf.c tells it: rodata "lbgen_config" and, while it runs, bss "lbgen_order". */
#ifndef BENCH_LBGEN_H
#define BENCH_LBGEN_H

#include <linux/types.h>

#define LBGEN_FRAME_LENGTH 60
#define LBGEN_FRAME6_LENGTH 74
#define LBGEN_SHARE_ALL 65536u

struct lbgen_config {
	__u8 dst_mac[6];
	__u8 src_mac[6];
	__be32 dst_address;
	__be32 source; /* first client's address; of IPv6 its last word */
	__be32 dst_address6[4], source6[3];
	__be16 dst_port;
	__u8 source_bits; /* so many low bits of the source address vary */
	__u8 spoof;       /* every packet of a flow of its own */
	__u8 ipv6;
	/* Of LBGEN_SHARE_ALL flows (or packets, when spoofed), how many are UDP, and of the others
	 * how many send SYNs; the rest sends ACKs. */
	__u32 udp_share;
	__u32 syn_share;
};

/* See struct next_order in next.h. flows_mask: number of flows, a power of two, less one. */
struct lbgen_order {
	__u32 index;
	__u32 multiplier;
	__u32 addend;
	__u32 flows_mask;
};

/* Per-CPU hash "lbgen_backends": outer destination (IPv4 in the first four bytes) -> packets. */
struct lbgen_backend {
	__u8 address[16];
};

#endif
