/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay_tables.h"

#include <stdlib.h>
#include <string.h>
#include "../host/worker.h"

#define KEPT_MS 10000

struct kept {
	struct replay_table_key key;
	uint16_t *owners;
	struct kept *next;
};

struct replay_tables {
	struct timers timers;
	struct timer *timer;
	uint64_t seed[2];
	struct kept *first;
	size_t bytes, room_bytes;
	bool in_use;
};

static void free_kept(struct kept *kept)
{
	free(kept->key.members);
	free(kept->owners);
	free(kept);
}

static void drop_all(struct replay_tables *tables)
{
	while (tables->first) {
		struct kept *kept = tables->first;

		tables->first = kept->next;
		free_kept(kept);
	}
	tables->bytes = 0;
}

static void on_time(void *user)
{
	struct replay_tables *tables = user;

	if (!tables->in_use)
		drop_all(tables);
}

static bool is_same_member(const struct table_member *a, const struct table_member *b)
{
	return a->weight == b->weight && a->number == b->number &&
	       lb_addr_compare(&a->address, &b->address) == 0;
}

static bool is_same(const struct replay_table_key *a, const struct replay_table_key *b)
{
	if (a->kind != b->kind || a->size != b->size || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!is_same_member(&a->members[i], &b->members[i]))
			return false;
	return true;
}

static struct kept *build(const struct replay_tables *tables, const struct replay_table_key *key)
{
	struct kept *kept = calloc(1, sizeof(*kept));
	int error = 0;

	if (!kept)
		return NULL;
	kept->key = *key;
	kept->owners = calloc(key->size, sizeof(*kept->owners));
	worker_leave();
	if (kept->owners)
		error = table_build(key->kind, key->members, key->count, key->size, tables->seed,
				    kept->owners);
	worker_enter();
	if (kept->owners && !error)
		return kept;
	kept->key.members = NULL; /* the caller's still */
	free_kept(kept);
	return NULL;
}

const uint16_t *replay_tables_get(struct replay_tables *tables, const struct replay_table_key *key)
{
	struct kept *kept = tables->first;

	while (kept && !is_same(&kept->key, key))
		kept = kept->next;
	if (kept) {
		free(key->members);
		return kept->owners;
	}
	kept = build(tables, key);
	if (!kept) {
		free(key->members);
		return NULL;
	}
	kept->next = tables->first;
	tables->first = kept;
	tables->bytes += key->size * sizeof(*kept->owners);
	return kept->owners;
}

void replay_tables_begin(struct replay_tables *tables)
{
	tables->in_use = true;
}

void replay_tables_end(struct replay_tables *tables)
{
	tables->in_use = false;
	if (tables->bytes > tables->room_bytes)
		drop_all(tables);
	if (tables->first)
		tables->timers.set(tables->timer, KEPT_MS);
}

struct replay_tables *replay_tables_new(const struct timers *timers, const uint64_t seed[2],
					size_t room_bytes)
{
	struct replay_tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return NULL;
	tables->timers = *timers;
	tables->room_bytes = room_bytes;
	memcpy(tables->seed, seed, sizeof(tables->seed));
	tables->timer = timers->add(timers->base, on_time, tables);
	if (tables->timer)
		return tables;
	free(tables);
	return NULL;
}

void replay_tables_free(struct replay_tables *tables)
{
	if (!tables)
		return;
	tables->timers.free(tables->timer);
	drop_all(tables);
	free(tables);
}
