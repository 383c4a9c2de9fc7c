/* SPDX-License-Identifier: BSD-2-Clause */
/* Slot tables: which member owns each slot of a VIP. The way in; the two builders are
 * rendezvous.c and maglev.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/abi.h"
#include "table.h"
#include "hash.h"
#include "maglev.h"
#include "rendezvous.h"

struct table {
	enum lb_table_kind kind;
	uint32_t size;
	uint64_t seed[2];
	struct roster *roster; /* of the last update; NULL before the first */
	uint16_t *firsts;      /* rendezvous only */
	uint16_t *owners;
	bool digested; /* since the last update, and slots of the roster are counted */
	uint64_t digest;
};

static int entry_compare(const void *a, const void *b)
{
	const struct roster_entry *x = a, *y = b;

	return lb_addr_compare(&x->address, &y->address);
}

/* Members that can own slots, sorted. NULL without memory. */
static struct roster *roster_new(const struct table_member *members, size_t count)
{
	struct roster *roster = calloc(1, sizeof(*roster) + count * sizeof(roster->entries[0]));

	if (!roster)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (members[i].weight == 0)
			continue;
		roster->entries[roster->count++] = (struct roster_entry){
			.address = members[i].address,
			.weight = members[i].weight,
			.number = members[i].number,
		};
		roster->weight += members[i].weight;
	}
	qsort(roster->entries, roster->count, sizeof(roster->entries[0]), entry_compare);
	return roster;
}

struct table *table_new(enum lb_table_kind kind, uint32_t size, const uint64_t seed[2])
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->kind = kind;
	table->size = size;
	memcpy(table->seed, seed, sizeof(table->seed));
	table->owners = calloc(size, sizeof(*table->owners));
	if (kind == LB_TABLE_RENDEZVOUS)
		table->firsts = calloc(size, sizeof(*table->firsts));
	if (!table->owners || (kind == LB_TABLE_RENDEZVOUS && !table->firsts)) {
		table_free(table);
		return NULL;
	}
	for (uint32_t slot = 0; slot < size; slot++)
		table->owners[slot] = LB_NONE;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	free(table->roster);
	free(table->firsts);
	free(table->owners);
	free(table);
}

static struct roster *roster_copy(const struct roster *roster)
{
	size_t bytes = sizeof(*roster) + roster->count * sizeof(roster->entries[0]);
	struct roster *copy = malloc(bytes);

	return copy ? memcpy(copy, roster, bytes) : NULL;
}

struct table *table_copy(const struct table *table)
{
	struct table *copy = table_new(table->kind, table->size, table->seed);

	if (!copy)
		return NULL;
	memcpy(copy->owners, table->owners, table->size * sizeof(*table->owners));
	if (table->firsts)
		memcpy(copy->firsts, table->firsts, table->size * sizeof(*table->firsts));
	if (table->roster)
		copy->roster = roster_copy(table->roster);
	if (!table->roster || copy->roster)
		return copy;
	table_free(copy);
	return NULL;
}

/* Builders write indices of the roster; callers want the numbers of members. */
static void owners_to_numbers(uint16_t *owners, uint32_t size, const struct roster *roster)
{
	for (uint32_t slot = 0; slot < size; slot++)
		if (owners[slot] != LB_NONE)
			owners[slot] = roster->entries[owners[slot]].number;
}

int table_update(struct table *table, const struct table_member *members, size_t count)
{
	struct roster *roster;
	int err;

	if (count > LB_MEMBERS_MAX)
		return -EINVAL;
	roster = roster_new(members, count);
	if (!roster)
		return -ENOMEM;
	if (table->kind == LB_TABLE_MAGLEV)
		err = maglev_build(roster, table->size, table->seed, table->owners);
	else
		err = rendezvous_update(table->roster, roster, table->size, table->seed,
					table->firsts, table->owners);
	if (err) {
		free(roster);
		return err;
	}
	owners_to_numbers(table->owners, table->size, roster);
	free(table->roster);
	table->roster = roster;
	table->digested = false;
	return 0;
}

const uint16_t *table_owners(const struct table *table)
{
	return table->owners;
}

int table_build(enum lb_table_kind kind, const struct table_member *members, size_t count,
		uint32_t size, const uint64_t seed[2], uint16_t *out)
{
	struct table *table = table_new(kind, size, seed);
	int err;

	if (!table)
		return -ENOMEM;
	err = table_update(table, members, count);
	if (!err)
		memcpy(out, table->owners, size * sizeof(*out));
	table_free(table);
	return err;
}

/* A slot without owner counts as the unset address, which no member has. */
uint64_t table_digest(const uint16_t *owners, uint32_t size, const struct table_member *members,
		      size_t count, const uint64_t seed[2])
{
	static const struct lb_addr nobody;
	uint64_t digest = hash_number(seed, HASH_DIGEST, size);
	const uint64_t no_owner = hash_address(seed, HASH_DIGEST_OWNER, &nobody);
	uint64_t *hashes = malloc((LB_NONE + 1) * sizeof(*hashes)); /* by number */

	if (!hashes)
		return 0;
	for (size_t number = 0; number <= LB_NONE; number++)
		hashes[number] = no_owner;
	for (size_t i = 0; i < count && i < LB_NONE; i++)
		hashes[members[i].number] =
			hash_address(seed, HASH_DIGEST_OWNER, &members[i].address);
	for (uint32_t slot = 0; slot < size; slot++)
		digest = hash_mix(digest ^ hashes[owners[slot]]);
	free(hashes);
	return digest;
}

static int count_slots(const struct table *table)
{
	uint32_t *counts = calloc(LB_NONE + 1, sizeof(*counts)); /* by number */

	if (!counts)
		return -ENOMEM;
	for (uint32_t slot = 0; slot < table->size; slot++)
		counts[table->owners[slot]]++;
	for (size_t i = 0; i < table->roster->count; i++)
		table->roster->entries[i].slots = counts[table->roster->entries[i].number];
	free(counts);
	return 0;
}

/* Members without a weight own no slot, so those that do are enough. */
static int take_digest(struct table *table)
{
	const size_t count = table->roster->count;
	struct table_member *members = calloc(count + 1, sizeof(*members));

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		members[i].address = table->roster->entries[i].address;
		members[i].number = table->roster->entries[i].number;
	}
	table->digest = table_digest(table->owners, table->size, members, count, table->seed);
	free(members);
	return 0;
}

int table_look(struct table *table, uint64_t *digest)
{
	if (!table->digested && (!table->roster || count_slots(table) || take_digest(table)))
		return -ENOMEM;
	table->digested = true;
	*digest = table->digest;
	return 0;
}

uint32_t table_owned(const struct table *table, size_t *from, const struct lb_addr *address)
{
	const struct roster *roster = table->roster;
	int order = 1;

	while (*from < roster->count &&
	       (order = lb_addr_compare(&roster->entries[*from].address, address)) < 0)
		++*from;
	return *from < roster->count && !order ? roster->entries[*from].slots : 0;
}
