/* SPDX-License-Identifier: BSD-2-Clause */
/* What does an HTTP client ask for? The head of a request (RFC 9112), as far as a server needs it that only has
 * things to look at, and ends each connection after its answer. Pure. */
#ifndef LB_MONITOR_HTTP_REQUEST_H
#define LB_MONITOR_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX 8192 /* bytes of a head, with its empty line */
#define HTTP_PATH_MAX 128
#define HTTP_HOST_MAX 256

struct http_request {
	bool head;                /* HEAD: the answer has no content */
	bool openmetrics;         /* it takes application/openmetrics-text */
	char path[HTTP_PATH_MAX]; /* without the query; one that does not fit is "" */
	/* Whom the client takes us for: in small letters, without a port and a final dot; of an IPv6 address with its
	 * brackets. "": it does not say. */
	char host[HTTP_HOST_MAX];
};

/* How long the head at the start of `bytes` is; 0: it is not complete. */
size_t http_head_length(const char *bytes, size_t length);
/* Of a whole head. 0, or the status to refuse it with: 400, 405, 505. */
int http_request_parse(const char *head, size_t length, struct http_request *out);

/* Whether a browser that has the answer has it from an address, or by a name that is ours: localhost, or one of `names`, which
 * ends with NULL. Any other name may have been made to lead here by a page that wants to read the answer (DNS rebinding). */
bool http_host_is_ours(const char *host, const char *const *names);

#endif
