/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show what differs between two documents? As diffs do: + what is new, - what goes,
 * ~ what changes. */
#include <string.h>
#include "units.h"
#include "view.h"

static char sign_of(bool before, bool after)
{
	return before && after ? '~' : after ? '+' : '-';
}

/* Numbers and truths as they are, texts without quotes, a backend as its fields. */
static void print_value(FILE *out, const json_t *value)
{
	const char *name, *between = "";
	json_t *field;

	if (json_is_string(value)) {
		fputs(json_string_value(value), out);
		return;
	}
	if (!json_is_object(value)) {
		json_dumpf(value, out, JSON_COMPACT | JSON_ENCODE_ANY);
		return;
	}
	json_object_foreach ((json_t *)value, name, field) {
		/* It stands in the name of the field already; what is false is not worth a word. */
		if (strcmp(name, "address") == 0 || json_is_false(field))
			continue;
		fprintf(out, "%s%s ", between, name);
		print_value(out, field);
		between = ", ";
	}
}

static void print_difference(FILE *out, const json_t *difference)
{
	const json_t *from = json_object_get(difference, "from");
	const json_t *to = json_object_get(difference, "to");

	fprintf(out, "    %c %s: ", sign_of(from, to), view_text(difference, "field"));
	if (from)
		print_value(out, from);
	if (from && to)
		fputs(" -> ", out);
	if (to)
		print_value(out, to);
	fputc('\n', out);
}

static size_t count_backends(const json_t *differences)
{
	const json_t *difference;
	size_t count = 0, i;

	json_array_foreach (differences, i, difference)
		count += strncmp(view_text(difference, "field"), "backends[", 9) == 0;
	return count;
}

static void print_item(FILE *out, const char *noun, const json_t *vip)
{
	const char *what = view_text(vip, "what"), *name = view_text(vip, "name");
	const char *address = json_string_value(json_object_get(vip, "address"));
	const json_t *differences = json_object_get(vip, "differences"), *difference;
	bool changed = strcmp(what, "changed") == 0;
	char backends[UNITS_TEXT];
	size_t i;

	fprintf(out, "%c %s %s", sign_of(strcmp(what, "added") != 0, strcmp(what, "removed") != 0),
		noun, name);
	if (address && strcmp(name, address) != 0)
		fprintf(out, "  %s", address);
	if (!changed)
		fprintf(out, ", %s",
			units_count((long long)count_backends(differences), "backend", backends));
	fputc('\n', out);
	if (!changed)
		return;
	json_array_foreach (differences, i, difference)
		print_difference(out, difference);
}

void view_diff(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *vips = json_object_get(result, "vips");
	const json_t *pools = json_object_get(result, "pools");
	const json_t *item;
	size_t i;

	(void)invocation;
	if (json_array_size(vips) == 0 && json_array_size(pools) == 0)
		fprintf(out, "no difference\n");
	json_array_foreach (pools, i, item)
		print_item(out, "pool", item);
	json_array_foreach (vips, i, item)
		print_item(out, "vip", item);
}

enum exit_code view_diff_judge(const json_t *result)
{
	return json_is_true(json_object_get(result, "differs")) ? EXIT_DIFFERS : EXIT_DONE;
}
