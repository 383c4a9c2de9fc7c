/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the loop go on while workers work, and is everything that is shared only touched by one of them? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../lbd/host/worker.h"

#define WORK_MS 60
#define ROUNDS 200000
#define GUARD_S 60

struct rig {
	struct event_base *base;
	struct turns *turns;
	struct worker *workers[2];
	struct event *ticker, *guard;
	unsigned int ticks;
	unsigned int jobs_left;
	unsigned long shared; /* of all, and not atomic */
};

struct job {
	struct worker_job job; /* first */
	struct rig *rig;
	char *text;
	char letter;
	bool dropped;
};

static int64_t now_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void on_tick(evutil_socket_t fd, short events, void *user)
{
	struct rig *rig = user;

	(void)fd;
	(void)events;
	__atomic_add_fetch(&rig->ticks, 1, __ATOMIC_RELAXED); /* a job may read it while away */
	rig->shared++;
}

static void on_guard(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	(void)user;
	fail_msg("the loop did not end within %d s", 2 * GUARD_S);
}

static void setup(struct rig *rig)
{
	const struct timeval tick = {.tv_usec = 1000}, guard = {.tv_sec = 2 * GUARD_S};
	struct lb_err err;

	*rig = (struct rig){.base = event_base_new()};
	assert_int_equal(turns_new(rig->base, &rig->turns, &err), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(worker_new(rig->turns, &rig->workers[i], &err), 0);
	rig->ticker = event_new(rig->base, -1, EV_PERSIST, on_tick, rig);
	rig->guard = evtimer_new(rig->base, on_guard, rig);
	event_add(rig->ticker, &tick);
	event_add(rig->guard, &guard);
}

static void teardown(struct rig *rig)
{
	for (size_t i = 0; i < 2; i++)
		worker_close(rig->workers[i]);
	turns_free(rig->turns);
	event_free(rig->ticker);
	event_free(rig->guard);
	event_base_free(rig->base);
}

static void give(struct rig *rig, size_t worker, struct job *job, void (*work)(struct worker_job *))
{
	job->job.what = "a test";
	job->job.work = work;
	job->rig = rig;
	rig->jobs_left++;
	worker_do(rig->workers[worker], &job->job);
}

static void done(struct rig *rig)
{
	if (!--rig->jobs_left)
		event_base_loopbreak(rig->base);
}

/* --- the loop goes on --- */

static void work_and_yield(struct worker_job *job)
{
	const int64_t end = now_ms(CLOCK_THREAD_CPUTIME_ID) + WORK_MS;

	while (now_ms(CLOCK_THREAD_CPUTIME_ID) < end)
		worker_yield();
	done(((struct job *)job)->rig);
}

static void the_loop_has_its_turns_while_a_worker_yields(void **state)
{
	struct rig rig;
	struct job job = {0};

	(void)state;
	setup(&rig);
	give(&rig, 0, &job, work_and_yield);
	turns_dispatch(rig.turns);
	assert_in_range(rig.ticks, WORK_MS / (4 * WORKER_TURN_MS), 100000);
	teardown(&rig);
}

/* For as long as five ticks take, on a machine that may be busy: without them the job does not come to its end. */
static void work_apart(struct worker_job *job)
{
	struct rig *rig = ((struct job *)job)->rig;
	const struct timespec sleep = {.tv_nsec = 1000000};
	const unsigned int ticks = rig->ticks;
	const int64_t end = now_ms(CLOCK_MONOTONIC) + 1000 * GUARD_S;

	worker_leave();
	while (__atomic_load_n(&rig->ticks, __ATOMIC_RELAXED) < ticks + 5 &&
	       now_ms(CLOCK_MONOTONIC) < end)
		nanosleep(&sleep, NULL);
	worker_enter();
	assert_true(rig->ticks >= ticks + 5);
	done(rig);
}

static void the_loop_goes_on_while_a_worker_has_left(void **state)
{
	struct rig rig;
	struct job job = {0};

	(void)state;
	setup(&rig);
	give(&rig, 0, &job, work_apart);
	turns_dispatch(rig.turns);
	teardown(&rig);
}

static void wait_for_others(struct worker_job *job)
{
	struct rig *rig = ((struct job *)job)->rig;

	while (rig->jobs_left > 1)
		worker_pause();
	done(rig);
}

static void one_worker_can_wait_for_another(void **state)
{
	struct rig rig;
	struct job waiting = {0}, working = {0};

	(void)state;
	setup(&rig);
	give(&rig, 0, &waiting, wait_for_others);
	give(&rig, 1, &working, work_and_yield);
	turns_dispatch(rig.turns);
	assert_int_equal(rig.jobs_left, 0);
	teardown(&rig);
}

/* --- alone --- */

static void add_up(struct worker_job *job)
{
	struct rig *rig = ((struct job *)job)->rig;

	for (int i = 0; i < ROUNDS; i++) {
		rig->shared++;
		worker_yield();
		if (i % (ROUNDS / 50) == 0) {
			worker_leave();
			worker_enter();
		}
	}
	done(rig);
}

static void nobody_touches_what_is_shared_at_the_same_time(void **state)
{
	struct rig rig;
	struct job jobs[2] = {0};

	(void)state;
	setup(&rig);
	give(&rig, 0, &jobs[0], add_up);
	give(&rig, 1, &jobs[1], add_up);
	turns_dispatch(rig.turns);
	assert_int_equal(rig.shared, 2ul * ROUNDS + rig.ticks);
	teardown(&rig);
}

static void append_letter(struct worker_job *job)
{
	struct job *mine = (struct job *)job;

	worker_pause(); /* the others must wait all the same */
	mine->text[strlen(mine->text)] = mine->letter;
	done(mine->rig);
}

/* The letters of four jobs of one worker, "a" to "d" as they were given, in the order in which they are done. */
static void do_four(bool last_is_urgent, char text[5])
{
	struct rig rig;
	struct job jobs[4] = {0};

	memset(text, 0, 5);
	setup(&rig);
	for (size_t i = 0; i < 4; i++) {
		jobs[i].text = text;
		jobs[i].letter = (char)('a' + i);
		jobs[i].job.urgent = last_is_urgent && i == 3;
		give(&rig, 0, &jobs[i], append_letter);
	}
	turns_dispatch(rig.turns);
	teardown(&rig);
}

static void jobs_of_a_worker_are_done_in_order(void **state)
{
	char text[5];

	(void)state;
	do_four(false, text);
	assert_string_equal(text, "abcd");
}

static void a_job_that_is_urgent_passes_those_that_wait(void **state)
{
	char text[5];

	(void)state;
	do_four(true, text);
	assert_true(!strcmp(text, "dabc") || !strcmp(text, "adbc")); /* the first may have begun */
}

/* --- the end --- */

static void end_the_loop_and_work(struct worker_job *job)
{
	struct rig *rig = ((struct job *)job)->rig;

	event_base_loopbreak(rig->base);
	work_and_yield(job);
}

static void note_drop(struct worker_job *job)
{
	((struct job *)job)->dropped = true;
}

static void a_job_under_way_is_ended_and_others_are_dropped(void **state)
{
	struct rig rig;
	struct job first = {0}, second = {.job.drop = note_drop};

	(void)state;
	setup(&rig);
	give(&rig, 0, &first, end_the_loop_and_work);
	give(&rig, 0, &second, work_and_yield);
	turns_dispatch(rig.turns);
	assert_int_equal(rig.jobs_left, 2);
	worker_close(rig.workers[0]);
	rig.workers[0] = NULL;
	assert_int_equal(rig.jobs_left, 1);
	assert_true(second.dropped);
	teardown(&rig);
}

/* --- how long turns are --- */

static void work_long(struct worker_job *job)
{
	const int64_t end = now_ms(CLOCK_THREAD_CPUTIME_ID) + WORK_MS;

	while (now_ms(CLOCK_THREAD_CPUTIME_ID) < end)
		;
	done(((struct job *)job)->rig);
}

static void what_a_worker_does_counts_for_the_turn(void **state)
{
	struct turns_longest longest;
	struct turns_counts counts;
	struct rig rig;
	struct job job = {0};

	(void)state;
	setup(&rig);
	give(&rig, 0, &job, work_long);
	turns_dispatch(rig.turns);
	turns_longest(rig.turns, &longest);
	assert_in_range(longest.cpu_us, (WORK_MS - 1) * 1000, 10 * WORK_MS * 1000);
	assert_string_equal(longest.what, "a test");
	turns_counts(rig.turns, &counts);
	assert_int_equal(counts.took[TURNS_BOUNDS - 1] + counts.took[TURNS_BOUNDS], 1);
	assert_in_range(counts.cpu_us, longest.cpu_us, 2 * WORK_MS * 1000);
	teardown(&rig);
}

static void burn(int64_t ms)
{
	const int64_t end = now_ms(CLOCK_THREAD_CPUTIME_ID) + ms;

	while (now_ms(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void much_then_little(struct worker_job *job)
{
	struct rig *rig = ((struct job *)job)->rig;

	turns_note(rig->turns, "much");
	burn(WORK_MS);
	turns_note(rig->turns, "little");
	burn(WORK_MS / 10);
	done(rig);
}

static void on_much_then_little(evutil_socket_t fd, short events, void *user)
{
	struct job *job = user;

	(void)fd;
	(void)events;
	much_then_little(&job->job);
}

/* Whether its parts are a worker's or the loop's. */
static void a_turn_is_called_by_what_took_most_of_it(void **state)
{
	struct turns_longest longest;

	(void)state;
	for (int in_loop = 0; in_loop < 2; in_loop++) {
		struct rig rig;
		struct job job = {.rig = &rig};

		setup(&rig);
		if (in_loop) {
			rig.jobs_left++;
			event_base_once(rig.base, -1, EV_TIMEOUT, on_much_then_little, &job, NULL);
		} else {
			give(&rig, 0, &job, much_then_little);
		}
		turns_dispatch(rig.turns);
		turns_longest(rig.turns, &longest);
		assert_string_equal(longest.what, "much");
		teardown(&rig);
	}
}

static void without_a_worker_nothing_is_given_back(void **state)
{
	(void)state;
	assert_false(worker_is_one());
	worker_yield();
	worker_leave();
	worker_enter();
	worker_pause();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loop_has_its_turns_while_a_worker_yields),
		cmocka_unit_test(the_loop_goes_on_while_a_worker_has_left),
		cmocka_unit_test(one_worker_can_wait_for_another),
		cmocka_unit_test(nobody_touches_what_is_shared_at_the_same_time),
		cmocka_unit_test(jobs_of_a_worker_are_done_in_order),
		cmocka_unit_test(a_job_that_is_urgent_passes_those_that_wait),
		cmocka_unit_test(a_job_under_way_is_ended_and_others_are_dropped),
		cmocka_unit_test(what_a_worker_does_counts_for_the_turn),
		cmocka_unit_test(a_turn_is_called_by_what_took_most_of_it),
		cmocka_unit_test(without_a_worker_nothing_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
