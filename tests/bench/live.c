// SPDX-License-Identifier: BSD-2-Clause
/* What does a packet cost on a real way through the kernel: in by a veth, through the balancer or
 * what it is compared with, and out? Run by live.sh, which makes the links.
 *
 *	live --id PREFIX [--case REGEX] [--rounds N] [--packets N]
 *	     [--max-flows N] [--cpu N] [--without LANE]…
 *
 * Prints JSON: for each case the nanoseconds of CPU time a packet, of every round ("ns"), the
 * elapsed time that the kernel reports ("kernel_ns"), or an "error". The cases take turns, there and
 * back, a burst each, and what a burst costs includes the generator and the veths: lane "drop" has
 * only that.
 * "two_cores": the balancer alone on one core, then on two at once, each with a port of its own.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <pthread.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cases.h"
#include "lanes.h"

#define K 1024u
#define ROUNDS_MAX 1000
#define SLOW_PACKETS_MAX 32768u

static struct row {
	const char *name;
	enum lane_number lane;
	uint32_t flows;
	bool wanted;
	bool failed;
	struct burst *bursts;
} rows[] = {
	{.name = "drop-1k", .lane = LANE_DROP, .flows = K},
	{.name = "lb-1k", .lane = LANE_LB, .flows = K},
	{.name = "forward-1k", .lane = LANE_FORWARD, .flows = K},
	{.name = "dnat-1k", .lane = LANE_DNAT, .flows = K},
	{.name = "ipvs-1k", .lane = LANE_IPVS, .flows = K},
	{.name = "drop-64", .lane = LANE_DROP, .flows = 64},
	{.name = "listed-lb-64", .lane = LANE_LISTED, .flows = 64},
	{.name = "listed-nft-64", .lane = LANE_LISTED_NFT, .flows = 64},
	{.name = "listed-ipset-64", .lane = LANE_LISTED_IPSET, .flows = 64},
	{.name = "listed-rules-64", .lane = LANE_LISTED_RULES, .flows = 64},
	{.name = "drop-1m", .lane = LANE_DROP, .flows = MILLION},
	{.name = "tx-1m", .lane = LANE_TX, .flows = MILLION},
	{.name = "encap-1m", .lane = LANE_ENCAP, .flows = MILLION},
	{.name = "lb-1m", .lane = LANE_LB, .flows = MILLION},
	{.name = "lb-twin-1m", .lane = LANE_LB_TWIN, .flows = MILLION},
	{.name = "lb6-1m", .lane = LANE_LB6, .flows = MILLION},
	{.name = "lb-redirect-1m", .lane = LANE_LB_REDIRECT, .flows = MILLION},
	{.name = "lru-1m", .lane = LANE_LRU, .flows = MILLION},
	{.name = "lb-generic-1m", .lane = LANE_LB_GENERIC, .flows = MILLION},
	{.name = "lb-generic-redirect-1m", .lane = LANE_LB_GENERIC_REDIRECT, .flows = MILLION},
};
#define ROWS (sizeof(rows) / sizeof(*rows))

struct pair {
	double alone_ns, both_ns[2];
};

static struct {
	const char *id, *pattern;
	uint32_t rounds, packets, max_flows, cpu;
	bool without[LANE_COUNT]; /* lanes that this machine does not have */
	struct lane *lanes[LANE_COUNT];
	struct pair *pairs; /* NULL: not wanted, or there is only one core */
} live = {.pattern = "", .rounds = 15, .packets = 393216, .max_flows = MILLION, .cpu = UINT32_MAX};

static int pin(uint32_t cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (!sched_setaffinity(0, sizeof(cpus), &cpus))
		return 0;
	fprintf(stderr, "live: cannot stay on CPU %u: %s\n", cpu, strerror(errno));
	return -1;
}

/* --- rows --- */

/* All of its flows once: whoever remembers connections knows them then. Who drops what is listed is to let pass
 * others. */
static int warm_up(struct row *row)
{
	const uint32_t packets = row->flows > live.packets ? row->flows : live.packets;
	struct burst burst;

	if (lane_drops(row->lane) && lane_burst(live.lanes[row->lane], 2 * LANE_CLIENTS_LISTED,
						64 * LANE_CLIENTS_LISTED, &burst))
		return -1;
	return lane_burst(live.lanes[row->lane], row->flows, packets, &burst);
}

static int open_row(struct row *row)
{
	if (row->flows > live.max_flows)
		row->flows = live.max_flows;
	row->bursts = calloc(live.rounds, sizeof(*row->bursts));
	if (!row->bursts)
		return -1;
	if (!live.lanes[row->lane])
		live.lanes[row->lane] = lane_open(live.id, row->lane);
	row->failed = !live.lanes[row->lane] || warm_up(row);
	return 0;
}

static int choose_rows(void)
{
	regex_t wanted;
	size_t i;

	if (regcomp(&wanted, live.pattern, REG_EXTENDED | REG_NOSUB)) {
		fprintf(stderr, "live: --case %s: not a regular expression\n", live.pattern);
		return -1;
	}
	for (i = 0; i < ROWS; i++)
		rows[i].wanted =
			!regexec(&wanted, rows[i].name, 0, NULL, 0) && !live.without[rows[i].lane];
	if (!regexec(&wanted, "two-cores", 0, NULL, 0) && sysconf(_SC_NPROCESSORS_ONLN) > 1)
		live.pairs = calloc(live.rounds, sizeof(*live.pairs));
	regfree(&wanted);
	return 0;
}

static int open_rows(void)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].wanted && open_row(&rows[i]))
			return -1;
	return 0;
}

/* A half of the round's packets; not so many where each takes a microsecond. */
static void measure_half(struct row *row, uint32_t round)
{
	struct burst *sum = &row->bursts[round], half;
	uint32_t packets = live.packets / 2;

	if (!row->wanted || row->failed)
		return;
	if (lane_is_slow(row->lane) && packets > SLOW_PACKETS_MAX)
		packets = SLOW_PACKETS_MAX;
	row->failed = lane_burst(live.lanes[row->lane], row->flows, packets, &half);
	if (row->failed)
		return;
	sum->ns += half.ns / 2;
	sum->kernel_ns += half.kernel_ns / 2;
}

/* There and back, so that a machine that gets slower favours nobody. */
static void measure_round(uint32_t round)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		measure_half(&rows[(i + round) % ROWS], round);
	for (i = ROWS; i-- > 0;)
		measure_half(&rows[(i + round) % ROWS], round);
}

/* --- two cores --- */

struct core {
	uint32_t cpu;
	struct lane *lane;
	pthread_barrier_t *begin;
	struct burst burst;
	int error;
};

static void *run_core(void *argument)
{
	struct core *core = argument;
	struct burst warm;

	core->error = pin(core->cpu);
	if (!core->error)
		core->error = lane_burst(core->lane, live.max_flows, live.packets / 4, &warm);
	pthread_barrier_wait(core->begin);
	if (!core->error)
		core->error = lane_burst(core->lane, live.max_flows, live.packets, &core->burst);
	return NULL;
}

static int run_both(struct core cores[2])
{
	pthread_barrier_t begin;
	pthread_t threads[2];
	int i;

	pthread_barrier_init(&begin, NULL, 2);
	for (i = 0; i < 2; i++) {
		cores[i].begin = &begin;
		if (pthread_create(&threads[i], NULL, run_core, &cores[i]))
			return -1;
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&begin);
	return cores[0].error || cores[1].error ? -1 : 0;
}

static int measure_pair(struct pair *pair)
{
	const uint32_t other = (live.cpu + 1) % sysconf(_SC_NPROCESSORS_ONLN);
	struct core cores[2] = {
		{.cpu = live.cpu, .lane = live.lanes[LANE_LB]},
		{.cpu = other, .lane = live.lanes[LANE_SECOND_PORT]},
	};
	struct burst alone;

	if (lane_burst(live.lanes[LANE_LB], live.max_flows, live.packets, &alone) ||
	    run_both(cores))
		return -1;
	pair->alone_ns = alone.ns;
	pair->both_ns[0] = cores[0].burst.ns;
	pair->both_ns[1] = cores[1].burst.ns;
	return 0;
}

static int open_pair(void)
{
	static const enum lane_number needed[] = {LANE_LB, LANE_SECOND_PORT};
	int i;

	for (i = 0; i < 2; i++) {
		struct lane **lane = &live.lanes[needed[i]];

		if (!*lane)
			*lane = lane_open(live.id, needed[i]);
		if (!*lane)
			return -1;
	}
	return 0;
}

/* --- all of it --- */

/* 0, or -1 when something did not do what it was to be measured at. */
static int measure_all(void)
{
	uint32_t round;
	size_t i;
	int error = live.pairs ? open_pair() : 0;

	for (round = 0; round < live.rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, live.rounds);
		measure_round(round);
		if (live.pairs && !error)
			error = measure_pair(&live.pairs[round]);
	}
	for (i = 0; i < ROWS; i++)
		error |= rows[i].wanted && rows[i].failed;
	return error ? -1 : 0;
}

static json_t *row_json(const struct row *row)
{
	json_t *ns = json_array(), *kernel_ns = json_array();
	uint32_t round;

	for (round = 0; round < live.rounds; round++) {
		json_array_append_new(ns, json_real(row->bursts[round].ns));
		json_array_append_new(kernel_ns, json_real(row->bursts[round].kernel_ns));
	}
	if (row->failed) {
		json_decref(ns);
		json_decref(kernel_ns);
		return json_pack("{s:s,s:s}", "name", row->name, "error",
				 "it did something else; see the messages");
	}
	return json_pack("{s:s,s:s,s:i,s:o,s:o}", "name", row->name, "lane", lane_name(row->lane),
			 "flows", (int)row->flows, "ns", ns, "kernel_ns", kernel_ns);
}

static json_t *pairs_json(void)
{
	json_t *list = json_array();
	uint32_t round;

	for (round = 0; round < live.rounds && live.pairs; round++)
		json_array_append_new(list, json_pack("{s:f,s:[f,f]}", "alone_ns",
						      live.pairs[round].alone_ns, "both_ns",
						      live.pairs[round].both_ns[0],
						      live.pairs[round].both_ns[1]));
	return list;
}

static void print_json(void)
{
	json_t *list = json_array(), *all;
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].wanted)
			json_array_append_new(list, row_json(&rows[i]));
	all = json_pack("{s:i,s:i,s:o,s:o}", "rounds", (int)live.rounds, "packets",
			(int)live.packets, "cases", list, "two_cores", pairs_json());
	json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(all);
}

static void close_all(void)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		free(rows[i].bursts);
	for (i = LANE_COUNT; i-- > 0;)
		lane_close(live.lanes[i]);
	free(live.pairs);
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

static int leave_out(const char *name)
{
	int i;

	for (i = 0; i < LANE_COUNT; i++)
		if (!strcmp(lane_name(i), name)) {
			live.without[i] = true;
			return 0;
		}
	return -1;
}

static int parse_option(int option)
{
	switch (option) {
	case 'i':
		live.id = optarg;
		return 0;
	case 'c':
		live.pattern = optarg;
		return 0;
	case 'r':
		return parse_number(optarg, 1, ROUNDS_MAX, &live.rounds);
	case 'p':
		return parse_number(optarg, 1024, 1u << 24, &live.packets);
	case 'm':
		return parse_number(optarg, 1, MILLION, &live.max_flows) ||
		       live.max_flows & (live.max_flows - 1);
	case 'w':
		return leave_out(optarg);
	case 'u':
		return parse_number(optarg, 0, CPU_SETSIZE - 1, &live.cpu);
	}
	return -1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"id", required_argument, NULL, 'i'},
		{"case", required_argument, NULL, 'c'},
		{"rounds", required_argument, NULL, 'r'},
		{"cpu", required_argument, NULL, 'u'},
		{"packets", required_argument, NULL, 'p'},
		{"without", required_argument, NULL, 'w'},
		{"max-flows", required_argument, NULL, 'm'},
		{NULL, 0, NULL, 0},
	};
	int option, status = 1;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (parse_option(option))
			live.id = NULL, optind = argc + 1;
	if (!live.id || optind != argc) {
		fprintf(stderr, "usage: live --id PREFIX [--case REGEX] [--rounds N] [--packets N] "
				"[--max-flows N] [--cpu N] [--without LANE]\n");
		return 2;
	}
	if (live.cpu == UINT32_MAX)
		live.cpu = sched_getcpu();
	if (!pin(live.cpu) && !choose_rows() && !open_rows()) {
		status = measure_all() ? 1 : 0;
		print_json();
	}
	close_all();
	return status;
}
