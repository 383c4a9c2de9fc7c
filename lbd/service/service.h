/* SPDX-License-Identifier: BSD-2-Clause */
/* The live service: the document in force and what it means in the data plane. Every change goes
 * through service_apply: given a whole new document it validates limits, writes the document to
 * disk, plans, and edits the data plane; or refuses and changes nothing. */
#ifndef LB_SERVICE_H
#define LB_SERVICE_H

#include <jansson.h>
#include "../api/model.h"
#include "../host/config.h"
#include "../host/state.h"
#include "../host/timers.h"
#include "../plane/plane.h"
#include "../route/nexthop.h"
#include "../route/pmtu.h"

struct event_base;
struct worker;
struct events;
struct links_table;
struct turns;
struct service;

/* What it stands on. */
struct service_options {
	const struct config *config;
	struct plane plane;
	const struct disk *disk;
	struct timers timers;
	struct event_base *base; /* of what lies beside it: next hops, health checks */
	struct links_table *links;
	struct events *events; /* may be NULL */
	struct turns *turns;   /* of the loop; may be NULL */
	/* What a VIP has of the guard's rules (lists). NULL: nothing. */
	struct lb_guard_vip (*guard)(const void *user, const struct lb_endpoint *vip);
	const void *guard_user;
};

/* Restores the document kept in the state directory, if there is one. */
int service_open(const struct service_options *options, struct service **out, struct lb_err *err);
/* lbd ends, and its workers have: leaves a file that an lbd from before can read, where that is
 * possible. `service` may be NULL. */
void service_end(struct service *service);
void service_close(struct service *service);

/* The backend has refused an outer packet, so tunnel checks of it fail for that reason. */
void service_refused(struct service *service, const struct lb_addr *backend,
		     enum pmtu_refusal refusal);
/* A router has told the MTU of the way to a backend (pmtu.h). */
void service_path_mtu(struct service *service, const struct pmtu_news *news);

/* The document in force. Borrowed; gone after the next change. To change it: copy, edit, apply. */
const struct lb_service *service_document(const struct service *service);

struct apply_options {
	bool dry_run;             /* change nothing; *change says what would be */
	bool force;               /* even if connections break */
	double max_moved_percent; /* of the slots of any VIP */
	uint32_t confirm_s;       /* revert after so long, unless confirmed; 0: for good */
};

#define SERVICE_CONFIRM_MAX_S 86400

/* From now on changes are made by `changes` (service_apply, _confirm and _revert are called on its
 * thread only), and what time brings by `upkeep`. */
void service_work(struct service *service, struct worker *changes, struct worker *upkeep);

/* What `guard` gives is something else now. */
void service_guard(struct service *service);

/* For who reads the document in force, or what it became, in several turns: no other comes into
 * force until it is let go. What a VIP has by health (weights, its table) may change. */
void service_hold(struct service *service);
void service_let_go(struct service *service);

/* Takes over `next` in every case. *change: the CHANGE object of docs/protocol.md, a new reference.
 * While a change waits to be confirmed, no other is made. */
int service_apply(struct service *service, struct lb_service *next,
		  const struct apply_options *options, json_t **change, struct lb_err *err);

/* Keeps the change that waits, or takes it back at once; to tell of it is the caller's. */
int service_confirm(struct service *service, struct lb_err *err);
int service_revert(struct service *service, json_t **change, struct lb_err *err);
/* status.unconfirmed, a new reference, or NULL when nothing waits; and why a change that should
 * have been taken back could not be yet, or "". */
json_t *service_unconfirmed(const struct service *service);
const char *service_revert_fault(const struct service *service);
/* Why the last save of a document failed, or "". */
const char *service_save_fault(const struct service *service);

/* Checks the backend once, as the pool's check would, in a pool or not. `vip` is one of the pool's.
 * Takes as long as the check, without the turn; one at a time. *result: the PROBE object of
 * docs/protocol.md. */
int service_probe(struct service *service, const struct lb_vip *vip, const struct lb_addr *backend,
		  json_t **result, struct lb_err *err);

/* The digest of the document in force (document_digest.h), and as text for JSON, a new reference. */
uint64_t service_digest_value(const struct service *service);
json_t *service_digest(const struct service *service);

/* The VIP in force that has this number in the data plane, or NULL. Borrowed. */
const struct lb_vip *service_vip_numbered(const struct service *service, uint32_t number);
/* The numbers there of a VIP, and of a pool of the document in force; LB_NO_POOL: no VIP uses it. */
#define LB_NO_POOL LB_POOL_NUMBERS_MAX
uint32_t service_vip_number(const struct service *service, const struct lb_vip *vip);
uint32_t service_pool_number(const struct service *service, const struct lb_pool *pool);

/* Objects of docs/protocol.md; new references. */
json_t *service_vip_state(struct service *service, const struct lb_vip *vip); /* VIP-STATE */
/* POOL-STATE, without its VIPs. Of a named pool; one that no VIP uses has no more than settings. */
json_t *service_pool_state(struct service *service, const struct lb_pool *pool);
json_t *service_backend_states(struct service *service, const struct lb_vip *vip);
/* The weights that count for new flows in a pool of any document, into weights[pool->backend_count], by what is
 * known of the backends that are in `in_force` by now, a pool of the document in force or NULL. Others are taken
 * to be there and healthy. 0 or -ENOMEM. */
int service_presume_weights(const struct service *service, const struct lb_pool *in_force,
			    const struct lb_pool *pool, uint32_t *weights);
/* Whether a member is of a group that gets no new flows, as those before it suffice. */
bool service_in_reserve(const struct service *service, uint16_t number);
/* POOL-STATE.left_by */
json_t *service_pool_left(struct service *service, const struct lb_pool *pool);
json_t *service_vip_stats(struct service *service,
			  const struct lb_vip *vip); /* an entry of stats.vips */
json_t *service_limits(struct service *service);     /* status.limits */
/* A sentence where few more tables of the pool's size have room; NULL: plenty have. */
json_t *service_slots_warning(const struct service *service, const struct lb_pool *pool);
/* The file of the SYN guard's secret has changed: it is read again, soon. */
void service_guard_secret(struct service *service);
/* GUARD.secret; NULL: lbd.json names no file. */
json_t *service_guard_secret_state(const struct service *service);
/* GUARD-VIP, without its lists; one without SYN guard and rates has its name and address alone. */
json_t *service_vip_guard(struct service *service, const struct lb_vip *vip);
/* The same of keys of QUIC connection ids. */
void service_quic_keys(struct service *service);
bool service_has_quic_keys(const struct service *service);
json_t *service_quic(struct service *service);       /* NULL: no VIP has ids that name servers */
json_t *service_flow_table(struct service *service); /* status.flow_table */
json_t *service_next_hops(struct service *service);  /* status.next_hops */
json_t *service_unroutable(struct service *service); /* status.unroutable */
json_t *service_health(struct service *service);     /* status.health */
/* What this node sees of the backends, for other nodes: {"mark":N, "healthy":KEYS, "unhealthy":KEYS},
 * or the mark alone, where it is `known`. The document must be held, here and below. */
int service_health_view(struct service *service, int64_t known, json_t **result,
			struct lb_err *err);
/* What others see (agree.h) counts for so long; `views` NULL: what was brought last. */
int service_health_agree(struct service *service, const json_t *views, int64_t valid_ms,
			 struct lb_err *err);
/* How many others are agreed with; 0: this node goes by itself. */
size_t service_health_nodes(const struct service *service);
/* Adds sentences to status.warnings. */
void service_health_warnings(struct service *service, json_t *warnings);

#endif
