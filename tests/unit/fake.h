/* SPDX-License-Identifier: BSD-2-Clause */
/* lbd's live service over a data plane, a disk and a time in memory, with next hops and health
 * checks that do as they are told. What is between is the real code: service/, members, numbers,
 * slots, sweep, tables.
 *
 *	fake_open(vips, members, slots, buckets);    nothing is there yet
 *	fake_start(&err);                            fake.service runs
 *	fake_pass(seconds * FAKE_SECOND);            time passes, what is due is done
 *	fake_check();                                document, disk and plane say the same
 *	fake_stop();                                 the plane stays, as when lbd ends
 *	fake_close();
 */
#ifndef LB_FAKE_H
#define LB_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../lbd/service/entry.h"

#define FAKE_SECOND 1000000000ll
#define FAKE_ENTRIES 64

struct fake_entry {
	struct lb_endpoint endpoint;
	struct lb_vip_value value;
};

/* What the data plane of an lbd that has ended still says, with its disk. */
struct fake_left {
	struct fake_entry entries[FAKE_ENTRIES];
	size_t entry_count;
	uint32_t *slots, *pasts;
	uint64_t *vip_pools;
	struct lb_member *members;
	uint64_t *quic_vips;
	struct lb_quic_line *quic_ids;
	struct lb_service *document; /* NULL: no file */
	struct state_revert revert;
};

struct fake {
	struct service *service; /* NULL: lbd does not run */
	struct config config;
	struct plane plane;
	struct lb_guard_vip guard; /* what VIPs have of the guard's rules */
	uint16_t guard_port;       /* 0, or just those of this port */
	struct fake_left left;
	struct lb_counter *counters;     /* by member */
	struct lb_counter *vip_counters; /* by VIP number */
	uint64_t *quic_counters;         /* by member */
	int64_t now_ns, wall_ns; /* CLOCK_MONOTONIC, which began with this boot; and beyond it */
	uint32_t watched;        /* destinations */
	bool unresolved;         /* those watched from now on, until fake_resolve */
	enum health_status cookies;
	bool no_tunnel; /* every check through it cannot be made */
	struct events *events;
	uint32_t serve_events, spill_events, syn_events;
	char receipt[256];                   /* the last event of that kind, without its name */
	uint32_t moves_begun, moves_settled; /* events */

	void (*amid)(void); /* called once, while the document is written */

	/* Calls of plane, disk, next hops and checks that can fail, and allocations. */
	long calls, failing; /* how many there were; the one that fails, from 0 on; -1: none */
	bool goes_on;        /* so do all after it */
	long snapshot_at;    /* before this one `snapshot` is taken; -1: never */
	struct fake_left snapshot;
	bool slots_left;       /* of VIPs that were being removed or added then */
	bool allocations_fail; /* else they do not count as calls */
};

extern struct fake fake;

void fake_open(uint32_t vips, uint32_t members, uint32_t slots, uint32_t buckets);
void fake_close(void);
int fake_start(struct lb_err *err);
void fake_stop(void);
/* The next start makes a data plane of its own, as after --reset-flows or a boot. */
void fake_reset(void);

/* When the next timer is due, or INT64_MAX; and what is due by now. */
int64_t fake_due_ns(void);
void fake_run(void);
void fake_pass(int64_t ns);

/* Takes over what the plane and the disk said at the snapshot. lbd must not run. */
void fake_restore(void);

/* The next hops of all destinations become known. */
void fake_resolve(void);
void fake_resolve_one(const struct lb_addr *address); /* that of one */

/* Every check of a backend, or of all (NULL), gives this result. */
void fake_health(const struct lb_addr *backend, enum health_status status);
/* What is known by asking the backend, or all (NULL), for connections from cookies. Those that are asked later
 * begin with fake.cookies. */
void fake_cookies(const struct lb_addr *backend, enum health_status status, const char *error);
/* By which VIP a check of the backend goes; NULL: there is none. */
const struct lb_endpoint *fake_watched_vip(const struct lb_addr *backend);
size_t fake_watches(void);
/* The backend, which is asked, says that it has lost so many packets in all. */
void fake_lost(const struct lb_addr *backend, uint64_t packets);
/* Until when it looks at packets without a list; -1: it is not asked. */
int64_t fake_watched_until_ms(const struct lb_addr *backend);

/* That document, disk and plane say the same; `saved`: on disk, too. */
void fake_check(bool saved);
/* That nothing is left in use: of a service whose VIPs are all removed, after all is settled. */
void fake_check_empty(void);

/* The document of this JSON text, in which ' stands for ". */
struct lb_service *fake_document(const char *text);
/* The document in force becomes that. 0 or -errno. */
int fake_apply(const char *text, const struct apply_options *options, struct lb_err *err);
/* The document in force, as JSON text; to be freed. */
char *fake_text(void);

#endif
