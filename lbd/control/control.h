/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: clients, lines in, lines out. Knows nothing of what the methods do. */
#ifndef LB_CONTROL_H
#define LB_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <jansson.h>
#include "../api/err.h"
#include "../api/rpc.h"
#include "share.h"
#include "peer.h"

struct event_base;
struct control;
struct worker;

/* Carries out one request of `peer`: 0 and *result (new reference), or non-zero and *err. CONTROL_SETTLES and *result:
 * it is done once control_options.settle has succeeded. */
#define CONTROL_SETTLES 4096
typedef int (*control_call)(void *user, const struct peer *peer, const struct lb_request *request,
			    json_t **result, struct lb_err *err);

/* The worker that carries the method out; NULL: it is carried out at once. `method` NULL: one whose
 * line is long, and not read yet. */
typedef struct worker *(*control_place)(void *user, const char *method);

/* Whether the request may be one of many that are settled together. */
typedef bool (*control_together)(void *user, const struct lb_request *request);
/* After one request or many: 0, or *err, and none of those that have had CONTROL_SETTLES since is done. */
typedef int (*control_settle)(void *user, struct lb_err *err);

struct control_options {
	const char *path;
	const char *path_name; /* where in lbd.json; NULL: "control.path" */
	mode_t mode;           /* of the socket; 0: 0660 */
	const char *group;     /* "" or NULL: not changed */
	bool group_required;   /* a missing group is an error (else: a note in *warning) */
	/* How long a line may take from its first byte to its last, and how long a client may stop
	 * in the middle of a reply; 0: 30 s. */
	unsigned int idle_ms;
	size_t line_max; /* bytes of a request; 0: LB_REQUEST_MAX, which is the most */
	size_t held_max; /* bytes of all requests that are not complete yet; 0: 64 MiB */
	/* What clients and users may take; NULL: 768 clients, 384 of one user, 32 places for root,
	 * turns at once. */
	const struct share_limits *share;
	control_call call;
	control_place place;       /* NULL: there are no workers */
	control_together together; /* NULL: none is */
	control_settle settle;
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
/* Lines that one client gets beside its replies. It stays where it is until it is closed, or `gone` is
 * called: the client has gone, and the stream is closed. */
struct control_stream {
	void *client; /* NULL: it is closed */
	void (*gone)(void *user);
	void *user;
};

/* From within a call of that peer. -EBUSY: the client has one. */
int control_stream_open(struct control_stream *stream, const struct peer *peer);
/* False when the line was not taken: the client has not got its reply yet, or does not read, so that
 * 256 KiB wait for it. */
bool control_stream_send(const struct control_stream *stream, const char *line, size_t length);
/* Fine when it is closed. `last`, unless it is NULL, is sent in any case. */
void control_stream_close(struct control_stream *stream, const char *last, size_t length);

/* Closes clients, after half a second at most for replies that they have not read yet, and the socket,
 * and removes its file. Its workers are closed already. */
void control_close(struct control *control);

#endif
