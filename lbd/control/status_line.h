/* SPDX-License-Identifier: BSD-2-Clause */
/* How is lbd, in one line for the service manager (STATUS= of sd_notify(3), "systemctl status")?
 * Told at start, and again when an event has changed it. */
#ifndef LB_STATUS_LINE_H
#define LB_STATUS_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "../api/err.h"

struct config;
struct datapath_attachment;
struct event_base;
struct events;
struct notify;
struct service;
struct status_line;

struct status_line_options {
	struct event_base *base;
	struct events *events;
	struct notify *notify; /* NULL: nobody wants to know */
	struct service *service;
	const struct config *config;
	const struct datapath_attachment *attachments; /* one for each interface of config */
};

/* Tells at once. Everything in `options` must outlive it. */
int status_line_open(const struct status_line_options *options, struct status_line **out,
		     struct lb_err *err);
void status_line_close(struct status_line *line);

/* --- the line itself: pure --- */

struct status_facts {
	size_t vips, backends;
	uint32_t unhealthy;
	const char *const *detached; /* names of interfaces */
	size_t detached_count;
};

#define STATUS_LINE_TEXT 256 /* what does not fit is cut off */

char *status_line_text(const struct status_facts *facts, char out[STATUS_LINE_TEXT]);

#endif
