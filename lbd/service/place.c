/* SPDX-License-Identifier: BSD-2-Clause */
/* Which number does a new VIP get, and where do its slots lie? */
#include "change.h"

#include <stdlib.h>
#include <string.h>

uint32_t place_numbers(const struct config *config)
{
	return numbers_for_vips(config->vips);
}

/* The slots of all VIPs in force and of those that the change adds: what must have room at once. */
static uint64_t slots_at_once(const struct change *change, bool *removes)
{
	uint64_t sum = 0;
	size_t i;

	*removes = false;
	for (i = 0; i < change->step_count; i++) {
		const struct plan_step *plan = &change->steps[i].plan;

		sum += plan->before ? plan->before->pool->table_size
				    : plan->after->pool->table_size;
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

/* Takes a range of slots, all without owner. */
static int take_slots(struct change *change, uint32_t size, struct live_vip *next,
		      struct lb_err *err)
{
	struct service *service = change->service;
	uint32_t *words;

	next->slots = calloc(1, sizeof(*next->slots));
	if (!next->slots)
		return lb_err_no_memory(err);
	if (!ranges_take(service->slot_ranges, size, &next->slots_start))
		return no_room(change, size, err);
	words = service->plane.slots + next->slots_start;
	/* An lbd that was killed may have left owners there. */
	memset(words, 0xff, size * sizeof(*words));
	if (!slots_init(next->slots, words, size))
		return 0;
	ranges_give_back(service->slot_ranges, next->slots_start, size);
	return lb_err_no_memory(err);
}

static int no_number(struct lb_err *err)
{
	lb_err_set(err, LB_ERR_LIMIT, "", "no VIP number is free");
	return lb_err_hint(err, "new VIPs are made before old ones are removed: first remove VIPs, "
				"then add");
}

int place_take(struct change *change, const struct lb_vip *vip, struct live_vip *next,
	       struct lb_err *err)
{
	struct service *service = change->service;
	int error;

	if (!numbers_take(service->vip_numbers, &next->number))
		return no_number(err);
	if (service->plane.vip_counters_reset &&
	    service->plane.vip_counters_reset(service->plane.datapath, next->number)) {
		numbers_give_back(service->vip_numbers, next->number);
		return lb_err_set(err, LB_ERR_SYSTEM, "",
				  "the kernel refuses to set a VIP's counters to 0");
	}
	/* Each VIP has a pool of its own, which has its number. */
	service->plane.vip_pools[next->number] = lb_pools(next->number, next->number, next->number);
	service->check_counts[next->number] =
		(struct check_counts){0}; /* of an earlier VIP's checks */
	error = take_slots(change, vip->pool->table_size, next, err);
	if (error) {
		free(next->slots);
		numbers_give_back(service->vip_numbers, next->number);
	}
	return error;
}

void place_leave(struct service *service, const struct live_vip *live)
{
	ranges_give_back(service->slot_ranges, live->slots_start, live->slots->size);
	numbers_give_back(service->vip_numbers, live->number);
	slots_clear(live->slots);
	free(live->slots);
}
