/* SPDX-License-Identifier: BSD-2-Clause */
/* Where do messages go? */
#include "log.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../api/clock.h"
#include "log_limit.h"

#define SUMMARY_S 10

/* One for the process, as standard error is. */
static struct {
	bool journal;
	struct event *summary; /* pending while something was left out; NULL: nothing ever is */
	struct {
		const char *name;
		struct log_limit limit;
	} kinds[LOG_KINDS_MAX];
} logging;

/* The last one is shared by all kinds that find no place. */
static struct log_limit *limit_of(const char *kind)
{
	size_t i;

	for (i = 0; i + 1 < LOG_KINDS_MAX && logging.kinds[i].name; i++)
		if (!strcmp(logging.kinds[i].name, kind))
			break;
	logging.kinds[i].name = kind;
	return &logging.kinds[i].limit;
}

/* False: it could not be written without waiting for the journal. */
static bool write_line(enum log_level level, const char *text)
{
	char line[LOG_LINE_MAX];
	size_t length = log_format(line, level, logging.journal, text);
	ssize_t written;

	do
		written = logging.journal
				  ? send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL)
				  : write(STDERR_FILENO, line, length);
	while (written < 0 && errno == EINTR);
	return written >= 0 || errno != EAGAIN;
}

/* --- what was left out --- */

static void summary_soon(void)
{
	const struct timeval delay = {.tv_sec = SUMMARY_S};

	if (!evtimer_pending(logging.summary, NULL))
		evtimer_add(logging.summary, &delay);
}

static void tell_suppressed(const char *name, struct log_limit *limit)
{
	char text[LOG_LINE_MAX];

	snprintf(text, sizeof(text), "%s%s%u messages suppressed", name, *name ? ": " : "",
		 limit->suppressed);
	if (write_line(limit->worst, text))
		limit->suppressed = 0;
	else
		summary_soon();
}

static void tell_all_suppressed(void)
{
	for (size_t i = 0; i < LOG_KINDS_MAX; i++)
		if (logging.kinds[i].limit.suppressed)
			tell_suppressed(logging.kinds[i].name, &logging.kinds[i].limit);
}

static void on_summary(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	(void)user;
	tell_all_suppressed();
}

/* --- messages --- */

static void limited(enum log_level level, const char *kind, const char *text)
{
	struct log_limit *limit = limit_of(kind);

	if (!log_limit_take(limit, level, lb_now_ms()))
		summary_soon();
	else if (!write_line(level, text)) {
		log_limit_lost(limit, level);
		summary_soon();
	}
}

void log_kind(enum log_level level, const char *kind, const char *format, ...)
{
	char text[LOG_LINE_MAX] = "";
	va_list arguments;
	int used = 0;

	if (kind)
		used = snprintf(text, sizeof(text), "%s: ", kind);
	va_start(arguments, format);
	vsnprintf(text + used, sizeof(text) - used, format, arguments);
	va_end(arguments);
	if (logging.summary)
		limited(level, kind ? kind : "", text);
	else
		write_line(level, text);
}

void log_error(const struct lb_err *err)
{
	char place[sizeof(err->path) + 8] = "";

	if (err->path[0])
		snprintf(place, sizeof(place), " (at %s)", err->path);
	if (logging.journal)
		log_line(LOG_LEVEL_ERROR, "%s%s%s%s", err->message, place, err->hint[0] ? "; " : "",
			 err->hint);
	else /* as every command says why it refuses */
		fprintf(stderr, "lbd: %s%s\n%s%s%s", err->message, place,
			err->hint[0] ? "  hint: " : "", err->hint, err->hint[0] ? "\n" : "");
}

/* --- life --- */

void log_open(void)
{
	struct stat stream;

	logging.journal = !fstat(STDERR_FILENO, &stream) && S_ISSOCK(stream.st_mode) &&
			  log_is_journal(getenv("JOURNAL_STREAM"), &stream);
}

int log_follow(struct event_base *base, struct lb_err *err)
{
	logging.summary = evtimer_new(base, on_summary, NULL);
	return logging.summary ? 0 : lb_err_no_memory(err);
}

void log_close(void)
{
	if (!logging.summary)
		return;
	tell_all_suppressed();
	event_free(logging.summary);
	logging.summary = NULL;
	memset(logging.kinds, 0, sizeof(logging.kinds));
}
