/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be seen of lbd from outside: what is answered over HTTP. */
#ifndef LB_MONITOR_H
#define LB_MONITOR_H

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

/* Listens, where lbd.json says so; *out is NULL where not. */
int monitor_open(const struct monitor_options *options, struct monitor **out, struct lb_err *err);
/* From then on there are answers, made by the worker. */
void monitor_serve(struct monitor *monitor, struct worker *worker);
/* After the worker. */
void monitor_close(struct monitor *monitor);

#endif
