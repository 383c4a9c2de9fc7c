/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is told of what happens? Whoever has something to tell emits it here; listeners (the log) get
 * the event itself, sinks (the control sockets) the line for those who watch. docs/protocol.md
 * lists the events. */
#ifndef LB_EVENTS_H
#define LB_EVENTS_H

#include <jansson.h>
#include <stddef.h>
#include <time.h>
#include "../api/addr.h"

#define EVENTS_SINKS_MAX 3
#define EVENTS_LISTENERS_MAX 4

struct events;

/* `line` is a whole notification with its newline. A sink must not emit. */
typedef void (*events_sink)(void *user, const char *line, size_t length);

/* The event is borrowed, and has no time. A listener must not emit. */
typedef void (*events_listener)(void *user, const json_t *event);

struct events *events_new(void); /* NULL without memory */
void events_free(struct events *events);
/* At most EVENTS_SINKS_MAX and EVENTS_LISTENERS_MAX of them. */
void events_add_sink(struct events *events, events_sink sink, void *user);
void events_add_listener(struct events *events, events_listener listener, void *user);

/* Takes over `event`, an object with the field "event"; the time is added. `events` may be NULL:
 * nobody is told. What memory does not suffice for is not told either. */
void events_emit(struct events *events, json_t *event);
/* The same of a large event that nobody else has. In a worker, its text is written out of turn. */
void events_emit_long(struct events *events, json_t *event);

/* The event of a change that was taken back, a new reference; `change` is borrowed. */
json_t *events_revert(const char *reason, json_t *change);

/* A health check has changed its mind. `of`: what has the name, "vip" or "pool". `error`: why, in plain words; NULL or "" when there is
 * nothing wrong. `since_ms`: when it did, CLOCK_REALTIME. `agreed`: who sees what, taken over; NULL: this
 * node goes by itself. */
void events_health(struct events *events, const char *of, const char *name,
		   const struct lb_addr *backend, const char *state, int64_t since_ms,
		   const char *error, json_t *agreed);

/* An interface of lbd.json. `state`: "attached" (`mode`: how, `reason`: why not natively),
 * "detached" (`reason`: why), "link_up", "link_down". `mode` and `reason` may be NULL or "". */
void events_interface(struct events *events, const char *interface, const char *state,
		      const char *mode, const char *reason);

#define EVENTS_TIME_TEXT sizeof("2038-01-19T03:14:07.000Z")

/* RFC 3339, UTC, milliseconds. Returns `out`. */
char *events_time(const struct timespec *time, char out[EVENTS_TIME_TEXT]);
char *events_time_ms(int64_t since_1970_ms, char out[EVENTS_TIME_TEXT]);

#endif
