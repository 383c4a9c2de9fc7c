// SPDX-License-Identifier: BSD-2-Clause
/* How do the programs of a case get loaded, and packets through them? */
#include "stage.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "tests/bench/bare.skel.h"
#include "tests/bench/next.skel.h"

#define HEADROOM_OUT 64

const char *variant_name(enum variant variant)
{
	static const char *const names[] = {"wrapper", "floor", "floor_again", "lb", "lru"};

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

/* --- running --- */

/* CPU time, and not the duration that the kernel reports: that is whole nanoseconds a packet, and
 * counts what other processes take. */
static double cpu_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

int stage_run(struct stage *stage, uint32_t packets, struct outcome *outcome)
{
	static uint8_t out[FRAME_MAX + HEADROOM_OUT];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = stage->frame.bytes, .data_out = out,
		    .data_size_in = stage->frame.length, .data_size_out = sizeof(out),
		    .repeat = packets);
	const double begin = cpu_time_ns();
	int error = bpf_prog_test_run_opts(bpf_program__fd(stage->next->progs.next), &options);

	if (error)
		return error;
	outcome->ns = (cpu_time_ns() - begin) / packets;
	outcome->action = options.retval;
	outcome->length = options.data_size_out;
	return 0;
}

static int set_target_fd(struct stage *stage, int fd)
{
	const uint32_t zero = 0;

	return bpf_map__update_elem(stage->next->maps.target, &zero, sizeof(zero), &fd, sizeof(fd),
				    0);
}

/* One flow after the other, as they are filled in; or an order that helps no cache, and differs
 * from that one. */
static void set_order(struct stage *stage, bool straight)
{
	stage->next->bss->next_order.multiplier = straight ? 1 : 1664525;
	stage->next->bss->next_order.addend = straight ? 1 : 1013904223;
}

/* Each flow so many times, in straight order. */
static int run_all_flows(struct stage *stage, uint32_t flows, uint32_t times)
{
	struct outcome outcome;
	int error;

	set_order(stage, true);
	error = stage_run(stage, flows * times, &outcome);
	set_order(stage, false);
	return error;
}

/* --- a case in a round --- */

static void set_config(const struct bench_case *of, const struct frame *frame,
		       struct next_config *config)
{
	const bool ipv4 = of->family == 4;
	const uint8_t *ip = frame->bytes + ETH + (of->tagged ? 4 : 0);
	/* An ICMP error quotes a packet to the client. */
	const size_t quoted = ipv4 ? 20 + 8 + 16 : 40 + 8 + 24 + 12;
	const uint8_t *client = ip + (of->icmp_error ? quoted : ipv4 ? 12 : 8 + 12);

	*config = (struct next_config){
		.length = frame->length,
		.flows_mask = of->flows - 1,
		.vips = of->vips,
		.dport = htons(case_port(of)),
		.family = of->family,
		.restore = !of->stranger,
		.tag = htons(of->tagged ? CASE_TAG : 0),
		.quote = of->icmp_error,
	};
	memcpy(&config->source, client, 4);
	memcpy(&config->vip, ip + (ipv4 ? 16 : 24 + 12), 4);
}

static int open_next(struct stage *stage, const struct bench_case *of)
{
	int error;

	case_frame(of, &stage->frame);
	stage->next = next_bpf__open();
	if (!stage->next)
		return -errno;
	set_config(of, &stage->frame, (struct next_config *)&stage->next->rodata->next_config);
	error = next_bpf__load(stage->next);
	if (!error)
		set_order(stage, false);
	return error;
}

/* Flows that are on record are confirmed as well: each has sent twice. */
static int make_records(struct stage *stage)
{
	const struct bench_case *of = &stage->row->of;
	int error = world_move(stage->datapath, of, stage->row->plan);

	if (error || of->records != RECORDS_PRESENT)
		return error;
	error = set_target_fd(stage, datapath_program_fd(stage->datapath));
	return error ? error : run_all_flows(stage, of->flows, 2);
}

/* Connections of all flows that any case has, unless they are in already. */
static int fill_rival(struct row *row)
{
	struct stage stage = {.row = row};
	struct bench_case of = row->of;
	bool *filled = rival_filled(row->rival);
	int error;

	if (*filled || of.stranger || !case_has_rival(&of))
		return 0;
	of.flows = row->rival_flows;
	error = open_next(&stage, &of);
	if (!error)
		error = set_target_fd(&stage, rival_fd(row->rival));
	if (!error)
		error = run_all_flows(&stage, of.flows, 1);
	next_bpf__destroy(stage.next);
	*filled = !error;
	return error;
}

int stage_open(struct stage *stage, struct row *row)
{
	int error;

	*stage = (struct stage){.row = row};
	error = open_next(stage, &row->of);
	if (error)
		return error;
	stage->bare = bare_bpf__open_and_load();
	stage->bare_again = bare_bpf__open_and_load();
	stage->datapath = world_open(&row->of, row->plan, LOOPBACK);
	if (!stage->bare || !stage->bare_again || !stage->datapath)
		return -EINVAL; /* what is missing has been said */
	error = rival_reload(row->rival);
	if (!error)
		error = fill_rival(row);
	return error ? error : make_records(stage);
}

void stage_close(struct stage *stage)
{
	next_bpf__destroy(stage->next);
	bare_bpf__destroy(stage->bare);
	bare_bpf__destroy(stage->bare_again);
	datapath_close(stage->datapath);
}

static int target_fd(const struct stage *stage, enum variant variant)
{
	switch (variant) {
	case WRAPPER:
		return bpf_program__fd(stage->bare->progs.tx);
	case FLOOR:
		return bpf_program__fd(stage->bare->progs.encap);
	case FLOOR_AGAIN:
		return bpf_program__fd(stage->bare_again->progs.encap);
	case BALANCER:
		return datapath_program_fd(stage->datapath);
	default:
		return rival_fd(stage->row->rival);
	}
}
int stage_set_target(struct stage *stage, enum variant variant)
{
	return set_target_fd(stage, target_fd(stage, variant));
}

struct next_order stage_order(const struct stage *stage)
{
	return stage->next->bss->next_order;
}
