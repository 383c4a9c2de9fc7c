/* SPDX-License-Identifier: BSD-2-Clause */
/* Does every connection succeed, and which backend does each one reach? A client for tests that
 * makes many short exchanges with serve_tool, each from a port of its own.
 *
 *	connect_tool [--udp] [--count N] [--parallel N] [--timeout-ms N] [--size BYTES] ADDRESS PORT
 *
 * prints {"connections":N,"failures":M,"seconds":S,"seen":{NAME:N…},"errors":{REASON:N…}} and
 * exits with 0 when nothing failed, else 1. It starts nothing more after FAILURES_MAX failures, so
 * that a dead balancer is reported soon. --size is that of a UDP request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FAILURES_MAX 100

static const char request[] = "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";

/* One exchange; fd is -1 when it is over. */
struct exchange {
	int fd;
	int64_t deadline_ms;
	size_t length;
	char reply[512];
};

struct client {
	bool udp;
	long count, parallel, timeout_ms, size;
	struct sockaddr_storage address;
	socklen_t address_length;

	int epoll;
	long started, ended, failures;
	struct exchange *exchanges; /* `parallel` of them */
	json_t *seen, *errors;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void count_up(json_t *counts, const char *name)
{
	json_int_t before = json_integer_value(json_object_get(counts, name));

	json_object_set_new(counts, name, json_integer(before + 1));
}

static void exchange_close(struct client *client, struct exchange *exchange)
{
	if (exchange->fd >= 0)
		close(exchange->fd);
	exchange->fd = -1;
	client->ended++;
}

static void exchange_fail(struct client *client, struct exchange *exchange, const char *reason)
{
	if (++client->failures == FAILURES_MAX)
		client->count = client->started;
	count_up(client->errors, reason);
	exchange_close(client, exchange);
}

static int exchange_watch(struct client *client, struct exchange *exchange, int op, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = exchange};

	return epoll_ctl(client->epoll, op, exchange->fd, &event);
}

static int send_datagram(const struct client *client, int fd)
{
	static char zeros[65536];

	return send(fd, zeros, client->size, 0) == client->size ? 0 : -1;
}

static void exchange_start(struct client *client, struct exchange *exchange)
{
	int type = client->udp ? SOCK_DGRAM : SOCK_STREAM;

	client->started++;
	exchange->length = 0;
	exchange->deadline_ms = now_ms() + client->timeout_ms;
	exchange->fd = socket(client->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (exchange->fd < 0 ||
	    (connect(exchange->fd, (struct sockaddr *)&client->address, client->address_length) &&
	     errno != EINPROGRESS) ||
	    (client->udp && send_datagram(client, exchange->fd)) ||
	    exchange_watch(client, exchange, EPOLL_CTL_ADD, client->udp ? EPOLLIN : EPOLLOUT))
		exchange_fail(client, exchange, strerror(errno));
}

/* The reply is whole: over TCP an HTTP response, whose body is the backend's name. */
static void exchange_end(struct client *client, struct exchange *exchange)
{
	char *name = exchange->reply;

	exchange->reply[exchange->length] = 0;
	if (!client->udp) {
		name = strstr(exchange->reply, "\r\n\r\n");
		if (strncmp(exchange->reply, "HTTP/1.1 200 ", 13) || !name) {
			exchange_fail(client, exchange, "incomplete reply");
			return;
		}
		name += 4;
	}
	name[strcspn(name, "\n")] = 0;
	count_up(client->seen, name);
	exchange_close(client, exchange);
}

static void exchange_connected(struct client *client, struct exchange *exchange)
{
	int error = 0;
	socklen_t length = sizeof(error);

	getsockopt(exchange->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error)
		exchange_fail(client, exchange, strerror(error));
	else if (send(exchange->fd, request, strlen(request), MSG_NOSIGNAL) < 0 ||
		 exchange_watch(client, exchange, EPOLL_CTL_MOD, EPOLLIN))
		exchange_fail(client, exchange, strerror(errno));
}

static void exchange_read(struct client *client, struct exchange *exchange)
{
	size_t room = sizeof(exchange->reply) - 1 - exchange->length;
	ssize_t length = read(exchange->fd, exchange->reply + exchange->length, room);

	if (length < 0) {
		if (errno != EAGAIN)
			exchange_fail(client, exchange, strerror(errno));
		return;
	}
	exchange->length += length;
	if (client->udp || length == 0)
		exchange_end(client, exchange);
}

static void exchange_event(struct client *client, const struct epoll_event *event)
{
	struct exchange *exchange = event->data.ptr;

	if (event->events & EPOLLOUT)
		exchange_connected(client, exchange);
	else
		exchange_read(client, exchange);
}

static void refill_and_expire(struct client *client)
{
	int64_t now = now_ms();

	for (long i = 0; i < client->parallel; i++) {
		struct exchange *exchange = &client->exchanges[i];

		if (exchange->fd >= 0 && exchange->deadline_ms <= now)
			exchange_fail(client, exchange, "timeout");
		if (exchange->fd < 0 && client->started < client->count)
			exchange_start(client, exchange);
	}
}

static void run(struct client *client)
{
	struct epoll_event events[64];

	while (client->ended < client->count) {
		int count;

		refill_and_expire(client);
		count = epoll_wait(client->epoll, events, 64, 20);
		for (int i = 0; i < count; i++)
			exchange_event(client, &events[i]);
	}
}

static int parse_address(struct client *client, const char *address, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&client->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&client->address;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		client->address_length = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		client->address_length = sizeof(*v6);
		return 0;
	}
	return -1;
}

static int parse_options(struct client *client, int argc, char **argv)
{
	static const struct option options[] = {
		{"udp", no_argument, NULL, 'u'},
		{"count", required_argument, NULL, 'c'},
		{"parallel", required_argument, NULL, 'p'},
		{"timeout-ms", required_argument, NULL, 't'},
		{"size", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'u')
			client->udp = true;
		else if (option == 'c')
			client->count = atol(optarg);
		else if (option == 'p')
			client->parallel = atol(optarg);
		else if (option == 't')
			client->timeout_ms = atol(optarg);
		else if (option == 's')
			client->size = atol(optarg);
		else
			return -1;
	}
	if (argc - optind != 2 || client->count < 1 || client->parallel < 1 || client->size < 0 ||
	    client->size > 65507)
		return -1;
	return parse_address(client, argv[optind], argv[optind + 1]);
}

static void report(const struct client *client, int64_t took_ms)
{
	json_auto_t *report =
		json_pack("{sI sI sf sO sO}", "connections", (json_int_t)client->ended, "failures",
			  (json_int_t)client->failures, "seconds", took_ms / 1000.0, "seen",
			  client->seen, "errors", client->errors);

	json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct client client = {.count = 1, .parallel = 1, .timeout_ms = 5000, .size = 64};
	int64_t begin = now_ms();

	if (parse_options(&client, argc, argv)) {
		fprintf(stderr, "usage: connect_tool [--udp] [--count N] [--parallel N] "
				"[--timeout-ms N] [--size BYTES] ADDRESS PORT\n");
		return 2;
	}
	client.epoll = epoll_create1(EPOLL_CLOEXEC);
	client.exchanges = calloc(client.parallel, sizeof(*client.exchanges));
	client.seen = json_object();
	client.errors = json_object();
	if (client.epoll < 0 || !client.exchanges)
		return 1;
	for (long i = 0; i < client.parallel; i++)
		client.exchanges[i].fd = -1;

	run(&client);
	report(&client, now_ms() - begin);
	json_decref(client.seen);
	json_decref(client.errors);
	free(client.exchanges);
	close(client.epoll);
	return client.failures > 0;
}
