/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbctl ask etcd? */
#include "tier.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Beside lbctl in a build, in the folder for daemons where it is installed. */
static const char *const places[] = {"lbd-tier", "../sbin/lbd-tier"};

/* Returns where it cannot be run. It reads the same words again. */
static void run_beside(const char *place, char *const *argv)
{
	char path[PATH_MAX + 32];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	char *name;

	if (length <= 0)
		return;
	path[length] = '\0';
	name = strrchr(path, '/');
	snprintf(name ? name + 1 : path, 32, "%s", place);
	execv(path, argv);
}

enum exit_code tier_run(const struct invocation *invocation, struct output *output)
{
	struct lb_err err = {0};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		run_beside(places[i], invocation->argv);
	lb_err_set(&err, LB_ERR_SYSTEM, "", "cannot run lbd-tier: %s", strerror(errno));
	lb_err_hint(&err, "install it: it is in the package lbd-tier");
	return output_error(output, invocation, &err);
}
