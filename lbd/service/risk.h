/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose established flows does a change end? (CHANGE.at_risk of docs/protocol.md) */
#ifndef LB_SERVICE_RISK_H
#define LB_SERVICE_RISK_H

#include <jansson.h>

#include "plan.h"
#include "live.h"

/* The flows of a VIP, `from`, whose packets go elsewhere from now on: to another VIP, which has its
 * table already, or to nobody. */
struct risk_handover {
	const struct lb_vip *from;
	const struct live_pool *from_live;
	const struct live_table *from_table;
	const struct lb_vip *to; /* NULL: nobody */
	const struct live_pool *to_live;
	const struct live_table *to_table; /* NULL: one that is new, whose slots are SETTLED */
	bool along; /* slots go along (move.c): the same address is the same owner */
	/* Not all where the other is safe, or told of: flows by address, or connections that follow
	 * server ids. */
	enum { RISK_ALL, RISK_FLOWS, RISK_QUIC } of;
	const char *reason;
	bool name_from; /* entries say whose backends they are: not the VIP's that they stand at */
};

/* The reason where a VIP leads no flow elsewhere, but QUIC connections. */
#define RISK_ID_NOT_READ "its VIP stops following its server id while QUIC connections follow it"

/* New references; NULL without memory. A backend that has never had a packet has no flow to lose. */
json_t *risk_of_change(struct service *service, const struct plan_pool *plan,
		       const struct live_pool *before, const struct live_pool *next);
/* *moved: how many slots of `from`, of backends that have had packets, lose their flows. */
json_t *risk_of_handover(struct service *service, const struct risk_handover *handover,
			 uint32_t *moved);

#endif
