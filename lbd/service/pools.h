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
	const struct lb_vip *vip; /* the lowest that leads to it, or else that has left it */
	uint32_t vips[POOL_CLASSES];
	uint32_t left[POOL_CLASSES]; /* VIPs that went to another pool, and have flows here still */
	uint8_t family;              /* of the addresses of these: 4, 6; 0: both, or none */
	bool own;                    /* of one VIP alone, and without a name */
	struct lb_endpoint of;       /* then, that VIP: others may have left it, too */
	bool gone;                   /* VIPs have left it, and it is not in the document */
};

/* A VIP of a document, by its place, and a pool that it has left. */
struct pool_left {
	size_t vip;
	const struct lb_pool
		*pool; /* of the document, with a name; NULL: look for it by `before` */
	size_t before; /* its place among the pools before */
};

/* Those that VIPs lead to, or have left: first pools that have a name, by name, then those of one VIP, in
 * the order of these. */
struct pools {
	struct pool_ref *refs;
	size_t count;
	uint32_t *of_vip;     /* by VIP of the document: its place in refs */
	struct lb_pool *gone; /* as they were when they were left; owned */
	size_t gone_count;
};

/* `left`: which VIPs have left which pools. `before`: the pools of the document before, NULL where `left`
 * names none of them. 0, or -ENOMEM with nothing to clear. The document must outlive it. */
int pools_of(const struct lb_service *document, const struct pools *before,
	     const struct pool_left *left, size_t left_count, struct pools *out);
void pools_clear(struct pools *pools);
/* What the document has of a pool before: that of the same name, or of the same VIP alone; NULL: it is
 * gone. */
const struct lb_pool *pools_find(const struct lb_service *document, const struct pool_ref *before);
/* As in the order of refs. */
int pools_compare(const struct pool_ref *a, const struct pool_ref *b);
uint32_t pools_backends(const struct pools *pools);
/* Whether a VIP of the class leads to it, or has left it. */
bool pools_has(const struct pool_ref *ref, enum pool_class class);

enum pool_class pools_class(const struct lb_vip *vip);
/* For how long a slot of this class is MOVING, and what a flow on record may be silent. */
uint32_t pools_transition_s(const struct lb_pool *pool, enum pool_class class);
uint32_t pools_flow_idle_s(const struct lb_pool *pool, enum pool_class class);
/* lb_vip_learn_s of the VIPs of this class. */
uint32_t pools_learn_s(const struct lb_pool *pool, enum pool_class class);

#endif
