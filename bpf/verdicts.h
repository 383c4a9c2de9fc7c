/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What can become of a packet. One list feeds the program, lbctl, metrics and the manual.
 *
 * X(enumerator, name, action, meaning): `name` is what lbctl and JSON show; `action` is PASS (to
 * the kernel's stack, unchanged), FORWARD (to a backend), ANSWER (back to the sender, by the
 * program itself) or DROP. Numbers are part of the ABI: new verdicts go at the end of the list.
 */
#ifndef LB_VERDICTS_H
#define LB_VERDICTS_H

#define LB_VERDICT_LIST(X)                                                                         \
	X(PASS_NOT_IP, "pass_not_ip", PASS, "neither IPv4 nor IPv6 (ARP, LLDP, …)")                \
	X(PASS_RUNT, "pass_runt", PASS, "frame too short to hold an IP header")                    \
	X(PASS_NOT_VIP, "pass_not_vip", PASS, "for no VIP")                                        \
	X(PASS_ICMP, "pass_icmp", PASS,                                                            \
	  "ICMP or ICMPv6 to the address of a VIP, about none of its flows")                       \
	X(TX, "tx", FORWARD, "to a backend, out of the interface it came in by")                   \
	X(REDIRECT, "redirect", FORWARD, "to a backend, out of another interface")                 \
	X(DROP_BAD_VERSION, "drop_bad_version", DROP,                                              \
	  "to a VIP: IP version does not match the frame's type")                                  \
	X(DROP_BAD_HEADER, "drop_bad_header", DROP,                                                \
	  "to a VIP: IP header length below 20 or beyond the frame")                               \
	X(DROP_BAD_LENGTH, "drop_bad_length", DROP,                                                \
	  "to a VIP: IP total length below the header's or beyond the frame")                      \
	X(DROP_TTL, "drop_ttl", DROP, "to a VIP: TTL or hop limit is 0")                           \
	X(DROP_TRUNCATED, "drop_truncated", DROP,                                                  \
	  "to a VIP: transport header cut off by the IP length")                                   \
	X(DROP_FRAGMENT, "drop_fragment", DROP, "to a VIP that takes no fragments: IP fragment")   \
	X(DROP_EXTENSION, "drop_extension", DROP,                                                  \
	  "to a VIP: more IPv6 extension headers than are read, or cut off")                       \
	X(DROP_NO_BACKEND, "drop_no_backend", DROP, "the VIP has no backend that takes the flow")  \
	X(DROP_UNRESOLVED, "drop_unresolved", DROP,                                                \
	  "the backend's next hop has no route or no resolved neighbour")                          \
	X(DROP_TOO_BIG, "drop_too_big", DROP,                                                      \
	  "larger than the MTU towards the backend once encapsulated, and no answer is due")       \
	X(DROP_NO_HEADROOM, "drop_no_headroom", DROP,                                              \
	  "the driver left no room for the outer header")                                          \
	X(DROP_NO_EGRESS, "drop_no_egress", DROP, "the egress interface is not in the device map") \
	X(DROP_INTERNAL, "drop_internal", DROP, "tables disagree: a defect, please report it")     \
	X(TX_ECHO, "tx_echo", ANSWER, "ICMP echo request to the address of a VIP: answered")       \
	X(TX_TOO_BIG, "tx_too_big", ANSWER,                                                        \
	  "larger than the MTU towards the backend once encapsulated: its sender is told the MTU") \
	X(DROP_LIMITED, "drop_limited", DROP,                                                      \
	  "would have been answered, but too many answers were sent this second")                  \
	X(DROP_FRAGMENT_UNKNOWN, "drop_fragment_unknown", DROP,                                    \
	  "later fragment of a datagram whose first one was not seen")                             \
	X(PASS_GROUP, "pass_group", PASS,                                                          \
	  "IP packet in a frame to a broadcast or multicast MAC address")                          \
	X(DROP_BAD_SOURCE, "drop_bad_source", DROP,                                                \
	  "to a VIP: source address that no host can have, or the VIP's own")                      \
	X(DROP_BLOCKED, "drop_blocked", DROP, "to a VIP: its source is on a list that blocks")     \
	X(TX_SYN, "tx_syn", ANSWER, "SYN to a VIP with the SYN guard: answered with a cookie")     \
	X(DROP_GUARD, "drop_guard", DROP,                                                          \
	  "SYN to a VIP with the SYN guard: a fragment, or malformed, or with options of IP")      \
	X(DROP_RATE, "drop_rate", DROP,                                                            \
	  "to a VIP: more than a rate of the VIP allows its source, or all sources")

#endif
