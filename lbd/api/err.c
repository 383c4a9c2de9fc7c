/* SPDX-License-Identifier: BSD-2-Clause */
/* How is an error filled, shown as JSON, and read back? */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "err.h"

/* Longer words are never looked for: no name of ours is that long. */
#define NEAREST_MAX 64
#define DISTANCE_MAX 2

/* Bytes of the UTF-8 character at `s`, or 0 when there is no valid one (RFC 3629, section 4). */
static size_t utf8_length(const unsigned char *s)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if ((s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static bool is_control(const unsigned char *s)
{
	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

/* Errors quote what strangers sent. Control characters could drive the operator's terminal, and
 * JSON cannot carry invalid UTF-8, so both become '?'. */
static void text_tidy(char *text)
{
	const unsigned char *in = (const unsigned char *)text;
	char *out = text;

	while (*in) {
		size_t length = utf8_length(in);

		if (length == 0 || is_control(in)) {
			*out++ = '?';
			in += length ? length : 1;
			continue;
		}
		memmove(out, in, length);
		out += length;
		in += length;
	}
	*out = '\0';
}

/* Ends a full text with "...", between characters. */
static void text_mark_cut(char *text, size_t size)
{
	size_t end = size - sizeof("...");

	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	strcpy(text + end, "...");
}

static void text_vformat(char *out, size_t size, const char *format, va_list arguments)
{
	int length = vsnprintf(out, size, format, arguments);

	if (length < 0)
		out[0] = '\0';
	else if ((size_t)length >= size)
		text_mark_cut(out, size);
	text_tidy(out);
}

__attribute__((format(printf, 3, 4))) static void text_format(char *out, size_t size,
							      const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_vformat(out, size, format, arguments);
	va_end(arguments);
}

/* Formatted aside first: the arguments may point into *err itself. */
int lb_err_set(struct lb_err *err, enum lb_err_code code, const char *path, const char *format, ...)
{
	struct lb_err new = {.code = code};
	va_list arguments;

	if (!err)
		return -EINVAL;
	va_start(arguments, format);
	text_vformat(new.message, sizeof(new.message), format, arguments);
	va_end(arguments);
	text_format(new.path, sizeof(new.path), "%s", path ? path : "");
	*err = new;
	return -EINVAL;
}

int lb_err_hint(struct lb_err *err, const char *format, ...)
{
	char hint[sizeof(err->hint)];
	va_list arguments;

	if (!err)
		return -EINVAL;
	va_start(arguments, format);
	text_vformat(hint, sizeof(hint), format, arguments);
	va_end(arguments);
	strcpy(err->hint, hint);
	return -EINVAL;
}

int lb_err_no_memory(struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_SYSTEM, "", "out of memory");
}

void lb_err_prefix(struct lb_err *err, const char *format, ...)
{
	char prefix[sizeof(err->path)], path[sizeof(err->path)];
	bool dot;
	va_list arguments;

	if (!err)
		return;
	va_start(arguments, format);
	text_vformat(prefix, sizeof(prefix), format, arguments);
	va_end(arguments);
	dot = prefix[0] && err->path[0] && err->path[0] != '[';
	text_format(path, sizeof(path), "%s%s%s", prefix, dot ? "." : "", err->path);
	strcpy(err->path, path);
}

static int set_text(json_t *object, const char *key, const char *text)
{
	return text[0] ? json_object_set_new(object, key, json_string(text)) : 0;
}

json_t *lb_err_to_json(const struct lb_err *err)
{
	json_auto_t *object =
		json_pack("{s:i s:s}", "code", (int)err->code, "message", err->message);
	json_auto_t *data = json_object();

	if (!object || !data)
		return NULL;
	if (set_text(data, "path", err->path) || set_text(data, "hint", err->hint))
		return NULL;
	if (json_object_size(data) && json_object_set(object, "data", data))
		return NULL;
	return json_incref(object);
}

static enum lb_err_code code_from_json(const json_t *value)
{
	json_int_t code = json_integer_value(value); /* 0 for what is no integer */

	switch (code) {
	case LB_ERR_PARSE:
	case LB_ERR_REQUEST:
	case LB_ERR_METHOD:
	case LB_ERR_PARAMS:
	case LB_ERR_NOT_FOUND:
	case LB_ERR_EXISTS:
	case LB_ERR_LIMIT:
	case LB_ERR_REFUSED:
	case LB_ERR_SYSTEM:
	case LB_ERR_UNREACHABLE:
	case LB_ERR_USAGE:
	case LB_ERR_CONFLICT:
		return (enum lb_err_code)code;
	default:
		return LB_ERR_INTERNAL;
	}
}

static const char *text_from_json(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void lb_err_from_json(const json_t *object, struct lb_err *err)
{
	const json_t *data = json_object_get(object, "data");
	const char *message = text_from_json(object, "message");

	if (!message[0])
		message = "an error without a message";
	lb_err_set(err, code_from_json(json_object_get(object, "code")),
		   text_from_json(data, "path"), "%s", message);
	lb_err_hint(err, "%s", text_from_json(data, "hint"));
}

static unsigned int min_uint(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
 * Anything above DISTANCE_MAX is returned as DISTANCE_MAX + 1, so only cells that near to the
 * diagonal are worked out. */
static unsigned int distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned int cell[NEAREST_MAX + 1][NEAREST_MAX + 1];
	const unsigned int far = DISTANCE_MAX + 1;

	for (size_t i = 0; i <= a_length; i++) {
		for (size_t j = i > far ? i - far : 0; j <= b_length && j <= i + far; j++) {
			unsigned int best = far;

			if (i == 0 || j == 0 || i > j + DISTANCE_MAX || j > i + DISTANCE_MAX) {
				cell[i][j] = min_uint(far, (unsigned int)(i > j ? i - j : j - i));
				continue;
			}
			best = min_uint(best, cell[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			best = min_uint(best, cell[i - 1][j] + 1);
			best = min_uint(best, cell[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = min_uint(best, cell[i - 2][j - 2] + 1);
			cell[i][j] = best;
		}
	}
	return cell[a_length][b_length];
}

static unsigned int distance_allowed(size_t length)
{
	if (length < 3)
		return 0;
	return length < 3 * DISTANCE_MAX ? 1 : DISTANCE_MAX;
}

const char *lb_nearest(const char *word, const char *const *words)
{
	size_t length = strnlen(word, NEAREST_MAX + 1);
	unsigned int best = distance_allowed(length) + 1;
	const char *nearest = NULL;

	if (length > NEAREST_MAX)
		return NULL;
	for (; *words; words++) {
		size_t other = strnlen(*words, NEAREST_MAX + 1);
		unsigned int far;

		if (other > NEAREST_MAX || other > length + DISTANCE_MAX ||
		    length > other + DISTANCE_MAX)
			continue;
		far = distance(word, length, *words, other);
		if (far < best) {
			best = far;
			nearest = *words;
		}
	}
	return nearest;
}

char *lb_list(const char *const *words, const char *between, const char *last, char *out,
	      size_t size)
{
	size_t length = 0;

	out[0] = '\0';
	for (size_t i = 0; words[i] && length < size; i++)
		length += (size_t)snprintf(out + length, size - length, "%s%s",
					   i == 0         ? ""
					   : words[i + 1] ? between
							  : last,
					   words[i]);
	return out;
}
