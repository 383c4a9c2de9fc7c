/* SPDX-License-Identifier: BSD-2-Clause */
/* What time is it, and what is to be done later, by the event loop? */
#include "timers.h"

#include <event2/event.h>
#include <stdlib.h>

#include "../api/clock.h"

struct timer {
	struct event *event;
	void (*due)(void *user);
	void *user;
};

static int64_t now_ns(struct event_base *base, clockid_t clock)
{
	(void)base;
	return lb_clock_ns(clock);
}

static void on_time(evutil_socket_t fd, short events, void *user)
{
	const struct timer *timer = user;

	(void)fd;
	(void)events;
	timer->due(timer->user);
}

static void timer_free(struct timer *timer)
{
	if (timer)
		event_free(timer->event);
	free(timer);
}

static struct timer *timer_add(struct event_base *base, void (*due)(void *user), void *user)
{
	struct timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	*timer = (struct timer){.due = due, .user = user};
	timer->event = evtimer_new(base, on_time, timer);
	if (timer->event)
		return timer;
	free(timer);
	return NULL;
}

static void timer_set(struct timer *timer, int64_t delay_ms)
{
	const int64_t ms = delay_ms > 0 ? delay_ms : 0;
	const struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(timer->event, &delay);
}

static void timer_stop(struct timer *timer)
{
	evtimer_del(timer->event);
}

static bool timer_pending(const struct timer *timer)
{
	return evtimer_pending(timer->event, NULL);
}

struct timers timers_of(struct event_base *base)
{
	return (struct timers){
		.base = base,
		.now_ns = now_ns,
		.add = timer_add,
		.set = timer_set,
		.stop = timer_stop,
		.pending = timer_pending,
		.free = timer_free,
	};
}
