/* SPDX-License-Identifier: BSD-2-Clause */
/* How does the live service begin and end, and what is asked of it? */
#include "change.h"
#include "quic_keys.h"
#include "rates.h"
#include "syn_guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document_digest.h"
#include "entry.h"

int service_apply(struct service *service, struct lb_service *next,
		  const struct apply_options *options, json_t **change, struct lb_err *err)
{
	bool allowed;

	worker_leave(); /* it looks at documents only */
	allowed = !checks_allowed(service, next, err);
	worker_enter();
	if (!allowed) {
		lb_service_free(next);
		return -EINVAL;
	}
	if (options->dry_run)
		return apply(service, next, APPLY_DRY, options, NULL, change, err);
	if (confirm_check(service, next, err)) {
		lb_service_free(next);
		return -EINVAL;
	}
	if (options->confirm_s)
		return confirm_apply(service, next, options, change, err);
	return apply_now(service, next, options, NULL, change, err);
}

void service_work(struct service *service, struct worker *changes, struct worker *upkeep)
{
	service->changes = changes;
	service->upkeep = upkeep;
}

/* --- life --- */

static int apply_quietly(struct service *service, struct lb_service *next, struct lb_err *err)
{
	json_t *change = NULL;
	int error = apply(service, next, APPLY_RESTORE, NULL, NULL, &change, err);

	json_decref(change);
	return error;
}

/* What moves have left behind ends, by a change to what is in force. What fails is tried again when the
 * sweep has ended its next pass. */
static void on_settle(void *user)
{
	struct service *service = user;
	struct lb_err err = {0};
	struct lb_service *same;
	json_t *change = NULL;

	worker_leave();
	same = lb_service_copy(service->document);
	worker_enter();
	if (same)
		apply(service, same, APPLY_SETTLE, NULL, NULL, &change, &err);
	json_decref(change);
}

/* A VIP that hashes by another policy in `kept` cannot become that one: it is dropped first. */
static int drop_others(struct service *service, const struct lb_service *kept, struct lb_err *err)
{
	struct lb_service *next = lb_service_copy(service->document);
	bool dropped = false;
	size_t i, n = 0;

	if (!next)
		return lb_err_no_memory(err);
	for (i = 0; i < next->vip_count; i++) {
		const struct lb_vip *vip = lb_service_find_endpoint(kept, &next->vips[i].endpoint);

		/* Amid a change VIPs may dispute those that only one can have. */
		next->vips[i].fragments = LB_FRAGMENTS_TRACK;
		if (!vip || vip->hash == next->vips[i].hash) {
			next->vips[n++] = next->vips[i];
			continue;
		}
		schema_clear(&lb_vip_schema, &next->vips[i]);
		dropped = true;
	}
	next->vip_count = n;
	if (dropped)
		return apply_quietly(service, next, err);
	lb_service_free(next);
	return 0;
}

/* From the first start on there is a file, so that one that is missing later was lost. Where it
 * cannot be written now, the first change will be refused, and says why. */
static void save_first(struct service *service)
{
	if (!service->disk->has(service->config->state_dir))
		keep_whole(service, NULL);
}

/* The data plane is new, by a reset or a boot: connections may be older. */
static void mark_older(const struct service *service)
{
	for (size_t i = 0; i < service->pools.count; i++)
		for (size_t j = 0; j < service->live_pools[i].backend_count; j++)
			members_set_older(service->members,
					  service->live_pools[i].backends[j].number);
}

static int restore(struct service *service, struct lb_err *err)
{
	struct state_revert revert;
	struct lb_service *kept;
	int error = adopt_check_lost(service, err);

	if (!error)
		error = service->disk->load(service->config->state_dir, &service->kept, &kept,
					    &revert, err);
	if (error)
		return error;
	if (service->plane.adopted) {
		error = adopt_left(service, kept, err);
		if (!error)
			error = drop_others(service, kept, err);
	}
	if (error) {
		lb_service_free(kept);
		lb_service_free(revert.document);
		return error;
	}
	error = apply_quietly(service, kept, err);
	members_adopted(service->members);
	if (!error && !service->plane.adopted)
		mark_older(service);
	if (!error)
		entry_tidy(service);
	tell_drained(service, true);
	if (error) {
		lb_service_free(revert.document);
		return error;
	}
	save_first(service);
	confirm_restore(service, &revert);
	return 0;
}

int service_open(const struct service_options *options, struct service **out, struct lb_err *err)
{
	const struct config *config = options->config;
	struct service *service = calloc(1, sizeof(*service));
	int error;

	if (!service)
		return lb_err_no_memory(err);
	service->config = config;
	service->plane = options->plane;
	service->guard = options->guard;
	service->guard_user = options->guard_user;
	service->listed = calloc(place_numbers(config), sizeof(*service->listed));
	service->disk = options->disk;
	service->timers = options->timers;
	service->events = options->events;
	service->vip_numbers = numbers_new(place_numbers(config));
	service->slot_ranges = ranges_new(config->slots);
	service->pool_numbers = numbers_new(place_pool_numbers(config));
	service->pool_at = calloc(place_pool_numbers(config), sizeof(*service->pool_at));
	service->digest = digest_of_digests(NULL, 0);
	service->document = lb_service_new();
	if (!service->vip_numbers || !service->slot_ranges || !service->pool_numbers ||
	    !service->pool_at || !service->document || !service->listed)
		error = lb_err_no_memory(err);
	else
		error = members_open(config, &service->plane, options->base, options->links,
				     options->events, &service->members, err);
	if (!error)
		error = clock_open(service, err);
	if (!error)
		error = tell_open(service, err);
	if (!error && chore_open(&service->settle, &service->timers, &service->changes, "settle",
				 on_settle, service))
		error = lb_err_no_memory(err);
	if (!error)
		error = keep_open(service, err);
	if (!error)
		error = confirm_open(service, err);
	if (!error)
		error = weigh_open(service, err);
	if (!error)
		error = receipt_open(service, options, err);
	if (!error)
		error = quic_open(service, err);
	if (!error)
		error = syn_guard_open(service, options, err);
	if (!error)
		error = rates_open(service, err);
	if (!error)
		error = quic_keys_open(service, err);
	if (!error)
		error = checks_open(service, options, err);
	if (!error)
		error = views_open(service, err);
	if (!error)
		error = arrive_open(service, err);
	if (!error)
		error = restore(service, err);
	if (error) {
		service_close(service);
		return error;
	}
	*out = service;
	return 0;
}

static void close_pool(struct service *service, struct live_pool *live)
{
	prepare_each_table(service, live, NULL, place_leave_table);
	live_clear(live);
}

void service_close(struct service *service)
{
	size_t i;

	if (!service)
		return;
	checks_close(service);
	receipt_close(service);
	views_close(service);
	quic_close(service);
	syn_guard_close(service);
	rates_close(service);
	quic_keys_close(service);
	weigh_close(service);
	arrive_close(service);
	keep_close(service);
	confirm_close(service);
	clock_close(service);
	chore_close(&service->drains);
	chore_close(&service->settle);
	for (i = 0; service->live_pools && i < service->pools.count; i++)
		close_pool(service, &service->live_pools[i]);
	pools_clear(&service->pools);
	free(service->live);
	free(service->live_pools);
	free(service->pool_at);
	free(service->listed);
	members_close(service->members);
	numbers_free(service->vip_numbers);
	numbers_free(service->pool_numbers);
	ranges_free(service->slot_ranges);
	lb_service_free(service->document);
	free(service);
}

void service_path_mtu(struct service *service, const struct pmtu_news *news)
{
	members_path_mtu(service->members, news);
}

const struct lb_service *service_document(const struct service *service)
{
	return service->document;
}
