/* SPDX-License-Identifier: BSD-2-Clause */
/* How does the document get to the disk?
 *
 * A change of a large one is a line of a journal (host/state.h). When that has become long the whole
 * document is written, once nobody waits for it. */
#include <stdio.h>
#include <string.h>

#include "../host/events.h"
#include "live.h"

#define WHOLE_AFTER_MS 1000
#define RETRY_MS 60000

void fault_keep(const struct service *service, char kept[FAULT_TEXT], const char *what,
		const char *reason)
{
	if (*reason && strncmp(kept, reason, FAULT_TEXT - 1))
		events_emit(service->events, json_pack("{s:s,s:s,s:s}", "event", "fault", "what",
						       what, "reason", reason));
	snprintf(kept, FAULT_TEXT, "%s", reason);
}

int keep_save(struct service *service, const struct state_save *save, struct lb_err *err)
{
	const struct config *config = service->config;
	struct lb_err fault = {0};
	int error;

	worker_leave();
	error = service->disk->save(config->state_dir, &service->kept, save, &fault);
	if (!error && !config->seed_configured) /* where it fails, the next change tries again */
		service->disk->keep_seed(config->state_dir, config->seed, NULL);
	worker_enter();
	fault_keep(service, service->save_fault, "save", fault.message);
	if (!error && state_is_long(&service->kept) && !chore_pending(&service->save_whole))
		chore_set(&service->save_whole, WHOLE_AFTER_MS);
	if (error && err)
		*err = fault;
	return error;
}

int keep_whole(struct service *service, struct lb_err *err)
{
	const struct state_save save = {.document = service->document};

	return keep_save(service, &save, err);
}

static void is_long(void *user)
{
	struct service *service = user;

	if (state_is_long(&service->kept) && keep_whole(service, NULL))
		chore_set(&service->save_whole, RETRY_MS);
}

void service_end(struct service *service)
{
	const struct state_save save = {.document = service ? service->document : NULL,
					.last = true};

	if (service && service->kept.journal)
		keep_save(service, &save, NULL);
}

int keep_open(struct service *service, struct lb_err *err)
{
	return chore_open(&service->save_whole, &service->timers, &service->changes,
			  "save the document", is_long, service)
		       ? lb_err_no_memory(err)
		       : 0;
}

void keep_close(struct service *service)
{
	chore_close(&service->save_whole);
}
