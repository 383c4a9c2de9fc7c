// SPDX-License-Identifier: BSD-2-Clause
/* How are verdicts called? */
#include "verdict_text.h"

#include <string.h>

#include "../../bpf/abi.h"

#define ACTION_PASS "pass"
#define ACTION_FORWARD "forward"
#define ACTION_ANSWER "answer"
#define ACTION_DROP "drop"

static const struct verdict_text texts[] = {
#define VERDICT_TEXT(id, name, action, meaning) {name, ACTION_##action, meaning},
	LB_VERDICT_LIST(VERDICT_TEXT)
#undef VERDICT_TEXT
};

const struct verdict_text *verdict_text(uint32_t verdict)
{
	return &texts[verdict];
}

json_t *verdict_json(uint32_t verdict)
{
	return json_pack("{s:s, s:s, s:s}", "name", texts[verdict].name, "action",
			 texts[verdict].action, "meaning", texts[verdict].meaning);
}

uint64_t verdict_mask(const char *name)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < LB_VERDICT_COUNT; i++)
		if (!strcmp(name, texts[i].name) || !strcmp(name, texts[i].action))
			mask |= 1ull << i;
	return mask;
}
