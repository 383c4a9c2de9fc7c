/* SPDX-License-Identifier: BSD-2-Clause */
/* The XDP program with a flow table, one packet of one client at a time: which backend takes it,
 * and what does the flow table say before and after?
 *
 * Backends have an identity that is never used again, and show it in the outer destination, so that
 * a test can tell them apart whatever their numbers. The hash is that of frame.h, not the
 * program's. Everything runs on one CPU: the program's budget is one for each.
 */
#ifndef FLOW_RIG_H
#define FLOW_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../../bpf/abi.h"

#define RIG_VIPS_MAX 16
#define RIG_DROPPED UINT32_MAX /* no backend took the packet */

enum rig_flags {
	RIG_SYN = 0x02,
	RIG_SYN_ACK = 0x12,
	RIG_ACK = 0x10,
	RIG_FIN_ACK = 0x11,
	RIG_RST = 0x04
};

struct rig_vip {
	const char *endpoint, *address; /* NULL: slots without a VIP */
	uint32_t size;                  /* slots */
	bool tcp;
	bool sctp;      /* `endpoint` says udp, and it is SCTP all the same */
	uint32_t flags; /* LB_VIP_HASH_* */
};

/* Who sends: an address counted up from a base, and a port, to a VIP. */
struct client {
	uint32_t vip; /* index */
	uint32_t source;
	uint16_t port;
};

/* Loads the program with empty tables; `flows` words of flow table. 0, or -1 after a message on
 * stderr. */
int rig_open(const struct rig_vip *vips, size_t count, uint32_t members, uint32_t flows,
	     const uint64_t seed[2]);
void rig_close(void);

/* The slot words of a VIP, mmapped. */
uint32_t *rig_slots(uint32_t vip);
struct lb_flow_bucket *rig_buckets(uint32_t *count);
void rig_idle(uint32_t units); /* after which confirmed words are dead */

/* From now on the VIP has the slots of another one, of the same size. */
void rig_lead(uint32_t vip, uint32_t to);
/* The pools of a VIP, which are its number to begin with. */
void rig_pools_set(uint32_t vip, uint32_t now, uint32_t before, uint32_t earlier);
/* Fills a member's entry, whole. flags: LB_MEMBER_NEW | LB_MEMBER_OLD, or 0 for one that is gone. */
void rig_member_set(uint16_t number, uint32_t pool, uint32_t backend, uint32_t flags);
void rig_member_flags(uint16_t number, uint32_t flags);

/* Runs a packet through the program. The identity of the backend that it goes to, or RIG_DROPPED
 * for want of one; whatever else may become of a packet ends the test. tcp_flags count for TCP;
 * RIG_SYN makes an INIT of an SCTP packet. */
uint32_t rig_send(const struct client *client, uint8_t tcp_flags);

/* The same with an ICMP error about the client's flow, and with a later fragment of it (the first
 * one is not sent: `id` names one that was). */
uint32_t rig_send_error(const struct client *client);
uint32_t rig_send_fragment(const struct client *client, bool later, uint16_t id);

/* --- where the program looks for a client --- */
uint64_t rig_hash(const struct client *client);      /* for the slot */
uint64_t rig_flow_hash(const struct client *client); /* for the bucket */
uint32_t rig_tag(const struct client *client);       /* of its record */
uint32_t *rig_slot(uint64_t hash, uint32_t vip);
struct lb_flow_bucket *rig_bucket(uint64_t hash);
/* The way of a record in a bucket, or -1. */
int rig_way(const struct lb_flow_bucket *bucket, uint32_t tag);

/* Sums of flow_counts since the program was loaded. */
void rig_counts(uint64_t out[LB_FLOW_COUNT_COUNT]);
const char *rig_count_name(unsigned int which);

/* The program's clock, in units of a flow word's time. */
uint32_t rig_time(void);
/* Returns when at least a second is left of the time unit that it is. */
void rig_await_time_unit(void);

#endif
