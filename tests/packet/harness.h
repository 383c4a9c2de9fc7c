/* SPDX-License-Identifier: BSD-2-Clause */
/* The XDP program in a network namespace of its own, with fixed VIPs and members, one frame at a
 * time.
 *
 * Every slot holds the DECOY, a member like any other. A test that expects a member puts it into
 * the one slot where the flow must look, so a wrong hash, a wrong VIP or a wrong slot shows as a
 * frame to the decoy.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include "../../bpf/abi.h"
#include "frame.h"

enum vip_index {
	NO_VIP,
	WEB4,      /* 192.0.2.10:443/tcp */
	DNS4,      /* 192.0.2.10:53/udp */
	DNS_TCP4,  /* 192.0.2.10:53/tcp */
	EVERY4,    /* 192.0.2.11:0/tcp */
	EVERYUDP4, /* 192.0.2.11:0/udp */
	ONE4,      /* 192.0.2.11:80/tcp */
	QUIC4,     /* 192.0.2.12:443/udp */
	WEB6,      /* [2001:db8::10]:443/tcp */
	DNS6,      /* [2001:db8::10]:53/udp */
	DNS_TCP6,  /* [2001:db8::10]:53/tcp */
	EVERY6,    /* [2001:db8::11]:0/tcp */
	EVERYUDP6, /* [2001:db8::11]:0/udp */
	ONE6,      /* [2001:db8::11]:80/tcp */
	QUIC6,     /* [2001:db8::12]:443/udp */
	VIP_COUNT
};

enum member_index {
	DECOY,
	TO4,         /* IPv4 outside, fixed source, back out of the ingress interface */
	TO4_PREFIX,  /* the flow hash picks the source from a /16 */
	TO6,         /* IPv6 outside */
	TO6_PREFIX,  /* source from a /96 */
	TO6_PREFIX7, /* source from a /121: 7 bits, not a whole number of bytes */
	AWAY4,       /* out of another interface, which is in the device map */
	AWAY6,
	BIG4, /* over a next hop with a large MTU */
	BIG6,
	LOST4,         /* out of an interface that is not in the device map */
	NO_ROUTE4,     /* next hop number 0 */
	NO_NEIGHBOUR4, /* next hop known, its MAC address not */
	GONE4,         /* a number that is not in use */
	STRAY4,        /* a next hop beyond the array */
	MEMBER_COUNT,
	NOBODY = LB_NONE
};

#define MTU 1500
#define MTU_BIG 9216

extern const uint64_t harness_seed[2];

/* Makes the namespace, loads the program, fills its maps. 0, or -1 after a message on stderr. */
int harness_open(void);
void harness_close(void);

/* Attaches the program in native mode to a veth with an MTU of 9000. */
int harness_attach(void);

/* How many slots it has. */
uint32_t harness_vip_size(enum vip_index vip);
/* The VIP that must take this flow. */
enum vip_index harness_vip_of(const struct flow *flow);
/* Has the destination any VIP? */
bool harness_is_vip_address(const struct flow *flow);

void harness_slot_set(enum vip_index vip, uint32_t slot, uint16_t member);
uint16_t harness_slot_get(enum vip_index vip, uint32_t slot);
void harness_slots_decoy(void);

/* The frame owed to the member's next hop. */
void harness_wrap(const struct frame *in, enum member_index member, uint64_t hash,
		  struct frame *out);

/* What the program must do with a packet of so many bytes for this member: an XDP action. */
int harness_member_action(uint16_t member, size_t ip_length);

/* One run of the program over `in`, with `metadata` bytes before the frame that use up headroom.
 * Gives the XDP action, or -errno. */
int harness_run(const struct frame *in, unsigned int metadata, struct frame *out);

/* All the counters at one time. */
struct counts {
	uint64_t verdict[LB_VERDICT_COUNT];
	struct lb_counter member[MEMBER_COUNT];
};
void harness_counts(struct counts *counts);

const char *harness_verdict_name(unsigned int verdict);
int harness_verdict_action(unsigned int verdict); /* XDP_* */

#endif
