/* SPDX-License-Identifier: BSD-2-Clause */
/* What does an HTTP client ask for? */
#include "http_request.h"

#include <string.h>
#include <strings.h>

struct piece {
	const char *at;
	size_t length;
};

size_t http_head_length(const char *bytes, size_t length)
{
	const char *at = bytes, *end = bytes + length, *newline;

	/* A line alone may end without a carriage return (RFC 9112 section 2.2). */
	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		at = newline + 1;
		if (at < end && *at == '\n')
			return (size_t)(at + 1 - bytes);
		if (at + 1 < end && at[0] == '\r' && at[1] == '\n')
			return (size_t)(at + 2 - bytes);
	}
	return 0;
}

/* The line at *from, which moves on behind its end; `end` is behind the last newline. */
static struct piece next_line(const char **from, const char *end)
{
	const char *newline = memchr(*from, '\n', (size_t)(end - *from));
	struct piece line = {*from, newline ? (size_t)(newline - *from) : 0};

	*from = newline ? newline + 1 : end;
	if (line.length && line.at[line.length - 1] == '\r')
		line.length--;
	return line;
}

/* The bytes up to the next blank, which *line loses. */
static struct piece next_word(struct piece *line)
{
	const char *blank = memchr(line->at, ' ', line->length);
	struct piece word = {line->at, blank ? (size_t)(blank - line->at) : line->length};
	const size_t taken = word.length + (blank != NULL);

	line->at += taken;
	line->length -= taken;
	return word;
}

static bool is(struct piece piece, const char *text)
{
	return piece.length == strlen(text) && !memcmp(piece.at, text, piece.length);
}

static bool has_control(struct piece piece)
{
	for (size_t i = 0; i < piece.length; i++)
		if (((unsigned char)piece.at[i] < ' ' && piece.at[i] != '\t') ||
		    piece.at[i] == 0x7f)
			return true;
	return false;
}

/* "http://host/path" asks for "/path", too (RFC 9112 section 3.2.2). */
static struct piece without_authority(struct piece target)
{
	static const char scheme[] = "http://";
	const size_t before = sizeof(scheme) - 1;
	const char *slash;

	if (target.length < before || strncasecmp(target.at, scheme, before))
		return target;
	slash = memchr(target.at + before, '/', target.length - before);
	if (!slash)
		return (struct piece){"/", 1};
	return (struct piece){slash, target.length - (size_t)(slash - target.at)};
}

static int take_target(struct piece target, struct http_request *out)
{
	const char *query;

	target = without_authority(target);
	if (!target.length || *target.at != '/')
		return 400;
	query = memchr(target.at, '?', target.length);
	if (query)
		target.length = (size_t)(query - target.at);
	if (target.length < sizeof(out->path))
		memcpy(out->path, target.at, target.length);
	return 0;
}

static bool is_token(struct piece piece)
{
	for (size_t i = 0; i < piece.length; i++)
		if (piece.at[i] <= ' ' || piece.at[i] > '~' ||
		    strchr("()<>@,;:\\\"/[]?={}", piece.at[i]))
			return false;
	return piece.length;
}

static int take_request_line(struct piece line, struct http_request *out)
{
	const struct piece method = next_word(&line), target = next_word(&line);

	if (!is_token(method) || has_control(target))
		return 400;
	if (line.length != 8 || memcmp(line.at, "HTTP/", 5))
		return 400;
	if (!is(line, "HTTP/1.1") && !is(line, "HTTP/1.0"))
		return 505;
	out->head = is(method, "HEAD");
	if (!out->head && !is(method, "GET"))
		return 405;
	return take_target(target, out);
}

static bool contains(struct piece piece, const char *word)
{
	const size_t length = strlen(word);

	for (; piece.length >= length; piece.at++, piece.length--)
		if (!strncasecmp(piece.at, word, length))
			return true;
	return false;
}

static int take_field(struct piece line, struct http_request *out)
{
	const char *colon = memchr(line.at, ':', line.length);
	struct piece name = {line.at, colon ? (size_t)(colon - line.at) : 0};

	if (!is_token(name) || has_control(line))
		return 400;
	if (name.length == 6 && !strncasecmp(name.at, "accept", 6))
		out->openmetrics |= contains(line, "application/openmetrics-text");
	return 0;
}

int http_request_parse(const char *head, size_t length, struct http_request *out)
{
	const char *at = head, *end = head + length;
	struct piece line;
	int status;

	*out = (struct http_request){0};
	do /* empty lines before the first one are passed over (RFC 9112 section 2.2) */
		line = next_line(&at, end);
	while (!line.length && at < end);
	status = take_request_line(line, out);
	while (at < end && (line = next_line(&at, end)).length)
		if (!status || status == 405)
			status = take_field(line, out) ? 400 : status;
	return status;
}
