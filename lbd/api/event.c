/* SPDX-License-Identifier: BSD-2-Clause */
/* An event of docs/protocol.md in words. */
#include "event.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 3 /* pools, and VIPs, of a change; the others are counted */

struct text {
	char *out;
	size_t size, used;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	const size_t room = text->size - text->used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->out + text->used, room, format, arguments);
	va_end(arguments);
	if (length > 0)
		text->used += (size_t)length < room ? (size_t)length : room - 1;
}

static const char *string_of(const json_t *object, const char *field)
{
	const char *string = json_string_value(json_object_get(object, field));

	return string ? string : "?";
}

static bool is(const json_t *object, const char *field, const char *value)
{
	return strcmp(string_of(object, field), value) == 0;
}

static json_int_t integer_of(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

/* --- changes --- */

/* "alice (uid 1000, pid 77)"; nothing where nobody is named. */
static void add_who(struct text *text, const json_t *event)
{
	const char *user = json_string_value(json_object_get(event, "user"));

	if (!json_object_get(event, "uid"))
		return;
	add(text, " by ");
	if (user)
		add(text, "%s (", user);
	add(text, "uid %lld", (long long)integer_of(event, "uid"));
	if (json_object_get(event, "pid"))
		add(text, ", pid %lld", (long long)integer_of(event, "pid"));
	add(text, "%s", user ? ")" : "");
}

/* "weight=5" of the fields that were set. */
static void add_set(struct text *text, const json_t *set)
{
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)set, field, value) {
		char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		add(text, " %s=%s", field, shown ? shown : "?");
		free(shown);
	}
}

static void add_cause(struct text *text, const json_t *event)
{
	const json_t *method = json_object_get(event, "method");
	const char *backend = json_string_value(json_object_get(event, "backend"));
	const json_t *trial = json_object_get(json_object_get(event, "change"), "unconfirmed");

	add(text, "%s", string_of(event, method ? "method" : "reason"));
	if (backend)
		add(text, " %s", backend);
	add_set(text, json_object_get(event, "set"));
	if (trial)
		add(text, ", on trial for %lld s", (long long)integer_of(trial, "reverts_in_s"));
	add_who(text, event);
}

static void add_at_risk(struct text *text, const json_t *at_risk)
{
	const json_t *backend;
	size_t i;

	json_array_foreach (at_risk, i, backend)
		add(text, ", at risk: backend %s (flows on record: %lld)",
		    string_of(backend, "backend"),
		    (long long)integer_of(backend, "recorded_flows"));
}

static void add_item(struct text *text, const char *what, const json_t *item)
{
	const json_t *moved = json_object_get(item, "moved");

	add(text, "%s %s: ", what, string_of(item, "name"));
	if (!is(item, "what", "changed"))
		add(text, "%s", string_of(item, "what"));
	else if (integer_of(moved, "slots"))
		add(text, "moved %.1f %% of slots (ideal %.1f %%)",
		    json_number_value(json_object_get(moved, "percent")),
		    json_number_value(json_object_get(moved, "ideal_percent")));
	else
		add(text, "changed, no slot moved");
	add_at_risk(text, json_object_get(item, "at_risk"));
}

/* `before`: there is a list already. */
static bool add_list(struct text *text, const json_t *items, const char *what, const char *several,
		     bool before)
{
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		if (i == SHOWN)
			break;
		add(text, "%s", i || before ? "; " : ": ");
		add_item(text, what, item);
	}
	if (json_array_size(items) > SHOWN)
		add(text, "; and %zu more %s", json_array_size(items) - SHOWN, several);
	return json_array_size(items);
}

static void add_change(struct text *text, const json_t *event)
{
	const json_t *change = json_object_get(event, "change");
	bool before;

	add_cause(text, event);
	before = add_list(text, json_object_get(change, "pools"), "pool", "pools", false);
	add_list(text, json_object_get(change, "vips"), "vip", "VIPs", before);
}

static void add_confirm(struct text *text, const json_t *event)
{
	add(text, "the change is kept, confirmed");
	add_who(text, event);
}

/* --- what happens by itself --- */

static void add_why(struct text *text, const json_t *event, const char *field)
{
	const char *why = json_string_value(json_object_get(event, field));

	if (why)
		add(text, ": %s", why);
}

static void add_next_hop(struct text *text, const json_t *event)
{
	add(text, "via %s on %s %s", string_of(event, "gateway"), string_of(event, "interface"),
	    string_of(event, "state"));
	add_why(text, event, "reason");
}

static void add_whose(struct text *text, const json_t *event)
{
	const char *of = json_object_get(event, "pool") ? "pool" : "vip";

	add(text, "%s %s", of, string_of(event, of));
}

/* How many nodes of a tier see it so. */
static void add_nodes(struct text *text, const json_t *event)
{
	const json_t *agreed = json_object_get(event, "agreed");

	if (agreed)
		add(text, ", by the nodes of the tier: healthy %lld, unhealthy %lld",
		    (long long)integer_of(agreed, "healthy"),
		    (long long)integer_of(agreed, "unhealthy"));
}

/* Health, drain, and serve. */
static void add_backend(struct text *text, const json_t *event)
{
	add_whose(text, event);
	add(text, " backend %s %s", string_of(event, "backend"), string_of(event, "state"));
	add_nodes(text, event);
	add_why(text, event, "error");
}

/* Of a backend that this node sees otherwise than most, for long, or no more. */
static void add_dissent(struct text *text, const json_t *event)
{
	add_whose(text, event);
	add(text, " backend %s %s to this node", string_of(event, "backend"),
	    string_of(event, "own"));
	add_nodes(text, event);
}

static void add_vip_health(struct text *text, const json_t *event)
{
	add_whose(text, event);
	add(text, " %s", string_of(event, "state"));
	if (json_object_get(event, "new_flows"))
		add(text, " (%lld backends): %s", (long long)integer_of(event, "backends"),
		    is(event, "new_flows", "drop") ? "new flows are dropped"
						   : "new flows go to all of them");
}

static void add_spill(struct text *text, const json_t *event)
{
	const bool more = is(event, "state", "spilled");

	add_whose(text, event);
	add(text, more ? " spilled to" : " returned to");
	add(text, " backends of priority %lld: %lld %% of the weight",
	    (long long)integer_of(event, "priority"),
	    (long long)integer_of(event, "in_service_percent"));
	add(text, more ? " before them is in service" : " up to them is in service");
}

static void add_move(struct text *text, const json_t *event)
{
	const bool began = is(event, "state", "began");

	add(text, "vip %s %s pool %s", string_of(event, "vip"),
	    began ? "begins to move to" : "has settled in", string_of(event, "pool"));
	if (began)
		add(text, " from %s", string_of(event, "from"));
}

static void add_route(struct text *text, const json_t *event)
{
	add(text, "backend %s %s", string_of(event, "backend"), string_of(event, "state"));
	add_why(text, event, "reason");
}

/* Of lbd itself. */
static void add_fault(struct text *text, const json_t *event)
{
	add(text, "%s",
	    is(event, "what", "revert")      ? "the change on trial is not reverted yet"
	    : is(event, "what", "syn_guard") ? "the SYN guard answers no SYNs"
	    : is(event, "what", "rates")     ? "rates of VIPs are not in force"
	    : is(event, "what", "quic")      ? "QUIC packets go by their addresses"
	    : is(event, "what", "quic_key")  ? "a key of QUIC connection ids is missing"
					     : "the document cannot be saved");
	add_why(text, event, "reason");
}

static void add_interface(struct text *text, const json_t *event)
{
	const char *mode = json_string_value(json_object_get(event, "xdp_mode"));

	add(text, "%s %s", string_of(event, "interface"), string_of(event, "state"));
	if (mode)
		add(text, " in %s mode", mode);
	add_why(text, event, "reason");
}

static void add_announce(struct text *text, const json_t *event)
{
	const json_int_t more = integer_of(event, "count") - 1;

	if (is(event, "state", "failed")) {
		add(text, "VIPs may not be announced as they should be");
	} else {
		add(text, "route to %s", string_of(event, "route"));
		if (more > 0)
			add(text, " and %lld more", (long long)more);
		add(text, " %s", string_of(event, "state"));
	}
	add_why(text, event, "reason");
}

static void add_node(struct text *text, const json_t *event)
{
	add(text, "the node is %s", string_of(event, "state"));
	add_who(text, event);
}

static void add_syn_guard(struct text *text, const json_t *event)
{
	const bool on = is(event, "state", "on");

	add(text, "vip %s: SYNs are %s (%lld a second, %s %lld)", string_of(event, "vip"),
	    on ? "answered with cookies" : "forwarded again",
	    (long long)integer_of(event, "syns_per_s"), on ? "more than" : "syn_guard auto at",
	    (long long)integer_of(event, "above"));
}

static void add_prefix_list(struct text *text, const json_t *event)
{
	add(text, "list %s is %s (%lld prefixes)", string_of(event, "list"),
	    string_of(event, "state"),
	    (long long)json_integer_value(json_object_get(event, "prefixes")));
}

/* What a change was to break, and what it did. */
static void add_receipt(struct text *text, const json_t *event)
{
	const json_t *predicted = json_object_get(event, "predicted");
	const json_t *measured = json_object_get(event, "measured");

	add_whose(text, event);
	if (integer_of(predicted, "backends"))
		add(text,
		    " has changed: predicted broken flows of backends: %lld (flows on record: "
		    "%lld)",
		    (long long)integer_of(predicted, "backends"),
		    (long long)integer_of(predicted, "recorded_flows"));
	else
		add(text, " has changed: predicted 0 broken");
	add(text, ", measured %lld lost packets in %lld s (backends that answer: %lld",
	    (long long)integer_of(measured, "packets"), (long long)integer_of(event, "seconds"),
	    (long long)integer_of(measured, "backends"));
	if (integer_of(measured, "silent"))
		add(text, ", that do not: %lld", (long long)integer_of(measured, "silent"));
	if (integer_of(measured, "unasked"))
		add(text, ", not asked: %lld", (long long)integer_of(measured, "unasked"));
	add(text, ")");
}

static const struct kind {
	const char *event;
	void (*add)(struct text *text, const json_t *event);
} kinds[] = {
	{"change", add_change},         {"revert", add_change},    {"confirm", add_confirm},
	{"vip_health", add_vip_health}, {"route", add_route},      {"interface", add_interface},
	{"next_hop", add_next_hop},     {"drain", add_backend},    {"health", add_backend},
	{"serve", add_backend},         {"fault", add_fault},      {"spill", add_spill},
	{"announce", add_announce},     {"node", add_node},        {"move", add_move},
	{"dissent", add_dissent},       {"list", add_prefix_list}, {"syn_guard", add_syn_guard},
	{"receipt", add_receipt},
};

static void add_unknown(struct text *text, const json_t *event)
{
	char *json = json_dumps(event, JSON_COMPACT);

	add(text, "%s", json ? json : "?");
	free(json);
}

static const struct kind *kind_of(const json_t *event)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (is(event, "event", kinds[i].event))
			return &kinds[i];
	return NULL;
}

const char *lb_event_kind(const json_t *event)
{
	const struct kind *kind = kind_of(event);

	return kind ? kind->event : "event";
}

bool lb_event_text(const json_t *event, char *out, size_t size)
{
	const struct kind *kind = kind_of(event);
	struct text text = {out, size, 0};

	*out = '\0';
	if (kind)
		kind->add(&text, event);
	else
		add_unknown(&text, event);
	return kind;
}

void lb_event_cause(const json_t *event, char *out, size_t size)
{
	struct text text = {out, size, 0};

	*out = '\0';
	add_cause(&text, event);
}
