/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stage 2: is the packet for a VIP, and for which? */
#ifndef LB_VIP_H
#define LB_VIP_H

#include "maps.h"
#include "parse.h"

static __always_inline struct lb_vip_value *vip_look_up(const struct packet *packet, __be16 port,
							__u8 protocol)
{
	if (packet->family == 4) {
		struct lb_vip4_key key = {
			.address = packet->destination[0],
			.port = port,
			.protocol = protocol,
		};

		return bpf_map_lookup_elem(&vips4, &key);
	} else {
		struct lb_vip6_key key = {.port = port, .protocol = protocol};

		__builtin_memcpy(key.address, packet->destination, sizeof(key.address));
		return bpf_map_lookup_elem(&vips6, &key);
	}
}

/* LB_NEXT and *vip, or the verdict of what is for no VIP or is for one but malformed. */
static __always_inline int vip_find(const struct packet *packet, struct lb_vip_value **vip)
{
	switch (packet->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return vip_look_up(packet, 0, 0) ? LB_PASS_ICMP : LB_PASS_NOT_VIP;
	default: /* no VIP has it, but an IPv6 extension header may hide one that a VIP has */
		if (packet->family == 4 || parse_ipv6_extension(packet->protocol) == LB_NEXT)
			return LB_PASS_NOT_VIP;
	}
	if (packet->has_ports) {
		*vip = vip_look_up(packet, packet_dport(packet), packet->protocol);
		if (!*vip) /* one that listens on every port? */
			*vip = vip_look_up(packet, 0, packet->protocol);
	} else {
		*vip = vip_look_up(packet, 0, 0);
	}
	return *vip ? packet->fault : LB_PASS_NOT_VIP;
}

#endif
