/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change means, before it is made. Pure. */
#ifndef LB_PLAN_H
#define LB_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/model.h"
#include "../plane/slots.h"
#include "../table/table.h"
#include "pools.h"

/* PLAN_FOLLOWS: nothing that the documents say of it, but another change touches its slots. */
enum plan_what { PLAN_UNCHANGED, PLAN_CHANGED, PLAN_ADDED, PLAN_REMOVED, PLAN_FOLLOWS };

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

/* One pool in two documents. before is NULL when it is added, after when it is removed. */
struct plan_pool {
	enum plan_what what;
	const struct pool_ref *before, *after;
	size_t before_index; /* in the old document */
};

/* Whether the pools that have a name are the same, those that no VIP leads to among them. */
bool plan_same_named(const struct lb_service *before, const struct lb_service *after);

/* The same for pools that VIPs lead to: one step for each, those of after->refs first and in that order. A pool that
 * is a VIP's own is that of the same VIP before. It counts as changed, too, when VIPs of another
 * class lead to it, or another one is the first of them. 0 and *steps (to be freed), or -ENOMEM. */
int plan_pools(const struct pools *before, const struct pools *after, struct plan_pool **steps,
	       size_t *count);

/* Slots that have an owner in `words` (slot words, bpf/abi.h) and another one in `owners`. */
uint32_t plan_moved(const uint32_t *words, struct slots_owners owners, uint32_t size);

/* The same for words of another pool: same[] is by number of its members. */
uint32_t plan_moved_to(const uint32_t *words, const uint16_t *same, struct slots_owners owners,
		       uint32_t size);

/* For each member of `to`, by number, the number in `from` of the one with its address, or LB_NONE; both
 * are sorted by address. same[] has LB_NONE + 1 entries. */
void plan_pair(const struct table_member *from, size_t from_count, const struct table_member *to,
	       size_t to_count, uint16_t *same);

/* Packets of a VIP, with the slot words `words` and the members `from`, go by the table `owners`
 * over the members `to` of another VIP from now on; both have `size` slots. A slot keeps its flows
 * where it is SETTLED, the two tables lead to the same address, and the slot that it comes to, in
 * to_words, is not MOVING (NULL: none is): takes as many off owned[], which is by member number of
 * `from`. Members are sorted by address. */
void plan_keep(const uint32_t *words, const struct table_member *from, size_t from_count,
	       const uint16_t *owners, const uint32_t *to_words, const struct table_member *to,
	       size_t to_count, uint32_t size, uint32_t *owned);

/* The least that must move of a table of `size` slots: what each member's share by weight shrinks
 * by, summed. Both lists are sorted by address. */
uint32_t plan_ideal(const struct table_member *before, size_t before_count,
		    const struct table_member *after, size_t after_count, uint32_t size);

#endif
