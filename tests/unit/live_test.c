/* SPDX-License-Identifier: BSD-2-Clause */
/* Who waits for whom while a change is about to come into force? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>

#include "../../lbd/service/live.h"

#define LOOK_MS 5
#define LOOKS 20 /* until what has not been done waits */

struct scene {
	struct worker_job job; /* first */
	struct service service;
	void (*hold)(struct service *service);
	void (*let_go)(struct service *service);
	struct event_base *base;
	struct event *look;
	unsigned int looks;
	bool held, waited;
};

static void work(struct worker_job *job)
{
	struct scene *scene = (struct scene *)job;

	scene->hold(&scene->service);
	scene->held = true;
	scene->let_go(&scene->service);
	event_base_loopbreak(scene->base);
}

/* After a while the change has come into force, so that whoever waits goes on. */
static void on_look(evutil_socket_t fd, short events, void *user)
{
	struct scene *scene = user;

	(void)fd;
	(void)events;
	if (++scene->looks < LOOKS)
		return;
	scene->waited |= !scene->held;
	scene->service.swapping = false;
}

/* Whether a job that holds the service waits for a change that waits for so many readers. */
static bool waits(void (*hold)(struct service *service), void (*let_go)(struct service *service),
		  uint32_t readers)
{
	const struct timeval look = {.tv_usec = LOOK_MS * 1000};
	struct scene scene = {
		.job = {.what = "a test", .work = work},
		.service = {.swapping = true, .readers = readers},
		.hold = hold,
		.let_go = let_go,
		.base = event_base_new(),
	};
	struct turns *turns;
	struct worker *worker;
	struct lb_err err;

	assert_int_equal(turns_new(scene.base, &turns, &err), 0);
	assert_int_equal(worker_new(turns, &worker, &err), 0);
	scene.look = event_new(scene.base, -1, EV_PERSIST, on_look, &scene);
	event_add(scene.look, &look);
	worker_do(worker, &scene.job);
	turns_dispatch(turns);
	worker_close(worker);
	turns_free(turns);
	event_free(scene.look);
	event_base_free(scene.base);
	assert_true(scene.held);
	assert_int_equal(scene.service.readers, readers);
	return scene.waited;
}

static void who_begins_to_read_lets_a_change_come_into_force_first(void **state)
{
	(void)state;
	assert_true(waits(service_hold, service_let_go, 0));
	assert_true(waits(service_hold, service_let_go, 1));
}

static void upkeep_goes_on_while_a_change_waits_for_who_reads(void **state)
{
	(void)state;
	assert_true(waits(live_hold, live_let_go, 0));
	assert_false(waits(live_hold, live_let_go, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_begins_to_read_lets_a_change_come_into_force_first),
		cmocka_unit_test(upkeep_goes_on_while_a_change_waits_for_who_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
