/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show what would become of recorded packets? */
#include "args.h"
#include "columns.h"
#include "units.h"
#include "view.h"

static void print_counts(FILE *out, const json_t *object)
{
	char packets[UNITS_TEXT], flows[UNITS_TEXT], bytes[UNITS_TEXT];

	fprintf(out, "\t%s\t%s\t%s",
		units_count(view_integer(object, "packets"), "packet", packets),
		units_count(view_integer(object, "flows"), "flow", flows),
		units_bytes(view_integer(object, "bytes"), bytes));
}

static void print_vips(FILE *out, const json_t *vips)
{
	const json_t *vip, *backend;
	struct columns columns;
	size_t i, j;

	columns_open(&columns);
	json_array_foreach (vips, i, vip) {
		fprintf(columns.rows, "%s", view_text(vip, "name"));
		print_counts(columns.rows, vip);
		fputc('\n', columns.rows);
		json_array_foreach (json_object_get(vip, "backends"), j, backend) {
			fprintf(columns.rows, "  %s", view_text(backend, "address"));
			print_counts(columns.rows, backend);
			fputc('\n', columns.rows);
		}
	}
	columns_close(&columns, out, 2, "lrrr");
}

static void print_verdicts(FILE *out, const json_t *verdicts)
{
	const json_t *verdict;
	struct columns columns;
	size_t i;

	columns_open(&columns);
	json_array_foreach (verdicts, i, verdict) {
		fprintf(columns.rows, "%s", view_text(verdict, "name"));
		print_counts(columns.rows, verdict);
		fprintf(columns.rows, "\t%s\n", view_text(verdict, "meaning"));
	}
	columns_close(&columns, out, 2, "lrrrl");
}

/* "web 10.0.0.2", or what there is of it. */
static void print_end(FILE *out, const json_t *end)
{
	if (!json_is_string(json_object_get(end, "vip")))
		fprintf(out, "no VIP");
	else if (!json_is_string(json_object_get(end, "backend")))
		fprintf(out, "%s, no backend", view_text(end, "vip"));
	else
		fprintf(out, "%s, %s", view_text(end, "vip"), view_text(end, "backend"));
}

static void print_moves(FILE *out, const json_t *moves)
{
	const json_t *move;
	struct columns columns;
	size_t i;

	if (!json_array_size(moves)) {
		fprintf(out, "the document leads all of them to the same backends\n");
		return;
	}
	fprintf(out, "the document leads to others, by weights and present health\n");
	columns_open(&columns);
	json_array_foreach (moves, i, move) {
		print_end(columns.rows, json_object_get(move, "from"));
		fputc('\t', columns.rows);
		fprintf(columns.rows, "to ");
		print_end(columns.rows, json_object_get(move, "to"));
		print_counts(columns.rows, move);
		fputc('\n', columns.rows);
	}
	columns_close(&columns, out, 2, "llrrr");
}

void view_replay(FILE *out, const struct invocation *invocation, const json_t *result)
{
	char packets[UNITS_TEXT], flows[UNITS_TEXT], bytes[UNITS_TEXT];

	(void)invocation;
	fprintf(out, "%s, %s%s, %s\n",
		units_count(view_integer(result, "packets"), "packet", packets),
		json_is_true(json_object_get(result, "more_flows")) ? "more than " : "",
		units_count(view_integer(result, "flows"), "flow", flows),
		units_bytes(view_integer(result, "bytes"), bytes));
	if (view_integer(result, "cut_off"))
		fprintf(out, "%s cut off in the file: what is missing counts as 0\n",
			units_count(view_integer(result, "cut_off"), "packet", packets));
	if (view_integer(result, "too_short"))
		fprintf(out, "%s too short for an Ethernet header, and left out\n",
			units_count(view_integer(result, "too_short"), "packet", packets));
	if (view_integer(result, "left_out"))
		fprintf(out, "%s of no Ethernet, or longer than any, and left out\n",
			units_count(view_integer(result, "left_out"), "packet", packets));
	if (view_integer(result, "sent"))
		fprintf(out, "%s sent, and not received: left out\n",
			units_count(view_integer(result, "sent"), "packet", packets));
	if (json_object_get(result, "damaged"))
		fprintf(out, "%s, after packet %lld\n", view_text(result, "damaged"),
			view_integer(result, "packets"));
	fprintf(out, "VIPs and backends\n");
	print_vips(out, json_object_get(result, "vips"));
	fprintf(out, "verdicts\n");
	print_verdicts(out, json_object_get(result, "verdicts"));
	if (json_object_get(result, "moves"))
		print_moves(out, json_object_get(result, "moves"));
}
