/* SPDX-License-Identifier: BSD-2-Clause */
/* What service.c and service_report.c share: the document in force beside what it became in the
 * data plane. */
#ifndef LB_SERVICE_LIVE_H
#define LB_SERVICE_LIVE_H

#include "members.h"
#include "numbers.h"
#include "service.h"
#include "slots.h"
#include "sweep.h"
#include "table.h"

/* A VIP in the data plane. Its backends stand in the order of the document's (by address). */
struct live_vip {
	uint32_t number;
	uint32_t slots_start;
	struct slots *slots; /* on its own, so that it stays where it is: the sweep points to it */
	struct table *table;
	struct table_member *backends;
	size_t backend_count;
};

struct service {
	const struct config *config;
	struct datapath *datapath;
	struct members *members;
	struct numbers *vip_numbers;
	struct ranges *slot_ranges;
	struct lb_service *document;
	struct live_vip *live;  /* live[i] is document->vips[i] */
	uint32_t backend_count; /* over all VIPs */

	struct sweep *sweep;
	struct event *release; /* pending for a moment after owners have changed */
	struct event *tick;    /* pending while the flow table may hold a word */
	uint32_t bucket_count;
	bool flows_possible; /* false: no slot is unsettled and no word is left */
	bool moved_in_pass;  /* a slot was MOVING at some time since this pass of the sweep began */
};

/* service_clock.c: what happens as time passes. */
int clock_open(struct service *service, struct event_base *base, struct lb_err *err);
void clock_close(struct service *service);
/* Slots are MOVING, or members are gone while flows may be on record as theirs. */
void clock_start(struct service *service);
uint32_t clock_now_s(void);

#endif
