/* SPDX-License-Identifier: BSD-2-Clause */
/* Where do the programs of tunnel checks stand (plane/tunnel.h)? While they are wanted, at every
 * interface but loopback ones, those included that appear later. */
#ifndef LB_TUNNELS_H
#define LB_TUNNELS_H

#include <stdint.h>
#include "../api/err.h"
#include "../plane/datapath.h"

struct event_base;
struct links_table;
struct tunnels;

/* Does nothing yet; NULL without memory. */
struct tunnels *tunnels_new(struct event_base *base, struct links_table *links,
			    struct datapath *datapath, const uint64_t seed[2]);
/* The program stays where it is, for the next lbd. */
void tunnels_free(struct tunnels *tunnels);

/* From now on it is wanted. No error when it was already. */
int tunnels_start(struct tunnels *tunnels, struct lb_err *err);
/* It is not wanted any more, and taken away; also what an earlier lbd has left. */
void tunnels_stop(struct tunnels *tunnels);
/* Before the first check of a member: the VIP that it is checked for. 0 or -errno. */
int tunnels_check(struct tunnels *tunnels, uint32_t member, const struct lb_addr *vip);
/* Why an interface goes without it, or "". */
const char *tunnels_fault(const struct tunnels *tunnels);

/* Takes it away wherever it stands, whoever has put it there. 0, or the first error. */
int tunnels_detach_all(struct lb_err *err);

#endif
