/* SPDX-License-Identifier: BSD-2-Clause */
/* This lbd balances; another program simulates. */
#include "simulation.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool simulation_is_on(void)
{
	return false;
}

/* It stands beside lbd, or where it is installed. */
int simulation_begin(char **argv, const struct simulation_options *options, struct config *config,
		     struct lb_err *err)
{
	static const char *const places[] = {"lbd-simulate", "../lib/lbd/lbd-simulate"};
	char folder[PATH_MAX], path[PATH_MAX + 32];
	ssize_t length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	char *end;

	(void)options;
	(void)config;
	folder[length > 0 ? length : 0] = '\0';
	end = strrchr(folder, '/');
	*(end ? end : folder) = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, places[i]);
		execv(path, argv);
	}
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot run %s: %s", path, strerror(errno));
}

int simulation_fail(const struct lb_addr *backend, bool fails, struct lb_err *err)
{
	(void)backend;
	(void)fails;
	lb_err_set(err, LB_ERR_REFUSED, "", "this lbd balances, and does not simulate");
	return lb_err_hint(err, "a simulation is begun by: lbd --simulate --config FILE");
}
