/* SPDX-License-Identifier: BSD-2-Clause */
/* Does bpf/decap.bpf.o take off the right outer headers, and leave every other packet alone? Frames
 * run through BPF_PROG_TEST_RUN and are compared byte for byte. Needs root; the object is looked
 * for in the build folder that this program lies in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <libgen.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define FRAME_MAX 2048

struct frame {
	size_t length;
	uint8_t bytes[FRAME_MAX];
};

static struct bpf_object *object;
static int program, stats_map, sources_map, destinations_map;

/* --- frames --- */

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static unsigned int checksum(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Appends bytes 1, 2, 3, …: what the program must not look at. */
static void append_payload(struct frame *frame, size_t length)
{
	for (size_t i = 0; i < length; i++)
		frame->bytes[frame->length++] = i + 1;
}

static void append_ethernet(struct frame *frame, unsigned int type)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	memcpy(frame->bytes, macs, sizeof(macs));
	put16(frame->bytes + 12, type);
	frame->length = ETH_HLEN;
}

/* An IP header of a family, before `length` bytes that follow it. */
static void append_ip(struct frame *frame, int family, uint8_t protocol, uint8_t tos, size_t length)
{
	uint8_t *at = frame->bytes + frame->length;

	if (family == 4) {
		memset(at, 0, 20);
		at[0] = 0x45;
		at[1] = tos;
		put16(at + 2, 20 + length);
		put16(at + 6, 0x4000);
		at[8] = 64;
		at[9] = protocol;
		memcpy(at + 12, (uint8_t[]){10, 0, 0, 2, 10, 0, 0, 11}, 8);
		put16(at + 10, checksum(at, 20));
		frame->length += 20;
		return;
	}
	memset(at, 0, 40);
	put16(at, 0x6000 | tos << 4);
	put16(at + 4, length);
	at[6] = protocol;
	at[7] = 64;
	at[8] = at[24] = 0xfd;
	at[23] = 2;
	at[39] = 11;
	frame->length += 40;
}

static size_t header(int family)
{
	return family == 4 ? 20 : 40;
}

static unsigned int ethertype(int family)
{
	return family == 4 ? ETH_P_IP : ETH_P_IPV6;
}

static void tunnel_frame(struct frame *frame, int outer, uint8_t outer_tos, int inner,
			 uint8_t inner_tos, size_t payload)
{
	append_ethernet(frame, ethertype(outer));
	append_ip(frame, outer, inner == 4 ? IPPROTO_IPIP : IPPROTO_IPV6, outer_tos,
		  header(inner) + payload);
	append_ip(frame, inner, IPPROTO_UDP, inner_tos, payload);
	append_payload(frame, payload);
}

/* The same with a UDP header between the two IP headers. */
static void gue_frame(struct frame *frame, int outer, uint8_t outer_tos, int inner,
		      uint8_t inner_tos, size_t payload)
{
	const size_t length = 8 + header(inner) + payload;
	uint8_t *udp;

	append_ethernet(frame, ethertype(outer));
	append_ip(frame, outer, IPPROTO_UDP, outer_tos, length);
	udp = frame->bytes + frame->length;
	put16(udp, 0xc123);
	put16(udp + 2, 6080);
	put16(udp + 4, length);
	put16(udp + 6, 0);
	frame->length += 8;
	append_ip(frame, inner, IPPROTO_UDP, inner_tos, payload);
	append_payload(frame, payload);
}

static void plain_frame(struct frame *frame, int family, uint8_t tos, size_t payload)
{
	append_ethernet(frame, ethertype(family));
	append_ip(frame, family, IPPROTO_UDP, tos, payload);
	append_payload(frame, payload);
}

/* --- running --- */

static void expect(const struct frame *in, int action, const struct frame *out)
{
	static uint8_t bytes[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in->bytes, .data_size_in = in->length,
		    .data_out = bytes, .data_size_out = sizeof(bytes), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(program, &run), 0);
	assert_int_equal(run.retval, action);
	if (!out)
		return;
	assert_int_equal(run.data_size_out, out->length);
	assert_memory_equal(bytes, out->bytes, out->length);
}

static void expect_untouched(const struct frame *in)
{
	expect(in, XDP_PASS, in);
}

/* A counter, by its place in struct decap_stats; over all CPUs. */
enum {
	IPV4_IN_IPV4,
	IPV6_IN_IPV4,
	IPV4_IN_IPV6,
	IPV6_IN_IPV6,
	BAD,
	OTHER_SOURCE,
	ECN_DROPPED,
	GUE,
	OTHER_DESTINATION,
	COUNTERS
};

static uint64_t counter(int which)
{
	uint64_t values[256][COUNTERS];
	uint32_t zero = 0;
	uint64_t sum = 0;

	assert_true(libbpf_num_possible_cpus() <= 256);
	assert_int_equal(bpf_map_lookup_elem(stats_map, &zero, values), 0);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		sum += values[cpu][which];
	return sum;
}

static uint64_t all_counters(void)
{
	uint64_t sum = 0;

	for (int which = 0; which < COUNTERS; which++)
		sum += counter(which);
	return sum;
}

/* --- promises --- */

static void outer_header_is_taken_off(void **state)
{
	static const int families[] = {4, 6};
	struct frame in, out;
	int which = IPV4_IN_IPV4;

	(void)state;
	for (int outer = 0; outer < 2; outer++) {
		for (int inner = 0; inner < 2; inner++) {
			uint64_t before = counter(which), all = all_counters();

			tunnel_frame(&in, families[outer], 0, families[inner], 0xb8, 30);
			plain_frame(&out, families[inner], 0xb8, 30);
			expect(&in, XDP_PASS, &out);
			assert_int_equal(counter(which), before + 1);
			assert_int_equal(all_counters(), all + 1);
			which++;
		}
	}
}

static void ethernet_padding_stays_behind_the_packet(void **state)
{
	struct frame in, out;

	(void)state;
	tunnel_frame(&in, 4, 0, 4, 0, 2);
	append_payload(&in, 18);
	plain_frame(&out, 4, 0, 2);
	append_payload(&out, 18);
	expect(&in, XDP_PASS, &out);
}

/* RFC 6040, figure 4, by inner and outer field; -1: dropped. */
static void congestion_marks_are_carried_inside(void **state)
{
	static const int becomes[4][4] = {
		/* outer: Not-ECT, ECT(1), ECT(0), CE */
		[0] = {0, 0, 0, -1},
		[1] = {1, 1, 1, 3},
		[2] = {2, 1, 2, 3},
		[3] = {3, 3, 3, 3},
	};
	struct frame in, out;

	(void)state;
	for (int i = 0; i < 64; i++) {
		int outer = i & 3, inner = i >> 2 & 3;
		int outer_family = i & 16 ? 6 : 4, inner_family = i & 32 ? 6 : 4;
		int result = becomes[inner][outer];
		uint64_t dropped = counter(ECN_DROPPED);

		tunnel_frame(&in, outer_family, 0x48 | outer, inner_family, 0xb8 | inner, 30);
		plain_frame(&out, inner_family, 0xb8 | result, 30);
		expect(&in, result < 0 ? XDP_DROP : XDP_PASS, result < 0 ? NULL : &out);
		assert_int_equal(counter(ECN_DROPPED), dropped + (result < 0));
	}
}

/* The four kinds count as without GUE, and once more together. */
static void gue_headers_are_taken_off(void **state)
{
	static const int families[] = {4, 6};
	struct frame in, out;
	int which = IPV4_IN_IPV4;

	(void)state;
	for (int outer = 0; outer < 2; outer++) {
		for (int inner = 0; inner < 2; inner++) {
			uint64_t before = counter(which), gue = counter(GUE), all = all_counters();

			gue_frame(&in, families[outer], 0, families[inner], 0xb8, 30);
			append_payload(&in, 5); /* behind the packet */
			plain_frame(&out, families[inner], 0xb8, 30);
			append_payload(&out, 5);
			expect(&in, XDP_PASS, &out);
			assert_int_equal(counter(which), before + 1);
			assert_int_equal(counter(GUE), gue + 1);
			assert_int_equal(all_counters(), all + 2);
			which++;
		}
	}
}

static void congestion_marks_are_carried_out_of_gue(void **state)
{
	struct frame in, out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		int outer = i & 1 ? 6 : 4, inner = i & 2 ? 6 : 4;

		gue_frame(&in, outer, 3, inner, 0xb8 | 2, 30);
		plain_frame(&out, inner, 0xb8 | 3, 30);
		expect(&in, XDP_PASS, &out);
		gue_frame(&in, outer, 3, inner, 0xb8, 30);
		expect(&in, XDP_DROP, NULL);
	}
}

/* The checksum of a header must be right for every identification, also where sums carry. */
static void marked_header_has_a_right_checksum(void **state)
{
	struct frame in, out;

	(void)state;
	for (unsigned int id = 0; id < 65536; id += 257) {
		tunnel_frame(&in, 4, 3, 4, 2, 8);
		plain_frame(&out, 4, 3, 8);
		put16(in.bytes + 14 + 20 + 4, id);
		put16(out.bytes + 14 + 4, id);
		put16(in.bytes + 14 + 20 + 10, 0);
		put16(out.bytes + 14 + 10, 0);
		put16(in.bytes + 14 + 20 + 10, checksum(in.bytes + 14 + 20, 20));
		put16(out.bytes + 14 + 10, checksum(out.bytes + 14, 20));
		expect(&in, XDP_PASS, &out);
	}
}

static void other_packets_pass_untouched(void **state)
{
	uint64_t before = all_counters();
	struct frame frame;

	(void)state;
	plain_frame(&frame, 4, 3, 60);
	expect_untouched(&frame);
	plain_frame(&frame, 6, 3, 60);
	expect_untouched(&frame);
	append_ethernet(&frame, ETH_P_ARP);
	append_payload(&frame, 46);
	expect_untouched(&frame);
	append_ethernet(&frame, ETH_P_8021Q); /* a tunnel packet in a VLAN that is not ours */
	append_payload(&frame, 4);
	append_ip(&frame, 4, IPPROTO_IPIP, 0, 28);
	expect_untouched(&frame);
	append_ethernet(&frame, ETH_P_IP);
	expect_untouched(&frame);
	assert_int_equal(all_counters(), before);
}

struct change {
	const char *what;
	int outer, inner;
	size_t at; /* from the outer header on */
	uint8_t value;
	bool counted; /* as malformed */
};

static const struct change changes[] = {
	{"outer fragment: more follow", 4, 4, 6, 0x20, false},
	{"outer fragment: offset", 4, 4, 7, 1, false},
	{"outer options", 4, 4, 0, 0x46, false},
	{"outer extension header", 6, 4, 6, IPPROTO_DSTOPTS, false},
	{"outer version", 4, 4, 0, 0x65, true},
	{"outer version", 6, 6, 0, 0x40, true},
	{"outer length below the header", 4, 4, 3, 19, true},
	{"outer length beyond the frame", 4, 4, 3, 20 + 20 + 8 + 1, true},
	{"outer length beyond the frame", 6, 4, 5, 20 + 8 + 1, true},
	{"outer length below the inner length", 4, 4, 3, 20 + 20 + 7, true},
	{"outer length below the inner length", 6, 6, 5, 40 + 7, true},
	{"outer length below the inner header", 4, 4, 3, 20 + 19, true},
	{"inner version", 4, 4, 20, 0x65, true},
	{"inner version", 4, 6, 20, 0x45, true},
	{"inner header length", 4, 4, 20, 0x44, true},
	{"inner header length beyond its total", 4, 4, 20, 0x4f, true},
	{"inner length below the header", 4, 4, 20 + 3, 19, true},
	{"inner length beyond the outer's", 4, 4, 20 + 3, 20 + 9, true},
	{"inner length beyond the outer's", 6, 6, 40 + 5, 9, true},
	{"inner length beyond everything", 6, 6, 40 + 4, 0xff, true},
};

static void unsound_tunnel_packets_pass_untouched(void **state)
{
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *change = &changes[i];
		uint64_t bad = counter(BAD), all = all_counters();

		tunnel_frame(&frame, change->outer, 0, change->inner, 0, 8);
		frame.bytes[14 + change->at] = change->value;
		print_message("             %s\n", change->what);
		expect_untouched(&frame);
		assert_int_equal(counter(BAD), bad + change->counted);
		assert_int_equal(all_counters(), all + change->counted);
	}
}

/* `at`: from the UDP header on. */
static const struct change gue_changes[] = {
	{"another port", 4, 4, 3, 0xc1, false},
	{"another port", 6, 6, 2, 0x16, false},
	{"6080 as the source port only", 4, 4, 2, 0, false},
	{"a UDP checksum", 4, 4, 7, 1, false},
	{"a UDP checksum", 6, 4, 6, 1, false},
	{"GUE of variant 0", 4, 4, 8, 0x00, false},
	{"GUE of variant 0, control message", 6, 6, 8, 0x20, false},
	{"variant 1 that is neither IPv4 nor IPv6", 4, 4, 8, 0x55, false},
	{"variant 2", 4, 6, 8, 0x86, false},
	{"variant 3", 6, 4, 8, 0xc4, false},
	{"UDP length below its header", 4, 4, 5, 7, true},
	{"UDP length of its header alone", 4, 4, 5, 8, true},
	{"UDP length beyond the outer packet", 4, 4, 5, 8 + 20 + 8 + 1, true},
	{"UDP length beyond the outer packet", 6, 6, 5, 8 + 40 + 8 + 1, true},
	{"UDP length below the inner packet", 4, 4, 5, 8 + 20 + 7, true},
	{"UDP length below the inner packet", 6, 6, 5, 8 + 40 + 7, true},
	{"inner IPv4 taken for IPv6", 4, 4, 8, 0x65, true},
	{"inner header length", 4, 4, 8, 0x44, true},
};

static void unsound_gue_packets_pass_untouched(void **state)
{
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(gue_changes) / sizeof(gue_changes[0]); i++) {
		const struct change *change = &gue_changes[i];
		uint64_t bad = counter(BAD), all = all_counters();

		gue_frame(&frame, change->outer, 0, change->inner, 0, 8);
		frame.bytes[14 + header(change->outer) + change->at] = change->value;
		print_message("             %s\n", change->what);
		expect_untouched(&frame);
		assert_int_equal(counter(BAD), bad + change->counted);
		assert_int_equal(all_counters(), all + change->counted);
	}
}

/* Every length from the Ethernet header to the whole: what ends too early is left alone. */
static void cut_off_frames_pass_untouched(void **state)
{
	struct frame whole, cut;

	(void)state;
	for (int i = 0; i < 4; i++) {
		tunnel_frame(&whole, i & 1 ? 6 : 4, 0, i & 2 ? 6 : 4, 0, 8);
		for (size_t length = ETH_HLEN; length < whole.length; length++) {
			cut = whole;
			cut.length = length;
			expect_untouched(&cut);
		}
	}
	for (int i = 0; i < 4; i++) {
		gue_frame(&whole, i & 1 ? 6 : 4, 0, i & 2 ? 6 : 4, 0, 8);
		for (size_t length = ETH_HLEN; length < whole.length; length++) {
			cut = whole;
			cut.length = length;
			expect_untouched(&cut);
		}
	}
}

static void only_configured_senders_are_believed(void **state)
{
	const uint8_t source4[32] = {[12] = 10, 0, 0, 0, [28] = 255, 255, 255, 0};
	const uint8_t other4[32] = {[12] = 10, 0, 1, 0, [28] = 255, 255, 255, 0};
	const uint8_t other6[32] = {[0] = 0xfd, [15] = 3, [16] = 0xff, [31] = 0xff};
	const uint8_t anybody[32] = {0};
	uint32_t v4 = 0, v6 = 1;
	uint64_t before = counter(OTHER_SOURCE);
	struct frame in, out;

	(void)state;
	tunnel_frame(&in, 4, 0, 4, 0, 8);
	plain_frame(&out, 4, 0, 8);
	assert_int_equal(bpf_map_update_elem(sources_map, &v4, source4, BPF_ANY), 0);
	expect(&in, XDP_PASS, &out);
	assert_int_equal(bpf_map_update_elem(sources_map, &v4, other4, BPF_ANY), 0);
	expect_untouched(&in);
	assert_int_equal(counter(OTHER_SOURCE), before + 1);

	tunnel_frame(&in, 6, 0, 4, 0, 8);
	expect(&in, XDP_PASS, &out);
	assert_int_equal(bpf_map_update_elem(sources_map, &v6, other6, BPF_ANY), 0);
	expect_untouched(&in);
	gue_frame(&in, 6, 0, 4, 0, 8);
	expect_untouched(&in);
	gue_frame(&in, 4, 0, 4, 0, 8);
	expect_untouched(&in);
	assert_int_equal(counter(OTHER_SOURCE), before + 4);
	bpf_map_update_elem(sources_map, &v4, anybody, BPF_ANY);
	bpf_map_update_elem(sources_map, &v6, anybody, BPF_ANY);
}

/* --- the outer destination: 10.0.0.11 and fd00::b are addresses of this host, see load --- */

static bool forward_packets(bool on)
{
	char command[160];

	snprintf(command, sizeof(command),
		 "for i in 4 6; do echo %d >/proc/sys/net/ipv$i/conf/lo/forwarding || exit; done",
		 on);
	return !system(command);
}

static void other_hosts_frame(struct frame *frame, int outer, bool gue)
{
	if (gue)
		gue_frame(frame, outer, 0, 4, 0, 8);
	else
		tunnel_frame(frame, outer, 0, 4, 0, 8);
	frame->bytes[outer == 4 ? ETH_HLEN + 19 : ETH_HLEN + 39] = 12;
	if (outer == 4) {
		put16(frame->bytes + ETH_HLEN + 10, 0);
		put16(frame->bytes + ETH_HLEN + 10, checksum(frame->bytes + ETH_HLEN, 20));
	}
}

static void tunnels_of_other_hosts_are_forwarded_untouched(void **state)
{
	struct frame in, out;
	uint64_t before = counter(OTHER_DESTINATION);
	int i;

	(void)state;
	plain_frame(&out, 4, 0, 8);
	assert_true(forward_packets(true));
	for (i = 0; i < 4; i++) {
		other_hosts_frame(&in, i & 1 ? 6 : 4, i & 2);
		expect_untouched(&in);
		assert_int_equal(counter(OTHER_DESTINATION), before + i + 1);
	}
	tunnel_frame(&in, 4, 0, 4, 0, 8);
	expect(&in, XDP_PASS, &out);
	tunnel_frame(&in, 6, 0, 4, 0, 8);
	expect(&in, XDP_PASS, &out);
	assert_true(forward_packets(false)); /* then nobody can say whose it is */
	other_hosts_frame(&in, 4, false);
	expect(&in, XDP_PASS, &out);
	other_hosts_frame(&in, 6, false);
	expect(&in, XDP_PASS, &out);
}

static void only_configured_destinations_are_taken(void **state)
{
	const uint8_t own4[32] = {[12] = 10, 0, 0, 11, [28] = 255, 255, 255, 255};
	const uint8_t own6[32] = {[0] = 0xfd, [15] = 11, [16] = 0xff, [31] = 0xff};
	const uint8_t anywhere[32] = {0};
	uint32_t v4 = 0, v6 = 1;
	struct frame in, out;

	(void)state;
	assert_int_equal(bpf_map_update_elem(destinations_map, &v4, own4, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(destinations_map, &v6, own6, BPF_ANY), 0);
	other_hosts_frame(&in, 4, false);
	expect_untouched(&in);
	other_hosts_frame(&in, 6, true);
	expect_untouched(&in);
	plain_frame(&out, 4, 0, 8);
	tunnel_frame(&in, 4, 0, 4, 0, 8);
	expect(&in, XDP_PASS, &out);
	tunnel_frame(&in, 6, 0, 4, 0, 8);
	expect(&in, XDP_PASS, &out);
	bpf_map_update_elem(destinations_map, &v4, anywhere, BPF_ANY);
	bpf_map_update_elem(destinations_map, &v6, anywhere, BPF_ANY);
}

static void frames_to_groups_pass_untouched(void **state)
{
	struct frame in;

	(void)state;
	tunnel_frame(&in, 4, 0, 4, 0, 8);
	in.bytes[0] = 0xff;
	expect_untouched(&in);
	gue_frame(&in, 6, 0, 4, 0, 8);
	in.bytes[0] = 0x33;
	expect_untouched(&in);
}

/* A network namespace of its own, where everything has a route. An IPv6 address is the host's a moment after it is
 * given, which a busy machine draws out. */
static bool make_network(void)
{
	return !unshare(CLONE_NEWNET) &&
	       !system("ip link set lo up && ip link add v0 type veth peer name v1 && "
		       "ip link set v0 up && ip link set v1 up && "
		       "ip address add 10.0.0.11/32 dev lo && ip address add fd00::b/128 dev lo && "
		       "ip route add default dev v0 && ip -6 route add default dev v0 && "
		       "for i in $(seq 200); do ip -6 route show table local | "
		       "grep -q '^local fd00::b ' && exit 0; sleep 0.05; done; exit 1");
}

static int load(void **state)
{
	char path[PATH_MAX] = "", object_path[PATH_MAX + 32];

	(void)state;
	if (!make_network() || !forward_packets(false))
		return -1;
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return -1;
	snprintf(object_path, sizeof(object_path), "%s/../../bpf/decap.bpf.o", dirname(path));
	object = bpf_object__open_file(object_path, NULL);
	if (!object || bpf_object__load(object))
		return -1;
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "decap"));
	stats_map = bpf_object__find_map_fd_by_name(object, "decap_stats");
	sources_map = bpf_object__find_map_fd_by_name(object, "decap_sources");
	destinations_map = bpf_object__find_map_fd_by_name(object, "decap_destinations");
	return 0;
}

static int unload(void **state)
{
	(void)state;
	bpf_object__close(object);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outer_header_is_taken_off),
		cmocka_unit_test(gue_headers_are_taken_off),
		cmocka_unit_test(congestion_marks_are_carried_out_of_gue),
		cmocka_unit_test(unsound_gue_packets_pass_untouched),
		cmocka_unit_test(ethernet_padding_stays_behind_the_packet),
		cmocka_unit_test(congestion_marks_are_carried_inside),
		cmocka_unit_test(marked_header_has_a_right_checksum),
		cmocka_unit_test(other_packets_pass_untouched),
		cmocka_unit_test(unsound_tunnel_packets_pass_untouched),
		cmocka_unit_test(cut_off_frames_pass_untouched),
		cmocka_unit_test(only_configured_senders_are_believed),
		cmocka_unit_test(tunnels_of_other_hosts_are_forwarded_untouched),
		cmocka_unit_test(only_configured_destinations_are_taken),
		cmocka_unit_test(frames_to_groups_pass_untouched),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
