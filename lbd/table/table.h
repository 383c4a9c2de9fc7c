/* SPDX-License-Identifier: BSD-2-Clause */
/* Slot tables: which member owns each slot of a VIP. Pure; no I/O, no clock, no randomness.
 *
 * The result is a function of the set of (identity, weight), the size and the seed alone: not of
 * the order of `members`, not of member numbers, not of any earlier table, and not of the machine
 * (no floating point whose result may differ between machines or compilers).
 *
 * Rendezvous: each slot prefers members by weighted rendezvous hashing (rank.h), and gets the
 * best one that the bounds on every member's number of slots allow (match.h): at most 1.02 of
 * its share in whole slots, at least 0.98, or 40 slots less than the share where that is less. So
 * weights hold within 2 % where shares are 2,000 slots or more. Maglev: maglev.c.
 *
 * Cost of 65,537 slots on one core of a current server: rendezvous about 1.4 ns for each pair of
 * slot and member (100 members 13 ms, 1,000 members 90 ms), an update by one member 3 to 12 ms;
 * Maglev 2 to 5 ms, always from scratch. Beyond about one member for each ten slots rendezvous
 * takes seconds. Memory: a table keeps 4 bytes a slot (Maglev: 2) and 28 a member; an update takes
 * 36 a slot and 74 a member more in passing.
 *
 * Sources: D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates"
 * (rendezvous, 1998); weights as exponential variables of that rate (rank.h); bounded loads
 * after V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent hashing with bounded loads" (2018);
 * D. Eisenbud et al., "Maglev", NSDI 2016, section 3.4.
 */
#ifndef LB_TABLE_H
#define LB_TABLE_H

#include <stdint.h>
#include <stddef.h>
#include "../api/model.h"

struct table_member {
	struct lb_addr address; /* identity: what is hashed; unique among the members */
	uint32_t weight;        /* 0 … LB_WEIGHT_MAX; 0 owns no slot */
	uint16_t number;        /* what is written to out */
};

/* An incremental builder: remembers what it needs to update a table quickly. */
struct table;

struct table *table_new(enum lb_table_kind kind, uint32_t size, const uint64_t seed[2]);
void table_free(struct table *table);
/* The same once more, NULL without memory: to see what an update gives without losing what is. */
struct table *table_copy(const struct table *table);

/* Sets the members and brings the table up to date: owners[i] (see table_owners) is the member's
 * number, or LB_NONE where there is no member with a weight above 0. Gives exactly the table that a
 * new builder would give. 0, or with nothing changed -ENOMEM, or -EINVAL for more than
 * LB_MEMBERS_MAX members. */
int table_update(struct table *table, const struct table_member *members, size_t count);

/* `size` words, valid until the next call on this table. */
const uint16_t *table_owners(const struct table *table);

/* From scratch, into out[size]. Returns what table_update does. */
int table_build(enum lb_table_kind kind, const struct table_member *members, size_t count,
		uint32_t size, const uint64_t seed[2], uint16_t *out);

/* 64 bits that are equal on two nodes exactly when their tables map slots to the same addresses
 * (numbers do not count, they differ between nodes), and the seed is the same. */
uint64_t table_digest(const uint16_t *owners, uint32_t size, const struct table_member *members,
		      size_t count, const uint64_t seed[2]);
/* That of a builder's table, worked out once after each update. 0, or -ENOMEM. */
int table_look(struct table *table, uint64_t *digest);
/* After that: how many slots a member owns. In the order of addresses; *from begins with 0 and moves on. */
uint32_t table_owned(const struct table *table, size_t *from, const struct lb_addr *address);

#endif
