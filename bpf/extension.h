/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What stands between an IPv6 header and the transport header (RFC 8200 section 4)?
 *
 *   | IPv6 40 | next:8 length:8 … | next:8 length:8 … | TCP, UDP, …
 *
 * A part of stage 1, and of reading the packet that an ICMPv6 error quotes. At most
 * EXTENSION_HEADERS_MAX are read; longer chains, and those that are cut off, are dropped if they
 * are for a VIP.
 */
#ifndef LB_EXTENSION_H
#define LB_EXTENSION_H

#define EXTENSION_HEADERS_MAX 6
#define EXTENSION_UNIT 8 /* the shortest is one unit long, and what we read of any */

/* Handed to functions that are verified by themselves: no holes. */
struct walk {
	__u32 offset; /* of the header `protocol`, from ctx->data */
	__u32 end;    /* of the packet, or of what is quoted of it */
	__u32 fragment_id;
	__u16 fragment_offset; /* in units of 8 bytes */
	__u8 fragment;         /* FRAGMENT_* */
	__u8 protocol;
};

static __always_inline int extension_is(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_FRAGMENT:
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_AH:
	case 135: /* mobility, RFC 6275 */
	case 139: /* host identity, RFC 7401 */
	case 140: /* shim6, RFC 5533 */
		return 1;
	}
	return 0;
}

static __always_inline __u32 extension_length(__u8 protocol, const __u8 *header)
{
	if (protocol == IPPROTO_FRAGMENT)
		return EXTENSION_UNIT;
	if (protocol == IPPROTO_AH) /* in units of 4, RFC 4302 section 2.2 */
		return (header[1] + 2) * 4;
	return (header[1] + 1) * EXTENSION_UNIT;
}

/* offset:13 reserved:2 more:1. Both 0 is a whole packet, whatever header it has (RFC 6946). */
static __always_inline void extension_fragment(const __u8 *header, struct walk *walk)
{
	__u16 bits = header[2] << 8 | header[3];

	if (!(bits & 0xfff9))
		return;
	walk->fragment_offset = bits >> 3;
	walk->fragment = walk->fragment_offset ? FRAGMENT_LATER : FRAGMENT_FIRST;
	__builtin_memcpy(&walk->fragment_id, header + 4, sizeof(walk->fragment_id));
}

/* One header on. A routing header with segments left says that the packet is on its way to another
 * address, by way of ours: the stack's business (RFC 8200 section 4.4). */
static __always_inline int extension_step(struct xdp_md *ctx, struct walk *walk)
{
	__u8 header[EXTENSION_UNIT], protocol = walk->protocol;

	if (walk->offset + EXTENSION_UNIT > walk->end ||
	    bpf_xdp_load_bytes(ctx, walk->offset, header, sizeof(header)))
		return LB_DROP_EXTENSION;
	if (protocol == IPPROTO_ROUTING && header[3])
		return LB_PASS_NOT_VIP;
	walk->offset += extension_length(protocol, header);
	if (walk->offset > walk->end)
		return LB_DROP_EXTENSION;
	if (protocol == IPPROTO_FRAGMENT)
		extension_fragment(header, walk);
	walk->protocol = header[0];
	return LB_NEXT;
}

/* LB_NEXT, at the transport header; LB_DROP_EXTENSION, with walk->protocol an extension header's;
 * or LB_PASS_NOT_VIP. Of a fragment nothing is read beyond its fragment header but the transport
 * header: later fragments do not tell what else is there, and what they say comes next need not be
 * what their first says (fragment.h). */
__noinline int extension_walk(struct xdp_md *ctx, struct walk *walk)
{
	int i, verdict;

	if (!walk)
		return LB_DROP_INTERNAL;
	for (i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		if (!extension_is(walk->protocol) || walk->fragment)
			break;
		verdict = extension_step(ctx, walk);
		if (verdict != LB_NEXT)
			return verdict;
	}
	return walk->fragment != FRAGMENT_LATER && extension_is(walk->protocol) ? LB_DROP_EXTENSION
										: LB_NEXT;
}

/* The rest of parse_ipv6 for a packet that has extension headers; a fault of its IP header stays. */
__noinline int extension_read(struct xdp_md *ctx, struct packet *packet)
{
	struct walk walk = {};
	int verdict, fault;

	if (!packet)
		return LB_DROP_INTERNAL;
	fault = packet->fault;
	walk.offset = packet->l4;
	walk.end = packet->l3 + packet->length;
	walk.protocol = packet->protocol;
	verdict = extension_walk(ctx, &walk);
	if (verdict == LB_PASS_NOT_VIP)
		return verdict;
	packet->protocol = walk.protocol;
	packet->fragment = walk.fragment;
	packet->fragment_id = walk.fragment_id;
	packet->fragment_offset = walk.fragment_offset;
	packet->l4 = walk.offset;
	packet->fault = verdict;
	if (verdict == LB_NEXT && walk.fragment != FRAGMENT_LATER)
		parse_l4(ctx, walk.end - walk.offset, packet);
	if (fault != LB_NEXT)
		packet->fault = fault;
	return LB_NEXT;
}

#endif
