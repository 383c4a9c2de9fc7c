// SPDX-License-Identifier: BSD-2-Clause
/* How is each of the things that are compared set up, fed and checked? */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>
#include "lanes.h"
#include "lbgen.h"
#include "rival_load.h"
#include "world.h"
#include "tests/bench/bare.skel.h"
#include "tests/bench/lbgen.skel.h"
#include "tests/bench/sink.skel.h"

/* Frames between two looks at other work; a veth's ring holds 256. */
#define BATCH 64
#define HOP_SECOND 2 /* HOP of world.c is 1 */

enum under_test { DROPPER, BARE_TX, BARE_ENCAP, BALANCER, RIVAL_BALANCER, KERNEL };

static const struct kind {
	const char *name;
	enum under_test under_test;
	enum lane_number host; /* whose namespace the middle is in */
	bool through;          /* leaves by outN, not by inN again */
	bool generic;
} kinds[LANE_COUNT] = {
	[LANE_DROP] = {"drop", DROPPER, LANE_DROP, false, false},
	[LANE_TX] = {"tx", BARE_TX, LANE_TX, false, false},
	[LANE_ENCAP] = {"encap", BARE_ENCAP, LANE_ENCAP, false, false},
	[LANE_LB] = {"lb", BALANCER, LANE_LB, false, false},
	[LANE_LB_TWIN] = {"lb-twin", BALANCER, LANE_LB_TWIN, false, false},
	[LANE_LB_REDIRECT] = {"lb-redirect", BALANCER, LANE_LB_REDIRECT, true, false},
	[LANE_LB_GENERIC] = {"lb-generic", BALANCER, LANE_LB_GENERIC, false, true},
	[LANE_LB_GENERIC_REDIRECT] = {"lb-generic-redirect", BALANCER, LANE_LB_GENERIC_REDIRECT,
				      true, true},
	[LANE_LRU] = {"lru", RIVAL_BALANCER, LANE_LRU, false, false},
	[LANE_FORWARD] = {"forward", KERNEL, LANE_FORWARD, true, false},
	[LANE_DNAT] = {"dnat", KERNEL, LANE_DNAT, true, false},
	[LANE_IPVS] = {"ipvs", KERNEL, LANE_IPVS, true, false},
	[LANE_SECOND_PORT] = {"lb-second-port", BALANCER, LANE_LB, false, false},
	[LANE_LB6] = {"lb6", BALANCER, LANE_LB6, false, false},
	[LANE_LISTED] = {"listed-lb", BALANCER, LANE_LISTED, false, false},
	[LANE_LISTED_NFT] = {"listed-nft", KERNEL, LANE_LISTED_NFT, true, false},
	[LANE_LISTED_IPSET] = {"listed-ipset", KERNEL, LANE_LISTED_IPSET, true, false},
	[LANE_LISTED_RULES] = {"listed-rules", KERNEL, LANE_LISTED_RULES, true, false},
};

bool lane_is_slow(enum lane_number number)
{
	return kinds[number].generic || kinds[number].under_test == KERNEL;
}

bool lane_drops(enum lane_number number)
{
	return number >= LANE_LISTED && number <= LANE_LISTED_RULES;
}

struct lane {
	enum lane_number number;
	const struct kind *kind;
	char id[32];
	int generator_ns;
	unsigned int in, out; /* interfaces in the middle */
	unsigned int source;
	struct lbgen_bpf *generator;
	struct sink_bpf *sink;
	struct bare_bpf *bare;
	struct plan *plan;
	struct datapath *datapath;
	struct rival *rival;
};

static struct datapath *balancer_of_lane_lb; /* LANE_SECOND_PORT is a port of it */

static bool is_ipv6(const struct lane *lane)
{
	return lane->number == LANE_LB6;
}

static int fail(const struct lane *lane, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(const struct lane *lane, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "live: lane %s: ", lane->kind->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -1;
}

/* --- namespaces --- */

static int open_namespace(const struct lane *lane, const char *node)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s-%s", lane->id, node);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail(lane, "%s: %s", path, strerror(errno));
	return fd;
}

static int enter(const struct lane *lane, const char *node)
{
	const int fd = open_namespace(lane, node);
	int error;

	if (fd < 0)
		return -1;
	error = setns(fd, CLONE_NEWNET);
	close(fd);
	return error ? fail(lane, "namespace %s: %s", node, strerror(errno)) : 0;
}

static int enter_middle(const struct lane *lane)
{
	char node[16];

	snprintf(node, sizeof(node), "u%d", lane->kind->host);
	return enter(lane, node);
}

static unsigned int interface(const struct lane *lane, const char *prefix)
{
	char name[IF_NAMESIZE];

	snprintf(name, sizeof(name), "%s%d", prefix, lane->number);
	return if_nametoindex(name);
}

/* --- the middle --- */

/* Two VIPs, with members of their own, so that there can be one for each of two ports. */
static struct bench_case balanced_case(const struct lane *lane)
{
	struct bench_case of = is_ipv6(lane) ? case_named("tcp6-1m") : case_get(0);

	of.vips = of.pools = 2;
	of.flows = MILLION;
	if (lane_drops(lane->number)) {
		of.listed = LANE_CLIENTS_LISTED;
		of.prefixes = LANE_LIST - LANE_CLIENTS_LISTED;
	}
	return of;
}

static int attach_native(const struct lane *lane, unsigned int ifindex, struct bpf_program *program)
{
	const int error =
		bpf_xdp_attach(ifindex, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL);

	return error ? fail(lane, "cannot attach to interface %u: %s", ifindex, strerror(-error))
		     : 0;
}

static int attach_balancer(struct lane *lane, struct datapath *datapath)
{
	const enum xdp_mode mode = lane->kind->generic ? XDP_MODE_GENERIC : XDP_MODE_NATIVE;
	struct datapath_attachment attachment;
	struct lb_err err = {0};
	char name[IF_NAMESIZE];

	if (!if_indextoname(lane->in, name) ||
	    datapath_attach(datapath, name, mode, &attachment, &err))
		return fail(lane, "%s", err.message);
	return 0;
}

/* The second VIP's packets leave by the second port. */
static int open_second_port(struct lane *lane)
{
	struct lb_nexthop *hops;
	uint32_t i;

	if (!balancer_of_lane_lb)
		return fail(lane, "lane lb must be there first");
	hops = datapath_nexthops(balancer_of_lane_lb);
	hops[HOP_SECOND] = hops[1];
	hops[HOP_SECOND].ifindex = lane->in;
	for (i = 0; i < 100 * LB_MEMBER_PATHS; i++)
		datapath_members(balancer_of_lane_lb)[100 + i / LB_MEMBER_PATHS]
			.path[i % LB_MEMBER_PATHS] = HOP_SECOND;
	return attach_balancer(lane, balancer_of_lane_lb);
}

static int open_balancer(struct lane *lane)
{
	const struct bench_case of = balanced_case(lane);
	const unsigned int egress = lane->kind->through ? lane->out : lane->in;

	if (lane->number == LANE_SECOND_PORT)
		return open_second_port(lane);
	lane->plan = plan_new(&of);
	if (lane->plan)
		lane->datapath = world_open(&of, lane->plan, egress);
	if (!lane->datapath)
		return -1;
	if (lane->number == LANE_LB)
		balancer_of_lane_lb = lane->datapath;
	if (datapath_egress_set(lane->datapath, lane->out, true))
		return fail(lane, "device map: %s", strerror(errno));
	return attach_balancer(lane, lane->datapath);
}

static int open_rival(struct lane *lane)
{
	const struct bench_case of = balanced_case(lane);

	lane->plan = plan_new(&of);
	lane->rival = lane->plan ? rival_new(&of, lane->plan, MILLION) : NULL;
	if (!lane->rival || rival_reload(lane->rival))
		return -1;
	return attach_native(lane, lane->in, rival_program(lane->rival));
}

static int open_middle(struct lane *lane)
{
	if (enter_middle(lane))
		return -1;
	lane->in = interface(lane, "in");
	lane->out = interface(lane, "out");
	if (!lane->in)
		return fail(lane, "its interfaces are missing");
	switch (lane->kind->under_test) {
	case DROPPER:
		return attach_native(lane, lane->in, lane->sink->progs.sink_frame);
	case BARE_TX:
		return attach_native(lane, lane->in, lane->bare->progs.tx);
	case BARE_ENCAP:
		return attach_native(lane, lane->in, lane->bare->progs.encap);
	case BALANCER:
		return open_balancer(lane);
	case RIVAL_BALANCER:
		return open_rival(lane);
	case KERNEL:
		break;
	}
	return 0;
}

/* --- the ends --- */

/* What the kernel's stack sends is dropped as soon as it arrives, without going through XDP. */
static int attach_skb_sink(struct lane *lane, unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = bpf_program__fd(lane->sink->progs.sink_skb));
	int error = bpf_tc_hook_create(&hook);

	if (!error || error == -EEXIST)
		error = bpf_tc_attach(&hook, &options);
	return error ? fail(lane, "sink: %s", strerror(-error)) : 0;
}

static int open_sink(struct lane *lane)
{
	const bool of_kernel = lane->kind->under_test == KERNEL || lane->kind->generic;
	unsigned int ifindex;

	if (lane->number == LANE_DROP)
		return 0;
	if (enter(lane, lane->kind->through ? "s" : "g"))
		return -1;
	ifindex = interface(lane, lane->kind->through ? "s" : "g");
	return of_kernel ? attach_skb_sink(lane, ifindex)
			 : attach_native(lane, ifindex, lane->sink->progs.sink_frame);
}

static void set_generator(const struct lane *lane, struct lbgen_config *config)
{
	__be32 address[4];

	*config = (struct lbgen_config){
		.dst_mac = {2, 0, 0, 0, 1, lane->number},
		.src_mac = {2, 0, 0, 0, 2, lane->number},
		.dst_address = htonl(0x0a400000 + (lane->number == LANE_SECOND_PORT)),
		.source = htonl(0xc6120000), /* 198.18.0.0/15 */
		.dst_port = htons(CASE_PORT),
		.source_bits = 17,
	};
	if (!is_ipv6(lane))
		return;
	config->ipv6 = 1;
	config->source = 0;
	inet_pton(AF_INET6, case_source(6), address);
	memcpy(config->source6, address, sizeof(config->source6));
	inet_pton(AF_INET6, case_vip(&(struct bench_case){.family = 6}), config->dst_address6);
}

static int open_generator(struct lane *lane)
{
	int error;

	lane->generator_ns = open_namespace(lane, "g");
	if (lane->generator_ns < 0 || enter(lane, "g"))
		return -1;
	lane->source = interface(lane, "g");
	lane->generator = lbgen_bpf__open();
	if (!lane->generator || !lane->source)
		return fail(lane, "generator: %s", strerror(errno));
	set_generator(lane, (struct lbgen_config *)&lane->generator->rodata->lbgen_config);
	error = lbgen_bpf__load(lane->generator);
	lane->generator->bss->lbgen_order.multiplier = 1664525;
	lane->generator->bss->lbgen_order.addend = 1013904223;
	return error ? fail(lane, "generator: %s", strerror(-error)) : 0;
}

struct lane *lane_open(const char *id, enum lane_number number)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->number = number;
	lane->kind = &kinds[number];
	lane->generator_ns = -1;
	snprintf(lane->id, sizeof(lane->id), "%s", id);
	lane->sink = sink_bpf__open_and_load();
	lane->bare = bare_bpf__open_and_load();
	if (!lane->sink || !lane->bare)
		fail(lane, "programs: %s", strerror(errno));
	else if (!open_middle(lane) && !open_sink(lane) && !open_generator(lane))
		return lane;
	lane_close(lane);
	return NULL;
}

/* What is attached goes with the namespaces. */
void lane_close(struct lane *lane)
{
	if (!lane)
		return;
	lbgen_bpf__destroy(lane->generator);
	sink_bpf__destroy(lane->sink);
	bare_bpf__destroy(lane->bare);
	datapath_close(lane->datapath);
	rival_free(lane->rival);
	plan_free(lane->plan);
	if (lane->generator_ns >= 0)
		close(lane->generator_ns);
	free(lane);
}

const char *lane_name(enum lane_number number)
{
	return kinds[number].name;
}

/* --- time --- */

/* The kernel thread that works off what interrupts and bursts have left on this CPU. */
static int find_ksoftirqd(int cpu)
{
	char path[300], comm[32], wanted[32];
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	FILE *file;
	int found = 0;

	snprintf(wanted, sizeof(wanted), "ksoftirqd/%d\n", cpu);
	while (proc && !found && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strcmp(comm, wanted))
			found = atoi(entry->d_name);
		fclose(file);
	}
	if (proc)
		closedir(proc);
	return found;
}

static double ksoftirqd_ns(void)
{
	static _Thread_local int pid;
	unsigned long long ns = 0;
	char path[64];
	FILE *file;

	if (!pid)
		pid = find_ksoftirqd(sched_getcpu());
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

static double cpu_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec + ksoftirqd_ns();
}

/* --- bursts --- */

static uint64_t read_sunk(const struct lane *lane)
{
	const int cpus = libbpf_num_possible_cpus();
	uint64_t *values = calloc(cpus, sizeof(*values)), sum = 0;
	const uint32_t zero = 0;
	int i;

	if (values && !bpf_map_lookup_elem(bpf_map__fd(lane->sink->maps.sunk), &zero, values))
		for (i = 0; i < cpus; i++)
			sum += values[i];
	free(values);
	return sum;
}

static struct datapath *lane_balancer(const struct lane *lane)
{
	return lane->number == LANE_SECOND_PORT ? balancer_of_lane_lb : lane->datapath;
}

static uint64_t read_verdict(const struct lane *lane)
{
	uint64_t verdicts[LB_VERDICT_COUNT] = {0};

	if (lane_balancer(lane))
		datapath_verdicts(lane_balancer(lane), verdicts);
	if (lane_drops(lane->number))
		return verdicts[LB_DROP_BLOCKED];
	return verdicts[lane->kind->through ? LB_REDIRECT : LB_TX];
}

/* While a burst of XDP frames lasts, no other process is to have the CPU: what it leaves in the caches
 * would be measured. Not vital. Not so with the kernel's stack: it took 4 % more instructions where
 * ksoftirqd did not get to run; nor where there is one CPU, on which 6.1 lost frames for that reason. */
static void set_policy(int policy)
{
	const struct sched_param param = {.sched_priority = policy == SCHED_FIFO};

	if (get_nprocs() > 1)
		sched_setscheduler(0, policy, &param);
}

static int run(struct lane *lane, uint32_t packets, struct burst *burst)
{
	static const uint8_t frame[LBGEN_FRAME6_LENGTH];
	const uint32_t length = is_ipv6(lane) ? LBGEN_FRAME6_LENGTH : LBGEN_FRAME_LENGTH;
	struct xdp_md context = {.data_end = length, .ingress_ifindex = lane->source};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	double begin;
	int error;

	set_policy(lane_is_slow(lane->number) ? SCHED_OTHER : SCHED_FIFO);
	begin = cpu_time_ns();
	error = bpf_prog_test_run_opts(bpf_program__fd(lane->generator->progs.generate), &options);
	set_policy(SCHED_OTHER);
	if (error)
		return fail(lane, "BPF_PROG_TEST_RUN: %s", strerror(-error));
	burst->ns = (cpu_time_ns() - begin) / packets;
	burst->kernel_ns = options.duration;
	return 0;
}

/* Two bursts at once share a balancer's verdicts: then its count is at least the one's. */
static int check(const struct lane *lane, uint32_t flows, uint32_t packets, uint64_t verdicts,
		 uint64_t arrived)
{
	const bool drops = lane_drops(lane->number);
	const uint32_t dropped = !drops ? 0
				 : flows <= LANE_CLIENTS_LISTED
					 ? packets
					 : packets / flows * LANE_CLIENTS_LISTED;
	const uint32_t owed = packets - dropped;

	if (lane_balancer(lane) && verdicts < (drops ? dropped : packets))
		return fail(lane, "%llu of %u packets had the right verdict",
			    (unsigned long long)verdicts, packets);
	if (arrived < owed - owed / 1000 || arrived > owed + packets / 1000)
		return fail(lane, "%llu of %u packets arrived", (unsigned long long)arrived, owed);
	return 0;
}

int lane_burst(struct lane *lane, uint32_t flows, uint32_t packets, struct burst *burst)
{
	uint64_t verdicts, arrived;

	if (setns(lane->generator_ns, CLONE_NEWNET))
		return fail(lane, "setns: %s", strerror(errno));
	lane->generator->bss->lbgen_order.flows_mask = flows - 1;
	verdicts = read_verdict(lane);
	arrived = read_sunk(lane);
	if (run(lane, packets, burst))
		return -1;
	burst->arrived = read_sunk(lane) - arrived;
	return check(lane, flows, packets, read_verdict(lane) - verdicts, burst->arrived);
}
