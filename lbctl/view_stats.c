/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show counters? */
#include "args.h"
#include "columns.h"
#include "units.h"
#include "view.h"

/* In a second, where that was asked for, or in all. */
static void print_packets(FILE *out, const json_t *object, const char *rate, const char *count)
{
	const json_t *packets = json_object_get(object, rate);
	char text[UNITS_TEXT];

	if (packets)
		fprintf(out, "%s packets/s",
			units_number((long long)(json_number_value(packets) + 0.5), text));
	else
		fprintf(out, "%s", units_count(view_integer(object, count), "packet", text));
}

static void print_bytes(FILE *out, const json_t *object, const char *rate, const char *count)
{
	const json_t *bits = json_object_get(object, rate);
	char text[UNITS_TEXT];

	fprintf(out, "%s",
		bits ? units_bits(json_number_value(bits), text)
		     : units_bytes(view_integer(object, count), text));
}

static void print_counters(FILE *out, const json_t *object)
{
	fputc('\t', out);
	print_packets(out, object, "packets_per_s", "packets");
	fputc('\t', out);
	print_bytes(out, object, "bits_per_s", "bytes");
	fputc('\n', out);
}

static void print_vip(FILE *out, const json_t *vip)
{
	const json_t *backend;
	size_t i;

	fprintf(out, "%s", view_text(vip, "name"));
	print_counters(out, vip);
	json_array_foreach (json_object_get(vip, "backends"), i, backend) {
		fprintf(out, "  %s", view_text(backend, "address"));
		print_counters(out, backend);
	}
}

/* Whether a packet has had it in the time that is shown. */
static bool is_seen(const json_t *verdict)
{
	const json_t *rate = json_object_get(verdict, "packets_per_s");

	return rate ? json_number_value(rate) > 0 : view_integer(verdict, "packets") != 0;
}

static void print_verdicts(FILE *out, const json_t *verdicts, bool all)
{
	struct columns columns;
	const json_t *verdict;
	size_t i;

	fprintf(out, "verdicts\n");
	columns_open(&columns);
	json_array_foreach (verdicts, i, verdict) {
		if (!all && !is_seen(verdict))
			continue;
		fprintf(columns.rows, "%s\t%s\t", view_text(verdict, "name"),
			view_text(verdict, "action"));
		print_packets(columns.rows, verdict, "packets_per_s", "packets");
		fprintf(columns.rows, "\t%s\n", view_text(verdict, "meaning"));
	}
	columns_close(&columns, out, 2, "llr");
}

/* Bytes are known of what was forwarded. */
static void print_protocols(FILE *out, const json_t *protocols, bool all)
{
	const json_t *protocol;
	struct columns columns;
	size_t i;

	fprintf(out, "protocols\n");
	columns_open(&columns);
	json_array_foreach (protocols, i, protocol) {
		if (!all && !is_seen(protocol))
			continue;
		fprintf(columns.rows, "%s\t", view_text(protocol, "name"));
		print_packets(columns.rows, protocol, "packets_per_s", "packets");
		fputc('\t', columns.rows);
		if (json_object_get(protocol, "bytes"))
			print_bytes(columns.rows, protocol, "bits_per_s", "bytes");
		fputc('\n', columns.rows);
	}
	columns_close(&columns, out, 2, "lrr");
}

static void print_interfaces(FILE *out, const json_t *interfaces)
{
	const json_t *interface;
	struct columns columns;
	size_t i;

	fprintf(out, "interfaces, as their drivers count\n");
	columns_open(&columns);
	json_array_foreach (interfaces, i, interface) {
		fprintf(columns.rows, "%s\tin\t", view_text(interface, "name"));
		print_packets(columns.rows, interface, "rx_packets_per_s", "rx_packets");
		fputc('\t', columns.rows);
		print_bytes(columns.rows, interface, "rx_bits_per_s", "rx_bytes");
		fprintf(columns.rows, "\tout\t");
		print_packets(columns.rows, interface, "tx_packets_per_s", "tx_packets");
		fputc('\t', columns.rows);
		print_bytes(columns.rows, interface, "tx_bits_per_s", "tx_bytes");
		fputc('\n', columns.rows);
	}
	columns_close(&columns, out, 2, "llrrlrr");
}

void view_stats(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *vips = json_object_get(result, "vips");
	const json_t *verdicts = json_object_get(result, "verdicts");
	const json_t *interfaces = json_object_get(result, "interfaces");
	const json_t *protocols = json_object_get(result, "protocols");
	struct columns columns;
	const json_t *vip;
	size_t i;

	if (json_array_size(vips) == 0)
		fprintf(out, "no VIPs\n");
	columns_open(&columns);
	json_array_foreach (vips, i, vip)
		print_vip(columns.rows, vip);
	columns_close(&columns, out, 0, "lrr");
	if (json_array_size(protocols))
		print_protocols(out, protocols, invocation_option(invocation, "all"));
	if (verdicts)
		print_verdicts(out, verdicts, invocation_option(invocation, "all"));
	if (json_array_size(interfaces))
		print_interfaces(out, interfaces);
}
