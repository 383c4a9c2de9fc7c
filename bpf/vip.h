/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 3: is the packet for a VIP, and for which?
 *
 * A packet with ports is looked up in the index, mostly one cache line. The hash maps hold every entry,
 * and are asked for what is rare: for addresses alone, for fragments without ports, and for what
 * did not fit into the index.
 */
#ifndef LB_VIP_H
#define LB_VIP_H

#include "fragment.h"
#include "maps.h"
#include "packet.h"
#include "vip_index.h"

/* What the next stages have to know of a VIP. */
struct vip {
	__u64 place; /* lb_place; no slots: there is no VIP, or only its address is known */
	__u32 flags; /* LB_VIP_* */
};

/* --- the hash maps --- */

/* Out of line, and one function a map: where clang lets the look-ups of both end in one call, the
 * verifier cannot know the map, and has it made by way of a pointer (seen with clang 14 on 6.18).
 * The key is written as one word, since the map's hash reads it in pieces of another size than its
 * fields. */
static __noinline struct lb_vip_value *vip_in_map4(__u64 key)
{
	return bpf_map_lookup_elem(&vips4, &key);
}

static __noinline struct lb_vip_value *vip_in_map6(__u64 address, __u64 address_low, __u32 service)
{
	__u32 key[5];

	key[0] = address;
	key[1] = address >> 32;
	key[2] = address_low;
	key[3] = address_low >> 32;
	key[4] = service;
	return bpf_map_lookup_elem(&vips6, &key);
}

static __always_inline struct lb_vip_value *vip_look_up(const struct packet *packet, __be16 port,
							__u8 protocol)
{
	const __u32 service = (__u32)protocol << 16 | port;

	if (packet->family == 4)
		return vip_in_map4((__u64)service << 32 | (__be32)packet->destination[0]);
	return vip_in_map6(packet->destination[0], packet->destination[1], service);
}

static __always_inline void vip_take(const struct lb_vip_value *value, struct vip *vip)
{
	vip->place = lb_place(value->number, value->slots_start, value->slots_size);
	vip->flags = value->flags;
}

/* --- the index --- */

static __always_inline void vip_at(__u64 key, __u64 place, struct vip *vip)
{
	vip->place = place;
	vip->flags = index_flags(key);
}

/* For what did not fit into the index. An entry for fragments is none for a packet that has ports.
 */
static __always_inline void vip_beyond_index(const struct packet *packet, __be16 port,
					     struct vip *vip)
{
	const struct lb_vip_value *value = vip_look_up(packet, port, packet->protocol);

	if (value && !(value->flags & LB_VIP_FRAGMENTS_ONLY))
		vip_take(value, vip);
}

/* The number of the way, if it is in the line at all. The way is then read by it, so that what is read
 * was written before the key. */
#define VIP_WAY(line, wanted)                                                                      \
	bounds_number(index_way((line)->way[1].key, wanted, 1) |                                   \
			      index_way((line)->way[2].key, wanted, 2) |                           \
			      index_way((line)->way[3].key, wanted, 3),                            \
		      LB_INDEX_WAYS - 1)

/* Where an entry stands further on than in its own line: line and way, or that it does not. These are
 * global functions, which the verifier looks at by themselves: else it would walk all that follows
 * once for each line that the entry may be in, more than the million steps that it takes. */
#define VIP_NOWHERE (~0ull)

__noinline __u64 vip_further4(__u32 number, __u64 key)
{
	int i;

	for (i = 1; i < LB_INDEX_REACH; i++) {
		volatile struct lb_index4_line *line;
		__u64 way;

		number = index_next_line(number, config.index_lines);
		line = bpf_map_lookup_elem(&index4, &number);
		if (!line)
			break;
		way = VIP_WAY(line, key);
		if (index_is(line->way[way].key, key))
			return (__u64)number * LB_INDEX_WAYS + way;
		if (!(line->way[0].key & LB_INDEX_MORE))
			break;
	}
	return VIP_NOWHERE;
}

__noinline __u64 vip_further6(__u32 number, __u64 key, __u64 address, __u64 address_low)
{
	int i;

	for (i = 1; i < LB_INDEX_REACH; i++) {
		volatile struct lb_index6_line *line;
		__u64 way;

		number = index_next_line(number, config.index_lines);
		line = bpf_map_lookup_elem(&index6, &number);
		if (!line)
			break;
		way = VIP_WAY(line, key);
		if (index_is(line->way[way].key, key) && line->way[way].address[0] == address &&
		    line->way[way].address[1] == address_low)
			return (__u64)number * LB_INDEX_WAYS + way;
		if (!(line->way[0].key & LB_INDEX_MORE))
			break;
	}
	return VIP_NOWHERE;
}

/* Not in its own line, whose mark says that it may be further on. */
static __always_inline void vip_elsewhere4(const struct packet *packet, __be16 port, __u32 number,
					   __u64 key, struct vip *vip)
{
	const __u64 found = vip_further4(number, key);
	const __u32 line_number = found / LB_INDEX_WAYS;
	volatile struct lb_index4_line *line;
	volatile struct lb_index4_way *way;

	if (found == VIP_NOWHERE) {
		vip_beyond_index(packet, port, vip);
		return;
	}
	line = bpf_map_lookup_elem(&index4, &line_number);
	if (!line)
		return;
	way = &line->way[bounds_number(found % LB_INDEX_WAYS, LB_INDEX_WAYS - 1)];
	if (index_is(way->key, key))
		vip_at(way->key, way->place, vip);
}

static __always_inline void vip_elsewhere6(const struct packet *packet, __be16 port, __u32 number,
					   __u64 key, struct vip *vip)
{
	const __u64 found =
		vip_further6(number, key, packet->destination[0], packet->destination[1]);
	const __u32 line_number = found / LB_INDEX_WAYS;
	volatile struct lb_index6_line *line;
	volatile struct lb_index6_way *way;

	if (found == VIP_NOWHERE) {
		vip_beyond_index(packet, port, vip);
		return;
	}
	line = bpf_map_lookup_elem(&index6, &line_number);
	if (!line)
		return;
	way = &line->way[bounds_number(found % LB_INDEX_WAYS, LB_INDEX_WAYS - 1)];
	if (index_is(way->key, key))
		vip_at(way->key, way->place, vip);
}

/* vip->place is 0 when there is none. */
static __always_inline void vip_in_index4(const struct packet *packet, __be16 port, struct vip *vip)
{
	const struct index_place at = index_place4(packet->destination[0], port, packet->protocol);
	const __u32 number = index_line(at.hash, config.index_lines);
	volatile struct lb_index4_line *line = bpf_map_lookup_elem(&index4, &number);
	volatile struct lb_index4_way *way;
	__u64 key;

	if (!line)
		return;
	way = &line->way[VIP_WAY(line, at.key)];
	key = way->key;
	if (index_is(key, at.key))
		vip_at(key, way->place, vip);
	else if (unlikely(line->way[0].key & LB_INDEX_MORE))
		vip_elsewhere4(packet, port, number, at.key, vip);
}

static __always_inline void vip_in_index6(const struct packet *packet, __be16 port, struct vip *vip)
{
	const struct index_place at = index_place6(packet->destination, port, packet->protocol);
	const __u32 number = index_line(at.hash, config.index_lines);
	volatile struct lb_index6_line *line = bpf_map_lookup_elem(&index6, &number);
	volatile struct lb_index6_way *way;
	__u64 key;

	if (!line)
		return;
	way = &line->way[VIP_WAY(line, at.key)];
	key = way->key;
	if (index_is(key, at.key) && way->address[0] == packet->destination[0] &&
	    way->address[1] == packet->destination[1])
		vip_at(key, way->place, vip);
	else if (unlikely(line->way[0].key & LB_INDEX_MORE))
		vip_elsewhere6(packet, port, number, at.key, vip);
}

static __always_inline int vip_in_index(const struct packet *packet, __be16 port, struct vip *vip)
{
	if (packet->family == 4)
		vip_in_index4(packet, port, vip);
	else
		vip_in_index6(packet, port, vip);
	return vip->place != 0;
}

/* --- wide VIPs (abi.h) --- */

static __always_inline int any_prefix(void)
{
	return other_vips >= LB_OTHER_PREFIX;
}

static __always_inline int any_range(void)
{
	return (other_vips / LB_OTHER_RANGE & 0xffff) != 0;
}

static __always_inline int any_wide(void)
{
	return other_vips >= LB_OTHER_RANGE;
}

static __always_inline int any_port0(void)
{
	return (__u32)other_vips != 0;
}

/* The last part that begins no later than the port: one step a bit of its number, without a branch, or the
 * verifier would walk every way to every part. */
static __always_inline __u32 parts_find(const struct lb_parts *parts, __u16 port)
{
	__u64 at = 0, not_later;
	__u32 step;

	if (!parts)
		return 0;
	for (step = LB_PARTS_MAX / 2; step; step /= 2) {
		not_later = (__u64)parts->part[at + step].first - port - 1;
		BOUNDS_BARRIER(not_later);
		not_later >>= 63;
		BOUNDS_BARRIER(not_later);
		at += not_later * step;
	}
	if (port < parts->part[at].first || port > parts->part[at].last)
		return 0;
	return parts->part[at].vip;
}

/* Who has the port at the longest prefix: LB_PART_*, or 0. `service`: protocol:8 | port:16, in host order; 0
 * for the address alone. Global functions, for the plain way's stack and registers. */
__noinline __u32 vip_part4(__be32 address, __u32 service)
{
	struct lb_parts4_key key = {.length = LB_PARTS_SERVICE_BITS + 32};

	key.protocol = service >> 16;
	key.address = address;
	return parts_find(bpf_map_lookup_elem(&parts4, &key), service);
}

__noinline __u32 vip_part6(__u64 address, __u64 address_low, __u32 service)
{
	struct lb_parts6_key key = {.length = LB_PARTS_SERVICE_BITS + 128};

	key.protocol = service >> 16;
	__builtin_memcpy(key.address, &address, 8);
	__builtin_memcpy(key.address + 8, &address_low, 8);
	return parts_find(bpf_map_lookup_elem(&parts6, &key), service);
}

static __always_inline __u32 vip_part(const struct packet *packet, __be16 port, __u8 protocol)
{
	const __u32 service = (__u32)protocol << 16 | bpf_ntohs(port);

	if (packet->family == 4)
		return vip_part4(packet->destination[0], service);
	return vip_part6(packet->destination[0], packet->destination[1], service);
}

static __always_inline int vip_of_part(__u32 part, struct vip *vip)
{
	const __u32 number = part & (LB_VIP_NUMBERS_MAX - 1);
	volatile struct lb_wide *at = bpf_map_lookup_elem(&wide, &number);

	if (!at)
		return 0;
	vip_at((__u64)at->flags << INDEX_FLAGS_SHIFT, at->place, vip);
	return vip->place != 0;
}

/* --- the stage --- */

/* Has the destination any VIP? */
static __always_inline int vip_has_address(const struct packet *packet)
{
	return vip_look_up(packet, 0, 0) != NULL ||
	       (unlikely(any_prefix()) && vip_part(packet, 0, 0));
}

/* None is of just this address and port. A range of the address comes before all its ports, and these before
 * prefixes. The part is asked for again after that: to remember it takes the deepest chain 32 bytes more of
 * stack (clang 14). */
static __always_inline int vip_of_many(const struct packet *packet, struct vip *vip)
{
	__u32 part;

	if (any_port0()) {
		part = any_range() ? vip_part(packet, packet_dport(packet), packet->protocol) : 0;
		if (part & LB_PART_ADDRESS)
			return vip_of_part(part, vip);
		if (vip_in_index(packet, 0, vip))
			return 1;
	}
	if (!any_wide())
		return 0;
	part = vip_part(packet, packet_dport(packet), packet->protocol);
	return part ? vip_of_part(part, vip) : 0;
}

static __always_inline int vip_by_port(const struct packet *packet, struct vip *vip)
{
	return vip_in_index(packet, packet_dport(packet), vip) ||
	       (unlikely(other_vips) && vip_of_many(packet, vip));
}

/* Fragments without ports are also for a wide VIP that has no need of them. */
static __always_inline int vip_of_fragments(const struct packet *packet, struct vip *vip)
{
	const __u32 part = vip_part(packet, 0, packet->protocol);

	return part && vip_of_part(part, vip) &&
	       vip->flags & (LB_VIP_FRAGMENTS_3TUPLE | LB_VIP_FRAGMENTS_DROP);
}

/* The ports are not known, and the address decides; but a later fragment may be of a VIP that has
 * no need of them. */
static __always_inline int vip_by_address(const struct packet *packet, struct vip *vip)
{
	const struct lb_vip_value *value = NULL;

	if (packet->fragment)
		value = vip_look_up(packet, 0, packet->protocol);
	if (value && value->flags & (LB_VIP_FRAGMENTS_3TUPLE | LB_VIP_FRAGMENTS_DROP)) {
		vip_take(value, vip);
		return 1;
	}
	if (packet->fragment && !value && unlikely(any_prefix()) && vip_of_fragments(packet, vip))
		return 1;
	*vip = (struct vip){};
	return vip_has_address(packet);
}

/* For no VIP. Its address may still be a VIP's, as is that of every ICMP error that gets here. The
 * stack then gets the later fragments too. */
static __noinline int vip_none(struct packet *packet)
{
	if (packet->quoted)
		return LB_PASS_ICMP;
	if (packet->fragment == FRAGMENT_FIRST && packet->fault == LB_NEXT &&
	    vip_has_address(packet))
		fragment_record(packet);
	return LB_PASS_NOT_VIP;
}

/* LB_NEXT and *vip, or the verdict of what is for no VIP or is for one but malformed. *vip may be
 * without slots for a fragment without ports, see fragment_admit. `plain`: a constant; such a packet
 * is whole, and lives in registers, so it is handed to nobody. */
static __always_inline int vip_find(struct packet *packet, struct vip *vip, int plain)
{
	if (packet->has_ports ? vip_by_port(packet, vip) : vip_by_address(packet, vip))
		return packet->fault;
	if (plain || !(packet->fragment | packet->quoted))
		return LB_PASS_NOT_VIP;
	return vip_none(packet);
}

#endif
