/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show a tier, and what is published for it? */
#include <string.h>
#include "columns.h"
#include "units.h"
#include "view.h"

static bool differs(const json_t *node, const char *field)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(node, "differs"), i, name)
		if (strcmp(json_string_value(name), field) == 0)
			return true;
	return false;
}

/* What differs from most nodes has a mark. */
static void print_cell(FILE *out, const json_t *node, const char *field, const char *text)
{
	fprintf(out, "\t%s%s", text, differs(node, field) ? "!" : "");
}

/* The first digits of a digest tell them apart. */
static void print_digest(FILE *out, const json_t *node, const char *field)
{
	char digits[9];

	snprintf(digits, sizeof(digits), "%s", view_text(node, field));
	print_cell(out, node, field, digits);
}

static void print_node(FILE *out, const json_t *node)
{
	char text[UNITS_TEXT];

	fprintf(out, "%s%s", view_text(node, "node"),
		json_is_true(json_object_get(node, "canary")) ? " (canary)" : "");
	if (!json_object_get(node, "document")) {
		fprintf(out, "\t-\t-\t-\t-\t-\t-\t-\n");
		return;
	}
	snprintf(text, sizeof(text), "%lld%s", view_integer(node, "revision"),
		 json_is_true(json_object_get(node, "edited")) ? "+" : "");
	print_cell(out, node, "revision", text);
	print_digest(out, node, "document");
	print_digest(out, node, "tables");
	print_digest(out, node, "seed");
	print_cell(out, node, "version", view_text(node, "version"));
	fprintf(out, "\t%lld of %lld", view_integer(node, "healthy"),
		view_integer(node, "healthy") + view_integer(node, "unhealthy") +
			view_integer(node, "unknown"));
	fprintf(out, "\t%s\n", units_number(view_integer(node, "packets_per_s"), text));
}

static void print_table(FILE *out, const json_t *nodes)
{
	struct columns columns;
	const json_t *node;
	size_t i;

	columns_open(&columns);
	fprintf(columns.rows, "node\trevision\tdocument\ttables\tseed\tlbd\thealthy\tpackets/s\n");
	json_array_foreach (nodes, i, node)
		print_node(columns.rows, node);
	columns_close(&columns, out, 2, "lrllllrr");
}

/* Whose health is not that of the tier. */
static void print_agreement(FILE *out, const json_t *node)
{
	const json_t *agreement = json_object_get(node, "agreement");
	long long dissents = view_integer(agreement, "dissents");

	if (strcmp(view_text(agreement, "state"), "lapsed") == 0)
		fprintf(out, "%s: health by its own checks alone since %lld s\n",
			view_text(node, "node"), view_integer(agreement, "ago_s"));
	if (dissents)
		fprintf(out, "%s: sees %lld backend%s otherwise than most nodes\n",
			view_text(node, "node"), dissents, dissents == 1 ? "" : "s");
}

/* What all wait for has been said of the release. */
static void print_remarks(FILE *out, const json_t *node, bool staged)
{
	static const char *const remarks[] = {"lbd", "alarm", "waits"};
	const size_t count = sizeof(remarks) / sizeof(*remarks) - staged;
	const json_t *refused = json_object_get(node, "refused");
	const char *name = view_text(node, "node");

	if (refused)
		fprintf(out, "%s has refused revision %lld: %s\n", name,
			view_integer(refused, "revision"), view_text(refused, "error"));
	for (size_t i = 0; i < count; i++)
		if (json_object_get(node, remarks[i]))
			fprintf(out, "%s: %s\n", name, view_text(node, remarks[i]));
	print_agreement(out, node);
	if (json_is_true(json_object_get(node, "edited")))
		fprintf(out, "%s: changed on this node alone since revision %lld (+)\n", name,
			view_integer(node, "revision"));
}

static void print_release(FILE *out, const json_t *result)
{
	const json_t *release = json_object_get(result, "release");
	const json_t *fault = json_object_get(result, "fault");

	fprintf(out, "tier %s: ", view_text(result, "tier"));
	if (fault) {
		fprintf(out, "%s\n  hint: %s\n", view_text(fault, "message"),
			view_text(fault, "hint"));
		return;
	}
	if (!release) {
		fprintf(out, "nothing was published yet\n");
		return;
	}
	fprintf(out, "revision %lld, by %s at %s\n", view_integer(release, "revision"),
		view_text(release, "by"), view_text(release, "at"));
	if (json_object_get(result, "waits"))
		fprintf(out, "staged: %s; until then the others take revision %lld\n",
			view_text(result, "waits"), view_integer(release, "stable"));
}

void view_tier(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *nodes = json_object_get(result, "nodes"), *node;
	size_t i;

	(void)invocation;
	print_release(out, result);
	if (json_array_size(nodes))
		print_table(out, nodes);
	else
		fprintf(out, "no node follows it\n");
	json_array_foreach (nodes, i, node)
		print_remarks(out, node, json_object_get(result, "waits"));
}

/* Whether all is as it should be: all nodes alike, at the revision that was published. */
enum exit_code view_tier_judge(const json_t *result)
{
	long long revision = view_integer(json_object_get(result, "release"), "revision");
	const json_t *nodes = json_object_get(result, "nodes"), *node;
	size_t i;

	if (json_object_get(result, "fault"))
		return EXIT_DIFFERS;
	json_array_foreach (nodes, i, node)
		if (json_array_size(json_object_get(node, "differs")) ||
		    json_object_get(node, "refused") || json_object_get(node, "alarm") ||
		    json_object_get(node, "lbd") ||
		    view_integer(json_object_get(node, "agreement"), "dissents") ||
		    json_is_true(json_object_get(node, "edited")) ||
		    view_integer(node, "revision") != revision)
			return EXIT_DIFFERS;
	return EXIT_DONE;
}

static void print_names(FILE *out, const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		fprintf(out, "%s%s", i ? ", " : "", json_string_value(name));
}

void view_tier_published(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *difference = json_object_get(result, "difference");
	bool published = json_is_true(json_object_get(result, "published"));
	char hold[UNITS_TEXT];

	if (json_object_get(result, "replaces"))
		fprintf(out, "%s: it %s replaced\n", view_text(result, "replaces"),
			published ? "was" : "would be");
	if (difference)
		view_diff(out, invocation, difference);
	else
		fprintf(out, "no lbd answers here: what it changes was not looked at\n");
	if (!published && json_object_get(result, "change"))
		view_plan(out, invocation, json_object_get(result, "change"));
	fprintf(out, "%s as revision %lld", published ? "published" : "would be published",
		view_integer(result, "revision"));
	if (json_is_true(json_object_get(result, "staged"))) {
		fprintf(out, ": first ");
		print_names(out, json_object_get(result, "canaries"));
		fprintf(out, ", the others after %s without an alarm",
			units_period(view_integer(result, "hold_s"), hold));
	}
	fputc('\n', out);
}
