/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose turn is it: the loop's, or which worker's? */
#include "worker.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../api/clock.h"

#define PAUSE_NS 1000000

TAILQ_HEAD(jobs, worker_job);
TAILQ_HEAD(workers, worker);

/* What a turn does, one after the other; what follows itself is one. */
struct part {
	const char *what;
	uint64_t cpu_ns;
};

struct turns {
	struct event_base *base;
	struct event *wake; /* readable while a worker wants a turn */
	int wake_fd;
	pthread_mutex_t mutex;     /* of `holder` and `wanting` */
	pthread_cond_t given_back; /* or wanted, or a worker has ended */
	struct worker *holder;     /* NULL: the loop */
	struct workers wanting;
	uint64_t began_ns;      /* the present turn, in processor time of the loop's thread */
	uint64_t lent_ns;       /* processor time of workers in it */
	struct part now, most;  /* of the present turn */
	uint64_t part_since_ns; /* by the thread that has the turn */
	struct turns_longest longest;
	struct turns_counts counts;
};

struct worker {
	struct turns *turns;
	pthread_t thread;
	pthread_cond_t given; /* the turn, or a job, or the end */
	struct jobs jobs;
	bool closing, ended;
	bool has_turn; /* for its own thread */
	const char *what;
	uint64_t since_ns, cpu_since_ns; /* it has the turn */
	TAILQ_ENTRY(worker) entry;
};

static _Thread_local struct worker *self; /* NULL: the loop's thread */

/* --- parts of a turn; by the thread that has it --- */

static void part_begin(struct turns *turns, const char *what)
{
	if (turns->now.what != what)
		turns->now = (struct part){.what = what};
	turns->part_since_ns = lb_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void part_end(struct turns *turns)
{
	turns->now.cpu_ns += lb_clock_ns(CLOCK_THREAD_CPUTIME_ID) - turns->part_since_ns;
	if (turns->now.cpu_ns >= turns->most.cpu_ns)
		turns->most = turns->now;
}

/* --- the turn; the mutex is held --- */

static void give_back(struct worker *worker)
{
	struct turns *turns = worker->turns;

	part_end(turns);
	turns->lent_ns += lb_clock_ns(CLOCK_THREAD_CPUTIME_ID) - worker->cpu_since_ns;
	worker->has_turn = false;
	turns->holder = NULL;
	pthread_cond_signal(&turns->given_back);
}

static void take(struct worker *worker)
{
	const uint64_t one = 1;
	struct turns *turns = worker->turns;

	TAILQ_INSERT_TAIL(&turns->wanting, worker, entry);
	(void)!write(turns->wake_fd, &one, sizeof(one)); /* cannot fail below 2^64 of them */
	pthread_cond_signal(&turns->given_back);
	while (turns->holder != worker)
		pthread_cond_wait(&worker->given, &turns->mutex);
	worker->has_turn = true;
	worker->since_ns = lb_clock_ns(CLOCK_MONOTONIC);
	worker->cpu_since_ns = lb_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	part_begin(turns, worker->what);
}

/* To whoever has wanted it for longest, until it comes back. */
static void lend(struct turns *turns)
{
	struct worker *worker = TAILQ_FIRST(&turns->wanting);
	uint64_t count;

	if (worker) {
		part_end(turns);
		TAILQ_REMOVE(&turns->wanting, worker, entry);
		turns->holder = worker;
		pthread_cond_signal(&worker->given);
	}
	while (turns->holder)
		pthread_cond_wait(&turns->given_back, &turns->mutex);
	if (worker)
		part_begin(turns, "other");
	if (TAILQ_EMPTY(&turns->wanting))
		(void)!read(turns->wake_fd, &count, sizeof(count));
}

static void on_wake(evutil_socket_t fd, short events, void *user)
{
	struct turns *turns = user;

	(void)fd;
	(void)events;
	pthread_mutex_lock(&turns->mutex);
	lend(turns);
	pthread_mutex_unlock(&turns->mutex);
}

/* --- from within a job --- */

void worker_leave(void)
{
	if (!self)
		return;
	pthread_mutex_lock(&self->turns->mutex);
	give_back(self);
	pthread_mutex_unlock(&self->turns->mutex);
}

void worker_enter(void)
{
	if (!self)
		return;
	pthread_mutex_lock(&self->turns->mutex);
	take(self);
	pthread_mutex_unlock(&self->turns->mutex);
}

void worker_yield(void)
{
	if (!self || !self->has_turn ||
	    lb_clock_ns(CLOCK_MONOTONIC) - self->since_ns < WORKER_TURN_MS * 1000000u)
		return;
	pthread_mutex_lock(&self->turns->mutex);
	give_back(self);
	take(self);
	pthread_mutex_unlock(&self->turns->mutex);
}

void worker_pause(void)
{
	const struct timespec moment = {.tv_nsec = PAUSE_NS};

	if (!self)
		return;
	worker_leave();
	nanosleep(&moment, NULL);
	worker_enter();
}

bool worker_is_one(void)
{
	return self;
}

bool worker_is_closing(void)
{
	bool closing;

	if (!self)
		return false;
	pthread_mutex_lock(&self->turns->mutex);
	closing = self->closing;
	pthread_mutex_unlock(&self->turns->mutex);
	return closing;
}

/* --- jobs --- */

/* The next one, which is out of the list; NULL: the end. The mutex is held. */
static struct worker_job *next_job(struct worker *worker)
{
	struct worker_job *job;

	while (TAILQ_EMPTY(&worker->jobs) && !worker->closing)
		pthread_cond_wait(&worker->given, &worker->turns->mutex);
	job = worker->closing ? NULL : TAILQ_FIRST(&worker->jobs);
	if (job)
		TAILQ_REMOVE(&worker->jobs, job, entry);
	return job;
}

static void *thread_main(void *arg)
{
	struct worker *worker = self = arg;
	struct turns *turns = worker->turns;
	struct worker_job *job;

	pthread_mutex_lock(&turns->mutex);
	while ((job = next_job(worker))) {
		worker->what = job->what;
		take(worker);
		pthread_mutex_unlock(&turns->mutex);
		job->work(job);
		pthread_mutex_lock(&turns->mutex);
		give_back(worker);
	}
	worker->ended = true;
	pthread_cond_signal(&turns->given_back);
	pthread_mutex_unlock(&turns->mutex);
	return NULL;
}

struct worker_job *worker_next(bool (*joins)(const struct worker_job *job))
{
	struct worker_job *job = NULL;

	if (!self)
		return NULL;
	pthread_mutex_lock(&self->turns->mutex);
	if (!self->closing)
		job = TAILQ_FIRST(&self->jobs);
	if (job && !joins(job))
		job = NULL;
	if (job)
		TAILQ_REMOVE(&self->jobs, job, entry);
	pthread_mutex_unlock(&self->turns->mutex);
	return job;
}

void worker_do(struct worker *worker, struct worker_job *job)
{
	pthread_mutex_lock(&worker->turns->mutex);
	if (job->urgent)
		TAILQ_INSERT_HEAD(&worker->jobs, job, entry);
	else
		TAILQ_INSERT_TAIL(&worker->jobs, job, entry);
	pthread_cond_signal(&worker->given);
	pthread_mutex_unlock(&worker->turns->mutex);
}

/* --- life --- */

/* Signals are for the loop's thread, which waits for them. */
static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&worker->thread, NULL, thread_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

int worker_new(struct turns *turns, struct worker **out, struct lb_err *err)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int error = worker ? 0 : ENOMEM;

	if (worker) {
		worker->turns = turns;
		TAILQ_INIT(&worker->jobs);
		pthread_cond_init(&worker->given, NULL);
		error = start_thread(worker);
	}
	if (!error) {
		*out = worker;
		return 0;
	}
	free(worker);
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot start a thread: %s", strerror(error));
}

void worker_close(struct worker *worker)
{
	struct worker_job *job;

	if (!worker)
		return;
	pthread_mutex_lock(&worker->turns->mutex);
	worker->closing = true;
	pthread_cond_signal(&worker->given);
	while (!worker->ended) {
		if (TAILQ_EMPTY(&worker->turns->wanting))
			pthread_cond_wait(&worker->turns->given_back, &worker->turns->mutex);
		else
			lend(worker->turns);
	}
	pthread_mutex_unlock(&worker->turns->mutex);
	pthread_join(worker->thread, NULL);
	while ((job = TAILQ_FIRST(&worker->jobs))) {
		TAILQ_REMOVE(&worker->jobs, job, entry);
		if (job->drop)
			job->drop(job);
	}
	pthread_cond_destroy(&worker->given);
	free(worker);
}

int turns_new(struct event_base *base, struct turns **out, struct lb_err *err)
{
	struct turns *turns = calloc(1, sizeof(*turns));

	if (!turns)
		return lb_err_no_memory(err);
	turns->base = base;
	TAILQ_INIT(&turns->wanting);
	pthread_mutex_init(&turns->mutex, NULL);
	pthread_cond_init(&turns->given_back, NULL);
	turns->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (turns->wake_fd >= 0)
		turns->wake = event_new(base, turns->wake_fd, EV_READ | EV_PERSIST, on_wake, turns);
	if (turns->wake && !event_add(turns->wake, NULL)) {
		*out = turns;
		return 0;
	}
	turns_free(turns);
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot make an eventfd");
}

void turns_free(struct turns *turns)
{
	if (!turns)
		return;
	if (turns->wake)
		event_free(turns->wake);
	if (turns->wake_fd >= 0)
		close(turns->wake_fd);
	pthread_cond_destroy(&turns->given_back);
	pthread_mutex_destroy(&turns->mutex);
	free(turns);
}

/* --- how long turns are --- */

void turns_note(struct turns *turns, const char *what)
{
	if (turns) {
		part_end(turns);
		part_begin(turns, what);
	}
	if (self)
		self->what = what;
}

/* By the loop's thread. */
static uint64_t spent_ns(const struct turns *turns)
{
	return lb_clock_ns(CLOCK_THREAD_CPUTIME_ID) - turns->began_ns + turns->lent_ns;
}

const uint32_t turns_bounds_us[TURNS_BOUNDS] = {100, 1000, 5000, 10000, 20000, 100000};

static void count_turn(struct turns_counts *counts, uint64_t us)
{
	size_t i = 0;

	while (i < TURNS_BOUNDS && us > turns_bounds_us[i])
		i++;
	counts->took[i]++;
	counts->cpu_us += us;
}

static void turn_took(struct turns *turns, uint64_t ns)
{
	count_turn(&turns->counts, ns / 1000);
	if (ns / 1000 <= turns->longest.cpu_us)
		return;
	turns->longest = (struct turns_longest){
		.cpu_us = ns / 1000,
		.what = turns->most.what,
		.ended_s = (int64_t)(lb_clock_ns(CLOCK_MONOTONIC) / 1000000000u),
	};
}

/* A pass of libevent: waits, then calls back for all that has happened. */
void turns_dispatch(struct turns *turns)
{
	int ended = 0;

	while (!ended && !event_base_got_break(turns->base)) {
		turns->began_ns = lb_clock_ns(CLOCK_THREAD_CPUTIME_ID);
		turns->lent_ns = 0;
		turns->now = turns->most = (struct part){0};
		part_begin(turns, "other");
		ended = event_base_loop(turns->base, EVLOOP_ONCE);
		part_end(turns);
		turn_took(turns, spent_ns(turns));
	}
}

void turns_longest(const struct turns *turns, struct turns_longest *out)
{
	*out = turns ? turns->longest : (struct turns_longest){0};
}

void turns_counts(const struct turns *turns, struct turns_counts *out)
{
	*out = turns ? turns->counts : (struct turns_counts){0};
}
