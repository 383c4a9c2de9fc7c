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

/* The notification of JSON-RPC: a request without id, which wants no reply. To be freed. */
static char *notification(const json_t *event)
{
	json_auto_t *root = NULL;
	char time[EVENTS_TIME_TEXT], *line;
	struct timespec now;
	json_t *params;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	root = json_pack("{s:s, s:s, s:{s:s}}", "jsonrpc", "2.0", "method", "event", "params",
			 "time", events_time(&now, time));
	params = json_object_get(root, "params");
	if (json_object_update(params, (json_t *)event))
		return NULL;
	length = json_dumpb(root, NULL, 0, JSON_COMPACT);
	if (!length) /* no memory, or not text that JSON can hold */
		return NULL;
	line = malloc(length + 2);
	if (!line)
		return NULL;
	json_dumpb(root, line, length, JSON_COMPACT);
	memcpy(line + length, "\n", 2);
	return line;
}

/* Takes over both. */
static void deliver(struct events *events, json_t *event, char *line)
{
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

void events_health(struct events *events, const char *vip, const struct lb_addr *backend,
		   const char *state, int64_t since_ms, const char *error)
{
	char address[LB_ADDR_TEXT], time[EVENTS_TIME_TEXT];

	events_emit(events,
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s*}", "event", "health", "vip", vip,
			      "backend", lb_addr_format(backend, address), "state", state, "since",
			      events_time_ms(since_ms, time), "error", unless_empty(error)));
}

void events_interface(struct events *events, const char *interface, const char *state,
		      const char *mode, const char *reason)
{
	events_emit(events, json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "event", "interface",
				      "interface", interface, "state", state, "xdp_mode",
				      unless_empty(mode), "reason", unless_empty(reason)));
}
