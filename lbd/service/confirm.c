/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a change go back by itself when nobody confirms it?
 *
 * The document before it is kept, in memory and on disk beside the one in force, with the moment to
 * go back to it. Going back is a change like any other; when it fails (the disk is full, say), it
 * is tried again until it succeeds. An lbd that was not there at that moment goes back when it
 * starts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/events.h"
#include "live.h"

#define RETRY_MS 2000

/* --- the wait --- */

static bool waits(const struct service *service)
{
	return service->revert.document != NULL;
}

static void wait_for(struct service *service, uint32_t seconds)
{
	service->revert_at_s = clock_now_s(service) + seconds;
	chore_set(&service->revert_timer, seconds * 1000ll);
}

static void wait_no_more(struct service *service)
{
	chore_stop(&service->revert_timer);
	lb_service_free(service->revert.document);
	service->revert = (struct state_revert){0};
	service->revert_fault[0] = '\0';
}

static uint32_t remaining_s(const struct service *service)
{
	uint32_t now = clock_now_s(service);

	return service->revert_at_s > now ? service->revert_at_s - now : 0;
}

json_t *service_unconfirmed(const struct service *service)
{
	if (!waits(service))
		return NULL;
	return json_pack("{s:i}", "reverts_in_s", (int)remaining_s(service));
}

const char *service_revert_fault(const struct service *service)
{
	return service->revert_fault;
}

const char *service_save_fault(const struct service *service)
{
	return service->save_fault;
}

int confirm_check(const struct service *service, const struct lb_service *next, struct lb_err *err)
{
	uint32_t backends;
	int error;

	if (!waits(service))
		return 0;
	worker_leave();
	error = apply_check(service, next, &backends, err);
	worker_enter();
	if (error)
		return error;
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "the last change waits to be confirmed and reverts by itself in %u s",
		   remaining_s(service));
	return lb_err_hint(err, "first keep it (lbctl config confirm) or take it back (lbctl "
				"config revert)");
}

/* --- the moment, also for an lbd that is started meanwhile --- */

static int64_t now_s(const struct service *service, clockid_t clock)
{
	return service->timers.now_ns(service->timers.base, clock) / 1000000000;
}

/* Tells this boot of the machine from every other; "" when it cannot be read. */
static void boot_id(char out[STATE_BOOT_ID])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = '\0';
	if (!file)
		return;
	if (!fgets(out, STATE_BOOT_ID, file))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(file);
}

static void revert_in(const struct service *service, struct state_revert *revert, uint32_t seconds)
{
	revert->at_s = now_s(service, CLOCK_REALTIME) + seconds;
	revert->boot_at_s = now_s(service, CLOCK_BOOTTIME) + seconds;
	revert->for_s = seconds;
	boot_id(revert->boot);
}

/* After a reboot only the wall clock knows; that can be set, or be wrong until it is, so nobody
 * waits longer than was asked for. */
static int64_t left_s(const struct service *service, const struct state_revert *revert)
{
	const int64_t most = revert->for_s ? revert->for_s : SERVICE_CONFIRM_MAX_S;
	char boot[STATE_BOOT_ID];
	int64_t left;

	boot_id(boot);
	if (boot[0] && !strcmp(boot, revert->boot))
		left = revert->boot_at_s - now_s(service, CLOCK_BOOTTIME);
	else
		left = revert->at_s - now_s(service, CLOCK_REALTIME);
	if (left > most)
		return most;
	return left > 0 ? left : 0;
}

/* --- beginning it --- */

int confirm_apply(struct service *service, struct lb_service *next,
		  const struct apply_options *options, json_t **change, struct lb_err *err)
{
	struct state_revert revert = {0};
	int error;

	worker_leave();
	revert.document = lb_service_copy(service->document);
	worker_enter();
	revert_in(service, &revert, options->confirm_s);
	if (!revert.document) {
		lb_service_free(next);
		return lb_err_no_memory(err);
	}
	error = apply_now(service, next, options, &revert, change, err);
	if (error || !json_is_true(json_object_get(*change, "changed"))) {
		lb_service_free(revert.document);
		return error;
	}
	service->revert = revert;
	wait_for(service, options->confirm_s);
	json_object_set_new(*change, "unconfirmed", service_unconfirmed(service));
	return 0;
}

/* --- ending it --- */

static int nothing_waits(struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_NOT_FOUND, "", "no change waits to be confirmed");
}

int service_confirm(struct service *service, struct lb_err *err)
{
	int error = waits(service) ? keep_whole(service, err) : nothing_waits(err);

	if (!error)
		wait_no_more(service);
	return error;
}

static int go_back(struct service *service, json_t **change, struct lb_err *err)
{
	const struct apply_options options = {.force = true, .max_moved_percent = 100};
	struct lb_service *next;
	int error;

	worker_leave();
	next = lb_service_copy(service->revert.document);
	worker_enter();
	if (!next)
		return lb_err_no_memory(err);
	error = apply_now(service, next, &options, NULL, change, err);
	/* Two documents that do not differ: only the file has to forget about it. */
	if (!error && !json_is_true(json_object_get(*change, "changed")))
		error = keep_whole(service, err);
	if (error)
		return error;
	wait_no_more(service);
	return 0;
}

int service_revert(struct service *service, json_t **change, struct lb_err *err)
{
	if (!waits(service))
		return nothing_waits(err);
	return go_back(service, change, err);
}

static void time_is_up(void *user)
{
	struct service *service = user;
	struct lb_err err = {0};
	json_t *change = NULL;

	/* While the time came, the change may have been confirmed, and another one be waiting. The clock is not asked:
	 * a timer may be a few milliseconds early, and nothing would look again. */
	if (!waits(service) || chore_pending(&service->revert_timer))
		return;
	if (go_back(service, &change, &err)) {
		fault_keep(service, service->revert_fault, "revert", err.message);
		chore_set(&service->revert_timer, RETRY_MS);
	} else {
		events_emit_long(service->events, events_revert("not confirmed in time", change));
	}
	worker_leave();
	json_decref(change);
	worker_enter();
}

/* --- life --- */

void confirm_restore(struct service *service, const struct state_revert *revert)
{
	int64_t left = left_s(service, revert);

	if (!revert->document)
		return;
	service->revert = *revert;
	if (left)
		wait_for(service, left);
	else
		time_is_up(service);
}

int confirm_open(struct service *service, struct lb_err *err)
{
	if (chore_open(&service->revert_timer, &service->timers, &service->changes, "revert",
		       time_is_up, service))
		return lb_err_no_memory(err);
	service->revert_timer.job.urgent = true; /* not behind the requests of many clients */
	return 0;
}

void confirm_close(struct service *service)
{
	chore_close(&service->revert_timer);
	lb_service_free(service->revert.document);
}
