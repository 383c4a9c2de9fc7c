/* SPDX-License-Identifier: BSD-2-Clause */
/* VLAN tags before the packet: rows of packet_test.c. Whatever comes in with tags leaves without
 * them, or as it came when it is for no VIP. */
#ifndef ROWS_LINK_H
#define ROWS_LINK_H

#include "rows.h"

#define Q(vlan)                                                                                    \
	{                                                                                          \
		0x8100, vlan                                                                       \
	}
#define AD(vlan)                                                                                   \
	{                                                                                          \
		0x88a8, vlan                                                                       \
	}

static const struct row link_rows[] = {
	{"802.1Q tag, 4 in 4", {.tag = {Q(100)}, WEB4_TCP, .payload = 64}, TX(WEB4, TO4)},
	{"802.1Q tag, 4 in 6", {.tag = {Q(100)}, WEB4_TCP, .payload = 64}, TX(WEB4, TO6)},
	{"802.1Q tag, 6 in 4", {.tag = {Q(4094)}, DNS6_UDP, .payload = 64}, TX(DNS6, TO4)},
	{"802.1Q tag, 6 in 6", {.tag = {Q(4094)}, DNS6_UDP, .payload = 64}, TX(DNS6, TO6)},
	{"802.1Q priority tag, VLAN 0", {.tag = {Q(0xe000)}, WEB4_TCP}, TX(WEB4, TO4)},
	{"802.1Q, all bits of the tag", {.tag = {Q(0xffff)}, WEB4_TCP}, TX(WEB4, TO4)},
	{"802.1ad tag", {.tag = {AD(7)}, WEB4_TCP}, TX(WEB4, TO4)},
	{"802.1ad and 802.1Q tags", {.tag = {AD(7), Q(8)}, WEB4_TCP, .payload = 9}, TX(WEB4, TO4)},
	{"802.1ad and 802.1Q tags, IPv6", {.tag = {AD(7), Q(8)}, WEB6_TCP}, TX(WEB6, TO6)},
	{"two 802.1Q tags", {.tag = {Q(7), Q(8)}, DNS4_UDP}, TX(DNS4, TO6)},
	{"tag, out of another interface", {.tag = {Q(9)}, WEB4_TCP}, REDIRECT(WEB4, AWAY4)},
	{"two tags, IPv4 options",
	 {.tag = {AD(7), Q(8)}, WEB4_TCP, .options = 40, .tcp_options = 12},
	 TX(WEB4, TO4)},
	{"tag, IPv6 extension header",
	 {.tag = {Q(7)}, WEB6_TCP, .extension = EXTENSION(60)},
	 TX(WEB6, TO6)},
	{"tag, SYN", {.tag = {Q(7)}, WEB4_TCP, .tcp_flags = 0x02}, TX(WEB4, TO4)},
	{"tag, TTL 1", {.tag = {Q(7)}, WEB4_TCP, .ttl = 1}, TX(WEB4, TO4)},
	{"tag, just fits", {.tag = {Q(7)}, WEB4_TCP, .payload = MTU - 60}, TX(WEB4, TO4)},
	{"tag, jumbo of several buffers",
	 {.tag = {Q(7)}, WEB4_TCP, .payload = 8960},
	 TX(WEB4, BIG4)},
	{"tag, Ethernet padding", {.tag = {Q(7)}, WEB4_TCP, .padding = 6}, TX(WEB4, TO4)},
	{"tag, no backend", {.tag = {Q(7)}, WEB4_TCP}, DROP(NO_BACKEND, WEB4, NOBODY)},

	{"tag, to another address",
	 {.tag = {Q(7)}, PACKET4(TCP, "192.0.2.99", 443)},
	 PASS(NOT_VIP)},
	{"tag, to another port", {.tag = {Q(7)}, PACKET4(TCP, "192.0.2.10", 444)}, PASS(NOT_VIP)},
	{"two tags, to another address, IPv6",
	 {.tag = {AD(7), Q(8)}, PACKET6(UDP, "2001:db8::99", 53)},
	 PASS(NOT_VIP)},
	{"tag, ping to another address",
	 {.tag = {Q(7)}, PACKET4(ICMP, "192.0.2.99", 0)},
	 PASS(NOT_VIP)},
	{"three tags, to a VIP", {.tag = {AD(6), Q(7), Q(8)}, WEB4_TCP}, PASS(NOT_IP)},

	{"tag, bad version",
	 {.tag = {Q(7)}, WEB4_TCP, .poke = {{ETH + 4, 0x55}}},
	 FAULT(BAD_VERSION)},
	{"tag, header of 16",
	 {.tag = {Q(7)}, WEB4_TCP, .poke = {{ETH + 4, 0x44}}},
	 FAULT(BAD_HEADER)},
	{"tag, total length beyond the frame",
	 {.tag = {Q(7)}, WEB4_TCP, .poke = {{ETH + 7, 0xff}}},
	 FAULT(BAD_LENGTH)},
	{"tag, TTL 0", {.tag = {Q(7)}, WEB4_TCP, .poke = {{ETH + 12, 0}}}, FAULT(TTL)},
	{"tag, TCP of 19 bytes", {.tag = {Q(7)}, WEB4_TCP, .l4_length = 19}, FAULT(TRUNCATED)},
	{"two tags, hop limit 0",
	 {.tag = {AD(7), Q(8)}, WEB6_TCP, .poke = {{ETH + 15, 0}}},
	 FAULT(TTL)},
};

static const struct raw link_raws[] = {
	{"802.1Q tag cut off", 0x8100, "0064", LB_PASS_NOT_IP},
	{"802.1Q tag and nothing", 0x8100, "00640800", LB_PASS_RUNT},
	{"802.1Q tag before ARP", 0x8100, "006408060001080006040001", LB_PASS_NOT_IP},
	{"802.1ad tag, second tag cut off", 0x88a8, "00648100", LB_PASS_NOT_IP},
	{"802.1ad and 802.1Q tags and nothing", 0x88a8, "00648100006586dd", LB_PASS_RUNT},
	{"802.1Q tag before 19 bytes of IPv4", 0x8100,
	 "00640800452a002cbeef40003906845acb00714dc00002", LB_PASS_RUNT},
};

#endif
