/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backends make connections from cookies, as far as is known? See syn_ready.h. */
#include "syn_ready.h"

#include <stdlib.h>
#include <string.h>

#include "../../bpf/tunnel.h"
#include "../health/probe.h"

/* A backend that hangs up at once leaves a port here in TIME_WAIT for a minute, and there are 28,000. */
#define INTERVAL_MS 15000
#define INTERVAL_NOT_MS 2000 /* of one that is not ready: nothing is left of that */
#define TIMEOUT_MS 2000

struct asked {
	struct health_watch *watch; /* NULL: it is not asked */
	uint32_t vip;               /* number of the one that it is asked for */
	bool seen;                  /* by the pass under way */
	bool as_ready;              /* it is asked as one that is */
	enum syn_ready_state said;  /* what was known of it last */
};

struct syn_ready {
	struct health *health;
	const struct guard_secret *secret;
	void (*news)(struct service *service);
	uint32_t count;
	struct asked *asked; /* by member number */
};

/* Silence is no news of one that was ready: a flood may be the reason, and health checks are for the rest. Of
 * another it is none: a firewall that wants to see a SYN answers nothing. */
static enum syn_ready_state state_of(struct asked *asked)
{
	struct health_view view;

	health_get(asked->watch, &view);
	if (view.not_made || view.status == HEALTH_HEALTHY)
		asked->said =
			SYN_READY; /* what cannot be asked is taken to be, as nothing speaks against it */
	else if (view.status == HEALTH_UNHEALTHY &&
		 (asked->said != SYN_READY || strncmp(view.error, "no ", 3)))
		asked->said = SYN_READY_NOT;
	return asked->said;
}

/* A member has one address inside the tunnel, and its health check may have it. A VIP for every port has none to
 * be asked at. */
static bool can_ask(const struct lb_pool *pool, const struct lb_vip *vip,
		    const struct lb_vip *lowest)
{
	const struct lb_addr own = lb_endpoint_host(&vip->endpoint),
			     checked = lb_endpoint_host(&lowest->endpoint);

	return vip->endpoint.port &&
	       (pool->health.kind == LB_HEALTH_NONE || pool->health.source != LB_HEALTH_TUNNEL ||
		lb_addr_equal(&own, &checked));
}

static void ask(struct service *service, const struct lb_vip *vip, struct asked *asked,
		const struct table_member *backend)
{
	const bool ready = asked->said == SYN_READY;
	const struct lb_endpoint one = lb_endpoint_checked(&vip->endpoint);
	const struct lb_health question = {
		.kind = LB_HEALTH_TCP,
		.source = LB_HEALTH_TUNNEL,
		.interval_ms = ready ? INTERVAL_MS : INTERVAL_NOT_MS,
		.timeout_ms = TIMEOUT_MS,
		.jitter_percent = 20,
		.rise = 1,
		.fall = 2,
	};
	const struct health_target target = {
		.vip = one,
		.backend = backend->address,
		.check = &question,
		.mark = LB_TUNNEL_MARK | backend->number,
		.start = ready ? HEALTH_HEALTHY : HEALTH_UNKNOWN,
		.secret = service->syn_ready->secret,
	};

	if (tunnels_check(service->tunnels, backend->number, &one.address))
		return; /* the next pass tries again */
	asked->vip = live_of(service, vip)->number;
	asked->as_ready = ready;
	asked->watch = health_add(service->syn_ready->health, &target, asked);
}

static void end(struct asked *asked)
{
	health_remove(asked->watch);
	asked->watch = NULL;
}

static enum syn_ready_state look(struct service *service, const struct lb_vip *vip,
				 const struct table_member *backend, bool may)
{
	struct asked *asked = &service->syn_ready->asked[backend->number];

	if (!asked->watch)
		asked->said = SYN_READY_UNKNOWN;
	else if (asked->as_ready != (state_of(asked) == SYN_READY) && may)
		end(asked);
	if (!asked->watch && may)
		ask(service, vip, asked, backend);
	if (!asked->watch)
		return may ? SYN_READY_UNKNOWN : SYN_READY;
	if (asked->vip == live_of(service, vip)->number)
		asked->seen = true;
	return asked->said;
}

enum syn_ready_state syn_ready_vip(struct service *service, const struct lb_vip *vip)
{
	const struct live_pool *live = live_pool_of(service, vip);
	const struct pool_ref *ref = &service->pools.refs[live_of(service, vip)->pool];
	const bool may = can_ask(vip->pool, vip, ref->vip);
	enum syn_ready_state worst = SYN_READY;

	for (size_t i = 0; i < live->backend_count; i++) {
		const struct table_member *backend = &live->backends[i];
		enum syn_ready_state state;

		if (!backend->weight || !members_inner_mtu(service->members, backend->number))
			continue;
		state = look(service, vip, backend, may);
		if (state > worst)
			worst = state;
	}
	return worst;
}

void syn_ready_pass_ends(struct service *service)
{
	struct syn_ready *ready = service->syn_ready;

	for (uint32_t number = 0; number < ready->count; number++) {
		struct asked *asked = &ready->asked[number];

		if (!asked->seen)
			end(asked);
		asked->seen = false;
	}
}

json_t *syn_ready_lacking(const struct service *service, const struct lb_vip *vip)
{
	const struct live_pool *live = live_pool_of(service, vip);
	json_t *lacking = NULL;

	for (size_t i = 0; i < live->backend_count; i++) {
		const struct asked *asked = &service->syn_ready->asked[live->backends[i].number];
		struct health_view view;
		char text[LB_ADDR_TEXT];

		if (!asked->watch || asked->said != SYN_READY_NOT)
			continue;
		if (!lacking)
			lacking = json_array();
		health_get(asked->watch, &view);
		json_array_append_new(lacking,
				      json_pack("{s:s,s:s}", "address",
						lb_addr_format(&live->backends[i].address, text),
						"reason", view.error));
	}
	return lacking;
}

static void on_changed(void *user, void *owner, const struct health_view *view)
{
	struct service *service = user;

	(void)owner;
	(void)view;
	service->syn_ready->news(service);
}

int syn_ready_open(struct service *service, const struct service_options *from,
		   const struct guard_secret *secret, void (*news)(struct service *service),
		   struct lb_err *err)
{
	const struct health_options options = {
		.changed = on_changed, .user = service, .turns = from->turns};
	struct syn_ready *ready = service->syn_ready = calloc(1, sizeof(*ready));

	if (!ready)
		return lb_err_no_memory(err);
	ready->secret = secret;
	ready->news = news;
	ready->count = members_capacity(service->config);
	if (!service->plane.syn_use)
		return 0;
	ready->asked = calloc(ready->count, sizeof(*ready->asked));
	ready->health = ready->asked ? health_new(from->base, &options) : NULL;
	return ready->health ? 0 : lb_err_no_memory(err);
}

void syn_ready_close(struct service *service)
{
	struct syn_ready *ready = service->syn_ready;

	if (!ready)
		return;
	if (ready->health) {
		for (uint32_t number = 0; number < ready->count; number++)
			health_remove(ready->asked[number].watch);
		health_free(ready->health);
	}
	free(ready->asked);
	free(ready);
}
