/* SPDX-License-Identifier: BSD-2-Clause */
/* Which prefixes are on which lists, and until when? In memory; what packets meet is worked out from the trie. */
#ifndef LB_SERVICE_LISTED_H
#define LB_SERVICE_LISTED_H

#include "../../bpf/abi.h"
#include "../host/list_file.h"
#include "../plane/guard_trie.h"

#define LISTS_PREFIXES_MAX 1000000u /* over all lists, each counted once */

/* When a prefix leaves a list. The prefix's node in the trie notes the first that it has, plus 1. */
struct expiry {
	struct guard_prefix prefix;
	uint32_t until_s; /* 0: not in use */
	uint32_t next;    /* of the same prefix, on another list; or free; plus 1 */
	uint8_t list;
};

struct listed {
	struct guard_trie trie;
	uint32_t prefixes[LB_GUARD_LISTS_MAX];
	uint32_t leaving[LB_GUARD_LISTS_MAX]; /* of these, that do so by time */
	struct expiry *expiries;
	uint32_t expiry_count, expiry_room, expiry_free; /* free: plus 1 */
	uint32_t expires_s;                              /* the first of them, about; 0: none */
};

/* Every prefix of a list, as changes; NULL without memory. */
struct gathered {
	struct list_change *changes;
	size_t count;
	bool gone;
};

/* As tries have it, and as all else does. */
struct guard_prefix listed_inner(const struct lb_prefix *prefix);
struct lb_prefix listed_outer(const struct guard_prefix *prefix);

/* 1: packets may have to be told; 0 or -ENOMEM. */
int listed_change(struct listed *listed, unsigned int list, const struct list_change *change);
/* Whether the prefix is on the list; *until_s: how long. */
bool listed_has(const struct listed *listed, unsigned int list, const struct lb_prefix *prefix,
		uint32_t *until_s);
/* `gone`: as changes that take them off. `most`: the first so many. */
struct gathered listed_gather(const struct listed *listed, unsigned int list, bool gone,
			      size_t most);
/* Those whose time is over, as changes that take them off. */
struct gathered listed_gather_due(const struct listed *listed, unsigned int list, uint32_t now_s);
/* 0: none leaves by time. */
uint32_t listed_next_expiry(const struct listed *listed);
/* Whether these may come. `leaves`: so many go before. */
int listed_check(const struct listed *listed, const struct list_change *changes, size_t count,
		 size_t leaves, struct lb_err *err);
/* *to, which is empty, becomes the same, but the list has these prefixes and no others. *gone: those that it had.
 * 0 or -ENOMEM. */
int listed_replace(const struct listed *listed, unsigned int list,
		   const struct list_change *changes, size_t count, struct listed *to,
		   struct gathered *gone);
void listed_clear(struct listed *listed);

#endif
