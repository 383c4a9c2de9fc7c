/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a service document become what the data plane does, without a packet noticing?
 *
 * A change prepares everything that can fail beside what is in force (numbers, entries and tables
 * that nothing leads to yet), publishes new VIPs, writes the document to disk, and only then edits
 * what packets use; each step before that last one can be undone. So a change happens whole or not
 * at all.
 *
 * A worker makes it (host/worker.h), so that it may take its time: others have turns in between.
 * What is in force stays so until the last step ends in swap(), whatever is read meanwhile.
 */
#include "change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document_digest.h"
#include "entry.h"
#include "quic_keys.h"
#include "rates.h"
#include "syn_guard.h"

static int over_limit(const char *what, uint64_t wanted, uint32_t limit, struct lb_err *err)
{
	const bool slots = !strcmp(what, "slots");

	lb_err_set(err, LB_ERR_LIMIT, "", "this would make %llu %s, the limit is %u",
		   (unsigned long long)wanted, what, limit);
	return lb_err_hint(err,
			   "%sraise limits.%s in lbd.json and start lbd once with --reset-flows%s",
			   slots ? "share a pool (--pool), take a smaller --table-size, or " : "",
			   what, slots ? ", which forgets recorded flows" : "");
}

/* How many backends and slots the pools of a document need. */
static int count_needs(const struct lb_service *document, uint64_t *backends, uint64_t *slots)
{
	struct pools pools;

	if (pools_of(document, NULL, NULL, 0, &pools))
		return -ENOMEM;
	*backends = *slots = 0;
	for (size_t i = 0; i < pools.count; i++) {
		*backends += pools.refs[i].pool->backend_count;
		*slots += place_slots(&pools.refs[i]);
	}
	pools_clear(&pools);
	return 0;
}

static int check_limits(const struct config *config, const struct lb_service *document,
			uint32_t *backend_count, struct lb_err *err)
{
	uint64_t backends, slots;

	if (count_needs(document, &backends, &slots))
		return lb_err_no_memory(err);
	if (document->vip_count > config->vips)
		return over_limit("vips", document->vip_count, config->vips, err);
	if (backends > config->members)
		return over_limit("members", backends, config->members, err);
	if (slots > config->slots)
		return over_limit("slots", slots, config->slots, err);
	*backend_count = backends;
	return 0;
}

int apply_check(const struct service *service, const struct lb_service *document,
		uint32_t *backend_count, struct lb_err *err)
{
	int error = check_limits(service->config, document, backend_count, err);

	return error ? error : lb_service_check(document, err);
}

static void undo_vips(struct change *change)
{
	size_t i;

	for (i = change->step_count; i--;) {
		struct step *step = &change->steps[i];

		if (step->published)
			publish_undo(change->service, step);
		if (step->prepared)
			prepare_undo(change, step);
		worker_yield();
	}
}

static void undo_pools(struct change *change)
{
	size_t i;

	for (i = change->pool_step_count; i--;) {
		struct pool_step *step = &change->pool_steps[i];

		if (step->published)
			prepare_each_table(change->service, &step->next, prepare_is_fresh,
					   publish_withdraw_table);
		if (step->prepared)
			prepare_undo_pool(change, step);
		worker_yield();
	}
}

/* Tables, and what else needs no turn. */
static int build(struct change *change, uint64_t *digest, struct lb_err *err)
{
	const struct lb_service *document = change->document;
	uint64_t *digests =
		calloc(document->vip_count + document->pool_count + 1, sizeof(*digests));
	int error = digests ? 0 : lb_err_no_memory(err);
	size_t i, n = 0;

	if (!error)
		error = change_each_pool(change, prepare_build, err);
	if (!error)
		error = change_each_step(change, prepare_digest, err);
	for (i = 0; !error && i < change->step_count; i++) {
		const struct step *step = &change->steps[i];

		if (step->plan.what == PLAN_UNCHANGED)
			digests[n++] = change_before(change, step)->digest;
		else if (step->plan.after)
			digests[n++] = step->next.digest;
	}
	if (!error && pools_digests(document, digests + n))
		error = lb_err_no_memory(err);
	if (!error)
		*digest = digest_of_digests(digests, n + document->pool_count);
	free(digests);
	return error;
}

/* The document is what it was, or was in force before. */
static bool is_given(enum apply_mode mode)
{
	return mode == APPLY_RESTORE || mode == APPLY_SETTLE;
}

static int assess_all(struct change *change, enum apply_mode mode,
		      const struct apply_options *options, struct lb_err *err)
{
	int error = change_each_pool(change, assess_pool, err);

	if (!error && !is_given(mode))
		error = assess_vips(change, err);
	if (!error && !is_given(mode))
		error = outcome_check(change, options, err);
	return error;
}

/* Of the change's own data. */
static int make_reply(struct change *change, json_t **reply, struct change_live *live,
		      struct lb_err *err)
{
	int error;

	worker_leave();
	*reply = outcome_json(change);
	live->vips = calloc(change->document->vip_count + 1, sizeof(*live->vips));
	live->pools = calloc(change->pools.count + 1, sizeof(*live->pools));
	error = *reply && live->vips && live->pools ? 0 : lb_err_no_memory(err);
	worker_enter();
	return error;
}

/* Who serves, and who waits. */
static int hold(struct change *change, enum apply_mode mode, struct lb_err *err)
{
	int error;

	if (mode == APPLY_DRY)
		return change_each_pool(change, publish_foretell, err);
	error = change_each_pool(change, publish_follow, err);
	return error ? error : change_each_pool(change, publish_hold, err);
}

static int save_change(const struct change *change, struct lb_err *err)
{
	const struct state_save save = {
		.before = change->service->document,
		.document = change->document,
		.revert = change->revert,
	};

	return keep_save(change->service, &save, err);
}

/* Of which nothing but the disk is told. */
static bool revision_differs(const struct change *change)
{
	const struct lb_service *before = change->service->document;

	return change->document->revision != before->revision ||
	       change->document->edited != before->edited;
}

static int apply_steps(struct change *change, enum apply_mode mode,
		       const struct apply_options *options, json_t **reply, struct lb_err *err)
{
	struct change_live live = {0};
	uint64_t digest = 0;
	int error = change_each_pool(change, prepare_pool, err);

	if (!error)
		error = move_swept(change, err);
	if (!error)
		error = change_each_step(change, prepare_step, err);
	worker_leave();
	if (!error)
		error = build(change, &digest, err);
	worker_enter();
	if (!error)
		error = assess_all(change, mode, options, err);
	if (!error)
		error = hold(change, mode, err);
	if (!error)
		error = make_reply(change, reply, &live, err);
	if (!error && mode != APPLY_DRY)
		error = change_each_pool(change, publish_pool, err);
	if (!error && mode != APPLY_DRY)
		error = change_each_step(change, publish_step, err);
	if (!error && mode == APPLY && (change_differs(change) || revision_differs(change)))
		error = save_change(change, err);
	if (!error && mode == APPLY_SETTLE)
		error = move_check(change, err);
	if (!error && mode != APPLY_DRY) {
		commit_change(change, live, digest);
		return 0;
	}
	undo_vips(change);
	undo_pools(change);
	free(live.vips);
	free(live.pools);
	return error;
}

/* Looks at documents only. The one in force changes on this thread alone. */
static int plan(struct change *change, struct lb_err *err)
{
	int error;

	worker_leave();
	error = apply_check(change->service, change->document, &change->backend_count, err);
	if (!error)
		error = change_make_steps(change, err);
	if (!error)
		error = move_plan(change, err);
	if (!error)
		change->backend_count = pools_backends(&change->pools);
	worker_enter();
	return error;
}

int apply(struct service *service, struct lb_service *next, enum apply_mode mode,
	  const struct apply_options *options, const struct state_revert *revert, json_t **reply,
	  struct lb_err *err)
{
	static uint64_t gone[(LB_NONE + 1) / 64]; /* all clear between changes */
	struct change change = {.service = service,
				.document = next,
				.revert = revert,
				.gone = gone,
				.settles = mode == APPLY_SETTLE};
	int error;

	*reply = NULL;
	while (service->repairing)
		worker_pause();
	service->changing = true;
	error = entry_repair(service, err);
	if (change.settles)
		move_look(service);
	if (!error)
		error = plan(&change, err);
	if (!error && mode != APPLY_DRY)
		error = checks_prepare(service, next, err);
	if (!error)
		error = syn_guard_prepare(service, next, is_given(mode), mode == APPLY_DRY, err);
	if (!error)
		error = rates_prepare(service, next, is_given(mode), mode == APPLY_DRY, err);
	if (!error)
		error = quic_prepare(service, next, is_given(mode), mode == APPLY_DRY, err);
	if (!error)
		error = quic_keys_prepare(service, next, is_given(mode), mode == APPLY_DRY, err);
	if (!error)
		error = apply_steps(&change, mode, options, reply, err);
	if (mode != APPLY_DRY)
		syn_guard_follow(service);
	if (mode != APPLY_DRY)
		rates_follow(service);
	if (mode != APPLY_DRY)
		quic_follow(service);
	if (mode != APPLY_DRY)
		quic_keys_settle(service);
	service->changing = false;
	worker_leave();
	change_free_steps(&change);
	lb_service_free(change.document);
	worker_enter();
	checks_settle(service);
	if (service->entries_wrong)
		clock_start(service);
	if (error) {
		json_decref(*reply);
		*reply = NULL;
	} else {
		json_object_set_new(*reply, "document_digest", service_digest(service));
	}
	return error;
}

int apply_now(struct service *service, struct lb_service *next, const struct apply_options *options,
	      const struct state_revert *revert, json_t **change, struct lb_err *err)
{
	int error = apply(service, next, APPLY, options, revert, change, err);

	if (error)
		return error;
	tell_drained_soon(service);
	if (quic_drains(service))
		clock_start(service);
	return 0;
}
