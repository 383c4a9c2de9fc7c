/* SPDX-License-Identifier: BSD-2-Clause */
/* This node in the network: which of its VIPs do others learn from it? */
#include "node.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../host/drained.h"
#include "../host/events.h"
#include "../host/timers.h"
#include "../host/worker.h"
#include "../route/links.h"
#include "../service/announce.h"
#include "../service/chore.h"
#include "announcer.h"

#define LOOK_MS 1000       /* what nobody tells of: another program at an interface */
#define SOON_MS 20         /* what happens together is looked at together */
#define READ_EVERY 10      /* looks; then the table is read, were a change of it not told */
#define READ_APART_MS 1000 /* so often it is read at most, whatever others do with it */
#define REASON_TEXT 160

/* What one look has done, to be told in one event each. */
struct told {
	size_t count;
	struct lb_prefix first;
	char reason[REASON_TEXT]; /* of the first; "": none */
};

struct node {
	struct node_options options;
	struct timers timers;
	struct worker *worker;
	struct chore look;
	struct announcer announcer;
	bool looking; /* or telling of it: over several turns nobody else may */
	bool soon;    /* something has happened, and the next look is due at once */
	unsigned int looks;
	bool changed;       /* others have changed the table: it is to be read, and put right */
	int64_t read_ms;    /* when that was done last, by the monotonic clock */
	int64_t drained_ms; /* since when, since 1970; 0: it is not */
	char obstacle[REASON_TEXT]; /* why no VIP is announced; "": nothing */
	struct told added, removed; /* by the look under way */
	int note_fault;  /* earlier routes, or the note of them, could not be changed: -errno */
	int told_failed; /* the fault that was told last: -errno */
};

static bool is_on(const struct node *node)
{
	return node->options.config->announce.table;
}

/* --- why not? --- */

/* Packets that come in by an interface that is up and has no program are lost. */
static bool lacks_program(const struct node *node, size_t i, size_t *attached)
{
	const struct node_options *options = &node->options;
	const uint32_t ifindex = options->attachments[i].ifindex;
	const char *name = options->config->interfaces[i];
	const struct link *link;

	if (ifindex && datapath_holds(options->datapath, ifindex)) {
		++*attached;
		return false;
	}
	for (link = links_first(options->links); link; link = link->next)
		if (link->present && !strcmp(link->is.name, name))
			return link->is.up;
	return false;
}

static void find_obstacle(struct node *node, char out[REASON_TEXT])
{
	const struct config *config = node->options.config;
	size_t attached = 0;

	*out = '\0';
	for (size_t i = 0; i < config->interface_count; i++)
		if (lacks_program(node, i, &attached) && !*out)
			snprintf(out, REASON_TEXT, "interface %s has no program",
				 config->interfaces[i]);
	if (!attached && !*out)
		snprintf(out, REASON_TEXT, "no interface has the program");
	if (node->drained_ms)
		snprintf(out, REASON_TEXT, "the node is drained");
}

/* Why a route is as it is, where that is not plain. */
static void describe_reason(const struct node *node, const struct announcer_route *route,
			    char out[REASON_TEXT])
{
	const struct announce_health *health = &route->want.health;

	*out = '\0';
	if (*node->obstacle)
		snprintf(out, REASON_TEXT, "%s", node->obstacle);
	else if (route->error)
		snprintf(out, REASON_TEXT, "%s", strerror(-route->error));
	else if (route->want.wish != ANNOUNCE_YES)
		snprintf(out, REASON_TEXT, "%u of %u backends healthy%s, %u needed",
			 health->healthy, health->all,
			 route->want.wish == ANNOUNCE_KEEP ? " as far as known" : "",
			 health->needed);
}

/* --- telling --- */

static void note_step(void *user, const struct announcer_route *route,
		      const struct lb_prefix *prefix, bool added)
{
	struct node *node = user;
	struct told *told = added ? &node->added : &node->removed;

	if (told->count++)
		return;
	told->first = *prefix;
	if (!added && route)
		describe_reason(node, route, told->reason);
	else if (!added)
		snprintf(told->reason, sizeof(told->reason), "no VIP has it");
}

static void tell_steps(const struct node *node, const struct told *told, const char *state)
{
	char text[LB_PREFIX_TEXT];

	if (told->count)
		events_emit(node->options.events,
			    json_pack("{s:s, s:s, s:s, s:I, s:s*}", "event", "announce", "state",
				      state, "route", lb_prefix_format(&told->first, text), "count",
				      (json_int_t)told->count, "reason",
				      *told->reason ? told->reason : NULL));
}

/* NULL: nothing has failed. */
static json_t *describe_fault(const struct node *node)
{
	const struct announcer *announcer = &node->announcer;
	const unsigned int table = node->options.config->announce.table;
	char text[LB_PREFIX_TEXT];

	if (announcer->fault)
		return json_sprintf("table %u cannot be read: %s", table,
				    strerror(-announcer->fault));
	if (!announcer->failed)
		return NULL;
	lb_prefix_format(&announcer->failed_step.prefix, text);
	if (announcer->failed == -EEXIST)
		return json_sprintf("table %u has a route to %s that is not lbd's", table, text);
	return json_sprintf("the route to %s cannot be %s table %u: %s", text,
			    announcer->failed_step.add ? "added to" : "removed from", table,
			    strerror(-announcer->failed));
}

/* Once, until it is another one. */
static void tell_fault(struct node *node)
{
	const struct announcer *announcer = &node->announcer;
	const int failed = announcer->fault ? announcer->fault : announcer->failed;

	if (failed && failed != node->told_failed)
		events_emit(node->options.events,
			    json_pack("{s:s, s:s, s:o}", "event", "announce", "state", "failed",
				      "reason", describe_fault(node)));
	node->told_failed = failed;
}

/* --- looking --- */

static int64_t now_ms(void)
{
	return lb_clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
}

/* Whether this look reads the table. */
static bool take_change(struct node *node)
{
	const bool read = node->looks++ % READ_EVERY == 0 || node->changed;

	node->changed = false;
	if (read)
		node->read_ms = now_ms();
	return read;
}

static void look_once(struct node *node)
{
	struct announce_want *wants;
	char obstacle[REASON_TEXT];
	size_t count;

	if (service_announce(node->options.service, &wants, &count))
		return; /* the next look has more memory, maybe */
	find_obstacle(node, obstacle);
	memcpy(node->obstacle, obstacle, sizeof(obstacle));
	for (size_t i = 0; *obstacle && i < count; i++)
		wants[i].wish = ANNOUNCE_NO;
	worker_leave();
	count = announce_merge(wants, count);
	worker_enter();
	node->added = node->removed = (struct told){0};
	announcer_follow(&node->announcer, wants, count, take_change(node), note_step, node);
	tell_steps(node, &node->removed, "withdrawn");
	tell_steps(node, &node->added, "announced");
	tell_fault(node);
}

/* A look goes on over several turns: one at a time. */
static void begin(struct node *node)
{
	while (node->looking)
		worker_pause();
	node->looking = true;
}

static void end(struct node *node)
{
	node->looking = false;
}

static void look(struct node *node)
{
	begin(node);
	look_once(node);
	end(node);
}

static void on_look(void *user)
{
	struct node *node = user;

	node->soon = false;
	look(node);
	if (!chore_pending(&node->look))
		chore_set(&node->look, LOOK_MS);
}

/* Once: events that keep coming must not put it off. */
static void look_soon(struct node *node)
{
	if (node->soon)
		return;
	node->soon = true;
	chore_set(&node->look, SOON_MS);
}

static void on_event(void *user, const json_t *event)
{
	if (strcmp(json_string_value(json_object_get(event, "event")), "announce") != 0)
		look_soon(user);
}

/* Just after it was read, the look that comes anyway will do. */
static void on_table(void *user)
{
	struct node *node = user;

	node->changed = true;
	if (now_ms() - node->read_ms >= READ_APART_MS)
		look_soon(node);
}

/* --- out of the network, and back --- */

static int refuse_drain(struct lb_err *err)
{
	lb_err_set(err, LB_ERR_REFUSED, "",
		   "this node announces nothing: lbd.json has no announce");
	return lb_err_hint(err, "take it out of the network where that is told of its VIPs, or set "
				"announce; see lbd.json(5)");
}

int node_drain(struct node *node, bool drain, const struct peer *peer, struct lb_err *err)
{
	const int64_t before = node->drained_ms;
	int error = 0;

	if (!is_on(node))
		return refuse_drain(err);
	if (drain != !!before) {
		node->drained_ms = drain ? lb_clock_ns(CLOCK_REALTIME) / 1000000 : 0;
		error = drained_set(node->options.config->state_dir, node->drained_ms, err);
	}
	if (error) {
		node->drained_ms = before;
		return error;
	}
	if (drain != !!before)
		events_emit(node->options.events,
			    peer_sign(json_pack("{s:s, s:s}", "event", "node", "state",
						drain ? "drained" : "undrained"),
				      peer));
	look(node);
	return 0;
}

/* --- life --- */

/* Who removes the routes may have another lbd.json, or none. */
static void note_table(struct node *node)
{
	const struct config_announce *announce = &node->options.config->announce;

	node->note_fault = datapath_announce(node->options.datapath, announce->table,
					     (uint8_t)announce->protocol);
}

static int open_table(struct node *node, struct lb_err *err)
{
	const struct config_announce *announce = &node->options.config->announce;
	int error;

	node->announcer.table = announce_routes_open(announce->table, (uint8_t)announce->protocol);
	error = node->announcer.table ? announce_routes_watch(node->announcer.table,
							      node->options.base, on_table, node)
				      : -errno;
	return error ? lb_err_set(err, LB_ERR_SYSTEM, "", "cannot open netlink: %s",
				  strerror(-error))
		     : 0;
}

int node_open(const struct node_options *options, struct node **out, struct lb_err *err)
{
	struct node *node = calloc(1, sizeof(*node));

	*out = node;
	if (!node)
		return lb_err_no_memory(err);
	node->options = *options;
	note_table(node);
	if (!is_on(node))
		return 0;
	node->timers = timers_of(options->base);
	if (open_table(node, err))
		return -EINVAL;
	if (chore_open(&node->look, &node->timers, &node->worker, "announce", on_look, node))
		return lb_err_no_memory(err);
	node->drained_ms = drained_since(options->config->state_dir);
	on_look(node);
	events_add_listener(options->events, on_event, node);
	return 0;
}

void node_work(struct node *node, struct worker *worker)
{
	node->worker = worker;
}

void node_close(struct node *node)
{
	if (!node)
		return;
	chore_close(&node->look);
	announcer_clear(&node->announcer);
	free(node);
}

/* --- what is told of it --- */

static json_t *describe_route(const struct node *node, const struct announcer_route *route)
{
	char text[LB_PREFIX_TEXT], reason[REASON_TEXT];
	const char *state = "withdrawn";

	describe_reason(node, route, reason);
	if (route->there)
		state = "announced";
	else if (route->error)
		state = "failed";
	return json_pack("{s:s, s:s, s:s*}", "route", lb_prefix_format(&route->want.prefix, text),
			 "state", state, "reason", *reason ? reason : NULL);
}

static json_t *describe_others(const struct announce_found *found)
{
	char text[LB_PREFIX_TEXT];

	if (!found->others)
		return NULL;
	return json_pack("{s:I, s:s, s:i}", "count", (json_int_t)found->others, "route",
			 lb_prefix_format(&found->other, text), "protocol",
			 (int)found->other_protocol);
}

static json_t *describe_since(const struct node *node)
{
	char text[EVENTS_TIME_TEXT];

	return node->drained_ms ? json_string(events_time_ms(node->drained_ms, text)) : NULL;
}

json_t *node_status(const struct node *node)
{
	const struct announcer *announcer = &node->announcer;
	const struct config_announce *announce = &node->options.config->announce;
	const size_t there = announcer_there(announcer);

	if (!is_on(node))
		return NULL;
	return json_pack("{s:I, s:I, s:b, s:o*, s:s*, s:I, s:I, s:o*, s:o*, s:o*}", "table",
			 (json_int_t)announce->table, "protocol", (json_int_t)announce->protocol,
			 "drained", node->drained_ms != 0, "drained_since", describe_since(node),
			 "obstacle", *node->obstacle ? node->obstacle : NULL, "announced",
			 (json_int_t)there, "withdrawn", (json_int_t)(announcer->count - there),
			 "fault", describe_fault(node), "others",
			 describe_others(&announcer->found), "ruled",
			 announcer->found.ruled ? json_true() : NULL);
}

static void add_routes(struct node *node, json_t *routes)
{
	begin(node);
	for (size_t i = 0; i < node->announcer.count; i++) {
		json_array_append_new(routes, describe_route(node, &node->announcer.routes[i]));
		worker_yield();
	}
	end(node);
}

json_t *node_describe(struct node *node)
{
	json_t *object = node_status(node), *routes = json_array();

	if (!object)
		return json_pack("{s:o}", "routes", routes);
	add_routes(node, routes);
	json_object_set_new(object, "routes", routes);
	return object;
}

void node_warnings(const struct node *node, json_t *warnings)
{
	const struct announcer *announcer = &node->announcer;
	const unsigned int table = node->options.config->announce.table;
	json_auto_t *fault = is_on(node) ? describe_fault(node) : NULL;

	if (node->note_fault)
		json_array_append_new(
			warnings,
			json_sprintf("routes of VIPs in a table that lbd.json has named before may "
				     "be left, or may stay after lbd --detach: %s",
				     strerror(-node->note_fault)));
	if (!is_on(node))
		return;
	if (*node->obstacle && announcer->count)
		json_array_append_new(
			warnings,
			json_sprintf("no VIP is announced: %s%s", node->obstacle,
				     node->drained_ms ? "; \"lbctl node undrain\" takes it back"
						      : ""));
	if (fault)
		json_array_append_new(warnings, json_sprintf("VIPs may not be announced as they "
							     "should be: %s",
							     json_string_value(fault)));
	if (announcer->found.ruled)
		json_array_append_new(
			warnings,
			json_sprintf("a rule leads packets to table %u, whose routes drop them; "
				     "\"ip rule\" and \"ip -6 rule\" show it",
				     table));
}

bool node_counts(const struct node *node, struct node_counts *out)
{
	*out = (struct node_counts){.announced = announcer_there(&node->announcer),
				    .drained = node->drained_ms != 0};
	out->withdrawn = node->announcer.count - out->announced;
	return is_on(node);
}
