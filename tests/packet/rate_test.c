// SPDX-License-Identifier: BSD-2-Clause
/* Does the loaded program let just those packets pass that are within the rates of their VIP?
 *
 * Rates are so low that a bucket does not fill again while a test runs; the arithmetic has tests of its own
 * (unit/rate_cell_test). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/mman.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include "../../bpf/rate_cell.h"
#include "../../lbd/plane/explain.h"
#include "../../lbd/plane/guard.h"
#include "../../lbd/plane/trace.h"
#include "harness.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SYN 0x02
#define SYNACK 0x12

static struct datapath *plane(void)
{
	return harness_datapath();
}

/* --- rules --- */

static const char *const endpoints[VIP_COUNT] = {
	[WEB4] = "192.0.2.10:443/tcp",    [WEB6] = "[2001:db8::10]:443/tcp",
	[DNS4] = "192.0.2.10:53/udp",     [DNS6] = "[2001:db8::10]:53/udp",
	[ALL4] = "192.0.2.18:0/udp",      [EVERY4] = "192.0.2.11:0/tcp",
	[SCTP4] = "192.0.2.13:5060/sctp",
};

static void rule_set(enum vip_index vip, uint32_t at, uint32_t what, uint32_t length, uint64_t rate)
{
	const struct lb_guard_vip rules = {.rules = LB_GUARD_RATES};
	struct lb_rate *rule = &datapath_rates(plane())[vip].rule[at];
	uint64_t mask[2] = {length >= 64 ? ~0ull
			    : length     ? htobe64(~0ull << (64 - length))
					 : 0,
			    length > 64 ? htobe64(~0ull << (128 - length)) : 0};

	*rule = (struct lb_rate){rate_price(rate), {mask[0], mask[1]}, what, 0};
	assert_int_equal(harness_vip_guard(vip, endpoints[vip], &rules), 0);
}

static int come(void **state)
{
	struct lb_err err = {0};

	(void)state;
	harness_slots_decoy();
	if (datapath_rates_use(plane(), &err))
		fail_msg("%s; %s", err.message, err.hint);
	return 0;
}

/* What is in cells goes with it. */
static int go(void **state)
{
	(void)state;
	for (enum vip_index vip = 0; vip < VIP_COUNT; vip++)
		if (endpoints[vip])
			harness_vip_flag(vip, endpoints[vip], 0);
	datapath_trace_stop(plane());
	datapath_guard_drop(plane(), GUARD_LISTS);
	datapath_rates_drop(plane());
	return 0;
}

/* --- packets --- */

static const struct spec web4 = {.family = 4,
				 .protocol = 6,
				 .source = "198.51.100.7",
				 .destination = "192.0.2.10",
				 .sport = 40000,
				 .dport = 443};
static const struct spec web6 = {.family = 6,
				 .protocol = 6,
				 .source = "2001:db8:c:1:2::7",
				 .destination = "2001:db8::10",
				 .sport = 40000,
				 .dport = 443};

/* How many of so many are forwarded; the others are dropped by their rate. */
static int pass(const struct spec *spec, const char *source, int packets)
{
	static struct frame in, out;
	static struct counts before, after;
	struct spec from = *spec;
	int passed = 0;

	from.source = source ? source : spec->source;
	frame_build(&from, &in);
	harness_counts(&before);
	for (int i = 0; i < packets; i++)
		passed += harness_run(&in, 0, &out) == XDP_TX;
	harness_counts(&after);
	assert_int_equal(after.verdict[LB_TX] - before.verdict[LB_TX], passed);
	assert_int_equal(after.verdict[LB_DROP_RATE] - before.verdict[LB_DROP_RATE],
			 packets - passed);
	return passed;
}

static uint64_t over(enum vip_index vip, int rule)
{
	struct lb_rates_over out;

	assert_int_equal(datapath_rates_over(plane(), vip, &out), 0);
	return out.packets[rule];
}

/* --- by source: whose packets share a bucket --- */

struct row {
	const char *name;
	enum vip_index vip;
	const struct spec *spec;
	uint32_t length;
	const char *source, *same, *other;
};

static const struct row rows[] = {
	{"IPv4 /32", WEB4, &web4, 32, "198.51.100.7", "198.51.100.7", "198.51.100.8"},
	{"IPv4 /24", WEB4, &web4, 24, "198.51.100.7", "198.51.100.200", "198.51.101.7"},
	{"IPv6 /128", WEB6, &web6, 128, "2001:db8:c:1:2::7", "2001:db8:c:1:2::7",
	 "2001:db8:c:1:2::8"},
	{"IPv6 /64", WEB6, &web6, 64, "2001:db8:c:1:2::7", "2001:db8:c:1:ffff::1",
	 "2001:db8:c:2:2::7"},
	{"IPv6 /48", WEB6, &web6, 48, "2001:db8:c:1:2::7", "2001:db8:c:ffff::1",
	 "2001:db8:d:1:2::7"},
};

static void each_source_has_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];

		print_message("%s\n", row->name);
		come(NULL);
		rule_set(row->vip, 0, LB_RATE_PACKETS, row->length, 5);
		assert_int_equal(pass(row->spec, row->source, 8), 5);
		assert_int_equal(pass(row->spec, row->same, 3), 0);
		assert_int_equal(pass(row->spec, row->other, 8), 5);
		assert_int_equal(over(row->vip, 0), 9);
		go(NULL);
	}
}

static void a_bucket_fills_again(void **state)
{
	const struct timespec wait = {.tv_nsec = 300000000};

	(void)state;
	rule_set(WEB4, 0, LB_RATE_PACKETS, 32, 10);
	assert_int_equal(pass(&web4, NULL, 20), 10);
	nanosleep(&wait, NULL);
	assert_in_range(pass(&web4, NULL, 20), 2, 10);
}

/* --- kinds --- */

static void syns_alone_count(void **state)
{
	struct spec syn = web4, answer = web4;

	(void)state;
	syn.tcp_flags = SYN;
	answer.tcp_flags = SYNACK;
	rule_set(WEB4, 0, LB_RATE_SYNS, 32, 3);
	assert_int_equal(pass(&web4, NULL, 10), 10);
	assert_int_equal(pass(&answer, NULL, 10), 10);
	assert_int_equal(pass(&syn, NULL, 10), 3);
	assert_int_equal(pass(&web4, NULL, 10), 10);
	rule_set(WEB6, 0, LB_RATE_SYNS, 64, 3);
	syn = web6;
	syn.tcp_flags = SYN;
	assert_int_equal(pass(&web6, NULL, 10), 10);
	assert_int_equal(pass(&syn, NULL, 10), 3);
}

/* Of IP packets, which are 40 + 960 bytes and 60 + 940 here. */
static void bytes_are_those_of_ip_packets(void **state)
{
	struct spec spec = web4;

	(void)state;
	spec.payload = 960;
	rule_set(WEB4, 0, LB_RATE_BYTES, 32, 5000);
	assert_int_equal(pass(&spec, NULL, 8), 5);
	rule_set(WEB6, 0, LB_RATE_BYTES, 64, 5000);
	spec = web6;
	spec.payload = 940;
	assert_int_equal(pass(&spec, NULL, 8), 5);
	spec = web4;
	spec.payload = 1210;
	assert_int_equal(pass(&spec, "198.51.100.9", 8), 4);
}

static void a_vip_as_a_whole_has_one_bucket(void **state)
{
	struct spec dns = web4;

	(void)state;
	dns.protocol = 17;
	dns.dport = 53;
	rule_set(WEB4, 0, LB_RATE_PACKETS | LB_RATE_WHOLE, 0, 5);
	rule_set(DNS4, 0, LB_RATE_PACKETS | LB_RATE_WHOLE, 0, 5);
	assert_int_equal(pass(&web4, "198.51.100.1", 3), 3);
	assert_int_equal(pass(&web4, "203.0.113.1", 3), 2);
	assert_int_equal(pass(&dns, "198.51.100.1", 8), 5);
}

static void sources_of_two_vips_are_two(void **state)
{
	struct spec dns = web4;

	(void)state;
	dns.protocol = 17;
	dns.dport = 53;
	rule_set(WEB4, 0, LB_RATE_PACKETS, 32, 5);
	rule_set(DNS4, 0, LB_RATE_PACKETS, 32, 5);
	assert_int_equal(pass(&web4, NULL, 8), 5);
	assert_int_equal(pass(&dns, NULL, 8), 5);
}

static void fragments_count_and_other_vips_do_not(void **state)
{
	struct spec fragment = web4, every = web4;

	(void)state;
	fragment.protocol = 17;
	fragment.dport = 53;
	fragment.destination = "192.0.2.18";
	fragment.fragment = 0x2000;
	fragment.payload = 64;
	every.destination = "192.0.2.11";
	rule_set(ALL4, 0, LB_RATE_PACKETS, 32, 5);
	assert_int_equal(pass(&fragment, NULL, 3), 3);
	fragment.fragment = 9;
	assert_int_equal(pass(&fragment, NULL, 8), 2);
	assert_int_equal(pass(&every, NULL, 50), 50);
}

/* Plain packets have a way of their own through the program. */
static void tagged_packets_are_of_the_same_source(void **state)
{
	struct spec tagged = web4;

	(void)state;
	tagged.tag[0] = (struct tag){0x8100, 7};
	rule_set(WEB4, 0, LB_RATE_PACKETS, 32, 5);
	rule_set(WEB4, 1, LB_RATE_PACKETS | LB_RATE_WHOLE, 0, 6);
	assert_int_equal(pass(&web4, NULL, 3), 3);
	assert_int_equal(pass(&tagged, NULL, 4), 2);
	assert_int_equal(pass(&web4, NULL, 1), 0);
	assert_int_equal(pass(&tagged, "198.51.100.8", 4), 1);
	assert_int_equal(pass(&web4, "198.51.100.9", 4), 0);
}

/* --- several rules --- */

static void the_first_that_is_exceeded_drops(void **state)
{
	(void)state;
	rule_set(WEB4, 0, LB_RATE_PACKETS, 32, 2);
	rule_set(WEB4, 1, LB_RATE_PACKETS, 24, 3);
	rule_set(WEB4, 2, LB_RATE_BYTES | LB_RATE_WHOLE, 0, 40 * 5);
	rule_set(WEB4, 3, LB_RATE_PACKETS | LB_RATE_WHOLE, 0, 1000);
	assert_int_equal(pass(&web4, "198.51.100.1", 4), 2);
	assert_int_equal(pass(&web4, "198.51.100.2", 4), 1);
	assert_int_equal(pass(&web4, "203.0.113.1", 4), 2);
	assert_int_equal(pass(&web4, "203.0.114.1", 1), 0);
	assert_int_equal(over(WEB4, 0), 2 + 2 + 2);
	assert_int_equal(over(WEB4, 1), 1);
	assert_int_equal(over(WEB4, 2), 1);
	assert_int_equal(over(WEB4, 3), 0);
}

static void monitor_counts_and_drops_nothing(void **state)
{
	(void)state;
	rule_set(WEB4, 0, LB_RATE_PACKETS | LB_RATE_MONITOR, 32, 5);
	assert_int_equal(pass(&web4, NULL, 8), 8);
	assert_int_equal(over(WEB4, 0), 3);
	rule_set(WEB4, 1, LB_RATE_PACKETS | LB_RATE_WHOLE, 0, 3);
	assert_int_equal(pass(&web4, NULL, 8), 3);
	assert_int_equal(over(WEB4, 0), 11);
	assert_int_equal(over(WEB4, 1), 5);
}

static void icmp_errors_are_not_their_subjects(void **state)
{
	const struct spec quoted = {.family = 4,
				    .protocol = 6,
				    .source = "192.0.2.10",
				    .destination = "198.51.100.7",
				    .sport = 443,
				    .dport = 40000};
	const struct spec error = {.family = 4,
				   .protocol = 1,
				   .source = "203.0.113.99",
				   .destination = "192.0.2.10",
				   .icmp_type = 3,
				   .icmp_code = 1,
				   .quote = &quoted};

	(void)state;
	rule_set(WEB4, 0, LB_RATE_PACKETS, 32, 5);
	assert_int_equal(pass(&error, NULL, 8), 8);
	assert_int_equal(pass(&web4, NULL, 8), 5);
	rule_set(WEB4, 1, LB_RATE_PACKETS | LB_RATE_WHOLE, 0, 5);
	assert_int_equal(pass(&error, NULL, 8), 5);
}

/* --- lists and what looks on --- */

static void rules_outlive_a_larger_guard(void **state)
{
	const struct guard_sizes sizes = {0};

	(void)state;
	rule_set(WEB4, 0, LB_RATE_PACKETS, 32, 5);
	assert_int_equal(pass(&web4, NULL, 8), 5);
	assert_int_equal(datapath_guard_load(plane(), &sizes, NULL), 0);
	assert_int_equal(datapath_guard_enter(plane(), GUARD_LISTS, NULL), 0);
	assert_int_equal(over(WEB4, 0), 3);
	assert_in_range(pass(&web4, NULL, 8), 0,
			5); /* it takes so long that the bucket fills again */
}

static bool count_traced(void *user, const struct lb_traced *packet)
{
	*(int *)user += packet->verdict == LB_DROP_RATE;
	return true;
}

static void a_trace_counts_no_packet_twice(void **state)
{
	const struct lb_trace_filter filter = {
		.every = 1, .snap = 64, .vip = WEB4, .pool = LB_TRACE_NONE};
	int told = 0;

	(void)state;
	rule_set(WEB4, 0, LB_RATE_PACKETS, 32, 5);
	assert_int_equal(datapath_trace_start(plane(), &filter, NULL), 0);
	datapath_trace_allow(plane(), 1000);
	assert_int_equal(pass(&web4, NULL, 8), 5);
	datapath_trace_read(plane(), count_traced, &told);
	assert_int_equal(told, 3);
}

static uint32_t explain(uint64_t *out)
{
	static struct explained said;
	static struct frame in;

	frame_build(&web4, &in);
	assert_int_equal(datapath_explain(plane(), in.bytes, in.length, 0, &said, NULL), 0);
	memcpy(out, said.over.packets, sizeof(said.over.packets));
	return said.verdict;
}

static void explain_says_which_rule_and_costs_nothing(void **state)
{
	uint64_t exceeds[LB_RATES];

	(void)state;
	rule_set(WEB4, 0, LB_RATE_PACKETS | LB_RATE_MONITOR, 24, 3);
	rule_set(WEB4, 1, LB_RATE_PACKETS, 32, 5);
	for (int i = 0; i < 8; i++)
		assert_int_equal(explain(exceeds), LB_TX);
	assert_true(!exceeds[0] && !exceeds[1]);
	assert_int_equal(pass(&web4, NULL, 8), 5);
	assert_int_equal(explain(exceeds), LB_DROP_RATE);
	assert_true(exceeds[0] && exceeds[1] && !exceeds[2]);
	assert_int_equal(over(WEB4, 1), 3);
}

/* --- several CPUs --- */

#define CPUS_MAX 8

struct sender {
	pthread_t thread;
	int cpu;
	const struct frame *frame;
	uint64_t until_ns;
	pthread_barrier_t *start;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* One packet after the other in the kernel, so that CPUs meet in a cell. What is dropped is there again. */
static void *send_all(void *user)
{
	struct sender *sender = user;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sender->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	pthread_barrier_wait(sender->start);
	do {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = sender->frame->bytes,
			    .data_size_in = sender->frame->length, .repeat = 2000);

		bpf_prog_test_run_opts(datapath_program_fd(plane()), &run);
	} while (now_ns() < sender->until_ns);
	return NULL;
}

static void send_from_all(const struct frame *frame, int cpus, uint64_t ns)
{
	struct sender senders[CPUS_MAX];
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, cpus);
	for (int i = 0; i < cpus; i++) {
		senders[i] = (struct sender){
			.cpu = i, .frame = frame, .until_ns = now_ns() + ns, .start = &start};
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]),
				 0);
	}
	for (int i = 0; i < cpus; i++)
		pthread_join(senders[i].thread, NULL);
	pthread_barrier_destroy(&start);
}

/* The only one of a source that has been used. */
static uint64_t cell_of_source(const struct lb_rate_pair *pairs)
{
	uint64_t found = 0;

	for (size_t i = 0; i < LB_RATE_PAIRS; i++)
		for (int which = 0; which < 2; which++)
			if (pairs[i].cell[which]) {
				assert_int_equal(found, 0);
				found = pairs[i].cell[which];
			}
	assert_int_not_equal(found, 0);
	return found;
}

/* What the first rule counts, the second drops: such a packet is as it was, and comes again at once. */
static uint64_t passed_first(void)
{
	struct counts counts;

	harness_counts(&counts);
	return counts.verdict[LB_TX] + over(WEB4, 1);
}

/* A cell goes ahead by the cost of each packet that is counted in it, while its bucket is not full. Packets that
 * are let through beyond what it has counted are those whose count another CPU has overwritten. */
static void no_count_is_lost_between_cpus(void **state)
{
	const int all = (int)sysconf(_SC_NPROCESSORS_ONLN), cpus = all < CPUS_MAX ? all : CPUS_MAX;
	const uint64_t rate = 100000, cost = rate_cost(rate_price(rate), 1), ns = 1000000000;
	const size_t bytes = LB_RATE_PAIRS * sizeof(struct lb_rate_pair);
	const int fd = harness_map_fd("guard_rate_cells");
	const struct lb_rate_pair *pairs;
	static struct frame frame;
	uint64_t cell, passed, counted;

	(void)state;
	if (cpus < 2)
		skip();
	rule_set(WEB4, 0, LB_RATE_PACKETS, 32, rate);
	rule_set(WEB4, 1, LB_RATE_PACKETS | LB_RATE_WHOLE, 0, 1);
	pairs = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(pairs, MAP_FAILED);
	frame_build(&web4, &frame);
	send_from_all(&frame, cpus, ns / 2); /* the bucket has been used */
	cell = cell_of_source(pairs), passed = passed_first();
	send_from_all(&frame, cpus, ns);
	counted = ((cell_of_source(pairs) - cell) >> RATE_TAG_BITS) / cost;
	passed = passed_first() - passed;
	munmap((void *)pairs, bytes);
	close(fd);
	print_message("%d CPUs: %ju packets, %ju counted, %ju beyond the limit\n", cpus,
		      (uintmax_t)passed, (uintmax_t)counted, (uintmax_t)over(WEB4, 0));
	assert_in_range(passed, 100, counted + counted / 1000);
	if (over(WEB4, 0))
		assert_in_range(counted, rate / 4, rate * 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_source_has_its_own),
		cmocka_unit_test_setup_teardown(a_bucket_fills_again, come, go),
		cmocka_unit_test_setup_teardown(syns_alone_count, come, go),
		cmocka_unit_test_setup_teardown(bytes_are_those_of_ip_packets, come, go),
		cmocka_unit_test_setup_teardown(a_vip_as_a_whole_has_one_bucket, come, go),
		cmocka_unit_test_setup_teardown(sources_of_two_vips_are_two, come, go),
		cmocka_unit_test_setup_teardown(fragments_count_and_other_vips_do_not, come, go),
		cmocka_unit_test_setup_teardown(tagged_packets_are_of_the_same_source, come, go),
		cmocka_unit_test_setup_teardown(the_first_that_is_exceeded_drops, come, go),
		cmocka_unit_test_setup_teardown(monitor_counts_and_drops_nothing, come, go),
		cmocka_unit_test_setup_teardown(icmp_errors_are_not_their_subjects, come, go),
		cmocka_unit_test_setup_teardown(rules_outlive_a_larger_guard, come, go),
		cmocka_unit_test_setup_teardown(a_trace_counts_no_packet_twice, come, go),
		cmocka_unit_test_setup_teardown(explain_says_which_rule_and_costs_nothing, come,
						go),
		cmocka_unit_test_setup_teardown(no_count_is_lost_between_cpus, come, go),
	};

	return cmocka_run_group_tests_name("rate", tests, harness_set_up, harness_tear_down);
}
