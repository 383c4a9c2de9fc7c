/* SPDX-License-Identifier: BSD-2-Clause */
/* What is balanced: the service document. It has the same shape in files, on the socket and in
 * `lbctl --json`.
 *
 *   {"pools": [{"name": "proxies", "backends": [{"address": "10.0.0.9"}]}],
 *    "vips": [{"address": "192.0.2.11:443/tcp", "pool": "proxies"},
 *             {"name": "web",
 *              "address": "192.0.2.10:443/tcp",
 *              "table": "rendezvous",
 *              "table_size": 65537,
 *              "encap": "ipip",
 *              "hash": "5-tuple",
 *              "fragments": "track",
 *              "health": {"type": "tcp"},
 *              "backends": [{"address": "10.0.0.2", "weight": 10}]}]}
 *
 * Only addresses are required. Left out, name is the address, weight is 1, health is no check
 * (health.h), and the others are as shown.
 *
 * Parsing is strict: an unknown field, a wrong type, a value out of range, a duplicate or a null is
 * an error that carries the JSON path. A document may carry the "digest" of the one that it was made
 * from; it is ignored here. Nothing here does I/O or depends on what the node can do (limits are
 * lbd's).
 */
#ifndef LB_MODEL_H
#define LB_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "addr.h"
#include "err.h"
#include "health.h"
#include "quic.h"
#include "rate.h"
#include "schema.h"

#define LB_NAME_MAX 63 /* characters of a name: letters, digits, '.', '_', '-'; first a letter */
#define LB_POOLS_MAX 4096u   /* of a service, those of VIPs' own apart */
#define LB_WEIGHT_MAX 10000u /* 0: takes no new flows */
#define LB_WEIGHT_DEFAULT 1u
#define LB_PRIORITIES 16u /* groups of backends that a pool may have */
#define LB_SPILL_PERCENT 50u
#define LB_SPILL_HOLD_S 30u
#define LB_SPILL_HOLD_MAX_S 3600u
#define LB_TRANSITION_TCP_S 900u
#define LB_TRANSITION_UDP_S 60u
#define LB_REMEMBER_S 3600u
#define LB_REMEMBER_MAX_S 86400u
#define LB_FLOW_IDLE_MAX_S 86400u /* the time in a flow word wraps after 39 hours */

enum lb_table_kind { LB_TABLE_RENDEZVOUS, LB_TABLE_MAGLEV };

/* How packets travel to the backends. */
enum lb_encap { LB_ENCAP_IPIP, LB_ENCAP_GUE };
/* What of a packet chooses its slot; source port: source address and destination port. */
enum lb_hash { LB_HASH_5TUPLE, LB_HASH_SOURCE, LB_HASH_SOURCE_PORT };
/* What becomes of IP fragments: later ones follow their first, or all go by addresses and protocol. */
enum lb_fragments { LB_FRAGMENTS_TRACK, LB_FRAGMENTS_3TUPLE, LB_FRAGMENTS_DROP };
/* Whether the program answers SYNs, with cookies that backends make connections from. */
/* When SYNs are answered: never, always, or while more of them come in a second than this. */
#define LB_SYN_GUARD_OFF 0u
#define LB_SYN_GUARD_AUTO_MAX 100000000u
#define LB_SYN_GUARD_ALWAYS UINT32_MAX

struct lb_backend {
	struct lb_addr address;
	uint32_t weight;
	uint32_t priority; /* its group; a later one is in reserve for those before it */
	struct lb_quic_server_id quic_server_id; /* in QUIC connection ids of its own */
	bool second_chance; /* passes on what it has no connection for (docs/deploy.md) */
	bool drain;         /* takes no new flows, whatever its weight, and keeps its old ones */
};

/* What becomes of the established flows of a backend that has become unhealthy. */
enum lb_on_unhealthy { LB_ON_UNHEALTHY_KEEP, LB_ON_UNHEALTHY_RESET };
/* Who takes new flows when no backend is healthy: all of them, or nobody. */
enum lb_when_all_unhealthy { LB_ALL_UNHEALTHY_USE_ALL, LB_ALL_UNHEALTHY_DROP };

#define LB_NAME_TEXT (LB_ENDPOINT_TEXT > LB_NAME_MAX ? LB_ENDPOINT_TEXT : LB_NAME_MAX + 1)

/* Who takes the flows of VIPs, and how they are shared out. */
struct lb_pool {
	char name[LB_NAME_TEXT]; /* the VIP's, of a pool of its own */
	bool named; /* it stands among the pools of the service; else it is a VIP's own */
	enum lb_table_kind table;
	uint32_t table_size; /* a prime, LB_TABLE_SIZE_MIN … LB_TABLE_SIZE_MAX (bpf/abi.h) */
	/* For how long a slot that has changed its owner is MOVING; and how long a recorded flow
	 * lives without a packet, which is no less. Seconds, 1 … LB_FLOW_IDLE_MAX_S. */
	uint32_t transition_s, flow_idle_s;
	uint32_t datagram_transition_s, datagram_flow_idle_s; /* the same for UDP, if it is named */
	/* For how long after a change the owners that slots had are remembered, where a backend has
	 * second_chance. */
	uint32_t remember_s;
	enum lb_encap encap;
	struct lb_backend *backends; /* sorted by address; owned */
	size_t backend_count;
	struct lb_health health; /* LB_HEALTH_NONE: its backends are not checked */
	enum lb_on_unhealthy on_unhealthy;
	enum lb_when_all_unhealthy when_all_unhealthy;
	/* A group is used while less than this share of the weight of those before it is in service,
	 * and until it has been again for the hold time. */
	uint32_t spill_percent, spill_hold_s;
};

struct lb_vip {
	char name[LB_NAME_TEXT];
	struct lb_endpoint endpoint;
	enum lb_hash hash;
	enum lb_fragments fragments;
	/* Whether nodes that announce VIPs announce its addresses, and only while so many of its
	 * backends are healthy; 0, and 0: whatever their health is. */
	bool announce;
	uint32_t announce_healthy, announce_share_percent;
	uint32_t syn_guard;          /* LB_SYN_GUARD_OFF, _ALWAYS, or auto: SYNs a second */
	struct lb_vip_rates rates;   /* how much may come */
	struct lb_quic_config *quic; /* sorted by rotation; owned; none: packets go by addresses */
	size_t quic_count;
	char pool_name[LB_NAME_TEXT]; /* "": it has a pool of its own */
	/* Its own, which it owns, or that of the service. Never NULL; read alone, a VIP that names
	 * a pool has an empty one until it is added to a service. */
	struct lb_pool *pool;
};

struct lb_service {
	struct lb_pool *pools; /* named; sorted by name; owned */
	size_t pool_count;
	struct lb_vip *vips; /* sorted by endpoint; owned */
	size_t vip_count;
	/* Of the documents that were published for a tier, which it is; 0: of none. And whether
	 * this node has changed something since. Neither is part of what the document says. */
	uint32_t revision;
	bool edited;
};

/* --- the fields there are, for schema_read and the like --- */
/* Of a VIP, editing raises the idle time to the transition, and lowers the timeout of a check to its
 * interval, unless they are given. Written, it has its name even where that is its own address. */
extern const struct schema lb_service_schema, lb_pool_schema, lb_vip_schema, lb_backend_schema;

/* --- whole documents --- */
struct lb_service *lb_service_new(void); /* empty; NULL without memory */
void lb_service_free(struct lb_service *service);
struct lb_service *lb_service_copy(const struct lb_service *service);
/* 0 and a new service in *out, or -EINVAL. */
int lb_service_from_json(const json_t *document, struct lb_service **out, struct lb_err *err);
/* VIPs and backends in their sorted order, every field written out but for a name that is the VIP's
 * own address, and for what concerns health where there is no check and nothing else was said. A
 * new reference; NULL without memory. */
json_t *lb_service_to_json(const struct lb_service *service);

/* Whether the document says the same of both: of a pool that has a name, only that. */
bool lb_vip_equal(const struct lb_vip *a, const struct lb_vip *b);
/* Every field but the backends; its pool's too. */
json_t *lb_vip_settings(const struct lb_vip *vip);
/* What the name is of, for sentences and as a field of events: "pool", or of a VIP's own "VIP" and
 * "vip". */
const char *lb_pool_word(const struct lb_pool *pool);
const char *lb_pool_field(const struct lb_pool *pool);
/* The weight that counts for new flows: 0 while it drains. */
uint32_t lb_backend_share(const struct lb_backend *backend);
/* Of a UDP VIP, 0 of others: for how many seconds a backend that takes no new flows any more still
 * gets every datagram that is on no record. New flows are among them; a flow of its own that is
 * silent for as long loses it. */
uint32_t lb_vip_learn_s(const struct lb_vip *vip);
/* For its class of protocol: those that say when a flow begins, or datagrams. */
uint32_t lb_vip_transition_s(const struct lb_vip *vip);
uint32_t lb_vip_flow_idle_s(const struct lb_vip *vip);
const char *lb_table_kind_name(enum lb_table_kind kind);
const char *lb_hash_name(enum lb_hash hash);
int lb_name_check(const char *text, struct lb_err *err); /* is this a valid explicit name? */

/* --- look-up: `reference` is a name or an endpoint's text in any spelling --- */
struct lb_vip *lb_service_find(const struct lb_service *service, const char *reference);
struct lb_vip *lb_service_find_endpoint(const struct lb_service *service,
					const struct lb_endpoint *endpoint);
/* Does any VIP want a thing? And any that has not wanted it `before`? */
typedef bool (*lb_vip_wants)(const struct lb_vip *vip);
bool lb_service_wants(const struct lb_service *service, lb_vip_wants wants);
bool lb_service_brings(const struct lb_service *service, const struct lb_service *before,
		       lb_vip_wants wants);
/* As above, but with an LB_ERR_NOT_FOUND error ("no VIP \"wbe\"", hint: did you mean "web"?). */
int lb_service_get(const struct lb_service *service, const char *reference, struct lb_vip **out,
		   struct lb_err *err);
/* Where the first VIP of just the endpoint's addresses stands, or would stand. */
size_t lb_service_first(const struct lb_service *service, const struct lb_endpoint *endpoint);
struct lb_backend *lb_pool_find_backend(const struct lb_pool *pool, const struct lb_addr *address);

/* --- pools that VIPs share --- */
struct lb_pool *lb_service_find_pool(const struct lb_service *service, const char *name);
/* As above, but with an LB_ERR_NOT_FOUND error. */
int lb_service_get_pool(const struct lb_service *service, const char *name, struct lb_pool **out,
			struct lb_err *err);
/* The pool of this name, or else that of the VIP that `reference` means. */
int lb_service_get_users_pool(const struct lb_service *service, const char *reference,
			      struct lb_pool **out, struct lb_err *err);
/* Whether a VIP can have this name and this pool; NULL: its address, one of its own. */
int lb_service_check_pool(const struct lb_service *service, const char *name, const char *pool,
			  struct lb_err *err);
/* Leads VIPs to the pools that they name, which are there. */
void lb_service_link(struct lb_service *service);
/* LB_ERR_PARAMS and the path of a VIP that the check of its pool does not fit: a check without a port
 * asks that of its VIPs, which must be one. */
int lb_service_check_health(const struct lb_service *service, struct lb_err *err);
/* Takes over what *pool owns on success (and empties it). LB_ERR_EXISTS when a pool, or a VIP with
 * a pool of its own, has the name. */
int lb_service_add_pool(struct lb_service *service, struct lb_pool *pool, struct lb_err *err);
/* LB_ERR_REFUSED while VIPs use it. */
int lb_service_del_pool(struct lb_service *service, const char *name, struct lb_err *err);

/* LB_ERR_PARAMS and the path of a backend that has the address of a VIP: packets for it would come
 * back to the balancer. */
int lb_service_check_backends(const struct lb_service *service, struct lb_err *err);

/* --- VIPs that are prefixes, or have a range of ports --- */
struct lb_wide_kinds {
	size_t count;           /* how many there are */
	bool host_bits[2][129]; /* IPv4, IPv6: some have so many */
};

struct lb_wide_kinds lb_service_wide_kinds(const struct lb_service *service);
/* Calls `each` for the ones that have all addresses, the protocol and some of the ports of the endpoint; the
 * longest prefix first. */
void lb_service_each_wide(const struct lb_service *service, const struct lb_wide_kinds *kinds,
			  const struct lb_endpoint *endpoint,
			  void (*each)(void *user, const struct lb_vip *vip), void *user);
/* A VIP that the address belongs to, or NULL. */
const struct lb_vip *lb_service_holder(const struct lb_service *service,
				       const struct lb_wide_kinds *kinds,
				       const struct lb_addr *address);
/* LB_ERR_LIMIT, LB_ERR_EXISTS or LB_ERR_PARAMS, and the path: there are too many of them, or for one address,
 * ranges overlap without one being within the other, or a prefix with ports has fragments by 3-tuple. */
int lb_service_check_wide(const struct lb_service *service, struct lb_err *err);

/* --- QUIC connection ids that name a server --- */
/* LB_ERR_EXISTS or LB_ERR_PARAMS, and the path: two backends of a pool have one server id, or one has
 * another length than a configuration of a VIP that leads there. */
int lb_service_check_quic(const struct lb_service *service, struct lb_err *err);
/* A server id for the backend, as long as the VIPs of its pool have them: the same wherever it is asked
 * for, unless another backend has that. */
struct lb_quic_server_id lb_service_quic_id(const struct lb_service *service,
					    const struct lb_pool *pool,
					    const struct lb_addr *address);

/* --- fragments without ports: at most one VIP of an address and a protocol can have them --- */
/* LB_ERR_EXISTS and the path of a VIP whose claim to them another one disputes. */
int lb_service_check_fragments(const struct lb_service *service, struct lb_err *err);
/* The VIP that fragments for this address and protocol are for as long as their ports are unknown:
 * the one for every port, or the one whose fragments go by 3-tuple. NULL: none. */
const struct lb_vip *lb_service_fragments_owner(const struct lb_service *service,
						const struct lb_endpoint *endpoint);

/* All of these checks, and how many pools there are: what is wrong with a document that can be read, whatever the
 * limits of lbd.json. */
int lb_service_check(const struct lb_service *service, struct lb_err *err);

/* --- edits, each whole or not at all; pointers into the service are invalid afterwards --- */
/* Takes over what *vip owns on success (and empties it). LB_ERR_EXISTS when name or endpoint is
 * taken. */
int lb_service_add_vip(struct lb_service *service, struct lb_vip *vip, struct lb_err *err);
/* Changes what `set` has. LB_ERR_EXISTS when the name is taken. */
int lb_service_set_vip(struct lb_service *service, struct lb_vip *vip, const json_t *set,
		       struct lb_err *err);
int lb_service_del_vip(struct lb_service *service, const char *reference, struct lb_err *err);
int lb_pool_add_backend(struct lb_pool *pool, const struct lb_backend *backend, struct lb_err *err);
int lb_pool_del_backend(struct lb_pool *pool, const struct lb_addr *address, struct lb_err *err);

#endif
