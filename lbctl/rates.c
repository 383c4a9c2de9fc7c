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

static bool has_protocol(const json_t *vip, const json_t *protocol)
{
	const char *address = json_string_value(json_object_get(vip, "address"));
	const char *name = json_string_value(json_object_get(protocol, "name"));
	const char *slash = address ? strrchr(address, '/') : NULL;

	return slash && name && strcmp(slash + 1, name) == 0;
}

/* Of its VIPs: the sum of their counters falls when one of them is removed. */
static void sum_rates(const json_t *vips, json_t *protocol)
{
	double packets = 0, bits = 0;
	const json_t *vip;
	size_t i;

	json_array_foreach (vips, i, vip) {
		if (!has_protocol(vip, protocol))
			continue;
		packets += json_number_value(json_object_get(vip, "packets_per_s"));
		bits += json_number_value(json_object_get(vip, "bits_per_s"));
	}
	json_object_set_new(protocol, "packets_per_s", json_real(packets));
	json_object_set_new(protocol, "bits_per_s", json_real(bits));
}

static void add_protocols(const json_t *before, const json_t *after, double ms)
{
	json_t *protocol;
	size_t i;

	add_to_list(before, after, "protocols", "name", ms);
	json_array_foreach (json_object_get(after, "protocols"), i, protocol)
		if (json_object_get(protocol, "bytes"))
			sum_rates(json_object_get(after, "vips"), protocol);
}

void rates_add(const json_t *before, json_t *after)
{
	const double ms = interval_ms(before, after);
	const json_t *vips = json_object_get(before, "vips");
	const json_t *vip;
	size_t i;

	json_object_set_new(after, "interval_ms", json_integer((json_int_t)ms));
	add_to_list(before, after, "vips", "address", ms);
	add_protocols(before, after, ms);
	add_to_list(before, after, "verdicts", "name", ms);
	add_to_list(before, after, "interfaces", "name", ms);
	json_array_foreach (json_object_get(after, "vips"), i, vip)
		add_to_list(find(vips, i, vip, "address"), vip, "backends", "address", ms);
}
