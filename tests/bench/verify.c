// SPDX-License-Identifier: BSD-2-Clause
/* What must the counters say after a run? */
#include "verify.h"
#include <linux/bpf.h>

void counts_read(const struct stage *stage, struct counts *counts)
{
	datapath_verdicts(stage->datapath, counts->verdicts);
	datapath_flow_counts(stage->datapath, counts->flows);
	rival_outcomes(stage->row->rival, counts->rival);
	counts->order = stage_order(stage);
}

/* Every packet was of the next flow, in an order that goes through all (see next.h). */
static int check_order(struct row *row, const struct counts *before, const struct counts *after)
{
	uint32_t index = before->order.index, i;

	for (i = 0; i < row->packets; i++)
		index = index * before->order.multiplier + before->order.addend;
	if (index != after->order.index || before->order.multiplier % 4 != 1 ||
	    before->order.addend % 2 != 1)
		return row_complain(row, WRAPPER,
				    "flows were not gone through one after the other");
	return 0;
}

static int check_verdicts(struct row *row, const struct counts *before, const struct counts *after)
{
	static const char *const names[] = {
#define VERDICT_NAME(id, name, action, meaning) name,
		LB_VERDICT_LIST(VERDICT_NAME)
#undef VERDICT_NAME
	};
	const enum lb_verdict wanted = case_verdict(&row->of);
	int i;

	for (i = 0; i < LB_VERDICT_COUNT; i++) {
		const uint64_t count = after->verdicts[i] - before->verdicts[i];
		const uint64_t owed = i == (int)wanted ? row->packets : 0;

		if (count != owed)
			return row_complain(row, BALANCER, "%s for %llu packets, expected %llu",
					    names[i], (unsigned long long)count,
					    (unsigned long long)owed);
	}
	return 0;
}

/* Shares of the packets that must have met with that, in thousandths. */
struct flow_shares {
	uint32_t hits, misses, inserted;
};

static struct flow_shares shares_owed(const struct bench_case *of)
{
	if (of->slots == ALL_SETTLED)
		return (struct flow_shares){0, 0, 0};
	if (of->slots == ONE_PERCENT_MOVING)
		return (struct flow_shares){10, 0, 0};
	if (of->records == RECORDS_PRESENT)
		return (struct flow_shares){1000, 0, 0};
	return (struct flow_shares){0, 1000, of->slots == ALL_MOVING ? 1000 : 0};
}

/* All or none: within 2 thousandths, since a bucket may be full now and then. A small share: half
 * of it to twice it, since a few flows may fall unevenly. */
static bool near_share(uint64_t count, uint32_t packets, uint32_t share)
{
	const uint64_t owed = (uint64_t)packets * share / 1000;

	if (share == 0)
		return count <= packets / 500;
	if (share == 1000)
		return count <= packets && count >= owed - packets / 500;
	return count >= owed / 2 && count <= owed * 2;
}

static int check_flow_counts(struct row *row, const struct counts *before,
			     const struct counts *after)
{
	const struct flow_shares owed = shares_owed(&row->of);
	const struct {
		const char *name;
		enum lb_flow_count which;
		uint32_t share;
	} checks[] = {
		{"hits", LB_FLOW_HIT, owed.hits},
		{"misses", LB_FLOW_MISSED, owed.misses},
		{"inserted", LB_FLOW_INSERTED, owed.inserted},
	};
	size_t i;

	if (row->of.stranger)
		return 0;
	for (i = 0; i < 3; i++) {
		const uint64_t count =
			after->flows[checks[i].which] - before->flows[checks[i].which];

		if (!near_share(count, row->packets, checks[i].share))
			return row_complain(row, BALANCER, "flow table: %llu %s of %u packets",
					    (unsigned long long)count, checks[i].name,
					    row->packets);
	}
	return 0;
}

static int check_rival(struct row *row, const struct counts *before, const struct counts *after)
{
	const enum rival_outcome wanted = row->of.stranger ? RIVAL_PASSED : RIVAL_SENT;
	const uint64_t good = after->rival[wanted] - before->rival[wanted];
	const uint64_t missed = after->rival[RIVAL_MISSED] - before->rival[RIVAL_MISSED];

	if (good != row->packets || missed)
		return row_complain(
			row, RIVAL, "%llu of %u packets forwarded, %llu unknown connections",
			(unsigned long long)good, row->packets, (unsigned long long)missed);
	return 0;
}

static int check_frame(struct row *row, const struct stage *stage, enum variant variant,
		       const struct outcome *outcome)
{
	const bool bare = variant < BALANCER;
	const uint32_t action = row->of.stranger && !bare ? XDP_PASS : XDP_TX;
	const int growth = variant == WRAPPER ? 0 : bare ? 20 : case_growth(&row->of);

	if (outcome->action != action || outcome->length != stage->frame.length + growth)
		return row_complain(
			row, variant, "the last frame: XDP action %u, %zu bytes; expected %u, %zu",
			outcome->action, outcome->length, action, stage->frame.length + growth);
	return 0;
}

int verify(struct row *row, const struct stage *stage, enum variant variant,
	   const struct outcome *outcome, const struct counts *before)
{
	struct counts after;

	counts_read(stage, &after);
	if (check_frame(row, stage, variant, outcome) || check_order(row, before, &after))
		return -1;
	if (variant == BALANCER)
		return check_verdicts(row, before, &after) || check_flow_counts(row, before, &after)
			       ? -1
			       : 0;
	return variant == RIVAL ? check_rival(row, before, &after) : 0;
}
