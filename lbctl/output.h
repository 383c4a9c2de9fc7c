/* SPDX-License-Identifier: BSD-2-Clause */
/* Where do results and errors go? One interface, text and JSON behind it.
 *
 * Standard output is collected and written in one go, at the end or where a command makes the
 * operator wait, so that a failed write is seen with its reason.
 */
#ifndef LBCTL_OUTPUT_H
#define LBCTL_OUTPUT_H

#include <stdio.h>
#include <jansson.h>
#include "command.h"

struct output_format;

struct output {
	const struct output_format *format;
	FILE *out; /* what shall appear on standard output */
	char *text;
	size_t size;
	int error; /* the first one of writing; 0: none */
};

int output_open(struct output *output, bool json);
void output_result(struct output *output, const struct invocation *invocation,
		   const json_t *result);
/* Says what went wrong and returns the exit code that goes with it. */
enum exit_code output_error(struct output *output, const struct invocation *invocation,
			    const struct lb_err *err);
/* Writes what there is of standard output by now. */
void output_flush(struct output *output);
/* Writes the rest of it. Returns `code`, or EXIT_REFUSED when that failed for another reason than
 * a reader who left. */
enum exit_code output_close(struct output *output, enum exit_code code);

#endif
