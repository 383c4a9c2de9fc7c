/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What became of a tunnel packet at a backend? X(name, meaning): one count each, of struct decap_stats. */
#ifndef LB_DECAP_COUNTERS_H
#define LB_DECAP_COUNTERS_H

#define DECAP_COUNTER_LIST(X)                                                                      \
	X(ipv4_in_ipv4, "decapsulated: IPv4 in IPv4")                                              \
	X(ipv6_in_ipv4, "decapsulated: IPv6 in IPv4")                                              \
	X(ipv4_in_ipv6, "decapsulated: IPv4 in IPv6")                                              \
	X(ipv6_in_ipv6, "decapsulated: IPv6 in IPv6")                                              \
	X(malformed, "left as it was: a length or version is wrong")                               \
	X(other_source, "left as it was: its sender is not believed")                              \
	X(ecn_dropped, "dropped: congestion was marked, and the sender cannot be told")            \
	X(gue, "of those decapsulated: had a UDP header (GUE)")                                    \
	X(other_destination, "left as it was: to another host's address")

struct decap_stats {
#define X(name, meaning) unsigned long long name;
	DECAP_COUNTER_LIST(X)
#undef X
};

#endif
