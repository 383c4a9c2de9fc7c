/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a message look like as a line of the log? */
#include "log_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- cleaning --- */

/* The length of the UTF-8 sequence of a character above 127 that begins here; 0: none does, or it
 * is one of the control characters 128 to 159. */
static size_t sequence_length(const unsigned char *at)
{
	size_t length = at[0] < 0xc2   ? 0
			: at[0] < 0xe0 ? 2
			: at[0] < 0xf0 ? 3
			: at[0] < 0xf5 ? 4
				       : 0;

	if (at[0] == 0xc2 && at[1] < 0xa0)
		return 0;
	for (size_t i = 1; i < length; i++) /* a terminating 0 ends it, too */
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

void log_clean(char *text)
{
	unsigned char *at = (unsigned char *)text;

	while (*at) {
		size_t length = *at < 0x80 ? 1 : sequence_length(at);

		if (*at == '\n' || *at == '\t')
			*at = ' ';
		else if (!length || *at < ' ' || *at == 0x7f)
			*at = '?';
		at += length ? length : 1;
	}
}

/* --- the line --- */

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

size_t log_format(char out[LOG_LINE_MAX], enum log_level level, bool journal, const char *text)
{
	static const char cut[] = "...";
	const size_t room = LOG_LINE_MAX - 1; /* the newline's place */
	size_t length;

	if (journal)
		length = (size_t)snprintf(out, room, "<%d>%s", level, text);
	else
		length = (size_t)snprintf(out, room, "lbd: %s%s", level_word(level), text);
	if (length >= room) {
		length = room - 1;
		memcpy(out + length - strlen(cut), cut, sizeof(cut));
	}
	log_clean(out);
	memcpy(out + length, "\n", 2);
	return length + 1;
}

bool log_is_journal(const char *journal_stream, const struct stat *stream)
{
	uintmax_t device, inode;
	char rest;

	return journal_stream && sscanf(journal_stream, "%ju:%ju%c", &device, &inode, &rest) == 2 &&
	       device == stream->st_dev && inode == stream->st_ino;
}
