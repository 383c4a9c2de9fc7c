/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pools does a document have, and which VIPs lead to each? Pure. */
#ifndef LB_SERVICE_POOLS_H
#define LB_SERVICE_POOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/model.h"

/* VIPs of one pool share slots with those of their class: some protocols say when a flow begins, and
 * datagrams do not. */
enum pool_class { POOL_STREAMS, POOL_DATAGRAMS, POOL_CLASSES };

struct pool_ref {
	const struct lb_pool *pool;
	const struct lb_vip *vip; /* the lowest that leads to it: address, then port */
	uint32_t vips[POOL_CLASSES];
	uint8_t family; /* of the addresses of these: 4, 6; 0: both, or none */
	bool own;       /* of that VIP alone, and without a name */
};

/* Those that VIPs lead to: first pools that have a name, by name, then those of one VIP, in the order
 * of these. */
struct pools {
	struct pool_ref *refs;
	size_t count;
	uint32_t *of_vip; /* by VIP of the document: its place in refs */
};

/* 0, or -ENOMEM with nothing to clear. The document must outlive it. */
int pools_of(const struct lb_service *document, struct pools *out);
void pools_clear(struct pools *pools);

enum pool_class pools_class(const struct lb_vip *vip);
/* For how long a slot of this class is MOVING, and what a flow on record may be silent. */
uint32_t pools_transition_s(const struct lb_pool *pool, enum pool_class class);
uint32_t pools_flow_idle_s(const struct lb_pool *pool, enum pool_class class);
/* lb_vip_learn_s of the VIPs of this class. */
uint32_t pools_learn_s(const struct lb_pool *pool, enum pool_class class);

#endif
