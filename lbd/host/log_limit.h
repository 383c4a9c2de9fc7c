/* SPDX-License-Identifier: BSD-2-Clause */
/* May this message still be written? A token bucket for each kind of message, so that a flood of
 * one kind hides none of another. Pure: the time goes in. */
#ifndef LB_LOG_LIMIT_H
#define LB_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_BURST 200u   /* lines at once */
#define LOG_PER_SECOND 5 /* and from then on */

struct log_limit {
	uint32_t spent;      /* of LOG_BURST; zeroed memory is a full bucket */
	int64_t refilled_ms; /* when `spent` was last brought down */
	uint32_t suppressed; /* messages that nobody has been told of */
	int worst;           /* the lowest (most severe) level among those */
};

/* Whether a message of `level` may be written at now_ms, by a clock that does not jump. If not, it
 * is counted. */
bool log_limit_take(struct log_limit *limit, int level, int64_t now_ms);
/* Counts a message that could not be written for another reason. */
void log_limit_lost(struct log_limit *limit, int level);

#endif
