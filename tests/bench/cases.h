/* SPDX-License-Identifier: BSD-2-Clause */
/* What is measured: a base case, and one dimension varied at a time. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../../bpf/abi.h"
#include "../packet/frame.h"

#define MILLION 1048576u

enum slots_state { ALL_SETTLED, ONE_PERCENT_MOVING, ALL_MOVING, ALL_TRACKED };
enum flow_records { RECORDS_NONE, RECORDS_PRESENT };

/* What is left out is that of the base case (see case_fill). */
struct bench_case {
	const char *name;
	uint32_t flows; /* a power of two */
	uint8_t family; /* of the clients' packets */
	uint8_t protocol;
	uint8_t tcp_flags;
	bool outer6;
	bool gue;
	bool stranger;   /* to no VIP */
	bool icmp_error; /* a router says "too big" about a packet of the flow from its backend */
	bool tagged;
	bool by_source; /* the VIP's slots are chosen by the client's address alone */
	bool any_port;  /* the VIP has port 0 */
	bool prefix;    /* the VIP is a prefix, of 256 addresses */
	bool range;     /* the VIP has a range of ports */
	bool quic;      /* ids name the members, by server ids of 8 bytes; over IPv4 only */
	bool encrypted; /* the ids are; all packets have one, and go to one member */
	bool beside;    /* there is a VIP that is a prefix, but no packet is for it */
	bool cookies;   /* SYNs are answered with cookies; they have the options that Linux sends */
	uint32_t rate;  /* packets a second that each source may send; 0: as many as it likes */
	uint32_t prefixes; /* on a list that blocks, none of them a client's; 0: no guard stands */
	uint32_t listed;   /* the list has so many clients, the first ones, too */
	uint32_t vips;
	uint32_t pools;   /* shared by the VIPs in turn; each has its own unless there are fewer */
	uint32_t members; /* of each pool */
	uint32_t table;   /* slots of each pool */
	enum slots_state slots;
	enum flow_records records;
};

size_t case_count(void);
/* A case, whole: nothing is left out any more. */
struct bench_case case_get(size_t index);
/* There is one of that name. */
struct bench_case case_named(const char *name);

const char *case_slots_name(enum slots_state slots);

/* The packet of its first flow. */
void case_frame(const struct bench_case *bench_case, struct frame *frame);
enum lb_verdict case_verdict(const struct bench_case *bench_case);
/* How much longer frames get. */
int case_growth(const struct bench_case *bench_case);

/* Can the floor and the rival do what is asked of the balancer? Neither knows what is for it and
 * what is not in a frame that it does not understand, and the rival knows neither GUE nor VIPs for
 * every port. Nor is it asked what VIPs of one pool cost: those rows are compared with one VIP. */
bool case_has_floor(const struct bench_case *bench_case);
bool case_has_rival(const struct bench_case *bench_case);

/* Where a frame with QUIC has its server id, whose first half is 0, and the second the member's number
 * and 1. */
#define CASE_QUIC_SERVER_ID (ETH + 20 + 8 + 2)
#define CASE_QUIC_SERVER_ID_LENGTH 8

extern const uint8_t case_quic_key[16];

#define CASE_TAG 100 /* the VLAN of tagged frames */

/* Where clients and VIPs are, as texts, ports too. */
const char *case_source(uint8_t family);
const char *case_vip(const struct bench_case *bench_case);
#define CASE_PORT 443
/* Where packets go to: the VIP's port, and where that is 0 another one. */
uint16_t case_port(const struct bench_case *bench_case);

#endif
