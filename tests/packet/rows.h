/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes in, and what must become of it: the rows of packet_test.c, which says how they are
 * checked. */
#ifndef ROWS_H
#define ROWS_H

#include <netinet/in.h>
#include "harness.h"

#define CLIENT4 "198.51.100.7"
#define CLIENT6 "2001:db8:c::7"

/* Beginnings of a spec; fields that it does not name may follow. */
#define PACKET4(what, to, port)                                                                    \
	.family = 4, .protocol = IPPROTO_##what, .source = CLIENT4, .destination = to,             \
	.sport = 40000, .dport = port
#define PACKET6(what, to, port)                                                                    \
	.family = 6, .protocol = IPPROTO_##what, .source = CLIENT6, .destination = to,             \
	.sport = 40000, .dport = port
#define WEB4_TCP PACKET4(TCP, "192.0.2.10", 443)
#define DNS4_UDP PACKET4(UDP, "192.0.2.10", 53)
#define WEB6_TCP PACKET6(TCP, "2001:db8::10", 443)
#define DNS6_UDP PACKET6(UDP, "2001:db8::10", 53)
#define WEB4_FROM(from)                                                                            \
	.family = 4, .protocol = IPPROTO_TCP, .source = from, .destination = "192.0.2.10",         \
	.sport = 40000, .dport = 443
#define WEB6_FROM(from)                                                                            \
	.family = 6, .protocol = IPPROTO_TCP, .source = from, .destination = "2001:db8::10",       \
	.sport = 40000, .dport = 443
#define TO_GROUP(first) .poke = {{POKE_FIRST, first}}

static const struct spec sent_by_web4 = {.family = 4,
					 .protocol = IPPROTO_TCP,
					 .source = "192.0.2.10",
					 .destination = CLIENT4,
					 .sport = 443,
					 .dport = 40000};

/* --- packets described; a frame that is forwarded must be the packet wrapped for `member` --- */
struct row {
	const char *name;
	struct spec in;
	enum lb_verdict verdict;
	enum vip_index vip; /* its slot for this flow holds `member`, all others the decoy */
	enum member_index member;
	unsigned int metadata; /* bytes of headroom taken up before the frame */
};

#define TX(which, to) .verdict = LB_TX, .vip = which, .member = to
#define REDIRECT(which, to) .verdict = LB_REDIRECT, .vip = which, .member = to
#define PASS(why) .verdict = LB_PASS_##why
#define FAULT(what) .verdict = LB_DROP_##what /* before any slot was looked at */
#define DROP(why, which, to) .verdict = LB_DROP_##why, .vip = which, .member = to

static const struct row rows[] = {
	/* Four encapsulations, TCP and UDP. */
	{"IPv4 TCP in IPv4", {WEB4_TCP, .payload = 100}, TX(WEB4, TO4)},
	{"IPv4 UDP in IPv4", {DNS4_UDP, .payload = 100}, TX(DNS4, TO4)},
	{"IPv4 TCP in IPv6", {WEB4_TCP, .payload = 100}, TX(WEB4, TO6)},
	{"IPv4 UDP in IPv6", {DNS4_UDP, .payload = 100}, TX(DNS4, TO6)},
	{"IPv6 TCP in IPv4", {WEB6_TCP, .payload = 100}, TX(WEB6, TO4)},
	{"IPv6 UDP in IPv4", {DNS6_UDP, .payload = 100}, TX(DNS6, TO4)},
	{"IPv6 TCP in IPv6", {WEB6_TCP, .payload = 100}, TX(WEB6, TO6)},
	{"IPv6 UDP in IPv6", {DNS6_UDP, .payload = 100}, TX(DNS6, TO6)},

	/* DSCP and ECN go outwards. */
	{"DSCP EF, IPv4 in IPv4", {WEB4_TCP, .tos = 0xb8}, TX(WEB4, TO4)},
	{"DSCP EF, IPv4 in IPv6", {WEB4_TCP, .tos = 0xb8}, TX(WEB4, TO6)},
	{"DSCP EF, IPv6 in IPv4", {WEB6_TCP, .tos = 0xb8}, TX(WEB6, TO4)},
	{"DSCP EF, IPv6 in IPv6", {WEB6_TCP, .tos = 0xb8}, TX(WEB6, TO6)},
	{"ECN CE, IPv4 in IPv4", {WEB4_TCP, .tos = 0x03}, TX(WEB4, TO4)},
	{"ECN CE, IPv4 in IPv6", {WEB4_TCP, .tos = 0x03}, TX(WEB4, TO6)},
	{"ECN CE, IPv6 in IPv4", {WEB6_TCP, .tos = 0x03}, TX(WEB6, TO4)},
	{"ECN CE, IPv6 in IPv6", {WEB6_TCP, .tos = 0x03}, TX(WEB6, TO6)},
	{"all bits of DSCP and ECN, IPv4", {WEB4_TCP, .tos = 0xff}, TX(WEB4, TO4)},
	{"all bits of the traffic class, IPv6", {WEB6_TCP, .tos = 0xff}, TX(WEB6, TO6)},

	/* The outer source. */
	{"source from an IPv4 prefix", {WEB4_TCP}, TX(WEB4, TO4_PREFIX)},
	{"source from an IPv4 prefix, IPv6 inside", {WEB6_TCP}, TX(WEB6, TO4_PREFIX)},
	{"source from an IPv6 prefix", {WEB6_TCP}, TX(WEB6, TO6_PREFIX)},
	{"source from an IPv6 prefix, IPv4 inside", {WEB4_TCP}, TX(WEB4, TO6_PREFIX)},
	{"source from an IPv6 prefix of 121 bits", {WEB6_TCP}, TX(WEB6, TO6_PREFIX7)},
	{"source from 121 bits, IPv4 inside", {DNS4_UDP}, TX(DNS4, TO6_PREFIX7)},

	/* The inner packet is not touched. */
	{"TTL 1 is forwarded as it is", {WEB4_TCP, .ttl = 1}, TX(WEB4, TO4)},
	{"TTL 255 is forwarded as it is", {WEB4_TCP, .ttl = 255}, TX(WEB4, TO6)},
	{"hop limit 1 is forwarded as it is", {WEB6_TCP, .ttl = 1}, TX(WEB6, TO6)},
	{"inner DF set", {WEB4_TCP, .fragment = 0x4000}, TX(WEB4, TO4)},
	{"inner reserved flag set", {WEB4_TCP, .fragment = 0x8000}, TX(WEB4, TO4)},
	{"inner flow label", {WEB6_TCP, .label = 0xfffff}, TX(WEB6, TO6)},
	{"IPv4 options, header of 24", {WEB4_TCP, .options = 4}, TX(WEB4, TO4)},
	{"IPv4 options, header of 40", {WEB4_TCP, .options = 20}, TX(WEB4, TO6)},
	{"IPv4 options, header of 60", {WEB4_TCP, .options = 40}, TX(WEB4, TO4)},
	{"IPv4 options, header of 60, UDP", {DNS4_UDP, .options = 40}, TX(DNS4, TO4)},
	{"TCP options of 12 bytes", {WEB4_TCP, .tcp_options = 12}, TX(WEB4, TO4)},
	{"TCP options of 40 bytes, IPv6", {WEB6_TCP, .tcp_options = 40}, TX(WEB6, TO6)},
	{"IPv4 and TCP options of 40 bytes each",
	 {WEB4_TCP, .options = 40, .tcp_options = 40, .payload = 9},
	 TX(WEB4, TO4)},
	{"SYN", {WEB4_TCP, .tcp_flags = 0x02}, TX(WEB4, TO4)},
	{"RST", {WEB4_TCP, .tcp_flags = 0x04}, TX(WEB4, TO4)},
	{"FIN", {WEB4_TCP, .tcp_flags = 0x11}, TX(WEB4, TO4)},
	{"all TCP flags", {WEB6_TCP, .tcp_flags = 0xff}, TX(WEB6, TO4)},
	{"empty UDP datagram", {DNS4_UDP}, TX(DNS4, TO4)},
	{"empty UDP datagram, IPv6", {DNS6_UDP}, TX(DNS6, TO6)},
	{"Ethernet padding after a bare ACK", {WEB4_TCP, .padding = 6}, TX(WEB4, TO4)},
	{"Ethernet padding after a short datagram",
	 {DNS4_UDP, .payload = 1, .padding = 17},
	 TX(DNS4, TO6)},
	{"bytes after an IPv6 packet", {DNS6_UDP, .padding = 3}, TX(DNS6, TO4)},
	{"bytes beyond Ethernet's padding stay behind",
	 {WEB4_TCP, .payload = 7, .padding = 1},
	 TX(WEB4, TO4)},
	{"bytes after the packet, the last that go along",
	 {WEB4_TCP, .payload = 5, .padding = 1},
	 TX(WEB4, TO4)},
	{"frame full of bytes after the packet",
	 {DNS4_UDP, .payload = 1, .padding = 1400},
	 TX(DNS4, TO6)},
	{"jumbo frame full of bytes after the packet",
	 {WEB6_TCP, .payload = 1000, .padding = 7900},
	 REDIRECT(WEB6, AWAY6)},
	{"wrong TCP checksum: the backend's to judge",
	 {WEB4_TCP, .poke = {{ETH + 36, 0xba}, {ETH + 37, 0xad}}},
	 TX(WEB4, TO4)},
	{"odd length", {WEB4_TCP, .payload = 1}, TX(WEB4, TO4)},

	/* Which VIP. */
	{"TCP to a port that UDP has too", {PACKET4(TCP, "192.0.2.10", 53)}, TX(DNS_TCP4, TO4)},
	{"UDP to a port that TCP has too", {PACKET4(UDP, "192.0.2.10", 53)}, TX(DNS4, TO4)},
	{"TCP to a port that UDP has too, IPv6",
	 {PACKET6(TCP, "2001:db8::10", 53)},
	 TX(DNS_TCP6, TO6)},
	{"same port, other address", {PACKET4(UDP, "192.0.2.12", 443)}, TX(QUIC4, TO4)},
	{"same port, other address, IPv6", {PACKET6(UDP, "2001:db8::12", 443)}, TX(QUIC6, TO6)},
	{"every port: 1", {PACKET4(TCP, "192.0.2.11", 1)}, TX(EVERY4, TO4)},
	{"every port: 65535", {PACKET4(TCP, "192.0.2.11", 65535)}, TX(EVERY4, TO4)},
	{"every port: 0", {PACKET4(TCP, "192.0.2.11", 0)}, TX(EVERY4, TO4)},
	{"every port, UDP", {PACKET4(UDP, "192.0.2.11", 80)}, TX(EVERYUDP4, TO4)},
	{"every port, IPv6", {PACKET6(TCP, "2001:db8::11", 8080)}, TX(EVERY6, TO6)},
	{"every port, UDP, IPv6", {PACKET6(UDP, "2001:db8::11", 80)}, TX(EVERYUDP6, TO6)},
	{"one port beats every port", {PACKET4(TCP, "192.0.2.11", 80)}, TX(ONE4, TO4)},
	{"one port beats every port, IPv6", {PACKET6(TCP, "2001:db8::11", 80)}, TX(ONE6, TO6)},

	/* Sources that are rare, but not impossible. */
	{"the VIP's neighbour as source", {WEB4_FROM("192.0.2.11")}, TX(WEB4, TO4)},
	{"the VIP's neighbour as source, IPv6", {WEB6_FROM("2001:db8::11")}, TX(WEB6, TO6)},
	{"source in 240/4", {WEB4_FROM("240.0.0.1")}, TX(WEB4, TO4)},
	{"source below loopback", {WEB4_FROM("126.255.255.255")}, TX(WEB4, TO4)},
	{"source above loopback", {WEB4_FROM("128.0.0.0")}, TX(WEB4, TO4)},
	{"highest source below multicast", {WEB4_FROM("223.255.255.255")}, TX(WEB4, TO4)},
	{"mapped source, IPv6", {WEB6_FROM("::ffff:198.51.100.7")}, TX(WEB6, TO6)},
	{"link-local source, IPv6", {WEB6_FROM("fe80::7")}, TX(WEB6, TO6)},
	{"the VIP as source", {WEB4_FROM("192.0.2.10")}, FAULT(BAD_SOURCE)},
	{"the VIP as source, IPv6", {WEB6_FROM("2001:db8::10")}, FAULT(BAD_SOURCE)},
	{"error about a flow from a source on loopback",
	 {.family = 4,
	  .protocol = IPPROTO_ICMP,
	  .source = "127.0.0.1",
	  .destination = "192.0.2.10",
	  .icmp_type = 3,
	  .quote = &sent_by_web4},
	 PASS(ICMP)},

	/* Frames to a group of stations, which every balancer of the segment gets. */
	{"broadcast frame", {WEB4_TCP, TO_GROUP(0xff)}, PASS(GROUP)},
	{"multicast frame", {DNS4_UDP, TO_GROUP(0x01)}, PASS(GROUP)},
	{"multicast frame, IPv6", {WEB6_TCP, TO_GROUP(0x33)}, PASS(GROUP)},
	{"broadcast frame, tagged", {.tag = {{0x8100, 5}}, WEB4_TCP, TO_GROUP(0xff)}, PASS(GROUP)},
	{"multicast frame, first fragment",
	 {DNS4_UDP, .id = 0x7701, .fragment = 0x2000, TO_GROUP(0x01)},
	 PASS(GROUP)},
	{"multicast frame, bad header", {WEB4_TCP, TO_GROUP(0x01), .ttl = 1}, PASS(GROUP)},
	{"broadcast ping", {PACKET4(ICMP, "192.0.2.10", 0), TO_GROUP(0xff)}, PASS(GROUP)},
	{"broadcast frame to another address",
	 {PACKET4(UDP, "255.255.255.255", 53), TO_GROUP(0xff)},
	 PASS(GROUP)},

	/* The way out. */
	{"out of another interface", {WEB4_TCP, .payload = 20}, REDIRECT(WEB4, AWAY4)},
	{"checksum whose carry carries again (sum 0x1ffff)", {WEB4_TCP}, REDIRECT(WEB4, AWAY4)},
	{"out of another interface, all IPv6", {WEB6_TCP}, REDIRECT(WEB6, AWAY6)},
	{"out of another interface, IPv4 in IPv6", {WEB4_TCP}, REDIRECT(WEB4, AWAY6)},
	{"out of another interface, IPv6 in IPv4", {WEB6_TCP}, REDIRECT(WEB6, AWAY4)},
	{"out of an interface not in the device map", {WEB4_TCP}, DROP(NO_EGRESS, WEB4, LOST4)},
	{"no route to the backend", {WEB4_TCP}, DROP(UNRESOLVED, WEB4, NO_ROUTE4)},
	{"no neighbour for the backend", {WEB6_TCP}, DROP(UNRESOLVED, WEB6, NO_NEIGHBOUR4)},
	{"no backend", {WEB4_TCP}, DROP(NO_BACKEND, WEB4, NOBODY)},
	{"no backend, IPv6", {DNS6_UDP}, DROP(NO_BACKEND, DNS6, NOBODY)},
	{"slot of a member that is not in use", {WEB4_TCP}, DROP(INTERNAL, WEB4, GONE4)},
	{"next hop beyond the array", {WEB4_TCP}, DROP(INTERNAL, WEB4, STRAY4)},

	/* MTU and room. */
	{"just fits, 4 in 4", {WEB4_TCP, .payload = MTU - 60}, TX(WEB4, TO4)},
	{"one too many, 4 in 4", {WEB4_TCP, .payload = MTU - 59}, DROP(TOO_BIG, WEB4, TO4)},
	{"just fits, 4 in 6", {DNS4_UDP, .payload = MTU - 68}, TX(DNS4, TO6)},
	{"one too many, 4 in 6", {DNS4_UDP, .payload = MTU - 67}, DROP(TOO_BIG, DNS4, TO6)},
	{"just fits, 6 in 4", {DNS6_UDP, .payload = MTU - 68}, TX(DNS6, TO4)},
	{"one too many, 6 in 4", {DNS6_UDP, .payload = MTU - 67}, DROP(TOO_BIG, DNS6, TO4)},
	{"just fits, 6 in 6", {WEB6_TCP, .payload = MTU - 100}, TX(WEB6, TO6)},
	{"one too many, 6 in 6", {WEB6_TCP, .payload = MTU - 99}, DROP(TOO_BIG, WEB6, TO6)},
	{"the packet counts for the MTU, not its padding",
	 {WEB4_TCP, .payload = MTU - 60, .padding = 40},
	 TX(WEB4, TO4)},
	{"full frame towards an unresolved next hop",
	 {WEB4_TCP, .payload = MTU - 40},
	 DROP(UNRESOLVED, WEB4, NO_ROUTE4)},
	{"jumbo of several buffers, 4 in 4", {WEB4_TCP, .payload = 8960}, TX(WEB4, BIG4)},
	{"jumbo of several buffers, 4 in 6", {DNS4_UDP, .payload = 8960}, TX(DNS4, BIG6)},
	{"jumbo of several buffers, 6 in 4", {WEB6_TCP, .payload = 8940}, TX(WEB6, BIG4)},
	{"jumbo of several buffers, 6 in 6", {DNS6_UDP, .payload = 8940}, TX(DNS6, BIG6)},
	{"jumbo to a next hop of 1500", {WEB4_TCP, .payload = 8960}, DROP(TOO_BIG, WEB4, TO4)},
	{"jumbo one byte short of its total length",
	 {WEB4_TCP, .payload = 8960, .poke = {{ETH + 3, 0x29}}},
	 FAULT(BAD_LENGTH)},
	{"jumbo one byte short of its payload length",
	 {WEB6_TCP, .payload = 8940, .poke = {{ETH + 5, 0x01}}},
	 FAULT(BAD_LENGTH)},
	{"metadata of the driver moves along", {WEB4_TCP}, TX(WEB4, TO4), .metadata = 4},
	{"metadata of 32 bytes, IPv6 outside", {WEB4_TCP}, TX(WEB4, TO6), .metadata = 32},
	{"no headroom, IPv4 outside", {WEB4_TCP}, DROP(NO_HEADROOM, WEB4, TO4), .metadata = 212},
	{"no headroom, IPv6 outside", {WEB6_TCP}, DROP(NO_HEADROOM, WEB6, TO6), .metadata = 212},

	/* For no VIP. */
	{"TCP to another address", {PACKET4(TCP, "192.0.2.99", 443)}, PASS(NOT_VIP)},
	{"UDP to another address", {PACKET4(UDP, "192.0.2.99", 53)}, PASS(NOT_VIP)},
	{"TCP to another address, IPv6", {PACKET6(TCP, "2001:db8::99", 443)}, PASS(NOT_VIP)},
	{"UDP to another address, IPv6", {PACKET6(UDP, "2001:db8::99", 53)}, PASS(NOT_VIP)},
	{"TCP to another port", {PACKET4(TCP, "192.0.2.10", 444)}, PASS(NOT_VIP)},
	{"TCP to another port, IPv6", {PACKET6(TCP, "2001:db8::10", 444)}, PASS(NOT_VIP)},
	{"TCP to port 0, no VIP on every port", {PACKET4(TCP, "192.0.2.10", 0)}, PASS(NOT_VIP)},
	{"UDP to a port that only TCP has", {PACKET4(UDP, "192.0.2.10", 443)}, PASS(NOT_VIP)},
	{"TCP to a port that only UDP has", {PACKET6(TCP, "2001:db8::12", 443)}, PASS(NOT_VIP)},
	{"port in the wrong byte order", {PACKET4(TCP, "192.0.2.10", 0xbb01)}, PASS(NOT_VIP)},
	{"VIP's port as the source port",
	 {.family = 4,
	  .protocol = IPPROTO_TCP,
	  .source = "192.0.2.10",
	  .destination = "198.51.100.7",
	  .sport = 443,
	  .dport = 40000},
	 PASS(NOT_VIP)},
	{"IPv4 address of a VIP in IPv6", {PACKET6(TCP, "::ffff:192.0.2.10", 443)}, PASS(NOT_VIP)},
	{"limited broadcast", {PACKET4(UDP, "255.255.255.255", 53)}, PASS(NOT_VIP)},
	{"multicast", {PACKET4(UDP, "224.0.0.251", 5353)}, PASS(NOT_VIP)},
	{"options to another address",
	 {PACKET4(TCP, "192.0.2.99", 443), .options = 40},
	 PASS(NOT_VIP)},
	{"jumbo to another address",
	 {PACKET4(TCP, "192.0.2.99", 443), .payload = 8960},
	 PASS(NOT_VIP)},
	{"jumbo to another address, IPv6",
	 {PACKET6(UDP, "2001:db8::99", 53), .payload = 8940},
	 PASS(NOT_VIP)},

	/* Neither TCP nor UDP to the address of a VIP, one on every port included. */
	{"SCTP", {PACKET4(SCTP, "192.0.2.10", 443), .payload = 40}, PASS(NOT_VIP)},
	{"SCTP, every port", {PACKET4(SCTP, "192.0.2.11", 443), .payload = 40}, PASS(NOT_VIP)},
	{"SCTP, IPv6", {PACKET6(SCTP, "2001:db8::10", 443), .payload = 40}, PASS(NOT_VIP)},
	{"GRE", {PACKET4(GRE, "192.0.2.10", 0), .payload = 40}, PASS(NOT_VIP)},
	{"GRE, every port", {PACKET4(GRE, "192.0.2.11", 0), .payload = 40}, PASS(NOT_VIP)},
	{"GRE, IPv6", {PACKET6(GRE, "2001:db8::11", 0), .payload = 40}, PASS(NOT_VIP)},
	{"ESP", {PACKET4(ESP, "192.0.2.10", 0), .payload = 40}, PASS(NOT_VIP)},
	{"ESP, IPv6", {PACKET6(ESP, "2001:db8::10", 0), .payload = 40}, PASS(NOT_VIP)},
	{"AH", {PACKET4(AH, "192.0.2.10", 0), .payload = 40}, PASS(NOT_VIP)},
	{"IP in IP", {PACKET4(IPIP, "192.0.2.10", 0), .payload = 40}, PASS(NOT_VIP)},
	{"UDP-Lite", {PACKET4(UDPLITE, "192.0.2.10", 53), .payload = 40}, PASS(NOT_VIP)},
	{"DCCP", {PACKET4(DCCP, "192.0.2.10", 443), .payload = 40}, PASS(NOT_VIP)},
	{"protocol 0 over IPv4", {PACKET4(IP, "192.0.2.10", 0), .payload = 40}, PASS(NOT_VIP)},
	{"protocol 255", {PACKET4(RAW, "192.0.2.11", 0), .payload = 40}, PASS(NOT_VIP)},
	{"GRE of four bytes", {PACKET4(GRE, "192.0.2.10", 0), .payload = 4}, PASS(NOT_VIP)},
	{"GRE without a byte", {PACKET4(GRE, "192.0.2.11", 0)}, PASS(NOT_VIP)},
	{"first fragment of GRE",
	 {PACKET4(GRE, "192.0.2.10", 0), .payload = 40, .fragment = 0x2000},
	 PASS(NOT_VIP)},
	{"later fragment of GRE",
	 {PACKET4(GRE, "192.0.2.10", 0), .payload = 40, .fragment = 0x0005},
	 PASS(NOT_VIP)},
	{"later fragment of ESP",
	 {PACKET4(ESP, "192.0.2.11", 0), .payload = 40, .fragment = 0x2005},
	 PASS(NOT_VIP)},
	{"IPv6 without a next header", {PACKET6(NONE, "2001:db8::10", 0)}, PASS(NOT_VIP)},
	{"IPv6 with a short unknown next header",
	 {PACKET6(GRE, "2001:db8::10", 0), .payload = 4},
	 PASS(NOT_VIP)},

	/* ICMP. */
	{"ping to a VIP", {PACKET4(ICMP, "192.0.2.10", 0), .payload = 56}, PASS(ICMP)},
	{"ping to a VIP, every port", {PACKET4(ICMP, "192.0.2.11", 0)}, PASS(ICMP)},
	{"ping to a VIP, IPv6", {PACKET6(ICMPV6, "2001:db8::10", 0)}, PASS(ICMP)},
	{"ping to another address", {PACKET4(ICMP, "192.0.2.99", 0)}, PASS(NOT_VIP)},
	{"ping to another address, IPv6", {PACKET6(ICMPV6, "2001:db8::99", 0)}, PASS(NOT_VIP)},
	{"jumbo ping to a VIP", {PACKET4(ICMP, "192.0.2.10", 0), .payload = 8900}, PASS(ICMP)},
	{"cut-off ping to a VIP", {PACKET4(ICMP, "192.0.2.10", 0), .l4_length = 4}, PASS(ICMP)},
	{"first fragment of a ping to a VIP",
	 {PACKET4(ICMP, "192.0.2.10", 0), .payload = 40, .fragment = 0x2000},
	 PASS(ICMP)},
	{"later fragment of a ping to a VIP",
	 {PACKET4(ICMP, "192.0.2.10", 0), .payload = 40, .fragment = 0x0003},
	 PASS(ICMP)},
	{"neighbour solicitation to the VIP's group",
	 {PACKET6(ICMPV6, "ff02::1:ff00:10", 0), .payload = 24, .ttl = 255,
	  .poke = {{ETH + 40, 135}}},
	 PASS(NOT_VIP)},
	{"neighbour solicitation to a VIP",
	 {PACKET6(ICMPV6, "2001:db8::10", 0), .payload = 24, .ttl = 255, .poke = {{ETH + 40, 135}}},
	 PASS(ICMP)},
	{"neighbour advertisement to a VIP",
	 {PACKET6(ICMPV6, "2001:db8::10", 0), .payload = 24, .ttl = 255, .poke = {{ETH + 40, 136}}},
	 PASS(ICMP)},
	{"router advertisement",
	 {PACKET6(ICMPV6, "ff02::1", 0), .payload = 8, .ttl = 255, .poke = {{ETH + 40, 134}}},
	 PASS(NOT_VIP)},
	{"multicast listener report after hop-by-hop options",
	 {PACKET6(ICMPV6, "ff02::16", 0), .extension = EXTENSION(IPPROTO_HOPOPTS), .payload = 20,
	  .poke = {{ETH + 48, 143}}},
	 PASS(NOT_VIP)},
};

/* --- packets with a fault, each sent to a VIP (dropped by the fault's name), to the same address
 * and a port that has no VIP (passed where the port can be read; else dropped, since it may be the
 * VIP's), and to an address that has no VIP (passed) --- */
struct fault {
	const char *name;
	struct spec in;
	enum lb_verdict verdict;
	bool port_readable;
};

#define IPV4_LENGTH(length) .poke = {{ETH + 2, (length) >> 8}, {ETH + 3, (length)&0xff}}
#define IPV6_LENGTH(length) .poke = {{ETH + 4, (length) >> 8}, {ETH + 5, (length)&0xff}}
#define HEADER6(next) WEB6_TCP, .extension = EXTENSION(next)

static const struct fault faults[] = {
	{"IPv4 frame, version 6", {WEB4_TCP, .poke = {{ETH, 0x65}}}, FAULT(BAD_VERSION)},
	{"IPv4 frame, version 0", {WEB4_TCP, .poke = {{ETH, 0x05}}}, FAULT(BAD_VERSION)},
	{"header of 16", {WEB4_TCP, .poke = {{ETH, 0x44}}}, FAULT(BAD_HEADER)},
	{"header of 0", {WEB4_TCP, .poke = {{ETH, 0x40}}}, FAULT(BAD_HEADER)},
	{"header beyond the frame", {DNS4_UDP, .poke = {{ETH, 0x48}}}, FAULT(BAD_HEADER)},
	{"header of 60 beyond the frame", {WEB4_TCP, .poke = {{ETH, 0x4f}}}, FAULT(BAD_HEADER)},
	{"total length 0", {WEB4_TCP, IPV4_LENGTH(0)}, FAULT(BAD_LENGTH), .port_readable = true},
	{"total length 19", {WEB4_TCP, IPV4_LENGTH(19)}, FAULT(BAD_LENGTH), .port_readable = true},
	{"total length below a header of 24",
	 {WEB4_TCP, .options = 4, IPV4_LENGTH(23)},
	 FAULT(BAD_LENGTH),
	 .port_readable = true},
	{"total length one beyond the frame",
	 {WEB4_TCP, .payload = 60, IPV4_LENGTH(101)},
	 FAULT(BAD_LENGTH),
	 .port_readable = true},
	{"total length 65535",
	 {DNS4_UDP, IPV4_LENGTH(65535)},
	 FAULT(BAD_LENGTH),
	 .port_readable = true},
	{"TTL 0", {WEB4_TCP, .poke = {{ETH + 8, 0}}}, FAULT(TTL), .port_readable = true},
	{"TTL 0, UDP", {DNS4_UDP, .poke = {{ETH + 8, 0}}}, FAULT(TTL), .port_readable = true},
	{"source in 0/8", {WEB4_FROM("0.1.2.3")}, FAULT(BAD_SOURCE), .port_readable = true},
	{"source on loopback", {WEB4_FROM("127.0.0.1")}, FAULT(BAD_SOURCE), .port_readable = true},
	{"multicast source", {WEB4_FROM("224.0.0.1")}, FAULT(BAD_SOURCE), .port_readable = true},
	{"last multicast source",
	 {WEB4_FROM("239.255.255.255")},
	 FAULT(BAD_SOURCE),
	 .port_readable = true},
	{"broadcast source",
	 {WEB4_FROM("255.255.255.255")},
	 FAULT(BAD_SOURCE),
	 .port_readable = true},
	{"unspecified source, IPv6", {WEB6_FROM("::")}, FAULT(BAD_SOURCE), .port_readable = true},
	{"source on loopback, IPv6", {WEB6_FROM("::1")}, FAULT(BAD_SOURCE), .port_readable = true},
	{"multicast source, IPv6",
	 {WEB6_FROM("ff02::1")},
	 FAULT(BAD_SOURCE),
	 .port_readable = true},
	{"source on loopback, tagged",
	 {.tag = {{0x8100, 5}}, WEB4_FROM("127.0.0.1")},
	 FAULT(BAD_SOURCE),
	 .port_readable = true},
	{"multicast source, first fragment",
	 {WEB4_FROM("224.0.0.1"), .fragment = 0x2000},
	 FAULT(BAD_SOURCE),
	 .port_readable = true},
	{"multicast source, later fragment",
	 {WEB4_FROM("224.0.0.1"), .fragment = 0x0012},
	 FAULT(BAD_SOURCE)},
	{"multicast source, extension header",
	 {WEB6_FROM("ff02::1"), .extension = EXTENSION(60)},
	 FAULT(BAD_SOURCE),
	 .port_readable = true},
	{"multicast source and TTL 0: the header's fault comes first",
	 {WEB4_FROM("224.0.0.1"), .poke = {{ETH + 8, 0}}},
	 FAULT(TTL),
	 .port_readable = true},
	{"TCP of 19 bytes", {WEB4_TCP, .l4_length = 19}, FAULT(TRUNCATED), .port_readable = true},
	{"TCP of 19 bytes, the rest as padding",
	 {WEB4_TCP, IPV4_LENGTH(39)},
	 FAULT(TRUNCATED),
	 .port_readable = true},
	{"TCP of 8 bytes", {WEB4_TCP, .l4_length = 8}, FAULT(TRUNCATED), .port_readable = true},
	{"TCP of 2 bytes", {WEB4_TCP, .l4_length = 2}, FAULT(TRUNCATED)},
	{"TCP without a byte", {WEB4_TCP, IPV4_LENGTH(20)}, FAULT(TRUNCATED)},
	{"UDP of 2 bytes", {DNS4_UDP, .l4_length = 2}, FAULT(TRUNCATED)},
	{"UDP without a byte", {DNS4_UDP, IPV4_LENGTH(20)}, FAULT(TRUNCATED)},
	{"TCP of 19 bytes after options of 40",
	 {WEB4_TCP, .options = 40, .l4_length = 19},
	 FAULT(TRUNCATED),
	 .port_readable = true},
	{"first fragment, TCP of 8 bytes",
	 {WEB4_TCP, .l4_length = 8, .fragment = 0x2000},
	 FAULT(TRUNCATED),
	 .port_readable = true},

	{"IPv6 frame, version 4", {WEB6_TCP, .poke = {{ETH, 0x40}}}, FAULT(BAD_VERSION)},
	{"IPv6 frame, version 15", {WEB6_TCP, .poke = {{ETH, 0xf0}}}, FAULT(BAD_VERSION)},
	{"payload length one beyond the frame",
	 {WEB6_TCP, .payload = 60, IPV6_LENGTH(81)},
	 FAULT(BAD_LENGTH),
	 .port_readable = true},
	{"payload length 65535",
	 {DNS6_UDP, IPV6_LENGTH(65535)},
	 FAULT(BAD_LENGTH),
	 .port_readable = true},
	{"hop limit 0", {WEB6_TCP, .poke = {{ETH + 7, 0}}}, FAULT(TTL), .port_readable = true},
	{"hop limit 0, UDP", {DNS6_UDP, .poke = {{ETH + 7, 0}}}, FAULT(TTL), .port_readable = true},
	{"IPv6, TCP of 19 bytes",
	 {WEB6_TCP, .l4_length = 19},
	 FAULT(TRUNCATED),
	 .port_readable = true},
	{"IPv6, TCP of 8 bytes",
	 {WEB6_TCP, .l4_length = 8},
	 FAULT(TRUNCATED),
	 .port_readable = true},
	{"IPv6, TCP of 2 bytes", {WEB6_TCP, .l4_length = 2}, FAULT(TRUNCATED)},
	{"IPv6, payload length 0", {WEB6_TCP, IPV6_LENGTH(0)}, FAULT(TRUNCATED)},
	{"IPv6, UDP of 2 bytes", {DNS6_UDP, .l4_length = 2}, FAULT(TRUNCATED)},
	{"IPv6 fragment with hop limit 0",
	 {HEADER6(44), .poke = {{ETH + 7, 0}}},
	 FAULT(TTL),
	 .port_readable = true},
};

/* --- frames byte by byte --- */

/* A TCP packet to 192.0.2.10:443 and a UDP packet to [2001:db8::10]:53, which are VIPs. */
#define TCP4_HEX                                                                                   \
	"452a002cbeef40003906845acb00714dc000020ac82201bb11223344000000006002faf090990000020405b4"
#define UDP6_HEX                                                                                   \
	"60354321000d113920010db8000c0000000000000000004d20010db8000000000000000000000010"         \
	"c8220035000d97cf68656c6c6f"

/* Frames that hold no IP packet for the program, whatever is in them. */
struct raw {
	const char *name;
	uint16_t type;
	const char *hex; /* after the Ethernet header */
	enum lb_verdict verdict;
};

static const struct raw raws[] = {
	{"ARP request for a VIP", 0x0806,
	 "0001080006040001020000000001c6336407000000000000c000020a", LB_PASS_NOT_IP},
	{"ARP reply, padded", 0x0806,
	 "0001080006040002020000000001c6336407020000000002c000020a"
	 "000000000000000000000000000000000000",
	 LB_PASS_NOT_IP},
	{"RARP", 0x8035, "00010800060400030200000000010000000002000000000100000000",
	 LB_PASS_NOT_IP},
	{"LLDP", 0x88cc, "020704020000000001040703020000000001060200780000", LB_PASS_NOT_IP},
	{"spanning tree, 802.3 with LLC", 0x0026, "42420300000000008000020000000001",
	 LB_PASS_NOT_IP},
	{"MPLS before IPv4 to a VIP", 0x8847, "0001013f" TCP4_HEX, LB_PASS_NOT_IP},
	{"PPPoE session", 0x8864, "11000001002e0021" TCP4_HEX, LB_PASS_NOT_IP},
	{"Ethernet flow control", 0x8808, "0001ffff", LB_PASS_NOT_IP},
	{"type 0", 0x0000, TCP4_HEX, LB_PASS_NOT_IP},
	{"type of IPv4 in the wrong byte order", 0x0008, TCP4_HEX, LB_PASS_NOT_IP},
	{"ARP header alone", 0x0806, "", LB_PASS_NOT_IP},
	{"IPv4 frame without a packet", 0x0800, "", LB_PASS_RUNT},
	{"IPv4 frame with one byte", 0x0800, "45", LB_PASS_RUNT},
	{"IPv4 frame of 33 bytes", 0x0800, "452a002cbeef40003906845acb00714dc00002", LB_PASS_RUNT},
	{"IPv6 frame without a packet", 0x86dd, "", LB_PASS_RUNT},
	{"IPv6 frame with an IPv4 packet of 20 bytes", 0x86dd,
	 "452a0014beef40003906845acb00714dc000020a", LB_PASS_RUNT},
	{"IPv6 frame of 53 bytes", 0x86dd,
	 "60354321000d113920010db8000c0000000000000000004d20010db80000000000000000000000",
	 LB_PASS_RUNT},
	{"IPv4 packet to a VIP in a frame of type IPv6", 0x86dd, TCP4_HEX, LB_PASS_NOT_VIP},
	{"IPv6 packet to a VIP in a frame of type IPv4", 0x0800, UDP6_HEX, LB_PASS_NOT_VIP},
};

/* --- the hash and whole frames, made by other programs (scapy): a change of the hash moves every
 * flow of every VIP, and so must never happen by accident --- */
struct golden {
	const char *name;
	enum vip_index vip;
	enum member_index member;
	uint64_t hash;
	uint32_t slot;
	const char *packet; /* from its IP header on */
	const char *outer;  /* IP header that goes before it */
};

static const struct golden goldens[] = {
	{"golden IPv4 TCP in IPv4", WEB4, TO4, 0x0d0a49634d33b5e2, 3338, TCP4_HEX,
	 "452a0040000040004004268e0a0100010a000001"},
	{"golden IPv4 UDP in IPv4, source from a prefix", DNS4, TO4_PREFIX, 0x4afae79e7b876989, 73,
	 "45b80021beef4000391183cccb00714dc000020ac8220035000df55168656c6c6f",
	 "45b800350000400040049e8e0a02877b0a000002"},
	{"golden IPv4 UDP in IPv6, source from a prefix", EVERYUDP4, TO6_PREFIX, 0x6bab4024470a14a6,
	 219, "45010021beef400039118482cb00714dc000020bc8220035000df55068656c6c6f",
	 "601a14a60021044020010db80002000000000000a6140a4720010db8000b00000000000000000004"},
	{"golden IPv6 TCP in IPv6", WEB6, TO6, 0x8b6619ee98a54d4b, 35686,
	 "6bb543210018063920010db8000c0000000000000000004d20010db8000000000000000000000010"
	 "c82201bb11223344000000006002faf033170000020405b4",
	 "6bb54d4b0040294020010db800010000000000000000000120010db8000b00000000000000000003"},
	{"golden IPv6 UDP in IPv4", DNS6, TO4, 0x468279804b190ae6, 69, UDP6_HEX,
	 "4503004900004000402926870a0100010a000001"},
	{"golden IPv6 TCP in IPv6, source from a prefix", ONE6, TO6_PREFIX, 0x9902525492bea3f4, 610,
	 "648543210018063920010db8000c0000000000000000004d20010db8000000000000000000000011"
	 "c822005011223344000000006002faf034810000020405b4",
	 "648ea3f40040294020010db80002000000000000f4a3be9220010db8000b00000000000000000004"},
};

/* Flows at the ends of tables and of addresses, with the hash each must have. */
struct golden_flow {
	const char *name;
	struct spec in;
	enum vip_index vip;
	uint64_t hash;
	uint32_t slot;
};

#define FLOW(version, what, from, to, first, second)                                               \
	{                                                                                          \
		.family = version, .protocol = IPPROTO_##what, .source = from, .destination = to,  \
		.sport = first, .dport = second                                                    \
	}

static const struct golden_flow golden_flows[] = {
	{"first slot of a table", FLOW(4, UDP, "203.0.113.77", "192.0.2.10", 1242, 53), DNS4,
	 0x00fb17e9d0cc73b5, 0},
	{"last slot of a table", FLOW(4, UDP, "203.0.113.77", "192.0.2.10", 1064, 53), DNS4,
	 0xffbfd1070053cc61, 250},
	{"first slot of a table, IPv6", FLOW(6, UDP, "2001:db8:c::4d", "2001:db8::10", 1193, 53),
	 DNS6, 0x00ef5f2300d62466, 0},
	{"last slot of a table, IPv6", FLOW(6, UDP, "2001:db8:c::4d", "2001:db8::10", 1121, 53),
	 DNS6, 0xffd72fde95dc8a84, 250},
	{"lowest source", FLOW(4, TCP, "1.0.0.0", "192.0.2.10", 1, 443), WEB4, 0xb948a84c31a8492b,
	 47433},
	{"highest source", FLOW(4, TCP, "255.255.255.254", "192.0.2.10", 65535, 443), WEB4,
	 0x89ff990a9d3954cd, 35328},
	{"lowest source, IPv6", FLOW(6, TCP, "::2", "2001:db8::10", 0, 443), WEB6,
	 0x56b2cdf709fd814e, 22195},
	{"highest source, IPv6", FLOW(6, TCP, "feff::", "2001:db8::10", 65535, 443), WEB6,
	 0x648e96213cf844ff, 25742},
};

#endif
