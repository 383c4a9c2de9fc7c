/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How do the fragments of a datagram all come to the backend that has its flow?
 *
 * The first fragment has the ports, the later ones do not. So by default ("track") the ports of a
 * first fragment to the address of a VIP are kept in a small LRU, under what RFC 791 and RFC 8200
 * reassemble by, and later ones take them from there. Over IPv6 that is without the next header:
 * the first fragment's alone counts (RFC 8200 section 4.5). A later one that comes before its first
 * is dropped, as is one whose first came too long ago: identifications repeat. Or all fragments of
 * a VIP go by what every one of them has: addresses and protocol ("3-tuple"). Or none is let in.
 *
 * A first fragment must hold the whole fixed transport header, and no later one may lie over it
 * (parse.h), so that what is decided by its flags cannot be changed behind our back.
 */
#ifndef LB_FRAGMENT_H
#define LB_FRAGMENT_H

#include "flow_word.h"
#include "maps.h"
#include "packet.h"

/* Time units of flow words, 30 s. A receiver gives up after 60 s at the latest (RFC 8200 section
 * 4.5). */
#define FRAGMENT_AGE_MAX 7

static __always_inline __u32 fragment_time(void)
{
	return (bpf_ktime_get_coarse_ns() >> LB_FLOW_TIME_SHIFT) & LB_FLOW_TIME_MASK;
}

static __always_inline void fragment_key(const struct packet *packet, struct lb_fragment_key *key)
{
	key->source[0] = packet->source[0];
	key->source[1] = packet->source[1];
	key->destination[0] = packet->destination[0];
	key->destination[1] = packet->destination[1];
	key->id = packet->fragment_id;
	key->protocol = packet->family == 4 ? packet->protocol : 0; /* RFC 8200 section 4.5 */
	key->family = packet->family;
	key->pad = 0;
}

/* A first fragment: its later ones will follow. */
__noinline int fragment_record(struct packet *packet)
{
	struct lb_fragment record = {};
	struct lb_fragment_key key;

	if (!packet)
		return LB_DROP_INTERNAL;
	fragment_key(packet, &key);
	record.ports = packet->ports;
	record.time = fragment_time();
	record.protocol = packet->protocol;
	return bpf_map_update_elem(&fragments, &key, &record, BPF_ANY);
}

/* A later fragment: takes protocol and ports of its first, if that is on record. */
__noinline int fragment_follow(struct packet *packet)
{
	struct lb_fragment_key key;
	struct lb_fragment *first;

	if (!packet)
		return LB_DROP_INTERNAL;
	fragment_key(packet, &key);
	first = bpf_map_lookup_elem(&fragments, &key);
	if (!first || flow_word_age(first->time, fragment_time()) > FRAGMENT_AGE_MAX)
		return LB_NEXT;
	packet->protocol = first->protocol;
	packet->ports = first->ports;
	packet->has_ports = 1;
	return LB_NEXT;
}

/* Whether the VIP takes this fragment, and by what; `flags` are its LB_VIP_*. */
static __always_inline int fragment_admit(struct packet *packet, __u32 flags)
{
	if (flags & LB_VIP_FRAGMENTS_DROP)
		return LB_DROP_FRAGMENT;
	if (flags & LB_VIP_FRAGMENTS_3TUPLE) {
		packet->ports = 0;
		return LB_NEXT;
	}
	if (!packet->has_ports)
		return LB_DROP_FRAGMENT_UNKNOWN;
	if (packet->fragment == FRAGMENT_FIRST)
		fragment_record(packet);
	return LB_NEXT;
}

#endif
