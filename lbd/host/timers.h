/* SPDX-License-Identifier: BSD-2-Clause */
/* What time is it, and what is to be done later? By the clocks of the machine and the event loop;
 * unit tests have a time of their own. */
#ifndef LB_TIMERS_H
#define LB_TIMERS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct event_base;
struct timer;

struct timers {
	struct event_base *base; /* the functions are called with it */
	int64_t (*now_ns)(struct event_base *base, clockid_t clock);
	/* `due` is called out of the loop. NULL without memory. */
	struct timer *(*add)(struct event_base *base, void (*due)(void *user), void *user);
	/* Due after this delay (less than 0: at once), once; whatever was set before. */
	void (*set)(struct timer *timer, int64_t delay_ms);
	void (*stop)(struct timer *timer);
	bool (*pending)(const struct timer *timer);
	void (*free)(struct timer *timer); /* NULL is fine */
};

struct timers timers_of(struct event_base *base);

#endif
