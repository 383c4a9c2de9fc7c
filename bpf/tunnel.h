/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What do lbd and bpf/tunnel.bpf.c agree on? The mark of a check's socket (SO_MARK), which every
 * packet of it carries, names the member. */
#ifndef LB_TUNNEL_H
#define LB_TUNNEL_H

#include <linux/types.h>

/* Mark = LB_TUNNEL_MARK | member number. No routing rule or filter of the operator's may use the
 * marks 0x4c420000 … 0x4c42ffff ("LB" in its upper half). */
#define LB_TUNNEL_MARK 0x4c420000u
#define LB_TUNNEL_MARK_MASK 0xffff0000u

/* The address that a member's check is to reach: its VIP's. By the number of the member. */
struct lb_tunnel_vip {
	__be32 address[4]; /* IPv4: the first word alone */
	__u32 family;      /* 4, 6; 0: no check of this member */
};

/* A check under way, as the backend sees it, and the address that its socket is connected to. */
struct lb_tunnel_flow {
	__be32 own[4], vip[4];
	__be16 own_port, vip_port;
	__u8 family, protocol;
	__u8 zero[2];
};

struct lb_tunnel_peer {
	__be32 address[4];
};

#endif
