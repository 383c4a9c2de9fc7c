/* SPDX-License-Identifier: BSD-2-Clause */
/* When are metrics pushed to a collector (OTLP), and what becomes of those that it does not take?
 *
 * Every interval the values are collected by a worker and wait in a queue, from which the oldest go first
 * where it is full. They are sent one after the other (post.h). What the collector cannot take now is tried again (answer.h),
 * what it refuses is dropped and counted.
 */
#ifndef LB_MONITOR_PUSH_H
#define LB_MONITOR_PUSH_H

#include <jansson.h>
#include "../host/config.h"

struct event_base;
struct metrics_source;
struct push;
struct worker;

struct push_options {
	struct event_base *base;
	const struct config_otlp *config;
	const struct metrics_source *source; /* complete when push_serve is called */
};

struct push_counts {
	uint64_t taken, refused, dropped; /* messages; dropped: there was no room for them */
	uint64_t failures;                /* attempts that are followed by another */
	uint64_t rejected;                /* data points of messages that were taken */
	uint32_t waiting;                 /* with the one that is under way */
	uint64_t waiting_bytes;
};

/* Before privileges are given up: reads the headers, looks for the user. */
int push_open(const struct push_options *options, struct push **out, struct lb_err *err);
/* Whose work collects values; from then on they are pushed. */
void push_serve(struct push *push, struct worker *worker);
/* After the worker. */
void push_close(struct push *push);

/* As they are at any time; NULL for NULL. */
const struct push_counts *push_counts(const struct push *push);
/* OTLP-STATE of docs/protocol.md; NULL for NULL. */
json_t *push_describe(const struct push *push);

#endif
