/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How does lbd tell bpf/tunnel.bpf.c through which member a health check is to go? By the mark of
 * the check's socket (SO_MARK), which every packet of it carries. */
#ifndef LB_TUNNEL_H
#define LB_TUNNEL_H

/* Mark = LB_TUNNEL_MARK | member number. No routing rule or filter of the operator's may use the
 * marks 0x4c420000 … 0x4c42ffff ("LB" in its upper half). */
#define LB_TUNNEL_MARK 0x4c420000u
#define LB_TUNNEL_MARK_MASK 0xffff0000u

#endif
