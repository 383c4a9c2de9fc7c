/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a change come to, and does the operator allow that? */
#include "change.h"

#include <stdio.h>

static const char *name_of(const struct step *step)
{
	return step->plan.after ? step->plan.after->name : step->plan.before->name;
}

static uint32_t size_of(const struct step *step)
{
	return step->plan.after ? step->plan.after->pool->table_size
				: step->plan.before->pool->table_size;
}

static double percent(uint32_t part, uint32_t whole)
{
	return (double)(part * 10000ull / whole) / 100;
}

static int too_much_moves(const struct step *step, const struct apply_options *options,
			  struct lb_err *err)
{
	lb_err_set(err, LB_ERR_REFUSED, "", "this would move %.2f %% of the slots of VIP %s",
		   percent(step->moved, size_of(step)), name_of(step));
	return lb_err_hint(err, "at most %g %% are allowed; %.2f %% would be the least possible",
			   options->max_moved_percent, percent(step->ideal, size_of(step)));
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

static int flows_would_break(const struct step *step, struct lb_err *err)
{
	const json_t *lost = json_array_get(step->at_risk, 0);
	const char *backend = json_string_value(json_object_get(lost, "backend"));
	const char *from = json_string_value(json_object_get(lost, "vip"));
	const char *vip = from ? from : name_of(step);
	size_t others = json_array_size(step->at_risk) - 1;
	char more[48] = "";

	if (others)
		snprintf(more, sizeof(more), " and %zu other%s", others, others > 1 ? "s" : "");
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "this breaks connections through backend %s%s of VIP %s (flows on record: "
		   "%lld): %s",
		   backend, more, vip, (long long)recorded_flows(step->at_risk),
		   json_string_value(json_object_get(lost, "reason")));
	if (from)
		return lb_err_hint(err,
				   "give the new VIP the table size, hash, backends and weights of "
				   "VIP %.64s, and no flow moves; or use --force",
				   from);
	return lb_err_hint(err,
			   "drain it first (lbctl backend drain %.64s %s --wait 1h), or use "
			   "--force",
			   vip, backend);
}

/* What the operator allows of a change, against what it would do. A dry run is there to show what is
 * at risk. */
int outcome_check(const struct change *change, const struct apply_options *options,
		  struct lb_err *err)
{
	size_t i;

	for (i = 0; i < change->step_count; i++) {
		const struct step *step = &change->steps[i];

		if (100.0 * step->moved / size_of(step) > options->max_moved_percent)
			return too_much_moves(step, options, err);
		if (!options->force && !options->dry_run && json_array_size(step->at_risk))
			return flows_would_break(step, err);
	}
	return 0;
}

static json_t *step_json(const struct step *step)
{
	static const char *const what[] = {"unchanged", "changed", "added", "removed"};
	const struct lb_vip *vip = step->plan.after ? step->plan.after : step->plan.before;
	char address[LB_ENDPOINT_TEXT];

	return json_pack("{s:s,s:s,s:s,s:{s:i,s:i,s:f,s:i,s:f},s:O*,s:O*,s:O*}", "name", vip->name,
			 "address", lb_endpoint_format(&vip->endpoint, address), "what",
			 what[step->plan.what], "moved", "slots", (int)step->moved, "of",
			 (int)vip->pool->table_size, "percent",
			 percent(step->moved, vip->pool->table_size), "ideal_slots",
			 (int)step->ideal, "ideal_percent",
			 percent(step->ideal, vip->pool->table_size), "at_risk", step->at_risk,
			 "datagrams", step->datagrams, "waiting", step->waiting);
}

static bool needs_force(const struct change *change)
{
	for (size_t i = 0; i < change->step_count; i++)
		if (json_array_size(change->steps[i].at_risk))
			return true;
	return false;
}

json_t *outcome_json(const struct change *change)
{
	json_t *vips = json_array();
	size_t i;

	for (i = 0; i < change->step_count; i++) {
		if (change->steps[i].plan.what == PLAN_UNCHANGED ||
		    !json_array_append_new(vips, step_json(&change->steps[i])))
			continue;
		json_decref(vips); /* without memory: nothing, rather than half of it */
		return NULL;
	}
	return json_pack("{s:b,s:o*,s:o}", "changed", json_array_size(vips) > 0, "needs_force",
			 needs_force(change) ? json_true() : NULL, "vips", vips);
}
