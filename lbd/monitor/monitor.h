/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be seen of lbd from outside: what is answered over HTTP, and pushed to a collector. */
#ifndef LB_MONITOR_H
#define LB_MONITOR_H

#include <jansson.h>
#include "../host/config.h"

struct event_base;
struct events;
struct methods_context;
struct monitor;
struct worker;

struct monitor_options {
	struct event_base *base;
	const struct config *config;
	struct events *events;
	struct methods_context *methods; /* filled when monitor_serve is called */
};

/* Listens and pushes, where lbd.json says so; *out is NULL where neither. Before privileges are given up. What fails is in
 * `warnings`, and is no reason not to balance. */
void monitor_open(const struct monitor_options *options, json_t *warnings, struct monitor **out);
/* From then on there are answers, made by the worker. */
void monitor_serve(struct monitor *monitor, struct worker *worker);
/* A describe_push of struct methods_context; `monitor` may be NULL. */
json_t *monitor_describe_push(const void *monitor);
/* After the worker. */
void monitor_close(struct monitor *monitor);

#endif
