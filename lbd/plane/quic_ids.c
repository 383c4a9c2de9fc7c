/* SPDX-License-Identifier: BSD-2-Clause */
/* Where does a QUIC server id stand, so that the program finds it? */
#include "quic_ids.h"

#include <string.h>

/* What packets read is written by whole words. */
static void store(uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static void words_of(const struct lb_quic_server_id *id, uint64_t word[2])
{
	uint8_t bytes[16] = {0};

	memcpy(bytes, id->bytes, id->length);
	bytes[15] = id->length;
	memcpy(word, bytes, sizeof(bytes));
}

static struct lb_quic_server_id id_of(const struct lb_quic_id *entry)
{
	struct lb_quic_server_id id = {0};
	uint8_t bytes[16];

	memcpy(bytes, entry->word, sizeof(bytes));
	if (bytes[15] >= LB_QUIC_SERVER_ID_MIN && bytes[15] <= LB_QUIC_SERVER_ID_MAX)
		id.length = bytes[15];
	memcpy(id.bytes, bytes, id.length);
	return id;
}

static uint32_t pool_of(const struct lb_quic_id *entry)
{
	return (entry->whose & ~LB_QUIC_TAKEN) >> 16;
}

static uint32_t line_of(const struct quic_ids *ids, const uint64_t word[2], uint32_t pool)
{
	const __u64 words[2] = {word[0], word[1]};

	return lb_quic_line_of(words, pool, ids->count);
}

static uint32_t next_line(const struct quic_ids *ids, uint32_t line)
{
	return line + 1 < ids->count ? line + 1 : 0;
}

static bool is_at(const struct lb_quic_id *entry, const uint64_t word[2], uint32_t pool)
{
	return entry->whose & LB_QUIC_TAKEN && pool_of(entry) == pool &&
	       entry->word[0] == word[0] && entry->word[1] == word[1];
}

/* The entry of the id, or with `taken` false the first free one where it may stand; NULL: there is
 * none. */
static struct lb_quic_id *look(const struct quic_ids *ids, const uint64_t word[2], uint32_t pool,
			       bool taken)
{
	uint32_t line = line_of(ids, word, pool);

	for (uint32_t i = 0; i < LB_QUIC_REACH; i++, line = next_line(ids, line))
		for (int way = 0; way < LB_QUIC_WAYS; way++) {
			struct lb_quic_id *entry = &ids->lines[line].id[way];

			if (taken ? is_at(entry, word, pool) : !(entry->whose & LB_QUIC_TAKEN))
				return entry;
		}
	return NULL;
}

/* Adds to what the lines before that of the entry say has passed them. */
static void pass(const struct quic_ids *ids, const struct lb_quic_id *entry, int64_t more)
{
	uint32_t line = line_of(ids, (const uint64_t *)entry->word, pool_of(entry));

	while (entry < ids->lines[line].id || entry >= ids->lines[line].id + LB_QUIC_WAYS) {
		uint64_t *passed = (uint64_t *)&ids->lines[line].id[0].passed;

		store(passed, *passed + (uint64_t)more);
		line = next_line(ids, line);
	}
}

bool quic_ids_set(const struct quic_ids *ids, uint32_t pool, const struct lb_quic_server_id *id,
		  uint16_t member)
{
	struct lb_quic_id *entry;
	uint64_t word[2];

	words_of(id, word);
	entry = look(ids, word, pool, true);
	if (entry) {
		store((uint64_t *)&entry->whose, lb_quic_whose(pool, member));
		return true;
	}
	entry = look(ids, word, pool, false);
	if (!entry)
		return false;
	store((uint64_t *)&entry->word[0], word[0]);
	store((uint64_t *)&entry->word[1], word[1]);
	store((uint64_t *)&entry->whose, lb_quic_whose(pool, member));
	pass(ids, entry, 1);
	return true;
}

bool quic_ids_is(const struct quic_ids *ids, uint32_t pool, const struct lb_quic_server_id *id,
		 uint16_t member)
{
	const struct lb_quic_id *entry;
	uint64_t word[2];

	words_of(id, word);
	entry = look(ids, word, pool, true);
	return entry && entry->whose == lb_quic_whose(pool, member);
}

static void take_out(const struct quic_ids *ids, struct lb_quic_id *entry)
{
	pass(ids, entry, -1);
	store((uint64_t *)&entry->whose, 0);
}

void quic_ids_del(const struct quic_ids *ids, uint32_t pool, const struct lb_quic_server_id *id,
		  uint16_t member)
{
	struct lb_quic_id *entry;
	uint64_t word[2];

	words_of(id, word);
	entry = look(ids, word, pool, true);
	if (entry && entry->whose == lb_quic_whose(pool, member))
		take_out(ids, entry);
}

/* What an lbd that was killed in the middle may have left: of every line, what has passed it. */
static void count_passed(const struct quic_ids *ids)
{
	for (uint32_t line = 0; line < ids->count; line++) {
		uint64_t passed = 0;
		uint32_t at = line;

		for (uint32_t i = 1; i < LB_QUIC_REACH; i++) {
			at = next_line(ids, at);
			for (int way = 0; way < LB_QUIC_WAYS; way++) {
				const struct lb_quic_id *entry = &ids->lines[at].id[way];
				const uint32_t home =
					line_of(ids, (const uint64_t *)entry->word, pool_of(entry));

				if (entry->whose & LB_QUIC_TAKEN &&
				    (at + ids->count - home) % ids->count >= i)
					passed++;
			}
		}
		store((uint64_t *)&ids->lines[line].id[0].passed, passed);
	}
}

void quic_ids_adopt(const struct quic_ids *ids,
		    bool (*keep)(void *user, uint32_t pool, const struct lb_quic_server_id *id,
				 uint16_t member),
		    void *user)
{
	for (uint32_t line = 0; line < ids->count; line++)
		for (int way = 0; way < LB_QUIC_WAYS; way++) {
			struct lb_quic_id *entry = &ids->lines[line].id[way];
			const struct lb_quic_server_id id = id_of(entry);

			if (entry->whose & LB_QUIC_TAKEN &&
			    !keep(user, pool_of(entry), &id, (uint16_t)entry->whose))
				store((uint64_t *)&entry->whose, 0);
		}
	count_passed(ids);
}
