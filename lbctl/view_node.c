/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show what the network learns from this node? */
#include "columns.h"
#include "units.h"
#include "view.h"

static void print_routes(FILE *out, const json_t *routes)
{
	struct columns columns;
	const json_t *route;
	size_t i;

	columns_open(&columns);
	json_array_foreach (routes, i, route) {
		const char *reason = json_string_value(json_object_get(route, "reason"));

		fprintf(columns.rows, "%s\t%s%s%s\n", view_text(route, "route"),
			view_text(route, "state"), reason ? ": " : "", reason ? reason : "");
	}
	columns_close(&columns, out, 2, "");
}

void view_node_line(FILE *out, const json_t *node)
{
	const char *obstacle = json_string_value(json_object_get(node, "obstacle"));
	char text[UNITS_TEXT];

	fprintf(out, "%s announced", units_count(view_integer(node, "announced"), "route", text));
	if (view_integer(node, "withdrawn"))
		fprintf(out, ", %lld withdrawn", view_integer(node, "withdrawn"));
	fprintf(out, " in table %lld, protocol %lld", view_integer(node, "table"),
		view_integer(node, "protocol"));
	if (obstacle)
		fprintf(out, "; %s", obstacle);
	if (json_object_get(node, "drained_since"))
		fprintf(out, " since %s", view_text(node, "drained_since"));
	fputc('\n', out);
}

void view_node(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *others = json_object_get(result, "others");

	(void)invocation;
	if (!json_object_get(result, "table")) {
		fprintf(out, "nothing is announced: lbd.json has no announce\n");
		return;
	}
	view_node_line(out, result);
	print_routes(out, json_object_get(result, "routes"));
	if (json_object_get(result, "fault"))
		fprintf(out, "warning: %s\n", view_text(result, "fault"));
	if (others)
		fprintf(out,
			"warning: table %lld has routes that are not lbd's: %lld, the first to %s, "
			"protocol %lld\n",
			view_integer(result, "table"), view_integer(others, "count"),
			view_text(others, "route"), view_integer(others, "protocol"));
	if (json_is_true(json_object_get(result, "ruled")))
		fprintf(out,
			"warning: a rule leads packets to table %lld, whose routes drop them\n",
			view_integer(result, "table"));
}
