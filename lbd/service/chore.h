/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done at a time that comes: by a worker, so that it may take long. */
#ifndef LB_SERVICE_CHORE_H
#define LB_SERVICE_CHORE_H

#include <stdbool.h>
#include "../host/timers.h"
#include "../host/worker.h"

struct chore {
	struct worker_job job; /* first */
	const struct timers *timers;
	struct timer *timer;
	struct worker **worker; /* points to NULL while there is none: it is done in the loop */
	void (*due)(void *user);
	void *user;
	bool waits; /* for the worker */
};

/* `worker` is looked at when the time has come. 0 or -ENOMEM. */
int chore_open(struct chore *chore, const struct timers *timers, struct worker **worker,
	       const char *what, void (*due)(void *user), void *user);
void chore_close(struct chore *chore); /* after the worker */

/* As those of struct timers. What waits for the worker already is not taken back: `due` sees for
 * itself whether there is anything to do. */
void chore_set(struct chore *chore, int64_t delay_ms);
void chore_stop(struct chore *chore);
bool chore_pending(const struct chore *chore);

#endif
