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
	uint32_t *more[2]; /* of each line, how many did not fit; IPv4, IPv6 */
};

/* Where an endpoint belongs, in either array. */
struct spot {
	uint64_t key; /* without flags */
	uint64_t address[2];
	struct lb_index4_line *line4; /* one of the two */
	struct lb_index6_line *line6;
	uint32_t *more;
};

static struct spot spot_of(const struct vip_index *index, const struct lb_endpoint *endpoint)
{
	const bool is6 = endpoint->address.family == 6;
	struct index_place place;
	struct spot spot = {0};
	uint32_t line;

	memcpy(spot.address, endpoint->address.bytes, sizeof(spot.address));
	place = is6 ? index_place6((const __u64 *)spot.address, htons(endpoint->port),
				   endpoint->protocol)
		    : index_place4(spot.address[0], htons(endpoint->port), endpoint->protocol);
	line = place.line & (index->lines - 1);
	spot.key = place.key;
	spot.more = &index->more[is6][line];
	if (is6)
		spot.line6 = &index->lines6[line];
	else
		spot.line4 = &index->lines4[line];
	return spot;
}

static __u64 *key_at(const struct spot *spot, int way)
{
	return spot->line6 ? &spot->line6->way[way].key : &spot->line4->way[way].key;
}

static __u64 *place_at(const struct spot *spot, int way)
{
	return spot->line6 ? &spot->line6->way[way].place : &spot->line4->way[way].place;
}

/* The way that has this key (0: a free one) or -1. */
static int find(const struct spot *spot, uint64_t key)
{
	int way;

	for (way = 0; way < LB_INDEX_WAYS; way++) {
		if ((*key_at(spot, way) & INDEX_KEY_MASK) != key)
			continue;
		if (!key || !spot->line6 ||
		    !memcmp(spot->line6->way[way].address, spot->address, sizeof(spot->address)))
			return way;
	}
	return -1;
}

/* The mark stands in the first key, whatever else does. */
static void set_key(const struct spot *spot, int way, uint64_t key)
{
	uint64_t mark = way ? 0 : *key_at(spot, 0) & LB_INDEX_MORE;

	__atomic_store_n(key_at(spot, way), key | mark, __ATOMIC_RELEASE);
}

static void set_mark(const struct spot *spot)
{
	uint64_t first = *key_at(spot, 0) & ~LB_INDEX_MORE;

	__atomic_store_n(key_at(spot, 0), first | (*spot->more ? LB_INDEX_MORE : 0),
			 __ATOMIC_RELEASE);
}

static uint64_t index_bits(uint32_t flags)
{
	return (uint64_t)(flags & LB_VIP_INDEXED) << INDEX_FLAGS_SHIFT;
}

static void put(const struct spot *spot, int way, const struct lb_vip_value *value)
{
	int i;

	if (spot->line6)
		for (i = 0; i < 2; i++)
			__atomic_store_n(&spot->line6->way[way].address[i], spot->address[i],
					 __ATOMIC_RELAXED);
	__atomic_store_n(place_at(spot, way),
			 lb_place(value->number, value->slots_start, value->slots_size),
			 __ATOMIC_RELEASE);
	set_key(spot, way, spot->key | index_bits(value->flags));
}

void vip_index_add(struct vip_index *index, const struct lb_endpoint *endpoint,
		   const struct lb_vip_value *value)
{
	const struct spot spot = spot_of(index, endpoint);
	int way = find(&spot, 0);

	if (way >= 0) {
		put(&spot, way, value);
		return;
	}
	++*spot.more;
	set_mark(&spot);
}

void vip_index_flags(struct vip_index *index, const struct lb_endpoint *endpoint, uint32_t flags)
{
	const struct spot spot = spot_of(index, endpoint);
	int way = find(&spot, spot.key);

	if (way >= 0)
		set_key(&spot, way, spot.key | index_bits(flags));
}

void vip_index_del(struct vip_index *index, const struct lb_endpoint *endpoint)
{
	const struct spot spot = spot_of(index, endpoint);
	int way = find(&spot, spot.key);

	if (way >= 0) {
		set_key(&spot, way, 0);
		__atomic_store_n(place_at(&spot, way), 0, __ATOMIC_RELEASE);
	} else if (*spot.more) {
		--*spot.more;
		set_mark(&spot);
	}
}

/* --- those of an earlier lbd --- */

void vip_index_adopt(struct vip_index *index, const struct lb_endpoint *endpoint,
		     const struct lb_vip_value *value)
{
	const struct spot spot = spot_of(index, endpoint);

	if (find(&spot, spot.key) >= 0)
		vip_index_flags(index, endpoint, value->flags);
	else
		vip_index_add(index, endpoint, value);
}

void vip_index_adopted(struct vip_index *index)
{
	uint32_t line;

	for (line = 0; line < index->lines; line++) {
		set_mark(&(struct spot){.line4 = &index->lines4[line],
					.more = &index->more[0][line]});
		set_mark(&(struct spot){.line6 = &index->lines6[line],
					.more = &index->more[1][line]});
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
		index->more[i] = calloc(lines, sizeof(*index->more[i]));
	if (index->more[0] && index->more[1])
		return index;
	vip_index_free(index);
	return NULL;
}

void vip_index_free(struct vip_index *index)
{
	if (!index)
		return;
	free(index->more[0]);
	free(index->more[1]);
	free(index);
}
