/* SPDX-License-Identifier: BSD-2-Clause */
/* Where do messages go? To standard error, one line each (log_text.h): with priorities where that
 * is the journal, else as plain text. Entry points and sinks log; what they call returns errors and
 * emits events, from which log_event makes lines. */
#ifndef LB_LOG_H
#define LB_LOG_H

#include "../api/err.h"
#include "log_text.h"

struct event_base;

/* Looks where standard error leads. Before, lines are plain. */
void log_open(void);
/* From now on each kind of message is bounded in rate (log_limit.h). What was left out is said once
 * every 10 s, from `base`, and at log_close. */
int log_follow(struct event_base *base, struct lb_err *err);
void log_close(void);

/* `kind` has its own rate and stands before the text: "health: vip web …". NULL: no kind is named.
 * At most LOG_KINDS_MAX of them; a string constant each. A journal that does not read makes
 * messages be left out, and keeps nobody waiting. */
#define LOG_KINDS_MAX 32
void log_kind(enum log_level level, const char *kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define log_line(level, ...) log_kind(level, NULL, __VA_ARGS__)

/* An error with its place and hint. As plain text the hint is a line of its own. */
void log_error(const struct lb_err *err);

#endif
