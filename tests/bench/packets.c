// SPDX-License-Identifier: BSD-2-Clause
/* What does a packet cost in the balancer, and beside it in a program that does the least, and in
 * one of the usual design?
 *
 *	packets [--pairs] [--case REGEX] [--rounds N] [--packets N] [--max-flows N] [--cpu N] [--list]
 *
 * Prints JSON: for each case the nanoseconds of CPU time a packet, of every round, of
 *	wrapper		next.bpf.c and a program that only returns XDP_TX: to be subtracted
 *	floor, floor_again	bare.bpf.c, loaded twice: their ratio says what the machine is worth
 *	lb		the balancer
 *	lru		rival.bpf.c
 * as far as they can do what the case asks for; and an "error" where a run has measured something
 * else than it was to. Exits with 1 then. With --pairs the same of pairs.c, of
 *	a, b		what is compared
 *	a_wrapper, b_wrapper
 *
 * In each round every program is loaded again, since where it comes to lie matters, and those of a
 * case or pair take turns in short bursts (turns.h). --packets: of each in a round. --max-flows
 * lets cases with more flows have so many. Progress goes to stderr.
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
#include "pairs.h"
#include "verify.h"

#define ENTRIES_MAX 64
#define RIVALS_MAX 64
#define BURST_SHORT 4096
#define BURST_LONG 32768
#define ROUNDS_MAX 1000

/* A case with all its variants, or a pair of cases with one each. */
struct entry {
	const char *name;
	struct row rows[2];
	size_t row_count;
	uint32_t packets; /* of each contender in a round */
	size_t count;     /* of contenders */
	struct lane {
		const char *name;
		size_t row;
		enum variant variant;
		double *samples;
	} lanes[NEXT_USED];
};

static struct {
	struct entry entries[ENTRIES_MAX];
	size_t entry_count;
	struct rival *rivals[RIVALS_MAX];
	size_t rival_count;
	uint32_t rounds, packets, max_flows;
	int cpu;
	bool pairs, list;
} bench = {.max_flows = MILLION, .cpu = -1};

static bool does_apply(const struct bench_case *of, enum variant variant)
{
	switch (variant) {
	case FLOOR:
	case FLOOR_AGAIN:
		return case_has_floor(of);
	case RIVAL:
		return case_has_rival(of);
	case TRACING: /* in pairs */
	case ALWAYS_TRACING:
		return false;
	default:
		return true;
	}
}

static const char *entry_error(const struct entry *entry)
{
	size_t i;

	for (i = 0; i < entry->row_count; i++)
		if (entry->rows[i].error[0])
			return entry->rows[i].error;
	return NULL;
}

/* --- a round --- */

static int open_stages(struct entry *entry, struct stage *stages)
{
	uint32_t variants[2] = {0, 0};
	int error = 0;
	size_t i;

	for (i = 0; i < entry->count; i++)
		variants[entry->lanes[i].row] |= VARIANT_BIT(entry->lanes[i].variant);
	for (i = 0; i < entry->row_count && !error; i++) {
		error = stage_open(&stages[i], &entry->rows[i], variants[i]);
		if (error)
			row_complain(&entry->rows[i], WRAPPER, "load: %s", strerror(-error));
	}
	return error;
}

/* Must no packet have met a record that an earlier one has made? */
static bool is_fresh(const struct bench_case *of)
{
	return of->slots != ALL_SETTLED && of->records == RECORDS_NONE;
}

static void begin(struct verify *of)
{
	if (of->variant == BALANCER && is_fresh(&of->row->of))
		world_forget(of->stage->datapath);
	counts_read(of->stage, &of->before);
}

/* The rival's connections, and many VIPs, leave nothing of the others in the caches: bursts must be
 * long beside theirs. */
static uint32_t burst_of(const struct entry *entry)
{
	uint32_t burst = BURST_SHORT;
	size_t i;

	for (i = 0; i < entry->count; i++)
		if (entry->lanes[i].variant == RIVAL ||
		    entry->rows[entry->lanes[i].row].of.vips > 1)
			burst = BURST_LONG;
	return burst < entry->packets / 2 ? burst : entry->packets / 2;
}

/* A lap to warm up, and then those that count. */
static int take_turns(struct entry *entry, struct turns *turns, struct verify *verifies)
{
	const uint32_t burst = burst_of(entry), laps = entry->packets / burst / 2;
	size_t i;
	int error = turns_run(turns, burst, 1);

	for (i = 0; i < entry->count; i++)
		begin(&verifies[i]);
	if (!error)
		error = turns_run(turns, burst, laps);
	if (error)
		return row_complain(&entry->rows[0], WRAPPER, "%s", strerror(-error));
	for (i = 0; i < entry->count; i++)
		if (verify(&verifies[i]))
			return -1;
	if (turns->action != verify_action(verifies[0].row, verifies[0].variant))
		return row_complain(verifies[0].row, verifies[0].variant, "XDP action %u",
				    turns->action);
	return 0;
}

/* Each round begins, and ends, with another contender. */
static void measure_on(struct entry *entry, const struct stage *stages, uint32_t round)
{
	struct contender contenders[NEXT_USED] = {0};
	struct verify verifies[NEXT_USED] = {0};
	struct turns turns;
	size_t i;
	int error;

	for (i = 0; i < entry->count; i++) {
		const struct lane *lane = &entry->lanes[(i + round) % entry->count];
		struct row *row = &entry->rows[lane->row];

		contenders[i].of = &row->of;
		contenders[i].fd = stage_fd(&stages[lane->row], lane->variant);
		verifies[i] = (struct verify){row,
					      &stages[lane->row],
					      lane->variant,
					      &contenders[i],
					      {{0}, {0}, {0}, {0}}};
	}
	error = turns_open(&turns, contenders, entry->count);
	if (error)
		row_complain(&entry->rows[0], WRAPPER, "load: %s", strerror(-error));
	else if (!take_turns(entry, &turns, verifies))
		for (i = 0; i < entry->count; i++)
			entry->lanes[(i + round) % entry->count].samples[round] = contenders[i].ns;
	turns_close(&turns);
}

static void measure(struct entry *entry, uint32_t round)
{
	struct stage stages[2] = {0};
	size_t i;

	if (!open_stages(entry, stages))
		measure_on(entry, stages, round);
	for (i = 0; i < entry->row_count; i++)
		stage_close(&stages[i]);
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

static int add_row(struct entry *entry, struct bench_case of)
{
	struct row *row = &entry->rows[entry->row_count++];

	if (of.flows > bench.max_flows)
		of.flows = bench.max_flows;
	row->of = of;
	row->rival_flows = bench.max_flows;
	if (is_fresh(&of) && entry->packets >= of.flows)
		entry->packets = of.flows / 2; /* and one more, see turns_run */
	row->plan = plan_new(&of);
	return row->plan ? 0 : -1;
}

static int add_lane(struct entry *entry, const char *name, size_t row, enum variant variant)
{
	struct lane *lane = &entry->lanes[entry->count++];

	*lane = (struct lane){name, row, variant, calloc(bench.rounds, sizeof(double))};
	if (!lane->samples)
		return -1;
	return variant == RIVAL ? find_rival(&entry->rows[row]) : 0;
}

static int add_case(struct entry *entry, const struct bench_case *of)
{
	int error = add_row(entry, *of), i;

	for (i = 0; i < VARIANTS && !error; i++)
		if (does_apply(of, i))
			error = add_lane(entry, variant_name(i), 0, i);
	return error;
}

static int add_pair(struct entry *entry, const struct pair *pair)
{
	static const char *const names[2][2] = {{"a_wrapper", "a"}, {"b_wrapper", "b"}};
	int error = 0, i;

	for (i = 0; i < 2 && !error; i++) {
		error = add_row(entry, case_named(pair->sides[i].name));
		if (!error)
			error = add_lane(entry, names[i][0], i, WRAPPER);
		if (!error)
			error = add_lane(entry, names[i][1], i, pair->sides[i].variant);
	}
	return error;
}

static const char *entry_name(size_t index)
{
	return bench.pairs ? pairs[index].name : case_get(index).name;
}

static size_t entries(void)
{
	return bench.pairs ? pair_count : case_count();
}

static int add_entry(size_t index)
{
	struct entry *entry = &bench.entries[bench.entry_count++];
	const struct bench_case of = case_get(index);

	entry->name = entry_name(index);
	entry->packets = bench.packets;
	return bench.pairs ? add_pair(entry, &pairs[index]) : add_case(entry, &of);
}

static int add_entries(const char *pattern)
{
	regex_t wanted;
	size_t i;
	int error = 0;

	if (regcomp(&wanted, pattern, REG_EXTENDED | REG_NOSUB))
		return fprintf(stderr, "packets: --case %s: not a regular expression\n", pattern);
	for (i = 0; i < entries() && !error; i++)
		if (!regexec(&wanted, entry_name(i), 0, NULL, 0))
			error = add_entry(i);
	regfree(&wanted);
	if (!error && !bench.entry_count)
		error = fprintf(stderr, "packets: --case %s: no such case; see --list\n", pattern);
	return error;
}

static void measure_all(void)
{
	uint32_t round;
	size_t i;

	for (round = 0; round < bench.rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, bench.rounds);
		for (i = 0; i < bench.entry_count; i++)
			if (!entry_error(&bench.entries[i]))
				measure(&bench.entries[i], round);
	}
}

static void free_all(void)
{
	struct entry *entry;
	size_t i, j;

	for (i = 0; i < bench.entry_count; i++) {
		entry = &bench.entries[i];
		for (j = 0; j < entry->row_count; j++)
			plan_free(entry->rows[j].plan);
		for (j = 0; j < entry->count; j++)
			free(entry->lanes[j].samples);
	}
	for (i = 0; i < bench.rival_count; i++)
		rival_free(bench.rivals[i]);
}

/* --- JSON --- */

static json_t *samples_json(const struct entry *entry)
{
	json_t *all = json_object();
	uint32_t round;
	size_t i;

	for (i = 0; i < entry->count; i++) {
		json_t *list = json_array();

		for (round = 0; round < bench.rounds; round++)
			json_array_append_new(list, json_real(entry->lanes[i].samples[round]));
		json_object_set_new(all, entry->lanes[i].name, list);
	}
	return all;
}

static json_t *case_json(const struct row *row)
{
	const struct bench_case *of = &row->of;
	json_t *json = json_pack(
		"{s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:b,"
		"s:b}",
		"name", of->name, "flows", (int)of->flows, "family", of->family, "protocol",
		of->protocol, "tcp_flags", of->tcp_flags, "vips", (int)of->vips, "pools",
		(int)of->pools, "members", (int)of->members, "table", (int)of->table, "slots",
		case_slots_name(of->slots), "records", of->records == RECORDS_PRESENT, "outer6",
		of->outer6, "gue", of->gue, "icmp_error", of->icmp_error, "tagged", of->tagged,
		"by_source", of->by_source, "any_port", of->any_port, "prefix", of->prefix, "range",
		of->range, "beside", of->beside, "quic", of->quic);

	if (row->rival)
		json_object_set_new(json, "lru_capacity", json_integer(rival_capacity(row->rival)));
	return json;
}

static json_t *side_json(const struct entry *entry, const char *name)
{
	size_t i = 0;

	while (strcmp(entry->lanes[i].name, name))
		i++;
	return json_pack("{s:s,s:s}", "case", entry->rows[entry->lanes[i].row].of.name, "program",
			 variant_name(entry->lanes[i].variant));
}

static json_t *entry_json(const struct entry *entry)
{
	json_t *json = bench.pairs ? json_pack("{s:s,s:o,s:o}", "name", entry->name, "a_is",
					       side_json(entry, "a"), "b_is", side_json(entry, "b"))
				   : case_json(&entry->rows[0]);

	if (entry_error(entry))
		json_object_set_new(json, "error", json_string(entry_error(entry)));
	else
		json_object_set_new(json, "ns", samples_json(entry));
	return json;
}

/* Of a balancer with the sizes that lbd.json has when it says nothing, and a list. */
static json_int_t default_memory_bytes(uint32_t prefixes)
{
	json_auto_t *document = json_pack("{s:[s]}", "interfaces", "lo");
	struct datapath_options options = {.seed = {1, 1}};
	struct datapath *datapath = NULL;
	struct config config;
	struct lb_err err = {0};
	json_int_t bytes = 0;

	if (schema_read(&config_schema, document, &config, &err))
		return 0;
	options.vips = config.vips;
	options.members = members_capacity(&config);
	options.slots = config.slots;
	options.flows = config.flows;
	if (datapath_open(&options, &datapath, &err))
		return 0;
	if (!prefixes || !world_list(datapath, 0, prefixes, 0))
		bytes = datapath_memory_bytes(datapath);
	datapath_close(datapath);
	return bytes;
}

static int print_json(void)
{
	json_t *list = json_array(), *all;
	size_t i, errors = 0;

	for (i = 0; i < bench.entry_count; i++) {
		json_array_append_new(list, entry_json(&bench.entries[i]));
		errors += entry_error(&bench.entries[i]) != NULL;
	}
	all = json_pack("{s:i,s:i,s:i,s:I,s:I,s:o}", "rounds", (int)bench.rounds, "packets",
			(int)bench.packets, "cpu", bench.cpu, "default_memory_bytes",
			default_memory_bytes(0), "lists_memory_bytes", default_memory_bytes(65536),
			bench.pairs ? "pairs" : "cases", list);
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

static int list_entries(void)
{
	size_t i;

	for (i = 0; i < entries(); i++)
		puts(entry_name(i));
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
	case 's':
		bench.pairs = true;
		return 0;
	case 'l':
		bench.list = true;
		return 0;
	case 'c':
		*pattern = optarg;
		return 0;
	case 'r':
		return parse_number(optarg, 1, ROUNDS_MAX, &bench.rounds);
	case 'p':
		return parse_number(optarg, 4096, 1u << 26, &bench.packets);
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
	fprintf(stderr, "usage: packets [--pairs] [--case REGEX] [--rounds N] [--packets N] "
			"[--max-flows N] [--cpu N] [--list]\n");
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
		{"pairs", no_argument, NULL, 's'},
		{"list", no_argument, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	const char *pattern = "";
	int option, status = 1;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (parse_option(option, &pattern))
			return usage();
	if (optind != argc)
		return usage();
	if (bench.list)
		return list_entries();
	if (!bench.rounds)
		bench.rounds = bench.pairs ? 15 : 5;
	if (!bench.packets)
		bench.packets = bench.pairs ? 524288 : 262144;
	pin();
	if (!add_entries(pattern)) {
		measure_all();
		status = print_json();
	}
	free_all();
	return status;
}
