/* SPDX-License-Identifier: BSD-2-Clause */
/* Parallel copies of one small topology, each with something else in the middle; live.sh makes the
 * namespaces and links, lanes.c puts the programs there.
 *
 *   ID-g gN ── inN ID-uN outN ── sN ID-s        frames are made on gN, and end there or on sN
 */
#ifndef BENCH_LANES_H
#define BENCH_LANES_H

#include <stdbool.h>
#include <stdint.h>

enum lane_number {
	LANE_DROP,  /* in0 drops: the generator and one veth, what all others pay too */
	LANE_TX,    /* sent back as it is */
	LANE_ENCAP, /* bare.bpf.c */
	LANE_LB,
	LANE_LB_TWIN, /* the same once more, to see what the machine is worth */
	LANE_LB_REDIRECT,
	LANE_LB_GENERIC,
	LANE_LB_GENERIC_REDIRECT,
	LANE_LRU,     /* rival.bpf.c */
	LANE_FORWARD, /* the kernel's routing */
	LANE_DNAT,    /* nftables; set up by live.sh, as is IPVS */
	LANE_IPVS,
	LANE_SECOND_PORT, /* in12, another interface of LANE_LB's balancer */
	LANE_LB6,         /* IPv6 in IPv6 */
	LANE_LISTED,      /* the balancer, with a list that the clients are on; the same list: */
	LANE_LISTED_NFT, /* a set, at nftables' ingress hook; set up by live.sh, as are the others */
	LANE_LISTED_IPSET,
	LANE_LISTED_RULES, /* iptables, a hundred rules, one for each address */
	LANE_COUNT
};

struct lane;

/* id: the prefix of the namespaces' names. NULL after a message on stderr. */
struct lane *lane_open(const char *id, enum lane_number number);
void lane_close(struct lane *lane);

const char *lane_name(enum lane_number number);
/* The first flows of those that drop what is listed: all of these are dropped, and no others. */
#define LANE_CLIENTS_LISTED 64u
#define LANE_LIST 10000u
bool lane_drops(enum lane_number number);
/* Frames go through the kernel's stack, or generic XDP. */
bool lane_is_slow(enum lane_number number);

/* What a burst cost. */
struct burst {
	double ns;        /* of CPU time a packet: this thread's and that of its CPU's ksoftirqd */
	double kernel_ns; /* a packet, as BPF_PROG_TEST_RUN reports it: elapsed */
	uint64_t arrived; /* packets, at the sink */
};

/* Sends packets of so many flows (a power of two) from the calling thread, which must stay on its
 * CPU; it is left in the generators' namespace. 0, or -1 after a message on stderr, also when a
 * packet was lost or met with another verdict than it should. */
int lane_burst(struct lane *lane, uint32_t flows, uint32_t packets, struct burst *burst);

#endif
