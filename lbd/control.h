/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: clients, lines in, lines out. Knows nothing of what the methods do. */
#ifndef LB_CONTROL_H
#define LB_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <jansson.h>
#include "api/err.h"
#include "api/rpc.h"
#include "peer.h"

struct event_base;
struct control;

/* Carries out one request of `peer`: 0 and *result (new reference), or non-zero and *err. */
typedef int (*control_call)(void *user, const struct peer *peer, const struct lb_request *request,
			    json_t **result, struct lb_err *err);

struct control_options {
	const char *path;
	const char *path_name; /* where in lbd.json; NULL: "control.path" */
	mode_t mode;           /* of the socket; 0: 0660 */
	const char *group;     /* "" or NULL: not changed */
	bool group_required;   /* a missing group is an error (else: a note in *warning) */
	unsigned int idle_ms;  /* how long a client may stop in the middle of a line or of a reply;
				  0: 30 s */
	control_call call;
	/* A client that has called this method with success gets every control_broadcast from then
	 * on. NULL: there is none. */
	const char *stream_method;
	void *user;
};

/* Binds, listens, joins `base`. A stale socket (nobody answers there) is replaced; a
 * live one is refused. */
int control_open(struct event_base *base, const struct control_options *options,
		 struct control **out, char *warning, size_t warning_size, struct lb_err *err);
/* To every client that called the stream method: a whole line. One that does not read, so that more
 * than 1 MiB waits for it, is closed. An events_sink; `control` is the user. */
void control_broadcast(void *control, const char *line, size_t length);
/* Closes clients and the socket, and removes its file. */
void control_close(struct control *control);

#endif
