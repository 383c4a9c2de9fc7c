/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a flood reach the balancer without a machine to send it? A generator for tests: the
 * kernel runs flood.bpf.c over and over on frames of its own (BPF_PROG_TEST_RUN with live frames)
 * and sends them out of an interface of this network namespace.
 *
 *	flood_tool --object FILE --interface NAME --dmac MAC [--syn|--ack|--mix|--pair|--all]
 *		   [--sources N|--from ADDRESS] [--rate PPS] [--seconds S] ADDRESS PORT
 *
 * sends for S seconds (10) at most, until SIGTERM or SIGINT, and then prints
 * {"packets":N,"seconds":S,"rate":N}. Without --rate: as fast as it goes. --sources: how many
 * different flows, any of 2^32 unless given. --from: of that address instead, its ports 1024 to
 * 33791 in turn. --all: SYNs, ACKs, datagrams and fragments of both, of any flow from 512 addresses.
 * IPv4 only.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flood.h"

#define FRAME_LENGTH 60
/* Frames that go out between two looks at other work; the receiver's ring holds 256. */
#define BATCH 64
/* A run costs some 24 ms however short it is, and cannot be stopped: so many packets at most. */
#define RUN_PACKETS_MAX 100000
#define PAUSE_NS 10000000

struct flood {
	const char *object_path;
	unsigned int ifindex;
	struct flood_config config;
	double rate, seconds;

	struct bpf_object *object;
	int program;
	uint64_t packets;
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

static int fail(const char *what, int error)
{
	fprintf(stderr, "flood_tool: %s: %s\n", what, strerror(error));
	return -1;
}

static int load(struct flood *flood)
{
	struct bpf_program *program;
	struct bpf_map *rodata;
	void *config = NULL;
	size_t size = 0;
	int error;

	flood->object = bpf_object__open_file(flood->object_path, NULL);
	if (!flood->object)
		return fail(flood->object_path, errno);
	rodata = bpf_object__find_map_by_name(flood->object, ".rodata");
	program = bpf_object__find_program_by_name(flood->object, "flood");
	if (rodata)
		config = (void *)bpf_map__initial_value(rodata, &size);
	if (!config || size < sizeof(flood->config) || !program)
		return fail(flood->object_path, EINVAL);
	memcpy(config, &flood->config, sizeof(flood->config));
	error = bpf_object__load(flood->object);
	if (error)
		return fail("load", -error);
	flood->program = bpf_program__fd(program);
	return 0;
}

static int send_packets(struct flood *flood, uint32_t count)
{
	static uint8_t frame[FRAME_LENGTH];
	struct xdp_md context = {.data_end = sizeof(frame), .ingress_ifindex = flood->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = count,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	sigset_t ends, before;
	int error;

	/* Interrupted, it would not say how many packets it has sent. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, &before);
	error = bpf_prog_test_run_opts(flood->program, &options);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (error)
		return fail("BPF_PROG_TEST_RUN", -error);
	flood->packets += count;
	return 0;
}

static int run(struct flood *flood)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	double begin = now_s(), elapsed;

	while ((elapsed = now_s() - begin) < flood->seconds && !end_wanted) {
		double due = flood->rate ? flood->rate * elapsed - flood->packets : RUN_PACKETS_MAX;

		if (due > RUN_PACKETS_MAX)
			due = RUN_PACKETS_MAX;
		if (due >= BATCH && send_packets(flood, due))
			return 1;
		if (flood->rate)
			nanosleep(&pause, NULL);
	}
	printf("{\"packets\":%llu,\"seconds\":%.3f,\"rate\":%.0f}\n",
	       (unsigned long long)flood->packets, elapsed, flood->packets / elapsed);
	return 0;
}

static int parse_destination(struct flood *flood, const char *address, const char *port)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, address, &v4) != 1)
		return -1;
	flood->config.dst_address = v4.s_addr;
	flood->config.dst_port = htons(atoi(port));
	return 0;
}

static int parse_mac(struct flood *flood, const char *text)
{
	const struct ether_addr *mac = ether_aton(text);

	if (!mac)
		return -1;
	memcpy(flood->config.dst_mac, mac, sizeof(flood->config.dst_mac));
	return 0;
}

static int parse_option(struct flood *flood, int option)
{
	if (option == 'o')
		flood->object_path = optarg;
	else if (option == 'i')
		flood->ifindex = if_nametoindex(optarg);
	else if (option == 'd')
		return parse_mac(flood, optarg);
	else if (option == 'f')
		return inet_pton(AF_INET, optarg, &flood->config.from) == 1 ? 0 : -1;
	else if (option == 'n')
		flood->config.sources = strtoul(optarg, NULL, 10);
	else if (option == 'r')
		flood->rate = atof(optarg);
	else if (option == 't')
		flood->seconds = atof(optarg);
	else if (option == FLOOD_SYN || option == FLOOD_ACK || option == FLOOD_MIX ||
		 option == FLOOD_PAIR || option == FLOOD_ALL)
		flood->config.kind = option;
	else
		return -1;
	return 0;
}

static int parse_options(struct flood *flood, int argc, char **argv)
{
	static const struct option options[] = {
		{"object", required_argument, NULL, 'o'},
		{"interface", required_argument, NULL, 'i'},
		{"dmac", required_argument, NULL, 'd'},
		{"syn", no_argument, NULL, FLOOD_SYN},
		{"ack", no_argument, NULL, FLOOD_ACK},
		{"mix", no_argument, NULL, FLOOD_MIX},
		{"pair", no_argument, NULL, FLOOD_PAIR},
		{"all", no_argument, NULL, FLOOD_ALL},
		{"sources", required_argument, NULL, 'n'},
		{"from", required_argument, NULL, 'f'},
		{"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (parse_option(flood, option))
			return -1;
	if (argc - optind != 2 || !flood->object_path || !flood->ifindex || flood->rate < 0)
		return -1;
	return parse_destination(flood, argv[optind], argv[optind + 1]);
}

int main(int argc, char **argv)
{
	struct flood flood = {.seconds = 10};
	struct sigaction action = {.sa_handler = on_signal};
	int status = 1;

	if (parse_options(&flood, argc, argv)) {
		fprintf(stderr, "usage: flood_tool --object FILE --interface NAME --dmac MAC "
				"[--syn|--ack|--mix|--pair|--all] [--sources N|--from ADDRESS] "
				"[--rate PPS] [--seconds S] ADDRESS PORT\n");
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (!load(&flood))
		status = run(&flood);
	bpf_object__close(flood.object);
	return status;
}
