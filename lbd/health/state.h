/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a backend healthy, given the results of its checks so far? Pure: results and time go in.
 *
 *              first success                    `fall` failures in a row
 *   unknown ------------------> healthy  ------------------------------> unhealthy
 *      |                                <------------------------------     ^
 *      |                                  `rise` successes in a row         |
 *      +--------------------------------------------------------------------+
 *                               first failure
 *
 * The first result decides, so that a new backend, or lbd after a start without memory, is in use
 * or out of it at once. After that only `rise` or `fall` results in a row do, which damps flapping:
 * a backend that fails every other check keeps its state.
 */
#ifndef LB_HEALTH_STATE_H
#define LB_HEALTH_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTH_ERROR_TEXT 200 /* a failure in plain words and the final 0; printable ASCII */

enum health_status { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

/* A moment on both clocks: the monotonic one for durations, wall time (since 1970) to be shown. */
struct health_time {
	int64_t monotonic_ms, wall_ms;
};

enum health_outcome {
	HEALTH_SUCCESS,
	HEALTH_FAILURE,
	/* The check could not be made for a fault of this node (descriptors, memory, ports,
	 * rights, routes): says nothing of the backend, and counts neither way. */
	HEALTH_NOT_MADE,
};

struct health_event {
	enum health_outcome outcome;
	const char *error; /* in plain words; not of a success */
};

struct health_state {
	enum health_status status;
	uint32_t rise, fall;
	uint32_t streak;               /* results in a row that speak against `status` */
	struct health_time since;      /* of `status` */
	char error[HEALTH_ERROR_TEXT]; /* the last one; kept after recovery; "" if there was none */
	struct health_time error_since; /* when that was; all zero if there was none */
	bool not_made;                  /* so the last check was HEALTH_NOT_MADE */
};

/* `start` is what was last known of the backend, and `since_wall_ms` since when; after a start
 * without memory HEALTH_UNKNOWN and 0. A time that is 0 or in the future counts as now. */
void health_state_init(struct health_state *state, uint32_t rise, uint32_t fall,
		       enum health_status start, int64_t since_wall_ms,
		       const struct health_time *now);

/* Takes one result in. Whether `status` has changed. */
bool health_step(struct health_state *state, const struct health_event *event,
		 const struct health_time *now);

const char *health_status_name(enum health_status status); /* "unknown", "healthy", "unhealthy" */

/* What others have sent, or the operator has written, as text for `error`: bytes that are not
 * printable ASCII become "?", an over-long text is cut off. */
void health_printable(const void *bytes, size_t length, char *out, size_t size);

#endif
