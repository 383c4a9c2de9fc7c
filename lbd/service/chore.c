/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done at a time that comes, and by whom? */
#include "chore.h"

#include <errno.h>

static void work(struct worker_job *job)
{
	struct chore *chore = (struct chore *)job;

	chore->waits = false;
	chore->due(chore->user);
}

static void on_time(void *user)
{
	struct chore *chore = user;

	if (!*chore->worker) {
		chore->due(chore->user);
	} else if (!chore->waits) {
		chore->waits = true;
		worker_do(*chore->worker, &chore->job);
	}
}

int chore_open(struct chore *chore, const struct timers *timers, struct worker **worker,
	       const char *what, void (*due)(void *user), void *user)
{
	*chore = (struct chore){
		.job = {.what = what, .work = work},
		.timers = timers,
		.worker = worker,
		.due = due,
		.user = user,
		.timer = timers->add(timers->base, on_time, chore),
	};
	return chore->timer ? 0 : -ENOMEM;
}

void chore_close(struct chore *chore)
{
	if (chore->timers)
		chore->timers->free(chore->timer);
}

void chore_set(struct chore *chore, int64_t delay_ms)
{
	chore->timers->set(chore->timer, delay_ms);
}

void chore_stop(struct chore *chore)
{
	chore->timers->stop(chore->timer);
}

bool chore_pending(const struct chore *chore)
{
	return chore->timers->pending(chore->timer);
}
