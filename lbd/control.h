/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: clients, lines in, lines out. Knows nothing of what the methods do. */
#ifndef LB_CONTROL_H
#define LB_CONTROL_H

#include <stdbool.h>
#include <jansson.h>
#include "api/err.h"
#include "api/rpc.h"

struct event_base;
struct control;

/* Carries out one request: 0 and *result (new reference), or non-zero and *err. */
typedef int (*control_call)(void *user, const struct lb_request *request, json_t **result,
			    struct lb_err *err);

struct control_options {
	const char *path;
	const char *group;    /* "" or NULL: not changed */
	bool group_required;  /* a missing group is an error (else: a note in *warning) */
	unsigned int idle_ms; /* how long a client may stop in the middle of a line or of a reply;
				 0: 30 s */
	control_call call;
	void *user;
};

/* Binds (mode 0660), listens, joins `base`. A stale socket (nobody answers there) is replaced; a
 * live one is refused. */
int control_open(struct event_base *base, const struct control_options *options,
		 struct control **out, char *warning, size_t warning_size, struct lb_err *err);
/* Closes clients and the socket, and removes its file. */
void control_close(struct control *control);

#endif
