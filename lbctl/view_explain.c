/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show what would become of a packet? A line for each stage that it came to. */
#include <string.h>
#include "args.h"
#include "columns.h"
#include "explain.h"
#include "units.h"
#include "view.h"

static bool is(const json_t *object, const char *field, const char *value)
{
	return strcmp(view_text(object, field), value) == 0;
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80". */
static void print_end(FILE *out, const json_t *packet, const char *address, const char *port)
{
	const char *text = view_text(packet, address);
	const bool brackets = strchr(text, ':') != NULL;

	if (!json_object_get(packet, port))
		fprintf(out, "%s", text);
	else
		fprintf(out, brackets ? "[%s]:%lld" : "%s:%lld", text, view_integer(packet, port));
}

void view_packet(FILE *out, const json_t *packet)
{
	char bytes[UNITS_TEXT];

	print_end(out, packet, "source", "source_port");
	fprintf(out, " to ");
	print_end(out, packet, "destination", "destination_port");
	fprintf(out, ", %s", view_text(packet, "protocol"));
	if (json_object_get(packet, "icmp_type"))
		fprintf(out, " type %lld code %lld", view_integer(packet, "icmp_type"),
			view_integer(packet, "icmp_code"));
	fprintf(out, "%s",
		!json_is_true(json_object_get(packet, "opens")) ? ""
		: is(packet, "protocol", "sctp")                ? " INIT"
								: " SYN");
	if (json_object_get(packet, "fragment"))
		fprintf(out, ", %s fragment", view_text(packet, "fragment"));
	if (json_is_true(json_object_get(packet, "quoted_by_icmp")))
		fprintf(out, ", quoted by an ICMP error");
	fprintf(out, ", %s", units_count(view_integer(packet, "length"), "byte", bytes));
}

static const char *member(const json_t *object, const char *field)
{
	const char *address = json_string_value(json_object_get(object, field));

	return address ? address : "none";
}

static void print_slot(FILE *out, const json_t *slot)
{
	fprintf(out, "%lld of %lld, ", view_integer(slot, "number"), view_integer(slot, "of"));
	if (is(slot, "state", "moving"))
		fprintf(out, "MOVING from %s to %s", member(slot, "previous"),
			member(slot, "owner"));
	else if (is(slot, "state", "tracked"))
		fprintf(out, "TRACKED, owner %s", member(slot, "owner"));
	else if (is(slot, "state", "settled"))
		fprintf(out, "SETTLED, owner %s", member(slot, "owner"));
	else
		fprintf(out, "without an owner");
	fprintf(out, " (hash %s)", view_text(slot, "hash"));
}

static void print_quic(FILE *out, const json_t *quic)
{
	if (json_object_get(quic, "server_id"))
		fprintf(out, "server id %s, config rotation %lld: ", view_text(quic, "server_id"),
			view_integer(quic, "cr"));
	else if (json_object_get(quic, "cr"))
		fprintf(out, "config rotation %lld: ", view_integer(quic, "cr"));
	if (json_is_true(json_object_get(quic, "encrypted")))
		fprintf(out, "%s, ",
			json_object_get(quic, "server_id") ? "decrypted" : "encrypted, too short");
	fprintf(out, "%s (%s)", view_text(quic, "id"), view_text(quic, "meaning"));
}

static bool did(const json_t *record, const char *what)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(record, "did"), i, one)
		if (strcmp(json_string_value(one), what) == 0)
			return true;
	return false;
}

static void print_record(FILE *out, const json_t *record)
{
	const json_t *before = json_object_get(record, "before");
	const json_t *after = json_object_get(record, "after");
	char age[UNITS_TEXT];

	if (json_is_object(before))
		fprintf(out, "of backend %s, %s, last written %s ago", member(before, "backend"),
			view_text(before, "grade"),
			units_duration(view_integer(before, "age_s"), age));
	else
		fprintf(out, "none");
	if (did(record, "refused") || did(record, "over_budget"))
		fprintf(out, "; the flow table has no room for one");
	else if (json_is_object(after) &&
		 (!json_is_object(before) ||
		  strcmp(member(before, "backend"), member(after, "backend")) != 0))
		fprintf(out, "; one would be made for backend %s", member(after, "backend"));
	else if (json_is_object(before) && !did(record, "hits"))
		fprintf(out, "; it is not followed");
}

static void print_backend(FILE *out, const json_t *backend)
{
	fprintf(out, "%s", view_text(backend, "address"));
	if (!json_is_true(json_object_get(backend, "takes_new_flows")))
		fprintf(out, ", takes no new flows%s",
			json_is_true(json_object_get(backend, "reserve")) ? " (in reserve)" : "");
	if (!json_is_true(json_object_get(backend, "keeps_old_flows")))
		fprintf(out, ", keeps no old flows");
}

static void print_second_chance(FILE *out, const json_t *chance)
{
	const json_t *backends = json_object_get(chance, "backends"), *one;
	const long long left_out = view_integer(chance, "left_out");
	size_t i;

	if (!json_array_size(backends)) {
		fprintf(out, "none: the MTU has no room for a list");
		return;
	}
	fprintf(out, "or, where it has no connection: ");
	json_array_foreach (backends, i, one)
		fprintf(out, "%s%s", i ? ", " : "", json_string_value(one));
	if (left_out)
		fprintf(out, "; the MTU has no room for %lld more", left_out);
}

static void print_next_hop(FILE *out, const json_t *hop)
{
	if (!is(hop, "state", "resolved")) {
		fprintf(out, "unresolved: no route, or no neighbour that answers");
		return;
	}
	fprintf(out, "%s by %s", view_text(hop, "destination_mac"), view_text(hop, "interface"));
	if (json_object_get(hop, "vlan"))
		fprintf(out, ", VLAN %lld", view_integer(hop, "vlan"));
}

static void print_mtu(FILE *out, const json_t *mtu)
{
	fprintf(out, "%lld bytes once wrapped (%lld more), of %lld: %s",
		view_integer(mtu, "wrapped_length"), view_integer(mtu, "outer_bytes"),
		view_integer(mtu, "mtu"),
		json_is_true(json_object_get(mtu, "fits")) ? "fits" : "too big");
}

static void print_outer(FILE *out, const json_t *outer)
{
	fprintf(out, "%s from %s to %s", is(outer, "encap", "gue") ? "GUE" : "IP in IP",
		view_text(outer, "source"), view_text(outer, "destination"));
}

static void print_vip(FILE *out, const json_t *vip)
{
	fprintf(out, "%s", view_text(vip, "name"));
	if (strcmp(view_text(vip, "name"), view_text(vip, "address")) != 0)
		fprintf(out, ", %s", view_text(vip, "address"));
}

static void print_blocked_by(FILE *out, const json_t *lists)
{
	const json_t *one;
	size_t i;

	json_array_foreach (lists, i, one)
		fprintf(out, "%s%s", i ? ", " : "", view_text(one, "list"));
	fprintf(out, ": %s", view_text(json_array_get(lists, 0), "prefix"));
}

static void print_exceeds(FILE *out, const json_t *rates)
{
	const json_t *one;
	size_t i;

	json_array_foreach (rates, i, one)
		fprintf(out, "%s%s", i ? "; " : "exceeds ", json_string_value(one));
}

static void print_verdict(FILE *out, const json_t *verdict)
{
	fprintf(out, "%s: %s", view_text(verdict, "name"), view_text(verdict, "meaning"));
}

static void print_way(FILE *out, const json_t *result)
{
	static const struct {
		const char *field, *title;
		void (*print)(FILE *out, const json_t *part);
	} parts[] = {
		{"packet", "packet", view_packet},
		{"vip", "VIP", print_vip},
		{"blocked_by", "list", print_blocked_by},
		{"exceeds", "rate", print_exceeds},
		{"quic", "QUIC id", print_quic},
		{"slot", "slot", print_slot},
		{"record", "record", print_record},
		{"backend", "backend", print_backend},
		{"second_chance", "second chance", print_second_chance},
		{"next_hop", "next hop", print_next_hop},
		{"mtu", "size", print_mtu},
		{"outer", "outer header", print_outer},
		{"verdict", "verdict", print_verdict},
	};
	struct columns columns;

	columns_open(&columns);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		const json_t *part = json_object_get(result, parts[i].field);

		if (!part)
			continue;
		fprintf(columns.rows, "%s\t", parts[i].title);
		parts[i].print(columns.rows, part);
		fputc('\n', columns.rows);
	}
	columns_close(&columns, out, 0, "l");
}

static void print_frame(FILE *out, const json_t *frame, bool first)
{
	const json_t *cut_off = json_object_get(frame, "cut_off");

	fprintf(out, "%sframe %lld", first ? "" : "\n", view_integer(frame, "number"));
	if (cut_off)
		fprintf(out, ", cut off: %lld bytes of %lld, the rest counts as 0",
			view_integer(cut_off, "kept"), view_integer(cut_off, "of"));
	fputc('\n', out);
	if (json_object_get(frame, "error"))
		fprintf(out, "not explained: %s\n", view_text(frame, "error"));
	else
		print_way(out, frame);
}

void view_explain(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *frames = json_object_get(result, "frames"), *frame;
	size_t i;

	(void)invocation;
	if (!frames) {
		print_way(out, result);
		return;
	}
	if (!json_array_size(frames))
		fprintf(out, "no frames\n");
	json_array_foreach (frames, i, frame)
		print_frame(out, frame, i == 0);
	if (json_object_get(result, "damaged"))
		fprintf(out, "\n%s, after frame %zu\n", view_text(result, "damaged"),
			json_array_size(frames));
}
