/* SPDX-License-Identifier: BSD-2-Clause */
/* How many packets were lost at backends? Those that run lbd-backend are asked (bpf/second_question.h):
 * each every 5 s, by a datagram of this host's own. What they answer is told, and changes nothing.
 *
 * An answer counts when it comes from the address that was asked and has the number that the question
 * had, so nobody forges one who does not see the questions. */
#ifndef LB_LOSSES_H
#define LB_LOSSES_H

#include <stdbool.h>
#include <stdint.h>
#include "../api/addr.h"

#define LOSSES_ASK_MS 5000

struct event_base;
struct losses;

struct losses_view {
	uint64_t lost;    /* packets that no backend has a connection of, since then */
	int64_t since_ms; /* the first answer, by the wall clock; 0: there was none yet */
	bool silent;      /* the last two questions were not answered */
};

/* For members with numbers below `members`. NULL without memory. */
struct losses *losses_new(struct event_base *base, uint32_t members);
/* NULL is fine, here and below: nobody is asked. */
void losses_free(struct losses *losses);

/* From now on it is asked at this address; NULL: no more, and its counts are forgotten. Without memory it
 * is not asked. */
void losses_ask(struct losses *losses, uint16_t number, const struct lb_addr *address);
/* Until then it looks at packets without a list, too; it is told at once. By the monotonic clock. */
void losses_watch(struct losses *losses, uint16_t number, int64_t until_ms);
/* False: it is not asked. */
bool losses_get(const struct losses *losses, uint16_t number, struct losses_view *out);

#endif
