/* SPDX-License-Identifier: BSD-2-Clause */
/* Which packets come, and what becomes of them? A program that tells (bpf/trace.bpf.c) stands in the
 * balancer's place for as long as somebody wants to know.
 *
 * It shares the balancer's maps, so nothing changes for packets, and takes its place at each
 * interface in one step; so does the balancer afterwards. Nobody else can trace meanwhile. While
 * nobody does, nothing of it is there.
 *
 * What it tells waits in a ring buffer of 1 MiB for datapath_trace_read; what finds no room there is
 * lost, and counted. It tells of as many packets as it is allowed to, and then of none. */
#ifndef LB_PLANE_TRACE_H
#define LB_PLANE_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include "../../bpf/trace.h"
#include "datapath.h"

/* Loads the program, which takes as long as at lbd's start, beside the loop, and puts it in place.
 * `filter` with every and snap. Once until datapath_trace_stop. 0, or LB_ERR_SYSTEM. */
int datapath_trace_start(struct datapath *datapath, const struct lb_trace_filter *filter,
			 struct lb_err *err);
/* The balancer is back at every interface. Fine when nobody traces. */
void datapath_trace_stop(struct datapath *datapath);

/* From now on, of so many packets. Returns how many were left of the last ones, 0 or more. */
uint32_t datapath_trace_allow(struct datapath *datapath, uint32_t packets);
/* Calls for each packet that waits, the oldest first, until `each` returns false. */
void datapath_trace_read(struct datapath *datapath,
			 bool (*each)(void *user, const struct lb_traced *packet), void *user);
/* Packets that the ring buffer had no room for. */
uint64_t datapath_trace_lost(const struct datapath *datapath);

#endif
