/* SPDX-License-Identifier: BSD-2-Clause */
/* How are verdicts called? */
#ifndef LB_VERDICT_TEXT_H
#define LB_VERDICT_TEXT_H

#include <jansson.h>
#include <stdint.h>

struct verdict_text {
	const char *name;
	const char *action; /* pass, forward, answer, drop */
	const char *meaning;
};

/* `verdict` is below LB_VERDICT_COUNT. */
const struct verdict_text *verdict_text(uint32_t verdict);
/* {"name", "action", "meaning"}, a new reference. */
json_t *verdict_json(uint32_t verdict);
/* The bits of the verdict of that name, or of all with that action; 0: there is none. */
uint64_t verdict_mask(const char *name);

#endif
