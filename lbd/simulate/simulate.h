/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the modules that stand in for the kernel know of each other? Each has the functions of the
 * header that it is named after, and is linked into lbd-simulate in that one's place. */
#ifndef LB_SIMULATE_H
#define LB_SIMULATE_H

#include "../host/config.h"
#include "../host/simulation.h"
#include "../plane/plane.h"

struct event_base;

#define SIMULATED_MTU 1600u
/* simulation.c */
const struct config *simulated_config(void);
const struct simulation_options *simulated_options(void);

/* checks.c: */
int simulated_fail(const struct lb_addr *backend, bool fails, struct lb_err *err);

/* plane.c: what stands under an endpoint. */
struct simulated_entry {
	struct lb_endpoint endpoint;
	struct lb_vip_value value;
};
/* The entries that are a VIP's own, as many as there are, in a new array that holds until one comes
 * or goes. NULL without memory. */
const struct simulated_entry **simulated_vips(const struct datapath *datapath, size_t *count);
/* The entry of just this endpoint, or NULL. */
const struct simulated_entry *simulated_entry(const struct datapath *datapath,
					      const struct lb_endpoint *endpoint);
/* What the map "other_vips" would count. */
uint64_t simulated_other_vips(const struct datapath *datapath);
/* Of wide VIPs (bpf/abi.h): one by its number; and the parts of the longest prefix that the endpoint, an
 * address with a protocol, is of. NULL: there is none. */
const struct simulated_entry *simulated_wide(const struct datapath *datapath, uint32_t number);
const struct lb_parts *simulated_parts(const struct datapath *datapath,
				       const struct lb_endpoint *endpoint);
/* One packet of so many bytes for the VIP, with this hash, has come. */
void simulated_count(struct datapath *datapath, const struct lb_vip_value *vip, uint64_t hash,
		     uint32_t bytes);
struct datapath *simulated_datapath(void);

#endif
