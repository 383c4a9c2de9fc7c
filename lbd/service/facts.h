/* SPDX-License-Identifier: BSD-2-Clause */
/* What is there to be counted and measured of the live service? Numbers, where report.c has JSON: for whoever reads all of
 * 20,000 backends every few seconds. */
#ifndef LB_SERVICE_FACTS_H
#define LB_SERVICE_FACTS_H

#include "../health/state.h"
#include "service.h"

/* How long checks took, by upper bounds (check_times_us); what takes longer is in one bucket more. */
#define CHECK_TIME_COUNT 13

/* Of the health checks of a pool, since it came into force or lbd started. */
struct check_counts {
	uint64_t successes, failures, not_made;
	uint64_t healthy, unhealthy; /* how often a backend has become so */
	uint64_t took[CHECK_TIME_COUNT + 1];
	uint64_t took_us; /* all that have been made together */
};

extern const uint32_t check_times_us[CHECK_TIME_COUNT];

struct backend_facts {
	const struct lb_addr *address; /* the document's */
	uint32_t weight;               /* in the document */
	uint32_t share;                /* the weight that counts for new flows now */
	bool drain, waiting, reserve, reachable;
	enum health_status
		health; /* of a pool with a check; unknown too before its watch is there */
	uint32_t slots, recorded_flows;
	struct lb_counter traffic;
	bool quic;             /* it has a server id, */
	uint64_t quic_packets; /* which so many packets have followed */
	bool losses;           /* it has said what it lost: */
	uint64_t lost;         /* so many packets */
};

/* Of a pool, named or a VIP's own. It has a table for each class of VIPs: slots are those of all. */
struct pool_facts {
	uint32_t settled, moving, tracked;
	uint64_t forgotten;         /* owners of slots, as in slots.h */
	uint32_t last;              /* the last group of backends that is used */
	struct check_counts checks; /* all 0 without a check */
	uint64_t digest;            /* of its table */
	struct backend_facts *backends;
	size_t backend_count;
};

struct service_facts {
	uint32_t vips, members, slots; /* in use */
	uint64_t recorded, room;       /* of the flow table */
	uint64_t flow_counts[LB_FLOW_COUNT_COUNT];
	uint64_t quic_counts[LB_QUIC_COUNT_COUNT];
	bool quic_keys_behind; /* see quic_keys.h */
	uint64_t digest;
	bool unconfirmed, save_failed, revert_failed;
	size_t agreed_nodes, dissents; /* of the health of a tier (agree.h) */
	uint64_t agreed_changes;
};

void service_facts(struct service *service, struct service_facts *out);
/* Pools that VIPs lead to, by place; and the place of a VIP's. The document must be held. */
size_t service_pool_count(const struct service *service);
const struct lb_pool *service_pool_at(const struct service *service, size_t place);
size_t service_pool_place(const struct service *service, const struct lb_vip *vip);
/* Yields. 0, or -ENOMEM with nothing to clear. */
int service_pool_facts(struct service *service, size_t place, struct pool_facts *out);
void pool_facts_clear(struct pool_facts *facts);
/* What the SYN guard has met of a VIP, and whether it answers now; false: the VIP has none. */
bool service_vip_syns(struct service *service, const struct lb_vip *vip, struct lb_guard_syns *out,
		      bool *answers);
/* Packets beyond the rates of a VIP, by rule; false: it has none, or they are not in force. */
bool service_vip_rates(struct service *service, const struct lb_vip *vip,
		       struct lb_rates_over *out);
/* Packets to a VIP; false: lbd.json does not have them counted. */
bool service_vip_traffic(struct service *service, const struct lb_vip *vip, struct lb_counter *out);

#endif
