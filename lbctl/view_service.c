/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show VIPs, backends, and what a change did to them? */
#include <string.h>
#include "../lbd/api/model.h"
#include "columns.h"
#include "units.h"
#include "view.h"

static void print_next_hop(FILE *out, const json_t *next_hop)
{
	if (strcmp(view_text(next_hop, "state"), "resolved") == 0)
		fprintf(out, "via %s on %s", view_text(next_hop, "gateway"),
			view_text(next_hop, "interface"));
	else
		fprintf(out, "%s: %s", view_text(next_hop, "state"), view_text(next_hop, "reason"));
}

/* One of several equal ways, with its share of the flows in paths. */
static void print_way(FILE *out, const json_t *way)
{
	bool resolved = strcmp(view_text(way, "state"), "resolved") == 0;

	fprintf(out, "%lld via %s on %s%s%s", view_integer(way, "paths"), view_text(way, "gateway"),
		view_text(way, "interface"),
		resolved ? "" : " unresolved: ", resolved ? "" : view_text(way, "reason"));
}

static void print_ways(FILE *out, const json_t *next_hop)
{
	const json_t *ways = json_object_get(next_hop, "ways"), *way;
	long long left_out = view_integer(next_hop, "ways_left_out");
	size_t i;

	fprintf(out, "of 8 paths ");
	json_array_foreach (ways, i, way) {
		fprintf(out, "%s", i ? ", " : "");
		print_way(out, way);
	}
	if (left_out)
		fprintf(out, "; %lld more ways are not used", left_out);
}

/* Of a backend that drains. */
static bool has_quic_connections(const json_t *backend)
{
	return strcmp(view_text(backend, "state"), "draining") == 0 &&
	       json_is_true(json_object_get(json_object_get(backend, "quic"), "connections"));
}

void view_remaining(FILE *out, const json_t *backend)
{
	long long flows = view_integer(backend, "recorded_flows");
	long long slots = view_integer(backend, "leaving_slots");
	char text[UNITS_TEXT];

	if (flows)
		fprintf(out, "%s on record", units_count(flows, "flow", text));
	if (slots)
		fprintf(out, "%s%s still in transition", flows ? ", " : "",
			units_count(slots, "slot", text));
	if (has_quic_connections(backend))
		fprintf(out, "%sQUIC connections", flows || slots ? ", " : "");
}

static bool remains(const json_t *backend)
{
	return has_quic_connections(backend) || view_integer(backend, "recorded_flows") ||
	       view_integer(backend, "leaving_slots");
}

/* Only what is out of the ordinary. */
static void print_state(FILE *out, const json_t *backend)
{
	const char *state = json_string_value(json_object_get(backend, "state"));
	const char *until = json_string_value(
		json_object_get(backend, strcmp(state ? state : "", "reserve") ? "waiting_until"
									       : "reserve_until"));
	bool ordinary = !state || strcmp(state, "active") == 0;

	if (ordinary && !remains(backend))
		return;
	fprintf(out, "; %s%s%s", ordinary ? "" : state, until ? " until " : "", until ? until : "");
	fprintf(out, "%s", !ordinary && remains(backend) ? ": " : "");
	view_remaining(out, backend);
}

/* Its server id in QUIC connection ids, and how many packets have followed it. */
static void print_quic(FILE *out, const json_t *quic)
{
	char packets[UNITS_TEXT];

	if (quic)
		fprintf(out, "; QUIC id %s, %s", view_text(quic, "server_id"),
			units_count(view_integer(quic, "packets"), "packet", packets));
}

/* What it has lost, of those with second_chance. */
static void print_losses(FILE *out, const json_t *losses)
{
	char packets[UNITS_TEXT];

	if (json_object_get(losses, "since")) {
		fprintf(out, "; lost %s since ",
			units_count(view_integer(losses, "lost"), "packet", packets));
		view_time(out, view_text(losses, "since"));
	}
	if (json_is_true(json_object_get(losses, "silent")))
		fprintf(out, "; does not say what it loses");
}

static void print_weight(FILE *out, const json_t *backend)
{
	fprintf(out, "%s\tweight %lld", view_text(backend, "address"),
		view_integer(backend, "weight"));
	if (view_integer(backend, "priority"))
		fprintf(out, ", priority %lld", view_integer(backend, "priority"));
}

/* Of a pool that no VIP uses: no more than what is set. */
static void print_unused(FILE *out, const json_t *backend)
{
	print_weight(out, backend);
	if (json_object_get(backend, "quic_server_id"))
		fprintf(out, "; QUIC id %s", view_text(backend, "quic_server_id"));
	fprintf(out, "%s\n", json_is_true(json_object_get(backend, "drain")) ? "; drains" : "");
}

static void print_backend(FILE *out, const json_t *backend)
{
	const json_t *share = json_object_get(backend, "share");
	char slots[UNITS_TEXT], expected[UNITS_TEXT], packets[UNITS_TEXT], bytes[UNITS_TEXT];

	if (!share) {
		print_unused(out, backend);
		return;
	}
	print_weight(out, backend);
	fprintf(out, "\t%s of slots (expected %s)\t%s\t%s\t",
		units_percent(view_number(share, "slots"), slots),
		units_percent(view_number(share, "expected"), expected),
		units_count(view_integer(backend, "packets"), "packet", packets),
		units_bytes(view_integer(backend, "bytes"), bytes));
	if (json_object_get(json_object_get(backend, "next_hop"), "ways"))
		print_ways(out, json_object_get(backend, "next_hop"));
	else
		print_next_hop(out, json_object_get(backend, "next_hop"));
	print_state(out, backend);
	print_quic(out, json_object_get(backend, "quic"));
	print_losses(out, json_object_get(backend, "second_chance"));
	view_backend_health(out, backend);
	fputc('\n', out);
}

static void print_backends(FILE *out, const json_t *backends, int indent)
{
	struct columns columns;
	const json_t *backend;
	size_t i;

	if (json_array_size(backends) == 0) {
		fprintf(out, "%*sno backends\n", indent, "");
		return;
	}
	columns_open(&columns);
	json_array_foreach (backends, i, backend)
		print_backend(columns.rows, backend);
	columns_close(&columns, out, indent, "lllrr");
}

/* A VIP without a name is called by its address; saying that twice helps nobody. */
static const char *other_address(const json_t *vip)
{
	const char *address = view_text(vip, "address");

	return strcmp(address, view_text(vip, "name")) == 0 ? "" : address;
}

static void print_heading(FILE *out, const json_t *vip)
{
	const char *address = other_address(vip);

	fprintf(out, "%s%s%s\n", view_text(vip, "name"), *address ? "  " : "", address);
}

/* How many slots are in which state; none of them is not worth a word. */
static void print_slots(FILE *out, const json_t *slots)
{
	static const char *const states[] = {"settled", "moving", "tracked"};
	const char *before = "  slots       ";
	char number[UNITS_TEXT];

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		long long count = view_integer(slots, states[i]);

		if (!count)
			continue;
		fprintf(out, "%s%s %s", before, units_number(count, number), states[i]);
		before = ", ";
	}
	if (view_integer(slots, "forgotten"))
		fprintf(out, "%s%s owners forgotten", before,
			units_number(view_integer(slots, "forgotten"), number));
	if (*before == ',')
		fputc('\n', out);
}

/* How packets travel, field by field; `unusual`: only what is not the default. An lbd from before a
 * field does not say it. */
static bool print_shown(FILE *out, const json_t *vip, bool unusual, const char *before,
			const char *between)
{
	const char *next = before;

	for (const struct schema_field *field = lb_vip_schema.fields; field->name; field++) {
		const json_t *value = json_object_get(vip, field->name);
		const char *usual = field->words ? field->words[0] : "no";
		const char *word = json_is_true(value)    ? "yes"
				   : json_is_false(value) ? "no"
							  : json_string_value(value);

		if (!field->shown || !word || (unusual && strcmp(word, usual) == 0))
			continue;
		fprintf(out, "%s%s %s", next, field->name, word);
		next = between;
	}
	return next != before;
}

/* Which groups of backends are used. */
static void print_spill(FILE *out, const json_t *spill)
{
	char reserve[UNITS_TEXT], hold[UNITS_TEXT];

	if (!spill)
		return;
	fprintf(out,
		"  priorities  up to %lld in use, %lld %% of it in service; %s in reserve; spill "
		"below %lld %%, hold %s\n",
		view_integer(spill, "priority"), view_integer(spill, "in_service_percent"),
		units_count(view_integer(spill, "reserve"), "backend", reserve),
		view_integer(spill, "percent"), units_period(view_integer(spill, "hold_s"), hold));
}

/* Whose flows have not all ended yet. */
/* Of one that is not in the document lbd says the address of the VIP whose own it was, or "?". */
static const char *name_of_left(const char *pool, const char *address)
{
	if (strcmp(pool, address) == 0)
		return "backends of its own";
	return *pool == '?' ? "a pool that is gone" : pool;
}

static void print_leaves(FILE *out, const json_t *leaves, const char *address)
{
	const long long seconds = view_integer(leaves, "seconds");
	const json_t *size = json_object_get(leaves, "table_size"), *pool;
	char left[UNITS_TEXT], slots[UNITS_TEXT];
	size_t i;

	if (!leaves)
		return;
	fprintf(out, "  moving from");
	json_array_foreach (json_object_get(leaves, "pools"), i, pool)
		fprintf(out, "%s %s", i ? " and" : "",
			name_of_left(json_string_value(pool), address));
	if (size)
		fprintf(out, "%s a table of %s", i ? "," : "",
			units_count(json_integer_value(size), "slot", slots));
	if (seconds)
		fprintf(out, ", %s left\n", units_duration(seconds, left));
	else
		fprintf(out, ", flows are still on record\n");
}

/* Nothing where it is announced whatever becomes of its backends. */
static void print_announce(FILE *out, const json_t *vip)
{
	const long long least = view_integer(vip, "announce_healthy");
	const long long share = view_integer(vip, "announce_share_percent");
	char backends[UNITS_TEXT];

	if (json_is_false(json_object_get(vip, "announce"))) {
		fprintf(out, "  announce    no\n");
		return;
	}
	if (!least && !share)
		return;
	fprintf(out, "  announce    while ");
	if (least)
		fprintf(out, "%s%s", units_count(least, "backend", backends), share ? " and " : "");
	if (share)
		fprintf(out, "%lld %% of them", share);
	fprintf(out, " %s healthy\n", least == 1 && !share ? "is" : "are");
}

/* The rotations of QUIC connection ids that name servers. */
static void print_quic_configs(FILE *out, const json_t *configs)
{
	const json_t *config;
	size_t i;

	json_array_foreach (configs, i, config) {
		fprintf(out, "%srotation %lld, server ids of %lld bytes",
			i ? "; " : "  quic        ", view_integer(config, "cr"),
			view_integer(config, "sid_length"));
		if (json_object_get(config, "key"))
			fprintf(out, ", encrypted with key %s", view_text(config, "key"));
	}
	if (json_array_size(configs))
		fputc('\n', out);
}

/* Of one that is switched off, as long as a cookie may come. */
static void print_syn_guard(FILE *out, const json_t *vip)
{
	const json_t *syn = json_object_get(vip, "syn");
	const char *guard = view_text(vip, "syn_guard");
	const bool automatic = !strncmp(guard, "auto:", 5);

	if (json_is_true(json_object_get(syn, "answers")))
		fprintf(out, "  SYN guard   answers SYNs, MSS %lld", view_integer(syn, "mss"));
	else if (automatic && syn)
		fprintf(out, "  SYN guard   forwards SYNs, answers above %s a second", guard + 5);
	else if (automatic || !strcmp(guard, "always"))
		fprintf(out, "  SYN guard   answers no SYNs now");
	else if (syn)
		fprintf(out, "  SYN guard   off; cookies of before are taken");
	else
		return;
	if (json_object_get(syn, "not_ready"))
		fprintf(out, "; not ready: %s",
			view_text(json_array_get(json_object_get(syn, "not_ready"), 0), "address"));
	if (automatic && syn)
		fprintf(out, "; now %lld a second", view_integer(syn, "syns_per_s"));
	fputc('\n', out);
}

/* What was dropped, or in mode monitor would have been. */
static void print_rates(FILE *out, const json_t *rates)
{
	char packets[UNITS_TEXT];
	const json_t *one;
	size_t i;

	json_array_foreach (rates, i, one)
		fprintf(out, "  %-11s %s; %s beyond\n", i ? "" : "rates", view_text(one, "rate"),
			units_count(view_integer(one, "exceeded"), "packet", packets));
}

static void print_syns(FILE *out, const json_t *syn)
{
	char syns[UNITS_TEXT], answered[UNITS_TEXT];

	fprintf(out, "              since ");
	view_time(out, view_text(syn, "since"));
	fprintf(out, "; %s in all, %s answered with cookies\n",
		units_count(view_integer(syn, "syns"), "SYN", syns),
		units_number(view_integer(syn, "answered"), answered));
}

void view_vip_guard(FILE *out, const json_t *vip, bool counts)
{
	print_syn_guard(out, vip);
	if (counts && json_object_get(vip, "syn"))
		print_syns(out, json_object_get(vip, "syn"));
	print_rates(out, json_object_get(vip, "rates"));
}

void view_vip(FILE *out, const struct invocation *invocation, const json_t *result)
{
	char size[UNITS_TEXT], packets[UNITS_TEXT], bytes[UNITS_TEXT];
	char transition[UNITS_TEXT], idle[UNITS_TEXT];

	(void)invocation;
	print_heading(out, result);
	fprintf(out, "  table       %s, %s, digest %s\n", view_text(result, "table"),
		units_count(view_integer(result, "table_size"), "slot", size),
		view_text(result, "digest"));
	if (json_object_get(result, "pool"))
		fprintf(out, "  pool        %s\n", view_text(result, "pool"));
	print_leaves(out, json_object_get(result, "leaves"), view_text(result, "address"));
	print_slots(out, json_object_get(result, "slots"));
	fprintf(out, "  transition  %s, flow idle %s\n",
		units_period(view_integer(result, "transition_s"), transition),
		units_period(view_integer(result, "flow_idle_s"), idle));
	if (print_shown(out, result, false, "  packets     ", ", "))
		fputc('\n', out);
	print_announce(out, result);
	print_quic_configs(out, json_object_get(result, "quic"));
	view_vip_guard(out, result, false);
	view_vip_health(out, result);
	print_spill(out, json_object_get(result, "spill"));
	fprintf(out, "  traffic     %s, %s\n",
		units_count(view_integer(result, "packets"), "packet", packets),
		units_bytes(view_integer(result, "bytes"), bytes));
	fprintf(out, "  backends    %zu", json_array_size(json_object_get(result, "backends")));
	view_unhealthy(out, result);
	fputc('\n', out);
	print_backends(out, json_object_get(result, "backends"), 4);
}

void view_vips(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *vips = json_object_get(result, "vips");
	char backends[UNITS_TEXT], packets[UNITS_TEXT], bytes[UNITS_TEXT];
	struct columns columns;
	const json_t *vip;
	size_t i;

	(void)invocation;
	if (json_array_size(vips) == 0) {
		fprintf(out, "no VIPs\n");
		return;
	}
	columns_open(&columns);
	json_array_foreach (vips, i, vip) {
		fprintf(columns.rows, "%s\t%s\t%s %lld\t%s", view_text(vip, "name"),
			other_address(vip), view_text(vip, "table"),
			view_integer(vip, "table_size"),
			units_count((long long)json_array_size(json_object_get(vip, "backends")),
				    "backend", backends));
		view_unhealthy(columns.rows, vip);
		fprintf(columns.rows, "\t%s\t%s",
			units_count(view_integer(vip, "packets"), "packet", packets),
			units_bytes(view_integer(vip, "bytes"), bytes));
		print_shown(columns.rows, vip, true, "\t", "  ");
		fputc('\n', columns.rows);
	}
	columns_close(&columns, out, 0, "lllrrr");
}

void view_pool(FILE *out, const struct invocation *invocation, const json_t *result)
{
	char size[UNITS_TEXT], transition[UNITS_TEXT], idle[UNITS_TEXT];
	const json_t *vip;
	size_t i;

	(void)invocation;
	fprintf(out, "%s\n  table       %s, %s\n", view_text(result, "name"),
		view_text(result, "table"),
		units_count(view_integer(result, "table_size"), "slot", size));
	fprintf(out, "  transition  %s, flow idle %s",
		units_period(view_integer(result, "transition_s"), transition),
		units_period(view_integer(result, "flow_idle_s"), idle));
	fprintf(out, "; of UDP VIPs %s, %s\n",
		units_period(view_integer(result, "datagram_transition_s"), transition),
		units_period(view_integer(result, "datagram_flow_idle_s"), idle));
	if (print_shown(out, result, false, "  packets     ", ", "))
		fputc('\n', out);
	view_vip_health(out, result);
	print_spill(out, json_object_get(result, "spill"));
	fprintf(out, "  VIPs        %lld\n", view_integer(result, "vip_count"));
	json_array_foreach (json_object_get(result, "vips"), i, vip)
		fprintf(out, "    %s\n", json_string_value(vip));
	json_array_foreach (json_object_get(result, "left_by"), i, vip)
		fprintf(out, "    %s, which leaves\n", json_string_value(vip));
	fprintf(out, "  backends    %zu", json_array_size(json_object_get(result, "backends")));
	view_unhealthy(out, result);
	fputc('\n', out);
	print_backends(out, json_object_get(result, "backends"), 4);
}

void view_pools(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *pools = json_object_get(result, "pools");
	char backends[UNITS_TEXT], vips[UNITS_TEXT];
	struct columns columns;
	const json_t *pool;
	size_t i;

	(void)invocation;
	if (json_array_size(pools) == 0) {
		fprintf(out, "no pools\n");
		return;
	}
	columns_open(&columns);
	json_array_foreach (pools, i, pool) {
		fprintf(columns.rows, "%s\t%s %lld\t%s\t%s", view_text(pool, "name"),
			view_text(pool, "table"), view_integer(pool, "table_size"),
			units_count((long long)json_array_size(json_object_get(pool, "backends")),
				    "backend", backends),
			units_count(view_integer(pool, "vip_count"), "VIP", vips));
		print_shown(columns.rows, pool, true, "\t", "  ");
		fputc('\n', columns.rows);
	}
	columns_close(&columns, out, 0, "llrr");
}

void view_backends(FILE *out, const struct invocation *invocation, const json_t *result)
{
	const json_t *vips = json_object_get(result, "vips");
	const json_t *pools = json_object_get(result, "pools");
	const json_t *vip, *pool;
	size_t i;

	(void)invocation;
	if (!json_array_size(vips) && !json_array_size(pools))
		fprintf(out, "no VIPs\n");
	json_array_foreach (pools, i, pool) {
		fprintf(out, "pool %s\n", view_text(pool, "name"));
		print_backends(out, json_object_get(pool, "backends"), 2);
	}
	json_array_foreach (vips, i, vip) {
		print_heading(out, vip);
		print_backends(out, json_object_get(vip, "backends"), 2);
	}
}

/* Whose established flows the change ends. */
static void print_at_risk(FILE *out, const json_t *at_risk)
{
	char flows[UNITS_TEXT], slots[UNITS_TEXT];
	const json_t *backend;
	size_t i;

	json_array_foreach (at_risk, i, backend)
		fprintf(out, "  at risk: backend %s%s%s: %s on record, %s: %s\n",
			view_text(backend, "backend"),
			json_object_get(backend, "vip") ? " of VIP " : "",
			json_object_get(backend, "vip") ? view_text(backend, "vip") : "",
			units_count(view_integer(backend, "recorded_flows"), "flow", flows),
			units_count(view_integer(backend, "slots"), "slot", slots),
			view_text(backend, "reason"));
}

/* Who still gets new flows for a while, although the change takes them away. */
static void print_datagrams(FILE *out, const json_t *datagrams, bool would)
{
	char period[UNITS_TEXT];
	const json_t *backend;
	size_t i;

	json_array_foreach (json_object_get(datagrams, "backends"), i, backend)
		fprintf(out, "  backend %s: new UDP flows %s reach it for %s\n",
			json_string_value(backend), would ? "would still" : "can still",
			units_period(view_integer(datagrams, "seconds"), period));
}

/* Who gets its share of new flows later. */
static void print_waiting(FILE *out, const json_t *waiting, bool would)
{
	const json_t *backend;
	size_t i;

	json_array_foreach (waiting, i, backend)
		fprintf(out, "  backend %s %s no new flows until %s\n",
			view_text(backend, "backend"), would ? "would get" : "gets",
			view_text(backend, "until"));
}

/* Who gets it before it is ready, since no other backend can serve. */
static void print_serving(FILE *out, const json_t *serving, bool would)
{
	const json_int_t count = view_integer(serving, "backends");
	char others[48] = "";

	if (!serving)
		return;
	if (count > 1)
		snprintf(others, sizeof(others), " and %lld other%s", (long long)count - 1,
			 count > 2 ? "s" : "");
	fprintf(out, "  backend %s%s %s new flows before %s\n", view_text(serving, "first"), others,
		would       ? "would take"
		: count > 1 ? "take"
			    : "takes",
		view_text(serving, "before"));
}

static void print_moved(FILE *out, const json_t *moved, const char *move)
{
	char percent[UNITS_TEXT], ideal[UNITS_TEXT];

	fprintf(out, "%s %s of slots (ideal %s)\n", move,
		units_percent(view_number(moved, "percent"), percent),
		units_percent(view_number(moved, "ideal_percent"), ideal));
}

void view_vip_change(FILE *out, const json_t *vip, bool would)
{
	const json_t *moved = json_object_get(vip, "moved");
	const char *what = view_text(vip, "what");
	bool moves = view_integer(moved, "slots") > 0;

	fprintf(out, "%s %s: ", json_object_get(vip, "address") ? "vip" : "pool",
		view_text(vip, "name"));
	if (strcmp(what, "changed") != 0)
		fprintf(out, "%s%s%s", would ? "would be " : "", what, moves ? "; " : "\n");
	if (moves)
		print_moved(out, moved, would ? "would move" : "moved");
	else if (strcmp(what, "changed") == 0)
		fprintf(out, "%schanged, no slot moved\n", would ? "would be " : "");
	print_at_risk(out, json_object_get(vip, "at_risk"));
	print_datagrams(out, json_object_get(vip, "datagrams"), would);
	print_waiting(out, json_object_get(vip, "waiting"), would);
	print_serving(out, json_object_get(vip, "serving"), would);
}

static void print_changes(FILE *out, const json_t *result, bool would, const char *otherwise)
{
	const json_t *vip, *pool;
	size_t i;

	if (!json_is_true(json_object_get(result, "changed"))) {
		fprintf(out, "%s\n", otherwise);
		return;
	}
	json_array_foreach (json_object_get(result, "pools"), i, pool)
		view_vip_change(out, pool, would);
	json_array_foreach (json_object_get(result, "vips"), i, vip)
		view_vip_change(out, vip, would);
	if (would && json_is_true(json_object_get(result, "needs_force")))
		fprintf(out, "to make this change, use --force: it breaks connections\n");
}

/* How to keep a change that goes back by itself. */
static void print_unconfirmed(FILE *out, const json_t *unconfirmed)
{
	char period[UNITS_TEXT];

	if (unconfirmed)
		fprintf(out, "reverts in %s unless kept: lbctl config confirm\n",
			units_period(view_integer(unconfirmed, "reverts_in_s"), period));
}

static void print_warnings(FILE *out, const json_t *warnings)
{
	const json_t *warning;
	size_t i;

	json_array_foreach (warnings, i, warning)
		fprintf(out, "warning: %s\n", json_string_value(warning));
}

#define NOTHING_TO_CHANGE "nothing to change"
#define UNCHANGED_TEXT 192

/* The last argument is what would have been added or removed. */
static const char *unchanged(const struct invocation *invocation, char out[UNCHANGED_TEXT])
{
	const char *why = invocation_option(invocation, "if-missing")   ? "is there already"
			  : invocation_option(invocation, "if-present") ? "is not there"
									: NULL;
	const char *what = NULL;

	for (size_t i = 0; i < ARGUMENTS_MAX && invocation->arguments[i]; i++)
		what = invocation->arguments[i];
	if (!why || !what)
		return NOTHING_TO_CHANGE;
	snprintf(out, UNCHANGED_TEXT, "%s %s", what, why);
	return out;
}

void view_change(FILE *out, const struct invocation *invocation, const json_t *result)
{
	char otherwise[UNCHANGED_TEXT];

	print_changes(out, result, invocation_option(invocation, "dry-run"),
		      unchanged(invocation, otherwise));
	print_warnings(out, json_object_get(result, "warnings"));
	print_unconfirmed(out, json_object_get(result, "unconfirmed"));
}

void view_plan(FILE *out, const struct invocation *invocation, const json_t *result)
{
	(void)invocation;
	print_changes(out, result, true, NOTHING_TO_CHANGE);
}

void view_confirmed(FILE *out, const struct invocation *invocation, const json_t *result)
{
	(void)invocation;
	(void)result;
	fprintf(out, "the change is kept\n");
}

/* The document is what one exports for, so text is it alone, ready for `config apply`. */
void view_document(FILE *out, const struct invocation *invocation, const json_t *result)
{
	(void)invocation;
	json_dumpf(json_object_get(result, "document"), out, JSON_INDENT(2));
	fputc('\n', out);
}
