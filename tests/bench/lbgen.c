// SPDX-License-Identifier: BSD-2-Clause
/* A traffic generator for a lab: what does the balancer do with so many flows, with a SYN flood?
 *
 * The kernel runs lbgen.bpf.c over and over on frames of its own (BPF_PROG_TEST_RUN with live
 * frames) and sends them out of an interface of this network namespace, whose driver must be able
 * to send XDP frames (veth: always; network cards: those with native XDP, mostly).
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lbgen.h"
#include "tests/bench/lbgen.skel.h"

/* Frames that go out between two looks at other work; a veth's ring holds 256. */
#define BATCH 64
/* A run costs some 24 ms however short it is, and cannot be stopped: so many packets at most. */
#define RUN_PACKETS_MAX 100000
#define PAUSE_NS 10000000
#define FLOWS_MAX (1u << 30)

static const char help[] =
	"usage: lbgen --interface NAME --dmac MAC [options] ADDRESS:PORT\n"
	"\n"
	"Sends IPv4 or IPv6 packets to a VIP, from an interface whose driver can send XDP frames, "
	"and "
	"says\n"
	"which backends they went to. Needs root. For labs and networks of your own.\n"
	"\n"
	"  --interface NAME   where packets leave\n"
	"  --dmac MAC         the balancer's, or the router's on the way to it\n"
	"  --source PREFIX    clients' addresses (198.18.0.0/15, or 2001:db8:c::/111); at most 31 "
	"bits vary\n"
	"  --flows N          how many flows, gone through again and again (1024); a power of "
	"two,\n"
	"                     else the next one\n"
	"  --spoof            instead: a flood, every packet of a random flow\n"
	"  --syn PERCENT      of the TCP flows that send SYNs (0); the others send ACKs, as those "
	"of\n"
	"                     established connections\n"
	"  --udp PERCENT      of all flows that are UDP (0)\n"
	"  --rate PPS         packets a second (10000); 0: as fast as it goes\n"
	"  --seconds S        for how long (10); SIGINT and SIGTERM end it earlier\n"
	"  --count NAME       count what arrives on that interface encapsulated, by backend, and "
	"drop\n"
	"                     it: this one for a balancer that sends back by the same link, or one "
	"of\n"
	"                     a backend's. No other XDP program may be there\n"
	"  --json             the report as JSON\n";

static struct {
	unsigned int interface, count_interface; /* 0: not given */
	struct lbgen_config config;
	uint32_t flows;
	double rate, seconds;
	bool json, source_given, source_ipv6;

	struct lbgen_bpf *program;
	struct bpf_link *counter;
	uint64_t packets;
	double elapsed;
} gen = {
	.config = {.src_mac = {2, 0, 0, 0, 0xf1, 0x0d}},
	.flows = 1024,
	.rate = 10000,
	.seconds = 10,
};

static volatile sig_atomic_t end_wanted;

static void on_signal(int signal)
{
	(void)signal;
	end_wanted = 1;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int fail(const char *what, int error, const char *hint)
{
	fprintf(stderr, "lbgen: %s: %s%s%s\n", what, strerror(error), *hint ? "; " : "", hint);
	return -1;
}

/* --- sending --- */

static int open_programs(void)
{
	int error;

	gen.program = lbgen_bpf__open();
	if (!gen.program)
		return fail("programs", errno, "");
	*(struct lbgen_config *)&gen.program->rodata->lbgen_config = gen.config;
	error = lbgen_bpf__load(gen.program);
	if (error)
		return fail("programs", -error, "it needs root");
	gen.program->bss->lbgen_order = (struct lbgen_order){
		.multiplier = 1664525, .addend = 1013904223, .flows_mask = gen.flows - 1};
	if (!gen.count_interface)
		return 0;
	gen.counter = bpf_program__attach_xdp(gen.program->progs.backends, gen.count_interface);
	return gen.counter
		       ? 0
		       : fail("--count", errno, "no other XDP program may be on that interface");
}

static int send_packets(uint32_t count)
{
	static const uint8_t frame[LBGEN_FRAME6_LENGTH];
	const uint32_t length = gen.config.ipv6 ? LBGEN_FRAME6_LENGTH : LBGEN_FRAME_LENGTH;
	struct xdp_md context = {.data_end = length, .ingress_ifindex = gen.interface};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	int error = bpf_prog_test_run_opts(bpf_program__fd(gen.program->progs.generate), &options);

	if (error == -EINTR)
		return 0;
	if (error)
		return fail("BPF_PROG_TEST_RUN", -error, "live frames need Linux 5.18");
	gen.packets += count;
	return 0;
}

static int send_all(void)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	const double begin = now_s();

	while ((gen.elapsed = now_s() - begin) < gen.seconds && !end_wanted) {
		double due = gen.rate ? gen.rate * gen.elapsed - gen.packets : RUN_PACKETS_MAX;

		if (due > RUN_PACKETS_MAX)
			due = RUN_PACKETS_MAX;
		if (due >= BATCH && send_packets(due))
			return -1;
		if (gen.rate)
			nanosleep(&pause, NULL);
	}
	return 0;
}

/* --- reporting --- */

static const char *backend_text(const struct lbgen_backend *backend, char out[INET6_ADDRSTRLEN])
{
	static const uint8_t zero[12];
	const bool ipv4 = !memcmp(backend->address + 4, zero, sizeof(zero));

	return inet_ntop(ipv4 ? AF_INET : AF_INET6, backend->address, out, INET6_ADDRSTRLEN);
}

static json_t *read_backends(void)
{
	const int fd = bpf_map__fd(gen.program->maps.lbgen_backends);
	const int cpus = libbpf_num_possible_cpus();
	uint64_t *values = calloc(cpus, sizeof(*values));
	struct lbgen_backend key, *previous = NULL;
	json_t *backends = json_object();
	char text[INET6_ADDRSTRLEN];

	for (; values && !bpf_map_get_next_key(fd, previous, &key); previous = &key) {
		json_int_t sum = 0;
		int i;

		if (bpf_map_lookup_elem(fd, &key, values))
			continue;
		for (i = 0; i < cpus; i++)
			sum += values[i];
		json_object_set_new(backends, backend_text(&key, text), json_integer(sum));
	}
	free(values);
	return backends;
}

static json_int_t sum_of(const json_t *backends)
{
	const char *name;
	json_t *count;
	json_int_t sum = 0;

	json_object_foreach ((json_t *)backends, name, count)
		sum += json_integer_value(count);
	return sum;
}

static void print_text(const json_t *backends)
{
	const char *name;
	json_t *count;

	printf("%llu packets in %.1f s, %.0f a second\n", (unsigned long long)gen.packets,
	       gen.elapsed, gen.packets / gen.elapsed);
	if (!gen.counter)
		return;
	printf("%lld arrived for %zu backends\n", (long long)sum_of(backends),
	       json_object_size(backends));
	json_object_foreach ((json_t *)backends, name, count)
		printf("  %-39s %12lld\n", name, (long long)json_integer_value(count));
}

/* What is on its way still has 0.2 s to arrive. */
static void report(void)
{
	const struct timespec rest = {.tv_nsec = 200000000};
	json_t *backends;

	nanosleep(&rest, NULL);
	backends = read_backends();
	if (gen.json) {
		json_t *all = json_pack("{s:I,s:f,s:f}", "packets", (json_int_t)gen.packets,
					"seconds", gen.elapsed, "rate", gen.packets / gen.elapsed);

		if (gen.counter) {
			json_object_set_new(all, "arrived", json_integer(sum_of(backends)));
			json_object_set(all, "backends", backends);
		}
		json_dumpf(all, stdout, JSON_SORT_KEYS | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(all);
	} else {
		print_text(backends);
	}
	json_decref(backends);
}

/* --- options --- */

static int parse_number(const char *text, double least, double most, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return *end || end == text || !(*out >= least) || *out > most ? -1 : 0;
}

static int parse_mac(const char *text)
{
	const struct ether_addr *mac = ether_aton(text);

	if (mac)
		memcpy(gen.config.dst_mac, mac, sizeof(gen.config.dst_mac));
	return mac ? 0 : -1;
}

/* The last word without the bits that vary; the words before it, of IPv6. */
static int set_source(int source_bits, const __be32 *before, __be32 last)
{
	if (source_bits < 0 || source_bits > 31)
		return -1;
	if (before)
		memcpy(gen.config.source6, before, sizeof(gen.config.source6));
	gen.config.source_bits = source_bits;
	gen.config.source = htonl(ntohl(last) >> source_bits << source_bits);
	gen.source_ipv6 = before;
	return 0;
}

static int parse_source(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct in_addr v4;
	int bits;

	if (sscanf(text, "%45[0-9a-fA-F.:]/%d", address, &bits) != 2)
		return -1;
	gen.source_given = true;
	if (inet_pton(AF_INET, address, &v4) == 1)
		return set_source(32 - bits, NULL, v4.s_addr);
	if (inet_pton(AF_INET6, address, &v6) == 1)
		return set_source(128 - bits, v6.s6_addr32, v6.s6_addr32[3]);
	return -1;
}

/* Of the family that sources are of; without --source, those of the default. */
static int parse_destination(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	struct in_addr v4;
	unsigned int port;

	gen.config.ipv6 = text[0] == '[';
	if (gen.config.ipv6 && (sscanf(text, "[%45[0-9a-fA-F.:]]:%u", address, &port) != 2 ||
				inet_pton(AF_INET6, address, gen.config.dst_address6) != 1))
		return -1;
	if (!gen.config.ipv6 && (sscanf(text, "%15[0-9.]:%u", address, &port) != 2 ||
				 inet_pton(AF_INET, address, &v4) != 1))
		return -1;
	if (!gen.config.ipv6)
		gen.config.dst_address = v4.s_addr;
	gen.config.dst_port = htons(port);
	if (!gen.source_given)
		parse_source(gen.config.ipv6 ? "2001:db8:c::/111" : "198.18.0.0/15");
	return port > 65535 || gen.source_ipv6 != gen.config.ipv6 ? -1 : 0;
}

static int parse_share(const char *text, __u32 *share)
{
	double percent;

	if (parse_number(text, 0, 100, &percent))
		return -1;
	*share = percent * LBGEN_SHARE_ALL / 100;
	return 0;
}

static int parse_flows(const char *text)
{
	double wanted;

	if (parse_number(text, 1, FLOWS_MAX, &wanted))
		return -1;
	for (gen.flows = 1; gen.flows < wanted; gen.flows <<= 1)
		;
	return 0;
}

static int wrong(const char *what, const char *text)
{
	fprintf(stderr, "lbgen: %s: \"%s\" is not valid\n", what, text);
	return -1;
}

/* An interface that there is not it names itself. */
static int parse_option(int option)
{
	switch (option) {
	case 'i':
		gen.interface = if_nametoindex(optarg);
		return gen.interface ? 0 : fail(optarg, errno, "");
	case 'c':
		gen.count_interface = if_nametoindex(optarg);
		return gen.count_interface ? 0 : fail(optarg, errno, "");
	case 'd':
		return parse_mac(optarg);
	case 'S':
		return parse_source(optarg);
	case 'f':
		return parse_flows(optarg);
	case 's':
		return parse_share(optarg, &gen.config.syn_share);
	case 'u':
		return parse_share(optarg, &gen.config.udp_share);
	case 'r':
		return parse_number(optarg, 0, 1e9, &gen.rate);
	case 't':
		return parse_number(optarg, 0.001, 1e6, &gen.seconds);
	case 'p':
		gen.config.spoof = 1;
		return 0;
	case 'j':
		gen.json = true;
		return 0;
	}
	return -1;
}

static int parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"interface", required_argument, NULL, 'i'},
		{"dmac", required_argument, NULL, 'd'},
		{"source", required_argument, NULL, 'S'},
		{"flows", required_argument, NULL, 'f'},
		{"spoof", no_argument, NULL, 'p'},
		{"syn", required_argument, NULL, 's'},
		{"udp", required_argument, NULL, 'u'},
		{"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 't'},
		{"count", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const struct ether_addr none = {{0}};
	int option, index;

	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			exit(0);
		}
		if (parse_option(option))
			return strchr("?ic", option) ? -1 : wrong(options[index].name, optarg);
	}
	if (argc - optind != 1 || !gen.interface ||
	    !memcmp(gen.config.dst_mac, &none, sizeof(none)))
		return -1;
	return parse_destination(argv[optind]) ? wrong("ADDRESS:PORT", argv[optind]) : 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	int status = 1;

	if (parse_options(argc, argv)) {
		fputs("usage: lbgen --interface NAME --dmac MAC [options] ADDRESS:PORT; "
		      "\"lbgen --help\" says more\n",
		      stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (!open_programs() && !send_all()) {
		report();
		status = 0;
	}
	bpf_link__destroy(gen.counter);
	lbgen_bpf__destroy(gen.program);
	return status;
}
