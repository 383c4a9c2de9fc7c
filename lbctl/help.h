/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbctl explain itself? Everything is made from the command table. */
#ifndef LBCTL_HELP_H
#define LBCTL_HELP_H

#include "output.h"

enum exit_code help_run(const struct invocation *invocation, struct output *output);
void man_print(FILE *out); /* the whole manual page, roff */

enum exit_code completion_run(const struct invocation *invocation, struct output *output);
/* What the completion script calls: `lbctl COMPLETION_WORD WORD…`, the last word being the one to
 * complete. */
#define COMPLETION_WORD "__complete"
void completion_candidates(FILE *out, int count, char *const *words);

#endif
