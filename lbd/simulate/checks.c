/* SPDX-License-Identifier: BSD-2-Clause */
/* How do backends answer checks? None is asked: each is healthy a moment after it is there, until an operator has it
 * fail. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "../api/clock.h"
#include "../health/health.h"
#include "../health/losses.h"
#include "../health/tunnels.h"
#include "../service/service.h"
#include "simulate.h"

struct health_watch {
	LIST_ENTRY(health_watch) entry;
	struct health *health;
	void *owner;
	struct lb_addr backend;
	bool due; /* a result is to be told */
	struct health_view view;
};

/* Backends that fail. */
struct failing {
	LIST_ENTRY(failing) entry;
	struct lb_addr backend;
};

static LIST_HEAD(, failing) failing;
static struct health *health_now;

struct health {
	struct health_options options;
	LIST_HEAD(, health_watch) watches;
	struct event *soon;
};

static struct failing *find_failing(const struct lb_addr *backend)
{
	struct failing *found;

	LIST_FOREACH (found, &failing, entry)
		if (lb_addr_equal(&found->backend, backend))
			return found;
	return NULL;
}

static struct health_watch *find_due(const struct health *health)
{
	struct health_watch *watch;

	LIST_FOREACH (watch, &health->watches, entry)
		if (watch->due)
			return watch;
	return NULL;
}

static struct health_time time_now(void)
{
	return (struct health_time){.monotonic_ms = lb_now_ms(),
				    .wall_ms = lb_clock_ns(CLOCK_REALTIME) / 1000000};
}

static void take_result(struct health_watch *watch)
{
	const struct health_options *options = &watch->health->options;
	const bool fails = find_failing(&watch->backend) != NULL;

	watch->due = false;
	watch->view.status = fails ? HEALTH_UNHEALTHY : HEALTH_HEALTHY;
	watch->view.since = time_now();
	watch->view.duration_us = 0;
	if (fails) {
		snprintf(watch->view.error, sizeof(watch->view.error), "simulated failure");
		watch->view.error_since = watch->view.since;
	}
	options->ended(options->user, watch->owner, fails ? HEALTH_FAILURE : HEALTH_SUCCESS, 0);
	options->changed(options->user, watch->owner, &watch->view);
}

/* Whoever is told may add and remove watches. */
static void on_soon(evutil_socket_t fd, short what, void *user)
{
	struct health *health = user;
	struct health_watch *watch;

	(void)fd;
	(void)what;
	while ((watch = find_due(health)))
		take_result(watch);
}

static void tell_soon(struct health_watch *watch)
{
	static const struct timeval soon = {.tv_usec = 1000};

	watch->due = true;
	event_add(watch->health->soon, &soon);
}

static void set_failing(const struct lb_addr *backend, struct failing *known, bool fails)
{
	if (!known == !fails)
		return;
	if (!fails) {
		LIST_REMOVE(known, entry);
		free(known);
		return;
	}
	known = calloc(1, sizeof(*known));
	if (!known)
		return;
	known->backend = *backend;
	LIST_INSERT_HEAD(&failing, known, entry);
}

int simulated_fail(const struct lb_addr *backend, bool fails, struct lb_err *err)
{
	struct failing *known = find_failing(backend);
	struct health_watch *watch;
	bool is_checked = false;
	char text[LB_ADDR_TEXT];

	LIST_FOREACH (watch, &health_now->watches, entry)
		is_checked |= lb_addr_equal(&watch->backend, backend);
	if (!is_checked && !known) {
		lb_err_set(err, LB_ERR_NOT_FOUND, "address", "no backend with a health check is %s",
			   lb_addr_format(backend, text));
		return lb_err_hint(err, "lbctl backend list says which there are; a check is added "
					"by: lbctl vip set VIP --health tcp");
	}
	set_failing(backend, known, fails);
	LIST_FOREACH (watch, &health_now->watches, entry)
		if (lb_addr_equal(&watch->backend, backend))
			tell_soon(watch);
	return 0;
}

struct health *health_new(struct event_base *base, const struct health_options *options)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		return NULL;
	health->options = *options;
	LIST_INIT(&health->watches);
	health->soon = evtimer_new(base, on_soon, health);
	if (health->soon)
		return health_now = health;
	free(health);
	return NULL;
}

void health_free(struct health *health)
{
	if (!health)
		return;
	while (!LIST_EMPTY(&health->watches))
		health_remove(LIST_FIRST(&health->watches));
	while (!LIST_EMPTY(&failing))
		set_failing(NULL, LIST_FIRST(&failing), false);
	event_free(health->soon);
	free(health);
}

struct health_watch *health_add(struct health *health, const struct health_target *target,
				void *owner)
{
	struct health_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	*watch = (struct health_watch){.health = health,
				       .owner = owner,
				       .backend = target->backend,
				       .view = {.status = target->start, .duration_us = -1}};
	LIST_INSERT_HEAD(&health->watches, watch, entry);
	tell_soon(watch);
	return watch;
}

void health_remove(struct health_watch *watch)
{
	if (!watch)
		return;
	LIST_REMOVE(watch, entry);
	free(watch);
}

void health_refused(struct health *health, const struct lb_addr *backend, enum pmtu_refusal refusal)
{
	(void)health;
	(void)backend;
	(void)refusal;
}

void health_get(const struct health_watch *watch, struct health_view *out)
{
	*out = watch->view;
}

enum health_status health_status(const struct health_watch *watch)
{
	return watch->view.status;
}

bool health_not_made(const struct health_watch *watch)
{
	(void)watch;
	return false;
}

bool health_was_checked(const struct health_watch *watch)
{
	return watch->view.duration_us >= 0;
}

int service_probe(struct service *service, const struct lb_vip *vip, const struct lb_addr *backend,
		  json_t **result, struct lb_err *err)
{
	(void)service;
	(void)vip;
	(void)backend;
	(void)result;
	return lb_err_set(err, LB_ERR_REFUSED, "", "this lbd simulates, and sends nothing");
}

/* --- the tunnel of checks --- */

struct tunnels {
	char nothing;
};

struct tunnels *tunnels_new(struct event_base *base, struct links_table *links,
			    struct datapath *datapath, const uint64_t seed[2])
{
	(void)base;
	(void)links;
	(void)datapath;
	(void)seed;
	return calloc(1, sizeof(struct tunnels));
}

void tunnels_free(struct tunnels *tunnels)
{
	free(tunnels);
}

int tunnels_start(struct tunnels *tunnels, struct lb_err *err)
{
	(void)tunnels;
	(void)err;
	return 0;
}

void tunnels_stop(struct tunnels *tunnels)
{
	(void)tunnels;
}

int tunnels_check(struct tunnels *tunnels, uint32_t member, const struct lb_addr *vip)
{
	(void)tunnels;
	(void)member;
	(void)vip;
	return 0;
}

const char *tunnels_fault(const struct tunnels *tunnels)
{
	(void)tunnels;
	return "";
}

int tunnels_detach_all(struct lb_err *err)
{
	(void)err;
	return 0;
}

/* --- what backends have lost --- */

struct losses {
	char nothing;
};

struct losses *losses_new(struct event_base *base, uint32_t members)
{
	(void)base;
	(void)members;
	return calloc(1, sizeof(struct losses));
}

void losses_free(struct losses *losses)
{
	free(losses);
}

void losses_ask(struct losses *losses, uint16_t number, const struct lb_addr *address)
{
	(void)losses;
	(void)number;
	(void)address;
}

void losses_watch(struct losses *losses, uint16_t number, int64_t until_ms)
{
	(void)losses;
	(void)number;
	(void)until_ms;
}

bool losses_get(const struct losses *losses, uint16_t number, struct losses_view *out)
{
	(void)losses;
	(void)number;
	(void)out;
	return false;
}
