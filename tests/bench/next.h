/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What packets.c tells next.bpf.c: rodata "next_config", and the order of the flows, bss
 * "next_order".
 */
#ifndef BENCH_NEXT_H
#define BENCH_NEXT_H

#include <linux/types.h>

struct next_config {
	__u32 length;     /* of the frame before anything was put around it */
	__u32 flows_mask; /* number of flows, a power of two, less one */
	__u32 vips;       /* how many addresses, from the frame's own on */
	__be32 source;    /* first client; IPv6: the last four bytes of it, likewise vip */
	__be32 vip;
	__be16 dport;
	__u8 family;
	__u8 restore; /* 0: the target leaves frames as they are */
	__u8 quote;   /* an ICMP error: the flow is in the packet that it quotes, turned around */
	__u8 pad;
	__be16 tag; /* 0: none */
};

/* index = index * multiplier + addend: goes through all flows when multiplier is 1 modulo 4 and
 * addend is odd (T. Hull, A. Dobell, 1962). */
struct next_order {
	__u32 index;
	__u32 multiplier;
	__u32 addend;
	__u32 pad;
};

#endif
