/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the program that explains (explain.bpf.c) tells lbd of one frame. No part of the ABI: both
 * come with the same lbd. */
#ifndef LB_EXPLAIN_H
#define LB_EXPLAIN_H

#include "abi.h"
#include "packet.h"

/* How far the packet has come; what belongs to later stages is 0. */
enum lb_explained_stage {
	LB_EXPLAINED_NOTHING,
	LB_EXPLAINED_PARSED,  /* packet, fragment_key */
	LB_EXPLAINED_READ,    /* packet again, with what ICMP and fragments add */
	LB_EXPLAINED_VIP,     /* vip, slots_start, slots_size, vip_flags */
	LB_EXPLAINED_SLOT,    /* hash, slot, slot_word, tag, bucket; or a QUIC id in its place */
	LB_EXPLAINED_MEMBER,  /* member, hops, hops_listed, hop */
	LB_EXPLAINED_NEXTHOP, /* nexthop */
};

struct lb_explained {
	__u32 stage; /* LB_EXPLAINED_* */
	__u32 vip;   /* its number */
	__u32 slots_start, slots_size;
	__u32 vip_flags; /* LB_VIP_* */
	__u32 slot;      /* within the VIP */
	__u64 hash;
	__u32 slot_word;
	__u32 tag, bucket; /* of the record */
	__u32 member;
	__u32 nexthop; /* its number */
	__u32 hops; /* members that the packet brings along, to be asked after `member` (chance.h) */
	__u32 hops_listed; /* so many, were there room */
	__u32 hop[LB_HOPS_MAX];
	__u32 pad;
	__u32 quic_looked;    /* the VIP is for QUIC, and the packet has a payload to look at: */
	__u32 quic_rotation;  /* LB_QUIC_ROTATIONS and above: no id, or none that is routable */
	__u32 quic_count;     /* LB_QUIC_* */
	__u32 quic_encrypted; /* ids of the rotation are */
	__u32 pad2;
	__u64 quic_word[2];                  /* as in struct lb_quic_id; 0: no server id */
	struct lb_fragment_key fragment_key; /* of a fragment's record */
	struct packet packet;
};

#endif
