/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast do counters go? */
#include "rates.h"
#include <string.h>

static double interval_ms(const json_t *before, const json_t *after)
{
	json_int_t ms = json_integer_value(json_object_get(after, "at_ms")) -
			json_integer_value(json_object_get(before, "at_ms"));

	return ms > 0 ? (double)ms : 1;
}

static void add_rate(const json_t *before, json_t *after, const char *field, const char *rate,
		     double factor)
{
	const json_t *count = json_object_get(after, field);
	json_int_t now = json_integer_value(count);
	json_int_t then = json_integer_value(json_object_get(before, field));

	if (!count)
		return;
	if (then > now)
		then = 0;
	json_object_set_new(after, rate, json_real((double)(now - then) * factor));
}

static void add_rates(const json_t *before, json_t *after, double ms)
{
	add_rate(before, after, "packets", "packets_per_s", 1000 / ms);
	add_rate(before, after, "bytes", "bits_per_s", 8000 / ms);
	add_rate(before, after, "rx_packets", "rx_packets_per_s", 1000 / ms);
	add_rate(before, after, "rx_bytes", "rx_bits_per_s", 8000 / ms);
	add_rate(before, after, "tx_packets", "tx_packets_per_s", 1000 / ms);
	add_rate(before, after, "tx_bytes", "tx_bits_per_s", 8000 / ms);
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	const char *left = json_string_value(json_object_get(a, key));
	const char *right = json_string_value(json_object_get(b, key));

	return left && right && strcmp(left, right) == 0;
}

/* The entry of `list` that has the same key; most often it is where it was. NULL: none. */
static const json_t *find(const json_t *list, size_t at, const json_t *like, const char *key)
{
	const json_t *entry = json_array_get(list, at);
	size_t i;

	if (same(entry, like, key))
		return entry;
	json_array_foreach (list, i, entry)
		if (same(entry, like, key))
			return entry;
	return NULL;
}

static void add_to_list(const json_t *before, const json_t *after, const char *list,
			const char *key, double ms)
{
	const json_t *old = json_object_get(before, list);
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(after, list), i, entry)
		add_rates(find(old, i, entry, key), entry, ms);
}

void rates_add(const json_t *before, json_t *after)
{
	const double ms = interval_ms(before, after);
	const json_t *vips = json_object_get(before, "vips");
	const json_t *vip;
	size_t i;

	json_object_set_new(after, "interval_ms", json_integer((json_int_t)ms));
	add_to_list(before, after, "vips", "address", ms);
	add_to_list(before, after, "verdicts", "name", ms);
	add_to_list(before, after, "interfaces", "name", ms);
	json_array_foreach (json_object_get(after, "vips"), i, vip)
		add_to_list(find(vips, i, vip, "address"), vip, "backends", "address", ms);
}
