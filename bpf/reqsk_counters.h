/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What did a backend make of ACKs that bring a cookie of a balancer's? Per-CPU array "reqsk_stats",
 * one element: X(name, meaning). */
#ifndef LB_REQSK_COUNTERS_H
#define LB_REQSK_COUNTERS_H

#define REQSK_COUNTER_LIST(X)                                                                      \
	X(made, "connections made from a balancer's cookie")                                       \
	X(repeated, "cookies of connections that there are already")                               \
	X(replaced_time_wait, "connections made in the place of one in TIME_WAIT")                 \
	X(replaced_syn_recv, "connections made in the place of a half-open one")                   \
	X(no_listener, "cookies for a port where nothing listens")                                 \
	X(refused, "cookies that the kernel made no connection of")

struct reqsk_stats {
#define X(name, meaning) unsigned long long name;
	REQSK_COUNTER_LIST(X)
#undef X
};

/* Array "reqsk_secret", one element: the secrets that balancers may make cookies with. */
struct reqsk_secret {
	unsigned long long key[2][2];
	unsigned long long count; /* how many of them there are: 0 to 2 */
};

#endif
