/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the methods of docs/protocol.md do? Two tables lead from a name to its handler: that of
 * methods.c, and that of methods_change.c for methods that make a document the one in force. */
#ifndef LB_METHODS_H
#define LB_METHODS_H

#include <jansson.h>
#include <time.h>
#include "../api/rpc.h"
#include "../api/version.h"
#include "../host/config.h"
#include "../plane/datapath.h"
#include "../host/events.h"
#include "peer.h"
#include "../service/service.h"

struct preflight_again;
struct node;
struct tracer;
struct replay_tables;
struct list_parts;
struct lists;

struct turns;
struct worker;

struct methods_context {
	const struct config *config;
	struct datapath *datapath;
	struct service *service;
	struct lists *lists;
	const struct links_table *links;
	struct events *events;
	const struct datapath_attachment *attachments; /* one for each interface of config */
	struct preflight_again *preflight;
	struct tracer *tracer;
	struct replay_tables *replay_tables;
	struct list_parts *list_parts;
	struct node *node;
	const struct peer *peer; /* of the request that is carried out */
	json_t *warnings;        /* array of strings: what start found beside that */
	struct lb_err *
		services; /* why the services file is not in force; no message: it is, or there is none */
	int64_t started; /* CLOCK_MONOTONIC seconds */
	struct turns *turns;
	/* How metrics get to a collector, told by who pushes them: NULL where nobody does. */
	json_t *(*describe_push)(const void *pusher);
	const void *pusher;
	/* Of what changes something, one after the other; of what may be long; of status, which waits
	 * for neither; and of probes, one after the other. NULL: in the loop. */
	struct worker *changes, *reads, *facts, *probes;
};

/* A connection that calls it gets events from then on. */
#define METHOD_WATCH "watch"

/* A control_call; user is a struct methods_context. */
int methods_call(void *user, const struct peer *peer, const struct lb_request *request,
		 json_t **result, struct lb_err *err);
/* A control_together and a control_settle: prefixes come onto lists, and leave them, many changes at a time. */
bool methods_together(void *user, const struct lb_request *request);
int methods_settle(void *user, struct lb_err *err);
/* A control_place: what each method of the main socket is carried out by. A long line is a document
 * of a change, most likely. */
struct worker *methods_place(void *user, const char *method);
/* The same for the read-only socket, whose clients never keep a change waiting. */
struct worker *methods_place_read_only(void *user, const char *method);

/* The same for the read-only socket: methods that change something are refused, and config.check,
 * which builds the tables of a whole document. */
int methods_call_read_only(void *user, const struct peer *peer, const struct lb_request *request,
			   json_t **result, struct lb_err *err);

#endif
