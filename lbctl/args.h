/* SPDX-License-Identifier: BSD-2-Clause */
/* What did the operator ask for? A command line in, a command with its arguments and options out.
 * Pure. */
#ifndef LBCTL_ARGS_H
#define LBCTL_ARGS_H

#include "command.h"

/* All texts belong to argv. */
struct invocation {
	const struct command
		*command; /* also set on failure where it got that far, for the usage line */
	const char *arguments[ARGUMENTS_MAX];
	const char *values[OPTIONS_MAX]; /* as command->options; NULL: not given; "" for a flag */
	const char *socket;
	bool json;         /* right on failure, too */
	char *const *argv; /* as it was given */
};

/* 0, or -EINVAL with an LB_ERR_USAGE error. --help becomes the command `help` with the words as its
 * arguments. */
int args_parse(int argc, char *const *argv, struct invocation *out, struct lb_err *err);

/* The value of an option of the command; NULL where it was not given. */
const char *invocation_option(const struct invocation *invocation, const char *name);

#endif
