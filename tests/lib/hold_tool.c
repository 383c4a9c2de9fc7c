/* SPDX-License-Identifier: BSD-2-Clause */
/* Does a connection that lives on stay where it is? Both ends of many long-lived connections that
 * keep exchanging small messages:
 *
 *	hold_tool serve NAME PORT
 *	hold_tool hold [--count N] [--interval-ms N] [--open-ms N] ADDRESS PORT
 *
 * `serve` answers each message with NAME, on IPv4 and IPv6, until it is killed. `hold` opens the
 * connections, a few at a time or spread over --open-ms, and sends on each of them once an interval. SIGUSR1 makes it print
 * a line of JSON, SIGTERM and SIGINT too before it ends:
 *
 *	{"open":2000,"opened":2000,"exchanges":N,"failures":0,"resets":0,"stalls":0,"stalled":0,"wrong":0,
 *	 "longest_ms":12,"seen":{"b1":500,…},"errors":{}}
 *
 * open          connections that answer now          opened   that have ever answered
 * failures      that were never made                 resets   that the other end ended
 * stalls        messages without an answer for 3 s   wrong    answers that are not the one awaited,
 *                                                             or not by who accepted
 * stalled       of these, messages that have none yet
 * longest_ms    wait for an answer, since the last report
 * seen          open connections by who accepted
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STALL_MS 3000
#define CONNECTING_MAX 64
#define FILES_MAX 65536

struct request {
	uint64_t number;
};

struct answer {
	uint64_t number;
	char name[24];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void raise_file_limit(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* --- serve --- */

struct server {
	int epoll, listener;
	struct answer answer;
	struct {
		struct request request;
		size_t length; /* how much of it has come */
	} from[FILES_MAX];     /* by descriptor */
};

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4096))
		die("listen");
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

static void accept_all(struct server *server)
{
	int fd;

	while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (fd >= FILES_MAX) {
			close(fd);
			continue;
		}
		server->from[fd].length = 0;
		watch(server->epoll, fd);
	}
}

static void answer_request(struct server *server, int fd)
{
	struct request *request = &server->from[fd].request;
	size_t *length = &server->from[fd].length;
	ssize_t got = read(fd, (char *)request + *length, sizeof(*request) - *length);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		close(fd);
		return;
	}
	*length += got;
	if (*length < sizeof(*request))
		return;
	*length = 0;
	server->answer.number = request->number;
	if (send(fd, &server->answer, sizeof(server->answer), MSG_NOSIGNAL) < 0)
		close(fd);
}

static _Noreturn void serve(const char *name, const char *port)
{
	static struct server server;
	struct epoll_event events[64];
	int count, i;

	snprintf(server.answer.name, sizeof(server.answer.name), "%s", name);
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	server.listener = listen_on(atoi(port));
	watch(server.epoll, server.listener);
	for (;;) {
		count = epoll_wait(server.epoll, events, 64, -1);
		for (i = 0; i < count; i++) {
			if (events[i].data.fd == server.listener)
				accept_all(&server);
			else
				answer_request(&server, events[i].data.fd);
		}
	}
}

/* --- hold --- */

enum state { UNUSED, CONNECTING, WAITING, IDLE, ENDED };

struct connection {
	enum state state;
	int fd;
	bool stalled;     /* this wait is counted as a stall already */
	int64_t since_ms; /* of CONNECTING and WAITING */
	uint64_t number;  /* of the message */
	size_t length;    /* how much of the answer has come */
	struct answer answer;
	char name[sizeof(((struct answer *)0)->name)]; /* who accepted; "" at first */
};

struct holder {
	long count, interval_ms, open_ms;
	struct sockaddr_storage address;
	socklen_t address_length;

	int epoll;
	struct connection *connections; /* `count` of them */
	long started, connecting;
	int64_t begin_ms, turns; /* turns: how often a connection has had its turn */
	long opened, exchanges, failures, resets, stalls, wrong;
	int64_t longest_ms;
	json_t *errors;
};

static volatile sig_atomic_t report_wanted, end_wanted;

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

static void connection_end(struct holder *holder, struct connection *connection, long *count,
			   const char *reason)
{
	++*count;
	count_up(holder->errors, reason);
	if (connection->state == CONNECTING)
		holder->connecting--;
	if (connection->fd >= 0)
		close(connection->fd);
	connection->state = ENDED;
}

static void connection_start(struct holder *holder, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
	const struct sockaddr *address = (struct sockaddr *)&holder->address;

	connection->state = CONNECTING;
	connection->since_ms = now_ms();
	holder->connecting++;
	connection->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection->fd < 0 ||
	    (connect(connection->fd, address, holder->address_length) && errno != EINPROGRESS) ||
	    epoll_ctl(holder->epoll, EPOLL_CTL_ADD, connection->fd, &event))
		connection_end(holder, connection, &holder->failures, strerror(errno));
}

static void connection_send(struct holder *holder, struct connection *connection)
{
	struct request request = {.number = ++connection->number};

	connection->state = WAITING;
	connection->since_ms = now_ms();
	connection->stalled = false;
	connection->length = 0;
	if (send(connection->fd, &request, sizeof(request), MSG_NOSIGNAL) < 0)
		connection_end(holder, connection, &holder->resets, strerror(errno));
}

static void connection_made(struct holder *holder, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	socklen_t length = sizeof(int);
	int error = 0;

	getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (!error && epoll_ctl(holder->epoll, EPOLL_CTL_MOD, connection->fd, &event))
		error = errno;
	if (error) {
		connection_end(holder, connection, &holder->failures, strerror(error));
		return;
	}
	holder->connecting--;
	connection_send(holder, connection);
}

static void connection_answered(struct holder *holder, struct connection *connection)
{
	const struct answer *answer = &connection->answer;
	int64_t waited_ms = now_ms() - connection->since_ms;

	holder->exchanges++;
	if (waited_ms > holder->longest_ms)
		holder->longest_ms = waited_ms;
	if (!connection->name[0]) {
		holder->opened++;
		memcpy(connection->name, answer->name, sizeof(connection->name));
	}
	if (connection->state != WAITING || answer->number != connection->number ||
	    memcmp(connection->name, answer->name, sizeof(connection->name)) != 0)
		holder->wrong++;
	connection->state = IDLE;
}

static void connection_read(struct holder *holder, struct connection *connection)
{
	struct answer *answer = &connection->answer;
	ssize_t got = read(connection->fd, (char *)answer + connection->length,
			   sizeof(*answer) - connection->length);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		connection_end(holder, connection, &holder->resets,
			       got ? strerror(errno) : "closed by the other end");
		return;
	}
	connection->length += got;
	if (connection->length < sizeof(*answer))
		return;
	connection_answered(holder, connection);
	connection->length = 0;
}

static void connection_turn(struct holder *holder, struct connection *connection)
{
	if (connection->state == IDLE) {
		connection_send(holder, connection);
	} else if ((connection->state == WAITING || connection->state == CONNECTING) &&
		   !connection->stalled && now_ms() - connection->since_ms >= STALL_MS) {
		connection->stalled = true;
		holder->stalls++;
	}
}

static long opened_by_now(const struct holder *holder)
{
	int64_t since_ms = now_ms() - holder->begin_ms;

	return since_ms < holder->open_ms ? holder->count * since_ms / holder->open_ms
					  : holder->count;
}

/* Each connection has its turn once an interval, and they do not all have it at once. */
static void take_turns(struct holder *holder)
{
	int64_t due = (now_ms() - holder->begin_ms) * holder->count / holder->interval_ms;

	if (due - holder->turns > holder->count) /* held up for an interval: no rush to catch up */
		holder->turns = due - holder->count;
	for (; holder->turns < due; holder->turns++)
		connection_turn(holder, &holder->connections[holder->turns % holder->count]);
	while (holder->started < opened_by_now(holder) && holder->connecting < CONNECTING_MAX)
		connection_start(holder, &holder->connections[holder->started++]);
}

static void report(struct holder *holder)
{
	json_t *seen = json_object(), *line;
	long open = 0, stalled = 0, i;

	for (i = 0; i < holder->count; i++) {
		const struct connection *connection = &holder->connections[i];

		if (connection->state == ENDED || !connection->name[0])
			continue;
		open++;
		stalled += connection->state == WAITING && connection->stalled;
		count_up(seen, connection->name);
	}
	line = json_pack("{sI sI sI sI sI sI sI sI sI so sO}", "open", (json_int_t)open, "opened",
			 (json_int_t)holder->opened, "exchanges", (json_int_t)holder->exchanges,
			 "failures", (json_int_t)holder->failures, "resets",
			 (json_int_t)holder->resets, "stalls", (json_int_t)holder->stalls,
			 "stalled", (json_int_t)stalled, "wrong", (json_int_t)holder->wrong,
			 "longest_ms", (json_int_t)holder->longest_ms, "seen", seen, "errors",
			 holder->errors);
	json_dumpf(line, stdout, JSON_COMPACT);
	json_decref(line);
	putchar('\n');
	fflush(stdout);
	holder->longest_ms = 0;
}

/* All answers that are there, so that none counts as late because this process was. */
static void read_all(struct holder *holder)
{
	struct epoll_event events[64];
	int count, i, wait_ms = 5;

	do {
		count = epoll_wait(holder->epoll, events, 64, wait_ms);
		wait_ms = 0;
		for (i = 0; i < count; i++) {
			struct connection *connection = events[i].data.ptr;

			if (connection->state == CONNECTING)
				connection_made(holder, connection);
			else
				connection_read(holder, connection);
		}
	} while (count == 64);
}

static void run(struct holder *holder)
{
	while (!end_wanted) {
		read_all(holder);
		take_turns(holder);
		if (report_wanted) {
			report_wanted = 0;
			report(holder);
		}
	}
	report(holder);
}

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		report_wanted = 1;
	else
		end_wanted = 1;
}

static int parse_address(struct holder *holder, const char *address, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&holder->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&holder->address;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		holder->address_length = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		holder->address_length = sizeof(*v6);
		return 0;
	}
	return -1;
}

static int parse_options(struct holder *holder, int argc, char **argv)
{
	static const struct option options[] = {
		{"count", required_argument, NULL, 'c'},
		{"interval-ms", required_argument, NULL, 'i'},
		{"open-ms", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			holder->count = atol(optarg);
		else if (option == 'i')
			holder->interval_ms = atol(optarg);
		else if (option == 'o')
			holder->open_ms = atol(optarg);
		else
			return -1;
	}
	if (argc - optind != 2 || holder->count < 1 || holder->count > FILES_MAX - 64 ||
	    holder->interval_ms < 1)
		return -1;
	return parse_address(holder, argv[optind], argv[optind + 1]);
}

static int hold(struct holder *holder)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	holder->epoll = epoll_create1(EPOLL_CLOEXEC);
	holder->connections = calloc(holder->count, sizeof(*holder->connections));
	holder->errors = json_object();
	holder->begin_ms = now_ms();
	if (holder->epoll < 0 || !holder->connections)
		die("hold");
	run(holder);
	json_decref(holder->errors);
	free(holder->connections);
	close(holder->epoll);
	return holder->failures || holder->resets || holder->stalls || holder->wrong;
}

int main(int argc, char **argv)
{
	struct holder holder = {.count = 1, .interval_ms = 500};

	raise_file_limit();
	if (argc == 4 && strcmp(argv[1], "serve") == 0 &&
	    strlen(argv[2]) < sizeof(((struct answer *)0)->name))
		serve(argv[2], argv[3]);
	if (argc > 1 && strcmp(argv[1], "hold") == 0 && !parse_options(&holder, argc - 1, argv + 1))
		return hold(&holder);
	fprintf(stderr,
		"usage: hold_tool serve NAME PORT\n"
		"       hold_tool hold [--count N] [--interval-ms N] [--open-ms N] ADDRESS PORT\n");
	return 2;
}
