/* SPDX-License-Identifier: BSD-2-Clause */
/* Which member does each slot get, when nobody may have much more or much less than its share?
 *
 * The share of a member is size * weight / (weights of all). Its bounds:
 *
 * Cap: 1.02 * share. A fraction of 3/4 or more is rounded up; a lesser one by a coin of the
 * member's own, up with a probability of 4/3 of the fraction. So as shares grow caps grow one by
 * one. If all grew at the same moment, that would move more than 1 % of the slots where shares are
 * some tens of slots. Where rounding leaves too few places in all (few slots), more caps are
 * rounded up.
 *
 * Floor: 0.98 * share, or share - 40 slots where that is less (shares under 2,000 slots). Closer
 * bounds on small shares would cost more moves at every change than they are worth.
 *
 * Step 1: every slot asks the members in its order of preference. A member that is full keeps the
 * slots that reached it with the fewest refusals, among those the lowest draws, and refuses the
 * others, which go on asking. This is deferred acceptance, so the outcome does not depend on who
 * asks first (D. Gale, L. Shapley, "College admissions and the stability of marriage", 1962), and a
 * small change of members or bounds makes a small change of the outcome. Fewest refusals come first
 * since a slot that was refused then seldom displaces another: chains of moves stay short.
 *
 * Step 2: members left below their floor are filled up to it, in the same way, with what others
 * have beyond their share rounded down: the slots that these would have given up first. There is
 * always enough, as what some have beyond their share others lack.
 */
#ifndef LB_TABLE_MATCH_H
#define LB_TABLE_MATCH_H

#include "rank.h"

/* Where a slot stands: the member it asks or has, and how many refused it before. */
struct match_choice {
	uint64_t draw;
	uint16_t index;
	uint8_t refusals; /* counted up to MATCH_REFUSALS_MAX */
};

struct match;

/* All the memory that a match needs, or NULL. The roster must outlive it and not be empty. */
struct match *match_new(const struct roster *roster, uint32_t size, const uint64_t seed[2]);
void match_free(struct match *match);

/* To be filled before the match runs: each slot's best member whatever the bounds. */
struct match_choice *match_choices(struct match *match);
/* Writes a roster index for each slot. A match runs once. */
void match_run(struct match *match, uint16_t *owners);

#endif
