/* SPDX-License-Identifier: BSD-2-Clause */
/* What does the status page show? One JSON object. */
#ifndef LB_MONITOR_STATUS_JSON_H
#define LB_MONITOR_STATUS_JSON_H

#include "text.h"

struct event_counts;
struct methods_context;

/* Backends beyond so many are left out, VIP by VIP. */
#define STATUS_JSON_BACKENDS 1000

/* By a worker. {"time", "status": as the method, "verdicts": of the method stats, "events": the last ones, new ones first,
 * "vips": [{"name", "address", "pool"?, "packets", "bytes", "slots", "serving", "backend_count", "backends"?: BACKEND-STATEs}…]} */
void status_json(struct methods_context *methods, const struct event_counts *events,
		 struct text *out);

#endif
