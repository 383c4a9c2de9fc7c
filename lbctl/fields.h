/* SPDX-License-Identifier: BSD-2-Clause */
/* Which options does a command get from the tables of fields, and what do they say in JSON? */
#ifndef LBCTL_FIELDS_H
#define LBCTL_FIELDS_H

#include "args.h"

/* Puts the options of command->schema before its others. */
void fields_options(struct command *command);
/* What they said, into `object`: what is made, or what is set of it. */
int fields_add(const struct invocation *invocation, json_t *object, struct lb_err *err);

#endif
