/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change means, before it is made. Pure. */
#ifndef LB_PLAN_H
#define LB_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include "api/model.h"
#include "table.h"

enum plan_what { PLAN_UNCHANGED, PLAN_CHANGED, PLAN_ADDED, PLAN_REMOVED };

/* One VIP in two documents. before is NULL when it is added, after when it is removed. */
struct plan_step {
	enum plan_what what;
	const struct lb_vip *before, *after;
	size_t before_index; /* in the old document */
};

/* Compares two documents, whose VIPs are sorted by endpoint: one step a VIP, in that order.
 * 0 and *steps (to be freed), or -ENOMEM. */
int plan_diff(const struct lb_service *before, const struct lb_service *after,
	      struct plan_step **steps, size_t *count);

/* Slots that have an owner in `words` (slot words, bpf/abi.h) and another one in `owners`. */
uint32_t plan_moved(const uint32_t *words, const uint16_t *owners, uint32_t size);

/* The least that must move of a table of `size` slots: what each member's share by weight shrinks
 * by, summed. Both lists are sorted by address. */
uint32_t plan_ideal(const struct table_member *before, size_t before_count,
		    const struct table_member *after, size_t after_count, uint32_t size);

#endif
