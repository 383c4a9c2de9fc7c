/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIPs of the document in force should the network learn from this node? */
#include "announce.h"

#include <errno.h>
#include <stdlib.h>

#include "live.h"

/* Many VIPs may ask for the health of one pool. */
struct pool_health {
	bool known;
	struct health_shares shares;
};

static const struct health_shares *look_at_pool(const struct service *service, size_t place,
						struct pool_health *pools)
{
	if (!pools[place].known)
		pools[place].shares = health_shares(service, service->pools.refs[place].pool,
						    &service->live_pools[place]);
	pools[place].known = true;
	return &pools[place].shares;
}

static struct announce_want want_of(const struct service *service, const struct lb_vip *vip,
				    struct pool_health *pools)
{
	struct announce_want want = {.prefix = lb_endpoint_prefix(&vip->endpoint),
				     .wish = ANNOUNCE_YES};
	const struct health_shares *shares;

	if (!vip->announce_healthy && !vip->announce_share_percent)
		return want;
	shares = look_at_pool(service, live_of(service, vip)->pool, pools);
	want.health = (struct announce_health){
		.all = (uint32_t)shares->all,
		.healthy = (uint32_t)shares->healthy,
		.unhealthy = (uint32_t)shares->unhealthy,
		.needed = announce_needed((uint32_t)shares->all, vip->announce_healthy,
					  vip->announce_share_percent),
	};
	want.wish = announce_wish(&want.health);
	return want;
}

int service_announce(struct service *service, struct announce_want **out, size_t *count)
{
	const struct lb_service *document;
	struct pool_health *pools;

	live_hold(service);
	document = service->document;
	pools = calloc(service->pools.count + 1, sizeof(*pools));
	*out = calloc(document->vip_count + 1, sizeof(**out));
	*count = 0;
	for (size_t i = 0; *out && pools && i < document->vip_count; i++) {
		if (!document->vips[i].announce)
			continue;
		(*out)[(*count)++] = want_of(service, &document->vips[i], pools);
		worker_yield();
	}
	live_let_go(service);
	if (!pools)
		free(*out);
	free(pools);
	return *out && pools ? 0 : -ENOMEM;
}
