/* SPDX-License-Identifier: BSD-2-Clause */
/* Which tables has a replay built, so that its next batch finds them?
 *
 * A replay comes as many requests with the same document. A table is a function of its members, so one that is kept
 * is right for whatever asks for it. They are kept for a moment after the last request only. */
#ifndef LB_REPLAY_TABLES_H
#define LB_REPLAY_TABLES_H

#include "../host/timers.h"
#include "../table/table.h"

struct replay_tables;

/* What is asked for: what table_build is given. */
struct replay_table_key {
	enum lb_table_kind kind;
	uint32_t size;
	struct table_member *members;
	size_t count;
};

/* room_bytes: more is not kept beyond a request. NULL without memory. */
struct replay_tables *replay_tables_new(const struct timers *timers, const uint64_t seed[2],
					size_t room_bytes);
void replay_tables_free(struct replay_tables *tables); /* NULL: fine */

/* A request begins, and ends. Tables stay where they are in between. */
void replay_tables_begin(struct replay_tables *tables);
void replay_tables_end(struct replay_tables *tables);
/* The owners of key->size slots; takes over key->members. NULL without memory. By a worker, whose turn it gives back
 * while it builds. */
const uint16_t *replay_tables_get(struct replay_tables *tables, const struct replay_table_key *key);

#endif
