/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics as Prometheus reads them. */
#include "exposition.h"

#include <string.h>

#include "../host/worker.h"

static void add_label(struct text *text, const struct metric_label *label, bool first)
{
	if (!first)
		text_add(text, ",", 1);
	text_string(text, label->name);
	text_add(text, "=\"", 2);
	text_label(text, label->value);
	text_add(text, "\"", 1);
}

static void set_labels(void *user, const struct metric_label *labels, size_t count)
{
	struct exposition *exposition = user;

	exposition->labels.length = 0;
	for (size_t i = 0; i < count; i++)
		add_label(&exposition->labels, &labels[i], !i);
}

/* lbd_name_suffix{labels,more} */
static void add_name(struct exposition *exposition, enum metric metric, const char *suffix,
		     const struct metric_label *more, size_t count)
{
	const struct text *labels = &exposition->labels;
	struct text *text = &exposition->families[metric];

	text_string(text, metric_families[metric].name);
	text_string(text, suffix);
	if (!labels->length && !count) {
		text_add(text, " ", 1);
		return;
	}
	text_add(text, "{", 1);
	if (labels->length)
		text_add(text, labels->data, labels->length);
	for (size_t i = 0; i < count; i++)
		add_label(text, &more[i], !i && !labels->length);
	text_add(text, "} ", 2);
}

static void add_value(void *user, enum metric metric, const struct metric_label *more, size_t count,
		      double value)
{
	struct exposition *exposition = user;

	add_name(exposition, metric, "", more, count);
	text_number(&exposition->families[metric], value);
	text_add(&exposition->families[metric], "\n", 1);
}

static void add_bucket(struct exposition *exposition, enum metric metric, const char *bound,
		       uint64_t count)
{
	const struct metric_label label = {"le", bound};

	add_name(exposition, metric, "_bucket", &label, 1);
	text_integer(&exposition->families[metric], count);
	text_add(&exposition->families[metric], "\n", 1);
}

/* OpenMetrics has 1.0 as the bound that others write as 1; so the series have one name in both. */
static const char *bound_text(uint32_t bound_us, struct text *out)
{
	out->length = 0;
	text_number(out, bound_us / 1e6);
	if (bound_us % 1000000 == 0)
		text_add(out, ".0", 2);
	text_add(out, "", 1);
	return out->failed ? "" : out->data;
}

static void add_histogram(void *user, enum metric metric, const struct metric_histogram *values)
{
	struct exposition *exposition = user;
	struct text *text = &exposition->families[metric], bound = {0};
	uint64_t sum = 0;

	for (size_t i = 0; i < values->bounds; i++) {
		sum += values->counts[i];
		add_bucket(exposition, metric, bound_text(values->bounds_us[i], &bound), sum);
	}
	sum += values->counts[values->bounds];
	add_bucket(exposition, metric, "+Inf", sum);
	text_clear(&bound);
	add_name(exposition, metric, "_sum", NULL, 0);
	text_number(text, (double)values->sum_us / 1e6);
	text_add(text, "\n", 1);
	add_name(exposition, metric, "_count", NULL, 0);
	text_integer(text, sum);
	text_add(text, "\n", 1);
}

struct metric_writer exposition_writer(struct exposition *exposition)
{
	return (struct metric_writer){
		.labels = set_labels,
		.value = add_value,
		.histogram = add_histogram,
		.user = exposition,
	};
}

/* In OpenMetrics a counter's or an info's family has the name without its suffix. */
static void add_family_name(struct text *out, const struct metric_family *family, bool openmetrics)
{
	size_t length = strlen(family->name);

	if (openmetrics && (family->type == METRIC_COUNTER || family->type == METRIC_PLANE_COUNTER))
		length -= strlen("_total");
	if (openmetrics && family->type == METRIC_INFO)
		length -= strlen("_info");
	text_add(out, family->name, length);
}

static void add_head(struct text *out, const struct metric_family *family, bool openmetrics)
{
	static const char *const types[] = {"counter", "counter", "gauge", "gauge", "histogram"};

	text_string(out, "# HELP ");
	add_family_name(out, family, openmetrics);
	text_add(out, " ", 1);
	text_string(out, family->help);
	text_string(out, "\n# TYPE ");
	add_family_name(out, family, openmetrics);
	text_add(out, " ", 1);
	text_string(out, openmetrics && family->type == METRIC_INFO ? "info" : types[family->type]);
	text_add(out, "\n", 1);
}

void exposition_finish(struct exposition *exposition, bool openmetrics, struct text *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		struct text *family = &exposition->families[i];

		out->failed |= family->failed;
		if (family->length) {
			add_head(out, &metric_families[i], openmetrics);
			text_add(out, family->data, family->length);
		}
		text_clear(family);
		worker_yield();
	}
	out->failed |= exposition->labels.failed;
	text_clear(&exposition->labels);
	if (openmetrics)
		text_string(out, "# EOF\n");
}
