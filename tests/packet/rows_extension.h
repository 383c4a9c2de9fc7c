/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 extension headers and SCTP: rows of packet_test.c. */
#ifndef ROWS_EXTENSION_H
#define ROWS_EXTENSION_H

#include "rows.h"

#define HOPBYHOP EXTENSION(0)
#define ROUTE EXTENSION(43)
#define FRAGMENT EXTENSION(44)
#define AUTHENTICATION EXTENSION(51)
#define OPTIONS EXTENSION(60)
#define MOBILITY EXTENSION(135)

/* An IPv4 option after `at` bytes of others. */
#define ROUTE4(at, type, length, pointer)                                                          \
	.options = 12,                                                                             \
	.poke = {{ETH + 20 + (at), type}, {ETH + 21 + (at), length}, {ETH + 22 + (at), pointer}}

#define ELSEWHERE6 PACKET6(TCP, "2001:db8::99", 443)

#define FROM_PORT(first, to, second)                                                               \
	.family = 4, .protocol = IPPROTO_TCP, .source = CLIENT4, .destination = to,                \
	.sport = first, .dport = second

static const struct row extension_rows[] = {
	{"hop-by-hop options", {HEADER6(0), .payload = 64}, TX(WEB6, TO6)},
	{"hop-by-hop options, UDP", {DNS6_UDP, .extension = HOPBYHOP}, TX(DNS6, TO4)},
	{"destination options", {HEADER6(60)}, TX(WEB6, TO6)},
	{"authentication header", {HEADER6(51)}, TX(WEB6, TO6)},
	{"authentication header of 24 bytes", {HEADER6(51), .extension_length = 4}, TX(WEB6, TO6)},
	{"mobility header", {HEADER6(135)}, TX(WEB6, TO6)},
	{"host identity header", {HEADER6(139)}, TX(WEB6, TO6)},
	{"shim6 header", {HEADER6(140)}, TX(WEB6, TO6)},
	{"routing header without segments left", {HEADER6(43)}, TX(WEB6, TO6)},
	{"destination options of 264 bytes", {HEADER6(60), .extension_length = 32}, TX(WEB6, TO6)},
	{"atomic fragment is a whole packet", {HEADER6(44), .payload = 64}, TX(WEB6, TO6)},
	{"atomic fragment after options, before options",
	 {HEADER6(60), .chain = {FRAGMENT, OPTIONS}},
	 TX(WEB6, TO6)},
	{"six headers",
	 {HEADER6(0), .chain = {OPTIONS, ROUTE, FRAGMENT, AUTHENTICATION, OPTIONS}},
	 TX(WEB6, TO6)},
	{"six headers, UDP, every port",
	 {PACKET6(UDP, "2001:db8::11", 99), .extension = HOPBYHOP,
	  .chain = {OPTIONS, OPTIONS, OPTIONS, MOBILITY, OPTIONS}},
	 TX(EVERYUDP6, TO6)},
	{"extension header, TX to another interface", {HEADER6(60)}, REDIRECT(WEB6, AWAY6)},
	{"extension header, hop limit 1", {HEADER6(60), .ttl = 1}, TX(WEB6, TO6)},

	{"routing header with segments left: on its way to another address",
	 {HEADER6(43), .segments_left = 1},
	 PASS(NOT_VIP)},
	{"options, then a routing header with segments left",
	 {HEADER6(0), .chain = {ROUTE}, .segments_left = 255},
	 PASS(NOT_VIP)},
	{"extension header, to another port",
	 {PACKET6(TCP, "2001:db8::10", 444), .extension = OPTIONS},
	 PASS(NOT_VIP)},
	{"seven headers to another address",
	 {ELSEWHERE6, .extension = HOPBYHOP,
	  .chain = {OPTIONS, OPTIONS, OPTIONS, OPTIONS, OPTIONS, OPTIONS}},
	 PASS(NOT_VIP)},
	{"options cut off, to another address",
	 {ELSEWHERE6, .extension = OPTIONS, .poke = {{ETH + 41, 200}}},
	 PASS(NOT_VIP)},
	{"ESP after options",
	 {PACKET6(ESP, "2001:db8::10", 0), .extension = OPTIONS},
	 PASS(NOT_VIP)},
	{"nothing after options",
	 {PACKET6(NONE, "2001:db8::10", 0), .extension = OPTIONS},
	 PASS(NOT_VIP)},
	{"ping to a VIP's neighbour after options",
	 {PACKET6(ICMPV6, "2001:db8::99", 0), .extension = HOPBYHOP},
	 PASS(NOT_VIP)},

	/* IPv4: loose and strict source routes. */
	{"loose source route, not used up: on its way to another address",
	 {WEB4_TCP, ROUTE4(0, 131, 7, 4)},
	 PASS(NOT_VIP)},
	{"strict source route, not used up", {DNS4_UDP, ROUTE4(0, 137, 11, 8)}, PASS(NOT_VIP)},
	{"source route after another option", {WEB4_TCP, ROUTE4(4, 131, 7, 4)}, PASS(NOT_VIP)},
	{"source route, to the last address", {WEB4_TCP, ROUTE4(0, 131, 7, 7)}, PASS(NOT_VIP)},
	{"source route, tagged, ping",
	 {.tag = {{0x8100, 7}},
	  PACKET4(ICMP, "192.0.2.10", 0),
	  .options = 12,
	  .poke = {{ETH + 24, 131}, {ETH + 25, 7}, {ETH + 26, 4}}},
	 PASS(NOT_VIP)},
	{"source route that is used up", {WEB4_TCP, ROUTE4(0, 131, 7, 8)}, TX(WEB4, TO4)},
	{"strict source route that is used up", {WEB4_TCP, ROUTE4(0, 137, 11, 12)}, TX(WEB4, TO4)},
	{"record of a route is no source route", {WEB4_TCP, ROUTE4(0, 7, 7, 4)}, TX(WEB4, TO4)},
	{"source route after the end of options",
	 {WEB4_TCP, .options = 12,
	  .poke = {{ETH + 20, 0}, {ETH + 21, 131}, {ETH + 22, 7}, {ETH + 23, 4}}},
	 TX(WEB4, TO4)},
	{"source route longer than the options", {WEB4_TCP, ROUTE4(0, 131, 13, 4)}, TX(WEB4, TO4)},
	{"source route of two bytes", {WEB4_TCP, ROUTE4(0, 131, 2, 1)}, TX(WEB4, TO4)},
	{"option of no length", {WEB4_TCP, ROUTE4(0, 68, 0, 131)}, TX(WEB4, TO4)},
	{"source route in the last bytes of 40",
	 {WEB4_TCP, .options = 40, .poke = {{ETH + 57, 131}, {ETH + 58, 3}, {ETH + 59, 3}}},
	 PASS(NOT_VIP)},
	{"type of a source route in the last byte",
	 {WEB4_TCP, .options = 40, .poke = {{ETH + 59, 131}}},
	 TX(WEB4, TO4)},

	{"seven headers",
	 {HEADER6(0), .chain = {OPTIONS, OPTIONS, OPTIONS, OPTIONS, OPTIONS, OPTIONS}},
	 FAULT(EXTENSION)},
	{"options beyond the packet", {HEADER6(60), .poke = {{ETH + 41, 200}}}, FAULT(EXTENSION)},
	{"extension header without a byte", {HEADER6(60), IPV6_LENGTH(0)}, FAULT(EXTENSION)},
	{"extension header of seven bytes", {HEADER6(60), IPV6_LENGTH(7)}, FAULT(EXTENSION)},
	{"second extension header cut off",
	 {HEADER6(0), .chain = {OPTIONS}, IPV6_LENGTH(12)},
	 FAULT(EXTENSION)},
	{"extension header, TCP of 19 bytes", {HEADER6(60), .l4_length = 19}, FAULT(TRUNCATED)},
	{"extension header, TCP of 2 bytes", {HEADER6(60), .l4_length = 2}, FAULT(TRUNCATED)},
	{"extension header, nothing after it", {HEADER6(60), IPV6_LENGTH(8)}, FAULT(TRUNCATED)},
	{"extension header, hop limit 0", {HEADER6(60), .poke = {{ETH + 7, 0}}}, FAULT(TTL)},
	{"extension header, version 4", {HEADER6(60), .poke = {{ETH, 0x40}}}, FAULT(BAD_VERSION)},
	{"extension header, length beyond the frame",
	 {HEADER6(60), IPV6_LENGTH(200)},
	 FAULT(BAD_LENGTH)},

	/* SCTP. */
	{"SCTP", {PACKET4(SCTP, "192.0.2.13", 5060), .payload = 20}, TX(SCTP4, TO4)},
	{"SCTP, IPv6", {PACKET6(SCTP, "2001:db8::13", 5060), .payload = 20}, TX(SCTP6, TO6)},
	{"SCTP INIT",
	 {PACKET4(SCTP, "192.0.2.13", 5060), .chunk = 1, .payload = 16},
	 TX(SCTP4, TO6)},
	{"SCTP without a chunk",
	 {PACKET4(SCTP, "192.0.2.13", 5060), .l4_length = 12},
	 TX(SCTP4, TO4)},
	{"SCTP of 11 bytes",
	 {PACKET4(SCTP, "192.0.2.13", 5060), .l4_length = 11},
	 FAULT(TRUNCATED)},
	{"SCTP of 8 bytes, IPv6",
	 {PACKET6(SCTP, "2001:db8::13", 5060), .l4_length = 8},
	 FAULT(TRUNCATED)},
	{"SCTP to another port", {PACKET4(SCTP, "192.0.2.13", 5061), .payload = 20}, PASS(NOT_VIP)},
	{"TCP to the port of an SCTP VIP", {PACKET4(TCP, "192.0.2.13", 5060)}, PASS(NOT_VIP)},
	{"SCTP after options",
	 {PACKET6(SCTP, "2001:db8::13", 5060), .extension = OPTIONS, .payload = 20},
	 TX(SCTP6, TO6)},

	/* Hash policies: the slot is that of what the policy leaves of the flow. */
	{"by source", {PACKET4(TCP, "192.0.2.14", 443)}, TX(SOURCE4, TO4)},
	{"by source, another port", {FROM_PORT(1, "192.0.2.14", 80)}, TX(SOURCE4, TO4)},
	{"by source, IPv6", {PACKET6(TCP, "2001:db8::14", 443)}, TX(SOURCE6, TO6_PREFIX)},
	{"by source and port", {PACKET4(TCP, "192.0.2.15", 443)}, TX(PORT4, TO4_PREFIX)},
	{"by source and port, another source port",
	 {FROM_PORT(2, "192.0.2.15", 443)},
	 TX(PORT4, TO4)},
	{"by source and port, IPv6", {PACKET6(TCP, "2001:db8::15", 8443)}, TX(PORT6, TO6)},
	{"by source, after options",
	 {PACKET6(TCP, "2001:db8::14", 443), .extension = OPTIONS},
	 TX(SOURCE6, TO6)},
	{"by source, with a tag",
	 {.tag = {{0x8100, 5}}, PACKET4(TCP, "192.0.2.14", 443)},
	 TX(SOURCE4, TO4)},
};

#endif
