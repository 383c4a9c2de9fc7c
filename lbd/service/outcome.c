/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a change come to, and does the operator allow that? */
#include "change.h"

#include <stdio.h>
#include <string.h>

#include "risk.h"

/* What a change comes to for one VIP, or for a pool that has a name. */
struct account {
	const struct lb_vip *vip; /* NULL: of a pool */
	const struct lb_pool *pool;
	const struct step *step;        /* of a VIP that stays; else NULL */
	const struct lb_pool *flows_in; /* whose backends it loses; NULL: a new VIP */
	enum plan_what what;
	uint32_t moved, ideal; /* slots */
	json_t *at_risk, *datagrams, *waiting, *serving;
};

/* To who asked for the change. */
static enum plan_what what_of(enum plan_what what)
{
	return what == PLAN_FOLLOWS ? PLAN_UNCHANGED : what;
}

static void add_pool(struct account *account, const struct pool_step *step)
{
	account->moved += step->moved;
	account->ideal += step->ideal;
	if (!account->at_risk)
		account->at_risk = step->at_risk;
	account->datagrams = step->datagrams;
	account->waiting = step->waiting;
	account->serving = step->serving;
}

/* A VIP's own pool is told of with the VIP. */
static struct account account_of_vip(const struct change *change, const struct step *step)
{
	const struct lb_vip *vip = step->plan.after ? step->plan.after : step->plan.before;
	struct account account = {
		.vip = vip,
		.pool = vip->pool,
		.step = step->plan.before && step->plan.after ? step : NULL,
		.flows_in = step->plan.before ? step->plan.before->pool : NULL,
		.what = what_of(step->plan.what),
		.moved = step->moved,
		.ideal = step->ideal,
		.at_risk = step->at_risk,
	};

	if (step->plan.after && change_pool_step(change, vip)->plan.after->own)
		add_pool(&account, change_pool_step(change, vip));
	return account;
}

/* A pool in its document, whatever VIPs come to it or leave it. */
static enum plan_what what_of_pool(const struct change *change, const struct pool_step *step)
{
	const struct pool_ref *before = step->plan.before, *after = step->plan.after;
	const char *name = (after ? after : before)->pool->name;
	const struct lb_pool *old, *new;

	if (what_of(step->plan.what) == PLAN_UNCHANGED)
		return PLAN_UNCHANGED;
	old = before && !before->gone ? before->pool
				      : lb_service_find_pool(change->service->document, name);
	new = after && !after->gone ? after->pool : lb_service_find_pool(change->document, name);
	if (!old && !new)
		return PLAN_UNCHANGED;
	if (!old || !new)
		return old ? PLAN_REMOVED : PLAN_ADDED;
	return schema_equal(&lb_pool_schema, old, new) && !step->moved &&
			       !json_array_size(step->at_risk)
		       ? PLAN_UNCHANGED
		       : PLAN_CHANGED;
}

static struct account account_of_pool(const struct change *change, const struct pool_step *step)
{
	const struct pool_ref *ref = step->plan.after ? step->plan.after : step->plan.before;
	struct account account = {.pool = ref->pool, .flows_in = ref->pool, .what = PLAN_UNCHANGED};

	if (ref->own)
		return account;
	account.what = what_of_pool(change, step);
	add_pool(&account, step);
	return account;
}

static size_t account_count(const struct change *change)
{
	return change->pool_step_count + change->step_count;
}

static struct account account_at(const struct change *change, size_t i)
{
	return i < change->pool_step_count
		       ? account_of_pool(change, &change->pool_steps[i])
		       : account_of_vip(change, &change->steps[i - change->pool_step_count]);
}

static const char *kind_of(const struct account *account)
{
	return account->vip ? "VIP" : "pool";
}

static const char *name_of(const struct account *account)
{
	return account->vip ? account->vip->name : account->pool->name;
}

static double percent(uint32_t part, uint32_t whole)
{
	return (double)(part * 10000ull / whole) / 100;
}

static int too_much_moves(const struct account *account, const struct apply_options *options,
			  struct lb_err *err)
{
	const uint32_t size = account->pool->table_size;

	lb_err_set(err, LB_ERR_REFUSED, "", "this would move %.2f %% of the slots of %s %s",
		   percent(account->moved, size), kind_of(account), name_of(account));
	return lb_err_hint(err, "at most %g %% are allowed; %.2f %% would be the least possible",
			   options->max_moved_percent, percent(account->ideal, size));
}

static json_int_t recorded_flows(const json_t *at_risk)
{
	json_int_t sum = 0;
	const json_t *lost;
	size_t i;

	json_array_foreach (at_risk, i, lost)
		sum += json_integer_value(json_object_get(lost, "recorded_flows"));
	return sum;
}

static bool is_move(const struct step *step)
{
	const struct lb_pool *from = step ? step->plan.before->pool : NULL;
	const struct lb_pool *to = step ? step->plan.after->pool : NULL;

	return from && (from->named || to->named) && strcmp(from->name, to->name);
}

/* A backend of the pool that the VIP leaves must not be drained: other VIPs may use it. */
static int hint_at_move(const struct step *step, struct lb_err *err)
{
	const struct lb_vip *after = step->plan.after;

	if (step->move || step->dropped != LIVE_NO_POOL)
		return lb_err_hint(
			err,
			"wait until an earlier move is over (lbctl vip show %.64s says what "
			"it moves from), or use --force",
			after->name);
	return lb_err_hint(
		err,
		"by hash %s flows stay only where both tables have one size: choose a pool "
		"with %u slots, or use --force",
		lb_hash_name(after->hash), step->plan.before->pool->table_size);
}

static bool is_used(const struct change *change, const struct lb_pool *pool)
{
	for (size_t i = 0; i < change->document->vip_count; i++) {
		const struct lb_pool *used = change->document->vips[i].pool;

		if (used->named && !strcmp(used->name, pool->name))
			return true;
	}
	return false;
}

static bool has_backend(const struct lb_pool *pool, const char *address)
{
	char text[LB_ADDR_TEXT];
	size_t i = 0;

	while (i < pool->backend_count &&
	       strcmp(lb_addr_format(&pool->backends[i].address, text), address))
		i++;
	return i < pool->backend_count;
}

/* Of a pool, or of a VIP that goes. In a pool that other VIPs use the VIP is drained, not
 * the backend; it may have flows in one that it has left, too. */
static int hint_at_drain(const struct change *change, const struct account *account,
			 const char *backend, struct lb_err *err)
{
	const struct lb_pool *pool = account->flows_in;

	if (account->vip && !has_backend(pool, backend))
		return lb_err_hint(
			err,
			"wait until its move from another pool is over (lbctl vip show %.64s), or "
			"use --force",
			name_of(account));
	if (account->vip && pool->named && is_used(change, pool))
		return lb_err_hint(
			err,
			"other VIPs use its pool: move it to one without backends (lbctl pool add "
			"P "
			"--table-size %u; lbctl vip set %.64s --pool P), wait until the move is "
			"over (lbctl vip show), or use --force",
			pool->table_size, name_of(account));
	return lb_err_hint(err,
			   "drain it first (lbctl backend drain %.64s %s --wait 1h), or use "
			   "--force",
			   pool->name, backend);
}

static int flows_would_break(const struct change *change, const struct account *account,
			     struct lb_err *err)
{
	const json_t *lost = json_array_get(account->at_risk, 0);
	const char *backend = json_string_value(json_object_get(lost, "backend"));
	const char *from = json_string_value(json_object_get(lost, "vip"));
	const struct lb_pool *pool = account->flows_in;
	const bool shared = account->vip && !from && pool && pool->named && is_used(change, pool) &&
			    !(account->step && account->step->move);
	const char *vip = from ? from : name_of(account);
	const char *reason = json_string_value(json_object_get(lost, "reason"));
	size_t others = json_array_size(account->at_risk) - 1;
	char more[48] = "";

	if (others)
		snprintf(more, sizeof(more), " and %zu other%s", others, others > 1 ? "s" : "");
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "this breaks connections through backend %s%s of %s %s (flows on record%s: "
		   "%lld): %s",
		   backend, more, from ? "VIP" : kind_of(account), vip,
		   shared ? " of all VIPs of its pool" : "",
		   (long long)recorded_flows(account->at_risk), reason);
	if (from)
		return lb_err_hint(err,
				   "give the new VIP the table size, hash, backends and weights of "
				   "VIP %.64s, and no flow moves; or use --force",
				   from);
	if (account->step && !strcmp(reason, RISK_ID_NOT_READ))
		return lb_err_hint(err,
				   "connections stay where VIP %.64s keeps its QUIC rotations, and "
				   "its pool the addresses and server ids of backends; or use "
				   "--force",
				   vip);
	if (is_move(account->step))
		return hint_at_move(account->step, err);
	return hint_at_drain(change, account, backend, err);
}

/* What the operator allows of a change, against what it would do. A dry run is there to show what is
 * at risk. */
int outcome_check(const struct change *change, const struct apply_options *options,
		  struct lb_err *err)
{
	size_t i;

	for (i = 0; i < account_count(change); i++) {
		const struct account account = account_at(change, i);

		if (account.what == PLAN_UNCHANGED)
			continue;
		if (100.0 * account.moved / account.pool->table_size > options->max_moved_percent)
			return too_much_moves(&account, options, err);
		if (!options->force && !options->dry_run && json_array_size(account.at_risk))
			return flows_would_break(change, &account, err);
	}
	return 0;
}

static json_t *account_json(const struct account *account)
{
	static const char *const what[] = {"unchanged", "changed", "added", "removed"};
	const uint32_t size = account->pool->table_size;
	char address[LB_ENDPOINT_TEXT] = "";

	if (account->vip)
		lb_endpoint_format(&account->vip->endpoint, address);
	return json_pack("{s:s,s:s*,s:s*,s:s,s:{s:i,s:i,s:f,s:i,s:f},s:O*,s:O*,s:O*,s:O*}", "name",
			 name_of(account), "address", account->vip ? address : NULL, "pool",
			 account->vip && account->pool->named ? account->pool->name : NULL, "what",
			 what[account->what], "moved", "slots", (int)account->moved, "of",
			 (int)size, "percent", percent(account->moved, size), "ideal_slots",
			 (int)account->ideal, "ideal_percent", percent(account->ideal, size),
			 "at_risk", account->at_risk, "datagrams", account->datagrams, "waiting",
			 account->waiting, "serving", account->serving);
}

/* False without memory. */
static bool add_account(const struct account *account, json_t *vips, json_t *pools,
			bool *needs_force)
{
	if (account->what == PLAN_UNCHANGED)
		return true;
	*needs_force |= json_array_size(account->at_risk) > 0;
	return !json_array_append_new(account->vip ? vips : pools, account_json(account));
}

static bool is_told(const json_t *pools, const char *name)
{
	const json_t *pool;
	size_t i;

	json_array_foreach (pools, i, pool)
		if (!strcmp(json_string_value(json_object_get(pool, "name")), name))
			return true;
	return false;
}

static bool add_unused(json_t *pools, const char *name, const char *what)
{
	return is_told(pools, name) ||
	       !json_array_append_new(pools, json_pack("{s:s,s:s}", "name", name, "what", what));
}

/* Pools to which no VIP leads, before or after: nothing that packets use follows. */
static bool add_unused_pools(const struct change *change, json_t *pools)
{
	const struct lb_service *before = change->service->document, *after = change->document;
	bool done = true;

	if (plan_same_named(before, after))
		return true;
	for (size_t i = 0; i < after->pool_count; i++) {
		const struct lb_pool *pool = &after->pools[i];
		const struct lb_pool *old = lb_service_find_pool(before, pool->name);

		if (!old || !schema_equal(&lb_pool_schema, old, pool))
			done &= add_unused(pools, pool->name, old ? "changed" : "added");
	}
	for (size_t i = 0; i < before->pool_count; i++)
		if (!lb_service_find_pool(after, before->pools[i].name))
			done &= add_unused(pools, before->pools[i].name, "removed");
	return done;
}

/* --- warnings --- */

static bool any_takes_new(const struct pool_ref *ref)
{
	for (size_t i = 0; ref && i < ref->pool->backend_count; i++)
		if (lb_backend_share(&ref->pool->backends[i]))
			return true;
	return false;
}

/* Connections to a backend that makes none from cookies fail, and there is no port to ask it at. */
static void warn_of_guards(const struct change *change, json_t *warnings)
{
	for (size_t i = 0; i < change->step_count; i++) {
		const struct plan_step *plan = &change->steps[i].plan;

		if (plan->after && plan->after->syn_guard && !plan->after->endpoint.port &&
		    (!plan->before || !plan->before->syn_guard))
			json_array_append_new(
				warnings,
				json_sprintf("lbd does not check that the backends of VIP %s make "
					     "connections from cookies: \"lbd-backend check\" must "
					     "pass at each",
					     plan->after->name));
	}
}

static bool moves_slots(const struct change *change)
{
	for (size_t i = 0; i < account_count(change); i++) {
		const struct account account = account_at(change, i);

		if (account.what == PLAN_CHANGED && account.moved)
			return true;
	}
	return false;
}

/* How many connections the slots that move have is not known, only what is on record already. Buckets do
 * not fill evenly: at half of all places some are full. */
static void warn_of_records(const struct change *change, json_t *warnings)
{
	const struct service *service = change->service;
	const uint64_t recorded = sweep_total(service->sweep);
	const uint64_t room = (uint64_t)service->plane.bucket_count * LB_FLOW_WAYS;

	if (recorded * 2 > room && moves_slots(change))
		json_array_append_new(
			warnings,
			json_sprintf("the flow table has %llu of at most %llu records: "
				     "connections of slots that move now and find no place there "
				     "may be led to another backend; wait until it has fewer "
				     "(lbctl status), or raise limits.flows",
				     (unsigned long long)recorded, (unsigned long long)room));
}

/* The last one that takes new flows drains, say. A pool without backends is being set up, or is there
 * to be empty. */
static json_t *drained_json(const struct change *change)
{
	json_t *warnings = json_array();

	for (size_t i = 0; i < change->pool_step_count; i++) {
		const struct plan_pool *plan = &change->pool_steps[i].plan;
		const struct pool_ref *after = plan->after;

		if (plan->what == PLAN_CHANGED && !after->gone && after->pool->backend_count &&
		    any_takes_new(plan->before) && !any_takes_new(after))
			json_array_append_new(warnings, json_sprintf(LB_POOL_TAKES_NONE,
								     lb_pool_word(after->pool),
								     after->pool->name));
	}
	warn_of_guards(change, warnings);
	warn_of_records(change, warnings);
	if (json_array_size(warnings))
		return warnings;
	json_decref(warnings);
	return NULL;
}

json_t *outcome_json(const struct change *change)
{
	json_t *vips = json_array(), *pools = json_array();
	bool needs_force = false, done = vips && pools;

	for (size_t i = 0; done && i < account_count(change); i++) {
		const struct account account = account_at(change, i);

		done = add_account(&account, vips, pools, &needs_force);
	}
	done = done && add_unused_pools(change, pools);
	if (!done || !json_array_size(pools)) {
		json_decref(pools);
		pools = NULL;
	}
	if (!done) { /* without memory: nothing, rather than half of it */
		json_decref(vips);
		return NULL;
	}
	return json_pack("{s:b,s:o*,s:o*,s:o,s:o*}", "changed", change_differs(change),
			 "needs_force", needs_force ? json_true() : NULL, "pools", pools, "vips",
			 vips, "warnings", drained_json(change));
}
