/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the health of a pool's backends mean for its flows? Pure: what is known of each backend
 * goes in, weights and flags come out.
 *
 *                             takes new flows        keeps its old ones
 *   FIT                       by its weight          yes
 *   WAITING for a result      no                     yes
 *   ILL                       no                     yes; with on_unhealthy "reset" no
 *
 * When no backend with a share (a weight, and not draining) is FIT, when_all_unhealthy decides:
 * with "use_all" all of them count as FIT, their old flows included; with "drop" none takes new
 * flows.
 *
 * Where a backend stands follows from the results of its checks, but for its first one:
 * - A backend that joins others of which something is known WAITS.
 * - Backends of a pool of which nothing is known yet are FIT, so that a new one serves at once and
 *   does not send everybody to whichever backend is checked first; with "drop" they WAIT.
 * - A backend of a pool that gets its first check, or another one, stands as it stood.
 * - A backend that an earlier lbd has left stands as the data plane says: what took new flows is
 *   FIT, what had lost its old ones is ILL, the rest WAITS.
 *
 * Of these, groups after the last that is needed (spill.h) are in reserve, and get no new flows.
 *
 * A backend that is ARRIVING, whose next hop has not been resolved once since it was added, gets no
 * new flows as long as another backend can take them. A next hop that is lost later changes
 * nothing.
 */
#ifndef LB_STANDING_H
#define LB_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/model.h"
#include "../health/state.h"

enum standing { STANDING_FIT, STANDING_WAITING, STANDING_ILL };

/* Of one backend. `known`: by a result, or from before; else it is presumed. */
struct health_standing {
	enum standing is;
	bool known;
	bool arriving;
	/* It would have a share, but was arriving or WAITING and had none, and since then had none
	 * while it was not arriving. */
	bool held;
};

/* Of a backend that has come anew into `pool`; anything_known: of some other backend of it. It is
 * arriving. */
struct health_standing standing_of_new(const struct lb_pool *pool, bool anything_known);
/* Of one that was left by an earlier lbd; flags: LB_MEMBER_* of its entry. */
struct health_standing standing_of_left(uint32_t flags);
/* After a result, which is not UNKNOWN. */
void standing_take_result(struct health_standing *standing, enum health_status status);

/* Who takes new flows. */
struct standing_use {
	bool all;      /* no backend is fit, so all count as fit */
	uint32_t last; /* backends of a later priority are in reserve */
};

/* The weights that count for new flows into weights[pool->backend_count]. standings[i] is of
 * pool->backends[i]; without a check all are FIT. Groups up to `kept` are used, needed or not. */
struct standing_use standing_weigh(const struct lb_pool *pool,
				   const struct health_standing *standings, uint32_t kept,
				   uint32_t *weights);
/* The weight that a backend would have, were it FIT: 0 while it drains, or is in reserve. */
uint32_t standing_share(const struct lb_backend *backend, struct standing_use use);
/* Whether the backend waits for its share of new flows: `share` is what it would have, `weight` what
 * it has. */
bool standing_waits(struct health_standing standing, uint32_t share, uint32_t weight);
/* Whether a backend keeps its old flows; `use`: what standing_weigh said. */
bool standing_keeps_old(const struct lb_pool *pool, struct health_standing standing,
			struct standing_use use);

/* Whether a backend that may have this share still waits for it, or has one for want of others that
 * can be reached. */
bool standing_is_held(const struct health_standing *standing, uint32_t share, uint32_t weight);

#endif
