// SPDX-License-Identifier: BSD-2-Clause
/* What must the counters say after a run? */
#include "verify.h"
#include <linux/bpf.h>

void counts_read(const struct stage *stage, struct counts *counts)
{
	*counts = (struct counts){0};
	if (stage->datapath) {
		datapath_verdicts(stage->datapath, counts->verdicts);
		datapath_flow_counts(stage->datapath, counts->flows);
		datapath_quic_counts(stage->datapath, counts->quic);
	}
	if (stage->row->rival)
		rival_outcomes(stage->row->rival, counts->rival);
}

static int check_order(const struct verify *of)
{
	uint32_t index = of->contender->first, i;

	for (i = 0; i < of->contender->packets; i++)
		index = turns_index_after(index);
	if (index != of->contender->last)
		return row_complain(of->row, of->variant,
				    "flows were not gone through one after the other");
	return 0;
}

static int check_verdicts(const struct verify *of, const struct counts *after)
{
	static const char *const names[] = {
#define VERDICT_NAME(id, name, action, meaning) name,
		LB_VERDICT_LIST(VERDICT_NAME)
#undef VERDICT_NAME
	};
	const enum lb_verdict wanted = case_verdict(&of->row->of);
	int i;

	for (i = 0; i < LB_VERDICT_COUNT; i++) {
		const uint64_t count = after->verdicts[i] - of->before.verdicts[i];
		const uint64_t owed = i == (int)wanted ? of->contender->packets : 0;

		if (count != owed)
			return row_complain(of->row, BALANCER, "%s for %llu packets, expected %llu",
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

static int check_flow_counts(const struct verify *of, const struct counts *after)
{
	const struct flow_shares owed = shares_owed(&of->row->of);
	const uint32_t packets = of->contender->packets;
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

	if (of->row->of.stranger)
		return 0;
	for (i = 0; i < 3; i++) {
		const uint64_t count =
			after->flows[checks[i].which] - of->before.flows[checks[i].which];

		if (!near_share(count, packets, checks[i].share))
			return row_complain(of->row, BALANCER, "flow table: %llu %s of %u packets",
					    (unsigned long long)count, checks[i].name, packets);
	}
	return 0;
}

static int check_quic_counts(const struct verify *of, const struct counts *after)
{
	const uint64_t routed = after->quic[LB_QUIC_ROUTED] - of->before.quic[LB_QUIC_ROUTED];
	const uint64_t owed = of->row->of.quic ? of->contender->packets : 0;

	if (routed != owed)
		return row_complain(of->row, BALANCER,
				    "ids of %llu packets named a server, expected %llu",
				    (unsigned long long)routed, (unsigned long long)owed);
	return 0;
}

static int check_rival(const struct verify *of, const struct counts *after)
{
	const enum rival_outcome wanted = of->row->of.stranger ? RIVAL_PASSED : RIVAL_SENT;
	const uint64_t good = after->rival[wanted] - of->before.rival[wanted];
	const uint64_t missed = after->rival[RIVAL_MISSED] - of->before.rival[RIVAL_MISSED];

	if (good != of->contender->packets || missed)
		return row_complain(of->row, RIVAL,
				    "%llu of %u packets forwarded, %llu unknown connections",
				    (unsigned long long)good, of->contender->packets,
				    (unsigned long long)missed);
	return 0;
}

static int check_frames(const struct verify *of)
{
	const bool bare = of->variant < BALANCER;
	const int growth = of->variant == WRAPPER ? 0 : bare ? 20 : case_growth(&of->row->of);
	const uint64_t owed =
		(uint64_t)of->contender->packets * (of->contender->frame.length + growth);

	if (of->contender->bytes != owed)
		return row_complain(of->row, of->variant, "%llu bytes of %u frames, expected %llu",
				    (unsigned long long)of->contender->bytes,
				    of->contender->packets, (unsigned long long)owed);
	return 0;
}

uint32_t verify_action(const struct row *row, enum variant variant)
{
	return row->of.stranger && variant >= BALANCER ? XDP_PASS : XDP_TX;
}

int verify(const struct verify *of)
{
	struct counts after;

	counts_read(of->stage, &after);
	if (check_frames(of) || check_order(of))
		return -1;
	if (of->variant == BALANCER)
		return check_verdicts(of, &after) || check_flow_counts(of, &after) ||
				       check_quic_counts(of, &after)
			       ? -1
			       : 0;
	return of->variant == RIVAL ? check_rival(of, &after) : 0;
}
