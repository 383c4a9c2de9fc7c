/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets which answer over HTTP?
 *
 * A client goes ASKING -> WAITING (for a text that is being made) -> ANSWERED -> LEAVING, and has one timer, for the state
 * that it is in. LEAVING: all is sent, and what it still sends is thrown away for a moment, since closing a socket with
 * bytes that nobody has read would take the answer back.
 */
#include "http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../api/clock.h"
#include "../host/worker.h"
#include "http_request.h"

#define CLIENTS_MAX 64
#define SETTLED_MS 1000 /* a client that is there for so long makes place for another */
#define BACKLOG 128
#define ACCEPTS_MAX 16 /* in a row */
#define REST_MS 10
#define HEAD_MS 5000
#define ANSWER_MS 10000
#define LEAVE_MS 1000
#define LEAVE_BYTES (256u << 10)
#define SOCKET_BYTES (256 << 10)
#define WRITE_MAX (256u << 10) /* bytes in a row, of one client */
#define TEXTS_MAX 4            /* in memory, of all clients together */
#define SHARE 3                /* texts are made no more than 1 / (SHARE + 1) of the time */

enum state { ASKING, WAITING, ANSWERED, LEAVING };

/* What clients read; goes with the last of them. */
struct made {
	struct http *http;
	struct text text;
	size_t readers;
};

struct client {
	TAILQ_ENTRY(client) entry;
	struct http *http;
	struct bufferevent *stream;
	struct event *timer;
	enum state state;
	int64_t since_ms; /* there */
	bool head;        /* its request */
	const struct http_resource *resource;
	struct made *made;
	size_t left; /* bytes thrown away */
};

/* A text that somebody waits for. */
struct making {
	struct worker_job job;
	struct http *http;
	const struct http_resource *resource;
	bool busy;
};

struct http {
	struct http_options options;
	struct evconnlistener *listener;
	struct event *again;          /* accepting, after a rest */
	struct event *make;           /* texts, after a rest */
	struct worker *worker;        /* NULL: nothing is answered yet */
	TAILQ_HEAD(, client) clients; /* who came first is first */
	struct making makings[HTTP_RESOURCES_MAX];
	size_t texts;
	int64_t ready_ns; /* no text is begun before */
	unsigned int accepts;
	struct http_counts counts;
};

static struct timeval interval(int64_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* --- clients --- */

static void release(struct made *made)
{
	if (--made->readers)
		return;
	made->http->texts--;
	text_clear(&made->text);
	free(made);
}

static void client_free(struct client *client)
{
	struct http *http = client->http;

	http->counts.dropped += client->state == WAITING || client->state == ANSWERED;
	http->counts.clients--;
	TAILQ_REMOVE(&http->clients, client, entry);
	bufferevent_free(client->stream);
	if (client->made)
		release(client->made);
	event_free(client->timer);
	free(client);
}

static void enter(struct client *client, enum state state, int64_t ms)
{
	const struct timeval time = interval(ms);

	client->state = state;
	evtimer_add(client->timer, &time);
}

static void on_timer(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	client_free(user);
}

/* --- answers --- */

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 421:
		return "Misdirected Request";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Bad Request";
	}
}

/* RFC 9110 section 5.6.7, whatever the locale. */
static void print_date(char *out, size_t size)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	snprintf(out, size, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + tm.tm_wday * 3,
		 tm.tm_mday, months + tm.tm_mon * 3, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		 tm.tm_sec);
}

static void send_head(struct client *client, int status, const char *type, const char *policy,
		      size_t length)
{
	struct evbuffer *output = bufferevent_get_output(client->stream);
	char date[64];

	print_date(date, sizeof(date));
	evbuffer_add_printf(
		output,
		"HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n"
		"Content-Length: %zu\r\nConnection: close\r\nCache-Control: no-store\r\n"
		"Content-Security-Policy: %s\r\nX-Content-Type-Options: nosniff\r\n"
		"X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
		"Cross-Origin-Resource-Policy: same-origin\r\n%s%s\r\n",
		status, reason_of(status), date, type, length,
		policy ? policy : "default-src 'none'; frame-ancestors 'none'",
		status == 405 ? "Allow: GET, HEAD\r\n" : "",
		status == 503 ? "Retry-After: 1\r\n" : "");
	bufferevent_disable(client->stream, EV_READ);
	bufferevent_enable(client->stream, EV_WRITE);
	client->http->counts.answered += status == 200;
	client->http->counts.refused += status != 200;
	enter(client, ANSWERED, client->http->options.answer_ms);
}

static void refuse(struct client *client, int status)
{
	char text[128];
	const int length = snprintf(text, sizeof(text), "%d %s\n%s", status, reason_of(status),
				    status == 421 ? "not a name in http.names of lbd.json\n" : "");

	send_head(client, status, "text/plain; charset=utf-8", NULL, (size_t)length);
	if (!client->head)
		evbuffer_add(bufferevent_get_output(client->stream), text, (size_t)length);
}

static void answer(struct client *client, const char *content, size_t length)
{
	const struct http_resource *resource = client->resource;

	send_head(client, 200, resource->type, resource->policy, length);
	if (!client->head)
		evbuffer_add_reference(bufferevent_get_output(client->stream), content, length,
				       NULL, NULL);
}

/* --- texts that are made --- */

/* The end of a text, for all who wait for it. Its memory stays until each has read it, or is gone. */
static void deliver(struct http *http, const struct http_resource *resource, struct made *made)
{
	struct client *client, *next;

	made->readers = 1;
	http->texts++;
	for (client = TAILQ_FIRST(&http->clients); client; client = next) {
		next = TAILQ_NEXT(client, entry);
		if (client->state != WAITING || client->resource != resource)
			continue;
		if (made->text.failed) {
			refuse(client, 500);
			continue;
		}
		client->made = made;
		made->readers++;
		answer(client, made->text.data, made->text.length);
	}
	release(made);
}

static void make_later(struct http *http)
{
	const int64_t wait_ns = http->ready_ns - lb_clock_ns(CLOCK_MONOTONIC);
	const struct timeval wait = interval(wait_ns > 0 ? wait_ns / 1000000 + 1 : 0);

	evtimer_add(http->make, &wait);
}

static bool somebody_waits(const struct http *http, const struct http_resource *resource)
{
	const struct client *client;

	TAILQ_FOREACH (client, &http->clients, entry)
		if (client->state == WAITING && client->resource == resource)
			return true;
	return false;
}

/* By a worker. Who makes a text yields, so that clients come and go meanwhile. */
static void work(struct worker_job *job)
{
	struct making *making = (struct making *)job;
	struct http *http = making->http;
	struct made *made = calloc(1, sizeof(*made));
	const int64_t began = lb_clock_ns(CLOCK_MONOTONIC);
	int64_t ended;

	if (made) {
		made->http = http;
		if (somebody_waits(http, making->resource))
			making->resource->make(http->options.user, &made->text);
		deliver(http, making->resource, made);
	}
	ended = lb_clock_ns(CLOCK_MONOTONIC);
	http->ready_ns = ended + (ended - began) * SHARE;
	making->busy = false;
	make_later(http);
}

static void drop(struct worker_job *job)
{
	((struct making *)job)->busy = false;
}

/* Slow readers keep texts in memory: the one that came first makes place. False: it has not been there for long. */
static bool make_room(struct http *http)
{
	struct client *client;

	while (http->texts >= TEXTS_MAX) {
		TAILQ_FOREACH (client, &http->clients, entry)
			if (client->made)
				break;
		if (!client || lb_now_ms() - client->since_ms < SETTLED_MS)
			return false;
		client_free(client);
	}
	return true;
}

static void begin(struct making *making)
{
	making->busy = true;
	making->job = (struct worker_job){.what = "a text for HTTP", .work = work, .drop = drop};
	worker_do(making->http->worker, &making->job);
}

/* One at a time. */
static void on_make(evutil_socket_t fd, short what, void *user)
{
	struct http *http = user;
	struct making *next = NULL;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < HTTP_RESOURCES_MAX; i++) {
		if (http->makings[i].busy)
			return;
		if (!next && somebody_waits(http, http->makings[i].resource))
			next = &http->makings[i];
	}
	if (!next || !http->worker)
		return;
	if (make_room(http)) {
		begin(next);
		return;
	}
	http->ready_ns = lb_clock_ns(CLOCK_MONOTONIC) + REST_MS * 1000000;
	make_later(http);
}

/* --- requests --- */

static void take_request(struct client *client, const struct http_request *request)
{
	const struct http_resource *at = client->http->options.resources;

	while (at->path &&
	       (strcmp(at->path, request->path) || (at->openmetrics && !request->openmetrics)))
		at++;
	if (!at->path) {
		refuse(client, 404);
		return;
	}
	if (!http_host_is_ours(request->host, client->http->options.names)) {
		refuse(client, 421);
		return;
	}
	client->resource = at;
	if (!at->make) {
		answer(client, at->content, at->length);
		return;
	}
	bufferevent_disable(client->stream, EV_READ);
	enter(client, WAITING, client->http->options.answer_ms);
	make_later(client->http);
}

static void on_head(struct client *client, struct evbuffer *input)
{
	const size_t have = evbuffer_get_length(input);
	const char *bytes = (const char *)evbuffer_pullup(input, -1);
	const size_t length = bytes ? http_head_length(bytes, have) : 0;
	struct http_request request;
	int status;

	if (!length && have >= HTTP_HEAD_MAX) {
		refuse(client, 431);
		return;
	}
	if (!length)
		return;
	status = http_request_parse(bytes, length, &request);
	client->head = request.head;
	if (status)
		refuse(client, status);
	else
		take_request(client, &request);
}

static void on_read(struct bufferevent *stream, void *user)
{
	struct client *client = user;
	struct evbuffer *input = bufferevent_get_input(stream);

	if (client->state == ASKING) {
		on_head(client, input);
		return;
	}
	client->left += evbuffer_get_length(input);
	evbuffer_drain(input, evbuffer_get_length(input));
	if (client->state == LEAVING && client->left > LEAVE_BYTES)
		client_free(client);
}

/* All of the answer is the kernel's. */
static void on_written(struct bufferevent *stream, void *user)
{
	struct client *client = user;

	if (client->state != ANSWERED)
		return;
	if (client->made)
		release(client->made);
	client->made = NULL;
	shutdown(bufferevent_getfd(stream), SHUT_WR);
	evbuffer_drain(bufferevent_get_input(stream),
		       evbuffer_get_length(bufferevent_get_input(stream)));
	enter(client, LEAVING, LEAVE_MS);
	bufferevent_enable(stream, EV_READ);
}

/* One that sends no more still reads. */
static void on_event(struct bufferevent *stream, short what, void *user)
{
	struct client *client = user;

	(void)stream;
	if (!(what & BEV_EVENT_EOF) || client->state == ASKING || client->state == LEAVING)
		client_free(client);
}

/* --- accepting --- */

static struct client *client_new(struct http *http, evutil_socket_t fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->http = http;
	client->since_ms = lb_now_ms();
	client->timer = evtimer_new(http->options.base, on_timer, client);
	client->stream = bufferevent_socket_new(http->options.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->timer && client->stream)
		return client;
	if (client->timer)
		event_free(client->timer);
	if (client->stream)
		bufferevent_free(client->stream);
	else
		close(fd);
	free(client);
	return NULL;
}

/* Whoever has not asked yet, then whoever is there for longest. False: all have just come. */
static bool make_place(struct http *http)
{
	struct client *client, *first = TAILQ_FIRST(&http->clients);

	if (http->counts.clients < CLIENTS_MAX)
		return true;
	TAILQ_FOREACH (client, &http->clients, entry)
		if (client->state == ASKING || client->state == LEAVING)
			break;
	if (!client && first && lb_now_ms() - first->since_ms >= SETTLED_MS)
		client = first;
	if (client)
		client_free(client);
	return client;
}

static void rest(struct http *http)
{
	const struct timeval time = interval(REST_MS);

	evconnlistener_disable(http->listener);
	evtimer_add(http->again, &time);
}

static void on_again(evutil_socket_t fd, short what, void *user)
{
	struct http *http = user;

	(void)fd;
	(void)what;
	evconnlistener_enable(http->listener);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
		      int length, void *user)
{
	struct http *http = user;
	struct client *client;

	(void)listener;
	(void)from;
	(void)length;
	if (++http->accepts % ACCEPTS_MAX == 0)
		rest(http);
	if (!make_place(http)) {
		close(fd);
		return;
	}
	client = client_new(http, fd);
	if (!client)
		return;
	http->counts.clients++;
	TAILQ_INSERT_TAIL(&http->clients, client, entry);
	bufferevent_setcb(client->stream, on_read, on_written, on_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, HTTP_HEAD_MAX);
	bufferevent_set_max_single_write(client->stream, WRITE_MAX);
	enter(client, ASKING, http->options.head_ms);
	bufferevent_enable(client->stream, EV_READ);
}

static void on_accept_error(struct evconnlistener *listener, void *user)
{
	(void)listener;
	rest(user);
}

/* --- life --- */

/* A descriptor, or -errno. The address may come to the machine later. */
static int bind_socket(const struct config_listen *listen)
{
	const int one = 1, bytes = SOCKET_BYTES;
	struct sockaddr_storage address;
	const socklen_t length = lb_addr_to_socket(&listen->address, listen->port, &address);
	const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int fault;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (!bind(fd, (const struct sockaddr *)&address, length))
		return fd;
	fault = errno;
	close(fd);
	return -fault;
}

static int cannot_listen(const struct http_options *options, int fault, struct lb_err *err)
{
	char address[LB_ADDR_TEXT];
	const bool six = options->listen.address.family == 6;

	lb_err_set(err, LB_ERR_SYSTEM, "http.listen", "cannot listen at %s%s%s:%u: %s",
		   six ? "[" : "", lb_addr_format(&options->listen.address, address),
		   six ? "]" : "", options->listen.port, strerror(fault));
	return lb_err_hint(err, "name a free port in http.listen, and restart lbd");
}

static int listen_at(struct http *http, int fd)
{
	http->again = evtimer_new(http->options.base, on_again, http);
	http->make = evtimer_new(http->options.base, on_make, http);
	if (!http->again || !http->make) {
		close(fd);
		return -ENOMEM;
	}
	http->listener =
		evconnlistener_new(http->options.base, on_accept, http,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (!http->listener) {
		const int fault = errno ? errno : ENOMEM;

		close(fd);
		return -fault;
	}
	evconnlistener_set_error_cb(http->listener, on_accept_error);
	return 0;
}

int http_open(const struct http_options *options, struct http **out, struct lb_err *err)
{
	struct http *http = calloc(1, sizeof(*http));
	int fd;

	if (!http)
		return lb_err_no_memory(err);
	http->options = *options;
	http->options.head_ms = options->head_ms ? options->head_ms : HEAD_MS;
	http->options.answer_ms = options->answer_ms ? options->answer_ms : ANSWER_MS;
	TAILQ_INIT(&http->clients);
	for (size_t i = 0; i < HTTP_RESOURCES_MAX && options->resources[i].path; i++) {
		http->makings[i].http = http;
		http->makings[i].resource = &options->resources[i];
	}
	fd = bind_socket(&options->listen);
	if (fd >= 0)
		fd = listen_at(http, fd);
	if (fd < 0) {
		http_close(http);
		return cannot_listen(options, -fd, err);
	}
	*out = http;
	return 0;
}

void http_serve(struct http *http, struct worker *worker)
{
	if (!http)
		return;
	http->worker = worker;
	make_later(http);
}

void http_close(struct http *http)
{
	struct client *client;

	if (!http)
		return;
	if (http->listener)
		evconnlistener_free(http->listener);
	while ((client = TAILQ_FIRST(&http->clients)))
		client_free(client);
	if (http->again)
		event_free(http->again);
	if (http->make)
		event_free(http->make);
	free(http);
}

void http_counts(const struct http *http, struct http_counts *out)
{
	*out = http ? http->counts : (struct http_counts){0};
}
