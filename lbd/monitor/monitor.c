/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be seen of lbd from outside? */
#include "monitor.h"

#include <stdlib.h>

#include <lbd/monitor/page.h>

#include "../api/clock.h"
#include "../host/events.h"
#include "event_log.h"
#include "exposition.h"
#include "http.h"
#include "metrics.h"
#include "status_json.h"

struct monitor {
	struct event_counts events;
	struct metrics_source source;
	struct http *http;
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

int monitor_open(const struct monitor_options *options, struct monitor **out, struct lb_err *err)
{
	struct monitor *monitor;
	struct http_options http = {
		.base = options->base,
		.listen = options->config->http,
		.resources = resources,
	};
	int error;

	*out = NULL;
	if (!options->config->http.address.family)
		return 0;
	monitor = calloc(1, sizeof(*monitor));
	if (!monitor)
		return lb_err_no_memory(err);
	http.user = monitor;
	error = http_open(&http, &monitor->http, err);
	if (error) {
		free(monitor);
		return error;
	}
	event_log_init(&monitor->events);
	monitor->source = (struct metrics_source){
		.methods = options->methods,
		.http = monitor->http,
		.events = &monitor->events,
		.started_s = lb_clock_ns(CLOCK_REALTIME) / 1000000000,
	};
	events_add_listener(options->events, event_log_count, &monitor->events);
	events_add_sink(options->events, event_log_keep, &monitor->events);
	*out = monitor;
	return 0;
}

void monitor_serve(struct monitor *monitor, struct worker *worker)
{
	if (monitor)
		http_serve(monitor->http, worker);
}

void monitor_close(struct monitor *monitor)
{
	if (!monitor)
		return;
	http_close(monitor->http);
	event_log_clear(&monitor->events);
	free(monitor);
}
