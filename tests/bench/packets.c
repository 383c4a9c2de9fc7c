// SPDX-License-Identifier: BSD-2-Clause
/* What does a packet cost in the balancer, and beside it in a program that does the least, and in
 * one of the usual design?
 *
 *	packets [--case REGEX] [--rounds N] [--packets N] [--max-flows N] [--cpu N] [--list]
 *
 * Prints JSON: for each case the nanoseconds of CPU time a packet, of every round, of
 *	wrapper		next.bpf.c and a program that only returns XDP_TX: to be subtracted
 *	floor, floor_again	bare.bpf.c, loaded twice: their ratio says what the machine is worth
 *	lb		the balancer
 *	lru		rival.bpf.c
 * and an "error" where a run measured something else than it was to measure. Exits with 1 then.
 *
 * In each round every program is loaded anew, since where it comes to lie matters, and the programs
 * of a case take turns. --packets: timed packets of each run; 65,536 go before, but for runs
 * that are shorter than that, which serve to check and not to measure.
 * --max-flows lets cases with more flows have so many. Progress goes to stderr.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "cases.h"
#include "next.h"
#include "rival_load.h"
#include "world.h"
#include "tests/bench/bare.skel.h"
#include "tests/bench/next.skel.h"

#define WARM_UP_PACKETS 65536u
#define CASES_MAX 64
#define ROUNDS_MAX 1000
#define HEADROOM_OUT 64

enum variant { WRAPPER, FLOOR, FLOOR_AGAIN, BALANCER, RIVAL, VARIANTS };
static const char *const variant_names[] = {"wrapper", "floor", "floor_again", "lb", "lru"};

struct row {
	struct bench_case of;
	struct plan *plan;
	struct rival *rival; /* shared with other rows */
	double *samples[VARIANTS];
	uint32_t packets; /* timed, in each run */
	char error[256];
};

static struct {
	struct row rows[CASES_MAX];
	size_t row_count;
	struct rival *rivals[CASES_MAX];
	size_t rival_count;
	uint32_t rounds, packets, max_flows;
	int cpu;
} bench = {.rounds = 9, .packets = 262144, .max_flows = MILLION, .cpu = -1};

/* What is loaded for a case in a round. */
struct stage {
	const struct row *row;
	struct frame frame;
	struct next_bpf *next;
	struct bare_bpf *bare, *bare_again;
	struct datapath *datapath;
};

static int complain(struct row *row, const char *variant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(struct row *row, const char *variant, const char *format, ...)
{
	char what[160];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(row->error, sizeof(row->error), "%s: %s", variant, what);
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

struct outcome {
	double ns; /* a packet */
	uint32_t action;
	size_t length; /* of the last frame */
};

static int run(struct stage *stage, uint32_t packets, struct outcome *outcome)
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

static int set_target(struct stage *stage, int fd)
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
	error = run(stage, flows * times, &outcome);
	set_order(stage, false);
	return error;
}

/* --- what is measured must be what was to be measured --- */

struct counts {
	struct next_order order;
	uint64_t verdicts[LB_VERDICT_COUNT];
	uint64_t flows[LB_FLOW_COUNT_COUNT];
	uint64_t rival[RIVAL_OUTCOMES];
};

static void read_counts(const struct stage *stage, struct counts *counts)
{
	datapath_verdicts(stage->datapath, counts->verdicts);
	datapath_flow_counts(stage->datapath, counts->flows);
	rival_outcomes(stage->row->rival, counts->rival);
	counts->order = stage->next->bss->next_order;
}

/* Every packet was of the next flow, in an order that goes through all (see next.h). */
static int check_order(struct row *row, const struct counts *before, const struct counts *after)
{
	uint32_t index = before->order.index, i;

	for (i = 0; i < row->packets; i++)
		index = index * before->order.multiplier + before->order.addend;
	if (index != after->order.index || before->order.multiplier % 4 != 1 ||
	    before->order.addend % 2 != 1)
		return complain(row, "wrapper", "flows were not gone through one after the other");
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
			return complain(row, "lb", "%s for %llu packets, expected %llu", names[i],
					(unsigned long long)count, (unsigned long long)owed);
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

/* Within 2 thousandths: a bucket may be full now and then, and flows are not quite even. */
static bool near_share(uint64_t count, uint32_t packets, uint32_t share)
{
	const double owed = (double)packets * share / 1000;
	const double off = owed - count;

	return share ? off * off <= owed * owed * (share < 1000 ? 0.04 : 4e-6)
		     : count <= packets / 500;
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
			return complain(row, "lb", "flow table: %llu %s of %u packets",
					(unsigned long long)count, checks[i].name, row->packets);
	}
	return 0;
}

static int check_rival(struct row *row, const struct counts *before, const struct counts *after)
{
	const enum rival_outcome wanted = row->of.stranger ? RIVAL_PASSED : RIVAL_SENT;
	const uint64_t good = after->rival[wanted] - before->rival[wanted];
	const uint64_t missed = after->rival[RIVAL_MISSED] - before->rival[RIVAL_MISSED];

	if (good != row->packets || missed)
		return complain(row, "lru",
				"%llu of %u packets forwarded, %llu unknown connections",
				(unsigned long long)good, row->packets, (unsigned long long)missed);
	return 0;
}

static int check_frame(struct row *row, const struct stage *stage, enum variant variant,
		       const struct outcome *outcome)
{
	const bool bare = variant < BALANCER;
	const uint32_t action = row->of.stranger && !bare ? XDP_PASS : XDP_TX;
	const size_t growth = variant == WRAPPER ? 0 : bare ? 20 : case_growth(&row->of);

	if (outcome->action != action || outcome->length != stage->frame.length + growth)
		return complain(row, variant_names[variant],
				"the last frame: XDP action %u, %zu bytes; expected %u, %zu",
				outcome->action, outcome->length, action,
				stage->frame.length + growth);
	return 0;
}

static int check(struct row *row, const struct stage *stage, enum variant variant,
		 const struct outcome *outcome, const struct counts *before)
{
	struct counts after;

	read_counts(stage, &after);
	if (check_frame(row, stage, variant, outcome) || check_order(row, before, &after))
		return -1;
	if (variant == BALANCER)
		return check_verdicts(row, before, &after) || check_flow_counts(row, before, &after)
			       ? -1
			       : 0;
	return variant == RIVAL ? check_rival(row, before, &after) : 0;
}

/* --- a case in a round --- */

static void set_config(const struct bench_case *of, const struct frame *frame,
		       struct next_config *config)
{
	const uint8_t *ip = frame->bytes + ETH;
	const bool ipv4 = of->family == 4;

	*config = (struct next_config){
		.length = frame->length,
		.flows_mask = of->flows - 1,
		.vips = of->vips,
		.dport = htons(CASE_PORT),
		.family = of->family,
		.restore = !of->stranger,
	};
	memcpy(&config->source, ip + (ipv4 ? 12 : 8 + 12), 4);
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
	error = set_target(stage, datapath_program_fd(stage->datapath));
	return error ? error : run_all_flows(stage, of->flows, 2);
}

/* Connections of all flows that any case has, unless they are in already. */
static int fill_rival(struct row *row)
{
	struct stage stage = {.row = row};
	struct bench_case of = row->of;
	bool *filled = rival_filled(row->rival);
	int error;

	if (*filled || of.stranger)
		return 0;
	of.flows = bench.max_flows;
	error = open_next(&stage, &of);
	if (!error)
		error = set_target(&stage, rival_fd(row->rival));
	if (!error)
		error = run_all_flows(&stage, of.flows, 1);
	next_bpf__destroy(stage.next);
	*filled = !error;
	return error;
}

static int open_stage(struct stage *stage, struct row *row)
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
		return -errno;
	error = rival_reload(row->rival);
	if (!error)
		error = fill_rival(row);
	return error ? error : make_records(stage);
}

static void close_stage(struct stage *stage)
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

/* Frames to no VIP are not restored, so nothing may be put around them. */
static bool does_apply(const struct row *row, enum variant variant)
{
	return !row->of.stranger || (variant != FLOOR && variant != FLOOR_AGAIN);
}

/* Must no packet have met a record that an earlier one has made? */
static bool is_fresh(const struct row *row)
{
	return row->of.slots != ALL_SETTLED && row->of.records == RECORDS_NONE;
}

static int measure(struct row *row, struct stage *stage, enum variant variant, uint32_t round)
{
	struct counts before;
	struct outcome outcome;
	int error = set_target(stage, target_fd(stage, variant));

	if (!error && row->packets >= WARM_UP_PACKETS)
		error = run(stage, WARM_UP_PACKETS, &outcome);
	if (variant == BALANCER && is_fresh(row))
		world_forget(stage->datapath);
	read_counts(stage, &before);
	if (!error)
		error = run(stage, row->packets, &outcome);
	if (error)
		return complain(row, variant_names[variant], "%s", strerror(-error));
	row->samples[variant][round] = outcome.ns;
	return check(row, stage, variant, &outcome, &before);
}

static void measure_row(struct row *row, uint32_t round)
{
	struct stage stage;
	int error = open_stage(&stage, row), i;

	if (error)
		complain(row, "load", "%s", strerror(-error));
	for (i = 0; i < VARIANTS && !error; i++) {
		const enum variant variant = (i + round) % VARIANTS;

		if (does_apply(row, variant))
			error = measure(row, &stage, variant, round);
	}
	close_stage(&stage);
}

/* --- all of them --- */

static int find_rival(struct row *row)
{
	size_t i;

	for (i = 0; i < bench.rival_count; i++)
		if (rival_fits(bench.rivals[i], &row->of)) {
			row->rival = bench.rivals[i];
			return 0;
		}
	row->rival = rival_new(&row->of, row->plan, bench.max_flows);
	if (!row->rival)
		return -1;
	bench.rivals[bench.rival_count++] = row->rival;
	return 0;
}

static int add_row(const struct bench_case *of)
{
	struct row *row = &bench.rows[bench.row_count];
	int i;

	row->of = *of;
	row->packets = bench.packets;
	if (is_fresh(row) && row->packets > of->flows)
		row->packets = of->flows;
	row->plan = plan_new(of);
	if (!row->plan || find_rival(row))
		return -1;
	for (i = 0; i < VARIANTS; i++) {
		row->samples[i] = calloc(bench.rounds, sizeof(double));
		if (!row->samples[i])
			return -1;
	}
	bench.row_count++;
	return 0;
}

static int add_rows(const char *pattern)
{
	regex_t wanted;
	size_t i;
	int error = 0;

	if (regcomp(&wanted, pattern, REG_EXTENDED | REG_NOSUB))
		return fprintf(stderr, "packets: --case %s: not a regular expression\n", pattern);
	for (i = 0; i < case_count() && !error; i++) {
		struct bench_case of = case_get(i);

		if (of.flows > bench.max_flows)
			of.flows = bench.max_flows;
		if (!regexec(&wanted, of.name, 0, NULL, 0))
			error = add_row(&of);
	}
	regfree(&wanted);
	if (!error && !bench.row_count)
		error = fprintf(stderr, "packets: --case %s: no such case; see --list\n", pattern);
	return error;
}

static void measure_all(void)
{
	uint32_t round;
	size_t i;

	for (round = 0; round < bench.rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, bench.rounds);
		for (i = 0; i < bench.row_count; i++)
			if (!bench.rows[i].error[0])
				measure_row(&bench.rows[i], round);
	}
}

static void free_all(void)
{
	size_t i;
	int variant;

	for (i = 0; i < bench.row_count; i++) {
		plan_free(bench.rows[i].plan);
		for (variant = 0; variant < VARIANTS; variant++)
			free(bench.rows[i].samples[variant]);
	}
	for (i = 0; i < bench.rival_count; i++)
		rival_free(bench.rivals[i]);
}

/* --- JSON --- */

static json_t *samples_json(const struct row *row)
{
	json_t *all = json_object();
	uint32_t round;
	int variant;

	for (variant = 0; variant < VARIANTS; variant++) {
		json_t *list = json_array();

		if (!does_apply(row, variant)) {
			json_decref(list);
			continue;
		}
		for (round = 0; round < bench.rounds; round++)
			json_array_append_new(list, json_real(row->samples[variant][round]));
		json_object_set_new(all, variant_names[variant], list);
	}
	return all;
}

static json_t *row_json(const struct row *row)
{
	const struct bench_case *of = &row->of;
	json_t *json = json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:b,s:b}", "name", of->name,
				 "flows", (int)of->flows, "family", of->family, "protocol",
				 of->protocol, "tcp_flags", of->tcp_flags, "vips", (int)of->vips,
				 "members", (int)of->members, "table", (int)of->table, "slots",
				 case_slots_name(of->slots), "records",
				 of->records == RECORDS_PRESENT, "outer6", of->outer6);

	json_object_set_new(json, "lru_capacity", json_integer(rival_capacity(row->rival)));
	if (row->error[0])
		json_object_set_new(json, "error", json_string(row->error));
	else
		json_object_set_new(json, "ns", samples_json(row));
	return json;
}

/* Of a balancer with the sizes that lbd.json has when it says nothing. */
static json_int_t default_memory_bytes(void)
{
	const struct datapath_options options = {.vips = 1024,
						 .members = 2 * 4096,
						 .slots = 2097152,
						 .flows = 1048576,
						 .seed = {1, 1}};
	struct datapath *datapath = NULL;
	struct lb_err err = {0};
	json_int_t bytes;

	if (datapath_open(&options, &datapath, &err))
		return 0;
	bytes = datapath_memory_bytes(datapath);
	datapath_close(datapath);
	return bytes;
}

static int print_json(void)
{
	json_t *rows = json_array(), *all;
	size_t i, errors = 0;

	for (i = 0; i < bench.row_count; i++) {
		json_array_append_new(rows, row_json(&bench.rows[i]));
		errors += bench.rows[i].error[0] != 0;
	}
	all = json_pack("{s:i,s:i,s:i,s:I,s:o}", "rounds", (int)bench.rounds, "packets",
			(int)bench.packets, "cpu", bench.cpu, "default_memory_bytes",
			default_memory_bytes(), "cases", rows);
	json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(all);
	return errors ? 1 : 0;
}

/* --- options --- */

static void pin(void)
{
	cpu_set_t cpus;

	if (bench.cpu < 0)
		bench.cpu = sched_getcpu();
	CPU_ZERO(&cpus);
	CPU_SET(bench.cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		fprintf(stderr, "packets: cannot stay on CPU %d: %s\n", bench.cpu, strerror(errno));
	setpriority(PRIO_PROCESS, 0, -10); /* not vital */
}

static int list_cases(void)
{
	size_t i;

	for (i = 0; i < case_count(); i++)
		puts(case_get(i).name);
	return 0;
}

static int parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value < least || value > most)
		return -1;
	*out = value;
	return 0;
}

static int parse_option(int option, const char **pattern)
{
	uint32_t cpu = 0;

	switch (option) {
	case 'c':
		*pattern = optarg;
		return 0;
	case 'r':
		return parse_number(optarg, 1, ROUNDS_MAX, &bench.rounds);
	case 'p':
		return parse_number(optarg, 1024, 1u << 26, &bench.packets);
	case 'm':
		return parse_number(optarg, 1, MILLION, &bench.max_flows) ||
		       bench.max_flows & (bench.max_flows - 1);
	case 'u':
		if (parse_number(optarg, 0, CPU_SETSIZE - 1, &cpu))
			return -1;
		bench.cpu = cpu;
		return 0;
	}
	return -1;
}

static int usage(void)
{
	fprintf(stderr, "usage: packets [--case REGEX] [--rounds N] [--packets N] [--max-flows N] "
			"[--cpu N] [--list]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"case", required_argument, NULL, 'c'},
		{"rounds", required_argument, NULL, 'r'},
		{"packets", required_argument, NULL, 'p'},
		{"cpu", required_argument, NULL, 'u'},
		{"max-flows", required_argument, NULL, 'm'},
		{"list", no_argument, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	const char *pattern = "";
	int option, status = 1;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'l')
			return list_cases();
		if (parse_option(option, &pattern))
			return usage();
	}
	if (optind != argc)
		return usage();
	pin();
	if (!add_rows(pattern)) {
		measure_all();
		status = print_json();
	}
	free_all();
	return status;
}
