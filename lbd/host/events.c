/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is told of what happens? */
#include "events.h"
#include "worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct events {
	struct {
		events_sink sink;
		void *user;
	} sinks[EVENTS_SINKS_MAX];
	size_t sink_count;
	struct {
		events_listener listener;
		void *user;
	} listeners[EVENTS_LISTENERS_MAX];
	size_t listener_count;
};

struct events *events_new(void)
{
	return calloc(1, sizeof(struct events));
}

void events_free(struct events *events)
{
	free(events);
}

void events_add_sink(struct events *events, events_sink sink, void *user)
{
	assert(events->sink_count < EVENTS_SINKS_MAX);
	events->sinks[events->sink_count].sink = sink;
	events->sinks[events->sink_count++].user = user;
}

void events_add_listener(struct events *events, events_listener listener, void *user)
{
	assert(events->listener_count < EVENTS_LISTENERS_MAX);
	events->listeners[events->listener_count].listener = listener;
	events->listeners[events->listener_count++].user = user;
}

char *events_time(const struct timespec *time, char out[EVENTS_TIME_TEXT])
{
	struct tm parts;
	size_t length;

	gmtime_r(&time->tv_sec, &parts);
	length = strftime(out, EVENTS_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(out + length, EVENTS_TIME_TEXT - length, ".%03uZ",
		 (unsigned int)(time->tv_nsec / 1000000 % 1000));
	return out;
}

char *events_time_ms(int64_t since_1970_ms, char out[EVENTS_TIME_TEXT])
{
	const struct timespec time = {.tv_sec = since_1970_ms / 1000,
				      .tv_nsec = since_1970_ms % 1000 * 1000000};

	return events_time(&time, out);
}

#define LINE_START "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"time\":\""
#define LINE_TIME (sizeof(LINE_START) - 1)
#define LINE_EVENT (LINE_TIME + EVENTS_TIME_TEXT - 1 + 1) /* after the time and its quote */

/*
 * The notification of JSON-RPC, a request without id, which wants no reply; its time is stamp's to fill.
 * To be freed.
 */
static char *notification(const json_t *event)
{
	size_t length = json_dumpb(event, NULL, 0, JSON_COMPACT);
	char *line;

	if (!length) /* no memory, or not text that JSON can hold */
		return NULL;
	line = malloc(LINE_EVENT + length + sizeof("}\n"));
	if (!line)
		return NULL;
	memcpy(line, LINE_START, LINE_TIME);
	json_dumpb(event, line + LINE_EVENT, length, JSON_COMPACT);
	line[LINE_EVENT - 1] = '"';
	line[LINE_EVENT] = ','; /* where the event's own brace was */
	memcpy(line + LINE_EVENT + length, "}\n", sizeof("}\n"));
	return line;
}

static void stamp(char *line)
{
	char time[EVENTS_TIME_TEXT];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(line + LINE_TIME, events_time(&now, time), EVENTS_TIME_TEXT - 1);
}

/* Takes over both. The time is that of the delivery, so that lines are in the order of their times. */
static void deliver(struct events *events, json_t *event, char *line)
{
	if (line)
		stamp(line);
	for (size_t i = 0; line && i < events->listener_count; i++)
		events->listeners[i].listener(events->listeners[i].user, event);
	json_decref(event);
	for (size_t i = 0; line && i < events->sink_count; i++)
		events->sinks[i].sink(events->sinks[i].user, line, strlen(line));
	free(line);
}

void events_emit(struct events *events, json_t *event)
{
	deliver(events, event, events && event ? notification(event) : NULL);
}

void events_emit_long(struct events *events, json_t *event)
{
	char *line = NULL;

	worker_leave();
	if (events && event)
		line = notification(event);
	worker_enter();
	deliver(events, event, line);
}

json_t *events_revert(const char *reason, json_t *change)
{
	return json_pack("{s:s, s:s, s:O}", "event", "revert", "reason", reason, "change", change);
}

static const char *unless_empty(const char *text)
{
	return text && *text ? text : NULL;
}

void events_health(struct events *events, const char *of, const char *name,
		   const struct lb_addr *backend, const char *state, int64_t since_ms,
		   const char *error, json_t *agreed)
{
	char address[LB_ADDR_TEXT], time[EVENTS_TIME_TEXT];

	events_emit(events, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*, s:o*}", "event", "health",
				      of, name, "backend", lb_addr_format(backend, address),
				      "state", state, "since", events_time_ms(since_ms, time),
				      "error", unless_empty(error), "agreed", agreed));
}

void events_interface(struct events *events, const char *interface, const char *state,
		      const char *mode, const char *reason)
{
	events_emit(events, json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "event", "interface",
				      "interface", interface, "state", state, "xdp_mode",
				      unless_empty(mode), "reason", unless_empty(reason)));
}
