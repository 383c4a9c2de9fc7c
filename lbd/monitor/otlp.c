/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics as an OpenTelemetry collector takes them. */
#include "otlp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../host/worker.h"

#define CUMULATIVE "2" /* AGGREGATION_TEMPORALITY_CUMULATIVE */
#define PIECE_BYTES 65536
#define GZIP 16 /* beside the bits of the window: with gzip's head and end */

struct otlp {
	struct otlp_options options;
	struct text labels; /* attributes that hold now, without brackets */
	struct text families[METRIC_COUNT];
	size_t bytes;
	uint64_t points;
	bool failed;
};

/* --- data points --- */

static void add_attribute(struct text *text, const struct metric_label *label, bool first)
{
	text_string(text, first ? "{\"key\":\"" : ",{\"key\":\"");
	text_string(text, label->name);
	text_string(text, "\",\"value\":{\"stringValue\":\"");
	text_json(text, label->value);
	text_string(text, "\"}}");
}

static void set_labels(void *user, const struct metric_label *labels, size_t count)
{
	struct otlp *otlp = user;

	otlp->labels.length = 0;
	for (size_t i = 0; i < count; i++)
		add_attribute(&otlp->labels, &labels[i], !i);
}

static void add_time(struct text *text, const char *name, int64_t ns)
{
	text_string(text, ",\"");
	text_string(text, name);
	text_string(text, "\":\"");
	text_integer(text, (uint64_t)ns);
	text_string(text, "\"");
}

static bool accumulates(enum metric_type type)
{
	return type == METRIC_COUNTER || type == METRIC_PLANE_COUNTER || type == METRIC_HISTOGRAM;
}

static void begin_point(struct otlp *otlp, enum metric metric, const struct metric_label *more,
			size_t count)
{
	const enum metric_type type = metric_families[metric].type;
	struct text *text = &otlp->families[metric];

	text_string(text, text->length ? ",{\"attributes\":[" : "{\"attributes\":[");
	if (otlp->labels.length)
		text_add(text, otlp->labels.data, otlp->labels.length);
	for (size_t i = 0; i < count; i++)
		add_attribute(text, &more[i], !i && !otlp->labels.length);
	text_string(text, "]");
	if (accumulates(type))
		add_time(text, "startTimeUnixNano",
			 type == METRIC_PLANE_COUNTER ? otlp->options.plane_start_ns
						      : otlp->options.start_ns);
	add_time(text, "timeUnixNano", otlp->options.time_ns);
}

static void send_message(struct otlp *otlp);

static void end_point(struct otlp *otlp, enum metric metric, size_t before)
{
	struct text *text = &otlp->families[metric];

	text_string(text, "}");
	otlp->failed |= text->failed || otlp->labels.failed;
	otlp->points++;
	otlp->bytes += text->length - before;
	if (otlp->bytes >= otlp->options.message_bytes)
		send_message(otlp);
}

/* Seconds have fractions, everything else is counted. */
static void add_value(void *user, enum metric metric, const struct metric_label *more, size_t count,
		      double value)
{
	struct otlp *otlp = user;
	struct text *text = &otlp->families[metric];
	const size_t before = text->length;

	begin_point(otlp, metric, more, count);
	if (!strcmp(metric_families[metric].unit, "s")) {
		text_string(text, ",\"asDouble\":");
		text_number(text, value);
	} else {
		text_string(text, ",\"asInt\":\"");
		text_integer(text, (uint64_t)value);
		text_string(text, "\"");
	}
	end_point(otlp, metric, before);
}

static void add_histogram(void *user, enum metric metric, const struct metric_histogram *values)
{
	struct otlp *otlp = user;
	struct text *text = &otlp->families[metric];
	const size_t before = text->length;
	uint64_t count = 0;

	begin_point(otlp, metric, NULL, 0);
	text_string(text, ",\"bucketCounts\":[");
	for (size_t i = 0; i <= values->bounds; i++) {
		text_string(text, i ? ",\"" : "\"");
		text_integer(text, values->counts[i]);
		text_string(text, "\"");
		count += values->counts[i];
	}
	text_string(text, "],\"explicitBounds\":[");
	for (size_t i = 0; i < values->bounds; i++) {
		text_string(text, i ? "," : "");
		text_number(text, values->bounds_us[i] / 1e6);
	}
	text_string(text, "],\"count\":\"");
	text_integer(text, count);
	text_string(text, "\",\"sum\":");
	text_number(text, (double)values->sum_us / 1e6);
	end_point(otlp, metric, before);
}

struct metric_writer otlp_writer(struct otlp *otlp)
{
	return (struct metric_writer){
		.labels = set_labels,
		.value = add_value,
		.histogram = add_histogram,
		.user = otlp,
	};
}

/* --- messages --- */

static void add_head(const struct otlp *otlp, struct text *out)
{
	const struct otlp_options *options = &otlp->options;

	text_string(out, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[");
	for (size_t i = 0; i < options->resource_count; i++)
		add_attribute(out, &options->resource[i], !i);
	text_string(out, "]},\"scopeMetrics\":[{\"scope\":{\"name\":\"lbd\",\"version\":\"");
	text_json(out, options->version);
	text_string(out, "\"},\"metrics\":[");
}

static void add_family(const struct metric_family *family, bool first, struct text *out)
{
	text_string(out, first ? "{\"name\":\"" : ",{\"name\":\"");
	text_string(out, family->name);
	text_string(out, "\",\"description\":\"");
	text_json(out, family->help);
	if (*family->unit) {
		text_string(out, "\",\"unit\":\"");
		text_string(out, family->unit);
	}
	if (family->type == METRIC_HISTOGRAM)
		text_string(out, "\",\"histogram\":{\"aggregationTemporality\":" CUMULATIVE
				 ",\"dataPoints\":[");
	else if (accumulates(family->type))
		text_string(out, "\",\"sum\":{\"aggregationTemporality\":" CUMULATIVE
				 ",\"isMonotonic\":true,\"dataPoints\":[");
	else
		text_string(out, "\",\"gauge\":{\"dataPoints\":[");
}

/* Compresses a piece into `out`; the last one with Z_FINISH. */
static bool press(z_stream *stream, const struct text *piece, int flush, struct text *out)
{
	char room[PIECE_BYTES];

	stream->next_in = (unsigned char *)piece->data;
	stream->avail_in = (unsigned int)piece->length;
	do {
		stream->next_out = (unsigned char *)room;
		stream->avail_out = sizeof(room);
		if (deflate(stream, flush) == Z_STREAM_ERROR)
			return false;
		text_add(out, room, sizeof(room) - stream->avail_out);
	} while (!stream->avail_out);
	return !piece->failed && !out->failed;
}

static bool press_all(const struct otlp *otlp, z_stream *stream, struct text *out)
{
	struct text piece = {0};
	bool first = true, done;

	add_head(otlp, &piece);
	done = press(stream, &piece, Z_NO_FLUSH, out);
	for (size_t i = 0; i < METRIC_COUNT && done; i++) {
		if (!otlp->families[i].length)
			continue;
		piece.length = 0;
		add_family(&metric_families[i], first, &piece);
		done = press(stream, &piece, Z_NO_FLUSH, out) &&
		       press(stream, &otlp->families[i], Z_NO_FLUSH, out);
		piece.length = 0;
		text_string(&piece, "]}}");
		done = done && press(stream, &piece, Z_NO_FLUSH, out);
		first = false;
	}
	piece.length = 0;
	text_string(&piece, "]}]}]}");
	done = done && press(stream, &piece, Z_FINISH, out);
	text_clear(&piece);
	return done;
}

static bool make_message(const struct otlp *otlp, struct text *out)
{
	z_stream stream = {0};
	bool done;

	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + GZIP, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	done = press_all(otlp, &stream, out);
	deflateEnd(&stream);
	return done;
}

/* Without the turn: nothing of it is shared. */
static void send_message(struct otlp *otlp)
{
	const uint64_t points = otlp->points;
	struct text text = {0};

	worker_leave();
	if (!otlp->failed && !make_message(otlp, &text))
		otlp->failed = true;
	for (size_t i = 0; i < METRIC_COUNT; i++)
		text_clear(&otlp->families[i]);
	worker_enter();
	otlp->points = otlp->bytes = 0;
	if (otlp->failed)
		text_clear(&text);
	else
		otlp->options.sink(otlp->options.user,
				   (struct otlp_message){text.data, text.length, points});
}

/* --- life --- */

struct otlp *otlp_new(const struct otlp_options *options)
{
	struct otlp *otlp = calloc(1, sizeof(*otlp));

	if (!otlp)
		return NULL;
	otlp->options = *options;
	if (!options->message_bytes)
		otlp->options.message_bytes = OTLP_MESSAGE_BYTES;
	return otlp;
}

int otlp_finish(struct otlp *otlp)
{
	if (otlp->points && !otlp->failed)
		send_message(otlp);
	return otlp->failed ? -ENOMEM : 0;
}

void otlp_free(struct otlp *otlp)
{
	if (!otlp)
		return;
	for (size_t i = 0; i < METRIC_COUNT; i++)
		text_clear(&otlp->families[i]);
	text_clear(&otlp->labels);
	free(otlp);
}
