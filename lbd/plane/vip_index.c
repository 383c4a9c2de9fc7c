// SPDX-License-Identifier: BSD-2-Clause
#include "vip_index.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "../../bpf/vip_index.h"

struct vip_index {
	struct lb_index4_line *lines4;
	struct lb_index6_line *lines6;
	uint32_t lines;
	uint32_t *passed[2]; /* by line: how many found no room in it; IPv4, IPv6 */
};

/* Where an endpoint may stand: LB_INDEX_REACH lines of either array, from its own on. */
struct spot {
	uint64_t key; /* without flags */
	uint64_t address[2];
	bool is6;
	uint32_t line[LB_INDEX_REACH];
};

static struct spot spot_of(const struct vip_index *index, const struct lb_endpoint *endpoint)
{
	struct spot spot = {.is6 = endpoint->address.family == 6};
	struct index_place place;
	int i;

	memcpy(spot.address, endpoint->address.bytes, sizeof(spot.address));
	place = spot.is6 ? index_place6((const __u64 *)spot.address, htons(endpoint->port),
					endpoint->protocol)
			 : index_place4(spot.address[0], htons(endpoint->port), endpoint->protocol);
	spot.key = place.key;
	spot.line[0] = index_line(place.hash, index->lines);
	for (i = 1; i < LB_INDEX_REACH; i++)
		spot.line[i] = index_next_line(spot.line[i - 1], index->lines);
	return spot;
}

static __u64 *key_at(const struct vip_index *index, bool is6, uint32_t line, int way)
{
	return is6 ? &index->lines6[line].way[way].key : &index->lines4[line].way[way].key;
}

static __u64 *place_at(const struct vip_index *index, bool is6, uint32_t line, int way)
{
	return is6 ? &index->lines6[line].way[way].place : &index->lines4[line].way[way].place;
}

/* The way in this line that has the key (0: a free one), or -1. */
static int way_of(const struct vip_index *index, bool is6, uint32_t line, uint64_t key)
{
	int way;

	for (way = 0; way < LB_INDEX_WAYS; way++)
		if (index_is(*key_at(index, is6, line, way), key))
			return way;
	return -1;
}

/* The endpoint's own way in one of its lines, or -1. IPv6 addresses may share a key, in different
 * lines. */
static int find(const struct vip_index *index, const struct spot *spot, int *place)
{
	int i, way;

	for (i = 0; i < LB_INDEX_REACH; i++) {
		way = way_of(index, spot->is6, spot->line[i], spot->key);
		if (way < 0)
			continue;
		*place = i;
		if (!spot->is6 || !memcmp(index->lines6[spot->line[i]].way[way].address,
					  spot->address, sizeof(spot->address)))
			return way;
	}
	return -1;
}

/* A free way, in the first line that has one and nobody with the same key; or -1. */
static int find_room(const struct vip_index *index, const struct spot *spot, int *place)
{
	int i, way;

	for (i = 0; i < LB_INDEX_REACH; i++) {
		if (way_of(index, spot->is6, spot->line[i], spot->key) >= 0)
			continue;
		way = way_of(index, spot->is6, spot->line[i], 0);
		*place = i;
		if (way >= 0)
			return way;
	}
	return -1;
}

/* The mark stands in the first key, whatever else does. */
static void set_key(const struct vip_index *index, bool is6, uint32_t line, int way, uint64_t key)
{
	__u64 *at = key_at(index, is6, line, way);
	uint64_t mark = way ? 0 : *at & LB_INDEX_MORE;

	__atomic_store_n(at, key | mark, __ATOMIC_RELEASE);
}

static void set_mark(const struct vip_index *index, bool is6, uint32_t line)
{
	__u64 *at = key_at(index, is6, line, 0);

	__atomic_store_n(at,
			 (*at & ~LB_INDEX_MORE) | (index->passed[is6][line] ? LB_INDEX_MORE : 0),
			 __ATOMIC_RELEASE);
}

/* An entry has passed so many of its lines; or is gone, and has not. */
static void pass(struct vip_index *index, const struct spot *spot, int lines, bool gone)
{
	int i;

	for (i = 0; i < lines; i++) {
		uint32_t *passed = &index->passed[spot->is6][spot->line[i]];

		if (!gone)
			++*passed;
		else if (*passed)
			--*passed;
		set_mark(index, spot->is6, spot->line[i]);
	}
}

static uint64_t index_bits(uint32_t flags)
{
	return (uint64_t)(flags & LB_VIP_INDEXED) << INDEX_FLAGS_SHIFT;
}

static void put(const struct vip_index *index, const struct spot *spot, uint32_t line, int way,
		const struct lb_vip_value *value)
{
	int i;

	if (spot->is6)
		for (i = 0; i < 2; i++)
			__atomic_store_n(&index->lines6[line].way[way].address[i], spot->address[i],
					 __ATOMIC_RELAXED);
	__atomic_store_n(place_at(index, spot->is6, line, way),
			 lb_place(value->number, value->slots_start, value->slots_size),
			 __ATOMIC_RELEASE);
	set_key(index, spot->is6, line, way, spot->key | index_bits(value->flags));
}

void vip_index_add(struct vip_index *index, const struct lb_endpoint *endpoint,
		   const struct lb_vip_value *value)
{
	const struct spot spot = spot_of(index, endpoint);
	int place, way = find_room(index, &spot, &place);

	pass(index, &spot, way < 0 ? LB_INDEX_REACH : place, false);
	if (way >= 0)
		put(index, &spot, spot.line[place], way, value);
}

void vip_index_flags(struct vip_index *index, const struct lb_endpoint *endpoint, uint32_t flags)
{
	const struct spot spot = spot_of(index, endpoint);
	int place, way = find(index, &spot, &place);

	if (way >= 0)
		set_key(index, spot.is6, spot.line[place], way, spot.key | index_bits(flags));
}

void vip_index_del(struct vip_index *index, const struct lb_endpoint *endpoint)
{
	const struct spot spot = spot_of(index, endpoint);
	int place, way = find(index, &spot, &place);

	if (way >= 0) {
		set_key(index, spot.is6, spot.line[place], way, 0);
		__atomic_store_n(place_at(index, spot.is6, spot.line[place], way), 0,
				 __ATOMIC_RELEASE);
	}
	pass(index, &spot, way < 0 ? LB_INDEX_REACH : place, true);
}

void vip_index_place(struct vip_index *index, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value)
{
	const struct spot spot = spot_of(index, endpoint);
	int place, way = find(index, &spot, &place);

	if (way >= 0)
		__atomic_store_n(place_at(index, spot.is6, spot.line[place], way),
				 lb_place(value->number, value->slots_start, value->slots_size),
				 __ATOMIC_RELEASE);
}

/* --- those of an earlier lbd --- */

void vip_index_adopt(struct vip_index *index, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value)
{
	const struct spot spot = spot_of(index, endpoint);
	int place, way = find(index, &spot, &place);

	if (way < 0) {
		vip_index_add(index, endpoint, value);
		return;
	}
	pass(index, &spot, place, false);
	vip_index_flags(index, endpoint, value->flags);
}

void vip_index_adopted(struct vip_index *index)
{
	uint32_t line;

	for (line = 0; line < index->lines; line++) {
		set_mark(index, false, line);
		set_mark(index, true, line);
	}
}

struct vip_index *vip_index_new(struct lb_index4_line *lines4, struct lb_index6_line *lines6,
				uint32_t lines)
{
	struct vip_index *index = calloc(1, sizeof(*index));
	int i;

	if (!index)
		return NULL;
	*index = (struct vip_index){.lines4 = lines4, .lines6 = lines6, .lines = lines};
	for (i = 0; i < 2; i++)
		index->passed[i] = calloc(lines, sizeof(*index->passed[i]));
	if (index->passed[0] && index->passed[1])
		return index;
	vip_index_free(index);
	return NULL;
}

void vip_index_free(struct vip_index *index)
{
	if (!index)
		return;
	free(index->passed[0]);
	free(index->passed[1]);
	free(index);
}
