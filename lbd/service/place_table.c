/* SPDX-License-Identifier: BSD-2-Clause */
/* Where do the slots of a new table lie? */
#include "change.h"

#include <stdlib.h>
#include <string.h>

/* The slots of all pools in force and of those that the change adds: what must have room at once. */
static uint64_t slots_at_once(const struct change *change, bool *removes)
{
	uint64_t sum = 0;
	size_t i;

	*removes = false;
	for (i = 0; i < change->pool_step_count; i++) {
		const struct plan_pool *plan = &change->pool_steps[i].plan;

		sum += place_slots(plan->before ? plan->before : plan->after);
		*removes |= plan->what == PLAN_REMOVED;
	}
	return sum;
}

static int no_room(const struct change *change, uint32_t size, struct lb_err *err)
{
	const struct service *service = change->service;
	uint32_t limit = service->config->slots;
	bool removes;
	uint64_t wanted = slots_at_once(change, &removes);
	unsigned long long enough = wanted > limit ? wanted : limit + (uint64_t)size;

	lb_err_set(err, LB_ERR_LIMIT, "",
		   "no contiguous space for a table of %u slots: %u are free, %u of them in one "
		   "piece",
		   size, limit - ranges_used(service->slot_ranges),
		   ranges_largest(service->slot_ranges));
	if (removes)
		return lb_err_hint(
			err,
			"new tables are made before old ones are removed: first remove VIPs (vip "
			"del, "
			"or a document without the new ones), then add; or set limits.slots to "
			"%llu or more and start lbd once with --reset-flows",
			enough);
	return lb_err_hint(err,
			   "remove VIPs first, or set limits.slots to %llu or more and start lbd "
			   "once with --reset-flows",
			   enough);
}

int place_take_table(struct change *change, enum pool_class class, uint32_t size,
		     struct live_table **out, struct lb_err *err)
{
	struct service *service = change->service;
	struct live_table *table = calloc(1, sizeof(*table));
	uint32_t *words;

	if (!table)
		return lb_err_no_memory(err);
	table->class = class;
	table->fresh = true;
	for (int i = 0; i < TABLE_LEFT; i++)
		table->left[i] = table->left_next[i] = LIVE_NO_POOL;
	if (!ranges_take(service->slot_ranges, size, &table->start) &&
	    make_room(change, size, &table->start)) {
		free(table);
		return no_room(change, size, err);
	}
	words = service->plane.slots + table->start;
	/* An lbd that was killed may have left owners there. */
	memset(words, 0xff, size * sizeof(*words));
	memset(service->plane.pasts + table->start, 0xff, size * sizeof(*words));
	*out = table;
	if (!slots_init(&table->slots, words, size)) {
		table->slots.pasts = service->plane.pasts + table->start;
		return 0;
	}
	ranges_give_back(service->slot_ranges, table->start, size);
	free(table);
	*out = NULL;
	return lb_err_no_memory(err);
}

void place_leave_table(struct service *service, struct live_table *table)
{
	ranges_give_back(service->slot_ranges, table->start, table->slots.size);
	slots_clear(&table->slots);
	free(table);
}
