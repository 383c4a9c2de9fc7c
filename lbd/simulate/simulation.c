/* SPDX-License-Identifier: BSD-2-Clause */
/* How does the configuration of a balancer become one for a laptop? */
#include "simulate.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOCKET "lbd-simulate.sock"

static const struct config *config_now;
static struct simulation_options options_now;

bool simulation_is_on(void)
{
	return true;
}

const struct config *simulated_config(void)
{
	return config_now;
}

const struct simulation_options *simulated_options(void)
{
	return &options_now;
}

static int set_socket(const char *path, struct config *config, struct lb_err *err)
{
	if (strlen(path) >= sizeof(config->control_path))
		return lb_err_set(err, LB_ERR_USAGE, "", "the path of the socket is too long: %s",
				  path);
	strcpy(config->control_path, path);
	return 0;
}

/* What is asked of the machine, of groups and of users, is left out. */
int simulation_begin(char **argv, const struct simulation_options *options, struct config *config,
		     struct lb_err *err)
{
	(void)argv;
	config_now = config;
	options_now = *options;
	config->control_group[0] = '\0';
	config->control_group_configured = false;
	config->control_read_only_path[0] = '\0';
	config->otlp.endpoint[0] = '\0'; /* what is made up is not pushed to a collector */
	return set_socket(options->socket ? options->socket : SOCKET, config, err);
}

int simulation_fail(const struct lb_addr *backend, bool fails, struct lb_err *err)
{
	return simulated_fail(backend, fails, err);
}
