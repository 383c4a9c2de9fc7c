/* SPDX-License-Identifier: BSD-2-Clause */
/* How does work that takes long leave the event loop free? It is done by a worker, a thread beside the loop.
 *
 * What is shared (the service, the sockets, libevent itself) has one owner at a time: the loop, or the one
 * worker that the loop has lent its turn to. A worker begins a job with the turn, and
 *
 *   worker_yield()            gives the turn back when it has lasted its time, and waits for the next one
 *   worker_leave(), _enter()  gives it back for as long as the work touches nothing that is shared
 *
 * So nothing needs a lock, and what runs between two such calls is alone, as it would be in a callback of the
 * loop. Who yields must expect that others have changed what is shared. Outside of a worker these functions do
 * nothing, so that the same code can run at start, before there are workers, and in tests. */
#ifndef LB_HOST_WORKER_H
#define LB_HOST_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "../api/err.h"

#define WORKER_TURN_MS 4 /* how long the loop lends its turn */

struct event_base;
struct turns;
struct worker;

/* What a worker is to do. It stays where it is until `work` is called, which may free it. `drop` is called
 * instead for a job that waits when the worker is closed; NULL: nothing is to be done. */
struct worker_job {
	const char *what; /* for turns_longest */
	bool urgent;      /* it is done before those that wait */
	void (*work)(struct worker_job *job);
	void (*drop)(struct worker_job *job);
	TAILQ_ENTRY(worker_job) entry;
};

/* The turns of one loop. NULL base: only turns_free may be called. */
int turns_new(struct event_base *base, struct turns **out, struct lb_err *err);
void turns_free(struct turns *turns); /* after its workers */

/* Runs the loop until it is broken off, and measures its turns. */
void turns_dispatch(struct turns *turns);
/* Names what the present turn does from now on, should it be the longest one. `what` stays valid for good. */
void turns_note(struct turns *turns, const char *what);

/* The longest turn: one pass of the loop over what has happened, with what workers did in it. In processor time, so
 * that a busy machine does not count. */
struct turns_longest {
	uint64_t cpu_us;
	const char *what; /* that took most of it */
	int64_t ended_s;  /* by CLOCK_MONOTONIC */
};
void turns_longest(const struct turns *turns, struct turns_longest *out);

/* All turns so far, by the processor time that they took: the last bucket has those above every bound. */
#define TURNS_BOUNDS 6
extern const uint32_t turns_bounds_us[TURNS_BOUNDS];
struct turns_counts {
	uint64_t took[TURNS_BOUNDS + 1];
	uint64_t cpu_us;
};
void turns_counts(const struct turns *turns, struct turns_counts *out);

int worker_new(struct turns *turns, struct worker **out, struct lb_err *err);
/* Ends the job that is under way, drops the others. By the loop's thread, when the loop has ended. */
void worker_close(struct worker *worker);

/* Jobs are done one after the other. Only with the turn. */
void worker_do(struct worker *worker, struct worker_job *job);

/* From within a job: the next one that waits, where `joins` says so, which then is done as a part of this one. */
struct worker_job *worker_next(bool (*joins)(const struct worker_job *job));

void worker_yield(void);
void worker_leave(void);
void worker_enter(void);
/* Gives the turn back, and comes again a moment later: to wait for what others do. */
void worker_pause(void);
/* Whether this is a worker's thread. */
bool worker_is_one(void);
/* Whether the end of this job is waited for. Without the turn. */
bool worker_is_closing(void);

#endif
