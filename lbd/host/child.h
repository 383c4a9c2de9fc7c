/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbd follow a program that it runs?
 *
 * What it writes is kept as far as there is room. Its end is seen through a pidfd; then its whole group is killed
 * before it is reaped, since so long no other group can have its number. */
#ifndef LB_HOST_CHILD_H
#define LB_HOST_CHILD_H

#include <event2/event.h>
#include <stddef.h>
#include <sys/types.h>

#include "spawn.h"

/* One of its streams. The caller sets text and room; a NUL byte ends what is kept. */
struct child_output {
	char *text;
	size_t room, length;
	int fd;
	struct event *event;
};

struct child {
	struct child_output output, errors;
	/* Called once it has ended, with its status as waitpid gives it, or with an error number. It may start the
	 * next one, or free the child. */
	void (*ended)(void *user, int status, int error);
	void *user;
	pid_t pid; /* 0: none runs */
	int pidfd;
	struct event *event;
};

/* Starts the program; its output and errors are the child's. 0 or -errno, and then none runs. */
int child_start(struct child *child, struct event_base *base, const struct spawn *program);
/* Ends one that runs; `ended` is called as ever. */
void child_kill(const struct child *child);
/* Ends one that runs, without `ended`. One that does not die within 100 ms is left to init. */
void child_stop(struct child *child);

#endif
