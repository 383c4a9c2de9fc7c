/* SPDX-License-Identifier: BSD-2-Clause */
/* May this message still be written? */
#include "log_limit.h"

static void refill(struct log_limit *limit, int64_t now_ms)
{
	int64_t tokens = (now_ms - limit->refilled_ms) * LOG_PER_SECOND / 1000;

	if (!limit->spent || tokens >= limit->spent) {
		limit->spent = 0;
		limit->refilled_ms = now_ms;
	} else if (tokens > 0) { /* what is left of a token goes on counting */
		limit->spent -= (uint32_t)tokens;
		limit->refilled_ms += tokens * 1000 / LOG_PER_SECOND;
	}
}

bool log_limit_take(struct log_limit *limit, int level, int64_t now_ms)
{
	refill(limit, now_ms);
	if (limit->spent < LOG_BURST) {
		limit->spent++;
		return true;
	}
	log_limit_lost(limit, level);
	return false;
}

void log_limit_lost(struct log_limit *limit, int level)
{
	if (!limit->suppressed || level < limit->worst)
		limit->worst = level;
	limit->suppressed++;
}
