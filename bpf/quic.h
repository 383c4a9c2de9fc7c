/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which server does a QUIC packet's connection id name?
 *
 *   long header, bit 7 set   | first 1 | version 4 | length of the id 1 | id … |
 *   short header             | first 1 | id … |
 *   id                       | rotation:3 own:5 | server id 2 … 15 | nonce, 4 at least |
 *   encrypted                | rotation:3 own:5 | server id and nonce, one block of AES-128: 16 |
 *
 * Nothing is read that RFC 8999 does not promise of every version: neither the fixed bit nor types.
 * Of coalesced packets the first one's id decides. An id that names no server leaves the packet to the
 * slot of its addresses, and is counted. A long header whose id names no server is sent by clients that
 * have not heard of one yet, whose own ids are random: it opens a flow.
 */
#ifndef LB_QUIC_H
#define LB_QUIC_H

#include "backend.h"
#include "parse.h"
#include "quic_aes.h"

#define QUIC_LONG 0x80
#define QUIC_LONG_HEADER 6u /* bytes before the id */
#define QUIC_SHORT_HEADER 1u
#define QUIC_ID_READ 17u /* bytes of an id that are looked at: the first, and 16 */

#define QUIC_ROTATION_SHIFT 5
#define QUIC_LENGTH_SHIFT 56 /* in the second word of struct lb_quic_id */

/* What is read of a packet. */
struct quic_seen {
	__u64 word[2]; /* of the id, behind its first byte */
	__u32 room;    /* bytes of the id that there may be */
	__u8 first;    /* of the packet */
	__u8 id;       /* first of the id */
	__u16 pad;
};

/* What became of an id. */
struct quic_found {
	__u64 word[2];   /* as in struct lb_quic_id */
	__u32 rotation;  /* LB_QUIC_ROTATIONS and above: there was no id */
	__u32 count;     /* LB_QUIC_* */
	__u32 member;    /* LB_NONE: none */
	__u32 opens;     /* a flow, if there is no member */
	__u32 encrypted; /* the rotation has a key */
	__u32 pad;
};

/* --- reading --- */

static __always_inline __u32 quic_header(__u8 first)
{
	return first & QUIC_LONG ? QUIC_LONG_HEADER : QUIC_SHORT_HEADER;
}

/* How much of the payload can be id. `id_length`: what a long header says. */
static __always_inline __u32 quic_room(__u8 first, __u8 id_length, __u32 length)
{
	if (!(first & QUIC_LONG))
		return length - QUIC_SHORT_HEADER;
	return id_length > length - QUIC_LONG_HEADER ? 0 : id_length;
}

static __always_inline void quic_take(const __u8 *payload, const __u8 *id, __u32 length,
				      struct quic_seen *seen)
{
	seen->first = payload[0];
	seen->room = quic_room(seen->first, payload[QUIC_LONG_HEADER - 1], length);
	seen->id = id[0];
	/* Else clang reads byte by byte, since it cannot know that these are aligned, which they need not be. */
	seen->word[0] = *(const __u64 *)(id + 1);
	seen->word[1] = *(const __u64 *)(id + 9);
}

/* `count` bytes, or `most` of them. 6.1 does not conclude from a comparison with 0 that a number is at
 * least 1, which is what has to be read; from that one is added it does. */
static __always_inline int quic_load_some(struct xdp_md *ctx, __u32 at, void *to, __u32 count,
					  __u32 most)
{
	__u64 last = (__u64)count - 1;

	if (!count)
		return -1;
	BOUNDS_BARRIER(last);
	if (last >= most)
		last = most - 1;
	return bpf_xdp_load_bytes(ctx, at, to, last + 1);
}

/* Short packets, and those that do not lie in the first buffer. */
static __always_inline void quic_load(struct xdp_md *ctx, __u32 at, __u32 length,
				      struct quic_seen *seen)
{
	__u64 head = 0, id[3] = {};
	__u32 header;

	if (quic_load_some(ctx, at, &head, length, QUIC_LONG_HEADER))
		return;
	seen->first = head;
	header = quic_header(seen->first);
	if (length <= header)
		return;
	if (quic_load_some(ctx, at + header, id, length - header, QUIC_ID_READ))
		return;
	seen->room = quic_room(seen->first, head >> 8 * (QUIC_LONG_HEADER - 1), length);
	seen->id = id[0];
	seen->word[0] = id[0] >> 8 | id[1] << 56;
	seen->word[1] = id[1] >> 8 | id[2] << 56;
}

/* `at`: where the payload begins, `length` bytes of it. */
static __always_inline void quic_read(struct xdp_md *ctx, __u32 at, __u32 length,
				      struct quic_seen *seen)
{
	const __u8 *payload = bounds_at((void *)(long)ctx->data, at, OFFSET_MASK);

	if (at > OFFSET_MASK || length < QUIC_LONG_HEADER + QUIC_ID_READ ||
	    payload + QUIC_LONG_HEADER + QUIC_ID_READ > (__u8 *)(long)ctx->data_end)
		quic_load(ctx, at, length, seen);
	else if (payload[0] & QUIC_LONG)
		quic_take(payload, payload + QUIC_LONG_HEADER, length, seen);
	else
		quic_take(payload, payload + QUIC_SHORT_HEADER, length, seen);
}

/* --- looking up --- */

/* The first `length` bytes (2 … 15), and that length. */
static __always_inline void quic_words(const struct quic_seen *seen, __u32 length, __u64 word[2])
{
	const __u32 low = length * 8 & 63;

	if (!unlikely(length != 8)) { /* as large clouds have it */
		word[0] = seen->word[0];
		word[1] = 0;
	} else if (length < 8) {
		word[0] = seen->word[0] & ((1ull << low) - 1);
		word[1] = 0;
	} else {
		word[0] = seen->word[0];
		word[1] = seen->word[1] & ((1ull << low) - 1);
	}
	word[1] |= (__u64)length << QUIC_LENGTH_SHIFT;
}

#define QUIC_PASSED (LB_NONE + 1) /* the line has no such id, a further one may */

static __always_inline int quic_is(volatile struct lb_quic_id *id, __u64 word, __u64 word_high,
				   __u64 of_pool, __u32 *member)
{
	const __u64 whose = id->whose;

	if (id->word[0] != word || id->word[1] != word_high || (whose ^ of_pool) > 0xffff)
		return 0;
	*member = whose & 0xffff;
	return 1;
}

/* The member whose id it is, LB_NONE or QUIC_PASSED. */
static __always_inline __u32 quic_in_line(__u32 number, __u64 word, __u64 word_high, __u32 pool)
{
	volatile struct lb_quic_line *line = bpf_map_lookup_elem(&quic_ids, &number);
	const __u64 of_pool = lb_quic_whose(pool, 0);
	__u32 member;

	if (!line)
		return LB_NONE;
	if (quic_is(&line->id[0], word, word_high, of_pool, &member) ||
	    quic_is(&line->id[1], word, word_high, of_pool, &member))
		return member;
	return line->id[0].passed ? QUIC_PASSED : LB_NONE;
}

/* The member of the pool whose id it is, or LB_NONE. A global function, which the verifier looks at by
 * itself. */
__noinline __u32 quic_look_up(__u64 word, __u64 word_high, __u32 pool)
{
	const __u64 words[2] = {word, word_high};
	__u32 number = lb_quic_line_of(words, pool, config.quic_lines), member, i;

	for (i = 0; i < LB_QUIC_REACH; i++) {
		member = quic_in_line(number, word, word_high, pool);
		if (member != QUIC_PASSED)
			return member;
		number = number + 1 < config.quic_lines ? number + 1 : 0;
	}
	return LB_NONE;
}

/* Not in its line: further on, or among the servers of a pool that the VIP has left a moment ago. */
__noinline __u32 quic_look_further(__u64 word, __u64 word_high, __u32 vip)
{
	volatile __u64 *known = bpf_map_lookup_elem(&vip_pools, &vip);
	const __u64 pools = known ? *known : 0;
	const __u32 now = lb_pool_at(pools, 0), before = lb_pool_at(pools, 1),
		    earlier = lb_pool_at(pools, 2);
	__u32 member = quic_look_up(word, word_high, now);

	if (member == LB_NONE && before != now)
		member = quic_look_up(word, word_high, before);
	if (member == LB_NONE && earlier != before)
		member = quic_look_up(word, word_high, earlier);
	return member;
}

static __always_inline __u32 quic_member(const __u64 word[2], __u32 pool, __u32 vip)
{
	const __u32 number = lb_quic_line_of(word, pool, config.quic_lines);
	const __u32 member = quic_in_line(number, word[0], word[1], pool);

	return unlikely(member >= LB_NONE) ? quic_look_further(word[0], word[1], vip) : member;
}

static __always_inline int quic_keeps(__u32 number)
{
	return member_flags(number) & LB_MEMBER_OLD;
}

/* Bytes that an id must have, at least. */
static __always_inline __u32 quic_least(__u32 server_id)
{
	return 1 + server_id + LB_QUIC_NONCE_MIN;
}

/* A copy, since what is handed over by its address lives in memory, and that of plaintext ids need not. */
static __always_inline int quic_open(struct quic_seen *seen, __u32 vip, __u32 rotation)
{
	struct lb_quic_block block = {{seen->word[0], seen->word[1]}};

	if (seen->room < 1 + LB_QUIC_BLOCK || !quic_decrypt(&block, vip, rotation))
		return 0;
	seen->word[0] = block.word[0];
	seen->word[1] = block.word[1];
	return 1;
}

static __always_inline void quic_find(struct xdp_md *ctx, __u32 at, __u32 length, __u32 vip,
				      struct quic_found *found)
{
	volatile __u64 *of_vip = bpf_map_lookup_elem(&quic_vips, &vip);
	const __u64 known = of_vip ? *of_vip : 0;
	struct quic_seen seen = {};
	__u32 server_id;

	found->member = LB_NONE;
	found->count = LB_QUIC_UNROUTABLE;
	found->rotation = LB_QUIC_ROTATIONS;
	quic_read(ctx, at, length, &seen);
	found->opens = seen.first & QUIC_LONG;
	if (!seen.room)
		return;
	found->rotation = seen.id >> QUIC_ROTATION_SHIFT;
	server_id = lb_quic_config_of(known, found->rotation);
	if (unlikely(server_id & LB_QUIC_ENCRYPTED)) {
		server_id &= ~LB_QUIC_ENCRYPTED;
		found->encrypted = 1;
		if (!quic_open(&seen, vip, found->rotation))
			return;
	}
	if (!server_id || seen.room < quic_least(server_id))
		return;
	quic_words(&seen, server_id, found->word);
	found->count = LB_QUIC_UNKNOWN_SERVER;
	found->member = quic_member(found->word, known >> LB_QUIC_POOL_SHIFT, vip);
	if (found->member != LB_NONE)
		found->count = LB_QUIC_ROUTED;
}

/* --- the stage --- */

static __always_inline void quic_count(__u32 what)
{
	__u64 *count = bpf_map_lookup_elem(&quic_counts, &what);

	if (count)
		++*count;
}

#define QUIC_OPENS (1u << 16) /* beside the member: if that is LB_NONE, the packet opens a flow */

/* The member whose id a packet has, or LB_NONE. A global function: what calls it is verified without it. */
__noinline __u32 quic_route(struct xdp_md *ctx, __u32 at, __u32 length, __u32 vip)
{
	struct quic_found found = {};

	quic_find(ctx, at, length, vip, &found);
	if (found.member == LB_NONE)
		quic_count(found.count);
	return found.member | (found.opens ? QUIC_OPENS : 0);
}

/* Where its payload begins, and how long it is. */
static __always_inline __u32 quic_at(const struct packet *packet)
{
	return packet->l4 + sizeof(struct udphdr);
}

static __always_inline __u32 quic_length(const struct packet *packet)
{
	const __u32 end = packet->l3 + packet->length, at = quic_at(packet);

	return end > at ? end - at : 0;
}

/* Fragments, and what ICMP errors quote, do not have the id, or not all of them do. */
static __always_inline int quic_has_id(const struct packet *packet)
{
	return !packet->fragment && !packet->quoted;
}

/* The member that the packet goes to whatever its slot says, or LB_NONE. On the plain way whoever looks it up
 * finds that it keeps no flows (choose_nexthop), and the long way asks here. */
static __always_inline __u32 quic_choose(struct xdp_md *ctx, struct packet *packet,
					 const struct vip *vip, int plain)
{
	__u32 routed, member;

	if (!quic_has_id(packet)) {
		if (packet->quoted)
			quic_count(LB_QUIC_QUOTED);
		return LB_NONE;
	}
	routed = quic_route(ctx, quic_at(packet), quic_length(packet), lb_place_number(vip->place));
	member = routed & LB_NONE;
	if (!plain && member != LB_NONE && !quic_keeps(member)) {
		quic_count(LB_QUIC_UNKNOWN_SERVER);
		member = LB_NONE;
	}
	if (member == LB_NONE && routed & QUIC_OPENS)
		packet->tcp_flags = TCP_SYN;
	return member;
}

#endif
