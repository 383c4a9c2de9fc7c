/* SPDX-License-Identifier: BSD-2-Clause */
/* Which numbers do a new VIP and a new pool get, and how many slots does one need? */
#include "change.h"

uint32_t place_numbers(const struct config *config)
{
	return numbers_for_vips(config->vips);
}

/* Each VIP may have a pool of its own. */
uint32_t place_pool_numbers(const struct config *config)
{
	return 2 * numbers_for_vips(config->vips);
}

uint64_t place_slots(const struct pool_ref *ref)
{
	uint64_t tables = 0;

	for (int class = 0; class < POOL_CLASSES; class ++)
		tables += ref->vips[class] > 0;
	return tables * ref->pool->table_size;
}

static int no_number(const char *of, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_LIMIT, "", "no %s number is free", of);
	return lb_err_hint(err, "new VIPs are made before old ones are removed: first remove VIPs, "
				"then add");
}

int place_take(struct change *change, struct live_vip *next, struct lb_err *err)
{
	struct service *service = change->service;

	if (!numbers_take(service->vip_numbers, &next->number))
		return no_number("VIP", err);
	if (!service->plane.vip_counters_reset ||
	    !service->plane.vip_counters_reset(service->plane.datapath, next->number))
		return 0;
	numbers_give_back(service->vip_numbers, next->number);
	return lb_err_set(err, LB_ERR_SYSTEM, "",
			  "the kernel refuses to set a VIP's counters to 0");
}

void place_leave(struct service *service, const struct live_vip *live)
{
	numbers_give_back(service->vip_numbers, live->number);
}

int place_take_pool(struct change *change, struct live_pool *next, struct lb_err *err)
{
	struct service *service = change->service;

	if (!numbers_take(service->pool_numbers, &next->number))
		return no_number("pool", err);
	service->check_counts[next->number] =
		(struct check_counts){0}; /* of an earlier pool's checks */
	return 0;
}

void place_leave_pool(struct service *service, const struct live_pool *live)
{
	numbers_give_back(service->pool_numbers, live->number);
}
