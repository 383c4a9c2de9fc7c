/* SPDX-License-Identifier: BSD-2-Clause */
/* Which prefixes are on which lists? */
#include "guard_trie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- prefixes --- */

static uint64_t mask(unsigned int bits)
{
	return bits ? ~0ull << (64 - bits) : 0;
}

void guard_prefix_trim(struct guard_prefix *prefix)
{
	prefix->high &= mask(prefix->length < 64 ? prefix->length : 64);
	prefix->low &= mask(prefix->length > 64 ? prefix->length - 64u : 0);
}

/* How many bits two have in common, at most `most`. */
static unsigned int common(const struct guard_prefix *a, const struct guard_node *b,
			   unsigned int most)
{
	unsigned int bits = 128;

	if (a->high != b->high)
		bits = (unsigned int)__builtin_clzll(a->high ^ b->high);
	else if (a->low != b->low)
		bits = 64 + (unsigned int)__builtin_clzll(a->low ^ b->low);
	return bits < most ? bits : most;
}

static unsigned int bit_of(uint64_t high, uint64_t low, unsigned int at)
{
	return at < 64 ? high >> (63 - at) & 1 : low >> (127 - at) & 1;
}

bool guard_prefix_covers(const struct guard_prefix *outer, const struct guard_prefix *inner)
{
	struct guard_prefix cut = *inner;

	if (outer->family != inner->family || outer->length > inner->length)
		return false;
	cut.length = outer->length;
	guard_prefix_trim(&cut);
	return cut.high == outer->high && cut.low == outer->low;
}

static bool covers(const struct guard_node *node, const struct guard_prefix *prefix)
{
	return node->length <= prefix->length && common(prefix, node, node->length) == node->length;
}

/* --- nodes --- */

/* Room for so many more, so that none moves while they are taken. */
static int reserve(struct guard_trie *trie, uint32_t more)
{
	const uint32_t room = trie->room ? trie->room * 2 : 64;
	void *nodes;

	if (trie->room && trie->count + more <= trie->room)
		return 0;
	nodes = reallocarray(trie->nodes, room, sizeof(*trie->nodes));
	if (!nodes)
		return -ENOMEM;
	trie->nodes = nodes;
	trie->room = room;
	if (!trie->count)
		trie->count = 1;
	return 0;
}

static uint32_t take(struct guard_trie *trie, const struct guard_prefix *prefix,
		     unsigned int length)
{
	struct guard_prefix own = *prefix;
	uint32_t number = trie->free;

	if (number)
		trie->free = trie->nodes[number].child[0];
	else
		number = trie->count++;
	own.length = (uint8_t)length;
	guard_prefix_trim(&own);
	trie->nodes[number] =
		(struct guard_node){.high = own.high, .low = own.low, .length = own.length};
	return number;
}

static void give_back(struct guard_trie *trie, uint32_t number)
{
	trie->nodes[number] = (struct guard_node){.child = {trie->free}};
	trie->free = number;
}

void guard_trie_clear(struct guard_trie *trie)
{
	free(trie->nodes);
	*trie = (struct guard_trie){0};
}

int guard_trie_copy(const struct guard_trie *trie, struct guard_trie *to)
{
	void *nodes = calloc(trie->room + 1, sizeof(*trie->nodes));

	if (!nodes)
		return -ENOMEM;
	*to = *trie;
	to->nodes = nodes;
	if (trie->count)
		memcpy(nodes, trie->nodes, trie->count * sizeof(*trie->nodes));
	return 0;
}

static unsigned int family_of(const struct guard_prefix *prefix)
{
	return prefix->family == 6;
}

static void count(struct guard_trie *trie, const struct guard_prefix *prefix, bool more)
{
	trie->listed[family_of(prefix)] += more ? 1 : -1u;
	trie->of_length[family_of(prefix)][prefix->length] += more ? 1 : -1u;
}

/* --- changes --- */

/* The node of the prefix, made where there is none. */
static struct guard_node *make(struct guard_trie *trie, const struct guard_prefix *prefix)
{
	uint32_t *at = &trie->root[family_of(prefix)];
	uint32_t own, fork;
	unsigned int same = 0;

	for (; *at; at = &trie->nodes[*at].child[bit_of(prefix->high, prefix->low, same)]) {
		const struct guard_node *node = &trie->nodes[*at];

		same = common(prefix, node,
			      prefix->length < node->length ? prefix->length : node->length);
		if (same < node->length)
			break;
		if (node->length == prefix->length)
			return &trie->nodes[*at];
	}
	own = take(trie, prefix, prefix->length);
	if (*at && same < prefix->length) {
		fork = take(trie, prefix, same);
		trie->nodes[fork].child[bit_of(prefix->high, prefix->low, same)] = own;
		trie->nodes[fork].child[!bit_of(prefix->high, prefix->low, same)] = *at;
		*at = fork;
	} else {
		if (*at) {
			const struct guard_node *below = &trie->nodes[*at];

			trie->nodes[own].child[bit_of(below->high, below->low, prefix->length)] =
				*at;
		}
		*at = own;
	}
	return &trie->nodes[own];
}

int guard_trie_add(struct guard_trie *trie, const struct guard_prefix *prefix, uint16_t lists)
{
	struct guard_node *node;

	if (reserve(trie, 2))
		return -ENOMEM;
	node = make(trie, prefix);
	if ((node->lists & lists) == lists)
		return 0;
	if (!node->lists)
		count(trie, prefix, true);
	node->lists |= lists;
	return 1;
}

/* One that is on no list and does not part two goes. */
static void shrink(struct guard_trie *trie, uint32_t *at)
{
	const struct guard_node *node = &trie->nodes[*at];
	const uint32_t number = *at;

	if (node->lists || (node->child[0] && node->child[1]))
		return;
	*at = node->child[0] ? node->child[0] : node->child[1];
	give_back(trie, number);
}

int guard_trie_del(struct guard_trie *trie, const struct guard_prefix *prefix, uint16_t lists)
{
	uint32_t *at = &trie->root[family_of(prefix)], *above = NULL;
	struct guard_node *node;

	for (;; at = &node->child[bit_of(prefix->high, prefix->low, node->length)]) {
		if (!*at)
			return 0;
		node = &trie->nodes[*at];
		if (!covers(node, prefix))
			return 0;
		if (node->length == prefix->length)
			break;
		above = at;
	}
	if (!(node->lists & lists))
		return 0;
	node->lists &= ~lists;
	if (node->lists)
		return 1;
	count(trie, prefix, false);
	shrink(trie, at);
	if (above)
		shrink(trie, above);
	return 1;
}

/* --- questions --- */

static uint32_t root_of(const struct guard_trie *trie, const struct guard_prefix *prefix)
{
	return trie->root[family_of(prefix)];
}

size_t guard_trie_cover(const struct guard_trie *trie, const struct guard_prefix *prefix,
			const struct guard_node *cover[GUARD_COVER_MAX])
{
	uint32_t at = root_of(trie, prefix);
	size_t found = 0;

	while (at && covers(&trie->nodes[at], prefix)) {
		const struct guard_node *node = &trie->nodes[at];

		if (node->lists)
			cover[found++] = node;
		if (node->length == prefix->length)
			break;
		at = node->child[bit_of(prefix->high, prefix->low, node->length)];
	}
	return found;
}

uint32_t guard_trie_within(const struct guard_trie *trie, const struct guard_prefix *prefix)
{
	uint32_t at = root_of(trie, prefix);

	while (at && trie->nodes[at].length < prefix->length) {
		const struct guard_node *node = &trie->nodes[at];

		if (!covers(node, prefix))
			return 0;
		at = node->child[bit_of(prefix->high, prefix->low, node->length)];
	}
	if (!at || common(prefix, &trie->nodes[at], prefix->length) < prefix->length)
		return 0;
	return at;
}

struct guard_node *guard_trie_find(const struct guard_trie *trie, const struct guard_prefix *prefix)
{
	const uint32_t at = guard_trie_within(trie, prefix);

	if (!at || trie->nodes[at].length != prefix->length || !trie->nodes[at].lists)
		return NULL;
	return &trie->nodes[at];
}
