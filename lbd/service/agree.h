/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the other nodes of a tier see of the backends, and what counts by that (quorum.h)?
 *
 * lbd-tier asks for the views of this node (service_health_view), and brings those of the others
 * (service_health_agree).
 * They hold for as long as it says; then this node goes by its own checks again. */
#ifndef LB_SERVICE_AGREE_H
#define LB_SERVICE_AGREE_H

#include <jansson.h>
#include "../api/err.h"
#include "../api/model.h"
#include "../health/state.h"
#include "chore.h"
#include "quorum.h"

#define AGREE_VALID_MAX_MS 60000
#define AGREE_DISSENT_MS 30000 /* for so long another view is no news */

struct service;
struct health_check;

struct agreement {
	char nodes[QUORUM_OTHERS_MAX][LB_NAME_TEXT]; /* the others, by their bit */
	size_t node_count;
	int64_t until_ms;  /* by the monotonic clock; 0: nothing was brought, or it has lapsed */
	int64_t lapsed_ms; /* 0: it has not */
	int64_t mark;      /* another one after each change of what this node sees */
	uint64_t changes;  /* of what counts, although this node's own view stayed */
	size_t dissents;   /* backends that it sees otherwise, for long */
	struct chore look; /* pending while something was brought */
};

/* --- views.c: what is brought --- */
int views_open(struct service *service, struct lb_err *err);
void views_close(struct service *service);

/* --- agree.c --- */

/* What counts of the backend whose checks these are. UNKNOWN: nobody has a view of it. */
enum health_status agree_state(const struct service *service, const struct health_check *check);
/* What this node itself sees; UNKNOWN too where its last check could not be made. */
enum health_status agree_own(const struct health_check *check);
/* It sees something else, or other backends, from now on. */
void agree_viewed(struct service *service);

/* Of BACKEND-STATE.health: who sees what; NULL where this node goes by itself. */
json_t *agree_backend(const struct service *service, const struct health_check *check);
/* Of status.health; NULL where nothing was ever brought. */
json_t *agree_describe(const struct service *service);
/* Adds sentences to status.warnings. */
void agree_warnings(const struct service *service, json_t *warnings);

#endif
