/* SPDX-License-Identifier: BSD-2-Clause */
/* How is lbd, in one line? */
#include "status_line.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/config.h"
#include "../plane/datapath.h"
#include "../host/events.h"
#include "../host/notify.h"
#include "../service/service.h"

#define GATHER_MS 500 /* events that come together are told of together */

struct status_line {
	struct status_line_options options;
	struct event *timer;
	char told[STATUS_LINE_TEXT];
};

/* --- the line --- */

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

char *status_line_text(const struct status_facts *facts, char out[STATUS_LINE_TEXT])
{
	size_t used = (size_t)snprintf(
		out, STATUS_LINE_TEXT, "%zu VIP%s, %zu backend%s, %u unhealthy", facts->vips,
		plural(facts->vips), facts->backends, plural(facts->backends), facts->unhealthy);

	for (size_t i = 0; i < facts->detached_count && used < STATUS_LINE_TEXT; i++)
		used += (size_t)snprintf(out + used, STATUS_LINE_TEXT - used, "%s%s",
					 i ? ", " : "; interfaces detached: ", facts->detached[i]);
	return out;
}

static char *describe(const struct status_line_options *options, char out[STATUS_LINE_TEXT])
{
	const struct lb_service *document = service_document(options->service);
	json_t *health = service_health(options->service);
	const char *detached[LB_INTERFACES_MAX];
	struct status_facts facts = {
		.vips = document->vip_count,
		.unhealthy = json_integer_value(json_object_get(health, "unhealthy")),
		.detached = detached,
	};

	json_decref(health);
	for (size_t i = 0; i < document->vip_count; i++)
		facts.backends += document->vips[i].pool->backend_count;
	for (size_t i = 0; i < options->config->interface_count; i++)
		if (!options->attachments[i].ifindex)
			detached[facts.detached_count++] = options->config->interfaces[i];
	return status_line_text(&facts, out);
}

/* --- telling --- */

static void tell_soon(struct status_line *line)
{
	const struct timeval delay = {.tv_usec = GATHER_MS * 1000};

	if (!evtimer_pending(line->timer, NULL))
		evtimer_add(line->timer, &delay);
}

static void tell(struct status_line *line)
{
	char text[STATUS_LINE_TEXT];

	if (!strcmp(describe(&line->options, text), line->told))
		return;
	if (notify_status(line->options.notify, text))
		tell_soon(line); /* there was no room for it */
	else
		memcpy(line->told, text, sizeof(text));
}

static void on_timer(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	tell(user);
}

static void on_event(void *user, const json_t *event)
{
	(void)event;
	tell_soon(user);
}

/* --- life --- */

int status_line_open(const struct status_line_options *options, struct status_line **out,
		     struct lb_err *err)
{
	struct status_line *line = calloc(1, sizeof(*line));

	*out = line;
	if (!line)
		return lb_err_no_memory(err);
	line->options = *options;
	line->timer = evtimer_new(options->base, on_timer, line);
	if (!line->timer)
		return lb_err_no_memory(err);
	events_add_listener(options->events, on_event, line);
	tell(line);
	return 0;
}

void status_line_close(struct status_line *line)
{
	if (line && line->timer)
		event_free(line->timer);
	free(line);
}
