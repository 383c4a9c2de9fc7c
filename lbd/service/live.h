/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the files of this room share? The document in force, beside what it became in the data
 * plane. */
#ifndef LB_SERVICE_LIVE_H
#define LB_SERVICE_LIVE_H

#include "../health/health.h"
#include "../health/losses.h"
#include "../host/worker.h"
#include "agree.h"
#include "../plane/members.h"
#include "chore.h"
#include "facts.h"
#include "../plane/numbers.h"
#include "pools.h"
#include "service.h"
#include "../plane/slots.h"
#include "spill.h"
#include "standing.h"
#include "../host/state.h"
#include "../host/timers.h"
#include "../plane/sweep.h"
#include "../table/table.h"
#include "../health/tunnels.h"

#define LIVE_NO_POOL UINT32_MAX
#define TABLE_LEFT 2 /* lb_pools has room for so many beside the pool of now */

/* The slots of those VIPs of a pool that are of one class, or of some that came from another pool
 * together (move.c). It stays where it is: the sweep, and VIPs point to it. */
struct live_table {
	struct slots slots; /* the first: what points to it finds the rest */
	uint32_t start;     /* of its slots, among all */
	enum pool_class class;
	/* Numbers of pools that its VIPs have left, and may have flows in; the last one first, then
	 * LIVE_NO_POOL. By the change under way: what it will be. */
	uint32_t left[TABLE_LEFT], left_next[TABLE_LEFT];
	/* By the change under way: VIPs that stay with it; whether the change has made it, takes it to
	 * another pool or fills it from there, and keeps it. */
	uint32_t users;
	bool fresh, taken, kept;
	/* By APPLY_SETTLE: nothing of those pools is left; its VIPs come to have the pool's own slots. */
	bool clear, joins;
};

/* A pool in the data plane. Its backends stand in the order of the document's (by address). */
struct live_pool {
	uint32_t number;
	struct live_table *tables[POOL_CLASSES]; /* NULL: no VIP is of that class */
	struct live_table **arrivals; /* of VIPs that came from other pools not long ago */
	size_t arrival_count;
	/* What words of its members are of: all these, and those of VIPs that have left it. Stays where
	 * it is. */
	struct sweep_tables *swept;
	size_t swept_count;            /* room for so many */
	struct table *table;           /* who owns which slot of each of its tables */
	struct table_member *backends; /* weights are those that count now (standing_weigh) */
	size_t backend_count;
	struct health_standing *standings; /* of the backends */
	uint32_t arriving;                 /* how many of them are (standing.h) */
	uint32_t
		empty_at_s; /* when it came into force without backends; 0: with some, or unknown */
	struct standing_use use; /* what standing_weigh said */
	/* The groups up to use.last are kept until then, although fewer are needed by now; by the
	 * monotonic clock; 0: not so. */
	int64_t kept_until_ms;
	bool reweigh;            /* a standing has changed since */
	bool led;                /* somebody brings the slots to their owners, over several turns */
	bool told_all_unhealthy; /* and not yet that this has ended */
	bool unwatched;          /* a check of a backend could not be set up */
	/* Every check began anew; until then their first results are acted upon together. By the
	 * monotonic clock; 0: not so. */
	int64_t round_ends_ms;
	int64_t ways_by_ms; /* arriving backends that are used keep their share until then */
};

/* A VIP in the data plane. */
struct live_vip {
	uint32_t number;
	uint32_t pool; /* where its pool is among the live ones */
	struct live_table *table;
	uint64_t digest; /* of the VIP in the document */
	bool adopted;    /* an earlier lbd made its entry, which may say something else */
};

/* What is known of a member's checks. */
struct health_check {
	struct service *service;
	struct health_watch *watch; /* NULL: it is not checked, or not yet */
	int64_t begin_by_ms;        /* not yet: at the latest then; 0: not so */
	uint32_t place;             /* among the backends of its VIP, not long ago */
	struct quorum others;       /* what other nodes see */
	enum health_status counts;  /* what was acted upon last (agree_state) */
	int64_t counts_wall_ms;     /* since when */
	int64_t dissent_ms;         /* since when this node sees something else; 0: it does not */
	bool dissents;              /* for long */
};

#define FAULT_TEXT 256

/* A backend that is probed at present (probe_once.c). */
struct probing {
	LIST_ENTRY(probing) entry;
	struct lb_addr backend;
	bool tunnel;               /* it goes through it */
	enum pmtu_refusal refusal; /* what the backend has sent */
};

/* What had followed a member's QUIC server id when it was last looked at, and since when that is all. */
struct quic_rest {
	uint64_t packets;
	uint32_t since_s; /* by the monotonic clock */
};

/* Slots that some entry may lead to still, though it should not. */
struct stale_slots {
	uint32_t start, size; /* 0: there are none */
};

struct receipts;

struct service {
	const struct config *config;
	struct plane plane;
	const struct disk *disk;
	struct timers timers;
	struct members *members;
	struct numbers *vip_numbers;
	struct ranges *slot_ranges;
	struct numbers *pool_numbers;
	struct lb_service *document;
	struct pools pools;           /* of the document */
	struct live_vip *live;        /* live[i] is document->vips[i] */
	struct live_pool *live_pools; /* live_pools[i] is pools.refs[i] */
	uint32_t *pool_at;            /* by pool number: where it is, should it be in force */
	uint64_t digest;              /* of the document */
	uint32_t backend_count;       /* over all pools */
	uint32_t readers;             /* service_hold */
	uint32_t keepers;             /* live_hold */
	bool swapping;                /* a change waits for both */
	bool changing;                /* entries may be those of the next document */
	/* NULL: in the loop. Changes are made by `changes` alone, so the document in force, which is
	 * never edited, may be read there without a turn; elsewhere while it is held. */
	struct worker *changes, *upkeep;

	struct sweep *sweep;
	struct chore release; /* pending for a moment after owners have changed */
	struct chore tick;    /* pending while the flow table may hold a word */
	struct chore drains;  /* pending after a change */
	struct chore settle;  /* pending when VIPs have nothing left in pools that they have left */
	bool flows_possible;  /* false: no slot is unsettled and no word is left */
	bool moved_in_pass; /* a slot was MOVING at some time since this pass of the sweep began */

	struct state_kept kept;     /* on disk; for who saves */
	struct chore save_whole;    /* pending while the journal is long */
	struct state_revert revert; /* with a document: the one in force waits to be confirmed */
	uint32_t revert_at_s;       /* the same moment by clock_now_s */
	struct chore revert_timer;
	char revert_fault[FAULT_TEXT]; /* why it could not be gone back to yet */
	char save_fault[FAULT_TEXT];   /* of the last save of a document; "": none */

	struct lb_guard_vip (*guard)(const void *user, const struct lb_endpoint *vip);
	const void *guard_user;
	bool *listed; /* by VIP number: has a rule of lists */
	struct exec_rights exec_rights;
	struct health *health;
	struct health_check *checks;       /* by member number */
	struct check_counts *check_counts; /* by pool number */
	struct chore reweigh_timer;        /* pending while a VIP is to be weighed again */
	int64_t reweigh_at_ms;             /* when, by the monotonic clock */
	int64_t reweigh_after_ms;          /* not before */
	struct chore retry_timer;          /* pending while a check could not be set up */
	struct chore ways_timer;           /* pending when a next hop was resolved */
	struct agreement agreement;
	struct tunnels *tunnels;
	LIST_HEAD(, probing) probings; /* under way */

	bool entries_wrong;             /* entry_repair has to follow */
	struct stale_slots stale_slots; /* until it has */
	bool repairing; /* by the clock: a change waits, whose entries are not in the document yet */

	struct slots_census census;      /* all 0 but while one pool is counted, in one turn */
	struct slots_census risk_census; /* the same of a change, in several */

	struct rates *rates;
	struct syn_guard *syn_guard;
	struct syn_ready *syn_ready;
	/* By VIP number: has rules of it, which a VIP keeps for a while after it is switched off. */
	bool *syn_opens;
	struct stage *quic_stage;
	struct quic_keys *quic_keys;
	struct quic_ring *quic_ring;
	struct quic_rest *quic_rests; /* by member number */
	bool quic_waits; /* a backend drains, and packets followed its id not long ago */

	struct losses *losses;
	struct receipts *receipts;

	struct events *events;
	uint64_t drained[(LB_NONE + 1) / 64]; /* bit n: member n was drained when last looked at */
};

/* place.c: beyond limits.vips as far as there are numbers, since a change adds before it removes. */
uint32_t place_numbers(const struct config *config);
uint32_t place_pool_numbers(const struct config *config);

/* clock.c: what happens as time passes. */
int clock_open(struct service *service, struct lb_err *err);
void clock_close(struct service *service);
/* Slots are MOVING, or members are gone while flows may be on record as theirs. */
void clock_start(struct service *service);
/* After a change of slots: transitions of UDP VIPs end early where they would send new flows to who
 * takes none. */
void clock_hasten_datagrams(const struct service *service, const struct lb_pool *pool,
			    const struct live_pool *live);
int64_t clock_now_ms(const struct service *service);
uint32_t clock_now_s(const struct service *service);
uint32_t clock_now_units(const struct service *service); /* of flow words */

/* live.c: `live_pools` has changed: where each is. */
void live_index(struct service *service);
/* live.c: the pools that flows of a VIP may be on record in (lb_pools). */
void live_set_pools(struct service *service, const struct live_vip *live, uint64_t pools);
/* live.c: its own one, and those that VIPs of one table have left. */
uint64_t live_pools_word(uint32_t pool, const uint32_t left[TABLE_LEFT]);
/* live.c: where the pool of this number is among those in force; false: it is not. */
bool live_find_pool(const struct service *service, uint32_t number, size_t *place);
/* live.c: what a VIP of the document in force became. */
const struct live_vip *live_of(const struct service *service, const struct lb_vip *vip);
const struct live_pool *live_pool_of(const struct service *service, const struct lb_vip *vip);

/* apply.c: makes a change although another one waits to be confirmed. On disk `revert` (NULL:
 * nothing) is what the next document goes back to. */
int apply_now(struct service *service, struct lb_service *next, const struct apply_options *options,
	      const struct state_revert *revert, json_t **change, struct lb_err *err);
/* apply.c: what the document itself may not ask for; how many backends it has. */
int apply_check(const struct service *service, const struct lb_service *document,
		uint32_t *backend_count, struct lb_err *err);
/* live.c: the tables of a pool, by place: those of each class, then arrivals; NULL: there is none. */
size_t live_tables(const struct live_pool *live);
struct live_table *live_table(const struct live_pool *live, size_t place);
/* live.c: whether VIPs of the table have flows in pools that they have left. */
bool live_has_left(const struct live_table *table);
/* live.c: the same, or their slots are to be given up for the pool's own. */
bool live_is_moving(const struct live_table *table);
/* live.c: who has which slot of the pool's own tables. */
struct slots_owners live_owners(const struct lb_pool *pool, const struct live_pool *live);
/* live.c: tables that are given up for one of another size, once more of their flows are on record. */
void live_follow_due(const struct lb_pool *pool, const struct live_pool *live, uint32_t now_s);
/* live.c: whether its VIPs may have the pool's own slots instead; it has left no pool. */
bool live_may_join(const struct live_pool *live, const struct live_table *table);

/* lead.c: the flags of the members of a pool, and how the sweep takes their words. */
void lead_members(struct service *service, const struct pool_ref *ref,
		  const struct live_pool *live);
/* lead.c: packets follow what `live` has become: flags of its members, and slots. `gone` as in
 * slots_change. */
void lead_packets(struct service *service, const struct pool_ref *ref, const struct live_pool *live,
		  const uint64_t *gone);

/* live.c: the backend at `address` in the pool as it is, or NULL; `live` may be NULL. Both lists
 * are sorted by address; *from moves on. */
const struct table_member *live_find(const struct live_pool *live, size_t *from,
				     const struct lb_addr *address);

/* live.c: as service_hold, for upkeep. A change that comes into force waits for readers; upkeep goes
 * on meanwhile, since that may take long. */
void live_hold(struct service *service);
void live_let_go(struct service *service);
/* live.c: nothing leads to these slots. */
void live_free_slots(struct service *service, uint32_t start, uint32_t size);
/* live.c: frees all but its tables. */
void live_clear(struct live_pool *live);
/* live.c: of the slots of all its tables: how many are MOVING, and whether flows recorded in a
 * transition may not be counted yet. */
uint32_t live_moving(const struct live_pool *live);
bool live_unswept(const struct live_pool *live);
/* live.c: the slots of all its tables, by member number (slots_count, slots_uncount). */
void live_count(const struct live_pool *live, struct slots_census *census);
void live_uncount(const struct live_pool *live, struct slots_census *census);
/* live.c: what is in service of the groups that are used. */
void live_spill(const struct lb_pool *pool, const struct live_pool *live, struct spill *out);
/* live.c: whether a backend that drains has ended: its slots have left it for good (none of them
 * leads to it while it is MOVING), no flow is on record as its own, and it has no QUIC connections. */
bool live_is_drained(const struct service *service, const struct lb_pool *pool,
		     const struct live_pool *live, size_t i, uint32_t leaving);
/* live.c: whether the member has had a packet since it is there, or may have had one. */
bool live_had_packets(const struct service *service, uint16_t number);

/* --- quic.c --- */
int quic_open(struct service *service, struct lb_err *err);
void quic_close(struct service *service);
/* As rates.h has them. */
int quic_prepare(struct service *service, const struct lb_service *document, bool given,
		 bool dry_run, struct lb_err *err);
void quic_follow(struct service *service);
void quic_warnings(const struct service *service, json_t *warnings);
/* Whether a backend with a server id does: the clock must look when it has ended. */
bool quic_drains(const struct service *service);
/* Packets that have followed the member's server id since it is there. */
uint64_t quic_packets(const struct service *service, uint16_t number);
/* Notes them: for a member that drains, now and then. */
void quic_look(struct service *service, uint16_t number);
bool quic_has_connections(const struct service *service, const struct lb_pool *pool,
			  uint16_t number);

/* --- keep.c: the document to disk; status warns of what fails until a save succeeds --- */
int keep_open(struct service *service, struct lb_err *err);
void keep_close(struct service *service);
int keep_save(struct service *service, const struct state_save *save, struct lb_err *err);
/* Keeps why lbd could not do its own work, for status, and tells it when it is another
 * reason than before; "": it could. */
void fault_keep(const struct service *service, char kept[FAULT_TEXT], const char *what,
		const char *reason);
/* All of the document in force, and nothing that it goes back to. */
int keep_whole(struct service *service, struct lb_err *err);

/* --- weigh.c: tables follow the standings of backends --- */
#define WEIGH_GATHER_MS 5 /* what comes within so long comes together */
int weigh_open(struct service *service, struct lb_err *err);
void weigh_close(struct service *service);
#define WEIGH_AT_ONCE INT64_MAX
/* The table of `live` for the weights that its backends have by now; nothing leads to it yet. 0 or
 * -ENOMEM, with nothing changed. WEIGH_AT_ONCE, not a time: groups that are needed no more are not
 * kept. */
int weigh_again(const struct lb_pool *pool, struct live_pool *live, int64_t now_ms);
/* Pools that are marked (live_pool.reweigh) are weighed again, and packets led by that. */
void weigh_within(struct service *service, int64_t delay_ms);
/* The same, soon, if there is one. */
void weigh_marked(struct service *service);

/* --- checks.c: what the health of backends does to the live service --- */
int checks_open(struct service *service, const struct service_options *from, struct lb_err *err);
void checks_close(struct service *service);
/* Whether lbd.json allows the checks of `next` that the present document does not have. */
int checks_allowed(const struct service *service, const struct lb_service *next,
		   struct lb_err *err);
/* Before a change: what it needs of the machine, or an error. */
int checks_prepare(struct service *service, const struct lb_service *next, struct lb_err *err);
/* After it, or when it was given up: what only the other document needed ends. */
void checks_settle(struct service *service);
/* Standings and weights of next->backends, whose numbers are set, into `next`. `before` may be
 * NULL. 0 or -ENOMEM. */
int checks_weigh(const struct lb_pool *pool, const struct live_pool *before,
		 struct live_pool *next);
/* Takes the standings that have changed in `before` since into `next`; false: none has. */
bool checks_merge(const struct lb_pool *pool, const struct live_pool *before,
		  struct live_pool *next);
/* Backends are checked as the pool, which is in force now, says; `anew`: by another check than before. */
void checks_follow(struct service *service, const struct pool_ref *ref, struct live_pool *live,
		   bool anew);
/* Whether backends are asked the same, at the same address and port. */
bool checks_same(const struct pool_ref *a, const struct pool_ref *b);
/* The member ends, or is checked no more. */
void checks_drop(struct service *service, uint16_t number);
/* What counts of a backend's health may have changed: acts upon it. Both by place. */
void checks_take(struct service *service, size_t pool, size_t backend);

/* --- arrive.c: when backends that were added begin to serve --- */
int arrive_open(struct service *service, struct lb_err *err);
void arrive_close(struct service *service);
/* The standings of `next` with all that is new ready to serve, into presumed[]. */
void arrive_presume(const struct lb_pool *pool, const struct live_pool *before,
		    const struct live_pool *next, struct health_standing *presumed);
/* Once the ways to new members are followed: the table of `next` without those that must wait. 0 or
 * -ENOMEM. */
int arrive_hold(struct service *service, const struct lb_pool *pool, const struct live_pool *before,
		struct live_pool *next);
/* `live` is in force now. */
void arrive_follow(struct service *service, const struct live_pool *live);
/* What the backend waits for, a new reference; NULL: it does not wait. */
json_t *arrive_until(const struct service *service, const struct lb_pool *pool,
		     const struct live_pool *live, size_t i);
/* CHANGE.waiting; NULL when no backend waits. */
json_t *arrive_waiting(const struct service *service, const struct lb_pool *pool,
		       const struct live_pool *live);
/* CHANGE.serving, of those that are added; NULL when none takes new flows before it is ready. */
json_t *arrive_serving(const struct lb_pool *pool, const struct live_pool *before,
		       const struct live_pool *next);
/* In a dry run, instead of arrive_hold: who takes new flows while no way to a new backend is known. For
 * the two above; service is NULL then. 0 or -ENOMEM. */
int arrive_foretell(const struct lb_pool *pool, const struct live_pool *before,
		    struct live_pool *next);
/* Adds sentences to status.warnings. */
void arrive_warnings(const struct service *service, json_t *warnings);

/* A warning of what is in force, and of a change that comes to it; of lb_pool_word and a name. */
#define LB_POOL_TAKES_NONE "no backend of %s %s takes new flows: each is draining or has weight 0"

/* health_report.c: BACKEND-STATE.health; NULL when the pool has no check. */
json_t *backend_health(const struct service *service, const struct lb_pool *pool,
		       const struct live_pool *live, size_t i);
/* Of the backends that have a weight and do not drain: how many there are, and how many of them are
 * in which state; those that are not checked are healthy. */
struct health_shares {
	size_t all, healthy, unhealthy;
};
struct health_shares health_shares(const struct service *service, const struct lb_pool *pool,
				   const struct live_pool *live);

/* Adds sentences to status.warnings. */
void health_warnings(const struct service *service, json_t *warnings);

/* confirm.c: changes that go back by themselves. */
int confirm_open(struct service *service, struct lb_err *err);
void confirm_close(struct service *service);
/* A change waited when an earlier lbd ended: goes on waiting, or goes back now. Takes over
 * revert->document. */
void confirm_restore(struct service *service, const struct state_revert *revert);
/* An error while a change waits. What is wrong with `next` whatever is in force comes first. */
int confirm_check(const struct service *service, const struct lb_service *next, struct lb_err *err);
/* service_apply with options->confirm_s. */
int confirm_apply(struct service *service, struct lb_service *next,
		  const struct apply_options *options, json_t **change, struct lb_err *err);

/* tell.c: tells of backends that have become drained since it was last asked, unless
 * `quietly`. */
void tell_drained(struct service *service, bool quietly);
/* tell_drained, soon. */
void tell_drained_soon(struct service *service);
int tell_open(struct service *service, struct lb_err *err);
/* After the pool was weighed again: tells of backends that serve for the first time. */
void tell_serving(const struct service *service, const struct lb_pool *pool,
		  struct live_pool *live);
/* Tells when other groups than those up to `last` are used. */
void tell_spill(const struct service *service, const struct lb_pool *pool,
		const struct live_pool *live, uint32_t last);
/* Tells when every backend of the pool has become unhealthy, and when that has ended. */
void tell_unhealthy(struct service *service, const struct lb_pool *pool, struct live_pool *live);

/* --- receipt.c: what backends have lost since a change, beside what it was said to break --- */
int receipt_open(struct service *service, const struct service_options *from, struct lb_err *err);
void receipt_close(struct service *service);
/* Packets are about to follow what the pool `before` is to become. */
void receipt_begin(struct service *service, const struct lb_pool *pool,
		   const struct live_pool *before);
/* The pool goes, and nothing is told of it. */
void receipt_drop(struct service *service, const struct live_pool *before);
/* They do. `at_risk`: as in CHANGE; may be NULL. */
void receipt_follow(struct service *service, const struct lb_pool *pool,
		    const struct live_pool *next, const json_t *at_risk);

/* adopt.c. Refuses where the maps have VIPs and the document on disk is missing: weights,
 * names and checks are nowhere else, and a start without them would end those VIPs. */
int adopt_check_lost(const struct service *service, struct lb_err *err);
/* Makes what an earlier lbd has left in the maps the document in force. `kept`: the one from the
 * disk. */
int adopt_left(struct service *service, const struct lb_service *kept, struct lb_err *err);

#endif
