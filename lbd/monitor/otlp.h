/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics as an OpenTelemetry collector takes them: OTLP in its JSON encoding (opentelemetry-proto 1.x,
 * ExportMetricsServiceRequest), compressed with gzip.
 *
 *   {"resourceMetrics": [{"resource": {"attributes": […]},
 *     "scopeMetrics": [{"scope": {"name": "lbd", "version": "…"},
 *       "metrics": [{"name": "lbd_packets_total", "description": "…", "unit": "{packet}",
 *                    "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
 *                      {"attributes": [{"key": "verdict", "value": {"stringValue": "tx"}}],
 *                       "startTimeUnixNano": "…", "timeUnixNano": "…", "asInt": "17"}]}}]}]}]}
 *
 * Names, units and help are those of the text format. A message of more than OTLP_MESSAGE_BYTES is begun anew, since
 * collectors take 20 MiB at most. 64-bit numbers are texts, as JSON of protobuf has them.
 */
#ifndef LB_MONITOR_OTLP_H
#define LB_MONITOR_OTLP_H

#include "metrics.h"
#include "text.h"

#define OTLP_MESSAGE_BYTES (8u << 20) /* before compression */

struct otlp_message {
	char *data; /* gzip; whoever is given it frees it */
	size_t length;
	uint64_t points;
};

struct otlp_options {
	const struct metric_label *resource; /* attributes of what is measured */
	size_t resource_count;
	const char *version;
	int64_t time_ns;                  /* of the values, since 1970 */
	int64_t start_ns, plane_start_ns; /* from when on lbd counts, and its data plane */
	size_t message_bytes;             /* for tests; 0: the usual */
	void (*sink)(void *user, struct otlp_message message);
	void *user;
};

struct otlp;

struct otlp *
otlp_new(const struct otlp_options *options); /* borrows what they point to; NULL without memory */
struct metric_writer otlp_writer(struct otlp *otlp);
/* The last message goes to the sink. -ENOMEM: values are missing. */
int otlp_finish(struct otlp *otlp);
void otlp_free(struct otlp *otlp);

#endif
