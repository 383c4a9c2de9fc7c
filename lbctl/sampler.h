/* SPDX-License-Identifier: BSD-2-Clause */
/* What is counted from one moment to the next? Asks lbd again and again, until it is interrupted. */
#ifndef LBCTL_SAMPLER_H
#define LBCTL_SAMPLER_H

#include <stdbool.h>
#include <jansson.h>
#include "args.h"
#include "../lbd/api/err.h"

struct sampler {
	const struct invocation *invocation;
	const char *vip; /* NULL: all */
	long long interval_ms;
	json_t *last;
};

/* Takes --interval, asks for the first time, and has SIGINT and SIGTERM end what waits. 0 or
 * -EINVAL. */
int sampler_open(struct sampler *sampler, const struct invocation *invocation, const char *vip,
		 struct lb_err *err);
/* After the interval: 1 and *result (borrowed until the next call), a result of stats with rates;
 * 0: it was interrupted; -EINVAL. */
int sampler_next(struct sampler *sampler, const json_t **result, struct lb_err *err);
void sampler_close(struct sampler *sampler);

#endif
