/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a backend accept the packets of its own connections, and pass on those of others? Real
 * sockets in every TCP state, with a client that is written out here; frames with lists run through
 * bpf/decap.bpf.o (XDP) and bpf/second.bpf.o (TC) by BPF_PROG_TEST_RUN, and are compared byte for
 * byte. Needs root; the objects are looked for in the build folder that this program lies in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../../bpf/second_counters.h"
#include "../../bpf/second_question.h"
#include "frame.h"

#define PORT 443
#define FIN 0x01
#define SYN 0x02
#define ACK 0x10

static const char *const vip[] = {[4] = "192.0.2.10", [6] = "2001:db8:10::10"};
static const char *const client[] = {[4] = "198.51.100.2", [6] = "2001:db8:c::2"};
static const char *const balancer[] = {[4] = "10.0.0.2", [6] = "fd00::2"};
static const char *const own[] = {[4] = "10.0.0.11", [6] = "fd00::b"};
static const char *const hops[][3] = {
	[4] = {"10.0.0.12", "10.0.0.13", "10.0.0.14"}, [6] = {"fd00::12", "fd00::13", "fd00::14"}};
static const int families[] = {4, 6};

enum hook { XDP, TC, HOOKS };

static struct bpf_object *objects[HOOKS];
static int programs[HOOKS], stats_maps[HOOKS], sources_maps[HOOKS], watch_maps[HOOKS], hops_map;
static unsigned int interface; /* v0 */
static int wire = -1;          /* its other end */
static int listeners[7];

/* --- frames --- */

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void put_address(uint8_t *at, int family, const char *address)
{
	assert_int_equal(inet_pton(family == 4 ? AF_INET : AF_INET6, address, at), 1);
}

static size_t header(int family)
{
	return family == 4 ? 20 : 40;
}

/* An IP header before `length` bytes; its size. */
static size_t put_ip(uint8_t *at, int family, uint8_t protocol, const char *source,
		     const char *destination, uint8_t ttl, size_t length)
{
	memset(at, 0, header(family));
	if (family == 6) {
		at[0] = 0x60;
		put16(at + 4, length);
		at[6] = protocol;
		at[7] = ttl;
		put_address(at + 8, 6, source);
		put_address(at + 24, 6, destination);
		return 40;
	}
	at[0] = 0x45;
	put16(at + 2, 20 + length);
	put16(at + 4, 0x1234);
	put16(at + 6, 0x4000);
	at[8] = ttl;
	at[9] = protocol;
	put_address(at + 12, 4, source);
	put_address(at + 16, 4, destination);
	put16(at + 10, frame_checksum(at, 20));
	return 20;
}

struct packet {
	size_t length;
	uint8_t bytes[512];
};

static void put_tcp_checksum(uint8_t *ip, int family, size_t length)
{
	uint8_t pseudo[512] = {0}, *tcp = ip + header(family);
	size_t size = family == 4 ? 8 : 32;

	memcpy(pseudo, ip + (family == 4 ? 12 : 8), size);
	put16(pseudo + size, IPPROTO_TCP);
	put16(pseudo + size + 2, length);
	memcpy(pseudo + size + 4, tcp, length);
	put16(tcp + 16, frame_checksum(pseudo, size + 4 + length));
}

/* From the client to the VIP; `back`: from the VIP to the client. */
static struct packet segment(int family, uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack,
			     bool back)
{
	const char *source = back ? vip[family] : client[family];
	const char *destination = back ? client[family] : vip[family];
	struct packet packet = {.length = header(family) + 20};
	uint8_t *tcp = packet.bytes + header(family);

	put_ip(packet.bytes, family, IPPROTO_TCP, source, destination, 61, 20);
	put16(tcp, back ? PORT : port);
	put16(tcp + 2, back ? port : PORT);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 8192);
	put_tcp_checksum(packet.bytes, family, 20);
	return packet;
}

static void put_ethernet(struct frame *frame, int family)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	memcpy(frame->bytes, macs, sizeof(macs));
	put16(frame->bytes + 12, family == 4 ? ETH_P_IP : ETH_P_IPV6);
	frame->length = ETH_HLEN;
}

static void plain_frame(struct frame *frame, const struct packet *packet)
{
	put_ethernet(frame, packet->bytes[0] >> 4);
	frame_append(frame, packet->bytes, packet->length);
}

/* A packet with its list, as it is sent to one of its backends. */
struct listed {
	int outer;
	const char *source, *destination;
	uint8_t ttl, next, count;
	const char *first; /* of the hops; NULL: the usual ones */
};

static void list_frame(struct frame *frame, const struct listed *listed,
		       const struct packet *packet)
{
	const size_t hop = listed->outer == 4 ? 4 : 16, gue = 8 + listed->count * hop;
	uint8_t *at;

	put_ethernet(frame, listed->outer);
	at = frame->bytes + ETH_HLEN;
	at += put_ip(at, listed->outer, IPPROTO_UDP, listed->source, listed->destination,
		     listed->ttl, 8 + gue + packet->length);
	put16(at, 0xc123);
	put16(at + 2, 6080);
	put16(at + 4, 8 + gue + packet->length);
	put16(at + 6, 0);
	at += 8;
	memset(at, 0, 8);
	at[0] = 1 + listed->count * hop / 4;
	at[1] = packet->bytes[0] >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	at[5] = listed->outer == 6;
	at[6] = listed->next;
	at[7] = listed->count;
	at += 8;
	for (int i = 0; i < listed->count; i++, at += hop)
		put_address(at, listed->outer,
			    !i && listed->first ? listed->first : hops[listed->outer][i]);
	frame->length = at - frame->bytes;
	frame_append(frame, packet->bytes, packet->length);
}

static struct listed usual(int outer)
{
	return (struct listed){.outer = outer,
			       .source = balancer[outer],
			       .destination = own[outer],
			       .ttl = 64,
			       .count = 3};
}

/* --- running --- */

/* What a hook answers; `out`: the frame that it leaves. */
static uint32_t run(enum hook hook, const struct frame *in, struct frame *out)
{
	struct __sk_buff skb = {.ifindex = interface};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in->bytes, .data_size_in = in->length,
		    .data_out = out->bytes, .data_size_out = sizeof(out->bytes), .repeat = 1);

	if (hook == TC) {
		options.ctx_in = &skb;
		options.ctx_size_in = sizeof(skb);
	}
	assert_int_equal(bpf_prog_test_run_opts(programs[hook], &options), 0);
	out->length = options.data_size_out;
	return options.retval;
}

static uint64_t counter(enum hook hook, enum second which)
{
	uint64_t values[256][SECOND_COUNTER_COUNT], sum = 0;
	uint32_t zero = 0;

	assert_true(libbpf_num_possible_cpus() <= 256);
	assert_int_equal(bpf_map_lookup_elem(stats_maps[hook], &zero, values), 0);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		sum += values[cpu][which];
	return sum;
}

static uint64_t all_counters(enum hook hook)
{
	uint64_t sum = 0;

	for (int which = 0; which < SECOND_COUNTER_COUNT; which++)
		sum += counter(hook, which);
	return sum;
}

#define NOTHING SECOND_COUNTER_COUNT

static const char *name_of(enum second which)
{
	static const char *const names[] = {
#define X(enumerator, name, meaning) #name,
		SECOND_COUNTER_LIST(X)
#undef X
			"nothing"};

	return names[which];
}

/* One frame, one answer, one frame out, and `which` is counted, and nothing else. */
static void expect(enum hook hook, const struct frame *in, enum second which, uint32_t answer,
		   const struct frame *out)
{
	uint64_t all = all_counters(hook), one = which == NOTHING ? 0 : counter(hook, which);
	static struct frame got;
	uint32_t answered = run(hook, in, &got);

	if (which != NOTHING && counter(hook, which) != one + 1)
		print_message("             %s: not counted as %s\n", hook == TC ? "TC" : "XDP",
			      name_of(which));
	assert_int_equal(all_counters(hook), all + (which != NOTHING));
	if (which != NOTHING)
		assert_int_equal(counter(hook, which), one + 1);
	assert_int_equal(answered, answer);
	assert_true(frame_equal(out, &got));
}

static bool accepts(enum second which)
{
	return which <= SECOND_OTHER;
}

/* XDP takes the outer headers off what is accepted, and leaves to TC what is not. */
static void expect_of_both(const struct listed *listed, const struct packet *packet,
			   enum second which)
{
	struct listed next = *listed;
	struct frame in, out;

	list_frame(&in, listed, packet);
	if (accepts(which)) {
		plain_frame(&out, packet);
		expect(XDP, &in, which, XDP_PASS, &out);
		expect(TC, &in, which, (uint32_t)TC_ACT_UNSPEC, &in);
		return;
	}
	expect(XDP, &in, NOTHING, XDP_PASS, &in);
	if (which != SECOND_PASSED_ON) {
		expect(TC, &in, which,
		       which == SECOND_REFUSED_HOP || which == SECOND_TTL ? TC_ACT_SHOT
									  : (uint32_t)TC_ACT_UNSPEC,
		       &in);
		return;
	}
	next.source = listed->destination;
	next.destination = hops[listed->outer][listed->next];
	next.ttl--;
	next.next++;
	list_frame(&out, &next, packet);
	expect(TC, &in, which, TC_ACT_REDIRECT, &out);
}

/* The same with either family outside. */
static void expect_packet(const struct packet *packet, enum second which)
{
	for (int i = 0; i < 2; i++) {
		struct listed listed = usual(families[i]);

		expect_of_both(&listed, packet, which);
	}
}

/* --- a client --- */

struct connection {
	int family, fd; /* fd: the socket here; -1: it has none yet, or none any more */
	uint16_t port;
	uint32_t seq, ack;
};

static uint16_t next_port = 20000;

static void transmit(const struct packet *packet)
{
	static struct frame frame;

	plain_frame(&frame, packet);
	assert_int_equal(send(wire, frame.bytes, frame.length, 0), (ssize_t)frame.length);
}

static void client_sends(struct connection *connection, uint8_t flags)
{
	struct packet packet = segment(connection->family, connection->port, flags, connection->seq,
				       connection->ack, false);

	transmit(&packet);
	connection->seq += !!(flags & (SYN | FIN));
}

/* Waits for the answer to a SYN, which says where the other side's numbers begin. */
static void client_hears_syn_ack(struct connection *connection)
{
	const size_t tcp = ETH_HLEN + header(connection->family);
	struct pollfd readable = {.fd = wire, .events = POLLIN};
	uint8_t bytes[2048];

	while (poll(&readable, 1, 3000) == 1) {
		ssize_t length = recv(wire, bytes, sizeof(bytes), 0);

		if (length >= (ssize_t)tcp + 20 && bytes[ETH_HLEN] >> 4 == connection->family &&
		    (bytes[tcp + 2] << 8 | bytes[tcp + 3]) == connection->port &&
		    bytes[tcp + 13] == (SYN | ACK)) {
			connection->ack = get32(bytes + tcp + 4) + 1;
			return;
		}
	}
	fail_msg("no answer to a SYN");
}

static struct connection half_open(int family)
{
	struct connection connection = {
		.family = family, .fd = -1, .port = next_port++, .seq = 1000};

	client_sends(&connection, SYN);
	client_hears_syn_ack(&connection);
	return connection;
}

static int state_of(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	return info.tcpi_state;
}

static void wait_for_state(const struct connection *connection, int state)
{
	for (int i = 0; i < 3000 && state_of(connection->fd) != state; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	assert_int_equal(state_of(connection->fd), state);
}

static struct connection established(int family)
{
	struct connection connection = half_open(family);
	struct pollfd readable = {.fd = listeners[family], .events = POLLIN};

	client_sends(&connection, ACK);
	assert_int_equal(poll(&readable, 1, 3000), 1);
	connection.fd = accept(listeners[family], NULL, NULL);
	assert_true(connection.fd >= 0);
	return connection;
}

/* A step of the way to a state: what either side does, and where the socket is then. */
enum step { HERE_CLOSES, CLIENT_ACKS, CLIENT_CLOSES, CLIENT_CLOSES_UNAWARE };

static void make_step(struct connection *connection, enum step step, int state)
{
	switch (step) {
	case HERE_CLOSES:
		assert_int_equal(shutdown(connection->fd, SHUT_WR), 0);
		break;
	case CLIENT_ACKS:
		connection->ack++;
		client_sends(connection, ACK);
		break;
	case CLIENT_CLOSES:
	case CLIENT_CLOSES_UNAWARE:
		client_sends(connection, FIN | ACK);
		break;
	}
	wait_for_state(connection, state);
}

static const struct way {
	const char *what;
	enum second which;
	struct {
		enum step step;
		int state;
	} steps[3];
} ways[] = {
	{"ESTABLISHED", SECOND_SOCKET, {}},
	{"FIN_WAIT1", SECOND_SOCKET, {{HERE_CLOSES, TCP_FIN_WAIT1}}},
	{"FIN_WAIT2", SECOND_SOCKET, {{HERE_CLOSES, TCP_FIN_WAIT1}, {CLIENT_ACKS, TCP_FIN_WAIT2}}},
	{"CLOSING",
	 SECOND_SOCKET,
	 {{HERE_CLOSES, TCP_FIN_WAIT1}, {CLIENT_CLOSES_UNAWARE, TCP_CLOSING}}},
	{"TIME_WAIT",
	 SECOND_TIME_WAIT,
	 {{HERE_CLOSES, TCP_FIN_WAIT1}, {CLIENT_ACKS, TCP_FIN_WAIT2}, {CLIENT_CLOSES, TCP_CLOSE}}},
	{"CLOSE_WAIT", SECOND_SOCKET, {{CLIENT_CLOSES, TCP_CLOSE_WAIT}}},
	{"LAST_ACK", SECOND_SOCKET, {{CLIENT_CLOSES, TCP_CLOSE_WAIT}, {HERE_CLOSES, TCP_LAST_ACK}}},
};

static void expect_of_connection(const struct connection *connection, enum second which)
{
	static const uint8_t flags[] = {ACK, FIN | ACK, 0x04 /* RST */, SYN | ACK};
	struct packet packet;

	for (size_t i = 0; i < sizeof(flags); i++) {
		packet = segment(connection->family, connection->port, flags[i], 7, 8, false);
		expect_packet(&packet, which);
	}
	packet = segment(connection->family, connection->port, SYN, 7, 0, false);
	expect_packet(&packet, SECOND_SYN);
}

/* An error from a router about a packet that the VIP has sent to the client. */
static struct packet icmp_error(const struct packet *quoted, uint8_t type, size_t bytes)
{
	const int family = quoted->bytes[0] >> 4;
	struct packet packet = {.length = header(family) + 8 + bytes};
	uint8_t *icmp = packet.bytes + header(family);

	put_ip(packet.bytes, family, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
	       family == 4 ? "203.0.113.1" : "2001:db8:ffff::1", vip[family], 60, 8 + bytes);
	icmp[0] = type;
	memcpy(icmp + 8, quoted->bytes, bytes);
	return packet;
}

/* --- promises --- */

static void connections_that_are_here_are_accepted_in_every_state(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
			struct connection connection = established(families[i]);

			print_message("             IPv%d %s\n", families[i], ways[way].what);
			for (int step = 0; step < 3 && ways[way].steps[step].state; step++)
				make_step(&connection, ways[way].steps[step].step,
					  ways[way].steps[step].state);
			expect_of_connection(&connection, ways[way].which);
			close(connection.fd);
		}
	}
}

static void half_open_connections_are_accepted(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct connection connection = half_open(families[i]);

		expect_of_connection(&connection, SECOND_SYN_RECV);
	}
}

/* This host opens it, from the VIP's address and port. */
static void connections_of_this_host_are_accepted(void **state)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(PORT)}, there = here;
	struct connection connection = {.family = 4, .port = next_port++};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)state;
	inet_pton(AF_INET, vip[4], &here.sin_addr);
	inet_pton(AF_INET, client[4], &there.sin_addr);
	there.sin_port = htons(connection.port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	close(listeners[4]); /* which has the port */
	assert_int_equal(bind(fd, (void *)&here, sizeof(here)), 0);
	assert_int_equal(connect(fd, (void *)&there, sizeof(there)), -1);
	assert_int_equal(state_of(fd), TCP_SYN_SENT);
	expect_of_connection(&connection, SECOND_SOCKET);
	close(fd);
}

/* Not those to another port either, where nobody listens. */
static void what_has_no_socket_here_is_passed_on(void **state)
{
	struct connection connection = {.port = next_port++};
	struct packet packet;

	(void)state;
	for (int i = 0; i < 2; i++) {
		connection.family = families[i];
		expect_of_connection(&connection, SECOND_PASSED_ON);
		packet = segment(connection.family, connection.port, ACK, 7, 8, false);
		put16(packet.bytes + header(connection.family) + 2, PORT + 1);
		expect_packet(&packet, SECOND_PASSED_ON);
	}
}

static void every_position_of_a_list_goes_to_its_hop_and_the_last_is_accepted(void **state)
{
	struct packet packet;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct listed listed = usual(families[i & 1]);

		packet = segment(families[i >> 1], 19999, ACK, 7, 8, false);
		for (listed.count = 0; listed.count <= 3; listed.count++)
			for (listed.next = 0; listed.next <= listed.count; listed.next++)
				expect_of_both(&listed, &packet,
					       listed.next == listed.count ? SECOND_LOST
									   : SECOND_PASSED_ON);
	}
}

static void the_last_counts_what_no_backend_of_the_list_has(void **state)
{
	struct packet packet, quoted;

	(void)state;
	for (int i = 0; i < 4; i++) {
		const int family = families[i >> 1];
		struct listed listed = usual(families[i & 1]);
		struct connection here = established(family);

		listed.next = listed.count;
		packet = segment(family, 19999, FIN | ACK, 7, 8, false);
		expect_of_both(&listed, &packet, SECOND_LOST);
		packet = segment(family, 19999, 0x04 /* RST */ | ACK, 7, 8, false);
		expect_of_both(&listed, &packet, SECOND_LATE);
		packet = segment(family, 19999, 0x04, 7, 0, false);
		expect_of_both(&listed, &packet, SECOND_LATE);
		quoted = segment(family, 19999, ACK, 7, 8, true);
		packet = icmp_error(&quoted, family == 4 ? 3 : 1, quoted.length);
		expect_of_both(&listed, &packet, SECOND_LATE);
		packet = segment(family, 19999, SYN, 7, 0, false);
		expect_of_both(&listed, &packet, SECOND_SYN);
		packet = segment(family, here.port, ACK, 7, 8, false);
		expect_of_both(&listed, &packet, SECOND_SOCKET);
		packet.bytes[family == 4 ? 2 : 4] = 1; /* an inner length */
		expect_of_both(&listed, &packet, SECOND_MALFORMED);
		close(here.fd);
	}
}

static bool set(const char *name, const char *value)
{
	char command[160];

	snprintf(command, sizeof(command), "echo %s >/proc/sys/net/%s", value, name);
	return !system(command);
}

/* A listener that has to send cookies knows of no connection until one comes back. (Their lowest bits
 * are an index of the MSS; the next number may be right, too.) */
static void syn_cookies_are_accepted_by_their_listener(void **state)
{
	struct connection connection;
	struct packet packet;

	(void)state;
	assert_true(set("ipv4/tcp_syncookies", "2"));
	for (int i = 0; i < 2; i++) {
		connection = half_open(families[i]);
		packet = segment(families[i], connection.port, ACK, connection.seq, connection.ack,
				 false);
		expect_packet(&packet, SECOND_COOKIE);
		packet = segment(families[i], connection.port, ACK, connection.seq,
				 connection.ack + 1000, false);
		expect_packet(&packet, SECOND_PASSED_ON);
		packet = segment(families[i], connection.port + 1, ACK, connection.seq,
				 connection.ack, false);
		expect_packet(&packet, SECOND_PASSED_ON);
	}
	assert_true(set("ipv4/tcp_syncookies", "1"));
}

static void icmp_errors_go_where_the_quoted_connection_is(void **state)
{
	static const uint8_t errors[][3] = {[4] = {3, 11, 12}, [6] = {1, 2, 4}};
	struct packet quoted, packet;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const int family = families[i];
		struct connection here = established(family), half = half_open(family);

		for (int kind = 0; kind < 3; kind++) {
			const uint8_t type = errors[family][kind];

			quoted = segment(family, here.port, ACK, 7, 8, true);
			packet = icmp_error(&quoted, type, header(family) + 8);
			expect_packet(&packet, SECOND_SOCKET);
			quoted = segment(family, half.port, ACK, 7, 8, true);
			packet = icmp_error(&quoted, type, quoted.length);
			expect_packet(&packet, SECOND_SYN_RECV);
			quoted = segment(family, 19999, ACK, 7, 8, true);
			packet = icmp_error(&quoted, type, quoted.length);
			expect_packet(&packet, SECOND_PASSED_ON);
		}
		close(here.fd);
	}
}

static void what_is_no_tcp_is_accepted(void **state)
{
	struct packet quoted, packet;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const int family = families[i];
		const size_t protocol = family == 4 ? 9 : 6;

		packet = segment(family, 19999, ACK, 7, 8, false);
		packet.bytes[protocol] = IPPROTO_UDP;
		expect_packet(&packet, SECOND_OTHER);
		quoted = segment(family, 19999, ACK, 7, 8, true);
		packet = icmp_error(&quoted, family == 4 ? 8 : 128, quoted.length); /* an echo */
		expect_packet(&packet, SECOND_OTHER);
		packet = icmp_error(&quoted, 1 + 2 * (family == 4), header(family) + 3);
		expect_packet(&packet, SECOND_OTHER);
		quoted.bytes[protocol] = IPPROTO_UDP;
		packet = icmp_error(&quoted, 1 + 2 * (family == 4), quoted.length);
		expect_packet(&packet, SECOND_OTHER);
		quoted = segment(family, 19999, ACK, 7, 8, false); /* of another host's */
		packet = icmp_error(&quoted, 1 + 2 * (family == 4), quoted.length);
		expect_packet(&packet, SECOND_OTHER);
	}
	packet = segment(6, 19999, ACK, 7, 8, false); /* what it may be is behind a header */
	packet.bytes[6] = IPPROTO_DSTOPTS;
	expect_packet(&packet, SECOND_OTHER);
}

static void fragments_are_accepted(void **state)
{
	struct packet packet;

	(void)state;
	for (unsigned int fragment = 1; fragment < 0x4000; fragment <<= 1) {
		packet = segment(4, 19999, ACK, 7, 8, false);
		put16(packet.bytes + 6, fragment);
		expect_packet(&packet, SECOND_OTHER);
	}
	packet = segment(6, 19999, ACK, 7, 8, false);
	packet.bytes[6] = IPPROTO_FRAGMENT;
	expect_packet(&packet, SECOND_OTHER);
}

/* Options of the inner header are skipped. */
static void ports_are_found_behind_ipv4_options(void **state)
{
	struct connection connection = established(4);
	struct packet plain = segment(4, connection.port, ACK, 7, 8, false), packet;

	(void)state;
	for (size_t options = 4; options <= 40; options += 4) {
		packet = plain;
		memset(packet.bytes + 20, 1, options);
		memcpy(packet.bytes + 20 + options, plain.bytes + 20, 20);
		packet.bytes[0] = 0x45 + options / 4;
		packet.length += options;
		put16(packet.bytes + 2, packet.length);
		expect_packet(&packet, SECOND_SOCKET);
	}
	close(connection.fd);
}

/* --- what is forged, or wrong --- */

static void lists_of_other_senders_are_left_alone(void **state)
{
	struct packet packet = segment(4, 19999, ACK, 7, 8, false);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct listed listed = usual(families[i]);

		listed.source = listed.outer == 4 ? "10.0.2.2" : "fd01::2";
		expect_of_both(&listed, &packet, SECOND_OTHER_SOURCE);
		listed.next = listed.count; /* not even accepted */
		expect_of_both(&listed, &packet, SECOND_OTHER_SOURCE);
	}
}

static void hops_outside_the_prefixes_get_nothing(void **state)
{
	static const char *const others[][3] = {
		[4] = {"10.0.2.12", "203.0.113.7", "0.0.0.0"},
		[6] = {"fd01::12", "2001:db8::1", "::ffff:10.0.0.12"},
	};
	struct packet packet = segment(4, 19999, ACK, 7, 8, false);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct listed listed = usual(families[i]);

		for (int other = 0; other < 3; other++) {
			listed.first = others[listed.outer][other];
			expect_of_both(&listed, &packet, SECOND_REFUSED_HOP);
		}
		listed.first = own[listed.outer]; /* it would come back */
		expect_of_both(&listed, &packet, SECOND_REFUSED_HOP);
	}
}

static void an_outer_ttl_that_is_used_up_ends_the_way(void **state)
{
	struct packet packet = segment(4, 19999, ACK, 7, 8, false);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct listed listed = usual(families[i]);

		for (listed.ttl = 0; listed.ttl < 2; listed.ttl++)
			expect_of_both(&listed, &packet, SECOND_TTL);
		listed.ttl = 2;
		expect_of_both(&listed, &packet, SECOND_PASSED_ON);
	}
}

static void lists_to_other_hosts_are_forwarded_untouched(void **state)
{
	struct packet packet = segment(4, 19999, ACK, 7, 8, false);
	static struct frame in;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct listed listed = usual(families[i]);

		assert_true(set("ipv4/conf/all/forwarding", "1") &&
			    set("ipv6/conf/all/forwarding", "1"));
		listed.destination = listed.outer == 4 ? "10.0.0.77" : "fd00::77";
		expect_of_both(&listed, &packet, SECOND_OTHER_DESTINATION);
		assert_true(set("ipv4/conf/all/forwarding", "0") &&
			    set("ipv6/conf/all/forwarding", "0"));
		list_frame(&in, &listed, &packet);
		in.bytes[5] = 9; /* not this host's MAC address */
		expect(TC, &in, NOTHING, (uint32_t)TC_ACT_UNSPEC, &in);
		in.bytes[0] = 0xff;
		expect(TC, &in, NOTHING, (uint32_t)TC_ACT_UNSPEC, &in);
		expect(XDP, &in, NOTHING, XDP_PASS, &in);
	}
}

/* `at`: from the UDP header on. */
static const struct change {
	const char *what;
	int outer, inner;
	size_t at;
	uint8_t value;
	enum second which;
} changes[] = {
	{"another port", 4, 4, 3, 0xc1, NOTHING},
	{"a UDP checksum", 4, 4, 7, 1, NOTHING},
	{"a UDP checksum", 6, 6, 6, 1, NOTHING},
	{"UDP length below its header", 4, 4, 5, 7, NOTHING},
	{"UDP length beyond the outer packet", 4, 4, 4, 1, NOTHING},
	{"UDP length that ends in the list", 4, 4, 5, 8 + 19, SECOND_MALFORMED},
	{"UDP length that ends in the list", 6, 6, 5, 8 + 8, SECOND_MALFORMED},
	{"a control message", 4, 4, 8, 0x24, NOTHING},
	{"no private data", 4, 4, 8, 0, NOTHING},
	{"variant 2", 4, 4, 8, 0x84, NOTHING},
	{"variant 3", 6, 6, 8, 0xcd, NOTHING},
	{"another protocol inside", 4, 4, 9, IPPROTO_UDP, NOTHING},
	{"a flag", 4, 4, 10, 0x80, NOTHING},
	{"a flag", 6, 4, 11, 1, NOTHING},
	{"hlen below the count", 4, 4, 8, 3, SECOND_MALFORMED},
	{"hlen beyond the count", 4, 4, 8, 5, SECOND_MALFORMED},
	{"hlen beyond the packet", 4, 4, 8, 31, SECOND_MALFORMED},
	{"hlen below the count", 6, 6, 8, 12, SECOND_MALFORMED},
	{"another type", 4, 4, 12, 1, SECOND_MALFORMED},
	{"hops of IPv6, IPv4 outside", 4, 6, 13, 1, SECOND_MALFORMED},
	{"hops of IPv4, IPv6 outside", 6, 6, 13, 0, SECOND_MALFORMED},
	{"next beyond the count", 4, 4, 14, 4, SECOND_MALFORMED},
	{"next beyond the count", 6, 6, 14, 255, SECOND_MALFORMED},
	{"count below hlen", 4, 4, 15, 2, SECOND_MALFORMED},
	{"count beyond hlen", 4, 4, 15, 4, SECOND_MALFORMED},
	{"count beyond everything", 6, 6, 15, 255, SECOND_MALFORMED},
	{"an inner version", 4, 4, 28, 0x65, SECOND_MALFORMED},
	{"an inner header length", 4, 4, 28, 0x44, SECOND_MALFORMED},
	{"an inner length", 4, 4, 30, 1, SECOND_MALFORMED},
	{"an inner version", 6, 6, 64, 0x45, SECOND_MALFORMED},
	{"an inner length", 6, 6, 68, 1, SECOND_MALFORMED},
};

static void unsound_lists_are_left_alone(void **state)
{
	static struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *change = &changes[i];
		struct packet packet = segment(change->inner, 19999, ACK, 7, 8, false);
		struct listed listed = usual(change->outer);

		print_message("             %s\n", change->what);
		list_frame(&frame, &listed, &packet);
		frame.bytes[ETH_HLEN + header(change->outer) + change->at] = change->value;
		expect(TC, &frame, change->which, (uint32_t)TC_ACT_UNSPEC, &frame);
		expect(XDP, &frame, NOTHING, XDP_PASS, &frame);
	}
}

/* A type or a count may be the only thing that is wrong, with an hlen that fits it. */
static void lists_of_more_than_three_are_left_alone(void **state)
{
	struct packet packet = segment(4, 19999, ACK, 7, 8, false);
	struct listed listed = usual(4);
	static struct frame frame;

	(void)state;
	packet.length += 4; /* a fourth hop */
	memmove(packet.bytes + 4, packet.bytes, packet.length - 4);
	put_address(packet.bytes, 4, hops[4][0]);
	list_frame(&frame, &listed, &packet);
	frame.bytes[ETH_HLEN + 28] = 1 + 4;
	frame.bytes[ETH_HLEN + 29] = IPPROTO_IPIP;
	frame.bytes[ETH_HLEN + 35] = 4;
	expect(TC, &frame, SECOND_MALFORMED, (uint32_t)TC_ACT_UNSPEC, &frame);
	expect(XDP, &frame, NOTHING, XDP_PASS, &frame);
}

/* Every length from the Ethernet header to the whole: no frame leaves, and none is changed. */
static void cut_off_lists_are_left_alone(void **state)
{
	static struct frame whole, got;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct packet packet = segment(families[i >> 1], 19999, ACK, 7, 8, false);
		struct listed listed = usual(families[i & 1]);
		struct frame cut;

		list_frame(&whole, &listed, &packet);
		cut = whole;
		for (cut.length = ETH_HLEN + 1; cut.length < whole.length; cut.length++) {
			struct frame cleared = cut;

			memset(cleared.bytes + cut.length, 0, FRAME_MAX - cut.length);
			assert_int_equal(run(XDP, &cleared, &got), XDP_PASS);
			assert_true(frame_equal(&cleared, &got));
			if (cut.length < ETH_HLEN + header(listed.outer))
				continue; /* no such packet gets as far as TC */
			assert_int_equal(run(TC, &cleared, &got), (uint32_t)TC_ACT_UNSPEC);
			assert_true(frame_equal(&cleared, &got));
		}
	}
}

/* --- what balancers ask --- */

static void question_frame(struct frame *frame, int family, const char *source,
			   const struct second_question *question)
{
	uint8_t *at;

	put_ethernet(frame, family);
	at = frame->bytes + ETH_HLEN;
	at += put_ip(at, family, IPPROTO_UDP, source, own[family], 64, 8 + sizeof(*question));
	put16(at, 0xc123);
	put16(at + 2, 6080);
	put16(at + 4, 8 + sizeof(*question));
	put16(at + 6, 0);
	frame->length = at + 8 - frame->bytes;
	frame_append(frame, question, sizeof(*question));
}

static struct second_question usual_question(void)
{
	return (struct second_question){.control = SECOND_CONTROL,
					.type = SECOND_ASKS,
					.magic = htonl(SECOND_MAGIC),
					.nonce = 0x0123456789abcdef};
}

static void swap(uint8_t *a, uint8_t *b, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		const uint8_t kept = a[i];

		a[i] = b[i];
		b[i] = kept;
	}
}

/* What goes back: nothing else of the frame has changed. */
static void answer_frame(struct frame *frame, int family, const struct second_question *question)
{
	const size_t address = family == 4 ? 4 : 16;
	uint8_t *ip = frame->bytes + ETH_HLEN, *udp = ip + header(family);
	struct second_question *answer = (void *)(udp + 8);

	question_frame(frame, family, balancer[family], question);
	swap(frame->bytes, frame->bytes + 6, 6);
	swap(ip + header(family) - 2 * address, ip + header(family) - address, address);
	swap(udp, udp + 2, 2);
	answer->type = SECOND_ANSWERS;
	answer->lost = htobe64(counter(TC, SECOND_LOST));
	answer->stray = htobe64(counter(TC, SECOND_STRAY));
	answer->found = htobe64(counter(TC, SECOND_SOCKET) + counter(TC, SECOND_TIME_WAIT) +
				counter(TC, SECOND_SYN_RECV) + counter(TC, SECOND_COOKIE));
	answer->passed_on = htobe64(counter(TC, SECOND_PASSED_ON));
}

static uint64_t watched_until(void)
{
	uint64_t until = 0;
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(watch_maps[TC], &zero, &until), 0);
	return until;
}

static void watch_until(uint64_t until)
{
	uint32_t zero = 0;

	for (int hook = 0; hook < HOOKS; hook++)
		assert_int_equal(bpf_map_update_elem(watch_maps[hook], &zero, &until, BPF_ANY), 0);
}

static void a_question_comes_back_with_the_counters(void **state)
{
	const struct second_question question = usual_question();
	struct packet packet = segment(4, 19999, ACK, 7, 8, false);
	struct listed listed = usual(4);
	static struct frame in, out;

	(void)state;
	listed.next = listed.count;
	expect_of_both(&listed, &packet, SECOND_LOST); /* none of those that are told is 0 */
	assert_true(counter(TC, SECOND_SOCKET) && counter(TC, SECOND_PASSED_ON));
	for (int i = 0; i < 2; i++) {
		question_frame(&in, families[i], balancer[families[i]], &question);
		answer_frame(&out, families[i], &question);
		expect(TC, &in, NOTHING, TC_ACT_REDIRECT, &out);
		expect(XDP, &in, NOTHING, XDP_PASS, &in);
	}
	assert_int_equal(watched_until(), 0);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* A shorter time does not take back a longer one that another balancer has asked for. */
static void a_question_has_plain_packets_watched_for_a_minute_at_most(void **state)
{
	static const struct {
		uint32_t asked, least_s, most_s;
	} rows[] = {{10, 9, 10}, {5, 9, 10}, {0, 9, 10}, {0xffffffff, 59, 60}};
	struct second_question question = usual_question();
	static struct frame in, out;

	(void)state;
	watch_until(0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		question.watch_s = htonl(rows[i].asked);
		question_frame(&in, 4, balancer[4], &question);
		answer_frame(&out, 4, &question);
		expect(TC, &in, NOTHING, TC_ACT_REDIRECT, &out);
		assert_true(watched_until() > now_ns() + rows[i].least_s * 1000000000ull);
		assert_true(watched_until() <= now_ns() + rows[i].most_s * 1000000000ull);
	}
	watch_until(0);
}

static void questions_of_others_and_unsound_ones_are_left_alone(void **state)
{
	static const struct {
		const char *what;
		size_t at; /* from the UDP header on */
		uint8_t value;
	} rows[] = {
		{"another port", 3, 0xc1},
		{"a UDP checksum", 7, 1},
		{"a UDP length", 5, 63},
		{"another control word", 8, 0x21},
		{"no control message", 8, 0},
		{"an answer", 9, SECOND_ANSWERS},
		{"a flag", 11, 1},
		{"another magic", 15, 'x'},
	};
	struct second_question question = usual_question();
	static struct frame in;

	(void)state;
	question.watch_s = htonl(10);
	for (int i = 0; i < 2; i++) {
		const int family = families[i];

		for (size_t j = 0; j < sizeof(rows) / sizeof(*rows); j++) {
			print_message("             %s\n", rows[j].what);
			question_frame(&in, family, balancer[family], &question);
			in.bytes[ETH_HLEN + header(family) + rows[j].at] = rows[j].value;
			expect(TC, &in, NOTHING, (uint32_t)TC_ACT_UNSPEC, &in);
		}
		question_frame(&in, family, family == 4 ? "10.0.2.2" : "fd01::2", &question);
		expect(TC, &in, NOTHING, (uint32_t)TC_ACT_UNSPEC, &in);
		question_frame(&in, family, balancer[family], &question);
		in.length--;
		expect(TC, &in, NOTHING, (uint32_t)TC_ACT_UNSPEC, &in);
	}
	assert_int_equal(watched_until(), 0);
}

/* IP-in-IP; GUE of variant 1 differs in the UDP header before it. */
static void tunnel_frame(struct frame *frame, int outer, bool gue, const char *source,
			 const struct packet *packet)
{
	const uint8_t inner = packet->bytes[0] >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	uint8_t *at;

	put_ethernet(frame, outer);
	at = frame->bytes + ETH_HLEN;
	at += put_ip(at, outer, gue ? IPPROTO_UDP : inner, source, own[outer], 64,
		     8 * gue + packet->length);
	if (gue) {
		put16(at, 0xc123);
		put16(at + 2, 6080);
		put16(at + 4, 8 + packet->length);
		put16(at + 6, 0);
		at += 8;
	}
	frame->length = at - frame->bytes;
	frame_append(frame, packet->bytes, packet->length);
}

/* Whatever is counted, each packet goes where it went before. */
static void expect_plain(const struct packet *packet, enum second which)
{
	static struct frame in, out;

	plain_frame(&out, packet);
	for (int i = 0; i < 4; i++) {
		const int outer = families[i & 1];

		tunnel_frame(&in, outer, i >> 1, balancer[outer], packet);
		expect(XDP, &in, which, XDP_PASS, &out);
		expect(TC, &in, which, (uint32_t)TC_ACT_UNSPEC, &in);
	}
}

static void packets_without_a_list_are_counted_while_a_balancer_asks_for_it(void **state)
{
	static struct frame in;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const int family = families[i];
		struct connection here = established(family);
		struct packet stray = segment(family, 19999, ACK, 7, 8, false);
		struct packet packet;

		expect_plain(&stray, NOTHING);
		watch_until(now_ns() - 1);
		expect_plain(&stray, NOTHING);
		watch_until(now_ns() + 10000000000ull);
		expect_plain(&stray, SECOND_STRAY);
		packet = segment(family, here.port, ACK, 7, 8, false);
		expect_plain(&packet, NOTHING);
		packet = segment(family, 19999, SYN, 7, 0, false);
		expect_plain(&packet, NOTHING);
		packet = segment(family, 19999, 0x04 /* RST */, 7, 8, false);
		expect_plain(&packet, NOTHING);
		tunnel_frame(&in, 4, false, "10.0.2.2", &stray);
		expect(TC, &in, NOTHING, (uint32_t)TC_ACT_UNSPEC, &in);
		watch_until(0);
		close(here.fd);
	}
}

/* --- a host of its own --- */

static int listen_at(int family)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	inet_pton(AF_INET, vip[4], &v4.sin_addr);
	inet_pton(AF_INET6, vip[6], &v6.sin6_addr);
	if (family == 4 ? bind(fd, (void *)&v4, sizeof(v4)) : bind(fd, (void *)&v6, sizeof(v6)))
		return -1;
	return listen(fd, 128) ? -1 : fd;
}

/* v0 resolves no neighbour: whatever leaves arrives at v1, and is read there. */
static bool make_network(void)
{
	return !unshare(CLONE_NEWNET) &&
	       !system("for i in all default; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; "
		       "done;"
		       "ip link set lo up && ip link add v0 address 02:00:00:00:00:01 arp off "
		       "type veth peer name v1 address 02:00:00:00:00:02 && "
		       "ip link set v0 up && ip link set v1 up && "
		       "ip address add 10.0.0.11/32 dev v0 && "
		       "ip address add fd00::b/128 dev v0 nodad && "
		       "ip address add 192.0.2.10/32 dev lo && "
		       "ip address add 2001:db8:10::10/128 dev lo && "
		       "ip route add default dev v0 && ip -6 route add default dev v0") &&
	       set("ipv4/conf/all/forwarding", "0") && set("ipv6/conf/all/forwarding", "0");
}

static bool open_wire(void)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	interface = if_nametoindex("v0");
	address.sll_ifindex = if_nametoindex("v1");
	wire = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	return !bind(wire, (void *)&address, sizeof(address));
}

static bool open_object(enum hook hook, const char *folder, const char *file, const char *program)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/../../bpf/%s", folder, file);
	objects[hook] = bpf_object__open_file(path, NULL);
	if (!objects[hook] || bpf_object__load(objects[hook]))
		return false;
	programs[hook] = bpf_program__fd(bpf_object__find_program_by_name(objects[hook], program));
	stats_maps[hook] = bpf_object__find_map_fd_by_name(objects[hook], "second_stats");
	sources_maps[hook] = bpf_object__find_map_fd_by_name(objects[hook], "second_sources");
	watch_maps[hook] = bpf_object__find_map_fd_by_name(objects[hook], "second_watch");
	return true;
}

struct prefix {
	uint32_t length; /* with 32 bits of the family */
	uint8_t family[4], address[16];
};

/* 10.0.0.0/23 and fd00::/64: the hosts of hops[], and their balancer. */
static const struct prefix prefixes[] = {
	{32 + 23, {0, 0, 0, 4}, {10, 0, 0, 0}},
	{32 + 64, {0, 0, 0, 6}, {0xfd, 0}},
};

static bool allow(int map)
{
	uint32_t value = 0;

	return !bpf_map_update_elem(map, &prefixes[0], &value, BPF_ANY) &&
	       !bpf_map_update_elem(map, &prefixes[1], &value, BPF_ANY);
}

static void deny(int map)
{
	assert_int_equal(bpf_map_delete_elem(map, &prefixes[0]), 0);
	assert_int_equal(bpf_map_delete_elem(map, &prefixes[1]), 0);
}

static void without_prefixes_nothing_is_done(void **state)
{
	struct packet packet = segment(4, 19999, ACK, 7, 8, false);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct listed listed = usual(families[i]);

		deny(hops_map);
		expect_of_both(&listed, &packet, SECOND_REFUSED_HOP);
		allow(hops_map);
		for (int hook = 0; hook < HOOKS; hook++)
			deny(sources_maps[hook]);
		expect_of_both(&listed, &packet, SECOND_OTHER_SOURCE);
		for (int hook = 0; hook < HOOKS; hook++)
			allow(sources_maps[hook]);
	}
}

static int load(void **state)
{
	char path[PATH_MAX] = "", *folder;

	(void)state;
	if (!make_network() || !open_wire() ||
	    readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return -1;
	folder = dirname(path);
	if (!open_object(XDP, folder, "decap.bpf.o", "decap") ||
	    !open_object(TC, folder, "second.bpf.o", "second"))
		return -1;
	hops_map = bpf_object__find_map_fd_by_name(objects[TC], "second_hops");
	listeners[4] = listen_at(4);
	listeners[6] = listen_at(6);
	return listeners[4] >= 0 && listeners[6] >= 0 && allow(hops_map) &&
			       allow(sources_maps[XDP]) && allow(sources_maps[TC])
		       ? 0
		       : -1;
}

static int unload(void **state)
{
	(void)state;
	for (int hook = 0; hook < HOOKS; hook++)
		bpf_object__close(objects[hook]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_that_are_here_are_accepted_in_every_state),
		cmocka_unit_test(half_open_connections_are_accepted),
		cmocka_unit_test(what_has_no_socket_here_is_passed_on),
		cmocka_unit_test(every_position_of_a_list_goes_to_its_hop_and_the_last_is_accepted),
		cmocka_unit_test(the_last_counts_what_no_backend_of_the_list_has),
		cmocka_unit_test(syn_cookies_are_accepted_by_their_listener),
		cmocka_unit_test(icmp_errors_go_where_the_quoted_connection_is),
		cmocka_unit_test(what_is_no_tcp_is_accepted),
		cmocka_unit_test(fragments_are_accepted),
		cmocka_unit_test(ports_are_found_behind_ipv4_options),
		cmocka_unit_test(lists_of_other_senders_are_left_alone),
		cmocka_unit_test(hops_outside_the_prefixes_get_nothing),
		cmocka_unit_test(an_outer_ttl_that_is_used_up_ends_the_way),
		cmocka_unit_test(lists_to_other_hosts_are_forwarded_untouched),
		cmocka_unit_test(unsound_lists_are_left_alone),
		cmocka_unit_test(lists_of_more_than_three_are_left_alone),
		cmocka_unit_test(cut_off_lists_are_left_alone),
		cmocka_unit_test(a_question_comes_back_with_the_counters),
		cmocka_unit_test(a_question_has_plain_packets_watched_for_a_minute_at_most),
		cmocka_unit_test(questions_of_others_and_unsound_ones_are_left_alone),
		cmocka_unit_test(packets_without_a_list_are_counted_while_a_balancer_asks_for_it),
		cmocka_unit_test(without_prefixes_nothing_is_done),
		cmocka_unit_test(connections_of_this_host_are_accepted),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
