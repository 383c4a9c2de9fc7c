/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a message get to a URL? By curl, a process of its own for each message: TLS, names, proxies and their bugs stay out of
 * lbd, which has rights over the network. It runs as a user without rights, as commands of exec checks do (host/spawn.h), gets
 * its options and the message in descriptors, and cannot hold up the loop. One message at a time. */
#ifndef LB_MONITOR_POST_H
#define LB_MONITOR_POST_H

#include <stddef.h>
#include <sys/types.h>
#include "answer.h"

struct event_base;
struct post;

struct post_options {
	struct event_base *base;
	const char *program; /* curl */
	const char *url;
	const char *settings; /* lines of curl's configuration: header = "A: b" */
	uint32_t timeout_s;
	uid_t uid;
	gid_t gid;
	void (*done)(void *user, const struct answer *answer); /* valid during the call */
	void *user;
};

struct post *
post_new(const struct post_options *options); /* the texts are borrowed; NULL without memory */
void post_free(struct post *post);            /* ends what is under way */
/* `done` is called once, later. 0, or -errno: nothing was begun. */
int post_begin(struct post *post, const char *body, size_t length);

#endif
