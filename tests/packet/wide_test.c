/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIP does the loaded program find where VIPs are prefixes and have ranges of ports?
 *
 * Each VIP has one slot and a backend of its own: the outer destination tells which VIP was found.
 * `wide_test SEED PACKETS` repeats or lengthens the random part; with 0 the seed is the time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../lbd/plane/datapath.h"
#include "frame.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define VIPS 64u
#define LOOPBACK 1 /* where BPF_PROG_TEST_RUN has its frames come in */
#define NOBODY UINT32_MAX
#define PACKETS 150000 /* of a family */

static struct datapath *datapath;

static int open_datapath(void **state)
{
	const struct datapath_options options = {.vips = VIPS,
						 .members = VIPS,
						 .slots = VIPS,
						 .flows = 1024,
						 .answer_rate = 1000000,
						 .seed = {1, 2}};
	struct lb_err err = {0};

	(void)state;
	if (datapath_open(&options, &datapath, &err)) {
		fprintf(stderr, "%s: %s\n", err.message, err.hint);
		return -1;
	}
	datapath_nexthops(datapath)[1] = (struct lb_nexthop){
		.valid = 1, .dst_mac = {2}, .src_mac = {2, 1}, .ifindex = LOOPBACK, .mtu = 9000};
	for (uint32_t i = 0; i < VIPS; i++) {
		struct lb_member member = {.flags = LB_MEMBER_VALID | LB_MEMBER_NEW | LB_MEMBER_OLD,
					   .daddr = {htonl(10 << 24 | i)},
					   .saddr = {htonl(10 << 24 | 0xffff)}};

		for (uint32_t j = 0; j < LB_MEMBER_PATHS; j++)
			member.path[j] = 1;
		datapath_members(datapath)[i] = member;
		datapath_slots(datapath)[i] = lb_slot_settled(i);
	}
	return 0;
}

static int close_datapath(void **state)
{
	(void)state;
	datapath_close(datapath);
	return 0;
}

/* --- VIPs --- */

static struct lb_endpoint parse(const char *text)
{
	struct lb_endpoint endpoint;

	if (lb_endpoint_parse(text, &endpoint, NULL))
		fail_msg("no endpoint: %s", text);
	return endpoint;
}

static void set_entry(const struct lb_endpoint *endpoint, const struct lb_vip_value *value)
{
	struct lb_err err = {0};

	if (datapath_vip_set(datapath, endpoint, value, &err))
		fail_msg("%s", err.message);
}

/* Without the address-only entry. */
static void set_alone(const struct lb_endpoint *endpoint, uint32_t number, uint32_t flags)
{
	const struct lb_vip_value value = {
		.number = number, .slots_start = number, .slots_size = 1, .flags = flags};

	set_entry(endpoint, &value);
}

static void set(const struct lb_endpoint *endpoint, uint32_t number, uint32_t flags)
{
	const struct lb_vip_value only = {.flags = LB_VIP_ADDRESS_ONLY};
	const struct lb_endpoint address = {.address = endpoint->address,
					    .host_bits = endpoint->host_bits};

	set_entry(&address, &only);
	set_alone(endpoint, number, flags);
}

static void del(const struct lb_endpoint *endpoint)
{
	assert_int_equal(datapath_vip_del(datapath, endpoint, NULL), 0);
}

static void del_address(const struct lb_endpoint *endpoint)
{
	const struct lb_endpoint address = {.address = endpoint->address,
					    .host_bits = endpoint->host_bits};

	del(&address);
}

/* --- packets --- */

/* The XDP action. */
static int run(const struct frame *frame, struct frame *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->bytes, .data_size_in = frame->length,
		    .data_out = out->bytes, .data_size_out = sizeof(out->bytes));

	assert_int_equal(bpf_prog_test_run_opts(datapath_program_fd(datapath), &run), 0);
	out->length = run.data_size_out;
	return run.retval;
}

static uint32_t vip_of(const struct frame *frame)
{
	static _Thread_local struct frame out;
	const int action = run(frame, &out);
	uint32_t outer;

	if (action == XDP_PASS)
		return NOBODY;
	assert_int_equal(action, XDP_TX);
	memcpy(&outer, out.bytes + ETH + 16, 4);
	return ntohl(outer) & 0xffff;
}

static enum lb_verdict verdict_of(const struct frame *frame)
{
	static struct frame out;
	uint64_t before[LB_VERDICT_COUNT], after[LB_VERDICT_COUNT];
	enum lb_verdict verdict;

	assert_int_equal(datapath_verdicts(datapath, before), 0);
	run(frame, &out);
	assert_int_equal(datapath_verdicts(datapath, after), 0);
	for (verdict = 0; verdict < LB_VERDICT_COUNT; verdict++)
		if (after[verdict] != before[verdict])
			return verdict;
	return LB_VERDICT_COUNT;
}

static struct spec packet_to(const char *destination, uint8_t protocol, uint16_t port)
{
	const bool is6 = strchr(destination, ':') != NULL;

	return (struct spec){.family = is6 ? 6 : 4,
			     .protocol = protocol,
			     .source = is6 ? "2001:db8:c::7" : "198.51.100.7",
			     .destination = destination,
			     .sport = 40000,
			     .dport = port,
			     .payload = 64};
}

static uint32_t vip_of_packet(const char *destination, uint8_t protocol, uint16_t port)
{
	const struct spec spec = packet_to(destination, protocol, port);
	static struct frame frame;

	frame_build(&spec, &frame);
	return vip_of(&frame);
}

/* --- which comes first --- */

/* The VIPs, and of packets the VIP that must have them: by the number of its row. */
struct precedence {
	const char *vips[10];
	struct {
		const char *address;
		uint16_t port;
		int vip; /* -1: nobody */
	} packets[10];
};

static struct precedence ipv4 = {
	{"192.0.2.10:80/tcp", "192.0.2.10:0/tcp", "192.0.2.10:70-90/tcp", "192.0.2.10:75-85/tcp",
	 "192.0.2.0/24:80/tcp", "192.0.2.0/24:60-100/tcp", "192.0.2.0/24:0/tcp",
	 "192.0.0.0/16:443/tcp", "192.0.2.12:443/tcp", "192.0.2.64/26:65535/tcp"},
	{{"192.0.2.10", 80, 0},
	 {"192.0.2.10", 81, 3},
	 {"192.0.2.10", 70, 2},
	 {"192.0.2.10", 443, 1},
	 {"192.0.2.11", 80, 4},
	 {"192.0.2.11", 100, 5},
	 {"192.0.2.11", 443, 6},
	 {"192.0.3.255", 443, 7},
	 {"192.0.3.255", 444, -1},
	 {"192.0.2.65", 65535, 9}},
};

static struct precedence ipv6 = {
	{"[2001:db8::10]:80/tcp", "[2001:db8::10]:0/tcp", "[2001:db8::10]:70-90/tcp",
	 "[2001:db8::10]:75-85/tcp", "2001:db8::/64:80/tcp", "2001:db8::/64:60-100/tcp",
	 "2001:db8::/64:0/tcp", "2001:db8::/33:443/tcp", "[2001:db8::12]:443/tcp",
	 "2001:db8::8000:0:0:0/65:65535/tcp"},
	{{"2001:db8::10", 80, 0},
	 {"2001:db8::10", 81, 3},
	 {"2001:db8::10", 70, 2},
	 {"2001:db8::10", 443, 1},
	 {"2001:db8::ffff:0", 80, 4},
	 {"2001:db8::11", 100, 5},
	 {"2001:db8::11", 443, 6},
	 {"2001:db8:7fff:ffff::1", 443, 7},
	 {"2001:db8:8000::1", 443, -1},
	 {"2001:db8::8000:0:0:1", 65535, 9}},
};

static void check_precedence(const struct precedence *rows)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows->packets); i++)
		assert_int_equal((int)vip_of_packet(rows->packets[i].address, IPPROTO_TCP,
						    rows->packets[i].port),
				 rows->packets[i].vip);
}

static void address_comes_before_prefix_and_port_before_range(void **state)
{
	const struct precedence *rows = *state;

	for (uint32_t i = 0; i < ARRAY_SIZE(rows->vips); i++) {
		const struct lb_endpoint endpoint = parse(rows->vips[i]);

		set(&endpoint, i, 0);
	}
	check_precedence(rows);
	/* Made again in the opposite order. */
	for (uint32_t i = ARRAY_SIZE(rows->vips); i--;) {
		const struct lb_endpoint endpoint = parse(rows->vips[i]);

		del(&endpoint);
		set(&endpoint, i, 0);
	}
	check_precedence(rows);
	assert_int_equal(vip_of_packet(rows->packets[0].address, IPPROTO_UDP, 80), NOBODY);
	/* Each one away: the next has its packets. */
	for (uint32_t i = 0; i < ARRAY_SIZE(rows->vips); i++) {
		const struct lb_endpoint endpoint = parse(rows->vips[i]);

		del(&endpoint);
		assert_int_not_equal(vip_of_packet(rows->packets[0].address, IPPROTO_TCP, 80), i);
	}
	assert_int_equal(vip_of_packet(rows->packets[0].address, IPPROTO_TCP, 80), NOBODY);
}

/* As many as an address may belong to, each within the one before. */
static void every_part_of_a_full_list_is_found(void **state)
{
	const char *address = *state;
	struct lb_endpoint endpoint;
	char text[LB_ENDPOINT_TEXT];

	for (uint32_t i = 0; i < LB_WIDE_DEPTH; i++) {
		snprintf(text, sizeof(text),
			 strchr(address, ':') ? "[%s]:%u-%u/tcp" : "%s:%u-%u/tcp", address, 100 + i,
			 300 - i);
		endpoint = parse(text);
		set(&endpoint, i, 0);
	}
	for (uint32_t port = 99; port <= 301; port++) {
		uint32_t within = port < 200 ? port - 100 : 300 - port;

		if (within >= LB_WIDE_DEPTH)
			within = LB_WIDE_DEPTH - 1;
		assert_int_equal(vip_of_packet(address, IPPROTO_TCP, port),
				 port < 100 || port > 300 ? NOBODY : within);
	}
}

/* --- what has no ports, or is about a flow --- */

static void pings_to_a_prefix_are_answered(void **state)
{
	static const char *const rows[][3] = {
		{"192.0.2.0/24:443/tcp", "192.0.2.77", "192.0.3.77"},
		{"2001:db8::/64:443/tcp", "2001:db8::77", "2001:db8:0:1::77"},
	};
	static struct frame frame;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct lb_endpoint endpoint = parse(rows[i][0]);
		const uint8_t icmp = endpoint.address.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		struct spec spec = packet_to(rows[i][1], icmp, 0);

		set(&endpoint, 1, 0);
		frame_build(&spec, &frame);
		assert_int_equal(verdict_of(&frame), LB_TX_ECHO);
		spec.destination = rows[i][2];
		frame_build(&spec, &frame);
		assert_int_equal(verdict_of(&frame), LB_PASS_NOT_VIP);
		del(&endpoint);
		del_address(&endpoint);
		spec.destination = rows[i][1];
		frame_build(&spec, &frame);
		assert_int_equal(verdict_of(&frame), LB_PASS_NOT_VIP);
	}
}

/* From a router, about a packet that the backend has sent from an address of the prefix. */
static void icmp_errors_find_the_flow_of_a_prefix(void **state)
{
	static const struct {
		const char *vip, *client, *address, *router;
	} rows[] = {
		{"192.0.2.0/24:100-500/tcp", "198.51.100.7", "192.0.2.77", "203.0.113.1"},
		{"2001:db8::/64:100-500/tcp", "2001:db8:c::7", "2001:db8::77", "2001:db8:f::1"},
	};
	static struct frame frame;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct lb_endpoint endpoint = parse(rows[i].vip);
		const uint8_t family = endpoint.address.family;
		struct spec sent = {.family = family,
				    .protocol = IPPROTO_TCP,
				    .source = rows[i].address,
				    .destination = rows[i].client,
				    .sport = 443,
				    .dport = 40000};
		const struct spec error = {.family = family,
					   .protocol = family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
					   .source = rows[i].router,
					   .destination = rows[i].address,
					   .icmp_type = family == 4 ? 3 : 2,
					   .icmp_code = family == 4 ? 4 : 0,
					   .quote = &sent};

		set(&endpoint, 5, 0);
		frame_build(&error, &frame);
		assert_int_equal(vip_of(&frame), 5);
		sent.sport = 501;
		frame_build(&error, &frame);
		assert_int_equal(verdict_of(&frame), LB_PASS_ICMP);
		del(&endpoint);
		del_address(&endpoint);
	}
}

#define MORE 0x2000 /* IPv4: more fragments */
#define BEHIND 0x0010

static struct spec fragment_of(const char *destination, uint32_t id, bool first)
{
	struct spec spec = packet_to(destination, IPPROTO_UDP, 53);

	spec.id = id;
	if (spec.family == 4)
		spec.fragment = first ? MORE : BEHIND;
	else
		spec.fragment = first ? 1 : BEHIND << 3;
	if (spec.family == 6)
		spec.extension = EXTENSION(44);
	return spec;
}

static enum lb_verdict verdict_of_fragment(const char *destination, uint32_t id, bool first)
{
	const struct spec spec = fragment_of(destination, id, first);
	static struct frame frame;

	frame_build(&spec, &frame);
	return verdict_of(&frame);
}

struct fragments {
	const char *ports, *every, *address, *inner;
};
static struct fragments fragments4 = {"192.0.2.0/24:50-60/udp", "192.0.2.0/24:0/udp", "192.0.2.77",
				      "192.0.2.78:0/udp"};
static struct fragments fragments6 = {"2001:db8::/64:50-60/udp", "2001:db8::/64:0/udp",
				      "2001:db8::77", "[2001:db8::78]:0/udp"};

static void later_fragments_follow_their_first_to_a_prefix(void **state)
{
	const struct fragments *row = *state;
	const struct lb_endpoint endpoint = parse(row->ports);

	set(&endpoint, 3, 0);
	assert_int_equal(verdict_of_fragment(row->address, 1, false), LB_DROP_FRAGMENT_UNKNOWN);
	assert_int_equal(verdict_of_fragment(row->address, 2, true), LB_TX);
	assert_int_equal(verdict_of_fragment(row->address, 2, false), LB_TX);
}

static void fragments_go_by_the_prefix_that_needs_no_ports(void **state)
{
	const struct fragments *row = *state;
	const struct lb_endpoint endpoint = parse(row->every), inner = parse(row->inner);
	char address[LB_ADDR_TEXT];

	lb_addr_format(&inner.address, address);
	set(&endpoint, 3, LB_VIP_FRAGMENTS_3TUPLE);
	assert_int_equal(verdict_of_fragment(row->address, 1, false), LB_TX);
	assert_int_equal(verdict_of_fragment(row->address, 1, true), LB_TX);
	set(&endpoint, 3, LB_VIP_FRAGMENTS_DROP);
	assert_int_equal(verdict_of_fragment(row->address, 1, false), LB_DROP_FRAGMENT);
	/* One address has every port for itself. */
	set(&inner, 4, 0);
	assert_int_equal(verdict_of_fragment(address, 1, false), LB_DROP_FRAGMENT_UNKNOWN);
	set(&inner, 4, LB_VIP_FRAGMENTS_3TUPLE);
	assert_int_equal(verdict_of_fragment(address, 1, false), LB_TX);
}

/* A later fragment without a record, and a malformed packet, are the address's. */
static void malformed_packets_to_a_prefix_are_dropped(void **state)
{
	const struct fragments *row = *state;
	const struct lb_endpoint endpoint = parse(row->ports);
	struct spec spec = packet_to(row->address, IPPROTO_UDP, 9999);
	static struct frame frame;

	spec.l4_length = 2; /* no destination port */
	spec.payload = 0;
	frame_build(&spec, &frame);
	assert_int_equal(verdict_of(&frame), LB_PASS_NOT_VIP);
	set(&endpoint, 3, 0);
	assert_int_equal(verdict_of(&frame), LB_DROP_TRUNCATED);
}

/* By source a client has one slot at all addresses of a prefix, and a record for each flow. */
static void flows_to_addresses_of_a_prefix_are_told_apart(void **state)
{
	static const char *const addresses[] = {"192.0.2.1", "192.0.2.2"};
	const struct lb_endpoint endpoint = parse("192.0.2.0/24:0/tcp");
	static struct frame frame, out;
	uint32_t outer, buckets, words = 0;
	struct lb_flow_bucket *flows = datapath_flows(datapath, &buckets);

	(void)state;
	set(&endpoint, 7, LB_VIP_HASH_SOURCE);
	for (int pass = 0; pass < 2; pass++) {
		/* MOVING from 7 to 8: SYNs are recorded at 8, and found there when it is back. */
		datapath_slots(datapath)[7] = pass ? lb_slot_word(7, LB_NONE) : lb_slot_word(8, 7);
		for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
			for (uint16_t port = 80; port < 83; port++) {
				struct spec spec = packet_to(addresses[i], IPPROTO_TCP, port);

				spec.tcp_flags = pass ? 0x10 : 0x02;
				frame_build(&spec, &frame);
				assert_int_equal(run(&frame, &out), XDP_TX);
				memcpy(&outer, out.bytes + ETH + 16, 4);
				assert_int_equal(ntohl(outer) & 0xffff, 8);
			}
	}
	for (uint32_t i = 0; i < buckets; i++)
		for (int j = 0; j < LB_FLOW_WAYS; j++)
			words += flows[i].word[j] != 0;
	assert_int_equal(words, 6);
}

/* --- while VIPs come and go, no packet is nobody's --- */

static volatile bool racing;

static void *send_all_the_time(void *user)
{
	const struct spec spec = packet_to(user, IPPROTO_TCP, 443);
	static struct frame frame;
	uintptr_t lost = 0;

	frame_build(&spec, &frame);
	while (racing)
		lost += vip_of(&frame) == NOBODY;
	return (void *)lost;
}

static void no_packet_is_lost_between_two_vips(void **state)
{
	static const char *const outer[] = {"192.0.0.0/16:0/tcp", "2001:db8::/32:0/tcp"};
	static const char *const inner[2][4] = {
		{"192.0.2.0/24:443/tcp", "192.0.2.0/25:400-500/tcp", "192.0.2.10:440-450/tcp",
		 "192.0.2.10:0/tcp"},
		{"2001:db8::/64:443/tcp", "2001:db8::/65:400-500/tcp", "[2001:db8::10]:440-450/tcp",
		 "[2001:db8::10]:0/tcp"}};
	static char *const target[] = {"192.0.2.10", "2001:db8::10"};

	(void)state;
	srandom(1);
	for (int family = 0; family < 2; family++) {
		const struct lb_endpoint all = parse(outer[family]);
		bool there[4] = {0};
		pthread_t thread;
		void *lost;

		set(&all, 0, 0);
		racing = true;
		assert_int_equal(pthread_create(&thread, NULL, send_all_the_time, target[family]),
				 0);
		for (int i = 0; i < 4000; i++) {
			const int which = random() % 4;
			const struct lb_endpoint endpoint = parse(inner[family][which]);

			if (there[which])
				del(&endpoint);
			else
				set_alone(&endpoint, which + 1, 0);
			there[which] = !there[which];
		}
		racing = false;
		pthread_join(thread, &lost);
		assert_int_equal((uintptr_t)lost, 0);
	}
}

/* --- at random --- */

static uint64_t packets = PACKETS;
static unsigned int seed = 1;

struct known {
	struct lb_endpoint endpoint;
	bool there;
};

static const uint16_t edge_ports[] = {1, 2, 79, 80, 81, 443, 8080, 65534, 65535};

/* Few bits are set, at places where prefixes end. */
static struct lb_addr random_address(uint8_t family)
{
	static const uint8_t at4[] = {2, 3, 3}, at6[] = {4, 7, 8, 15, 15};
	struct lb_addr address = {.family = family, .bytes = {family == 4 ? 11 : 0x20, 1}};

	for (int i = random() % 4; i; i--) {
		const uint8_t at = family == 4 ? at4[random() % ARRAY_SIZE(at4)]
					       : at6[random() % ARRAY_SIZE(at6)];

		address.bytes[at] ^= (uint8_t)(1u << random() % 8);
	}
	return address;
}

static struct lb_endpoint random_endpoint(uint8_t family)
{
	const unsigned int bits = family == 4 ? 32 : 128;
	struct lb_endpoint endpoint = {.address = random_address(family),
				       .protocol = random() % 4 ? IPPROTO_TCP : IPPROTO_UDP};

	if (random() % 3)
		endpoint.host_bits = (uint8_t)(random() % (family == 4 ? 18 : 100));
	lb_addr_mask(&endpoint.address, bits - endpoint.host_bits);
	if (random() % 4)
		endpoint.port = edge_ports[random() % ARRAY_SIZE(edge_ports)];
	if (endpoint.port && random() % 2)
		endpoint.last_port = edge_ports[random() % ARRAY_SIZE(edge_ports)];
	if (endpoint.last_port <= endpoint.port)
		endpoint.last_port = 0;
	return endpoint;
}

static int specificity(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	uint16_t first_a, last_a, first_b, last_b;

	if (a->host_bits != b->host_bits)
		return a->host_bits < b->host_bits ? 1 : -1;
	lb_endpoint_ports(a, &first_a, &last_a);
	lb_endpoint_ports(b, &first_b, &last_b);
	return (last_b - first_b) - (last_a - first_a);
}

/* Two ranges of which neither is within the other are not for one prefix, nor the same one twice. */
static bool fits_beside(const struct known *known, const struct lb_endpoint *endpoint)
{
	for (uint32_t i = 0; i < VIPS; i++) {
		const struct lb_endpoint *other = &known[i].endpoint;
		uint16_t a, b, c, d;

		if (!known[i].there || other->protocol != endpoint->protocol ||
		    other->host_bits != endpoint->host_bits ||
		    !lb_addr_equal(&other->address, &endpoint->address))
			continue;
		lb_endpoint_ports(endpoint, &a, &b);
		lb_endpoint_ports(other, &c, &d);
		if ((a == c && b == d) || (a < c && b >= c && b < d) || (c < a && d >= a && d < b))
			return false;
	}
	return true;
}

static uint32_t search(const struct known *known, const struct lb_endpoint *packet)
{
	const struct lb_prefix address = lb_endpoint_prefix(packet);
	uint32_t best = NOBODY;

	for (uint32_t i = 0; i < VIPS; i++) {
		const struct lb_prefix prefix = lb_endpoint_prefix(&known[i].endpoint);
		uint16_t first, last;

		lb_endpoint_ports(&known[i].endpoint, &first, &last);
		if (known[i].there && known[i].endpoint.protocol == packet->protocol &&
		    lb_prefix_covers(&prefix, &address) && first <= packet->port &&
		    packet->port <= last &&
		    (best == NOBODY || specificity(&known[i].endpoint, &known[best].endpoint) > 0))
			best = i;
	}
	return best;
}

static void change_one(struct known *known, uint8_t family)
{
	const uint32_t which = random() % VIPS;
	struct known *one = &known[which];

	if (!one->there) {
		one->endpoint = random_endpoint(family);
		if (!fits_beside(known, &one->endpoint))
			return;
		set_alone(&one->endpoint, which, 0);
	} else {
		del(&one->endpoint);
	}
	one->there = !one->there;
}

static void send_one(const struct known *known, uint8_t family)
{
	struct lb_endpoint packet = {.address = random_address(family),
				     .protocol = random() % 4 ? IPPROTO_TCP : IPPROTO_UDP,
				     .port = edge_ports[random() % ARRAY_SIZE(edge_ports)]};
	char address[LB_ADDR_TEXT], text[LB_ENDPOINT_TEXT];
	uint32_t found, wanted;

	packet.port += random() % 2;
	wanted = search(known, &packet);
	found = vip_of_packet(lb_addr_format(&packet.address, address), packet.protocol,
			      packet.port);
	if (found != wanted)
		fail_msg("seed %u: %s goes to %d, not to %d", seed,
			 lb_endpoint_format(&packet, text), (int)found, (int)wanted);
}

static void each_packet_goes_where_a_search_through_all_says(void **state)
{
	const uint8_t family = *(const uint8_t *)*state;
	struct known known[VIPS] = {0};

	srandom(seed + family);
	for (uint32_t i = 0; i < VIPS; i++)
		change_one(known, family);
	for (uint64_t i = 0; i < packets; i++) {
		if (i % 100 == 0)
			change_one(known, family);
		send_one(known, family);
	}
}

static uint8_t four = 4, six = 6;

#define ROW(test, state)                                                                           \
	{                                                                                          \
#test, test, open_datapath, close_datapath, state                                  \
	}
#define BOTH(test, state4, state6)                                                                 \
	{#test ", IPv4", test, open_datapath, close_datapath, state4},                             \
	{                                                                                          \
#test ", IPv6", test, open_datapath, close_datapath, state6                        \
	}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOTH(address_comes_before_prefix_and_port_before_range, &ipv4, &ipv6),
		BOTH(every_part_of_a_full_list_is_found, "192.0.2.10", "2001:db8::10"),
		ROW(pings_to_a_prefix_are_answered, NULL),
		ROW(icmp_errors_find_the_flow_of_a_prefix, NULL),
		BOTH(later_fragments_follow_their_first_to_a_prefix, &fragments4, &fragments6),
		BOTH(fragments_go_by_the_prefix_that_needs_no_ports, &fragments4, &fragments6),
		BOTH(malformed_packets_to_a_prefix_are_dropped, &fragments4, &fragments6),
		ROW(flows_to_addresses_of_a_prefix_are_told_apart, NULL),
		ROW(no_packet_is_lost_between_two_vips, NULL),
		BOTH(each_packet_goes_where_a_search_through_all_says, &four, &six),
	};

	if (argc > 1)
		seed = strtoul(argv[1], NULL, 10);
	if (!seed)
		seed = time(NULL);
	if (argc > 2)
		packets = strtoull(argv[2], NULL, 10) / 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
