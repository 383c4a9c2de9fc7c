/* SPDX-License-Identifier: BSD-2-Clause */
/* The interfaces of lbd.json: attaches the program to those that are there, and to the others when
 * they come. A link is an interface of lbd.json while it has that name: one that is renamed,
 * deleted or moved to another network namespace is let go of. */
#ifndef LB_INTERFACES_H
#define LB_INTERFACES_H

#include "../api/err.h"
#include "../host/config.h"
#include "datapath.h"

struct event_base;
struct events;
struct links_table;
struct interfaces;

/* Attaches, follows from then on, and tells of both to `events`. An interface that is missing, or
 * cannot be attached to just now, is no error. What waiting cannot cure is one, with its path:
 * another XDP program, or "xdp_mode": "native" where the driver has none. */
int interfaces_open(const struct config *config, struct datapath *datapath, struct event_base *base,
		    struct links_table *links, struct events *events, struct interfaces **out,
		    struct lb_err *err);
/* The program stays where it is. */
void interfaces_close(struct interfaces *interfaces);

/* One for each interface of config; ifindex 0: not attached, `reason` says why. */
const struct datapath_attachment *interfaces_attachments(const struct interfaces *interfaces);

#endif
