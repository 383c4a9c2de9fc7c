/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what a server sends a good HTTP/1.x response, however it is cut into pieces? */
#include "probe_reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum http_verdict fault(struct http_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum http_verdict fault(struct http_reader *reader, const char *format, ...)
{
	char raw[HEALTH_ERROR_TEXT + LB_HEALTH_BODY_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	health_printable(raw, strlen(raw), reader->error, sizeof(reader->error));
	return HTTP_FAULTY;
}

/* --- the text in the body --- */

/* fallback[n]: of the first n bytes of the text, how many at their end are also its beginning. */
static void finder_init(struct http_reader *reader)
{
	const char *text = reader->check->body;
	size_t length = text ? strlen(text) : 0, match = 0;

	for (size_t i = 1; i < length; i++) {
		while (match && text[i] != text[match])
			match = reader->fallback[match];
		match += text[i] == text[match];
		reader->fallback[i + 1] = (uint8_t)match;
	}
}

static bool finder_byte(struct http_reader *reader, char byte)
{
	const char *text = reader->check->body;

	while (reader->matched && text[reader->matched] != byte)
		reader->matched = reader->fallback[reader->matched];
	reader->matched += text[reader->matched] == byte;
	return !text[reader->matched];
}

static enum http_verdict body_lacks(struct http_reader *reader)
{
	return fault(reader, "body does not contain \"%s\"%s", reader->check->body,
		     reader->body_bytes >= LB_HEALTH_BODY_SEEN ? " in its first 16 KiB" : "");
}

static enum http_verdict body_byte(struct http_reader *reader, char byte)
{
	reader->body_bytes++;
	if (finder_byte(reader, byte))
		return HTTP_GOOD;
	return reader->body_bytes >= LB_HEALTH_BODY_SEEN ? body_lacks(reader) : HTTP_MORE;
}

/* --- the head --- */

void http_reader_init(struct http_reader *reader, const struct lb_health *check)
{
	*reader = (struct http_reader){.check = check, .left = -1};
	finder_init(reader);
}

/* HTTP-version SP 3DIGIT [SP reason] */
static enum http_verdict status_line(struct http_reader *reader)
{
	const char *line = reader->line;

	if (strncmp(line, "HTTP/1.", 7) || !isdigit((unsigned char)line[7]) || line[8] != ' ' ||
	    !isdigit((unsigned char)line[9]) || !isdigit((unsigned char)line[10]) ||
	    !isdigit((unsigned char)line[11]) || (line[12] && line[12] != ' '))
		return fault(reader, "not an HTTP/1 response: \"%.64s\"", line);
	reader->status = atoi(line + 9);
	reader->part = HTTP_FIELDS;
	return HTTP_MORE;
}

/* The value of the field `name` in the present line, or NULL where it is another. */
static const char *field_value(const struct http_reader *reader, const char *name)
{
	const size_t length = strlen(name);

	if (strncasecmp(reader->line, name, length) || reader->line[length] != ':')
		return NULL;
	return reader->line + length + 1 + strspn(reader->line + length + 1, " \t");
}

static enum http_verdict field_line(struct http_reader *reader)
{
	const char *length = field_value(reader, "content-length");
	const char *coding = field_value(reader, "transfer-encoding");
	char *end;

	if (coding && !strncasecmp(coding, "chunked", 7))
		reader->chunked = true;
	if (!length)
		return HTTP_MORE;
	reader->left = strtoll(length, &end, 10);
	end += strspn(end, " \t");
	if (!isdigit((unsigned char)length[0]) || *end)
		return fault(reader, "bad Content-Length: \"%.64s\"", length);
	return HTTP_MORE;
}

/* The empty line. A response 1xx only announces the real one (RFC 9110 section 15.2). */
static enum http_verdict head_end(struct http_reader *reader)
{
	const struct lb_health *check = reader->check;

	if (reader->status >= 100 && reader->status < 200 && reader->status != 101) {
		reader->part = HTTP_STATUS_LINE;
		reader->left = -1;
		reader->chunked = false;
		return HTTP_MORE;
	}
	if (reader->status < check->status.min || reader->status > check->status.max) {
		if (check->status.min == check->status.max)
			return fault(reader, "HTTP status %03d, expected %u", reader->status,
				     check->status.min);
		return fault(reader, "HTTP status %03d, expected %u-%u", reader->status,
			     check->status.min, check->status.max);
	}
	if (!check->body)
		return HTTP_GOOD;
	if (reader->status == 204 || reader->status == 304 || (!reader->left && !reader->chunked))
		return body_lacks(reader);
	reader->part = reader->chunked ? HTTP_CHUNK_SIZE : HTTP_BODY;
	reader->head_bytes = 0;
	return HTTP_MORE;
}

/* --- chunks (RFC 9112 section 7.1) --- */

static enum http_verdict chunk_size_line(struct http_reader *reader)
{
	char *end;
	long long size = strtoll(reader->line, &end, 16);

	end += strspn(end, " \t");
	if (!isxdigit((unsigned char)reader->line[0]) || size < 0 || (*end && *end != ';'))
		return fault(reader, "bad chunk size: \"%.64s\"", reader->line);
	reader->left = size;
	reader->part = HTTP_CHUNK;
	return size ? HTTP_MORE : body_lacks(reader);
}

static enum http_verdict chunk_end_line(struct http_reader *reader)
{
	if (reader->line[0])
		return fault(reader, "chunk is longer than its size");
	reader->part = HTTP_CHUNK_SIZE;
	reader->head_bytes = 0;
	return HTTP_MORE;
}

/* --- bytes into lines and parts --- */

static enum http_verdict line_done(struct http_reader *reader)
{
	switch (reader->part) {
	case HTTP_STATUS_LINE:
		return status_line(reader);
	case HTTP_FIELDS:
		return reader->line[0] ? field_line(reader) : head_end(reader);
	case HTTP_CHUNK_SIZE:
		return chunk_size_line(reader);
	case HTTP_CHUNK_END:
		return chunk_end_line(reader);
	case HTTP_BODY:
	case HTTP_CHUNK:
		break;
	}
	return HTTP_MORE;
}

/* A server that is no HTTP server is found out by its first bytes, even if it sends no line. */
static bool begins_otherwise(const struct http_reader *reader)
{
	static const char begin[] = "HTTP/1.";
	size_t length =
		reader->line_length < sizeof(begin) - 1 ? reader->line_length : sizeof(begin) - 1;

	return reader->part == HTTP_STATUS_LINE && memcmp(reader->line, begin, length);
}

static enum http_verdict line_byte(struct http_reader *reader, char byte)
{
	enum http_verdict verdict;

	if (++reader->head_bytes > HTTP_HEAD_MAX)
		return fault(reader, "HTTP header is longer than 16 KiB");
	if (byte == '\n') {
		if (reader->line_length && reader->line[reader->line_length - 1] == '\r')
			reader->line_length--;
		reader->line[reader->line_length] = '\0';
		verdict = line_done(reader);
		reader->line_length = 0;
		return verdict;
	}
	if (reader->line_length + 1 < sizeof(reader->line))
		reader->line[reader->line_length++] = byte ? byte : '?';
	return HTTP_MORE;
}

static enum http_verdict byte_in(struct http_reader *reader, char byte)
{
	enum http_verdict verdict;

	if (reader->part != HTTP_BODY && reader->part != HTTP_CHUNK)
		return line_byte(reader, byte);
	verdict = body_byte(reader, byte);
	if (verdict != HTTP_MORE || reader->left < 0 || --reader->left)
		return verdict;
	if (reader->part == HTTP_BODY)
		return body_lacks(reader);
	reader->part = HTTP_CHUNK_END;
	return HTTP_MORE;
}

static enum http_verdict connection_end(struct http_reader *reader)
{
	if (reader->part == HTTP_BODY && reader->left < 0)
		return body_lacks(reader);
	if (reader->part == HTTP_STATUS_LINE && !reader->line_length)
		return fault(reader, "connection closed without a response");
	return fault(reader, "connection closed in the middle of the %s",
		     reader->part <= HTTP_FIELDS ? "header" : "body");
}

enum http_verdict http_reader_feed(struct http_reader *reader, const char *bytes, size_t length)
{
	enum http_verdict verdict = HTTP_MORE;

	if (!length)
		return connection_end(reader);
	for (size_t i = 0; i < length && verdict == HTTP_MORE; i++)
		verdict = byte_in(reader, bytes[i]);
	if (verdict == HTTP_MORE && begins_otherwise(reader)) {
		reader->line[reader->line_length] = '\0';
		verdict = fault(reader, "not an HTTP/1 response: \"%.64s\"", reader->line);
	}
	return verdict;
}
