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
 * as far as they can do what the case asks for; and an "error" where a run has measured something
 * else than it was to. Exits with 1 then.
 *
 * In each round every program is loaded again, since where it comes to lie matters, and the programs
 * of a case take turns. --packets: timed packets of each run; 65,536 go before, but for runs
 * that are shorter than that, which serve to check and not to measure.
 * --max-flows lets cases with more flows have so many. Progress goes to stderr.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "../../lbd/host/config.h"
#include "../../lbd/plane/members.h"
#include "verify.h"

#define WARM_UP_PACKETS 65536u
#define CASES_MAX 64
#define ROUNDS_MAX 1000

static struct {
	struct row rows[CASES_MAX];
	size_t row_count;
	struct rival *rivals[CASES_MAX];
	size_t rival_count;
	uint32_t rounds, packets, max_flows;
	int cpu;
} bench = {.rounds = 9, .packets = 262144, .max_flows = MILLION, .cpu = -1};

static bool does_apply(const struct row *row, enum variant variant)
{
	switch (variant) {
	case FLOOR:
	case FLOOR_AGAIN:
		return case_has_floor(&row->of);
	case RIVAL:
		return case_has_rival(&row->of);
	default:
		return true;
	}
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
	int error = stage_set_target(stage, variant);

	if (!error && row->packets >= WARM_UP_PACKETS)
		error = stage_run(stage, WARM_UP_PACKETS, &outcome);
	if (variant == BALANCER && is_fresh(row))
		world_forget(stage->datapath);
	counts_read(stage, &before);
	if (!error)
		error = stage_run(stage, row->packets, &outcome);
	if (error)
		return row_complain(row, variant, "%s", strerror(-error));
	row->samples[variant][round] = outcome.ns;
	return verify(row, stage, variant, &outcome, &before);
}

static void measure_row(struct row *row, uint32_t round)
{
	struct stage stage;
	int error = stage_open(&stage, row), i;

	if (error)
		row_complain(row, WRAPPER, "load: %s", strerror(-error));
	for (i = 0; i < VARIANTS && !error; i++) {
		const enum variant variant = (i + round) % VARIANTS;

		if (does_apply(row, variant))
			error = measure(row, &stage, variant, round);
	}
	stage_close(&stage);
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
	row->rival_flows = bench.max_flows;
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
		json_object_set_new(all, variant_name(variant), list);
	}
	return all;
}

static json_t *row_json(const struct row *row)
{
	const struct bench_case *of = &row->of;
	json_t *json = json_pack(
		"{s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:b,s:b,s:b,s:b,s:b,s:b,s:b}", "name",
		of->name, "flows", (int)of->flows, "family", of->family, "protocol", of->protocol,
		"tcp_flags", of->tcp_flags, "vips", (int)of->vips, "members", (int)of->members,
		"table", (int)of->table, "slots", case_slots_name(of->slots), "records",
		of->records == RECORDS_PRESENT, "outer6", of->outer6, "gue", of->gue, "icmp_error",
		of->icmp_error, "tagged", of->tagged, "by_source", of->by_source, "any_port",
		of->any_port);

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
	json_auto_t *document = json_pack("{s:[s]}", "interfaces", "lo");
	struct datapath_options options = {.seed = {1, 1}};
	struct datapath *datapath = NULL;
	struct config config;
	struct lb_err err = {0};
	json_int_t bytes;

	if (schema_read(&config_schema, document, &config, &err))
		return 0;
	options.vips = config.vips;
	options.members = members_capacity(&config);
	options.slots = config.slots;
	options.flows = config.flows;
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
