/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a node tell the others of itself? NODE, for /lbd/TIER/nodes/NAME:
 *
 *   {"node":"lb1", "canary":bool, "revision":N, "edited":bool, "applied_s":N, "version":"0.2.0", "abi":9,
 *    "document":DIGEST, "tables":DIGEST, "seed":DIGEST, "healthy":N, "unhealthy":N, "unknown":N,
 *    "unroutable":N, "packets_per_s":N, "refused"?:{"revision":N, "error":"…"}, "waits"?:"…",
 *    "alarm"?:"…", "agreement"?:{"state":"agreed|alone|lapsed", …}, "lbd"?:"…"}
 *
 * `document` is the digest of the service document, `tables` that of all tables together, `seed` that
 * of the hash seed: where all three are equal, nodes send each flow to the same backend. `applied_s`:
 * for how long `revision` has been in force here. `lbd`: why it does not answer; then most is missing. */
#ifndef LBCTL_TIER_NODE_H
#define LBCTL_TIER_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "../../lbd/api/err.h"

/* What lbd says, as far as decisions are made by it. */
struct node_lbd {
	uint32_t revision;
	bool edited;
	int64_t unhealthy, unroutable;
};

/* For packets a second. */
struct node_rate {
	int64_t packets, at_ms; /* at_ms 0: nothing known yet */
};

/* Asks lbd at `socket`. 0 and *node, a new reference, or -EINVAL. */
int node_ask(const char *socket, struct node_rate *rate, struct node_lbd *out, json_t **node,
	     struct lb_err *err);

/* Of one that was not told by node_ask: the digest over those of all VIPs of vip.list. Pure. */
uint64_t node_tables(const json_t *vips);

#endif
