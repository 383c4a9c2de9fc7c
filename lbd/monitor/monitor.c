/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be seen of lbd from outside? */
#include "monitor.h"

#include <stdlib.h>
#include <sys/utsname.h>

#include <lbd/monitor/page.h>

#include "../api/clock.h"
#include "../host/events.h"
#include "event_log.h"
#include "exposition.h"
#include "http.h"
#include "metrics.h"
#include "push.h"
#include "status_json.h"

struct monitor {
	struct event_counts events;
	struct metrics_source source;
	struct http *http;
	struct push *push;
	const char *names[LB_HTTP_NAMES_MAX + 2]; /* of this machine; ends with NULL */
	struct utsname system;
};

static void make_metrics(const struct monitor *monitor, bool openmetrics, struct text *out)
{
	struct exposition *exposition = calloc(1, sizeof(*exposition));
	struct metric_writer writer;

	if (!exposition) {
		out->failed = true;
		return;
	}
	writer = exposition_writer(exposition);
	metrics_collect(&monitor->source, &writer);
	exposition_finish(exposition, openmetrics, out);
	free(exposition);
}

static void make_prometheus(void *user, struct text *out)
{
	make_metrics(user, false, out);
}

static void make_openmetrics(void *user, struct text *out)
{
	make_metrics(user, true, out);
}

static void make_status(void *user, struct text *out)
{
	struct monitor *monitor = user;

	status_json(monitor->source.methods, &monitor->events, out);
}

static const struct http_resource resources[] = {
	{.path = "/",
	 .type = "text/html; charset=utf-8",
	 .policy = PAGE_POLICY,
	 .content = page,
	 .length = sizeof(page)},
	{.path = "/status.json", .type = "application/json", .make = make_status},
	{.path = "/metrics",
	 .openmetrics = true,
	 .type = OPENMETRICS_TYPE,
	 .make = make_openmetrics},
	{.path = "/metrics", .type = EXPOSITION_TYPE, .make = make_prometheus},
	{0},
};

/* Its own host name, and those that lbd.json adds. */
static void find_names(const struct config *config, struct monitor *monitor)
{
	size_t count = 0;

	if (!uname(&monitor->system))
		monitor->names[count++] = monitor->system.nodename;
	for (size_t i = 0; i < LB_HTTP_NAMES_MAX && *config->http_names[i]; i++)
		monitor->names[count++] = config->http_names[i];
}

/* What was opened, or NULL. */
static struct http *open_http(const struct monitor_options *options, struct monitor *monitor,
			      json_t *warnings)
{
	const struct http_options http = {
		.base = options->base,
		.listen = options->config->http,
		.resources = resources,
		.names = monitor->names,
		.user = monitor,
	};
	struct lb_err err = {0};
	struct http *out = NULL;

	if (http.listen.address.family && http_open(&http, &out, &err))
		json_array_append_new(warnings,
				      json_sprintf("no metrics and no status page: %s; %s",
						   err.message, err.hint));
	return out;
}

static struct push *open_push(const struct monitor_options *options, struct monitor *monitor,
			      json_t *warnings)
{
	const struct push_options push = {
		.base = options->base,
		.config = &options->config->otlp,
		.source = &monitor->source,
	};
	struct lb_err err = {0};
	struct push *out = NULL;

	if (*push.config->endpoint && push_open(&push, &out, &err))
		json_array_append_new(warnings, json_sprintf("no metrics are pushed: %s; %s",
							     err.message, err.hint));
	return out;
}

void monitor_open(const struct monitor_options *options, json_t *warnings, struct monitor **out)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));

	*out = NULL;
	if (!monitor)
		return;
	find_names(options->config, monitor);
	monitor->http = open_http(options, monitor, warnings);
	monitor->push = open_push(options, monitor, warnings);
	if (!monitor->http && !monitor->push) {
		free(monitor);
		return;
	}
	event_log_init(&monitor->events);
	monitor->source = (struct metrics_source){
		.methods = options->methods,
		.http = monitor->http,
		.push = push_counts(monitor->push),
		.events = &monitor->events,
		.started_s = lb_clock_ns(CLOCK_REALTIME) / 1000000000,
	};
	events_add_listener(options->events, event_log_count, &monitor->events);
	events_add_sink(options->events, event_log_keep, &monitor->events);
	*out = monitor;
}

void monitor_serve(struct monitor *monitor, struct worker *worker)
{
	if (!monitor)
		return;
	http_serve(monitor->http, worker);
	push_serve(monitor->push, worker);
}

json_t *monitor_describe_push(const void *user)
{
	const struct monitor *monitor = user;

	return monitor ? push_describe(monitor->push) : NULL;
}

void monitor_close(struct monitor *monitor)
{
	if (!monitor)
		return;
	push_close(monitor->push);
	http_close(monitor->http);
	event_log_clear(&monitor->events);
	free(monitor);
}
