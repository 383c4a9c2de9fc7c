/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show the state of lbd and of the machine? Warnings come last, where they are seen. */
#include <string.h>
#include "columns.h"
#include "units.h"
#include "view.h"

static bool is_resolved(const json_t *next_hop)
{
	return strcmp(view_text(next_hop, "state"), "resolved") == 0;
}

void view_version(FILE *out, const struct invocation *invocation, const json_t *result)
{
	(void)invocation;
	fprintf(out, "lbd %s, abi %lld, kernel %s\n", view_text(result, "version"),
		view_integer(result, "abi"), view_text(result, "kernel"));
}

static bool is_detached(const json_t *interface)
{
	return strcmp(view_text(interface, "xdp_mode"), "detached") == 0;
}

static void print_interfaces(FILE *out, const json_t *interfaces)
{
	const json_t *interface;
	struct columns columns;
	size_t i;

	fprintf(out, "interfaces\n");
	columns_open(&columns);
	json_array_foreach (interfaces, i, interface) {
		const char *reason = json_string_value(json_object_get(interface, "reason"));

		fprintf(columns.rows, "%s\t%s%s%s%s\n", view_text(interface, "name"),
			view_text(interface, "xdp_mode"), is_detached(interface) ? "" : " XDP",
			reason && *reason ? ": " : "", reason ? reason : "");
	}
	columns_close(&columns, out, 2, "");
}

static void print_limits(FILE *out, const json_t *limits)
{
	const char *name;
	json_t *limit;
	struct columns columns;
	char number[UNITS_TEXT];

	fprintf(out, "limits\n");
	columns_open(&columns);
	/* jansson takes no const object for going through its fields. */
	json_object_foreach ((json_t *)limits, name, limit) {
		fprintf(columns.rows, "%s\t", name);
		if (json_object_get(limit, "used"))
			fprintf(columns.rows, "%s\tof ",
				units_number(view_integer(limit, "used"), number));
		else
			fprintf(columns.rows, "\t");
		fprintf(columns.rows, "%s\n", units_number(view_integer(limit, "max"), number));
	}
	columns_close(&columns, out, 2, "lr");
}

/* A count that says that there is, or was, less room than flows to record. */
static bool is_concern(const json_t *count)
{
	static const char *const names[] = {"refused", "over_budget", "evicted"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(view_text(count, "name"), names[i]) == 0)
			return view_integer(count, "count") != 0;
	return false;
}

static void print_flow_table(FILE *out, const json_t *table, bool all)
{
	char recorded[UNITS_TEXT], room[UNITS_TEXT];
	struct columns columns;
	const json_t *count;
	size_t i;

	if (!table)
		return;
	fprintf(out, "flow table  %s of %s on record, %lld bytes each\n",
		units_number(view_integer(table, "recorded"), recorded),
		units_count(view_integer(table, "room"), "flow", room),
		view_integer(table, "bytes_per_flow"));
	columns_open(&columns);
	json_array_foreach (json_object_get(table, "counts"), i, count)
		if (all || is_concern(count))
			fprintf(columns.rows, "%s\t%s\t%s\n", view_text(count, "name"),
				units_number(view_integer(count, "count"), recorded),
				view_text(count, "meaning"));
	columns_close(&columns, out, 2, "lr");
}

/* What the connection ids of QUIC packets were. */
static void print_quic(FILE *out, const json_t *quic)
{
	char text[UNITS_TEXT];
	struct columns columns;
	const json_t *count;
	size_t i;

	if (!quic)
		return;
	fprintf(out, "QUIC        server ids in connection ids, at %s\n",
		units_count(view_integer(quic, "vips"), "VIP", text));
	columns_open(&columns);
	json_array_foreach (json_object_get(quic, "counts"), i, count)
		fprintf(columns.rows, "%s\t%s\t%s\n", view_text(count, "name"),
			units_number(view_integer(count, "count"), text),
			view_text(count, "meaning"));
	columns_close(&columns, out, 2, "lr");
}

/* The interface of the route; of a VLAN device, also where frames leave and with which tag. */
static void print_way_out(FILE *out, const json_t *hop)
{
	fprintf(out, "%s", view_text(hop, "interface"));
	if (json_object_get(hop, "vlan"))
		fprintf(out, " (VLAN %lld on %s)", view_integer(hop, "vlan"),
			view_text(hop, "egress"));
}

static void print_next_hops(FILE *out, const json_t *next_hops)
{
	const json_t *hop;
	struct columns columns;
	char backends[UNITS_TEXT];
	size_t i;

	if (json_array_size(next_hops) == 0)
		return;
	fprintf(out, "next hops\n");
	columns_open(&columns);
	json_array_foreach (next_hops, i, hop) {
		print_way_out(columns.rows, hop);
		fprintf(columns.rows, "\tvia %s\t%s -> %s\tmtu %lld\t%s\t%s%s%s\n",
			view_text(hop, "gateway"), view_text(hop, "source_mac"),
			view_text(hop, "destination_mac"), view_integer(hop, "mtu"),
			units_count(view_integer(hop, "backends"), "backend", backends),
			view_text(hop, "state"), is_resolved(hop) ? "" : ": ",
			is_resolved(hop) ? "" : view_text(hop, "reason"));
	}
	columns_close(&columns, out, 2, "llllr");
}

static void print_unroutable(FILE *out, const json_t *unroutable)
{
	const json_t *backend;
	struct columns columns;
	size_t i;

	if (json_array_size(unroutable) == 0)
		return;
	fprintf(out, "backends without a route\n");
	columns_open(&columns);
	json_array_foreach (unroutable, i, backend)
		fprintf(columns.rows, "%s\t%s\n", view_text(backend, "address"),
			view_text(backend, "reason"));
	columns_close(&columns, out, 2, "");
}

/* Nothing where nothing is checked. */
static void print_health(FILE *out, const json_t *health)
{
	static const char *const states[] = {"healthy", "unhealthy", "unknown"};
	const char *before = "health      ";
	char number[UNITS_TEXT];

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		long long count = view_integer(health, states[i]);

		if (!count)
			continue;
		fprintf(out, "%s%s %s", before, units_number(count, number), states[i]);
		before = ", ";
	}
	if (*before == ',')
		fprintf(out, " (lbctl backend list)\n");
}

static void print_unconfirmed(FILE *out, const json_t *unconfirmed)
{
	char period[UNITS_TEXT];

	if (unconfirmed)
		fprintf(out,
			"unconfirmed change, reverts in %s: keep it with lbctl config confirm, "
			"take it back with lbctl config revert\n",
			units_period(view_integer(unconfirmed, "reverts_in_s"), period));
}

/* Of lbd's event loop, in which everybody is served; an older lbd does not tell. */
static void print_longest_turn(FILE *out, const json_t *turn)
{
	char ago[UNITS_TEXT];

	if (turn)
		fprintf(out, "longest turn %.1f ms of processor time: %s, %s ago\n",
			(double)view_integer(turn, "cpu_us") / 1000, view_text(turn, "what"),
			units_duration(view_integer(turn, "ago_s"), ago));
}

/* Of metrics that are pushed to a collector. */
static void print_otlp(FILE *out, const json_t *otlp)
{
	char text[UNITS_TEXT];

	if (!otlp)
		return;
	fprintf(out, "otlp        %s: %s", view_text(otlp, "url"), view_text(otlp, "state"));
	if (json_object_get(otlp, "error"))
		fprintf(out, " (%s)", view_text(otlp, "error"));
	if (json_object_get(otlp, "taken_ago_s"))
		fprintf(out, ", last taken %s ago",
			units_duration(view_integer(otlp, "taken_ago_s"), text));
	if (json_object_get(otlp, "again_in_s"))
		fprintf(out, ", %s waiting, tried again in %s",
			units_count(view_integer(otlp, "waiting"), "message", text),
			units_duration(view_integer(otlp, "again_in_s"), (char[UNITS_TEXT]){0}));
	fputc('\n', out);
}

static void print_warnings(FILE *out, const json_t *warnings)
{
	const json_t *warning;
	size_t i;

	json_array_foreach (warnings, i, warning)
		fprintf(out, "warning: %s\n",
			json_is_string(warning) ? json_string_value(warning) : "?");
}

/* The document in force, and of which revision of the tier it is. */
static void print_document(FILE *out, const json_t *result)
{
	const json_t *tier = json_object_get(result, "tier");

	if (!json_object_get(result, "document_digest"))
		return;
	fprintf(out, "document    digest %s", view_text(result, "document_digest"));
	if (tier)
		fprintf(out, ", revision %lld of the tier%s", view_integer(tier, "revision"),
			json_is_true(json_object_get(tier, "edited"))
				? ", changed on this node since"
				: "");
	fputc('\n', out);
}

void view_status(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *seed = json_object_get(result, "hash_seed");
	char uptime[UNITS_TEXT], memory[UNITS_TEXT];

	fprintf(out, "lbd %s, abi %lld, kernel %s, pid %lld, up %s\n", view_text(result, "version"),
		view_integer(result, "abi"), view_text(result, "kernel"),
		view_integer(result, "pid"),
		units_duration(view_integer(result, "uptime_s"), uptime));
	print_interfaces(out, json_object_get(result, "interfaces"));
	print_limits(out, json_object_get(result, "limits"));
	print_flow_table(out, json_object_get(result, "flow_table"),
			 invocation_option(invocation, "all"));
	print_quic(out, json_object_get(result, "quic"));
	fprintf(out, "map memory  %s\n", units_bytes(view_integer(result, "memory_bytes"), memory));
	print_document(out, result);
	fprintf(out, "hash seed   %s, digest %s\n",
		json_is_true(json_object_get(seed, "configured")) ? "configured"
								  : "of this node only",
		view_text(seed, "digest"));
	print_longest_turn(out, json_object_get(result, "longest_turn"));
	print_otlp(out, json_object_get(result, "otlp"));
	if (json_object_get(result, "node")) {
		fprintf(out, "node        ");
		view_node_line(out, json_object_get(result, "node"));
	}
	print_health(out, json_object_get(result, "health"));
	print_next_hops(out, json_object_get(result, "next_hops"));
	print_unroutable(out, json_object_get(result, "unroutable"));
	print_unconfirmed(out, json_object_get(result, "unconfirmed"));
	print_warnings(out, json_object_get(result, "warnings"));
}

enum exit_code view_status_judge(const json_t *result)
{
	const json_t *hop, *interface;
	size_t i;

	if (json_array_size(json_object_get(result, "unroutable")) > 0 ||
	    view_integer(json_object_get(result, "health"), "unhealthy") > 0)
		return EXIT_DIFFERS;
	json_array_foreach (json_object_get(result, "interfaces"), i, interface)
		if (is_detached(interface))
			return EXIT_DIFFERS;
	json_array_foreach (json_object_get(result, "next_hops"), i, hop)
		if (!is_resolved(hop) && view_integer(hop, "backends") > 0)
			return EXIT_DIFFERS;
	return EXIT_DONE;
}
