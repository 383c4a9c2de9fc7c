/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show an event? One line each, the time first; a change has one for each pool and VIP. */
#include "../lbd/api/event.h"
#include "view.h"

#define TEXT_MAX 4096

static void print_head(FILE *out, const json_t *event)
{
	fprintf(out, "%s %s ", view_text(event, "time"), view_text(event, "event"));
}

/* Of a change and of one that was taken back: of its pools, or of its VIPs. */
static void print_change(FILE *out, const json_t *event, const json_t *items)
{
	char cause[TEXT_MAX];
	const json_t *item;
	size_t i;

	lb_event_cause(event, cause, sizeof(cause));
	json_array_foreach (items, i, item) {
		print_head(out, event);
		fprintf(out, "%s: ", cause);
		view_vip_change(out, item, false);
	}
}

void view_event(FILE *out, const json_t *event)
{
	const json_t *change = json_object_get(event, "change");
	const json_t *vips = json_object_get(change, "vips");
	char text[TEXT_MAX];

	if (vips) {
		print_change(out, event, json_object_get(change, "pools"));
		print_change(out, event, vips);
	} else if (lb_event_text(event, text, sizeof(text))) {
		print_head(out, event);
		fprintf(out, "%s\n", text);
	} else { /* of an lbd that knows more than this lbctl */
		json_dumpf(event, out, JSON_COMPACT);
		fputc('\n', out);
	}
}
