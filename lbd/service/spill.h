/* SPDX-License-Identifier: BSD-2-Clause */
/* Which groups of a pool's backends take new flows? Pure.
 *
 * Backends of one priority are a group. Groups are used from the first on, up to that with which
 * enough is in service: at least lb_pool.spill_percent of their weight together. Those after it are
 * in reserve. Where there is never enough all are used.
 *
 * In service is a backend's weight while it would take new flows: it is up, can be reached and does
 * not drain. The whole is every weight of the document, also of what drains.
 */
#ifndef LB_SERVICE_SPILL_H
#define LB_SERVICE_SPILL_H

#include <stdint.h>
#include "../api/model.h"

/* Weights by priority. */
struct spill {
	uint64_t all[LB_PRIORITIES], in_service[LB_PRIORITIES];
};

/* `weight`: what of the backend's is in service. */
void spill_add(struct spill *spill, const struct lb_backend *backend, uint32_t weight);
/* The last group that is used. */
uint32_t spill_last(const struct spill *spill, uint32_t percent);
/* How much of the weight of the groups before this one is in service, in percent. */
uint32_t spill_before(const struct spill *spill, uint32_t priority);

#endif
