/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a rendezvous table brought up to date? */
#ifndef LB_TABLE_RENDEZVOUS_H
#define LB_TABLE_RENDEZVOUS_H

#include "match.h"

/* Brings firsts[size] (the index of each slot's best member, whatever the bounds) from the roster
 * `old` to the roster `next`, and writes roster indices into owners[size]. `old` NULL: from
 * scratch, firsts need not be initialized. 0, or -ENOMEM with nothing changed. */
int rendezvous_update(const struct roster *old, const struct roster *next, uint32_t size,
		      const uint64_t seed[2], uint16_t *firsts, uint16_t *owners);

#endif
