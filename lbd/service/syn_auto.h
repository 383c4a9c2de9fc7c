/* SPDX-License-Identifier: BSD-2-Clause */
/* Should the SYNs of a VIP with syn_guard auto be answered now? Pure: rates and times go in.
 *
 * On at once when more than `above` SYNs a second come. Off when less than half of that has come for as long as
 * the hold time: 5 s, twice as long each time that it comes on again within a minute, at most a minute. */
#ifndef LB_SERVICE_SYN_AUTO_H
#define LB_SERVICE_SYN_AUTO_H

#include <stdbool.h>
#include <stdint.h>

#define SYN_AUTO_HOLD_MS 5000
#define SYN_AUTO_HOLD_MAX_MS 60000

/* All 0: off, and never on before. Times are of one clock, and above 0. */
struct syn_auto {
	bool on;
	int64_t hold_ms;
	int64_t busy_ms; /* when there last were too many to go off */
	int64_t off_ms;  /* when it last went off; 0: never */
};

/* `rate`: of the time since it was last asked. True: it has changed. */
static inline bool syn_auto_step(struct syn_auto *state, uint32_t above, uint64_t rate,
				 int64_t now_ms)
{
	if (rate > (state->on ? above / 2 : above))
		state->busy_ms = now_ms;
	if (!state->on && state->busy_ms == now_ms) {
		const bool soon = state->off_ms && now_ms - state->off_ms < SYN_AUTO_HOLD_MAX_MS;

		state->hold_ms = soon ? state->hold_ms * 2 : SYN_AUTO_HOLD_MS;
		if (state->hold_ms > SYN_AUTO_HOLD_MAX_MS)
			state->hold_ms = SYN_AUTO_HOLD_MAX_MS;
		state->on = true;
		return true;
	}
	if (state->on && now_ms - state->busy_ms >= state->hold_ms) {
		state->on = false;
		state->off_ms = now_ms;
		return true;
	}
	return false;
}

#endif
