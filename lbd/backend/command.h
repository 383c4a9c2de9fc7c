/* SPDX-License-Identifier: BSD-2-Clause */
/* Running `ip`, `tc` and `modprobe`. */
#ifndef BACKEND_COMMAND_H
#define BACKEND_COMMAND_H

#include <stddef.h>

#define COMMAND_OUTPUT 512

/* The words of a line, divided by single spaces, become a command. Its exit status, or -errno. What it
 * writes goes to `output`, cut off; NULL: nowhere. */
int command_run(const char *line, char output[COMMAND_OUTPUT]);

#endif
