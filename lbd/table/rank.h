/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a slot rank the members? By weighted rendezvous hashing: each pair of slot and member
 * draws a number u, uniform in (0, 1), and the slot prefers the member with the least score -ln(u)
 * / weight. A member is then first in its share of the slots (the least of independent exponential
 * variables), and a change of one member changes no slot's order of the others.
 *
 * All arithmetic is on integers. Equal scores, which rounding makes possible, are told apart by the
 * draw and then by the member, so a slot never ranks two members alike.
 */
#ifndef LB_TABLE_RANK_H
#define LB_TABLE_RANK_H

#include <stddef.h>
#include "roster.h"

/* A draw is 1 - u in units of 2^-58: the less, the better for the member. */
#define RANK_DRAW_BITS 58

struct rank_member {
	uint64_t hash;
	uint32_t weight;
	uint16_t index; /* in the roster */
	uint16_t alike; /* it and those right after it in the list that weigh the same */
};

struct rank_place {
	uint64_t score;
	uint64_t draw;
	uint16_t index; /* LB_NONE: nobody */
};

/* Fills list[count] for these roster indices, heaviest first (a good place found early saves work
 * later; the result does not depend on the order). */
void rank_list(struct rank_member *list, size_t count, const struct roster *roster,
	       const uint16_t *indices, const uint64_t seed[2]);

/* What the pair of a slot and a member (rank_member.hash) draws. */
uint64_t rank_draw(uint64_t slot_hash, uint64_t member_hash);
uint64_t rank_score(uint64_t draw, uint32_t weight);
struct rank_place rank_nobody(void);

/* Puts into *best the best of *best and the list; without its score where *best was nobody and all
 * of the list weigh the same, so that nobody else may be put beside it then. */
void rank_best(const struct rank_member *list, size_t count, uint64_t slot_hash,
	       struct rank_place *best);

/* Puts into *next the best of those in the list that come after *after; nobody when there is none. */
void rank_next(const struct rank_member *list, size_t count, uint64_t slot_hash,
	       const struct rank_place *after, struct rank_place *next);

#endif
