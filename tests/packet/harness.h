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
	SCTP4,     /* 192.0.2.13:5060/sctp */
	SCTP6,
	SOURCE4, /* 192.0.2.14:0/tcp, by source */
	SOURCE6,
	PORT4, /* 192.0.2.15:0/tcp, by source and destination port */
	PORT6,
	TUPLE4, /* 192.0.2.16:53/udp, its fragments by 3-tuple */
	TUPLE6,
	REFUSE4, /* 192.0.2.17:53/udp, takes no fragments */
	REFUSE6,
	ALL4, /* 192.0.2.18:0/udp, fragments by 3-tuple */
	ALL6,
	NONE4, /* 192.0.2.19:0/udp, takes no fragments */
	NONE6,
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
	GUE4,          /* a UDP header after the outer one */
	GUE6,
	GUE4_PREFIX,
	GUE_AWAY6,   /* out of another interface */
	TAG4,        /* out of the ingress interface with an 802.1Q tag */
	TAG6,        /* with an 802.1ad tag */
	TAG_GUE4,    /* 802.1Q and GUE */
	TAG_GUE6,    /* 802.1ad and GUE */
	TAG_AWAY4,   /* out of another interface with an 802.1Q tag */
	NARROW4,     /* an MTU of 1300 */
	NARROW_GUE6, /* the same: 1252 bytes are left for the packet */
	TINY4,       /* an MTU of 560 */
	POINT4,      /* an MTU of 87, which leaves 67 */
	SPREAD4,     /* eight paths: HOP_PATH and what follows it */
	MEMBER_COUNT,
	NOBODY = LB_NONE
};

#define MTU 1500
#define MTU_BIG 9216
#define MTU_NARROW 1300
#define MTU_TINY 560
#define MTU_POINT 87

extern const uint64_t harness_seed[2];

/* Makes the namespace, loads the program, fills its maps. 0, or -1 after a message on stderr. */
int harness_open(void);
/* This process stays on its CPU: what the program has for each CPU is then one thing. */
void harness_pin(void);
/* As harness_open, with so many answers of each kind a second and CPU, and pinned; without, there
 * are none. */
int harness_open_answering(uint32_t rate);
/* As harness_open, with limits.vips so high, and pinned. */
int harness_open_many(uint32_t limit);
void harness_close(void);
struct datapath;
struct datapath *harness_datapath(void);
/* Both as cmocka wants them, for a group of tests. */
int harness_set_up(void **state);
int harness_tear_down(void **state);

/* Attaches the program in native mode to a veth with an MTU of 9000. */
int harness_attach(void);

/* The VIP that takes a later fragment whose first is not known, as one that goes by 3-tuple;
 * NO_VIP: none does. */
enum vip_index harness_vip_of_fragments(const struct flow *flow);
uint32_t harness_vip_flags(enum vip_index vip);
/* From now on the VIP of this number is at `endpoint`, with `flags` beside its own. 0 or -errno. */
int harness_vip_flag(enum vip_index vip, const char *endpoint, uint32_t flags);
/* The same with the guard, which stands there and has these rules for it. */
int harness_vip_guard(enum vip_index vip, const char *endpoint, const struct lb_guard_vip *rules);

/* The hash that the VIP's policy wants, of fragments too. */
uint64_t harness_hash(enum vip_index vip, const struct flow *flow);
/* The slot that the flow must have. */
uint32_t harness_slot(enum vip_index vip, const struct flow *flow);

/* Every record of first fragments, so many time units older; `units` 0: none is left. */
void harness_age_fragments(uint32_t units);

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

/* From now on the first buffer of each frame holds so many bytes and the rest is in others, as some
 * drivers have it; -1: as many as it can. */
void harness_first_buffer(int bytes);

/* Writes every CPU's token bucket of each kind of answer: {0, 0} is a full one. */
void harness_limits_set(uint64_t time_ns, uint64_t tokens);

/* All the counters at one time. */
struct counts {
	uint64_t verdict[LB_VERDICT_COUNT];
	struct lb_counter member[MEMBER_COUNT];
	struct lb_counter vip[VIP_COUNT];
};
void harness_counts(struct counts *counts);
/* By its name among the maps of the program, for those that no part of lbd looks into; or -errno. To be closed. */
int harness_map_fd(const char *name);

const char *harness_verdict_name(unsigned int verdict);
int harness_verdict_action(unsigned int verdict); /* XDP_* */

#endif
