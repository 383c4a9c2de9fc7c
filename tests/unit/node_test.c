/* SPDX-License-Identifier: BSD-2-Clause */
/* When does a node look at what it announces? With a time, a service and a table of its own: their
 * functions stand here in the place of lbd's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../../lbd/control/node.h"
#include "../../lbd/host/events.h"
#include "../../lbd/host/timers.h"
#include "../../lbd/route/announce_routes.h"
#include "../../lbd/service/announce.h"

#define STEP_MS 4    /* closer than a look follows an event */
#define SOON_MS 50   /* a look that an event asks for comes within it */
#define LOOK_MS 1000 /* one that nobody asks for */
#define NEVER INT64_MAX

static int64_t now_ms;
static unsigned int looks;

/* --- time --- */

struct timer {
	int64_t at_ms;
	void (*due)(void *user);
	void *user;
};

static struct timer timer;

static struct timer *timer_add(struct event_base *base, void (*due)(void *user), void *user)
{
	(void)base;
	timer = (struct timer){.at_ms = NEVER, .due = due, .user = user};
	return &timer;
}

static void timer_set(struct timer *set, int64_t delay_ms)
{
	set->at_ms = now_ms + delay_ms;
}

static void timer_stop(struct timer *set)
{
	set->at_ms = NEVER;
}

static bool timer_pending(const struct timer *set)
{
	return set->at_ms != NEVER;
}

static void timer_free(struct timer *set)
{
	(void)set;
}

struct timers timers_of(struct event_base *base)
{
	return (struct timers){.base = base,
			       .add = timer_add,
			       .set = timer_set,
			       .stop = timer_stop,
			       .pending = timer_pending,
			       .free = timer_free};
}

static void pass(int64_t ms)
{
	for (; ms; ms--) {
		now_ms++;
		if (timer.at_ms > now_ms)
			continue;
		timer.at_ms = NEVER;
		timer.due(timer.user);
	}
}

/* --- a table and a service without anything --- */

struct announce_routes *announce_routes_open(uint32_t table, uint8_t protocol)
{
	(void)table;
	(void)protocol;
	return malloc(1);
}

void announce_routes_close(struct announce_routes *routes)
{
	free(routes);
}

int announce_routes_watch(struct announce_routes *routes, struct event_base *base,
			  void (*changed)(void *user), void *user)
{
	(void)routes;
	(void)base;
	(void)changed;
	(void)user;
	return 0;
}

int announce_routes_find(struct announce_routes *routes, struct announce_found *out)
{
	(void)routes;
	*out = (struct announce_found){0};
	return 0;
}

void announce_found_clear(struct announce_found *found)
{
	(void)found;
}

int announce_routes_add(struct announce_routes *routes, const struct lb_prefix *prefix)
{
	(void)routes;
	(void)prefix;
	return 0;
}

int announce_routes_remove(struct announce_routes *routes, const struct lb_prefix *prefix)
{
	(void)routes;
	(void)prefix;
	return 0;
}

int service_announce(struct service *service, struct announce_want **out, size_t *count)
{
	(void)service;
	*out = calloc(1, sizeof(**out));
	*count = 0;
	looks++;
	return 0;
}

bool datapath_holds(const struct datapath *datapath, uint32_t ifindex)
{
	(void)datapath;
	(void)ifindex;
	return false;
}

int datapath_announce(const struct datapath *datapath, uint32_t table, uint8_t protocol)
{
	(void)datapath;
	(void)table;
	(void)protocol;
	return 0;
}

/* --- tests --- */

struct lab {
	struct config config;
	struct events *events;
	struct node *node;
};

static int begin(void **state)
{
	static struct lab lab;
	struct node_options options = {.config = &lab.config};
	struct lb_err err;

	lab = (struct lab){.config.announce = {.table = 76, .protocol = 77}};
	options.events = lab.events = events_new();
	if (!lab.events || node_open(&options, &lab.node, &err))
		return -1;
	looks = 0;
	*state = &lab;
	return 0;
}

static int end(void **state)
{
	struct lab *lab = *state;

	node_close(lab->node);
	events_free(lab->events);
	return 0;
}

static void emit(const struct lab *lab, const char *event)
{
	events_emit(lab->events, json_pack("{s:s}", "event", event));
}

static void a_look_follows_an_event(void **state)
{
	emit(*state, "health");
	pass(SOON_MS);
	assert_int_equal(looks, 1);
}

/* As when many backends flap. */
static void events_that_keep_coming_do_not_put_off_a_look(void **state)
{
	for (int64_t ms = 0; ms < SOON_MS; ms += STEP_MS) {
		emit(*state, "health");
		pass(STEP_MS);
	}
	assert_in_range(looks, 1, SOON_MS / STEP_MS / 2);
}

static void events_after_a_look_ask_for_another(void **state)
{
	emit(*state, "health");
	pass(SOON_MS);
	emit(*state, "change");
	pass(SOON_MS);
	assert_int_equal(looks, 2);
}

/* Its own: each look with something to tell would ask for the next. */
static void what_a_look_tells_asks_for_none(void **state)
{
	emit(*state, "announce");
	pass(SOON_MS);
	assert_int_equal(looks, 0);
}

static void a_look_comes_without_events(void **state)
{
	(void)state;
	pass(LOOK_MS);
	assert_int_equal(looks, 1);
	pass(LOOK_MS);
	assert_int_equal(looks, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_look_follows_an_event, begin, end),
		cmocka_unit_test_setup_teardown(events_that_keep_coming_do_not_put_off_a_look,
						begin, end),
		cmocka_unit_test_setup_teardown(events_after_a_look_ask_for_another, begin, end),
		cmocka_unit_test_setup_teardown(what_a_look_tells_asks_for_none, begin, end),
		cmocka_unit_test_setup_teardown(a_look_comes_without_events, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
