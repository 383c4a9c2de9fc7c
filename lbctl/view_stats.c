/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show counters? */
#include "args.h"
#include "columns.h"
#include "units.h"
#include "view.h"

static void print_counters(FILE *out, const json_t *object)
{
	char packets[UNITS_TEXT], bytes[UNITS_TEXT];

	fprintf(out, "\t%s\t%s\n", units_count(view_integer(object, "packets"), "packet", packets),
		units_bytes(view_integer(object, "bytes"), bytes));
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

static void print_verdicts(FILE *out, const json_t *verdicts, bool all)
{
	char packets[UNITS_TEXT];
	struct columns columns;
	const json_t *verdict;
	size_t i;

	fprintf(out, "verdicts\n");
	columns_open(&columns);
	json_array_foreach (verdicts, i, verdict)
		if (all || view_integer(verdict, "packets") != 0)
			fprintf(columns.rows, "%s\t%s\t%s\t%s\n", view_text(verdict, "name"),
				view_text(verdict, "action"),
				units_count(view_integer(verdict, "packets"), "packet", packets),
				view_text(verdict, "meaning"));
	columns_close(&columns, out, 2, "llr");
}

void view_stats(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *vips = json_object_get(result, "vips");
	const json_t *verdicts = json_object_get(result, "verdicts");
	struct columns columns;
	const json_t *vip;
	size_t i;

	if (json_array_size(vips) == 0)
		fprintf(out, "no VIPs\n");
	columns_open(&columns);
	json_array_foreach (vips, i, vip)
		print_vip(columns.rows, vip);
	columns_close(&columns, out, 0, "lrr");
	if (verdicts)
		print_verdicts(out, verdicts, invocation_option(invocation, "all"));
}
