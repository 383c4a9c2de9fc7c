/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What turns.c tells next.bpf.c, and what it hears from it. */
#ifndef BENCH_NEXT_H
#define BENCH_NEXT_H

#include <linux/types.h>

#define NEXT_CONTENDERS 8 /* room for: a power of two */
#define NEXT_USED 5       /* at most */
#define NEXT_FRAME 192    /* bytes of a frame, at most */
#define NEXT_BURSTS 4096  /* of a run, at most */
#define NEXT_SYN_WORDS 15 /* of the headers of a SYN that is answered */

/* A contender's packets: rodata "next_configs". */
struct next_config {
	__u32 length;     /* of the frame before anything was put around it */
	__u32 flows_mask; /* number of flows, a power of two, less one */
	__u32 vips;       /* how many addresses, from the frame's own on */
	__be32 source;    /* first client; IPv6: the last four bytes of it, likewise vip */
	__be32 vip;
	__be16 dport;
	__u8 family;
	__u8 quote;    /* an ICMP error: the flow is in the packet that it quotes, turned around */
	__be16 tag;    /* 0: none */
	__u8 answered; /* the packet is answered where it lies, and so written again as a whole */
	__u8 pad;
	__u32 servers; /* QUIC: how many servers ids name; 0: it is not QUIC */
	__u8 frame[NEXT_FRAME];
};

enum next_part { NEXT_BEGIN, NEXT_HEAD, NEXT_TIMED };

/* bss "next_turns". The order of the flows: index = index * multiplier + addend, which goes through
 * all of them when multiplier is 1 modulo 4 and addend is odd (T. Hull, A. Dobell, 1962). */
struct next_turns {
	__u32 who;  /* has the packets now */
	__u32 left; /* packets of this part of the burst */
	__u32 multiplier, addend;
	__u32 part;        /* enum next_part */
	__u32 burst;       /* its number in the run */
	__u32 count;       /* of contenders */
	__u32 head, timed; /* packets of a burst */
	__u32 pad;
	__u64 since; /* when the timed part has begun */
};

/* What became of a contender's packets: bss "next_contenders". */
struct next_contender {
	__u32 index; /* of the last flow */
	__u32 packets;
	__u64 bytes; /* of their frames, as the contender has left them; of the first frame of a
			run, as it came, and without the last */
};

#endif
