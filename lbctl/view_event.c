/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show an event? One line each, the time first; a change has one a VIP. */
#include <string.h>
#include "view.h"

static void print_head(FILE *out, const json_t *event)
{
	fprintf(out, "%s %s ", view_text(event, "time"), view_text(event, "event"));
}

/* Of a change and of one that was taken back: `how` is the method, or the reason. */
static void print_change(FILE *out, const json_t *event, const char *how)
{
	const json_t *vip;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(event, "change"), "vips"), i, vip) {
		print_head(out, event);
		fprintf(out, "%s: ", how);
		view_vip_change(out, vip, false);
	}
}

static void print_why(FILE *out, const json_t *event, const char *field)
{
	const char *why = json_string_value(json_object_get(event, field));

	fprintf(out, "%s%s\n", why ? ": " : "", why ? why : "");
}

static void print_next_hop(FILE *out, const json_t *event)
{
	print_head(out, event);
	fprintf(out, "via %s on %s %s", view_text(event, "gateway"), view_text(event, "interface"),
		view_text(event, "state"));
	print_why(out, event, "reason");
}

/* Health and drain. */
static void print_backend(FILE *out, const json_t *event)
{
	print_head(out, event);
	fprintf(out, "vip %s backend %s %s", view_text(event, "vip"), view_text(event, "backend"),
		view_text(event, "state"));
	print_why(out, event, "error");
}

void view_event(FILE *out, const json_t *event)
{
	const char *what = view_text(event, "event");

	if (strcmp(what, "change") == 0) {
		print_change(out, event, view_text(event, "method"));
	} else if (strcmp(what, "revert") == 0) {
		print_change(out, event, view_text(event, "reason"));
	} else if (strcmp(what, "next_hop") == 0) {
		print_next_hop(out, event);
	} else if (json_object_get(event, "backend")) {
		print_backend(out, event);
	} else { /* of an lbd that knows more than this lbctl */
		json_dumpf(event, out, JSON_COMPACT);
		fputc('\n', out);
	}
}
