/* SPDX-License-Identifier: BSD-2-Clause */
/* Which problems does the machine have now, while lbd runs? The warnings of the start, judged again. */
#ifndef LB_PREFLIGHT_AGAIN_H
#define LB_PREFLIGHT_AGAIN_H

#include <jansson.h>
#include <stdint.h>
#include "../host/config.h"

/* The machine is looked at no more often than this, however often it is asked about. */
#define PREFLIGHT_AGAIN_MS 3000

struct service;

struct preflight_again {
	const struct config *config;
	const struct service *service; /* NULL before it is open */
	json_t *warnings;              /* as of looked_ms; owned */
	int64_t looked_ms;             /* CLOCK_MONOTONIC; 0: what the start found */
};

void preflight_again_init(struct preflight_again *again, const struct config *config);

/* From now on there are VIPs, so that their addresses are judged, too: at once, for the warnings of
 * the start. */
void preflight_again_serve(struct preflight_again *again, const struct service *service);

/* Appends a sentence for every problem. What would have kept lbd from starting is one of
 * them here, such as a state_dir that cannot be written; interfaces that are gone are not: status
 * tells of these by themselves. Changes nothing on the machine. */
void preflight_warn(struct preflight_again *again, json_t *warnings);
void preflight_again_clear(struct preflight_again *again);

#endif
