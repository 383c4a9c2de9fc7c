/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbd run another program? As another user, in a session of its own, without capabilities, with bounded
 * resources, and with no descriptor of lbd's but those that are named. */
#ifndef LB_HOST_SPAWN_H
#define LB_HOST_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

struct spawn {
	const char *path;
	char *const *arguments, *const *environment; /* end with NULL */
	/* Its descriptors 0 to 3, none of which may be one of lbd's own 0 to 2; input -1: /dev/null; more -1: none. */
	int input, output, errors, more;
	uid_t uid;
	gid_t gid;
	uint32_t cpu_s; /* processor time */
};

/* 0 or a positive error number. */
int spawn(const struct spawn *program, pid_t *pid);

#endif
