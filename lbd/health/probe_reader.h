/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what a server sends a good HTTP/1.x response (RFC 9112), however it is cut into pieces? Pure:
 * bytes go in, as they come, and a verdict comes out. Nothing is stored but the status line and how
 * far each part has been read, so a server can send what it likes for as long as it likes.
 */
#ifndef LB_HEALTH_PROBE_READER_H
#define LB_HEALTH_PROBE_READER_H

#include "../api/health.h"
#include "state.h"

#define HTTP_HEAD_MAX 16384u /* bytes of status line and fields */

enum http_verdict { HTTP_MORE, HTTP_GOOD, HTTP_FAULTY };

enum http_part {
	HTTP_STATUS_LINE,
	HTTP_FIELDS,
	HTTP_BODY, /* with a length, or to the end of the connection */
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK,
	HTTP_CHUNK_END, /* the line end after it */
};

struct http_reader {
	const struct lb_health *check; /* borrowed */
	enum http_part part;
	char line[256]; /* the present one, as far as it fits: no more of it matters */
	size_t line_length;
	size_t head_bytes; /* of the head, or of the present chunk's lines */
	int status;
	bool chunked;
	int64_t left;      /* of the body or chunk; -1: to the end of the connection */
	size_t body_bytes; /* seen so far */
	/* The search for check->body, byte by byte (Knuth, Morris, Pratt). */
	size_t matched;
	uint8_t fallback[LB_HEALTH_BODY_MAX + 1];
	char error[HEALTH_ERROR_TEXT]; /* of HTTP_FAULTY, in plain words */
};

void http_reader_init(struct http_reader *reader, const struct lb_health *check);

/* The next bytes; length 0: the connection has ended. After a verdict other than HTTP_MORE nothing
 * more may be fed. */
enum http_verdict http_reader_feed(struct http_reader *reader, const char *bytes, size_t length);

#endif
