/* SPDX-License-Identifier: BSD-2-Clause */
/* How are counters asked for, once or again and again? */
#ifndef LBCTL_STATS_H
#define LBCTL_STATS_H

#include "output.h"

/* `stats`: totals, or with --rates, --watch what is counted in a second. */
enum exit_code stats_run(const struct invocation *invocation, struct output *output);
/* `top`: a screen of rates; once where standard output is no terminal. */
enum exit_code top_run(const struct invocation *invocation, struct output *output);

#endif
