/* SPDX-License-Identifier: BSD-2-Clause */
/* This node in the network: which of its VIPs do others learn from it? It keeps a route for each in
 * a kernel table of its own (route/announce_routes.h), which BIRD or FRR import.
 *
 * A route is there while no operator drains the node, the program takes the packets of every
 * interface that is up, and, if a VIP asks for it, enough of its backends are healthy. Routes stay
 * when lbd ends or is killed, as the data plane does. */
#ifndef LB_NODE_H
#define LB_NODE_H

#include <jansson.h>
#include "../host/config.h"
#include "../plane/datapath.h"
#include "peer.h"

struct event_base;
struct events;
struct links_table;
struct node;
struct service;
struct worker;

struct node_options {
	const struct config *config;
	struct event_base *base;
	struct datapath *datapath;
	const struct datapath_attachment *attachments;
	const struct links_table *links;
	struct service *service;
	struct events *events;
};

/* The routes are as they should be when it returns, or status says why not. */
int node_open(const struct node_options *options, struct node **out, struct lb_err *err);
/* From now on routes are looked at by this worker. */
void node_work(struct node *node, struct worker *worker);
/* The routes stay. */
void node_close(struct node *node);

/* Takes the node out of the network, or back, for good. When it returns the routes are so. Only in a
 * worker, or before there are any. */
int node_drain(struct node *node, bool drain, const struct peer *peer, struct lb_err *err);

json_t *node_describe(struct node *node); /* NODE of docs/protocol.md, a new reference; yields */
/* status.node, a new reference; NULL: lbd.json has no announce. */
json_t *node_status(const struct node *node);
void node_warnings(const struct node *node, json_t *warnings); /* adds to status.warnings */

/* For metrics. false: lbd.json has no announce. */
struct node_counts {
	size_t announced, withdrawn;
	bool drained;
};
bool node_counts(const struct node *node, struct node_counts *out);

#endif
