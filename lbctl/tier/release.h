/* SPDX-License-Identifier: BSD-2-Clause */
/* What is published for a tier, and what has a node to do about it? Pure.
 *
 * Keys in etcd, each with a JSON object:
 *   /lbd/TIER/release          what was published last: a RELEASE
 *   /lbd/TIER/documents/N      the service document of revision N, ten digits
 *   /lbd/TIER/nodes/NAME       the state of a node, under a lease: a NODE (node.h)
 *   /lbd/TIER/health/NAME      what it sees of the backends, under another: a VIEW (views.h)
 *
 * RELEASE: {"revision":N, "stable":N, "hold_s"?:N, "canaries"?:[NAME…], "force"?:true,
 * "max_moved_percent"?:P, "by":"…", "at":"…"}. With `hold_s` it is staged: nodes that are canaries
 * take it at once, the others when every canary has had it for so long without an alarm; until then
 * they take `stable`, which all nodes were to have before. 0 for `stable`: there is none. `canaries`
 * were there when it was published: one that has gone since is waited for. */
#ifndef LBCTL_TIER_RELEASE_H
#define LBCTL_TIER_RELEASE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "../../lbd/api/err.h"
#include "config.h"

#define RELEASE_KEY_SIZE (sizeof("/lbd//documents/") + 2 * TIER_NAME_SIZE)
#define RELEASE_CANARIES_MAX 64 /* that are remembered */
#define RELEASE_KEPT 20         /* documents of earlier revisions */

char *release_key(const struct tier_config *config, char out[RELEASE_KEY_SIZE]);
char *release_document_key(const struct tier_config *config, uint32_t revision,
			   char out[RELEASE_KEY_SIZE]);
char *release_nodes_key(const struct tier_config *config, const char *node,
			char out[RELEASE_KEY_SIZE]);
char *release_health_key(const struct tier_config *config, const char *node,
			 char out[RELEASE_KEY_SIZE]);

struct release {
	uint32_t revision, stable;
	bool staged;
	uint32_t hold_s;
	bool force;
	double max_moved_percent;
	char canaries[RELEASE_CANARIES_MAX][TIER_NAME_SIZE];
	size_t canary_count;
};

/* *out all 0, and 0: nothing was published yet; and -EINVAL: what stands there is no release, which
 * only another one mends. `items`: of etcd_get. */
int release_read(const json_t *items, struct release *out, struct lb_err *err);

/* The number of a revision as an operator writes it. */
int release_number(const char *text, uint32_t *out, struct lb_err *err);

#define RELEASE_WHY 256

/* What the node has to have in force; 0: nothing was published that it should take. `why` says what
 * a staged release waits for, or "". `nodes`: of etcd_get_below; those that are there are alive. */
uint32_t release_target(const struct release *release, bool canary, const json_t *nodes,
			char why[RELEASE_WHY]);

/* The next number: above all that were published or are in force anywhere, also where etcd was
 * restored from a backup or is new. `own`: what the lbd of this node has in force. 0: none is left. */
uint32_t release_next(const struct release *release, const json_t *nodes, uint32_t own);
/* What nodes fall back to while the next one is staged. */
uint32_t release_stable(const struct release *release, const json_t *nodes);

#endif
