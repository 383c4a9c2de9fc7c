/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the backend answer an HTTP request with the right status, and the right text in the body? */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "../api/version.h"
#include "probe.h"
#include "probe_reader.h"

#define REQUEST_MAX (LB_HEALTH_PATH_MAX + LB_HEALTH_HOST_MAX + 256)
#define FULL_MAX 16384   /* bytes of a request that fills a packet */
#define PAD_LINE_MAX 512 /* of one field: servers limit their length */
#define PIECE 4096       /* read at a time */
#define TCP_TIMESTAMPS 12

struct exchange {
	struct http_reader reader;
	size_t length, sent;
	char request[REQUEST_MAX + FULL_MAX];
};

static void stop(struct health_probe *probe)
{
	health_socket_close(probe);
	free(probe->extra);
	probe->extra = NULL;
}

static void stop_with_error(struct health_probe *probe, int error)
{
	stop(probe);
	health_probe_fail_errno(probe, "", error);
}

/* --- the request --- */

/* The authority asked (RFC 9112 section 3.2), where none is configured. */
static void host_default(const struct health_probe *probe, char *out, size_t size)
{
	const struct lb_addr *peer = health_socket_peer(probe);
	const unsigned int port = lb_health_port(probe->check, &probe->vip);
	char address[LB_ADDR_TEXT];

	lb_addr_format(peer, address);
	snprintf(out, size, peer->family == 6 ? "[%s]:%u" : "%s:%u", address, port);
	if (port == 80)
		out[strlen(out) - strlen(":80")] = '\0';
}

static void request_write(const struct health_probe *probe, struct exchange *exchange)
{
	const struct lb_health *check = probe->check;
	char host[LB_ADDR_TEXT + 16];

	host_default(probe, host, sizeof(host));
	exchange->length = (size_t)snprintf(exchange->request, REQUEST_MAX,
					    "%s %s HTTP/1.1\r\n"
					    "Host: %s\r\n"
					    "User-Agent: lbd/" LB_VERSION "\r\n"
					    "Accept: */*\r\n"
					    "Connection: close\r\n"
					    "\r\n",
					    check->method == LB_HEALTH_HEAD ? "HEAD" : "GET",
					    check->path, check->host ? check->host : host);
}

/* Fields of no meaning in front of the empty line, until the request fills a segment. What the
 * kernel says of its size takes the options of each segment into account. */
static void request_fill(const struct health_probe *probe, struct exchange *exchange)
{
	static const char name[] = "X-Padding: ";
	const size_t least = sizeof(name) - 1 + 3; /* one byte, and the line's end */
	char *request = exchange->request;
	socklen_t length = sizeof(int);
	int segment = 0;

	if (getsockopt(probe->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, &length))
		return;
	if (segment > FULL_MAX)
		segment = FULL_MAX;
	exchange->length -= 2;
	while (exchange->length + 2 + least <= (size_t)segment) {
		size_t line = (size_t)segment - 2 - exchange->length;

		if (line > PAD_LINE_MAX)
			line = line < PAD_LINE_MAX + least ? PAD_LINE_MAX - least : PAD_LINE_MAX;
		memcpy(request + exchange->length, name, sizeof(name) - 1);
		memset(request + exchange->length + sizeof(name) - 1, 'x', line - least + 1);
		memcpy(request + exchange->length + line - 2, "\r\n", 2);
		exchange->length += line;
	}
	memcpy(request + exchange->length, "\r\n", 2);
	exchange->length += 2;
}

/* The request was answered, so its first segment has got through: as large as it still would be,
 * unless something had to be sent again, perhaps in smaller ones. */
static uint32_t segment_arrived(const struct health_probe *probe, const struct exchange *exchange)
{
	uint32_t headers = health_socket_peer(probe)->family == 6 ? 60 : 40;
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	if (getsockopt(probe->fd, IPPROTO_TCP, TCP_INFO, &info, &length) || info.tcpi_total_retrans)
		return 0;
	if (info.tcpi_options & TCPI_OPT_TIMESTAMPS)
		headers += TCP_TIMESTAMPS;
	return headers + (exchange->length < info.tcpi_snd_mss ? (uint32_t)exchange->length
							       : info.tcpi_snd_mss);
}

/* --- the exchange --- */

static void judge(struct health_probe *probe, enum http_verdict verdict)
{
	struct exchange *exchange = probe->extra;
	char error[HEALTH_ERROR_TEXT];

	memcpy(error, exchange->reader.error, sizeof(error));
	if (probe->check->full_mtu)
		probe->full = segment_arrived(probe, exchange);
	if (probe->seen)
		probe->seen->status = exchange->reader.status;
	stop(probe);
	if (verdict == HTTP_GOOD)
		health_probe_succeed(probe);
	else
		health_probe_fail(probe, "%s", error);
}

/* One piece an event, so that a server that floods us cannot keep the loop. */
static void on_readable(struct health_probe *probe)
{
	struct exchange *exchange = probe->extra;
	char piece[PIECE];
	ssize_t length = recv(probe->fd, piece, sizeof(piece), 0);
	enum http_verdict verdict;

	if (length < 0) {
		if (errno != EAGAIN && errno != EINTR)
			stop_with_error(probe, errno);
		return;
	}
	probe->awaited = "complete HTTP response";
	health_probe_answered(probe, piece, (size_t)length);
	verdict = http_reader_feed(&exchange->reader, piece, (size_t)length);
	if (verdict != HTTP_MORE)
		judge(probe, verdict);
}

static void on_writable(struct health_probe *probe)
{
	struct exchange *exchange = probe->extra;
	ssize_t sent = send(probe->fd, exchange->request + exchange->sent,
			    exchange->length - exchange->sent, MSG_NOSIGNAL);

	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR)
			stop_with_error(probe, errno);
		return;
	}
	exchange->sent += (size_t)sent;
	if (exchange->sent < exchange->length)
		return;
	probe->awaited = probe->check->full_mtu ? "HTTP response to a request of full size"
						: "HTTP response";
	health_socket_await(probe, EPOLLIN, on_readable);
}

static void on_connected(struct health_probe *probe)
{
	struct exchange *exchange;

	if (!health_socket_connected(probe))
		return;
	exchange = malloc(sizeof(*exchange));
	if (!exchange) {
		stop_with_error(probe, ENOMEM);
		return;
	}
	exchange->sent = 0;
	http_reader_init(&exchange->reader, probe->check);
	request_write(probe, exchange);
	if (probe->check->full_mtu)
		request_fill(probe, exchange);
	probe->extra = exchange;
	health_socket_await(probe, EPOLLOUT, on_writable);
	on_writable(probe);
}

static void start(struct health_probe *probe)
{
	if (health_socket_open(probe, SOCK_STREAM))
		return;
	health_socket_await(probe, EPOLLOUT, on_connected);
}

const struct health_probe_kind health_probe_http = {
	.start = start,
	.cancel = stop,
};
