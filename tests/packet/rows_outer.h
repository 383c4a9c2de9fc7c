/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes around a packet besides one IP header, GUE and tags: the rows of outer_test.c. */
#ifndef ROWS_OUTER_H
#define ROWS_OUTER_H

#include <netinet/in.h>
#include "harness.h"

#define PACKET4(what, ip_port)                                                                     \
	.family = 4, .protocol = IPPROTO_##what, .source = "198.51.100.7",                         \
	.destination = "192.0.2.10", .sport = 40000, .dport = ip_port
#define PACKET6(what, ip_port)                                                                     \
	.family = 6, .protocol = IPPROTO_##what, .source = "2001:db8:c::7",                        \
	.destination = "2001:db8::10", .sport = 40000, .dport = ip_port
#define WEB4_TCP PACKET4(TCP, 443)
#define DNS4_UDP PACKET4(UDP, 53)
#define WEB6_TCP PACKET6(TCP, 443)
#define DNS6_UDP PACKET6(UDP, 53)

/* Tags on the way in, the outer one first. */
#define TAG_Q(vlan)                                                                                \
	{                                                                                          \
		0x8100, vlan                                                                       \
	}
#define TAG_AD(vlan)                                                                               \
	{                                                                                          \
		0x88a8, vlan                                                                       \
	}

/* The untagged packet, wrapped for `member`, must come out. */
struct outer_row {
	const char *name;
	struct spec in;
	enum vip_index vip;
	enum member_index member;
	enum lb_verdict verdict;
	unsigned int metadata;
};

#define TX(which, to) .vip = which, .member = to, .verdict = LB_TX
#define REDIRECT(which, to) .vip = which, .member = to, .verdict = LB_REDIRECT
#define DROP(why, which, to) .vip = which, .member = to, .verdict = LB_DROP_##why

static const struct outer_row outer_rows[] = {
	/* GUE. */
	{"IPv4 TCP in GUE over IPv4", {WEB4_TCP, .payload = 100}, TX(WEB4, GUE4)},
	{"IPv4 UDP in GUE over IPv4", {DNS4_UDP, .payload = 101}, TX(DNS4, GUE4)},
	{"IPv4 TCP in GUE over IPv6", {WEB4_TCP, .payload = 101}, TX(WEB4, GUE6)},
	{"IPv4 UDP in GUE over IPv6", {DNS4_UDP, .payload = 100}, TX(DNS4, GUE6)},
	{"IPv6 TCP in GUE over IPv4", {WEB6_TCP, .payload = 100}, TX(WEB6, GUE4)},
	{"IPv6 UDP in GUE over IPv4", {DNS6_UDP, .payload = 101}, TX(DNS6, GUE4)},
	{"IPv6 TCP in GUE over IPv6", {WEB6_TCP, .payload = 101}, TX(WEB6, GUE6)},
	{"IPv6 UDP in GUE over IPv6", {DNS6_UDP, .payload = 100}, TX(DNS6, GUE6)},
	{"GUE, source from a prefix", {WEB4_TCP}, TX(WEB4, GUE4_PREFIX)},
	{"GUE, source from a prefix, IPv6 inside", {WEB6_TCP}, TX(WEB6, GUE4_PREFIX)},
	{"GUE out of another interface", {WEB4_TCP}, REDIRECT(WEB4, GUE_AWAY6)},
	{"GUE out of another interface, IPv6 inside", {DNS6_UDP}, REDIRECT(DNS6, GUE_AWAY6)},
	{"DSCP and ECN go outwards through GUE", {WEB4_TCP, .tos = 0xbb}, TX(WEB4, GUE4)},
	{"DSCP and ECN go outwards through GUE, IPv6", {WEB6_TCP, .tos = 0xbb}, TX(WEB6, GUE6)},
	{"inner TTL stays", {WEB4_TCP, .ttl = 1}, TX(WEB4, GUE6)},
	{"padding rides along in GUE", {WEB4_TCP, .padding = 6}, TX(WEB4, GUE4)},
	{"IPv4 options in GUE", {WEB4_TCP, .options = 40}, TX(WEB4, GUE4)},
	{"just fits, 4 in GUE over 4", {WEB4_TCP, .payload = MTU - 68}, TX(WEB4, GUE4)},
	{"just fits, 4 in GUE over 6", {DNS4_UDP, .payload = MTU - 76}, TX(DNS4, GUE6)},
	{"just fits, 6 in GUE over 4", {DNS6_UDP, .payload = MTU - 76}, TX(DNS6, GUE4)},
	{"just fits, 6 in GUE over 6", {WEB6_TCP, .payload = MTU - 108}, TX(WEB6, GUE6)},
	{"one too many, 4 in GUE over 4",
	 {WEB4_TCP, .payload = MTU - 67},
	 DROP(TOO_BIG, WEB4, GUE4)},
	{"one too many, 6 in GUE over 6",
	 {WEB6_TCP, .payload = MTU - 107},
	 DROP(TOO_BIG, WEB6, GUE6)},
	{"no headroom for GUE", {WEB4_TCP}, DROP(NO_HEADROOM, WEB4, GUE4), .metadata = 212},

	/* The tag of the way out. */
	{"802.1Q tag out", {WEB4_TCP, .payload = 100}, TX(WEB4, TAG4)},
	{"802.1Q tag out, UDP", {DNS4_UDP, .payload = 100}, TX(DNS4, TAG4)},
	{"802.1Q tag out, IPv6 inside", {WEB6_TCP, .payload = 100}, TX(WEB6, TAG4)},
	{"802.1ad tag out, IPv6 outside", {WEB6_TCP, .payload = 100}, TX(WEB6, TAG6)},
	{"802.1ad tag out, IPv4 in IPv6", {DNS4_UDP, .payload = 100}, TX(DNS4, TAG6)},
	{"tag and GUE, IPv4", {WEB4_TCP, .payload = 100}, TX(WEB4, TAG_GUE4)},
	{"tag and GUE, IPv6", {WEB6_TCP, .payload = 100}, TX(WEB6, TAG_GUE6)},
	{"tag and GUE, IPv4 in IPv6", {DNS4_UDP, .payload = 100}, TX(DNS4, TAG_GUE6)},
	{"tag out of another interface", {WEB4_TCP}, REDIRECT(WEB4, TAG_AWAY4)},
	{"tag out of another interface, IPv6 inside", {WEB6_TCP}, REDIRECT(WEB6, TAG_AWAY4)},
	{"the tag is not the packet's: just fits", {WEB4_TCP, .payload = MTU - 60}, TX(WEB4, TAG4)},
	{"the tag is not the packet's: just fits, GUE",
	 {WEB6_TCP, .payload = MTU - 108},
	 TX(WEB6, TAG_GUE6)},
	{"one too many with a tag", {WEB4_TCP, .payload = MTU - 59}, DROP(TOO_BIG, WEB4, TAG4)},
	{"padding rides along behind a tag", {WEB4_TCP, .padding = 6}, TX(WEB4, TAG4)},
	{"metadata of the driver moves along", {WEB4_TCP}, TX(WEB4, TAG_GUE4), .metadata = 32},
	{"no headroom for the tag", {WEB4_TCP}, DROP(NO_HEADROOM, WEB4, TAG4), .metadata = 196},

	/* Tags of the way in go. */
	{"802.1Q tag in", {.tag = {TAG_Q(5)}, WEB4_TCP, .payload = 100}, TX(WEB4, TO4)},
	{"802.1Q tag in, IPv6", {.tag = {TAG_Q(0x6005)}, WEB6_TCP, .payload = 100}, TX(WEB6, TO6)},
	{"priority tag in", {.tag = {TAG_Q(0xe000)}, DNS4_UDP}, TX(DNS4, TO4)},
	{"802.1ad tag in", {.tag = {TAG_AD(7)}, DNS6_UDP}, TX(DNS6, TO6)},
	{"two tags in", {.tag = {TAG_AD(7), TAG_Q(5)}, WEB4_TCP}, TX(WEB4, TO4)},
	{"two tags in, IPv6", {.tag = {TAG_AD(7), TAG_Q(5)}, WEB6_TCP}, TX(WEB6, TO4)},
	{"two 802.1Q tags in", {.tag = {TAG_Q(7), TAG_Q(5)}, WEB4_TCP}, TX(WEB4, TO6)},
	{"tag in, another one out", {.tag = {TAG_Q(9)}, WEB4_TCP}, TX(WEB4, TAG4)},
	{"tag in, another one out, IPv6", {.tag = {TAG_Q(9)}, WEB6_TCP}, TX(WEB6, TAG6)},
	{"two tags in, one out, GUE",
	 {.tag = {TAG_AD(7), TAG_Q(5)}, WEB4_TCP, .payload = 33},
	 TX(WEB4, TAG_GUE6)},
	{"tag in, GUE out", {.tag = {TAG_Q(5)}, WEB6_TCP, .payload = 33}, TX(WEB6, GUE4)},
	{"tag in, out of another interface",
	 {.tag = {TAG_Q(5)}, WEB4_TCP},
	 REDIRECT(WEB4, TAG_AWAY4)},
	{"tag in, tag in the padding", {.tag = {TAG_Q(5)}, WEB4_TCP, .padding = 2}, TX(WEB4, TO4)},
	{"a tag in does not count for the MTU",
	 {.tag = {TAG_Q(5)}, WEB4_TCP, .payload = MTU - 60},
	 TX(WEB4, TO4)},
	{"jumbo of several buffers, two tags in",
	 {.tag = {TAG_AD(7), TAG_Q(5)}, WEB4_TCP, .payload = 8960},
	 TX(WEB4, BIG4)},
};

/* --- headers made by another program (scapy), from the Ethernet header on --- */
struct outer_golden {
	const char *name;
	struct spec in;
	enum vip_index vip;
	enum member_index member;
	uint64_t hash;
	const char *out;
};

static const struct outer_golden outer_goldens[] = {
	{"golden GUE over IPv4",
	 {WEB4_TCP, .tos = 0xb8, .payload = 100},
	 WEB4,
	 GUE4,
	 0x398be0fff6ef88a3,
	 "06b0b1b2b30106a0a1a2a301080045b800a8000040004011257d0a0100010a00000f"
	 "f6ef17c000940000"},
	{"golden GUE over IPv6",
	 {WEB6_TCP, .payload = 100},
	 WEB6,
	 GUE6,
	 0x24b9890f964b8955,
	 "06b0b1b2b30106a0a1a2a30186dd600b895500a8114020010db8000100000000000000000001"
	 "20010db8000b00000000000000000010d64b17c000a80000"},
	{"golden GUE behind a tag",
	 {WEB6_TCP, .payload = 100},
	 WEB6,
	 TAG_GUE4,
	 0x24b9890f964b8955,
	 "06b0b1b2b30606a0a1a2a306810000050800450000bc000040004011261b0a0100010a000015"
	 "d64b17c000a80000"},
	{"golden service tag",
	 {WEB4_TCP, .payload = 100},
	 WEB4,
	 TAG6,
	 0x398be0fff6ef88a3,
	 "06b0b1b2b30706a0a1a2a30788a86ffe86dd600f88a3008c044020010db80001000000000000"
	 "0000000120010db8000b00000000000000000014"},
};

#endif
