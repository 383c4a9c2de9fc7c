/* SPDX-License-Identifier: BSD-2-Clause */
/* Which prefixes are on which lists, and until when? See listed.h. */
#include "listed.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../plane/guard_flat.h"

/* --- prefixes, of the two shapes --- */

struct guard_prefix listed_inner(const struct lb_prefix *prefix)
{
	struct guard_prefix out = {.family = prefix->address.family, .length = prefix->length};
	uint64_t words[2];

	memcpy(words, prefix->address.bytes, sizeof(words));
	out.high = be64toh(words[0]);
	out.low = be64toh(words[1]);
	return out;
}

struct lb_prefix listed_outer(const struct guard_prefix *prefix)
{
	const uint64_t words[2] = {htobe64(prefix->high), htobe64(prefix->low)};
	struct lb_prefix out = {.address.family = prefix->family, .length = prefix->length};

	memcpy(out.address.bytes, words, prefix->family == 4 ? 4 : 16);
	return out;
}

/* --- until when --- */

static void drop_expiry(struct listed *listed, struct guard_node *node, unsigned int list)
{
	uint32_t *at = &node->note;

	while (*at && listed->expiries[*at - 1].list != list)
		at = &listed->expiries[*at - 1].next;
	if (*at) {
		const uint32_t number = *at;
		struct expiry *expiry = &listed->expiries[number - 1];

		*at = expiry->next;
		*expiry = (struct expiry){.next = listed->expiry_free};
		listed->expiry_free = number;
		listed->leaving[list]--;
	}
}

static int take_expiry(struct listed *listed)
{
	const uint32_t room = 2 * listed->expiry_room + 64;
	void *more;

	if (listed->expiry_free) {
		const uint32_t number = listed->expiry_free;

		listed->expiry_free = listed->expiries[number - 1].next;
		return (int)number;
	}
	if (listed->expiry_count == listed->expiry_room) {
		more = reallocarray(listed->expiries, room, sizeof(*listed->expiries));
		if (!more)
			return -ENOMEM;
		listed->expiries = more;
		listed->expiry_room = room;
	}
	return (int)++listed->expiry_count;
}

static int set_expiry(struct listed *listed, const struct guard_prefix *prefix, unsigned int list,
		      uint32_t until_s)
{
	struct guard_node *node = guard_trie_find(&listed->trie, prefix);
	int number;

	drop_expiry(listed, node, list);
	if (!until_s)
		return 0;
	number = take_expiry(listed);
	if (number < 0)
		return number;
	listed->expiries[number - 1] = (struct expiry){*prefix, until_s, node->note, list};
	node->note = (uint32_t)number;
	listed->leaving[list]++;
	if (!listed->expires_s || until_s < listed->expires_s)
		listed->expires_s = until_s;
	return 0;
}

/* --- changes --- */

int listed_change(struct listed *listed, unsigned int list, const struct list_change *change)
{
	const struct guard_prefix prefix = listed_inner(&change->prefix);
	const uint16_t bit = 1u << list;
	struct guard_node *node = guard_trie_find(&listed->trie, &prefix);
	int changed;

	if (change->gone) {
		if (node)
			drop_expiry(listed, node, list);
		changed = guard_trie_del(&listed->trie, &prefix, bit);
		listed->prefixes[list] -= changed > 0;
		return changed;
	}
	changed = guard_trie_add(&listed->trie, &prefix, bit);
	if (changed < 0)
		return changed;
	listed->prefixes[list] += changed > 0;
	return set_expiry(listed, &prefix, list, change->until_s) ? -ENOMEM : changed;
}

static uint32_t until_of(const struct listed *listed, const struct guard_node *node,
			 unsigned int list)
{
	uint32_t at = node->note;

	while (at && listed->expiries[at - 1].list != list)
		at = listed->expiries[at - 1].next;
	return at ? listed->expiries[at - 1].until_s : 0;
}

bool listed_has(const struct listed *listed, unsigned int list, const struct lb_prefix *prefix,
		uint32_t *until_s)
{
	const struct guard_prefix inner = listed_inner(prefix);
	const struct guard_node *node = guard_trie_find(&listed->trie, &inner);

	if (!node || !(node->lists >> list & 1))
		return false;
	*until_s = until_of(listed, node, list);
	return true;
}

static void gather_from(const struct listed *listed, uint32_t at, uint8_t family, unsigned int list,
			size_t most, struct gathered *out)
{
	const struct guard_node *node;
	struct guard_prefix prefix;

	if (!at || out->count == most)
		return;
	node = &listed->trie.nodes[at];
	prefix = (struct guard_prefix){node->high, node->low, family, node->length};
	if (node->lists >> list & 1) {
		struct list_change *change = &out->changes[out->count++];

		*change = (struct list_change){.prefix = listed_outer(&prefix),
					       .until_s = until_of(listed, node, list),
					       .gone = out->gone};
	}
	gather_from(listed, node->child[0], family, list, most, out);
	gather_from(listed, node->child[1], family, list, most, out);
}

struct gathered listed_gather(const struct listed *listed, unsigned int list, bool gone,
			      size_t most)
{
	const size_t count = listed->prefixes[list] < most ? listed->prefixes[list] : most;
	struct gathered all = {.gone = gone};

	all.changes = calloc(count + 1, sizeof(*all.changes));
	if (!all.changes)
		return all;
	gather_from(listed, listed->trie.root[0], 4, list, count, &all);
	gather_from(listed, listed->trie.root[1], 6, list, count, &all);
	return all;
}

struct gathered listed_gather_due(const struct listed *listed, unsigned int list, uint32_t now_s)
{
	struct gathered due = {.gone = true};

	due.changes = calloc(listed->leaving[list] + 1, sizeof(*due.changes));
	for (uint32_t i = 0; due.changes && i < listed->expiry_count; i++) {
		const struct expiry *expiry = &listed->expiries[i];

		if (expiry->until_s && expiry->until_s <= now_s && expiry->list == list)
			due.changes[due.count++] = (struct list_change){
				.prefix = listed_outer(&expiry->prefix), .gone = true};
	}
	return due;
}

uint32_t listed_next_expiry(const struct listed *listed)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < listed->expiry_count; i++) {
		const uint32_t until_s = listed->expiries[i].until_s;

		if (until_s && (!next || until_s < next))
			next = until_s;
	}
	return next;
}

/* --- another whole --- */

static int copy(const struct listed *listed, struct listed *to)
{
	void *expiries = calloc(listed->expiry_room + 1, sizeof(*listed->expiries));

	*to = *listed;
	to->trie = (struct guard_trie){0};
	to->expiries = expiries;
	if (!expiries || guard_trie_copy(&listed->trie, &to->trie))
		return -ENOMEM;
	if (listed->expiry_count)
		memcpy(expiries, listed->expiries,
		       listed->expiry_count * sizeof(*listed->expiries));
	return 0;
}

int listed_replace(const struct listed *listed, unsigned int list,
		   const struct list_change *changes, size_t count, struct listed *to,
		   struct gathered *gone)
{
	int error = copy(listed, to);

	*gone = (struct gathered){0};
	if (!error)
		*gone = listed_gather(to, list, true, SIZE_MAX);
	if (!error && !gone->changes)
		error = -ENOMEM;
	for (size_t i = 0; i < gone->count && error >= 0; i++)
		error = listed_change(to, list, &gone->changes[i]);
	for (size_t i = 0; i < count && error >= 0; i++)
		error = listed_change(to, list, &changes[i]);
	if (error >= 0)
		return 0;
	free(gone->changes);
	*gone = (struct gathered){0};
	listed_clear(to);
	return error;
}

/* --- limits --- */

static unsigned int lengths6(const struct guard_trie *trie)
{
	unsigned int count = 0;

	for (unsigned int length = 0; length <= 128; length++)
		count += trie->of_length[1][length] != 0;
	return count;
}

static int check_length(const struct listed *listed, const struct lb_prefix *prefix,
			struct lb_err *err)
{
	const unsigned int least =
		prefix->address.family == 4 ? GUARD_LENGTH4_MIN : GUARD_LENGTH6_MIN;
	char text[LB_PREFIX_TEXT];

	if (prefix->length < least) {
		lb_err_set(err, LB_ERR_PARAMS, "prefixes", "%s is shorter than /%u",
			   lb_prefix_format(prefix, text), least);
		return lb_err_hint(err, "list the /%u prefixes within it that are meant", least);
	}
	if (prefix->address.family == 6 && !listed->trie.of_length[1][prefix->length] &&
	    lengths6(&listed->trie) >= LB_GUARD_LENGTHS6)
		return lb_err_set(err, LB_ERR_LIMIT, "prefixes",
				  "%s: IPv6 prefixes of %u other lengths are on lists already",
				  lb_prefix_format(prefix, text), LB_GUARD_LENGTHS6);
	return 0;
}

/* Of many prefixes that come at once some may bring the lengths of others; the count is then of no help, and
 * the lengths that come are counted themselves. */
int listed_check(const struct listed *listed, const struct list_change *changes, size_t count,
		 size_t leaves, struct lb_err *err)
{
	bool fresh[129] = {false};
	unsigned int more = 0;
	size_t added = 0;

	for (size_t i = 0; i < count; i++) {
		const struct lb_prefix *prefix = &changes[i].prefix;

		if (changes[i].gone)
			continue;
		if (check_length(listed, prefix, err))
			return -EINVAL;
		added++;
		if (prefix->address.family == 6 && !listed->trie.of_length[1][prefix->length] &&
		    !fresh[prefix->length]) {
			fresh[prefix->length] = true;
			more++;
		}
	}
	if (lengths6(&listed->trie) + more > LB_GUARD_LENGTHS6)
		return lb_err_set(err, LB_ERR_LIMIT, "prefixes",
				  "IPv6 prefixes would have more than %u lengths",
				  LB_GUARD_LENGTHS6);
	if (added + listed->trie.listed[0] + listed->trie.listed[1] > LISTS_PREFIXES_MAX + leaves)
		return lb_err_set(err, LB_ERR_LIMIT, "prefixes",
				  "lists would have more than %u prefixes", LISTS_PREFIXES_MAX);
	return 0;
}

/* --- life --- */

void listed_clear(struct listed *listed)
{
	guard_trie_clear(&listed->trie);
	free(listed->expiries);
	*listed = (struct listed){0};
}
