// SPDX-License-Identifier: BSD-2-Clause
/* How do the programs of a case get loaded, and their maps filled? */
#include "stage.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include "../../lbd/plane/trace.h"
#include "turns.h"
#include "tests/bench/bare.skel.h"

const char *variant_name(enum variant variant)
{
	static const char *const names[] = {"wrapper", "floor", "floor_again", "lb",
					    "lru",     "trace", "always_trace"};

	return names[variant];
}

int row_complain(struct row *row, enum variant variant, const char *format, ...)
{
	char what[160];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(row->error, sizeof(row->error), "%s: %s", variant_name(variant), what);
	fprintf(stderr, "packets: %s: %s\n", row->of.name, row->error);
	return -1;
}

/* Flows that are on record are confirmed as well: each has sent twice. */
static int make_records(struct stage *stage)
{
	const struct bench_case *of = &stage->row->of;
	int error = world_move(stage->datapath, of, stage->row->plan);

	if (error || of->records != RECORDS_PRESENT)
		return error;
	return turns_send_all(of, datapath_program_fd(stage->datapath), 2);
}

static int open_balancer(struct stage *stage)
{
	stage->datapath = world_open(&stage->row->of, stage->row->plan, LOOPBACK);
	return stage->datapath ? make_records(stage) : -EINVAL; /* what is missing has been said */
}

/* What it tells is not read: once the ring buffer is full it is lost, which costs no less to find. */
static int open_trace(struct stage *stage, uint32_t every)
{
	const struct lb_trace_filter filter = {
		.every = every, .snap = 128, .vip = LB_TRACE_NONE, .pool = LB_TRACE_NONE};
	struct lb_err err = {0};

	if (datapath_trace_start(stage->datapath, &filter, &err)) {
		fprintf(stderr, "packets: %s\n", err.message);
		return -EINVAL;
	}
	datapath_trace_allow(stage->datapath, UINT32_MAX);
	return 0;
}

/* Connections of all flows that any case has, unless they are in already. */
static int open_rival(struct row *row)
{
	struct bench_case of = row->of;
	bool *filled = rival_filled(row->rival);
	int error = rival_reload(row->rival);

	if (error || *filled || of.stranger)
		return error;
	of.flows = row->rival_flows;
	error = turns_send_all(&of, rival_fd(row->rival), 1);
	*filled = !error;
	return error;
}

int stage_open(struct stage *stage, struct row *row, uint32_t variants)
{
	int error = 0;

	*stage = (struct stage){.row = row};
	stage->bare = bare_bpf__open_and_load();
	if (!stage->bare)
		return -errno;
	if (variants & VARIANT_BIT(FLOOR_AGAIN)) {
		stage->bare_again = bare_bpf__open_and_load();
		if (!stage->bare_again)
			return -errno;
	}
	if (variants & VARIANT_BIT(RIVAL))
		error = open_rival(row);
	if (!error && variants & ~(VARIANT_BIT(BALANCER) - 1) & ~VARIANT_BIT(RIVAL))
		error = open_balancer(stage);
	if (!error && variants & VARIANT_BIT(TRACING))
		error = open_trace(stage, 1000);
	if (!error && variants & VARIANT_BIT(ALWAYS_TRACING))
		error = open_trace(stage, 1);
	return error;
}

void stage_close(struct stage *stage)
{
	bare_bpf__destroy(stage->bare);
	bare_bpf__destroy(stage->bare_again);
	datapath_close(stage->datapath);
}

int stage_fd(const struct stage *stage, enum variant variant)
{
	switch (variant) {
	case WRAPPER:
		return bpf_program__fd(stage->bare->progs.tx);
	case FLOOR:
		return bpf_program__fd(stage->bare->progs.encap);
	case FLOOR_AGAIN:
		return bpf_program__fd(stage->bare_again->progs.encap);
	case BALANCER:
	case TRACING:
	case ALWAYS_TRACING:
		return datapath_program_fd(stage->datapath);
	default:
		return rival_fd(stage->row->rival);
	}
}
