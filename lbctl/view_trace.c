/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show a traced packet? One line: when, where, what became of it, and what it is. */
#include <string.h>
#include "units.h"
#include "view.h"

#define DATE_BYTES 11 /* "2026-01-31T" */
#define TIME_BYTES 15 /* "12:00:00.123456" */

/* The time of day, to the microsecond. */
static void print_time(FILE *out, const json_t *packet)
{
	const char *time = view_text(packet, "time");

	if (strlen(time) > DATE_BYTES)
		fprintf(out, "%.*s", TIME_BYTES, time + DATE_BYTES);
	else
		fprintf(out, "%s", time);
}

static void print_way(FILE *out, const json_t *packet)
{
	const json_t *sent = json_object_get(packet, "out");

	if (json_object_get(packet, "vip"))
		fprintf(out, "; VIP %s", view_text(packet, "vip"));
	if (json_object_get(packet, "backend"))
		fprintf(out, ", backend %s", view_text(packet, "backend"));
	if (json_object_get(packet, "hops"))
		fprintf(out, " and a list of %lld more", view_integer(packet, "hops"));
	if (sent)
		fprintf(out, ", out of %s", view_text(sent, "interface"));
}

void view_traced(FILE *out, const json_t *packet)
{
	char bytes[UNITS_TEXT];

	print_time(out, packet);
	fprintf(out, " %s %s ", view_text(packet, "interface"), view_text(packet, "verdict"));
	if (json_object_get(packet, "packet"))
		view_packet(out, json_object_get(packet, "packet"));
	else
		fprintf(out, "no IP packet, a frame of %s",
			units_count(view_integer(json_object_get(packet, "frame"), "length"),
				    "byte", bytes));
	print_way(out, packet);
	fputc('\n', out);
}

static void print_count(FILE *out, const json_t *end, const char *field, const char *what)
{
	char text[UNITS_TEXT];

	if (view_integer(end, field))
		fprintf(out, ", %s %s", units_number(view_integer(end, field), text), what);
}

void view_trace_end(FILE *out, const json_t *end)
{
	char text[UNITS_TEXT];

	fprintf(out, "%s", units_count(view_integer(end, "packets"), "packet", text));
	print_count(out, end, "lost", "not kept: the ring buffer was full");
	print_count(out, end, "unread", "not sent: they were not read in time");
	if (view_integer(end, "limited_ms"))
		fprintf(out, ", the limit of packets a second was reached for %s",
			units_milliseconds(view_integer(end, "limited_ms"), text));
	fputc('\n', out);
}
