/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0. */
#ifndef LB_MONITOR_EXPOSITION_H
#define LB_MONITOR_EXPOSITION_H

#include "metrics.h"
#include "text.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct exposition {
	struct text labels; /* those that hold now, without braces */
	struct text families[METRIC_COUNT];
};

/* A writer of it, which fills an exposition that is all 0. */
struct metric_writer exposition_writer(struct exposition *exposition);
/* The whole text; frees all but that. */
void exposition_finish(struct exposition *exposition, bool openmetrics, struct text *out);

#endif
