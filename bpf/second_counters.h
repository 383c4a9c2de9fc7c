/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What became of a packet with a list of backends? One count each, of struct second_stats.
 *
 * X(enumerator, name, meaning): `name` is what `lbd-backend show` and the BTF of the map have.
 */
#ifndef LB_SECOND_COUNTERS_H
#define LB_SECOND_COUNTERS_H

#define SECOND_COUNTER_LIST(X)                                                                     \
	X(SYN, syn, "accepted: opens a connection")                                                \
	X(SOCKET, socket, "accepted: of a connection that is here")                                \
	X(TIME_WAIT, time_wait, "accepted: of a connection that was closed here")                  \
	X(SYN_RECV, syn_recv, "accepted: of a connection that is half open here")                  \
	X(COOKIE, cookie, "accepted: a SYN cookie of a listener here")                             \
	X(LOST, lost, "accepted as the last of the list, and no backend of it has the connection") \
	X(STRAY, stray,                                                                            \
	  "came without a list, and no connection is here: counted while a balancer asks for it")  \
	X(LATE, late, "accepted as the last of the list: a reset or an error about no connection") \
	X(OTHER, other, "accepted: neither TCP nor an ICMP error about it, or a fragment")         \
	X(PASSED_ON, passed_on, "passed on to the next backend of the list")                       \
	X(REFUSED_HOP, refused_hop, "dropped: the next backend is in none of the prefixes")        \
	X(TTL, ttl, "dropped: the outer TTL is used up")                                           \
	X(MALFORMED, malformed, "left as it was: a length, a number or a type is wrong")           \
	X(OTHER_SOURCE, other_source, "left as it was: the sender is in none of the prefixes")     \
	X(OTHER_DESTINATION, other_destination, "left as it was: to another host's address")

enum second {
#define X(enumerator, name, meaning) SECOND_##enumerator,
	SECOND_COUNTER_LIST(X)
#undef X
		SECOND_COUNTER_COUNT
};

struct second_stats {
#define X(enumerator, name, meaning) unsigned long long name;
	SECOND_COUNTER_LIST(X)
#undef X
};

#endif
