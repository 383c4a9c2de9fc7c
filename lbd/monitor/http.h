/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets which answer over HTTP? A server for things to look at: GET and HEAD of a few paths, one request a connection.
 *
 * Everybody who reaches the address may ask, so what all clients together can take is bounded: places, bytes of
 * requests, texts in memory, and the time in which texts are made. A client has its time for each step. Who finds no place
 * gets that of a client that has had its own for a while, first of one that has not asked yet.
 *
 * libevent's own HTTP server does not count its connections, nor what they send while they wait for an answer.
 */
#ifndef LB_MONITOR_HTTP_H
#define LB_MONITOR_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include "../api/addr.h"
#include "../host/config.h"
#include "text.h"

struct event_base;
struct http;
struct worker;

#define HTTP_RESOURCES_MAX 8

struct http_resource {
	const char *path;
	bool openmetrics; /* only for who takes that; stands before the one for everybody else */
	const char *type;
	const char *policy; /* Content-Security-Policy; NULL: nothing is allowed */
	/* What never changes; or what `make` makes at each request, in a worker: see host/worker.h. Clients that ask
	 * while it is made share it. What fails (out->failed) is answered with 500. */
	const char *content;
	size_t length;
	void (*make)(void *user, struct text *out);
};

struct http_options {
	struct event_base *base;
	struct config_listen listen;
	const struct http_resource *resources; /* ends with path NULL; borrowed */
	void *user;
	/* Names of this machine, by which it may be asked, beside its addresses; ends with NULL, borrowed. */
	const char *const *names;
	/* For tests, 0: the usual. */
	uint32_t head_ms, answer_ms;
};

struct http_counts {
	uint64_t answered, refused; /* requests: 200, and others */
	uint64_t dropped;           /* connections that were ended before their answer was read */
	uint32_t clients;
};

int http_open(const struct http_options *options, struct http **out, struct lb_err *err);
/* Whose work makes texts; from then on there are answers. */
void http_serve(struct http *http, struct worker *worker);
/* After the worker. */
void http_close(struct http *http);
void http_counts(const struct http *http, struct http_counts *out);

#endif
