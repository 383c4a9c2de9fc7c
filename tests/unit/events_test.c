/* SPDX-License-Identifier: BSD-2-Clause */
/* Are events told to every sink, as notifications with their time? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>
#include <string.h>
#include <time.h>

#include "../../lbd/host/events.h"
#include "../../lbd/host/worker.h"

struct heard {
	char line[512];
	int count;
};

static void hear(void *user, const char *line, size_t length)
{
	struct heard *heard = user;

	assert_int_equal(strlen(line), length);
	assert_true(length < sizeof(heard->line));
	strcpy(heard->line, line);
	heard->count++;
}

static json_t *some_event(void)
{
	return json_pack("{s:s, s:i}", "event", "change", "n", 7);
}

#define HEAD "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"time\":\""

static void event_is_a_notification_with_its_time_first(void **state)
{
	struct events *events = events_new();
	struct heard heard = {0};
	struct tm parts = {0};
	struct timespec now;
	const char *rest;

	(void)state;
	events_add_sink(events, hear, &heard);
	events_emit(events, some_event());
	assert_int_equal(strncmp(heard.line, HEAD, strlen(HEAD)), 0);
	rest = strptime(heard.line + strlen(HEAD), "%Y-%m-%dT%H:%M:%S", &parts);
	assert_non_null(rest);
	clock_gettime(CLOCK_REALTIME, &now);
	assert_in_range(now.tv_sec - timegm(&parts), 0, 60); /* the machine may be busy */
	assert_string_equal(rest + 4, "Z\",\"event\":\"change\",\"n\":7}}\n");
	events_free(events);
}

static void every_sink_is_told(void **state)
{
	struct events *events = events_new();
	struct heard first = {0}, second = {0};

	(void)state;
	events_add_sink(events, hear, &first);
	events_add_sink(events, hear, &second);
	events_emit(events, some_event());
	events_emit(events, some_event());
	assert_int_equal(first.count, 2);
	assert_string_equal(first.line, second.line);
	events_free(events);
}

static void nobody_or_nothing_to_tell_is_fine(void **state)
{
	struct events *events = events_new();
	struct heard heard = {0};

	(void)state;
	events_emit(events, some_event()); /* no sink */
	events_emit(NULL, some_event());
	events_add_sink(events, hear, &heard);
	events_emit(events, NULL);
	assert_int_equal(heard.count, 0);
	events_free(events);
}

static void health_says_which_backend_since_when_and_why(void **state)
{
	struct events *events = events_new();
	struct heard heard = {0};
	struct lb_addr backend;
	struct lb_err err;

	(void)state;
	assert_int_equal(lb_addr_parse("10.0.0.2", &backend, &err), 0);
	events_add_sink(events, hear, &heard);
	events_health(events, "vip", "web", &backend, "unhealthy", 86400007, "connection refused",
		      NULL);
	assert_non_null(strstr(heard.line,
			       "\"event\":\"health\",\"vip\":\"web\",\"backend\":\"10.0.0.2\","
			       "\"state\":\"unhealthy\",\"since\":\"1970-01-02T00:00:00.007Z\","
			       "\"error\":\"connection refused\"}"));
	events_health(events, "vip", "web", &backend, "healthy", 86400007, NULL, NULL);
	assert_null(strstr(heard.line, "error"));
	events_free(events);
}

/* --- a long event is written apart, while others are told --- */

struct order {
	struct worker_job job; /* first */
	struct event_base *base;
	struct events *events;
	char last[EVENTS_TIME_TEXT];
	unsigned int short_ones; /* told since the long one was begun */
	bool backwards;
};

static void compare_times(void *user, const char *line, size_t length)
{
	struct order *order = user;

	(void)length;
	if (memcmp(line + strlen(HEAD), order->last, sizeof(order->last) - 1) < 0)
		order->backwards = true;
	memcpy(order->last, line + strlen(HEAD), sizeof(order->last) - 1);
}

static void emit_long(struct worker_job *job)
{
	struct order *order = (struct order *)job;
	json_t *event = some_event(), *list = json_array();

	for (int i = 0; i < 500000; i++)
		json_array_append_new(list, json_integer(i));
	json_object_set_new(event, "list", list);
	order->short_ones = 0;
	events_emit_long(order->events, event);
	event_base_loopbreak(order->base);
}

static void emit_short(evutil_socket_t fd, short what, void *user)
{
	struct order *order = user;

	(void)fd;
	(void)what;
	events_emit(order->events, some_event());
	order->short_ones++;
}

static void events_are_in_the_order_of_their_times(void **state)
{
	const struct timeval tick = {.tv_usec = 1000};
	struct order order = {.job = {.what = "a long event", .work = emit_long},
			      .base = event_base_new(),
			      .events = events_new()};
	struct event *ticker = event_new(order.base, -1, EV_PERSIST, emit_short, &order);
	struct worker *worker;
	struct turns *turns;
	struct lb_err err;

	(void)state;
	events_add_sink(order.events, compare_times, &order);
	assert_int_equal(turns_new(order.base, &turns, &err), 0);
	assert_int_equal(worker_new(turns, &worker, &err), 0);
	event_add(ticker, &tick);
	worker_do(worker, &order.job);
	turns_dispatch(turns);
	assert_true(order.short_ones);
	assert_false(order.backwards);
	worker_close(worker);
	turns_free(turns);
	event_free(ticker);
	events_free(order.events);
	event_base_free(order.base);
}

static void times_have_milliseconds(void **state)
{
	const struct timespec time = {951782399, 7999999};
	char text[EVENTS_TIME_TEXT];

	(void)state;
	assert_string_equal(events_time(&time, text), "2000-02-28T23:59:59.007Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_is_a_notification_with_its_time_first),
		cmocka_unit_test(every_sink_is_told),
		cmocka_unit_test(nobody_or_nothing_to_tell_is_fine),
		cmocka_unit_test(health_says_which_backend_since_when_and_why),
		cmocka_unit_test(events_are_in_the_order_of_their_times),
		cmocka_unit_test(times_have_milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
