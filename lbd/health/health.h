/* SPDX-License-Identifier: BSD-2-Clause */
/* When is which backend checked, and who is told of the result?
 *
 *	health = health_new(base, &options);
 *	watch = health_add(health, &target, owner);     one for each backend of a VIP with a check
 *	health_get(watch, &view);                       at any time
 *	health_remove(watch);                           before the owner goes
 *	health_free(health);                            and all that is left with it
 *
 * A check begins at once, but no more than 2,000 of them a second, so that many backends do not
 * start in one tick; the second one of a watch follows after a random part of its interval, later
 * ones after an interval less its jitter, counted from when the check before was due. So a backend
 * that refuses is unhealthy within `fall` intervals, and one that is silent within `fall` intervals
 * and a timeout. A watch has one check under way at a time, and with it one socket, which is closed
 * by a reset: no TIME_WAIT piles up, here or at the backend.
 *
 * Thousands of silent backends are thousands of open sockets, so raise RLIMIT_NOFILE. A check that
 * cannot be made for lack of something on this side does not count (HEALTH_NOT_MADE), but its error
 * is in the view. Nor does a stall of the loop: a check whose deadline is seen late by 50 ms or
 * more gets its time once more.
 *
 * exec: a process group of its own, at most exec_max at once; the others wait, and their time
 * begins with the command. Children are waited for through pidfds, one by one: SIGCHLD need not be
 * handled, but must not be ignored, and no one else may wait for every child (waitpid(-1)).
 *
 * Rights: CAP_NET_ADMIN for tunnel checks (SO_MARK); for exec CAP_SETUID and CAP_SETGID to become
 * another user, and CAP_KILL to end what runs as that user; none for others. plane/tunnel.h says
 * what tunnel checks need beyond that.
 */
#ifndef LB_HEALTH_ENGINE_H
#define LB_HEALTH_ENGINE_H

#include "../api/addr.h"
#include "../api/health.h"
#include "state.h"
#include "../route/pmtu.h"

struct event_base;
struct turns;
struct health;
struct health_watch;
struct exec_rights;
struct guard_secret;
struct health_seen; /* probe.h */

struct health_view {
	enum health_status status;
	uint32_t streak;                /* results in a row against it, so far */
	struct health_time since;       /* of the status */
	char error[HEALTH_ERROR_TEXT];  /* of the last check that failed; "" if none did */
	struct health_time error_since; /* when that was */
	bool not_made;                  /* the last check, for a fault of this node: `error` */
	int64_t duration_us;            /* of the last check; -1 before the first has ended */
};

struct health_options {
	/* The status has changed. Called from the loop, never out of the functions below; may add
	 * and remove watches, this one too. */
	void (*changed)(void *user, void *owner, const struct health_view *view);
	/* Of each check, before that: how it ended, and how long it took. May be NULL. Must not add or
	 * remove watches. */
	void (*ended)(void *user, void *owner, enum health_outcome outcome, int64_t duration_us);
	/* How large a packet to the VIP may be that goes to the member; 0: not known. For full_mtu. */
	uint32_t (*tunnel_mtu)(void *user, void *owner);
	/* Of each check with full_mtu: an IP packet of so many bytes has got through, which is good to
	 * know for for_ms; 0: none has. `tunnel`: inside the outer header. May be NULL. Must not add
	 * or remove watches. */
	void (*arrived)(void *user, void *owner, uint32_t bytes, bool tunnel, uint32_t for_ms);
	void *user;
	struct turns *turns;                   /* that checks are noted in; NULL: in none */
	uint32_t exec_max;                     /* commands at once; 0: 16 */
	const struct exec_rights *exec_rights; /* borrowed */
};

struct health_target {
	struct lb_endpoint vip;
	struct lb_addr backend;
	const struct lb_health *check; /* copied; not LB_HEALTH_NONE, and fits the VIP */
	/* Tunnel checks: LB_TUNNEL_MARK | the number of the member (bpf/tunnel.h). It is the
	 * member's, so a backend that gets a new number needs a new watch. */
	uint32_t mark;
	/* What is known already: of an earlier run, or of the watch that this one replaces. */
	enum health_status start;
	int64_t start_since_wall_ms; /* 0: now */
	/* What the present check sees; outlives the watch. NULL: nobody asks. */
	struct health_seen *seen;
	/* Instead of what `check` asks: whether the backend makes a connection from a cookie by this secret
	 * (probe_cookie.c). Through the tunnel. Borrowed; may change between checks. NULL: no. */
	const struct guard_secret *secret;
};

struct health *health_new(struct event_base *base,
			  const struct health_options *options); /* NULL: no memory */
void health_free(struct health *health);

/* NULL without memory. `owner` is for the callback. */
struct health_watch *health_add(struct health *health, const struct health_target *target,
				void *owner);
/* The backend has refused an outer packet. That alone decides nothing, since a message can be
 * forged: it is the reason given by tunnel checks of it that get no answer. */
void health_refused(struct health *health, const struct lb_addr *backend,
		    enum pmtu_refusal refusal);
void health_remove(struct health_watch *watch); /* NULL is fine */
void health_get(const struct health_watch *watch, struct health_view *out);
/* Parts of it, for who goes over very many. */
enum health_status health_status(const struct health_watch *watch);
bool health_not_made(const struct health_watch *watch);
bool health_was_checked(const struct health_watch *watch);

#endif
