/* SPDX-License-Identifier: BSD-2-Clause */
/* What does an HTTP client ask for? */
#include "http_request.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
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

/* --- the host --- */

static bool is_host(struct piece host)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	const bool six = host.length && host.at[0] == '[';

	for (size_t i = 0; i < host.length; i++)
		if (!strchr(letters, host.at[i]) && !(six && strchr(":[]", host.at[i])))
			return false;
	return host.length < HTTP_HOST_MAX;
}

/* How many bytes of "host:port" are the host. */
static size_t host_length(struct piece authority)
{
	const bool six = authority.length && authority.at[0] == '[';
	const char *end = memchr(authority.at, six ? ']' : ':', authority.length);

	return end ? (size_t)(end - authority.at) + six : authority.length;
}

/* "host:port"; 400 where it is none. */
static int take_host(struct piece authority, struct http_request *out)
{
	struct piece host = {authority.at, host_length(authority)};
	const size_t port = authority.length - host.length;

	if (!is_host(host) || (port && authority.at[host.length] != ':'))
		return 400;
	for (size_t i = 1; i < port; i++)
		if (!isdigit((unsigned char)host.at[host.length + i]))
			return 400;
	if (host.length && host.at[host.length - 1] == '.')
		host.length--;
	for (size_t i = 0; i < host.length; i++)
		out->host[i] = (char)tolower((unsigned char)host.at[i]);
	return 0;
}

static bool is_address(const char *host)
{
	const size_t length = strlen(host);
	struct in6_addr address;
	char inner[INET6_ADDRSTRLEN];

	if (*host != '[')
		return inet_pton(AF_INET, host, &address) == 1;
	if (length - 1 > sizeof(inner) || host[length - 1] != ']')
		return false;
	snprintf(inner, sizeof(inner), "%.*s", (int)length - 2, host + 1);
	return inet_pton(AF_INET6, inner, &address) == 1;
}

bool http_host_is_ours(const char *host, const char *const *names)
{
	if (!*host || !strcmp(host, "localhost") || is_address(host))
		return true;
	for (; *names; names++)
		if (!strcasecmp(*names, host))
			return true;
	return false;
}

/* --- lines --- */

/* "http://host/path" asks for "/path", too (RFC 9112 section 3.2.2). */
static int take_authority(struct piece *target, struct http_request *out)
{
	static const char scheme[] = "http://";
	const size_t before = sizeof(scheme) - 1;
	struct piece authority;
	const char *slash;

	if (target->length < before || strncasecmp(target->at, scheme, before))
		return 0;
	slash = memchr(target->at + before, '/', target->length - before);
	authority.at = target->at + before;
	authority.length = slash ? (size_t)(slash - authority.at) : target->length - before;
	target->length -= before + authority.length;
	target->at = slash;
	if (!slash)
		*target = (struct piece){"/", 1};
	return authority.length ? take_host(authority, out) : 400;
}

static int take_target(struct piece target, struct http_request *out)
{
	const char *query;
	const int status = take_authority(&target, out);

	if (status || !target.length || *target.at != '/')
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

static bool is_named(struct piece name, const char *wanted)
{
	return name.length == strlen(wanted) && !strncasecmp(name.at, wanted, name.length);
}

static struct piece trimmed(struct piece piece)
{
	for (; piece.length && strchr(" \t", *piece.at); piece.at++)
		piece.length--;
	while (piece.length && strchr(" \t", piece.at[piece.length - 1]))
		piece.length--;
	return piece;
}

/* That of the target goes first (RFC 9112 section 3.2.2); a second field is an error. */
static int take_host_field(struct piece value, bool *seen, struct http_request *out)
{
	struct http_request other = {0};

	if (*seen)
		return 400;
	*seen = true;
	return take_host(value, *out->host ? &other : out);
}

static int take_field(struct piece line, bool *host_seen, struct http_request *out)
{
	const char *colon = memchr(line.at, ':', line.length);
	const struct piece name = {line.at, colon ? (size_t)(colon - line.at) : 0};
	struct piece value;

	if (!is_token(name) || has_control(line))
		return 400;
	value.at = colon + 1;
	value.length = line.length - name.length - 1;
	if (is_named(name, "accept"))
		out->openmetrics |= contains(value, "application/openmetrics-text");
	return is_named(name, "host") ? take_host_field(trimmed(value), host_seen, out) : 0;
}

int http_request_parse(const char *head, size_t length, struct http_request *out)
{
	const char *at = head, *end = head + length;
	bool host_seen = false;
	struct piece line;
	int status;

	*out = (struct http_request){0};
	do /* empty lines before the first one are passed over (RFC 9112 section 2.2) */
		line = next_line(&at, end);
	while (!line.length && at < end);
	status = take_request_line(line, out);
	while (at < end && (line = next_line(&at, end)).length)
		if (!status || status == 405)
			status = take_field(line, &host_seen, out) ? 400 : status;
	return status;
}
