/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells of changes to one table of routes, and to the rules that lead to it. Private to announce_routes.c. */
#ifndef LB_ANNOUNCE_WATCH_H
#define LB_ANNOUNCE_WATCH_H

#include <event2/event.h>
#include <stdint.h>

struct announce_watch;

/* What is done by the socket of `own_port` is not told. 0 or -errno; to be closed in both cases. */
int announce_watch_open(struct event_base *base, uint32_t table, uint32_t own_port,
			void (*changed)(void *user), void *user, struct announce_watch **out);
void announce_watch_close(struct announce_watch *watch);

#endif
