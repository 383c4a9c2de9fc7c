/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the program that traces (trace.bpf.c) is told, and what it tells of a packet. No part of the
 * ABI: program and lbd come together. */
#ifndef LB_TRACE_H
#define LB_TRACE_H

#include "abi.h"
#include "packet.h"

#define LB_TRACE_SNAP_MAX 2048 /* bytes of a frame */
#define LB_TRACE_NONE 0xffffffffu

/* Which packets; what is 0 (and of numbers LB_TRACE_NONE) is not asked for. Addresses as in struct
 * packet. */
struct lb_trace_filter {
	__u64 verdicts; /* bits by enum lb_verdict; 0: all */
	__u64 source[2], source_mask[2];
	__u64 destination[2], destination_mask[2];
	__u32 backend[4]; /* as in struct lb_member */
	__u32 has_backend;
	__u32 every; /* of so many packets, one is looked at */
	__u32 snap;  /* bytes of a frame that are kept */
	__u32 ifindex;
	__u32 vip;   /* its number */
	__u32 pool;  /* its number */
	__u8 family; /* 4 or 6 */
	__u8 protocol;
	__be16 port; /* the source's or the destination's */
	__u32 pad;
};

/* One packet, in the ring buffer. `bytes` has those kept of the frame that came in, then those of the
 * one that goes out, if it does. */
struct lb_traced {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 verdict;
	__u32 ifindex;
	__u32 vip, member; /* numbers; LB_TRACE_NONE: it did not come so far */
	__u32 egress;      /* the interface that it goes out by; 0: none */
	__u32 length, kept;
	__u32 out_length, out_kept;
	__u32 hops;           /* backends of the list that it brings along */
	struct packet packet; /* as the program reads it */
	__u8 bytes[2 * LB_TRACE_SNAP_MAX];
};

#endif
