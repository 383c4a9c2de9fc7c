/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is at the other end of a Unix socket? */
#ifndef LB_PEER_H
#define LB_PEER_H

#include <jansson.h>
#include <sys/types.h>

#define PEER_UNKNOWN ((uid_t)-1)

struct peer {
	uid_t uid; /* PEER_UNKNOWN: the kernel did not tell */
	pid_t pid; /* 0: in a PID namespace that lbd does not see */
	/* What control_stream_open knows it by; NULL: no client has asked. */
	void *client;
};

/* As of the moment when it connected (SO_PEERCRED). */
struct peer peer_of(int socket);

/* The name of a user in `file`, which is /etc/passwd but for tests: a line of that file costs no
 * time, where a directory service (NSS) could keep the event loop waiting. To be freed; NULL: none.
 */
char *peer_name(const char *file, uid_t uid);

/* Adds "uid", "pid" and "user" to an event, in so far as they are known. Returns `event`. `peer`
 * may be NULL: nobody has asked. */
json_t *peer_sign(json_t *event, const struct peer *peer);

#endif
