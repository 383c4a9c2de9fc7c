/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors about a VIP's flows, and other ICMP: rows of packet_test.c. The slot is that of the
 * flow that the error quotes, turned around. */
#ifndef ROWS_ICMP_H
#define ROWS_ICMP_H

#include "rows.h"

#define ROUTER4 "203.0.113.9"
#define ROUTER6 "2001:db8:f::9"

/* What a backend has sent to the client. */
#define REPLY4(what, from, port)                                                                   \
	.family = 4, .protocol = IPPROTO_##what, .source = from, .destination = CLIENT4,           \
	.sport = port, .dport = 40000, .payload = 1200
#define REPLY6(what, from, port)                                                                   \
	.family = 6, .protocol = IPPROTO_##what, .source = from, .destination = CLIENT6,           \
	.sport = port, .dport = 40000, .payload = 1200
#define REPLY_WEB4 REPLY4(TCP, "192.0.2.10", 443)
#define REPLY_WEB6 REPLY6(TCP, "2001:db8::10", 443)

#define QUOTE(bytes, ...) .quote = &(const struct spec){__VA_ARGS__}, .quote_length = bytes
#define ERROR4(type, code, to)                                                                     \
	.family = 4, .protocol = IPPROTO_ICMP, .source = ROUTER4, .destination = to,               \
	.icmp_type = type, .icmp_code = code
#define ERROR6(type, code, to)                                                                     \
	.family = 6, .protocol = IPPROTO_ICMPV6, .source = ROUTER6, .destination = to,             \
	.icmp_type = type, .icmp_code = code

#define WEB4_QUOTED(bytes) QUOTE(bytes, REPLY_WEB4)
#define WEB6_QUOTED(bytes) QUOTE(bytes, REPLY_WEB6)
#define UNREACHABLE4 ERROR4(3, 1, "192.0.2.10")
#define FRAG_NEEDED ERROR4(3, 4, "192.0.2.10")
#define TOO_BIG6 ERROR6(2, 0, "2001:db8::10")

static const struct row icmp_rows[] = {
	/* To the backend that has the flow. */
	{"host unreachable", {UNREACHABLE4, WEB4_QUOTED(28)}, TX(WEB4, TO4)},
	{"port unreachable, UDP",
	 {ERROR4(3, 3, "192.0.2.10"), QUOTE(28, REPLY4(UDP, "192.0.2.10", 53))},
	 TX(DNS4, TO4)},
	{"frag needed, 8 bytes of transport header", {FRAG_NEEDED, WEB4_QUOTED(28)}, TX(WEB4, TO4)},
	{"frag needed, 548 bytes quoted", {FRAG_NEEDED, WEB4_QUOTED(548)}, TX(WEB4, TO4)},
	{"frag needed, the whole packet quoted", {FRAG_NEEDED, WEB4_QUOTED(0)}, TX(WEB4, TO6)},
	{"time exceeded", {ERROR4(11, 0, "192.0.2.10"), WEB4_QUOTED(28)}, TX(WEB4, TO4)},
	{"parameter problem", {ERROR4(12, 0, "192.0.2.10"), WEB4_QUOTED(28)}, TX(WEB4, TO4)},
	{"frag needed, quote with options",
	 {FRAG_NEEDED, QUOTE(68, REPLY_WEB4, .options = 40)},
	 TX(WEB4, TO4)},
	{"frag needed in a packet with options",
	 {FRAG_NEEDED, .options = 24, WEB4_QUOTED(28)},
	 TX(WEB4, TO4)},
	{"frag needed, 6 outside", {FRAG_NEEDED, WEB4_QUOTED(28)}, TX(WEB4, TO6_PREFIX)},
	{"frag needed, out of another interface",
	 {FRAG_NEEDED, WEB4_QUOTED(28)},
	 REDIRECT(WEB4, AWAY4)},
	{"frag needed, DSCP and ECN go outwards",
	 {FRAG_NEEDED, .tos = 0xc1, WEB4_QUOTED(28)},
	 TX(WEB4, TO4)},
	{"frag needed, TTL 1", {FRAG_NEEDED, .ttl = 1, WEB4_QUOTED(28)}, TX(WEB4, TO4)},
	{"frag needed, tagged",
	 {.tag = {{0x8100, 5}}, FRAG_NEEDED, WEB4_QUOTED(28)},
	 TX(WEB4, TO4)},
	{"frag needed, every port",
	 {ERROR4(3, 4, "192.0.2.11"), QUOTE(28, REPLY4(TCP, "192.0.2.11", 8080))},
	 TX(EVERY4, TO4)},
	{"frag needed, SCTP",
	 {ERROR4(3, 4, "192.0.2.13"), QUOTE(28, REPLY4(SCTP, "192.0.2.13", 5060))},
	 TX(SCTP4, TO4)},
	{"frag needed, VIP by source",
	 {ERROR4(3, 4, "192.0.2.14"), QUOTE(28, REPLY4(TCP, "192.0.2.14", 443))},
	 TX(SOURCE4, TO4)},
	{"frag needed, VIP by source and port",
	 {ERROR4(3, 4, "192.0.2.15"), QUOTE(28, REPLY4(TCP, "192.0.2.15", 443))},
	 TX(PORT4, TO4)},
	{"frag needed, VIP whose fragments go by 3-tuple",
	 {ERROR4(3, 4, "192.0.2.16"), QUOTE(28, REPLY4(UDP, "192.0.2.16", 53))},
	 TX(TUPLE4, TO4)},
	{"frag needed, first fragment quoted",
	 {FRAG_NEEDED, QUOTE(28, REPLY_WEB4, .fragment = 0x2000)},
	 TX(WEB4, TO4)},
	{"frag needed, no backend", {FRAG_NEEDED, WEB4_QUOTED(28)}, DROP(NO_BACKEND, WEB4, NOBODY)},
	{"destination unreachable, IPv6",
	 {ERROR6(1, 4, "2001:db8::10"), WEB6_QUOTED(0)},
	 TX(WEB6, TO6)},
	{"too big", {TOO_BIG6, WEB6_QUOTED(1192)}, TX(WEB6, TO6)},
	{"too big, 8 bytes of transport header", {TOO_BIG6, WEB6_QUOTED(48)}, TX(WEB6, TO4)},
	{"time exceeded, IPv6", {ERROR6(3, 0, "2001:db8::10"), WEB6_QUOTED(48)}, TX(WEB6, TO6)},
	{"parameter problem, IPv6", {ERROR6(4, 1, "2001:db8::10"), WEB6_QUOTED(48)}, TX(WEB6, TO6)},
	{"too big, quote with extension headers",
	 {TOO_BIG6, QUOTE(64, REPLY_WEB6, .extension = EXTENSION(60), .chain = {EXTENSION(60)})},
	 TX(WEB6, TO6)},
	{"too big in a packet with extension headers",
	 {TOO_BIG6, .extension = EXTENSION(0), WEB6_QUOTED(48)},
	 TX(WEB6, TO6)},
	{"too big, quote of a first fragment",
	 {TOO_BIG6, QUOTE(56, REPLY_WEB6, .extension = EXTENSION(44), .fragment = 1)},
	 TX(WEB6, TO6)},
	{"too big, UDP", {TOO_BIG6, QUOTE(48, REPLY6(UDP, "2001:db8::10", 53))}, TX(DNS6, TO6)},
	{"too big, VIP by source",
	 {ERROR6(2, 0, "2001:db8::14"), QUOTE(48, REPLY6(TCP, "2001:db8::14", 443))},
	 TX(SOURCE6, TO6)},
	{"too big, two tags",
	 {.tag = {{0x88a8, 5}, {0x8100, 6}}, TOO_BIG6, WEB6_QUOTED(48)},
	 TX(WEB6, TO6)},

	/* About no flow of the VIP's. */
	{"7 bytes of transport header quoted", {FRAG_NEEDED, WEB4_QUOTED(27)}, PASS(ICMP)},
	{"no transport header quoted", {FRAG_NEEDED, WEB4_QUOTED(20)}, PASS(ICMP)},
	{"19 bytes quoted", {FRAG_NEEDED, WEB4_QUOTED(19)}, PASS(ICMP)},
	{"nothing quoted", {FRAG_NEEDED}, PASS(ICMP)},
	{"nothing quoted, IPv6", {TOO_BIG6}, PASS(ICMP)},
	{"47 bytes quoted, IPv6", {TOO_BIG6, WEB6_QUOTED(47)}, PASS(ICMP)},
	{"39 bytes quoted, IPv6", {TOO_BIG6, WEB6_QUOTED(39)}, PASS(ICMP)},
	{"quote of another source",
	 {FRAG_NEEDED, QUOTE(28, REPLY4(TCP, "192.0.2.11", 443))},
	 PASS(ICMP)},
	{"quote of another source, IPv6",
	 {TOO_BIG6, QUOTE(48, REPLY6(TCP, "2001:db8::11", 443))},
	 PASS(ICMP)},
	{"quote of a port that is no VIP",
	 {FRAG_NEEDED, QUOTE(28, REPLY4(TCP, "192.0.2.10", 444))},
	 PASS(ICMP)},
	{"quote of GRE", {FRAG_NEEDED, QUOTE(0, REPLY4(GRE, "192.0.2.10", 0))}, PASS(ICMP)},
	{"quote of a ping", {UNREACHABLE4, QUOTE(0, REPLY4(ICMP, "192.0.2.10", 0))}, PASS(ICMP)},
	{"quote of a later fragment",
	 {FRAG_NEEDED, QUOTE(28, REPLY_WEB4, .fragment = 0x0003)},
	 PASS(ICMP)},
	{"quote of a later fragment, IPv6",
	 {TOO_BIG6, QUOTE(56, REPLY_WEB6, .extension = EXTENSION(44), .fragment = 0x0018)},
	 PASS(ICMP)},
	{"quote of version 6 in ICMPv4",
	 {FRAG_NEEDED, WEB4_QUOTED(28), .poke = {{ETH + 28, 0x65}}},
	 PASS(ICMP)},
	{"quote with a header of 16",
	 {FRAG_NEEDED, WEB4_QUOTED(28), .poke = {{ETH + 28, 0x44}}},
	 PASS(ICMP)},
	{"quote of version 4 in ICMPv6",
	 {TOO_BIG6, WEB6_QUOTED(48), .poke = {{ETH + 48, 0x45}}},
	 PASS(ICMP)},
	{"quote with seven extension headers",
	 {TOO_BIG6, QUOTE(0, REPLY_WEB6, .extension = EXTENSION(0),
			  .chain = {EXTENSION(60), EXTENSION(60), EXTENSION(60), EXTENSION(60),
				    EXTENSION(60), EXTENSION(60)})},
	 PASS(ICMP)},
	{"quote with a routing header that has segments left",
	 {TOO_BIG6, QUOTE(0, REPLY_WEB6, .extension = EXTENSION(43), .segments_left = 1)},
	 PASS(ICMP)},
	{"quote with options beyond it",
	 {FRAG_NEEDED, QUOTE(28, REPLY_WEB4, .options = 40)},
	 PASS(ICMP)},
	{"the error's TTL is 0",
	 {FRAG_NEEDED, WEB4_QUOTED(28), .poke = {{ETH + 8, 0}}},
	 PASS(ICMP)},
	{"the error is cut off by its length",
	 {FRAG_NEEDED, WEB4_QUOTED(28), IPV4_LENGTH(55)},
	 PASS(ICMP)},
	{"the error's length is beyond the frame",
	 {FRAG_NEEDED, WEB4_QUOTED(28), IPV4_LENGTH(57)},
	 PASS(ICMP)},
	{"the error's version is 5",
	 {FRAG_NEEDED, WEB4_QUOTED(28), .poke = {{ETH, 0x55}}},
	 PASS(ICMP)},
	{"the error is a first fragment",
	 {FRAG_NEEDED, .fragment = 0x2000, WEB4_QUOTED(28)},
	 PASS(ICMP)},
	{"the error is a first fragment, IPv6",
	 {TOO_BIG6, .extension = EXTENSION(44), .fragment = 1, WEB6_QUOTED(48)},
	 PASS(ICMP)},
	{"the error is a later fragment",
	 {FRAG_NEEDED, .fragment = 0x0002, WEB4_QUOTED(28)},
	 PASS(ICMP)},
	{"source quench (RFC 6633)", {ERROR4(4, 0, "192.0.2.10"), WEB4_QUOTED(28)}, PASS(ICMP)},
	{"redirect", {ERROR4(5, 1, "192.0.2.10"), WEB4_QUOTED(28)}, PASS(ICMP)},
	{"timestamp request", {ERROR4(13, 0, "192.0.2.10"), .payload = 12}, PASS(ICMP)},
	{"ICMPv6 type 0", {TOO_BIG6, WEB6_QUOTED(48), .poke = {{ETH + 40, 0}}}, PASS(ICMP)},
	{"ICMPv6 type 5", {ERROR6(5, 0, "2001:db8::10"), WEB6_QUOTED(48)}, PASS(ICMP)},
	{"ICMPv4 in IPv6",
	 {.family = 6,
	  .protocol = IPPROTO_ICMP,
	  .source = ROUTER6,
	  .destination = "2001:db8::10",
	  .icmp_type = 3,
	  WEB6_QUOTED(48)},
	 PASS(ICMP)},
	{"ICMPv6 in IPv4",
	 {.family = 4,
	  .protocol = IPPROTO_ICMPV6,
	  .source = ROUTER4,
	  .destination = "192.0.2.10",
	  .icmp_type = 2,
	  WEB4_QUOTED(28)},
	 PASS(ICMP)},

	/* To an address that is no VIP's. */
	{"frag needed to another address",
	 {ERROR4(3, 4, "192.0.2.99"), WEB4_QUOTED(28)},
	 PASS(NOT_VIP)},
	{"too big to another address",
	 {ERROR6(2, 0, "2001:db8::99"), WEB6_QUOTED(48)},
	 PASS(NOT_VIP)},
	{"frag needed to another address, tagged",
	 {.tag = {{0x8100, 5}}, ERROR4(3, 4, "192.0.2.99"), WEB4_QUOTED(28)},
	 PASS(NOT_VIP)},
	{"router's error to another address, cut off",
	 {ERROR4(11, 0, "192.0.2.99"), WEB4_QUOTED(12)},
	 PASS(NOT_VIP)},
};

#endif
