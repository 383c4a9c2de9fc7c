/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a connection whose client changes its port keep its server? Datagrams that are QUIC as far as RFC 8999
 * goes, and a server id in the ids of the server's choice. With KEY ids are encrypted; nothing else is.
 *
 *	quic_tool serve NAME PORT SERVER_ID [[ROTATION:]KEY…]	SERVER_ID of 8 bytes, KEY of 16, in hex, or "clear"
 *	quic_tool connect [--count N] [--packets N] [--interval-ms N] [--change-ms N] [--other ADDRESS]
 *			  ADDRESS PORT
 *
 * A client sends a long header with a random id; the server answers with an id of its own and its name. Then
 * packets with short headers go to that id, one after the other, each when the one before was answered, or
 * again after 100 ms; every --change-ms the client goes on from another port, and from the other address in
 * turns where there is one. A server that does not know an
 * id says so, and the connection is broken, as it is after 5 s without an answer. Ids are of the server's first
 * rotation, 0 unless given; by SIGUSR1 those of new connections are of the next one. It knows all that it has given out.
 *
 *	to the server    c0 version 8 id | 40 id sequence
 *	to the client    c0 version id name | 40 sequence | 60: unknown
 *
 * Prints, at the end, {"connections":N,"whole":N,"broken":N,"lost":N,"changes":N,"seen":{NAME:N…},
 * "broken_of":{NAME:N…},"rotations":{ROTATION:N…}}: lost are those that got no answer; who accepted all, and those
 * that are broken; of which rotation ids are.
 * All connections run at once, over IPv4.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "../packet/aes_block.h"

#define LONG 0xc0
#define SHORT 0x40
#define UNKNOWN 0x60
#define ID_BYTES 17
#define NAME_BYTES 16
#define KNOWN_MAX 65536 /* a power of two */
#define AGAIN_MS 100
#define GIVE_UP_MS 5000
#define CONNECTIONS_MAX 4096
#define ROTATIONS 7

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the server --- */

/* Nonces that it has given out; 0: none. */
static uint64_t known[KNOWN_MAX];

static uint64_t *place_of(uint64_t nonce)
{
	uint64_t *at = &known[nonce % KNOWN_MAX];

	while (*at && *at != nonce)
		at = &known[(at - known + 1) % KNOWN_MAX];
	return at;
}

/* What its ids are made of. */
static uint8_t server_id[8];
static struct rotation {
	bool there, has_key;
	uint8_t key[16];
} rotations[ROTATIONS];

static int order[ROTATIONS], order_count; /* in which they were given */
static volatile sig_atomic_t now_in_order;

static void on_next(int number)
{
	(void)number;
	if (now_in_order + 1 < order_count)
		now_in_order++;
}

static ssize_t accept_one(const char *name, uint8_t *out)
{
	const int rotation = order[now_in_order];
	uint64_t nonce = 0;

	while (!nonce)
		if (getrandom(&nonce, sizeof(nonce), 0) < 0)
			die("getrandom");
	*place_of(nonce) = nonce;
	memcpy(out, "\xc0\0\0\0\1", 5);
	out[5] = (uint8_t)(rotation << 5 | (ID_BYTES - 1));
	memcpy(out + 6, server_id, 8);
	memcpy(out + 14, &nonce, sizeof(nonce));
	if (rotations[rotation].has_key)
		aes_block_encrypt(rotations[rotation].key, out + 6);
	memcpy(out + 5 + ID_BYTES, name, NAME_BYTES);
	return 5 + ID_BYTES + NAME_BYTES;
}

static ssize_t answer(uint8_t *in, ssize_t length, const char *name, uint8_t *out)
{
	const struct rotation *rotation;
	uint64_t nonce;

	if (length > 6 && in[0] & 0x80)
		return accept_one(name, out);
	if (length < 1 + ID_BYTES + 4)
		return 0;
	rotation = in[1] >> 5 < ROTATIONS ? &rotations[in[1] >> 5] : rotations;
	if (rotation->has_key)
		aes_block_decrypt(rotation->key, in + 2);
	memcpy(&nonce, in + 1 + 9, sizeof(nonce));
	out[0] = SHORT;
	memcpy(out + 1, in + 1 + ID_BYTES, 4);
	if (!nonce || *place_of(nonce) != nonce) {
		out[0] = UNKNOWN;
		return 1;
	}
	return 5;
}

/* From the address that was asked, which is the VIP. */
static void serve(const char *name, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)}, client;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, room = 4 << 20;
	char own[NAME_BYTES] = {0}, control[256];
	uint8_t in[2048], out[128];

	strncpy(own, name, sizeof(own) - 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	for (;;) {
		struct iovec part = {in, sizeof(in)};
		struct msghdr message = {&client, sizeof(client),  &part, 1,
					 control, sizeof(control), 0};
		struct cmsghdr *info;
		ssize_t length = recvmsg(fd, &message, 0);

		length = length < 0 ? 0 : answer(in, length, own, out);
		info = CMSG_FIRSTHDR(&message);
		if (!length || !info)
			continue;
		/* What came in is sent back: the address asked, and no interface. */
		((struct in_pktinfo *)CMSG_DATA(info))->ipi_ifindex = 0;
		((struct in_pktinfo *)CMSG_DATA(info))->ipi_spec_dst =
			((struct in_pktinfo *)CMSG_DATA(info))->ipi_addr;
		part = (struct iovec){out, (size_t)length};
		sendmsg(fd, &message, 0);
	}
}

/* --- clients --- */

enum state { OPENING, OPEN, WHOLE, BROKEN, LOST };

struct connection {
	int fd;
	enum state state;
	uint8_t id[ID_BYTES];
	char server[NAME_BYTES];
	uint32_t sequence; /* of the packet that is waited for */
	uint32_t sockets;  /* that it has had */
	bool waits;
	int64_t sent_ms, first_ms, change_ms, next_ms;
};

static struct connection all[CONNECTIONS_MAX];
static struct pollfd polled[CONNECTIONS_MAX];
static struct sockaddr_in peer, other; /* other: without a family unless wanted */
static unsigned int count = 100, packets = 100, interval_ms = 20, change_ms = 500, changes;

static void open_socket(struct connection *of)
{
	if (of->fd >= 0)
		close(of->fd);
	of->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (of->sockets++ & 1 && other.sin_family &&
	    bind(of->fd, (struct sockaddr *)&other, sizeof(other)))
		die("bind");
	if (of->fd < 0 || connect(of->fd, (struct sockaddr *)&peer, sizeof(peer)))
		die("connect");
	polled[of - all] = (struct pollfd){of->fd, POLLIN, 0};
}

static void send_one(struct connection *of, int64_t now)
{
	uint8_t out[64] = {0};

	if (of->state == OPENING) {
		memcpy(out, "\xc0\0\0\0\1\10", 6);
		if (getrandom(out + 6, 8, 0) < 0)
			die("getrandom");
	} else {
		out[0] = SHORT;
		memcpy(out + 1, of->id, ID_BYTES);
		memcpy(out + 1 + ID_BYTES, &of->sequence, 4);
	}
	if (!of->waits)
		of->first_ms = now;
	of->waits = true;
	of->sent_ms = now;
	/* What a socket says of an earlier ICMP error is no news. */
	if (send(of->fd, out, sizeof(out), 0) < 0)
		send(of->fd, out, sizeof(out), 0);
}

static void take(struct connection *of, const uint8_t *in, ssize_t length, int64_t now)
{
	if (of->state == OPENING && length == 5 + ID_BYTES + NAME_BYTES && in[0] == LONG) {
		memcpy(of->id, in + 5, ID_BYTES);
		memcpy(of->server, in + 5 + ID_BYTES, NAME_BYTES - 1);
		of->state = OPEN;
		of->waits = false;
		of->change_ms = now + change_ms / 2 + (of - all) * change_ms / count;
	} else if (of->state == OPEN && in[0] == UNKNOWN && length == 1) {
		of->state = BROKEN;
	} else if (of->state == OPEN && in[0] == SHORT && length == 5 &&
		   !memcmp(in + 1, &of->sequence, 4)) {
		of->waits = false;
		of->next_ms = now + interval_ms;
		if (++of->sequence == packets)
			of->state = WHOLE;
	}
}

static void step(struct connection *of, int64_t now)
{
	uint8_t in[256];
	ssize_t length;

	while (of->state <= OPEN && (length = recv(of->fd, in, sizeof(in), 0)) > 0)
		take(of, in, length, now);
	if (of->state > OPEN)
		return;
	if (of->waits && now - of->first_ms > GIVE_UP_MS) {
		of->state = LOST;
		return;
	}
	if (of->state == OPEN && change_ms && now >= of->change_ms) {
		open_socket(of);
		of->change_ms = now + change_ms;
		of->waits = false;
		of->next_ms = now;
		changes++;
	}
	if (of->waits ? now - of->sent_ms >= AGAIN_MS : now >= of->next_ms)
		send_one(of, now);
}

static void add(json_t *object, const char *name)
{
	json_object_set_new(object, name,
			    json_integer(json_integer_value(json_object_get(object, name)) + 1));
}

static void report(void)
{
	unsigned int in_state[LOST + 1] = {0};
	json_t *seen = json_object(), *by = json_object(), *of = json_object();
	char rotation[4];

	for (unsigned int i = 0; i < count; i++) {
		in_state[all[i].state]++;
		snprintf(rotation, sizeof(rotation), "%d", all[i].id[0] >> 5);
		if (all[i].server[0]) {
			add(seen, all[i].server);
			add(of, rotation);
		}
		if (all[i].state == BROKEN)
			add(by, all[i].server);
	}
	json_dumpf(json_pack("{s:i,s:i,s:i,s:i,s:i,s:o,s:o,s:o}", "connections", count, "whole",
			     in_state[WHOLE], "broken", in_state[BROKEN], "lost", in_state[LOST],
			     "changes", changes, "seen", seen, "broken_of", by, "rotations", of),
		   stdout, JSON_COMPACT);
	puts("");
}

static void run(void)
{
	unsigned int live = count;

	for (unsigned int i = 0; i < count; i++) {
		all[i].fd = -1;
		open_socket(&all[i]);
	}
	while (live) {
		const int64_t now = now_ms();

		live = 0;
		for (unsigned int i = 0; i < count; i++) {
			step(&all[i], now);
			live += all[i].state <= OPEN;
			if (all[i].state > OPEN)
				polled[i].fd = -1;
		}
		poll(polled, count, 5);
	}
	report();
}

static bool option(const char *name, const char *value)
{
	const struct {
		const char *name;
		unsigned int *value;
	} numbers[] = {{"--count", &count},
		       {"--packets", &packets},
		       {"--interval-ms", &interval_ms},
		       {"--change-ms", &change_ms}};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!strcmp(name, numbers[i].name)) {
			*numbers[i].value = (unsigned int)atoi(value);
			return true;
		}
	other.sin_family = AF_INET;
	return !strcmp(name, "--other") && inet_pton(AF_INET, value, &other.sin_addr) == 1;
}

static bool from_hex(const char *hex, uint8_t *bytes, size_t count_of)
{
	for (size_t i = 0; i < count_of; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1)
			return false;
	return strlen(hex) == 2 * count_of;
}

static bool add_rotation(const char *text)
{
	const int number = text[0] && text[1] == ':' ? text[0] - '0' : 0;
	const char *key = text[0] && text[1] == ':' ? text + 2 : text;

	if (number < 0 || number >= ROTATIONS || rotations[number].there)
		return false;
	rotations[number].there = true;
	rotations[number].has_key = strcmp(key, "clear") != 0;
	order[order_count++] = number;
	return !rotations[number].has_key ||
	       from_hex(key, rotations[number].key, sizeof(rotations[number].key));
}

/* Rotation 0, not encrypted, where none is given. */
static bool add_rotations(int count_of, char **texts)
{
	for (int i = 0; i < count_of; i++)
		if (!add_rotation(texts[i]))
			return false;
	return count_of || add_rotation("clear");
}

int main(int argc, char **argv)
{
	int i = 2;

	signal(SIGUSR1, on_next);
	if (argc >= 5 && !strcmp(argv[1], "serve") &&
	    from_hex(argv[4], server_id, sizeof(server_id)) && add_rotations(argc - 5, argv + 5))
		serve(argv[2], (uint16_t)atoi(argv[3]));
	for (; i + 2 < argc; i += 2)
		if (!option(argv[i], argv[i + 1]))
			break;
	if (argc < 4 || strcmp(argv[1], "connect") || i + 2 != argc || !count ||
	    count > CONNECTIONS_MAX)
		return fprintf(stderr, "usage: see the first lines of quic_tool.c\n"), 2;
	peer = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)atoi(argv[i + 1]))};
	if (inet_pton(AF_INET, argv[i], &peer.sin_addr) != 1)
		return fprintf(stderr, "quic_tool: %s is no IPv4 address\n", argv[i]), 2;
	run();
	return 0;
}
