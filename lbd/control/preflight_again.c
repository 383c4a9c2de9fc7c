/* SPDX-License-Identifier: BSD-2-Clause */
/* What has become better or worse about this machine since lbd was started? */
#include "preflight_again.h"

#include "../api/clock.h"
#include "../host/worker.h"
#include "../plane/loops.h"
#include "../plane/preflight.h"
#include "../plane/shadow.h"
#include "../service/service.h"

void preflight_again_init(struct preflight_again *again, const struct config *config)
{
	*again = (struct preflight_again){.config = config, .warnings = json_array()};
}

static void warn_of_vips(const struct preflight_again *again, json_t *warnings)
{
	struct loops_facts facts;
	struct shadow *shadow;

	if (!again->service)
		return;
	worker_leave(); /* the kernel may go over all sockets */
	shadow = shadow_look();
	worker_enter();
	loops_look(again->config, service_document(again->service), &facts);
	loops_judge(&facts, warnings);
	worker_yield();
	shadow_warnings(shadow, service_document(again->service), warnings);
	shadow_free(shadow);
}

void preflight_again_serve(struct preflight_again *again, const struct service *service)
{
	again->service = service;
	warn_of_vips(again, again->warnings);
}

static json_t *look(const struct preflight_again *again)
{
	json_t *warnings = json_array();
	struct preflight_facts facts;

	worker_leave(); /* of the machine, and lbd.json */
	preflight_look_only(again->config, &facts);
	preflight_judge_running(again->config, &facts, warnings);
	preflight_facts_clear(&facts);
	worker_enter();
	warn_of_vips(again, warnings);
	return warnings;
}

void preflight_warn(struct preflight_again *again, json_t *warnings)
{
	int64_t now = lb_now_ms();

	if (!again->looked_ms || now - again->looked_ms >= PREFLIGHT_AGAIN_MS) {
		json_decref(again->warnings);
		again->warnings = look(again);
		again->looked_ms = now;
	}
	json_array_extend(warnings, again->warnings);
}

void preflight_again_clear(struct preflight_again *again)
{
	json_decref(again->warnings);
	again->warnings = NULL;
}
