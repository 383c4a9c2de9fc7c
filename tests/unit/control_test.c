/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the control socket serve everybody, whatever a client does? The server runs in a child; the
 * tests are its clients. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cap-ng.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../lbd/control/control.h"
#include "../../lbd/host/worker.h"

#define ANSWER_MS 20000 /* longer than anything that should come takes on a busy machine */
#define SILENCE_MS 150
#define SLOW_MS 1000 /* longer than a busy machine takes to see that it has begun */

static char folder[] = "/tmp/control_test.XXXXXX";
static char path[64];
static pid_t server;

/* --- the server --- */

static int calls;

static json_t *text_of_size(json_int_t size)
{
	char *text = malloc((size_t)size);
	json_t *value;

	assert_non_null(text);
	memset(text, 'x', (size_t)size);
	value = json_stringn(text, (size_t)size);
	free(text);
	return value;
}

static struct control *serving;
static bool working; /* requests are carried out by a worker, but for short ones */

static unsigned int slow_calls;

/* A long request, which lets go of its turn. */
static json_t *wait_apart(void)
{
	const struct timespec time = {.tv_sec = SLOW_MS / 1000,
				      .tv_nsec = SLOW_MS % 1000 * 1000000};

	slow_calls++;
	worker_leave();
	nanosleep(&time, NULL);
	worker_enter();
	return json_true();
}

static bool released; /* what "hold" waits for */

static json_t *hold_apart(void)
{
	const struct timespec time = {.tv_nsec = 1000000};

	while (!released) {
		worker_leave();
		nanosleep(&time, NULL);
		worker_enter();
	}
	return json_true();
}

/* Broadcasts a line of so many x. */
static void tell(json_int_t size, json_t **result)
{
	char *line = malloc((size_t)size + 2);

	assert_non_null(line);
	memset(line, 'x', (size_t)size);
	strcpy(line + size, "\n");
	control_broadcast(serving, line, (size_t)size + 1);
	free(line);
	*result = json_true();
}

static int puts_waiting, settled; /* requests that settle, and how often they have */
static bool disk_fails;

static bool is_put(void *user, const struct lb_request *request)
{
	(void)user;
	return !strcmp(request->method, "put");
}

/* On disk, which takes a moment. */
static int settle_puts(void *user, struct lb_err *err)
{
	const struct timespec moment = {.tv_nsec = 2000000};

	(void)user;
	if (!puts_waiting)
		return 0;
	puts_waiting = 0;
	settled++;
	worker_leave();
	nanosleep(&moment, NULL);
	worker_enter();
	return disk_fails ? lb_err_set(err, LB_ERR_SYSTEM, "", "the disk fails") : 0;
}

static json_int_t failures; /* so many allocations of jansson's fail, in the server */

static void *failing_malloc(size_t size)
{
	if (!failures)
		return malloc(size);
	failures--;
	return NULL;
}

static int carry_out(void *user, const struct peer *peer, const struct lb_request *request,
		     json_t **result, struct lb_err *err)
{
	const char *method = request->method;

	(void)user;
	calls++;
	if (!strcmp(method, "echo"))
		*result = json_incref((json_t *)request->params);
	else if (!strcmp(method, "big"))
		*result =
			text_of_size(json_integer_value(json_object_get(request->params, "size")));
	else if (!strcmp(method, "starve"))
		failures = json_integer_value(json_object_get(request->params, "failures"));
	else if (!strcmp(method, "slow"))
		*result = wait_apart();
	else if (!strcmp(method, "begun"))
		*result = json_integer(slow_calls);
	else if (!strcmp(method, "hold"))
		*result = hold_apart();
	else if (!strcmp(method, "now"))
		*result = json_true();
	else if (!strcmp(method, "release"))
		*result = json_boolean(released = true);
	else if (!strcmp(method, "put"))
		*result = json_integer(++puts_waiting);
	else if (!strcmp(method, "settled"))
		*result = json_integer(settled);
	else if (!strcmp(method, "fail"))
		*result = json_boolean(disk_fails = true);
	else if (!strcmp(method, "count"))
		*result = json_integer(calls);
	else if (!strcmp(method, "who"))
		*result = json_pack("[i, i]", (int)peer->uid, (int)peer->pid);
	else if (!strcmp(method, "watch"))
		*result = json_true();
	else if (!strcmp(method, "tell"))
		tell(json_integer_value(json_object_get(request->params, "size")), result);
	else
		return lb_err_set(err, LB_ERR_METHOD, "", "no method \"%s\"", method);
	return strcmp(method, "put") ? 0 : CONTROL_SETTLES;
}

static void on_signal(evutil_socket_t number, short what, void *base)
{
	(void)number;
	(void)what;
	event_base_loopbreak(base);
}

static struct worker *place_call(void *user, const char *method)
{
	static const char *const short_ones[] = {"now", "begun", "release"};

	for (size_t i = 0; method && i < sizeof(short_ones) / sizeof(*short_ones); i++) {
		if (!strcmp(method, short_ones[i]))
			return NULL;
	}
	return *(struct worker **)user;
}

static int serve(const struct control_options *asked, int ready)
{
	struct control_options options = *asked;
	struct event_base *base = event_base_new();
	struct event *end = evsignal_new(base, SIGTERM, on_signal, base);
	struct turns *turns;
	struct worker *worker = NULL;
	struct control *control;
	char warning[256] = "";
	struct lb_err err;

	json_set_alloc_funcs(failing_malloc, free);
	event_add(end, NULL);
	options.user = &worker;
	options.place = working ? place_call : NULL;
	if (turns_new(base, &turns, &err) || (working && worker_new(turns, &worker, &err)))
		return 1;
	if (control_open(base, &options, &control, warning, sizeof(warning), &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	serving = control;
	close(ready);
	turns_dispatch(turns);
	worker_close(worker);
	control_close(control);
	turns_free(turns);
	event_free(end);
	event_base_free(base);
	libevent_global_shutdown();
	return 0;
}

/* What everybody may connect to, where `shared`. */
static void start(unsigned int idle_ms, rlim_t descriptors, const struct share_limits *shared)
{
	const struct control_options options = {.path = path,
						.idle_ms = idle_ms,
						.line_max = shared ? 4096 : 0,
						.share = shared,
						.call = carry_out,
						.together = is_put,
						.settle = settle_puts,
						.stream_method = "watch"};
	const struct rlimit limit = {descriptors, descriptors};
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	server = fork();
	assert_true(server >= 0);
	if (!server) {
		close(ready[0]);
		if (descriptors && setrlimit(RLIMIT_NOFILE, &limit))
			exit(1);
		exit(serve(&options, ready[1]));
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0); /* its end is closed once it listens */
	close(ready[0]);
}

static void start_server(unsigned int idle_ms, rlim_t descriptors)
{
	start(idle_ms, descriptors, NULL);
}

/* Also sees that the server is alive, and (with a sanitizer) that it leaks nothing. */
static void stop_server(void)
{
	int status;

	assert_int_equal(kill(server, SIGTERM), 0);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	server = 0;
	assert_int_equal(access(path, F_OK), -1);
}

/* --- a client --- */

static int try_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = ANSWER_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

static int client(void)
{
	int fd = try_connect();

	assert_true(fd >= 0);
	return fd;
}

static void say(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

		assert_true(sent > 0);
		text += sent;
		length -= (size_t)sent;
	}
}

static void say_text(int fd, const char *text)
{
	say(fd, text, strlen(text));
}

/* A line, or as much of it as there is room for. What comes after it is left there. */
static bool hear(int fd, char *out, size_t size)
{
	size_t length = 0;

	while (length + 1 < size) {
		const ssize_t there = recv(fd, out + length, size - 1 - length, MSG_PEEK);
		const char *end;

		if (there <= 0)
			return false;
		end = memchr(out + length, '\n', (size_t)there);
		length += (size_t)recv(fd, out + length,
				       end ? (size_t)(end - out) - length + 1 : (size_t)there, 0);
		if (end)
			break;
	}
	out[length] = 0;
	return true;
}

static void expect(int fd, const char *line)
{
	char heard[1024];

	assert_true(hear(fd, heard, sizeof(heard)));
	assert_string_equal(heard, line);
}

/* The other end was closed; what is still to be read is passed over. */
static void expect_end(int fd)
{
	char bytes[4096];
	ssize_t got;

	do
		got = recv(fd, bytes, sizeof(bytes), 0);
	while (got > 0);
	assert_true(got == 0 || errno == ECONNRESET);
}

static bool is_silent(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, SILENCE_MS) == 0;
}

/* The other end was closed; nothing is read meanwhile. */
static bool is_hung_up(int fd)
{
	struct pollfd poller = {.fd = fd};

	return poll(&poller, 1, ANSWER_MS) == 1;
}

static const char echo[] =
	"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":{\"a\":1}}\n";
static const char echoed[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":1}}\n";

static const char count_request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\"}\n";

static int hear_count(int fd)
{
	char line[256];
	int count = -1;

	assert_true(hear(fd, line, sizeof(line)));
	assert_int_equal(sscanf(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%d}", &count), 1);
	return count;
}

static int count_calls(int fd)
{
	say_text(fd, count_request);
	return hear_count(fd);
}

/* --- lines and replies --- */

static void pipelined_requests_are_answered_in_order(void **state)
{
	enum { COUNT = 1000 };
	static char requests[COUNT * 64];
	size_t length = 0;
	int fd;

	(void)state;
	for (int i = 0; i < COUNT; i++)
		length +=
			(size_t)sprintf(requests + length,
					"{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"echo\"}\n", i);
	start_server(0, 0);
	fd = client();
	say(fd, requests, length);
	for (int i = 0; i < COUNT; i++) {
		char line[64];

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}\n", i);
		expect(fd, line);
	}
	close(fd);
	stop_server();
}

static void caller_is_known_by_user_and_process(void **state)
{
	char reply[128];
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	snprintf(reply, sizeof(reply), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[%d,%d]}\n",
		 (int)getuid(), (int)getpid());
	say_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"who\"}\n");
	expect(fd, reply);
	close(fd);
	stop_server();
}

static void line_in_pieces_is_one_request(void **state)
{
	int fd, other;

	(void)state;
	start_server(0, 0);
	fd = client();
	other = client();
	for (const char *byte = echo; *byte; byte++) {
		say(fd, byte, 1);
		count_calls(other); /* so that the server has read the byte */
	}
	expect(fd, echoed);
	close(fd);
	close(other);
	stop_server();
}

static void notification_is_carried_out_and_gets_no_reply(void **state)
{
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	say_text(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}\n");
	say_text(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"unknown\"}\n");
	assert_int_equal(count_calls(fd), 3);
	close(fd);
	stop_server();
}

static void error_carries_the_id_where_there_is_one(void **state)
{
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	say_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"ecco\"}\n");
	expect(fd, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"error\":{\"code\":-32601,"
		   "\"message\":\"no method \\\"ecco\\\"\"}}\n");
	say_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":5}\n");
	expect(fd, "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32600,"
		   "\"message\":\"method must be a string, not an integer\"}}\n");
	say_text(fd, "[]\n");
	expect(fd, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
		   "\"message\":\"batches are not supported\","
		   "\"data\":{\"hint\":\"send one request a line\"}}}\n");
	say_text(fd, echo); /* and the connection goes on */
	expect(fd, echoed);
	close(fd);
	stop_server();
}

#define NO_MEMORY                                                                                  \
	"\"error\":{\"code\":5,\"message\":\"out of memory: lbd could not make the reply\","       \
	"\"data\":{\"hint\":\"a change may have been made all the same: look before you ask "      \
	"again\"}}}\n"

#define STARVE "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"starve\",\"params\":{\"failures\":"

/* It is an error to that request, and the connection goes on. */
static void reply_without_memory_is_an_error(void **state)
{
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	say_text(fd, STARVE "1}}\n");
	expect(fd, "{\"jsonrpc\":\"2.0\",\"id\":7," NO_MEMORY);
	say_text(fd, echo);
	expect(fd, echoed);
	close(fd);
	stop_server();
}

/* Not even for that: a line that needs no memory, then the end. */
static void no_memory_at_all_is_said_before_the_end(void **state)
{
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	say_text(fd, STARVE "1000000}}\n");
	expect(fd, "{\"jsonrpc\":\"2.0\",\"id\":null," NO_MEMORY);
	expect_end(fd);
	close(fd);
	stop_server();
}

static void half_closed_client_gets_its_replies(void **state)
{
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	say_text(fd, echo);
	say_text(fd, echo);
	say(fd, echo, sizeof(echo) - 2); /* the last line needs no newline */
	shutdown(fd, SHUT_WR);
	expect(fd, echoed);
	expect(fd, echoed);
	expect(fd, echoed);
	expect_end(fd);
	close(fd);
	stop_server();
}

static void request_cut_off_by_the_end_is_an_error(void **state)
{
	char line[512];
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	say(fd, echo, sizeof(echo) - 3);
	shutdown(fd, SHUT_WR);
	assert_true(hear(fd, line, sizeof(line)));
	assert_non_null(strstr(line, "\"code\":-32700"));
	expect_end(fd);
	close(fd);
	stop_server();
}

/* --- sizes --- */

/* A request of `length` bytes with its newline, blanks in the middle. */
static char *long_request(size_t length)
{
	static const char start[] = "{\"jsonrpc\":\"2.0\",\"id\":7,";
	static const char end[] = "\"method\":\"echo\",\"params\":{\"a\":1}}\n";
	char *text = malloc(length);

	assert_non_null(text);
	memset(text, ' ', length);
	memcpy(text, start, sizeof(start) - 1);
	memcpy(text + length - (sizeof(end) - 1), end, sizeof(end) - 1);
	return text;
}

static const char too_long[] =
	"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
	"\"message\":\"a request is longer than 8388608 bytes\",\"data\":{\"hint\":"
	"\"make smaller changes, each in its own request\"}}}\n";

static void longest_request_is_served_and_one_byte_more_is_refused(void **state)
{
	char *text = long_request(LB_REQUEST_MAX + 1);
	int fd, again;

	(void)state;
	start_server(0, 0);
	fd = client();
	say(fd, text, LB_REQUEST_MAX + 1);
	expect(fd, too_long);
	expect_end(fd);
	close(fd);
	free(text);

	text = long_request(LB_REQUEST_MAX);
	again = client();
	say(again, text, LB_REQUEST_MAX);
	expect(again, echoed);
	say_text(again, echo);
	expect(again, echoed);
	close(again);
	free(text);
	stop_server();
}

static void endless_line_is_refused_and_its_sender_sees_why(void **state)
{
	static const char blanks[1 << 16];
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	for (int i = 0; i < 512; i++)
		say(fd, blanks, sizeof(blanks));
	expect(fd, too_long);
	expect_end(fd);
	close(fd);
	stop_server();
}

static void refused_client_that_stays_is_closed(void **state)
{
	char *text = long_request(LB_REQUEST_MAX + 1);
	int fd, other;

	(void)state;
	start_server(3000, 0);
	fd = client();
	other = client();
	say(fd, text, LB_REQUEST_MAX + 1);
	expect(fd, too_long);
	expect_end(fd);
	/* Only now the server's end is closed for writing as well: EPIPE. */
	while (send(fd, text, 1, MSG_NOSIGNAL) == 1)
		count_calls(other);
	assert_int_equal(errno, EPIPE);
	close(fd);
	close(other);
	free(text);
	stop_server();
}

/* --- clients that stop --- */

static void half_a_line_then_silence_is_closed_and_idle_clients_are_not(void **state)
{
	int half, idle;

	(void)state;
	start_server(300, 0);
	idle = client();
	half = client();
	say_text(half, echo);
	expect(half, echoed);
	say(half, echo, 20);
	expect_end(half);
	say_text(idle, echo);
	expect(idle, echoed);
	close(half);
	close(idle);
	stop_server();
}

static void half_a_line_that_trickles_in_is_closed(void **state)
{
	int slow, sent = 0;

	(void)state;
	start_server(300, 0);
	slow = client();
	while (send(slow, " ", 1, MSG_NOSIGNAL) == 1 && sent++ < 200)
		is_silent(slow); /* for half as long as it may be silent */
	assert_in_range(sent, 1, 100);
	expect_end(slow);
	close(slow);
	stop_server();
}

/* --- a socket that is shared out --- */

static const struct share_limits shared = {.clients = 3,
					   .clients_by_user = 3,
					   .rest = 3,
					   .unread = 1 << 20,
					   .unread_by_user = 1 << 20};

static void shared_socket_answers_in_order(void **state)
{
	int one, other;

	(void)state;
	start(0, 0, &shared);
	one = client();
	other = client();
	for (int i = 0; i < 20; i++)
		say_text(one, count_request);
	say_text(other, echo);
	expect(other, echoed);
	for (int i = 1; i <= 20; i++)
		assert_in_range(hear_count(one), i, i + 1);
	close(one);
	say_text(other, echo);
	expect(other, echoed);
	close(other);
	stop_server();
}

static void shared_socket_takes_short_requests_only(void **state)
{
	char *text = long_request(4097);
	int fd;

	(void)state;
	start(0, 0, &shared);
	fd = client();
	say(fd, text, 4097);
	expect(fd, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"a "
		   "request is "
		   "longer than 4096 bytes\",\"data\":{\"hint\":\"send it to the main socket, "
		   "which takes "
		   "8388608\"}}}\n");
	close(fd);
	free(text);
	stop_server();
}

static void shared_socket_serves_others_while_one_does_not_read(void **state)
{
	static const char big[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\","
				  "\"params\":{\"size\":3000000}}\n";
	char *heard = malloc(3000100);
	int deaf, other;

	(void)state;
	start(0, 0, &shared);
	deaf = client();
	other = client();
	say_text(deaf, big);
	assert_int_equal(poll(&(struct pollfd){.fd = deaf, .events = POLLIN}, 1, ANSWER_MS), 1);
	say_text(other, echo); /* of the same user, whose replies are too many to have another */
	assert_true(is_silent(other));
	assert_true(hear(deaf, heard, 3000100));
	expect(other, echoed);
	free(heard);
	close(deaf);
	close(other);
	stop_server();
}

/* As much as the server takes from a client that does not read. */
static int say_until_blocked(int fd, const char *request)
{
	int sent = 0;

	for (;;) {
		struct pollfd poller = {.fd = fd, .events = POLLOUT};

		if (poll(&poller, 1, SILENCE_MS) != 1)
			return sent;
		if (send(fd, request, strlen(request), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return errno == EAGAIN ? sent : -1;
		sent++;
	}
}

static void client_that_never_reads_is_not_read_from_then_closed(void **state)
{
	static const char big[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\","
				  "\"params\":{\"size\":100000}}\n";
	int deaf, other, served, sent = 0, counts = 0;

	(void)state;
	start_server(2000, 0);
	other = client();
	deaf = client();
	do { /* a busy server may only be slow to read */
		sent += say_until_blocked(deaf, big);
		served = count_calls(other) - ++counts;
	} while (served < 10 && sent > 0);
	assert_true(sent > served);
	assert_in_range(served, 10, 23); /* 1 MiB of replies, and what the socket holds */
	assert_true(is_hung_up(deaf));
	close(deaf);
	close(other);
	stop_server();
}

static void client_that_reads_late_gets_every_reply(void **state)
{
	enum { COUNT = 200, SIZE = 100000 };
	char *line = malloc(SIZE + 100), request[128];
	int fd;

	(void)state;
	assert_non_null(line);
	start_server(0, 0);
	fd = client();
	for (int i = 0; i < COUNT; i++) {
		snprintf(request, sizeof(request),
			 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"big\","
			 "\"params\":{\"size\":%d}}\n",
			 i, SIZE);
		say_text(fd, request);
	}
	for (int i = 0; i < COUNT; i++) {
		int id = -1;
		ssize_t got;

		assert_true(hear(fd, line, 40));
		assert_int_equal(sscanf(line, "{\"jsonrpc\":\"2.0\",\"id\":%d,", &id), 1);
		assert_int_equal(id, i);
		do
			got = recv(fd, line, strlen("\n") + SIZE, MSG_PEEK);
		while (got > 0 && !memchr(line, '\n', (size_t)got) &&
		       recv(fd, line, (size_t)got, 0));
		assert_true(got > 0);
		got = (char *)memchr(line, '\n', (size_t)got) - line + 1;
		assert_int_equal(recv(fd, line, (size_t)got, 0), got);
	}
	close(fd);
	free(line);
	stop_server();
}

static void long_pipeline_does_not_delay_others(void **state)
{
	enum { COUNT = 1000, LENGTH = sizeof(echo) - 1 };
	static char requests[COUNT * LENGTH];
	int fd[3], status; /* the one in the middle is busy */

	(void)state;
	for (int i = 0; i < COUNT; i++)
		memcpy(requests + i * LENGTH, echo, LENGTH);
	start_server(0, 0);
	for (int i = 0; i < 3; i++) {
		fd[i] = client();
		say_text(fd[i], echo);
		expect(fd[i], echoed);
	}
	/* Stopped, so that it finds the requests of all at once, in whatever order. */
	kill(server, SIGSTOP);
	assert_int_equal(waitpid(server, &status, WUNTRACED), server);
	say_text(fd[0], count_request);
	say(fd[1], requests, sizeof(requests));
	say_text(fd[2], count_request);
	kill(server, SIGCONT);
	assert_in_range(hear_count(fd[0]), 4, 20);
	assert_in_range(hear_count(fd[2]), 4, 20);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	stop_server();
}

static void client_that_goes_away_leaves_the_others_alone(void **state)
{
	int other;

	(void)state;
	start_server(0, 0);
	other = client();
	for (int i = 0; i < 50; i++) {
		int fd = client();

		for (int j = 0; j < i; j++)
			say_text(fd, echo);
		say(fd, echo, (size_t)i);
		close(fd);
		say_text(other, echo);
		expect(other, echoed);
	}
	close(other);
	stop_server();
}

/* --- many clients --- */

static void five_hundred_clients_at_once_are_all_answered(void **state)
{
	enum { COUNT = 500 };
	int fd[COUNT];

	(void)state;
	start_server(0, 0);
	for (int i = 0; i < COUNT; i++)
		fd[i] = client();
	for (int i = 0; i < COUNT; i++)
		say_text(fd[i], echo);
	for (int i = COUNT - 1; i >= 0; i--)
		expect(fd[i], echoed);
	for (int i = 0; i < COUNT; i++)
		close(fd[i]);
	stop_server();
}

static double cpu_seconds_of_children(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void clients_beyond_the_descriptors_wait_their_turn_without_a_busy_loop(void **state)
{
	enum { COUNT = 60 };
	double before = cpu_seconds_of_children();
	int fd[COUNT];

	(void)state;
	start_server(0, 40);
	for (int i = 0; i < COUNT; i++) {
		fd[i] = client();
		say_text(fd[i], echo);
	}
	expect(fd[0], echoed);
	for (int i = 0; i < 10; i++)
		assert_true(is_silent(fd[COUNT - 1]));
	for (int i = 1; i < COUNT; i++) {
		close(fd[i - 1]);
		expect(fd[i], echoed);
	}
	close(fd[COUNT - 1]);
	stop_server();
	/* It waited for 1.5 s; spinning costs a good part of that. */
	assert_true(cpu_seconds_of_children() - before < 0.1);
}

/* --- the file --- */

static int try_open(const struct control_options *options, struct lb_err *err, char *warning,
		    size_t size)
{
	struct event_base *base = event_base_new();
	struct control *control;
	int ret = control_open(base, options, &control, warning, size, err);

	if (!ret)
		control_close(control);
	event_base_free(base);
	return ret;
}

static void live_socket_is_refused_and_goes_on(void **state)
{
	const struct control_options options = {.path = path, .call = carry_out};
	char message[256], warning[256] = "";
	struct lb_err err;
	int fd;

	(void)state;
	start_server(0, 0);
	assert_int_not_equal(try_open(&options, &err, warning, sizeof(warning)), 0);
	snprintf(message, sizeof(message), "another lbd answers at %s", path);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	assert_string_equal(err.message, message);
	fd = client();
	say_text(fd, echo);
	expect(fd, echoed);
	close(fd);
	stop_server();
}

static void stale_socket_is_replaced(void **state)
{
	int status, fd;

	(void)state;
	start_server(0, 0);
	kill(server, SIGKILL);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(access(path, F_OK), 0);
	start_server(0, 0);
	fd = client();
	say_text(fd, echo);
	expect(fd, echoed);
	close(fd);
	stop_server();
}

static void other_file_is_left_alone(void **state)
{
	const struct control_options options = {.path = path, .call = carry_out};
	FILE *file = fopen(path, "w");
	char warning[256] = "";
	struct lb_err err;

	(void)state;
	assert_non_null(file);
	fclose(file);
	assert_int_not_equal(try_open(&options, &err, warning, sizeof(warning)), 0);
	assert_int_equal(err.code, LB_ERR_REFUSED);
	assert_non_null(strstr(err.message, "is not a socket"));
	assert_int_equal(unlink(path), 0);
}

static void folder_is_made_and_the_socket_is_for_owner_and_group(void **state)
{
	char inner[96], warning[256] = "";
	struct control_options options = {.path = inner, .call = carry_out};
	struct event_base *base = event_base_new();
	mode_t mask = umask(0077);
	struct control *control;
	struct lb_err err;
	struct stat file;

	(void)state;
	snprintf(inner, sizeof(inner), "%s/run/lbd.sock", folder);
	assert_int_equal(control_open(base, &options, &control, warning, sizeof(warning), &err), 0);
	umask(mask);
	assert_int_equal(stat(inner, &file), 0);
	assert_int_equal(file.st_mode, S_IFSOCK | 0660);
	control_close(control);
	event_base_free(base);
	assert_int_equal(access(inner, F_OK), -1);
	*strrchr(inner, '/') = 0;
	assert_int_equal(rmdir(inner), 0);
}

static void missing_group_is_an_error_only_where_it_was_asked_for(void **state)
{
	struct control_options options = {
		.path = path, .group = "no-such-group", .call = carry_out};
	char warning[256] = "";
	struct lb_err err;

	(void)state;
	assert_int_equal(try_open(&options, &err, warning, sizeof(warning)), 0);
	assert_non_null(strstr(warning, "no group \"no-such-group\""));
	options.group_required = true;
	assert_int_not_equal(try_open(&options, &err, warning, sizeof(warning)), 0);
	assert_string_equal(err.path, "control.group");
	assert_string_equal(err.message, "no group \"no-such-group\"");
	assert_int_equal(access(path, F_OK), -1);
}

/* Effective only: put back afterwards. Who is not root has none to give up. */
static void may_chown(bool may)
{
	assert_int_equal(capng_get_caps_process(), 0);
	if (!capng_have_capability(CAPNG_PERMITTED, CAP_CHOWN))
		return;
	capng_update(may ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, CAP_CHOWN);
	assert_int_equal(capng_apply(CAPNG_SELECT_CAPS), 0);
}

static void without_cap_chown_the_default_group_is_a_warning(void **state)
{
	struct control_options options = {.path = path, .group = "daemon", .call = carry_out};
	char warning[256] = "";
	struct lb_err err;
	int ret;

	(void)state;
	may_chown(false);
	ret = try_open(&options, &err, warning, sizeof(warning));
	options.group_required = true;
	assert_int_equal(try_open(&options, &err, NULL, 0), -EPERM);
	may_chown(true);
	assert_int_equal(ret, 0);
	assert_non_null(strstr(warning, "lbd lacks CAP_CHOWN: only root may use "));
	assert_non_null(strstr(err.hint, "CAP_CHOWN"));
}

/* --- streams --- */

static const char watch_request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch\"}\n";
static const char yes[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}\n";

static int watcher(void)
{
	int fd = client();

	say_text(fd, watch_request);
	expect(fd, yes);
	return fd;
}

static void tell_all(int fd, int size)
{
	char request[128];

	snprintf(request, sizeof(request),
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tell\",\"params\":{\"size\":%d}}\n",
		 size);
	say_text(fd, request);
	expect(fd, yes);
}

static void only_those_who_asked_get_what_is_broadcast(void **state)
{
	int first, second, other, teller;

	(void)state;
	start_server(0, 0);
	first = watcher();
	second = watcher();
	other = client();
	teller = client();
	count_calls(other);
	tell_all(teller, 3);
	tell_all(teller, 4);
	expect(first, "xxx\n");
	expect(first, "xxxx\n");
	expect(second, "xxx\n");
	expect(second, "xxxx\n");
	assert_true(is_silent(other));
	close(first);
	close(second);
	close(other);
	close(teller);
	stop_server();
}

static void watcher_may_still_ask(void **state)
{
	int fd;

	(void)state;
	start_server(0, 0);
	fd = watcher();
	say_text(fd, echo);
	expect(fd, echoed);
	say_text(fd,
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tell\",\"params\":{\"size\":2}}\n");
	expect(fd, "xx\n");
	expect(fd, yes);
	close(fd);
	stop_server();
}

static void refused_watch_is_no_stream(void **state)
{
	int fd, teller;

	(void)state;
	start_server(0, 0);
	fd = client();
	say_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch \"}\n");
	expect(fd,
	       "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no method "
	       "\\\"watch \\\"\"}}\n");
	teller = client();
	tell_all(teller, 3);
	assert_true(is_silent(fd));
	close(fd);
	close(teller);
	stop_server();
}

static void watcher_that_never_reads_is_closed_and_others_get_everything(void **state)
{
	enum { LINE = 65535, COUNT = 40 };
	static char line[LINE + 2];
	int deaf, reader, teller;

	(void)state;
	start_server(0, 0);
	deaf = watcher();
	reader = watcher();
	teller = client();
	for (int i = 0; i < COUNT; i++) {
		tell_all(teller, LINE);
		assert_true(hear(reader, line, sizeof(line)));
		assert_int_equal(strlen(line), LINE + 1);
	}
	assert_true(is_hung_up(deaf));
	tell_all(teller, 1);
	expect(reader, "x\n");
	close(deaf);
	close(reader);
	close(teller);
	stop_server();
}

/* The one that tells is the one that never reads: it must outlive its own request. */
static void watcher_may_drown_itself(void **state)
{
	int deaf, other;

	(void)state;
	start_server(0, 0);
	deaf = watcher();
	say_text(deaf, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tell\",\"params\":{\"size\":"
		       "2000000}}\n");
	expect_end(deaf);
	other = client();
	count_calls(other);
	close(deaf);
	close(other);
	stop_server();
}

static void watcher_that_goes_away_leaves_the_others_alone(void **state)
{
	int gone, stays, teller;

	(void)state;
	start_server(0, 0);
	gone = watcher();
	stays = watcher();
	teller = client();
	close(gone);
	tell_all(teller, 3);
	tell_all(teller, 3);
	expect(stays, "xxx\n");
	expect(stays, "xxx\n");
	close(stays);
	close(teller);
	stop_server();
}

static void socket_has_the_mode_asked_for_and_errors_the_name(void **state)
{
	const struct control_options options = {.path = path,
						.path_name = "control.read_only_path",
						.mode = 0666,
						.call = carry_out};
	struct event_base *base = event_base_new();
	struct control *control, *second;
	struct lb_err err = {0};
	struct stat file;
	char warning[64];

	(void)state;
	assert_int_equal(control_open(base, &options, &control, warning, sizeof(warning), &err), 0);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0666);
	assert_int_not_equal(control_open(base, &options, &second, warning, sizeof(warning), &err),
			     0);
	assert_string_equal(err.path, "control.read_only_path");
	control_close(control);
	event_base_free(base);
	libevent_global_shutdown();
}

/* --- all --- */

static const char slow_done[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}\n";

/* --- workers --- */

static const char slow[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"slow\"}\n";
static const char now[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"now\"}\n";
static const char now_done[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":true}\n";

static void others_are_answered_while_a_worker_works(void **state)
{
	int fd, other;

	(void)state;
	start_server(0, 0);
	fd = client();
	other = client();
	say_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	for (int i = 0; i < 20; i++) {
		say_text(other, now);
		expect(other, now_done);
	}
	assert_true(is_silent(fd));
	say_text(other, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"release\"}\n");
	expect(other, now_done);
	expect(fd, slow_done);
	close(fd);
	close(other);
	stop_server();
}

static void replies_keep_the_order_of_requests_that_go_different_ways(void **state)
{
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	say_text(fd, slow);
	say_text(fd, now);
	expect(fd, slow_done);
	expect(fd, now_done);
	close(fd);
	stop_server();
}

/* What it asked for before is carried out all the same, as long as it was taken. */
static void client_that_goes_away_from_a_worker_leaves_the_others_alone(void **state)
{
	int fd, other;

	(void)state;
	start_server(0, 0);
	other = client();
	for (int i = 0; i < 3; i++) {
		fd = client();
		say_text(fd, slow);
		close(fd);
	}
	say_text(other, echo);
	expect(other, echoed);
	close(other);
	stop_server();
}

/* Until the worker has begun with so many slow ones. */
static void await_begun(int fd, int count)
{
	char heard[64];
	int begun = -1;

	while (begun < count) {
		say_text(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"begun\"}\n");
		assert_true(hear(fd, heard, sizeof(heard)));
		assert_int_equal(
			sscanf(heard, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":%d}\n", &begun), 1);
	}
	assert_int_equal(begun, count);
}

static void server_ends_while_a_worker_works(void **state)
{
	int first, second, third;

	(void)state;
	start_server(0, 0);
	first = client();
	second = client();
	third = client();
	say_text(first, slow);
	say_text(second, slow);
	await_begun(third, 1);
	stop_server();
	expect(first, slow_done); /* it may have been a change */
	expect_end(second);
	close(first);
	close(second);
	close(third);
}

static void server_ends_although_a_client_does_not_read(void **state)
{
	static const char big[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\","
				  "\"params\":{\"size\":8000000}}\n";
	int fd, other, third;

	(void)state;
	start_server(0, 0);
	fd = client();
	other = client();
	third = client();
	say_text(fd, big);
	say_text(other, slow);
	expect(other, slow_done); /* the big one was made before */
	say_text(other, slow);
	await_begun(third, 2);
	stop_server();
	expect(other, slow_done);
	close(fd);
	close(other);
	close(third);
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/lbd.sock", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* After a failed test. */
static int end_server(void **state)
{
	(void)state;
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		server = 0;
	}
	unlink(path);
	return 0;
}

/* --- requests that settle together --- */

#define PUTS 1000

static void ask(int fd, int id, const char *method)
{
	char line[128];

	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\"}\n", id,
		 method);
	say_text(fd, line);
}

/* The integer of the reply with this id, which comes next; -1: an error. */
static int answer(int fd, int id)
{
	char heard[1024];
	json_t *reply;
	int value = -1;

	assert_true(hear(fd, heard, sizeof(heard)));
	reply = json_loads(heard, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), id);
	if (json_object_get(reply, "result"))
		value = (int)json_integer_value(json_object_get(reply, "result"));
	json_decref(reply);
	return value;
}

static void requests_sent_at_once_settle_together(void **state)
{
	int fd, one, before;

	(void)state;
	start_server(0, 0);
	fd = client();
	one = client();
	for (int i = 0; i < PUTS; i++)
		ask(fd, i, "put");
	ask(fd, PUTS, "settled");
	for (int i = 0; i < PUTS; i++)
		assert_true(answer(fd, i) > 0);
	before = answer(fd, PUTS);
	assert_true(before > 0);
	if (working)
		assert_true(before < PUTS / 10);
	ask(one, 1, "put"); /* and one that is alone does not wait for more */
	assert_int_equal(answer(one, 1), 1);
	close(one);
	close(fd);
	stop_server();
}

static void requests_of_many_clients_settle_together(void **state)
{
	int fds[50], before;

	(void)state;
	start_server(0, 0);
	for (int i = 0; i < 50; i++)
		fds[i] = client();
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 50; i++)
			ask(fds[i], i, "put");
		for (int i = 0; i < 50; i++)
			assert_true(answer(fds[i], i) > 0);
	}
	ask(fds[0], 0, "settled");
	before = answer(fds[0], 0);
	assert_true(before >= 10 && before < 400);
	for (int i = 0; i < 50; i++)
		close(fds[i]);
	stop_server();
}

static void what_does_not_settle_is_an_error_and_the_rest_is_not(void **state)
{
	int fd;

	(void)state;
	start_server(0, 0);
	fd = client();
	ask(fd, 1, "put");
	assert_int_equal(answer(fd, 1), 1);
	ask(fd, 2, "fail");
	assert_int_equal(answer(fd, 2), 0);
	for (int i = 0; i < 100; i++)
		ask(fd, i, i % 10 ? "put" : "count");
	for (int i = 0; i < 100; i++)
		assert_int_equal(answer(fd, i) > 0, i % 10 == 0);
	close(fd);
	stop_server();
}

static void client_that_goes_away_while_requests_settle(void **state)
{
	int fd, other;

	(void)state;
	start_server(0, 0);
	for (int round = 0; round < 20; round++) {
		fd = client();
		other = client();
		ask(other, 1, "put");
		for (int i = 0; i < 50; i++)
			ask(fd, i, "put");
		close(fd);
		assert_true(answer(other, 1) > 0);
		close(other);
	}
	stop_server();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, end_server)
	const struct CMUnitTest tests[] = {
		TEST(pipelined_requests_are_answered_in_order),
		TEST(caller_is_known_by_user_and_process),
		TEST(line_in_pieces_is_one_request),
		TEST(notification_is_carried_out_and_gets_no_reply),
		TEST(error_carries_the_id_where_there_is_one),
		TEST(reply_without_memory_is_an_error),
		TEST(no_memory_at_all_is_said_before_the_end),
		TEST(half_closed_client_gets_its_replies),
		TEST(request_cut_off_by_the_end_is_an_error),
		TEST(longest_request_is_served_and_one_byte_more_is_refused),
		TEST(endless_line_is_refused_and_its_sender_sees_why),
		TEST(refused_client_that_stays_is_closed),
		TEST(half_a_line_then_silence_is_closed_and_idle_clients_are_not),
		TEST(half_a_line_that_trickles_in_is_closed),
		TEST(shared_socket_answers_in_order),
		TEST(shared_socket_takes_short_requests_only),
		TEST(shared_socket_serves_others_while_one_does_not_read),
		TEST(client_that_never_reads_is_not_read_from_then_closed),
		TEST(client_that_reads_late_gets_every_reply),
		TEST(long_pipeline_does_not_delay_others),
		TEST(client_that_goes_away_leaves_the_others_alone),
		TEST(five_hundred_clients_at_once_are_all_answered),
		TEST(clients_beyond_the_descriptors_wait_their_turn_without_a_busy_loop),
		TEST(live_socket_is_refused_and_goes_on),
		TEST(stale_socket_is_replaced),
		TEST(other_file_is_left_alone),
		TEST(folder_is_made_and_the_socket_is_for_owner_and_group),
		TEST(missing_group_is_an_error_only_where_it_was_asked_for),
		TEST(without_cap_chown_the_default_group_is_a_warning),
		TEST(only_those_who_asked_get_what_is_broadcast),
		TEST(watcher_may_still_ask),
		TEST(refused_watch_is_no_stream),
		TEST(watcher_that_never_reads_is_closed_and_others_get_everything),
		TEST(watcher_may_drown_itself),
		TEST(watcher_that_goes_away_leaves_the_others_alone),
		TEST(socket_has_the_mode_asked_for_and_errors_the_name),
		TEST(requests_sent_at_once_settle_together),
		TEST(what_does_not_settle_is_an_error_and_the_rest_is_not),
		TEST(client_that_goes_away_while_requests_settle),
	};

	const struct CMUnitTest worker_tests[] = {
		TEST(others_are_answered_while_a_worker_works),
		TEST(replies_keep_the_order_of_requests_that_go_different_ways),
		TEST(client_that_goes_away_from_a_worker_leaves_the_others_alone),
		TEST(server_ends_while_a_worker_works),
		TEST(server_ends_although_a_client_does_not_read),
		TEST(requests_of_many_clients_settle_together),
	};
	int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);

	working = true;
	failed += cmocka_run_group_tests_name("a worker carries out requests", tests, make_folder,
					      remove_folder);
	return failed + cmocka_run_group_tests(worker_tests, make_folder, remove_folder);
}
