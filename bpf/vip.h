/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 3: is the packet for a VIP, and for which? */
#ifndef LB_VIP_H
#define LB_VIP_H

#include "fragment.h"
#include "maps.h"
#include "packet.h"

/* The look-ups of the two maps must stay two calls. Where clang lets both end in one, the verifier
 * cannot know the map, and calls bpf_map_lookup_elem by way of a pointer (20 ns) instead of the
 * hash map's own function: seen with clang 14 on 6.18. A move to itself keeps them apart. */
#define STAYS_APART(value) asm volatile("%0 = %0" : "+r"(value))

static __always_inline struct lb_vip_value *vip_look_up(const struct packet *packet, __be16 port,
							__u8 protocol)
{
	struct lb_vip_value *vip;

	if (packet->family == 4) {
		struct lb_vip4_key key = {
			.address = packet->destination[0],
			.port = port,
			.protocol = protocol,
		};

		vip = bpf_map_lookup_elem(&vips4, &key);
	} else {
		struct lb_vip6_key key = {.port = port, .protocol = protocol};

		__builtin_memcpy(key.address, packet->destination, sizeof(key.address));
		vip = bpf_map_lookup_elem(&vips6, &key);
		STAYS_APART(vip);
	}
	return vip;
}

/* Has the destination any VIP? */
static __always_inline int vip_has_address(const struct packet *packet)
{
	return vip_look_up(packet, 0, 0) != NULL;
}

/* An entry for fragments is none for a packet that has ports; one to port 0 finds it all the same.
 */
static __always_inline struct lb_vip_value *vip_by_port(const struct packet *packet)
{
	struct lb_vip_value *vip = vip_look_up(packet, packet_dport(packet), packet->protocol);

	if (!vip) /* one that listens on every port? */
		vip = vip_look_up(packet, 0, packet->protocol);
	return vip && !unlikely(vip->flags & LB_VIP_FRAGMENTS_ONLY) ? vip : NULL;
}

/* The ports are not known, and the address decides; but a later fragment may be of a VIP that has
 * no need of them. */
static __always_inline struct lb_vip_value *vip_by_address(const struct packet *packet)
{
	struct lb_vip_value *vip;

	if (packet->fragment) {
		vip = vip_look_up(packet, 0, packet->protocol);
		if (vip && vip->flags & (LB_VIP_FRAGMENTS_3TUPLE | LB_VIP_FRAGMENTS_DROP))
			return vip;
	}
	return vip_look_up(packet, 0, 0);
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
 * an address-only entry for a fragment without ports, see fragment_admit. */
static __always_inline int vip_find(const struct packet *packet, struct lb_vip_value **vip)
{
	struct packet copy;

	*vip = packet->has_ports ? vip_by_port(packet) : vip_by_address(packet);
	if (*vip)
		return packet->fault;
	if (!unlikely(packet->fragment | packet->quoted))
		return LB_PASS_NOT_VIP;
	copy = *packet;
	return vip_none(&copy);
}

#endif
