/* SPDX-License-Identifier: BSD-2-Clause */
/* A text that grows. */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 4096

void text_clear(struct text *text)
{
	free(text->data);
	*text = (struct text){0};
}

static bool make_room(struct text *text, size_t length)
{
	size_t room = text->room ? text->room : ROOM_MIN;
	char *data;

	while (room - text->length < length)
		room *= 2;
	data = text->failed ? NULL : realloc(text->data, room);
	text->failed = !data;
	if (!data)
		return false;
	text->data = data;
	text->room = room;
	return true;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
	if (text->room - text->length < length && !make_room(text, length))
		return;
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
}

void text_string(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void text_integer(struct text *text, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	text_add(text, digits + at, sizeof(digits) - at);
}

void text_number(struct text *text, double number)
{
	char digits[32];

	if (number >= 0 && number < 9007199254740992.0 && number == (double)(uint64_t)number) {
		text_integer(text, (uint64_t)number);
		return;
	}
	text_add(text, digits, (size_t)snprintf(digits, sizeof(digits), "%.15g", number));
}

/* How many bytes the UTF-8 character at `at` has; 0: it is none. */
static size_t character(const unsigned char *at)
{
	size_t length, i;

	if (*at < 0x80)
		return 1;
	if (*at < 0xc2 || *at > 0xf4)
		return 0;
	length = *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
	for (i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

void text_json(struct text *text, const char *value)
{
	char escape[8];
	size_t length;

	for (; *value; value += length ? length : 1) {
		length = character((const unsigned char *)value);
		if (*value == '\\' || *value == '"')
			text_add(text, (const char[]){'\\', *value}, 2);
		else if ((unsigned char)*value < ' ')
			text_add(text, escape,
				 (size_t)snprintf(escape, sizeof(escape), "\\u%04x", *value));
		else
			text_add(text, length ? value : "?", length ? length : 1);
	}
}

void text_label(struct text *text, const char *value)
{
	size_t length;

	for (; *value; value += length ? length : 1) {
		length = character((const unsigned char *)value);
		if (*value == '\n')
			text_add(text, "\\n", 2);
		else if (*value == '\\' || *value == '"')
			text_add(text, (const char[]){'\\', *value}, 2);
		else
			text_add(text, length ? value : "?", length ? length : 1);
	}
}
