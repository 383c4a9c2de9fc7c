/* SPDX-License-Identifier: BSD-2-Clause */
/* Which prefixes are on which lists? The truth that the guard's maps are made of: a path-compressed trie for each
 * family. Pure. 32 bytes a node, at most two nodes a prefix. */
#ifndef LB_GUARD_TRIE_H
#define LB_GUARD_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In host order, from the highest bit of `high` on; IPv4 has 32 bits. Bits beyond the length are 0. */
struct guard_prefix {
	uint64_t high, low;
	uint8_t family; /* 4 or 6 */
	uint8_t length;
};

struct guard_node {
	uint64_t high, low;
	uint32_t child[2]; /* indices; 0: none */
	uint16_t lists;    /* bits by list number; 0: only where two part */
	uint8_t length;
	uint32_t note; /* the owner's own; 0 at first */
};

struct guard_trie {
	struct guard_node *nodes;   /* the first is not used */
	uint32_t count, room, free; /* free: the first of those to be used again, by child[0] */
	uint32_t root[2];           /* IPv4, IPv6 */
	uint32_t listed[2];         /* how many prefixes are on a list */
	uint32_t of_length[2][129]; /* of these, how many have such a length */
};

void guard_trie_clear(struct guard_trie *trie); /* and frees; zeroed is empty */
/* *to, which is empty, becomes the same. 0 or -ENOMEM. */
int guard_trie_copy(const struct guard_trie *trie, struct guard_trie *to);

bool guard_prefix_covers(const struct guard_prefix *outer, const struct guard_prefix *inner);
/* The bits beyond the length become 0. */
void guard_prefix_trim(struct guard_prefix *prefix);

/* Onto lists, or off them. 1: something changed, 0: it was so; -ENOMEM. */
int guard_trie_add(struct guard_trie *trie, const struct guard_prefix *prefix, uint16_t lists);
int guard_trie_del(struct guard_trie *trie, const struct guard_prefix *prefix, uint16_t lists);
/* Of just this prefix; NULL: on no list. Until the next change. */
struct guard_node *guard_trie_find(const struct guard_trie *trie,
				   const struct guard_prefix *prefix);

/* Those on some list that cover the prefix, itself included, the shortest first; how many. */
#define GUARD_COVER_MAX 129
size_t guard_trie_cover(const struct guard_trie *trie, const struct guard_prefix *prefix,
			const struct guard_node *cover[GUARD_COVER_MAX]);
/* The topmost node within the prefix; 0: none. Those below it are within it, too. */
uint32_t guard_trie_within(const struct guard_trie *trie, const struct guard_prefix *prefix);

#endif
