/* SPDX-License-Identifier: BSD-2-Clause */
/* What has become better or worse about this machine since lbd was started? */
#include "preflight_again.h"

#include <time.h>

#include "preflight.h"

void preflight_again_init(struct preflight_again *again, const struct config *config)
{
	*again = (struct preflight_again){.config = config, .warnings = json_array()};
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static json_t *look(const struct config *config)
{
	json_t *warnings = json_array();
	struct preflight_facts facts;

	preflight_look_only(config, &facts);
	preflight_judge_running(config, &facts, warnings);
	preflight_facts_clear(&facts);
	return warnings;
}

void preflight_warn(struct preflight_again *again, json_t *warnings)
{
	int64_t now = now_ms();

	if (!again->looked_ms || now - again->looked_ms >= PREFLIGHT_AGAIN_MS) {
		json_decref(again->warnings);
		again->warnings = look(again->config);
		again->looked_ms = now;
	}
	json_array_extend(warnings, again->warnings);
}

void preflight_again_clear(struct preflight_again *again)
{
	json_decref(again->warnings);
	again->warnings = NULL;
}
