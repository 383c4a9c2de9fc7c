/* SPDX-License-Identifier: BSD-2-Clause */
/* How often has which event happened, and what were the last ones? */
#ifndef LB_MONITOR_EVENT_LOG_H
#define LB_MONITOR_EVENT_LOG_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_KINDS_MAX 16
#define EVENT_LOG_MAX 50

struct event_counts {
	struct event_count {
		char name[24];
		uint64_t count;
	} kinds[EVENT_KINDS_MAX];
	size_t kind_count;
	/* The text of the last ones, with their time: a ring. One that is long is not there. */
	char *recent[EVENT_LOG_MAX];
	size_t next;
};

/* Every event that there is has a count from the start. */
void event_log_init(struct event_counts *log);
void event_log_clear(struct event_counts *log);
/* An events_listener and an events_sink (host/events.h); `user` is the log. */
void event_log_count(void *user, const json_t *event);
void event_log_keep(void *user, const char *line, size_t length);
/* The last ones, new ones first: a new array. */
json_t *event_log_recent(const struct event_counts *log);

#endif
