/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show what the guard does? */
#include "args.h"
#include "columns.h"
#include "list.h"
#include "units.h"
#include "view.h"

static void print_vip(FILE *out, const json_t *vip)
{
	const json_t *name;
	size_t i;

	fprintf(out, "%s, %s\n", view_text(vip, "name"), view_text(vip, "address"));
	view_vip_guard(out, vip, true);
	json_array_foreach (json_object_get(vip, "lists"), i, name)
		fprintf(out, "%s%s", i ? ", " : "  lists       ", json_string_value(name));
	if (json_object_get(vip, "lists"))
		fputc('\n', out);
	else if (json_object_size(vip) == 2)
		fprintf(out, "  no SYN guard, rates or lists\n");
}

static void print_lists(FILE *out, const json_t *result)
{
	const json_t *lists = json_object_get(result, "lists"), *list;
	size_t i;

	if (json_array_size(lists))
		fprintf(out, "lists\n");
	json_array_foreach (lists, i, list) {
		fprintf(out, "  ");
		list_view_line(out, list);
	}
	list_view_fault(out, "  ", result);
}

static void print_secret(FILE *out, const json_t *secret)
{
	char keys[UNITS_TEXT];

	if (!secret)
		return;
	if (view_integer(secret, "keys"))
		fprintf(out, "guard_secret: %s in use",
			units_count(view_integer(secret, "keys"), "key", keys));
	else
		fprintf(out, "guard_secret: not in use");
	if (json_object_get(secret, "fault"))
		fprintf(out, "; %s", view_text(secret, "fault"));
	fputc('\n', out);
}

static void print_verdicts(FILE *out, const json_t *verdicts)
{
	struct columns columns;
	char packets[UNITS_TEXT];
	const json_t *verdict;
	size_t i;

	if (!verdicts)
		return;
	fprintf(out, "verdicts, over all VIPs\n");
	columns_open(&columns);
	json_array_foreach (verdicts, i, verdict)
		fprintf(columns.rows, "%s\t%s\t%s\n", view_text(verdict, "name"),
			units_count(view_integer(verdict, "packets"), "packet", packets),
			view_text(verdict, "meaning"));
	columns_close(&columns, out, 2, "lr");
}

void view_guard(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *vips = json_object_get(result, "vips"), *vip;
	size_t i;

	(void)invocation;
	json_array_foreach (vips, i, vip)
		print_vip(out, vip);
	if (!json_array_size(vips))
		fprintf(out, "no VIP has a SYN guard, rates or lists of its own\n");
	print_lists(out, result);
	print_secret(out, json_object_get(result, "secret"));
	print_verdicts(out, json_object_get(result, "verdicts"));
}
