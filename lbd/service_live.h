/* SPDX-License-Identifier: BSD-2-Clause */
/* What service.c and service_report.c share: the document in force beside what it became in the
 * data plane. */
#ifndef LB_SERVICE_LIVE_H
#define LB_SERVICE_LIVE_H

#include "members.h"
#include "numbers.h"
#include "service.h"
#include "table.h"

/* A VIP in the data plane. Its backends stand in the order of the document's (by address). */
struct live_vip {
	uint32_t number;
	uint32_t slots_start, slots_size;
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
};

#endif
