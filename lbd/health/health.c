/* SPDX-License-Identifier: BSD-2-Clause */
/* When is which backend checked, and who is told of the result?
 *
 * A watch has one moment that is due. Between checks it is the start of the next one, during a check
 * its deadline; a command that waits for its turn has none.
 *
 * All that there is to do is done by run(): sockets that are ready, what is due, and commands that
 * wait, one of each by turns, for as long as a worker's turn. What is left is done when others have
 * had theirs. The loop knows one timer and one descriptor of ours, whatever number of checks there
 * is, since a pass of libevent calls back for all that has happened before it looks at anything else.
 */
#include "health.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>
#include "../api/clock.h"
#include "../host/worker.h"
#include "due.h"
#include "probe.h"
#include "refusal.h"

#define START_GAP_US 500 /* between first checks */
#define STALL_US 50000   /* a deadline seen so late tells of the loop, not of the backend */
#define EXEC_MAX 16
#define RUN_US (WORKER_TURN_MS * 1000)
#define NEVER INT64_MAX
#define ARRIVED_MAX_MS 60000
#define REFUSED_US 10000000   /* a refusal explains silence, since backends limit their rate */
#define REFUSALS_A_SECOND 100 /* looked at */
#define BUCKETS 4096          /* few watches in each, where there are as many as members */

enum phase { PHASE_IDLE, PHASE_WAITING, PHASE_PROBING };

struct health_watch {
	LIST_ENTRY(health_watch) watches;  /* of the same bucket */
	TAILQ_ENTRY(health_watch) waiting; /* in PHASE_WAITING */
	struct health *health;
	void *owner;
	struct lb_health check; /* a copy */
	struct health_state state;
	enum phase phase;
	bool first;         /* none has been made yet */
	bool graced;        /* its deadline has been put off */
	bool looked;        /* at its deadline: its socket was ready */
	int64_t due_us;     /* when the check, or the next one, was to begin */
	int64_t started_us; /* when it did */
	int64_t duration_us;
	enum pmtu_refusal refusal; /* the last one, and when it was heard */
	int64_t refused_us;
	struct due due;
	struct due_heap *heap; /* that it is in; NULL: in none yet */
	const struct health_probe_kind *kind;
	struct health_probe probe;
};

struct health {
	struct event_base *base;
	struct health_options options;
	LIST_HEAD(, health_watch) watches[BUCKETS]; /* by the backend's address */
	TAILQ_HEAD(waiting, health_watch) waiting;  /* commands for which there is no room yet */
	struct health_exec *exec;
	struct due_heap begins, ends; /* checks to be made, and deadlines */
	size_t count;                 /* of watches */
	int epoll;                    /* sockets of probes */
	struct event sockets, timer;
	int64_t timer_us;      /* when it ends; NEVER: it does not run */
	int64_t next_start_us; /* when the next first check may begin */
	int64_t refusals_us;   /* since when they are counted */
	uint32_t refusals;
	uint64_t random;
};

/* --- time and chance --- */

static int64_t clock_us(void)
{
	return lb_clock_ns(CLOCK_MONOTONIC) / 1000;
}

static struct health_time moment(void)
{
	return (struct health_time){
		.monotonic_ms = lb_now_ms(),
		.wall_ms = lb_clock_ns(CLOCK_REALTIME) / 1000000,
	};
}

/* 0 … below: good enough to spread checks (xorshift, Marsaglia 2003). */
static int64_t chance(struct health *health, int64_t below)
{
	health->random ^= health->random << 13;
	health->random ^= health->random >> 7;
	health->random ^= health->random << 17;
	return below > 0 ? (int64_t)(health->random % (uint64_t)below) : 0;
}

/* There is something to do at that moment, or before. Counted from now, not from when the loop last
 * looked at the clock: a callback since then, ours or another's, may have taken long. */
static void run_at(struct health *health, int64_t at_us)
{
	const int64_t now = clock_us(), delay_us = at_us > now ? at_us - now : 0;
	const struct timeval delay = {
		.tv_sec = delay_us / 1000000,
		.tv_usec = delay_us % 1000000,
	};

	if (at_us >= health->timer_us)
		return;
	health->timer_us = at_us;
	event_base_update_cache_time(health->base);
	event_add(&health->timer, &delay);
}

static void due_unset_any(struct health_watch *watch)
{
	if (watch->heap)
		due_unset(watch->heap, &watch->due);
}

static void due_at(struct health_watch *watch, int64_t at_us)
{
	struct health *health = watch->health;

	due_unset_any(watch);
	watch->heap = watch->phase == PHASE_PROBING ? &health->ends : &health->begins;
	due_set(watch->heap, &watch->due, at_us);
	run_at(health, at_us);
}

static void due_in(struct health_watch *watch, int64_t delay_us)
{
	due_at(watch, clock_us() + delay_us);
}

/* From the start of a check to that of the next. */
static int64_t gap_us(struct health_watch *watch)
{
	const int64_t interval_us = watch->check.interval_ms * 1000LL;

	if (watch->first)
		return interval_us - chance(watch->health, interval_us);
	return interval_us -
	       chance(watch->health, interval_us * watch->check.jitter_percent / 100 + 1);
}

/* One that is overdue, after a stall or a slow check, begins at once, and those missed are not
 * made up for. */
static void schedule_next(struct health_watch *watch)
{
	const int64_t now = clock_us();

	watch->due_us += gap_us(watch);
	watch->first = false;
	if (watch->due_us < now)
		watch->due_us = now;
	due_at(watch, watch->due_us);
}

/* --- a check's way through its phases --- */

/* For two intervals and what a check may take, but not so long that a way which has become narrow
 * stays unknown: checks may be hours apart. */
static uint32_t arrived_for_ms(const struct lb_health *check)
{
	const uint64_t ms = 2ull * check->interval_ms + check->timeout_ms;

	return ms < ARRIVED_MAX_MS ? (uint32_t)ms : ARRIVED_MAX_MS;
}

static void tell_arrived(const struct health_watch *watch, enum health_outcome outcome)
{
	const struct health_options *options = &watch->health->options;

	if (!watch->check.full_mtu || !options->arrived || outcome == HEALTH_NOT_MADE)
		return;
	options->arrived(options->user, watch->owner,
			 outcome == HEALTH_SUCCESS ? watch->probe.full : 0,
			 watch->check.source == LB_HEALTH_TUNNEL, arrived_for_ms(&watch->check));
}

/* The last thing that is done for an event: the callback may remove the watch. */
static void take_result(struct health_watch *watch, const struct health_event *event)
{
	const struct health_time now = moment();
	struct health *health = watch->health;
	struct health_view view;

	watch->phase = PHASE_IDLE;
	watch->duration_us = clock_us() - watch->started_us;
	schedule_next(watch);
	tell_arrived(watch, event->outcome);
	if (health->options.ended)
		health->options.ended(health->options.user, watch->owner, event->outcome,
				      watch->duration_us);
	if (!health_step(&watch->state, event, &now))
		return;
	health_get(watch, &view);
	health->options.changed(health->options.user, watch->owner, &view);
}

static void on_done(struct health_probe *probe, const struct health_event *event)
{
	struct health_watch *watch =
		(struct health_watch *)((char *)probe - offsetof(struct health_watch, probe));

	watch->refusal = PMTU_NOT_REFUSED; /* an answer came, of whichever kind */
	take_result(watch, event);
}

/* The loop has come to this deadline so late that the answer may not have been looked at, or the
 * next step of the check not been taken: as much time again, once. */
static bool grace(struct health_watch *watch)
{
	const int64_t late_us = clock_us() - watch->started_us - watch->check.timeout_ms * 1000LL;

	if (watch->graced || late_us < STALL_US)
		return false;
	watch->graced = true;
	due_in(watch, watch->check.timeout_ms * 1000LL);
	return true;
}

/* Why there is no answer, as far as the backend has said it. */
static void print_refusal(const struct health_watch *watch, char *out, size_t size)
{
	if (!watch->refusal)
		return;
	snprintf(out, size, ": ");
	health_refusal_text(watch->refusal, &watch->probe.vip.address, &watch->probe.backend,
			    out + 2, size - 2);
}

static void time_over(struct health_watch *watch)
{
	char error[HEALTH_ERROR_TEXT];
	const struct health_event event = {.outcome = HEALTH_FAILURE, .error = error};
	int length = snprintf(error, sizeof(error), "no %s within %u ms", watch->probe.awaited,
			      watch->check.timeout_ms);

	if (clock_us() - watch->refused_us < REFUSED_US)
		print_refusal(watch, error + length, sizeof(error) - (size_t)length);
	watch->kind->cancel(&watch->probe);
	take_result(watch, &event);
}

static void begin(struct health_watch *watch)
{
	watch->phase = PHASE_PROBING;
	watch->graced = watch->looked = false;
	watch->started_us = clock_us();
	due_at(watch, watch->started_us + watch->check.timeout_ms * 1000LL);
	watch->probe.full = 0;
	if (watch->probe.seen)
		*watch->probe.seen =
			(struct health_seen){.began_us = watch->started_us, .connect_us = -1};
	if (watch->check.full_mtu && watch->health->options.tunnel_mtu)
		watch->probe.tunnel_mtu = watch->health->options.tunnel_mtu(
			watch->health->options.user, watch->owner);
	watch->kind->start(&watch->probe);
}

static void wait_for_turn(struct health_watch *watch)
{
	watch->phase = PHASE_WAITING;
	TAILQ_INSERT_TAIL(&watch->health->waiting, watch, waiting);
}

/* --- what there is to do --- */

/* What is there already counts, although nobody has looked; once, as more may always come. */
static void deadline(struct health_watch *watch)
{
	if (!watch->looked && health_socket_is_ready(&watch->probe)) {
		watch->looked = true;
		due_in(watch, 0);
		watch->probe.ready(&watch->probe);
	} else if (!grace(watch)) {
		time_over(watch);
	}
}

/* Each of these does one thing; false: there is none. The watch may be gone afterwards. */
static bool do_due(struct health *health, struct due_heap *heap)
{
	struct due *due = due_first(heap);
	struct health_watch *watch;

	if (!due || due->at_us > clock_us())
		return false;
	watch = (struct health_watch *)((char *)due - offsetof(struct health_watch, due));
	due_unset(heap, due);
	if (watch->phase == PHASE_PROBING)
		deadline(watch);
	else if (watch->check.kind == LB_HEALTH_EXEC && health_exec_full(health->exec))
		wait_for_turn(watch);
	else
		begin(watch);
	return true;
}

/* One event at a time, since what is done for it may close other sockets. Those that stay ready
 * come again after the others. */
static bool do_ready(struct health *health)
{
	struct epoll_event event;
	struct health_probe *probe;

	if (epoll_wait(health->epoll, &event, 1, 0) != 1)
		return false;
	probe = event.data.ptr;
	probe->ready(probe);
	return true;
}

static bool do_waiting(struct health *health)
{
	struct health_watch *watch = TAILQ_FIRST(&health->waiting);

	if (!watch || health_exec_full(health->exec))
		return false;
	TAILQ_REMOVE(&health->waiting, watch, waiting);
	begin(watch);
	return true;
}

static void run_at_first(struct health *health, const struct due_heap *heap)
{
	const struct due *first = due_first(heap);

	if (first)
		run_at(health, first->at_us);
}

/* As many checks end as begin, also when there are too many: then they begin late, and do not have
 * ever more sockets open. */
static void run(struct health *health)
{
	const int64_t end_us = clock_us() + RUN_US;
	bool more;

	health->timer_us = 0; /* it is set at the end */
	turns_note(health->options.turns, "health checks");
	do {
		more = do_ready(health);
		more |= do_due(health, &health->ends);
		more |= do_due(health, &health->begins);
		more |= do_waiting(health);
	} while (more && clock_us() < end_us);
	turns_note(health->options.turns, "other");
	health->timer_us = NEVER;
	if (more)
		run_at(health, 0);
	run_at_first(health, &health->begins);
	run_at_first(health, &health->ends);
}

static void on_timer(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	run(user);
}

/* Not in this pass of the loop, in which the timer may have had its turn. */
static void on_sockets(evutil_socket_t fd, short events, void *user)
{
	(void)fd;
	(void)events;
	run_at(user, 0);
}

/* A command has ended. */
static void on_exec_freed(void *user)
{
	struct health *health = user;

	if (!TAILQ_EMPTY(&health->waiting))
		run_at(health, 0);
}

/* --- watches --- */

static const struct health_probe_kind *kind_of(enum lb_health_kind kind)
{
	static const struct health_probe_kind *const kinds[] = {
		[LB_HEALTH_NONE] = &health_probe_tcp, /* not so by contract */
		[LB_HEALTH_TCP] = &health_probe_tcp,  [LB_HEALTH_HTTP] = &health_probe_http,
		[LB_HEALTH_UDP] = &health_probe_udp,  [LB_HEALTH_EXEC] = &health_probe_exec,
	};

	return kinds[kind];
}

static void probe_init(struct health_watch *watch, const struct health_target *target)
{
	watch->kind = target->secret ? &health_probe_cookie : kind_of(watch->check.kind);
	watch->probe = (struct health_probe){
		.epoll = watch->health->epoll,
		.exec = watch->health->exec,
		.check = &watch->check,
		.vip = target->vip,
		.backend = target->backend,
		.mark = target->mark,
		.seen = target->seen,
		.secret = target->secret,
		.done = on_done,
		.fd = -1,
	};
}

/* Nobody who sends messages chooses the addresses, so any hash will do (FNV-1a). */
static size_t bucket_of(const struct lb_addr *backend)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(backend->bytes); i++)
		hash = (hash ^ backend->bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

static void schedule_first(struct health_watch *watch)
{
	struct health *health = watch->health;
	const int64_t now = clock_us();

	watch->first = true;
	watch->due_us = health->next_start_us > now ? health->next_start_us : now;
	health->next_start_us = watch->due_us + START_GAP_US;
	due_at(watch, watch->due_us);
}

struct health_watch *health_add(struct health *health, const struct health_target *target,
				void *owner)
{
	struct health_watch *watch = calloc(1, sizeof(*watch));
	const struct health_time now = moment();

	if (!watch)
		return NULL;
	if (due_reserve(&health->begins, health->count + 1) ||
	    due_reserve(&health->ends, health->count + 1) ||
	    schema_copy(&lb_health_schema, target->check, &watch->check)) {
		free(watch);
		return NULL;
	}
	watch->health = health;
	watch->owner = owner;
	watch->duration_us = -1;
	health_state_init(&watch->state, watch->check.rise, watch->check.fall, target->start,
			  target->start_since_wall_ms, &now);
	probe_init(watch, target);
	LIST_INSERT_HEAD(&health->watches[bucket_of(&target->backend)], watch, watches);
	health->count++;
	schedule_first(watch);
	return watch;
}

/* A flood of messages must not take the loop's time. */
static bool too_many_refusals(struct health *health, int64_t now_us)
{
	if (now_us - health->refusals_us >= 1000000) {
		health->refusals_us = now_us;
		health->refusals = 0;
	}
	return ++health->refusals > REFUSALS_A_SECOND;
}

void health_refused(struct health *health, const struct lb_addr *backend, enum pmtu_refusal refusal)
{
	const int64_t now_us = clock_us();
	struct health_watch *watch;

	if (too_many_refusals(health, now_us))
		return;
	LIST_FOREACH (watch, &health->watches[bucket_of(backend)], watches) {
		if (watch->check.source != LB_HEALTH_TUNNEL ||
		    !lb_addr_equal(&watch->probe.backend, backend))
			continue;
		watch->refusal = refusal;
		watch->refused_us = now_us;
	}
}

void health_remove(struct health_watch *watch)
{
	if (!watch)
		return;
	if (watch->phase == PHASE_WAITING)
		TAILQ_REMOVE(&watch->health->waiting, watch, waiting);
	if (watch->phase == PHASE_PROBING)
		watch->kind->cancel(&watch->probe);
	due_unset_any(watch);
	watch->health->count--;
	LIST_REMOVE(watch, watches);
	schema_clear(&lb_health_schema, &watch->check);
	free(watch);
}

void health_get(const struct health_watch *watch, struct health_view *out)
{
	*out = (struct health_view){
		.status = watch->state.status,
		.streak = watch->state.streak,
		.since = watch->state.since,
		.error_since = watch->state.error_since,
		.not_made = watch->state.not_made,
		.duration_us = watch->duration_us,
	};
	memcpy(out->error, watch->state.error, sizeof(out->error));
}

enum health_status health_status(const struct health_watch *watch)
{
	return watch->state.status;
}

bool health_not_made(const struct health_watch *watch)
{
	return watch->state.not_made;
}

bool health_was_checked(const struct health_watch *watch)
{
	return watch->duration_us >= 0;
}

/* --- the whole --- */

struct health *health_new(struct event_base *base, const struct health_options *options)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		return NULL;
	health->base = base;
	health->options = *options;
	TAILQ_INIT(&health->waiting);
	if (getrandom(&health->random, sizeof(health->random), GRND_NONBLOCK) < 0)
		health->random = (uint64_t)clock_us();
	health->random |= 1; /* 0 would stay 0 */
	health->timer_us = NEVER;
	event_assign(&health->timer, base, -1, 0, on_timer, health);
	health->epoll = epoll_create1(EPOLL_CLOEXEC);
	event_assign(&health->sockets, base, health->epoll, EV_READ | EV_PERSIST, on_sockets,
		     health);
	health->exec = health_exec_new(base, options->exec_max ? options->exec_max : EXEC_MAX,
				       options->exec_rights, on_exec_freed, health);
	if (health->epoll >= 0 && health->exec && !event_add(&health->sockets, NULL))
		return health;
	health_free(health);
	return NULL;
}

void health_free(struct health *health)
{
	struct health_watch *watch;

	if (!health)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while ((watch = LIST_FIRST(&health->watches[i])))
			health_remove(watch);
	health_exec_free(health->exec);
	event_del(&health->timer);
	event_del(&health->sockets);
	if (health->epoll >= 0)
		close(health->epoll);
	due_free(&health->begins);
	due_free(&health->ends);
	free(health);
}
