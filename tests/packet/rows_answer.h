/* SPDX-License-Identifier: BSD-2-Clause */
/* What is answered, and what is not: the rows of answer_test.c. */
#ifndef ROWS_ANSWER_H
#define ROWS_ANSWER_H

#include <netinet/in.h>
#include "harness.h"

#define CLIENT4 "198.51.100.7"
#define CLIENT6 "2001:db8:c::7"
#define WEB4_ADDRESS "192.0.2.10"
#define WEB6_ADDRESS "2001:db8::10"

/* Tags on the way in, the outer one first. */
#define TAG_Q(vlan)                                                                                \
	{                                                                                          \
		0x8100, vlan                                                                       \
	}
#define TAG_AD(vlan)                                                                               \
	{                                                                                          \
		0x88a8, vlan                                                                       \
	}

/* --- echo requests. With TX_ECHO, the reply of frame_answer.h must come out --- */
struct echo_row {
	const char *name;
	struct spec in;
	enum lb_verdict verdict;
	bool to_group; /* the frame's destination is one of many stations */
};

#define ECHO4_FROM(from, to)                                                                       \
	.family = 4, .protocol = IPPROTO_ICMP, .source = from, .destination = to
#define ECHO6_FROM(from, to)                                                                       \
	.family = 6, .protocol = IPPROTO_ICMPV6, .source = from, .destination = to
#define ECHO4 ECHO4_FROM(CLIENT4, WEB4_ADDRESS)
#define ECHO6 ECHO6_FROM(CLIENT6, WEB6_ADDRESS)
#define PASSED .verdict = LB_PASS_ICMP
#define ANSWERED .verdict = LB_TX_ECHO

static const struct echo_row echo_rows[] = {
	{"ping", {ECHO4, .payload = 56}, ANSWERED},
	{"ping, IPv6", {ECHO6, .payload = 56}, ANSWERED},
	{"ping without data", {ECHO4}, ANSWERED},
	{"ping without data, IPv6", {ECHO6}, ANSWERED},
	{"ping whose reply is all 0, but for its checksum",
	 {ECHO4, .poke = {{ETH + 22, 0xf7},
			  {ETH + 23, 0xff},
			  {ETH + 24, 0},
			  {ETH + 25, 0},
			  {ETH + 27, 0}}},
	 ANSWERED},
	{"ping with one byte and the frame's padding",
	 {ECHO4, .payload = 1, .padding = 17},
	 ANSWERED},
	{"ping with one byte and bytes after it, IPv6",
	 {ECHO6, .payload = 1, .padding = 3},
	 ANSWERED},
	{"ping of 1500", {ECHO4, .payload = 1472, .fragment = 0x4000}, ANSWERED},
	{"ping of 1500, IPv6", {ECHO6, .payload = 1452}, ANSWERED},
	{"jumbo ping of several buffers", {ECHO4, .payload = 8900}, ANSWERED},
	{"jumbo ping of several buffers, IPv6", {ECHO6, .payload = 8900}, ANSWERED},
	{"ping to the address of a VIP on every port",
	 {ECHO4_FROM(CLIENT4, "192.0.2.11"), .payload = 8},
	 ANSWERED},
	{"ping to an address with UDP only, IPv6",
	 {ECHO6_FROM(CLIENT6, "2001:db8::12"), .payload = 8},
	 ANSWERED},
	{"TTL 1", {ECHO4, .ttl = 1}, ANSWERED},
	{"TTL 255", {ECHO4, .ttl = 255}, ANSWERED},
	{"TTL 64 already", {ECHO4, .ttl = 64}, ANSWERED},
	{"hop limit 1", {ECHO6, .ttl = 1}, ANSWERED},
	{"DSCP and ECN come back", {ECHO4, .tos = 0xbb}, ANSWERED},
	{"traffic class and flow label come back",
	 {ECHO6, .tos = 0xbb, .label = 0xabcde},
	 ANSWERED},
	{"link-local source, IPv6", {ECHO6_FROM("fe80::7", WEB6_ADDRESS)}, ANSWERED},
	{"highest unicast source", {ECHO4_FROM("223.255.255.254", WEB4_ADDRESS)}, ANSWERED},
	{"lowest unicast source", {ECHO4_FROM("1.0.0.0", WEB4_ADDRESS)}, ANSWERED},
	{"source below loopback", {ECHO4_FROM("126.255.255.255", WEB4_ADDRESS)}, ANSWERED},
	{"source above loopback", {ECHO4_FROM("128.0.0.0", WEB4_ADDRESS)}, ANSWERED},
	{"another VIP's address as source", {ECHO4_FROM("192.0.2.11", WEB4_ADDRESS)}, ANSWERED},
	{"translated source, IPv6", {ECHO6_FROM("64:ff9b::c633:6407", WEB6_ADDRESS)}, ANSWERED},
	{"tagged ping", {.tag = {TAG_Q(5)}, ECHO4, .payload = 56}, ANSWERED},
	{"tagged ping, IPv6", {.tag = {TAG_Q(0xefff)}, ECHO6, .payload = 56}, ANSWERED},
	{"priority-tagged ping", {.tag = {TAG_Q(0xe000)}, ECHO4}, ANSWERED},
	{"ping with a service tag", {.tag = {TAG_AD(7)}, ECHO6}, ANSWERED},
	{"ping with two tags", {.tag = {TAG_AD(7), TAG_Q(5)}, ECHO4, .payload = 9}, ANSWERED},
	{"ping with two tags, IPv6", {.tag = {TAG_AD(7), TAG_Q(5)}, ECHO6, .payload = 9}, ANSWERED},

	/* To the stack. */
	{"ping to another address",
	 {ECHO4_FROM(CLIENT4, "192.0.2.99"), .payload = 56},
	 .verdict = LB_PASS_NOT_VIP},
	{"ping to another address, IPv6",
	 {ECHO6_FROM(CLIENT6, "2001:db8::99"), .payload = 56},
	 .verdict = LB_PASS_NOT_VIP},
	{"tagged ping to another address",
	 {.tag = {TAG_Q(5)}, ECHO4_FROM(CLIENT4, "192.0.2.99")},
	 .verdict = LB_PASS_NOT_VIP},
	{"IPv4 options", {ECHO4, .options = 8, .payload = 56}, PASSED},
	{"IPv4 options that look like an echo request",
	 {ECHO4, .options = 8, .payload = 56, .poke = {{ETH + 20, 8}, {ETH + 21, 0}}},
	 PASSED},
	{"hop-by-hop options, IPv6",
	 {ECHO6, .extension = EXTENSION(IPPROTO_HOPOPTS), .payload = 56},
	 PASSED},
	{"destination options, IPv6", {ECHO6, .extension = EXTENSION(IPPROTO_DSTOPTS)}, PASSED},
	{"fragment, IPv6",
	 {ECHO6, .extension = EXTENSION(IPPROTO_FRAGMENT), .fragment = 1, .payload = 56},
	 PASSED},
	{"echo reply", {ECHO4, .poke = {{ETH + 20, 0}}}, PASSED},
	{"code that is not 0", {ECHO4, .poke = {{ETH + 21, 1}}}, PASSED},
	{"code that is not 0, IPv6", {ECHO6, .poke = {{ETH + 41, 1}}}, PASSED},
	{"timestamp request", {ECHO4, .payload = 12, .poke = {{ETH + 20, 13}}}, PASSED},
	{"ICMPv6 over IPv4",
	 {ECHO4, .payload = 8, .poke = {{ETH + 9, 58}, {ETH + 20, 128}}},
	 PASSED},
	{"ICMP over IPv6", {ECHO6, .payload = 8, .poke = {{ETH + 6, 1}, {ETH + 40, 8}}}, PASSED},
	{"ICMPv6 type over ICMP", {ECHO4, .poke = {{ETH + 20, 128}}}, PASSED},
	{"ICMP type over ICMPv6", {ECHO6, .poke = {{ETH + 40, 8}}}, PASSED},

	/* Sources that are no single host's. */
	{"source 0.0.0.0", {ECHO4_FROM("0.0.0.0", WEB4_ADDRESS)}, PASSED},
	{"source 0.255.255.255", {ECHO4_FROM("0.255.255.255", WEB4_ADDRESS)}, PASSED},
	{"source on loopback", {ECHO4_FROM("127.0.0.1", WEB4_ADDRESS)}, PASSED},
	{"multicast source", {ECHO4_FROM("224.0.0.1", WEB4_ADDRESS)}, PASSED},
	{"reserved source", {ECHO4_FROM("240.0.0.1", WEB4_ADDRESS)}, PASSED},
	{"broadcast source", {ECHO4_FROM("255.255.255.255", WEB4_ADDRESS)}, PASSED},
	{"the VIP as source", {ECHO4_FROM(WEB4_ADDRESS, WEB4_ADDRESS)}, PASSED},
	{"unspecified source, IPv6", {ECHO6_FROM("::", WEB6_ADDRESS)}, PASSED},
	{"source on loopback, IPv6", {ECHO6_FROM("::1", WEB6_ADDRESS)}, PASSED},
	{"mapped source, IPv6", {ECHO6_FROM("::ffff:198.51.100.7", WEB6_ADDRESS)}, PASSED},
	{"multicast source, IPv6", {ECHO6_FROM("ff02::1", WEB6_ADDRESS)}, PASSED},
	{"the VIP as source, IPv6", {ECHO6_FROM(WEB6_ADDRESS, WEB6_ADDRESS)}, PASSED},
	{"first fragment", {ECHO4, .payload = 40, .fragment = 0x2000}, PASSED},
	{"later fragment", {ECHO4, .payload = 40, .fragment = 0x0003}, PASSED},
	{"cut off after 7 bytes", {ECHO4, .l4_length = 7}, PASSED},
	{"cut off after 7 bytes, IPv6", {ECHO6, .l4_length = 7}, PASSED},
	{"frame to a group of stations", {ECHO4}, .verdict = LB_PASS_GROUP, .to_group = true},
	{"frame to a group of stations, IPv6", {ECHO6}, .verdict = LB_PASS_GROUP, .to_group = true},
	{"source is a group of stations", {ECHO4, .poke = {{6, 0x03}}}, PASSED},
	{"source is a group of stations, IPv6", {ECHO6, .poke = {{6, 0x33}}}, PASSED},
};

/* --- packets that exceed an MTU. With TX_TOO_BIG, the message of frame_answer.h with `mtu` --- */
struct big_row {
	const char *name;
	struct spec in;
	enum vip_index vip;
	enum member_index member;
	enum lb_verdict verdict;
	uint32_t mtu;
	unsigned int metadata;
	bool to_group;
};

#define DF .fragment = 0x4000
#define TCP4_FROM(from, ip_length)                                                                 \
	.family = 4, .protocol = IPPROTO_TCP, .source = from, .destination = WEB4_ADDRESS,         \
	.sport = 40000, .dport = 443, .payload = (ip_length)-40
#define TCP6_FROM(from, ip_length)                                                                 \
	.family = 6, .protocol = IPPROTO_TCP, .source = from, .destination = WEB6_ADDRESS,         \
	.sport = 40000, .dport = 443, .payload = (ip_length)-60
#define TCP4(ip_length) TCP4_FROM(CLIENT4, ip_length)
#define TCP6(ip_length) TCP6_FROM(CLIENT6, ip_length)
#define UDP4(ip_length)                                                                            \
	.family = 4, .protocol = IPPROTO_UDP, .source = CLIENT4, .destination = WEB4_ADDRESS,      \
	.sport = 40000, .dport = 53, .payload = (ip_length)-28
#define UDP6(ip_length)                                                                            \
	.family = 6, .protocol = IPPROTO_UDP, .source = CLIENT6, .destination = WEB6_ADDRESS,      \
	.sport = 40000, .dport = 53, .payload = (ip_length)-48
#define TOLD(value, which, to) .verdict = LB_TX_TOO_BIG, .vip = which, .member = to, .mtu = value
#define UNTOLD(which, to) .verdict = LB_DROP_TOO_BIG, .vip = which, .member = to

/* Errors that quote all of what a backend has sent, and fragments without ports. */
static const struct spec sent4 = {.family = 4,
				  .protocol = IPPROTO_TCP,
				  .source = WEB4_ADDRESS,
				  .destination = CLIENT4,
				  .sport = 443,
				  .dport = 40000,
				  .payload = 1440};
static const struct spec sent6 = {.family = 6,
				  .protocol = IPPROTO_TCP,
				  .source = WEB6_ADDRESS,
				  .destination = CLIENT6,
				  .sport = 443,
				  .dport = 40000,
				  .payload = 1390};
#define ERROR4                                                                                     \
	.family = 4, .protocol = IPPROTO_ICMP, .source = "203.0.113.9",                            \
	.destination = WEB4_ADDRESS, .icmp_type = 3, .icmp_code = 4, .fragment = 0x4000,           \
	.quote = &sent4
#define ERROR6                                                                                     \
	.family = 6, .protocol = IPPROTO_ICMPV6, .source = "2001:db8:f::9",                        \
	.destination = WEB6_ADDRESS, .icmp_type = 2, .quote = &sent6
#define LATER4                                                                                     \
	.family = 4, .protocol = IPPROTO_UDP, .source = CLIENT4, .destination = "192.0.2.16",      \
	.sport = 40000, .dport = 53
#define LATER6                                                                                     \
	.family = 6, .protocol = IPPROTO_UDP, .source = CLIENT6, .destination = "2001:db8::16",    \
	.extension = EXTENSION(IPPROTO_FRAGMENT), .fragment = 0x0008

static const struct big_row big_rows[] = {
	{"1500 bytes, IPv4 in IPv4", {TCP4(1500), DF}, TOLD(1480, WEB4, TO4)},
	{"1500 bytes, IPv4 in GUE over IPv4", {TCP4(1500), DF}, TOLD(1472, WEB4, GUE4)},
	{"1500 bytes, IPv4 in IPv6", {TCP4(1500), DF}, TOLD(1460, WEB4, TO6)},
	{"1500 bytes, IPv4 in GUE over IPv6", {TCP4(1500), DF}, TOLD(1452, WEB4, GUE6)},
	{"1500 bytes, IPv6 in IPv4", {TCP6(1500)}, TOLD(1480, WEB6, TO4)},
	{"1500 bytes, IPv6 in GUE over IPv4", {TCP6(1500)}, TOLD(1472, WEB6, GUE4)},
	{"1500 bytes, IPv6 in IPv6", {TCP6(1500)}, TOLD(1460, WEB6, TO6)},
	{"1500 bytes, IPv6 in GUE over IPv6", {TCP6(1500)}, TOLD(1452, WEB6, GUE6)},
	{"one byte too many", {UDP4(1481), DF}, TOLD(1480, DNS4, TO4)},
	{"one byte too many, GUE", {UDP4(1473), DF}, TOLD(1472, DNS4, GUE4)},
	{"one byte too many, IPv6", {UDP6(1461)}, TOLD(1460, DNS6, TO6)},
	{"one byte too many, IPv6 in GUE", {UDP6(1453)}, TOLD(1452, DNS6, GUE6)},
	{"out of another interface", {TCP4(1500), DF}, TOLD(1480, WEB4, AWAY4)},
	{"out of another interface, GUE", {TCP6(1500)}, TOLD(1452, WEB6, GUE_AWAY6)},
	{"a tag on the way out is not the packet's", {TCP4(1500), DF}, TOLD(1480, WEB4, TAG4)},
	{"IPv4 options are quoted", {TCP4(1460), .options = 40, DF}, TOLD(1480, WEB4, TO4)},
	{"DSCP does not come back", {TCP4(1500), .tos = 0xba, DF}, TOLD(1480, WEB4, TO4)},
	{"flow label does not come back", {TCP6(1500), .label = 0x54321}, TOLD(1480, WEB6, TO4)},
	{"TTL 1 is quoted", {TCP4(1500), .ttl = 1, DF}, TOLD(1480, WEB4, TO4)},
	{"odd length", {TCP4(1497), DF}, TOLD(1480, WEB4, TO4)},
	{"padding is not quoted", {TCP4(1500), .padding = 40, DF}, TOLD(1480, WEB4, TO4)},
	{"SYN with data", {TCP4(1500), .tcp_flags = 0x02, DF}, TOLD(1480, WEB4, TO4)},
	{"reserved flag beside DF", {TCP4(1500), .fragment = 0xc000}, TOLD(1480, WEB4, TO4)},
	{"jumbo of several buffers", {TCP4(9000), DF}, TOLD(1480, WEB4, TO4)},
	{"jumbo of several buffers, IPv6", {TCP6(9000)}, TOLD(1452, WEB6, GUE6)},
	{"jumbo for a large MTU", {TCP4(9200), DF}, TOLD(9196, WEB4, BIG4)},
	{"tagged", {.tag = {TAG_Q(5)}, TCP4(1500), DF}, TOLD(1480, WEB4, TO4)},
	{"tagged, IPv6", {.tag = {TAG_Q(0xe005)}, TCP6(1500)}, TOLD(1460, WEB6, TO6)},
	{"two tags", {.tag = {TAG_AD(7), TAG_Q(5)}, TCP4(1500), DF}, TOLD(1472, WEB4, GUE4)},
	{"two tags, IPv6", {.tag = {TAG_AD(7), TAG_Q(5)}, TCP6(1500)}, TOLD(1452, WEB6, GUE6)},
	{"tagged jumbo of several buffers",
	 {.tag = {TAG_Q(5)}, TCP4(9000), DF},
	 TOLD(1480, WEB4, TO4)},
	{"metadata of the driver moves along",
	 {TCP4(1500), DF},
	 TOLD(1480, WEB4, TO4),
	 .metadata = 32},
	{"no headroom, IPv4",
	 {TCP4(1500), DF},
	 .verdict = LB_DROP_NO_HEADROOM,
	 .vip = WEB4,
	 .member = TO4,
	 .metadata = 212},
	{"no headroom, IPv6",
	 {TCP6(1500)},
	 .verdict = LB_DROP_NO_HEADROOM,
	 .vip = WEB6,
	 .member = TO6,
	 .metadata = 212},

	/* Small MTUs. */
	{"IPv4 is told less than 1280", {TCP4(1500), DF}, TOLD(1252, WEB4, NARROW_GUE6)},
	{"IPv6 is told 1280 where it fits", {TCP6(1281)}, TOLD(1280, WEB6, NARROW4)},
	{"IPv6 is never told less than 1280", {TCP6(1281)}, TOLD(1280, WEB6, NARROW_GUE6)},
	{"IPv6 of 1280 that does not fit", {TCP6(1280)}, UNTOLD(WEB6, NARROW_GUE6)},
	{"IPv6 of 1253 that does not fit", {TCP6(1253)}, UNTOLD(WEB6, NARROW_GUE6)},
	{"no longer than the quote", {TCP4(541), DF}, TOLD(540, WEB4, TINY4)},
	{"shorter than the quote", {TCP4(200), DF}, UNTOLD(WEB4, POINT4)},
	{"an MTU below 68 is not told", {TCP4(1500), DF}, UNTOLD(WEB4, POINT4)},

	/* Dropped and counted. */
	{"IPv4 without DF", {TCP4(1500)}, UNTOLD(WEB4, TO4)},
	{"IPv4 without DF, GUE", {UDP4(1473)}, UNTOLD(DNS4, GUE4)},
	{"wrong header checksum",
	 {TCP4(1500), DF, .poke = {{ETH + 10, 0xba}, {ETH + 11, 0xad}}},
	 UNTOLD(WEB4, TO4)},
	{"wrong header checksum, options",
	 {TCP4(1500), .options = 40, DF, .poke = {{ETH + 59, 1}}},
	 UNTOLD(WEB4, TO4)},
	{"reserved flag instead of DF", {TCP4(1500), .fragment = 0x8000}, UNTOLD(WEB4, TO4)},
	{"source 0.0.0.0", {TCP4_FROM("0.0.0.0", 1500), DF}, .verdict = LB_DROP_BAD_SOURCE},
	{"source on loopback", {TCP4_FROM("127.0.0.1", 1500), DF}, .verdict = LB_DROP_BAD_SOURCE},
	{"multicast source",
	 {TCP4_FROM("239.255.255.255", 1500), DF},
	 .verdict = LB_DROP_BAD_SOURCE},
	{"broadcast source",
	 {TCP4_FROM("255.255.255.255", 1500), DF},
	 .verdict = LB_DROP_BAD_SOURCE},
	{"the VIP as source", {TCP4_FROM(WEB4_ADDRESS, 1500), DF}, .verdict = LB_DROP_BAD_SOURCE},
	{"unspecified source, IPv6", {TCP6_FROM("::", 1500)}, .verdict = LB_DROP_BAD_SOURCE},
	{"source on loopback, IPv6", {TCP6_FROM("::1", 1500)}, .verdict = LB_DROP_BAD_SOURCE},
	{"multicast source, IPv6", {TCP6_FROM("ff0e::1", 1500)}, .verdict = LB_DROP_BAD_SOURCE},
	{"the VIP as source, IPv6", {TCP6_FROM(WEB6_ADDRESS, 1500)}, .verdict = LB_DROP_BAD_SOURCE},
	{"ICMP error about a flow", {ERROR4}, UNTOLD(WEB4, TO4)},
	{"ICMP error about a flow, IPv6", {ERROR6}, UNTOLD(WEB6, TO6)},
	{"later fragment with DF, by 3-tuple",
	 {LATER4, .fragment = 0x4001, .payload = 1472},
	 UNTOLD(TUPLE4, TO4)},
	{"later fragment, by 3-tuple, IPv6", {LATER6, .payload = 1440}, UNTOLD(TUPLE6, TO6)},
	{"reserved source", {TCP4_FROM("240.0.0.1", 1500), DF}, UNTOLD(WEB4, TO4)},
	{"mapped source, IPv6", {TCP6_FROM("::ffff:198.51.100.7", 1500)}, UNTOLD(WEB6, TO6)},
	{"frame to a group of stations",
	 {TCP4(1500), DF},
	 .verdict = LB_PASS_GROUP,
	 .to_group = true},
	{"frame to a group of stations, IPv6",
	 {TCP6(1500)},
	 .verdict = LB_PASS_GROUP,
	 .to_group = true},
	{"frame from a group of stations", {TCP6(1500), .poke = {{6, 3}}}, UNTOLD(WEB6, TO6)},
};

/* --- headers made by another program (scapy), checksums included --- */
struct answer_golden {
	const char *name;
	struct spec in;
	enum vip_index vip; /* 0: an echo request */
	enum member_index member;
	const char *out; /* from the IP header on; behind it come bytes of the packet: */
	size_t from, to; /* from here, and up to here */
};

static const struct answer_golden answer_goldens[] = {
	{"golden echo reply",
	 {ECHO4, .payload = 56},
	 NO_VIP,
	 DECOY,
	 "450000541234000040017c30c000020ac633640700000bcd12340001",
	 28,
	 84},
	{"golden echo reply, IPv6",
	 {ECHO6, .tos = 0xb8, .label = 0x12345, .payload = 57},
	 NO_VIP,
	 DECOY,
	 "6b81234500413a4020010db800000000000000000000001020010db8000c00000000000000000007"
	 "8100c9bb12340001",
	 48,
	 105},
	{"golden frag needed",
	 {TCP4(1500), DF},
	 WEB4,
	 TO4,
	 "45c0021c0000400040014bdcc000020ac63364070304145f000005c8",
	 0,
	 512},
	{"golden frag needed, GUE",
	 {TCP4(1500), DF},
	 WEB4,
	 GUE6,
	 "45c0021c0000400040014bdcc000020ac63364070304147b000005ac",
	 0,
	 512},
	{"golden packet too big",
	 {TCP6(1500)},
	 WEB6,
	 TO4,
	 "6000000002083a4020010db800000000000000000000001020010db8000c00000000000000000007"
	 "02005f40000005c8",
	 0,
	 512},
	{"golden packet too big, GUE",
	 {TCP6(1500)},
	 WEB6,
	 GUE6,
	 "6000000002083a4020010db800000000000000000000001020010db8000c00000000000000000007"
	 "02005f5c000005ac",
	 0,
	 512},
};

#endif
