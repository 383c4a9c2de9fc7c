/* SPDX-License-Identifier: BSD-2-Clause */
/* What does a message look like as a line of the log? Pure. */
#ifndef LB_LOG_TEXT_H
#define LB_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Priorities of syslog(3), under names that do not collide with its own. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

#define LOG_LINE_MAX 1024 /* bytes with the newline and the terminating 0 */

/* Makes `text` one line without control characters: blanks for newlines and tabs, "?" for the
 * others, those above 127 too, and for what is not UTF-8. */
void log_clean(char *text);

/* Writes one whole line with its newline. For the journal it begins with "<4>", as sd-daemon(3) has
 * it, else with "lbd: " and the level in words, unless that is LOG_LEVEL_INFO. `text` is cleaned;
 * an over-long one is cut off and ends in "...". Returns the line's length. */
size_t log_format(char out[LOG_LINE_MAX], enum log_level level, bool journal, const char *text);

/* Whether JOURNAL_STREAM, "device:inode" or NULL, names the stream that `stream` is about. */
bool log_is_journal(const char *journal_stream, const struct stat *stream);

#endif
