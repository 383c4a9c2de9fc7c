/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the nodes of a tier see of the backends? Each puts its view under a lease of its own:
 *
 *   /lbd/TIER/health/NAME      a VIEW: {"healthy":KEYS, "unhealthy":KEYS}
 *
 * as lbd tells it (health.view): KEYS are 16 hexadecimal digits for each backend. So 1,000 backends
 * are 16 KB, and etcd's bound for a value, 1.5 MB, has room for 98,000. It is written when it has changed,
 * and read by the others when its revision has. What they see is brought to lbd (health.agree), for
 * as long as VIEWS_VALID_MS. */
#ifndef LBCTL_TIER_VIEWS_H
#define LBCTL_TIER_VIEWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "etcd.h"

#define VIEWS_EVERY_MS 200   /* rounds */
#define VIEWS_VALID_MS 10000 /* what was brought, without another round */
#define VIEWS_LEASE_S 10     /* a node that is silent has no view */
#define VIEWS_OTHERS_MAX 63  /* nodes beside this one that lbd takes */

struct views {
	const struct tier_config *config;
	struct etcd *etcd;
	int64_t lease, renew_ms; /* 0: none */
	int64_t mark;            /* of `own`, by lbd */
	json_t *own;             /* NULL: lbd has told none */
	bool written;            /* `own`, under this lease */
	bool taken;              /* somebody else has the name of this node */
	json_t *others;          /* by key in etcd: items of etcd_get, of nodes that are alive */
	bool stale;              /* lbd does not have all of it */
	json_int_t count;        /* of views that were brought */
	int64_t brought_ms;
};

/* One round. 0, also where lbd does not answer; -EINVAL: etcd does not. */
int views_round(struct views *views, struct lb_err *err);
/* The view of this node ends. */
void views_clear(struct views *views);

/* For lbd, a new reference: `others` without those that are no views, and at most so many. Pure. */
json_t *views_of(const json_t *others);

#endif
