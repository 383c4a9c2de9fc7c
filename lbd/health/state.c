/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a backend healthy, given the results of its checks so far? */
#include "state.h"

#include <stdio.h>

const char *health_status_name(enum health_status status)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_HEALTHY] = "healthy",
		[HEALTH_UNHEALTHY] = "unhealthy",
	};

	return names[status];
}

void health_state_init(struct health_state *state, uint32_t rise, uint32_t fall,
		       enum health_status start, int64_t since_wall_ms,
		       const struct health_time *now)
{
	*state = (struct health_state){
		.status = start,
		.rise = rise,
		.fall = fall,
		.since = *now,
	};
	if (since_wall_ms <= 0 || since_wall_ms > now->wall_ms)
		return;
	state->since.wall_ms = since_wall_ms;
	state->since.monotonic_ms = now->monotonic_ms - (now->wall_ms - since_wall_ms);
}

/* How many results in a row against the present status turn it. */
static uint32_t streak_needed(const struct health_state *state)
{
	switch (state->status) {
	case HEALTH_HEALTHY:
		return state->fall;
	case HEALTH_UNHEALTHY:
		return state->rise;
	case HEALTH_UNKNOWN:
		break;
	}
	return 1;
}

static void note_error(struct health_state *state, const struct health_event *event,
		       const struct health_time *now)
{
	snprintf(state->error, sizeof(state->error), "%s", event->error ? event->error : "");
	state->error_since = *now;
}

bool health_step(struct health_state *state, const struct health_event *event,
		 const struct health_time *now)
{
	const enum health_status seen =
		event->outcome == HEALTH_SUCCESS ? HEALTH_HEALTHY : HEALTH_UNHEALTHY;

	if (event->outcome != HEALTH_SUCCESS)
		note_error(state, event, now);
	state->not_made = event->outcome == HEALTH_NOT_MADE;
	if (state->not_made)
		return false;
	if (state->status == seen) {
		state->streak = 0;
		return false;
	}
	if (++state->streak < streak_needed(state))
		return false;
	state->status = seen;
	state->streak = 0;
	state->since = *now;
	return true;
}

void health_printable(const void *bytes, size_t length, char *out, size_t size)
{
	const unsigned char *from = bytes;
	size_t used = 0;

	for (; used < length && used + 1 < size; used++)
		out[used] = from[used] >= ' ' && from[used] <= '~' ? (char)from[used] : '?';
	out[used] = '\0';
}
