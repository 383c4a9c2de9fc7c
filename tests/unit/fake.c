/* SPDX-License-Identifier: BSD-2-Clause */
/* What do plane, disk, time, next hops and checks look like from the service? */
#include "fake.h"

#include "../../lbd/service/change.h"

#include "../../lbd/api/event.h"
#include "../../lbd/host/events.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fake fake = {.failing = -1, .snapshot_at = -1};

/* --- failing --- */

static void snapshot_take(void);

static bool call_fails(void)
{
	const long call = fake.calls++;

	if (call == fake.snapshot_at)
		snapshot_take();
	return fake.failing >= 0 && (call == fake.failing || (fake.goes_on && call > fake.failing));
}

static int call_error(struct lb_err *err)
{
	if (call_fails())
		return lb_err_set(err, LB_ERR_SYSTEM, "", "made to fail");
	return 0;
}

/* Of all that is linked but shared libraries (ld's --wrap); jansson's come here by its own hook. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

static bool allocation_fails(void)
{
	return fake.allocations_fail && call_fails();
}

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return allocation_fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_realloc(old, count * size);
}

/* --- the plane --- */

static struct fake_entry *entry_find(const struct lb_endpoint *endpoint)
{
	for (size_t i = 0; i < fake.left.entry_count; i++)
		if (!lb_endpoint_compare(&fake.left.entries[i].endpoint, endpoint))
			return &fake.left.entries[i];
	return NULL;
}

static int vip_set(struct datapath *datapath, const struct lb_endpoint *endpoint,
		   const struct lb_vip_value *value, struct lb_err *err)
{
	struct fake_entry *entry = entry_find(endpoint);

	(void)datapath;
	if (call_error(err))
		return -EINVAL;
	if (!entry) {
		assert_true(fake.left.entry_count < FAKE_ENTRIES);
		entry = &fake.left.entries[fake.left.entry_count++];
	}
	*entry = (struct fake_entry){.endpoint = *endpoint, .value = *value};
	return 0;
}

static int vip_del(struct datapath *datapath, const struct lb_endpoint *endpoint,
		   struct lb_err *err)
{
	struct fake_entry *entry = entry_find(endpoint);

	(void)datapath;
	if (call_error(err))
		return -EINVAL;
	if (entry)
		*entry = fake.left.entries[--fake.left.entry_count];
	return 0;
}

static void each_vip(struct datapath *datapath,
		     void (*each)(void *user, const struct lb_endpoint *endpoint,
				  const struct lb_vip_value *value),
		     void *user)
{
	(void)datapath;
	for (size_t i = 0; i < fake.left.entry_count; i++)
		each(user, &fake.left.entries[i].endpoint, &fake.left.entries[i].value);
}

static int egress_set(struct datapath *datapath, uint32_t ifindex, bool in_use)
{
	(void)datapath;
	(void)ifindex;
	(void)in_use;
	return call_error(NULL);
}

static int counters(struct datapath *datapath, uint32_t first, uint32_t count,
		    struct lb_counter *out)
{
	(void)datapath;
	memset(out, 0, count * sizeof(*out));
	if (call_error(NULL))
		return -EINVAL;
	memcpy(out, &fake.counters[first], count * sizeof(*out));
	return 0;
}

static int counters_reset(struct datapath *datapath, uint32_t member)
{
	(void)datapath;
	if (call_error(NULL))
		return -EINVAL;
	fake.counters[member] = (struct lb_counter){0};
	fake.quic_counters[member] = 0;
	return 0;
}

static int vip_counters(struct datapath *datapath, uint32_t number, struct lb_counter *out)
{
	(void)datapath;
	*out = (struct lb_counter){0};
	if (call_error(NULL))
		return -EINVAL;
	*out = fake.vip_counters[number];
	return 0;
}

static int vip_counters_reset(struct datapath *datapath, uint32_t number)
{
	(void)datapath;
	if (call_error(NULL))
		return -EINVAL;
	fake.vip_counters[number] = (struct lb_counter){0};
	return 0;
}

static int quic_counter(struct datapath *datapath, uint32_t member, uint64_t *out)
{
	(void)datapath;
	*out = fake.quic_counters[member];
	return call_error(NULL);
}

static int quic_counts(struct datapath *datapath, uint64_t out[LB_QUIC_COUNT_COUNT])
{
	(void)datapath;
	memset(out, 0, LB_QUIC_COUNT_COUNT * sizeof(*out));
	return call_error(NULL);
}

static int flow_counts(struct datapath *datapath, uint64_t out[LB_FLOW_COUNT_COUNT])
{
	(void)datapath;
	memset(out, 0, LB_FLOW_COUNT_COUNT * sizeof(*out));
	return call_error(NULL);
}

/* --- the disk --- */

static int disk_load(const char *state_dir, struct state_kept *kept, struct lb_service **out,
		     struct state_revert *revert, struct lb_err *err)
{
	(void)state_dir;
	(void)kept;
	*revert = fake.left.revert;
	revert->document = NULL;
	if (call_error(err))
		return -EINVAL;
	*out = fake.left.document ? lb_service_copy(fake.left.document) : lb_service_new();
	if (*out && fake.left.revert.document)
		revert->document = lb_service_copy(fake.left.revert.document);
	if (*out && !revert->document == !fake.left.revert.document)
		return 0;
	lb_service_free(*out);
	return lb_err_no_memory(err);
}

static int disk_save(const char *state_dir, struct state_kept *kept, const struct state_save *save,
		     struct lb_err *err)
{
	const struct state_revert *revert = save->revert;
	struct lb_service *document, *back = NULL;
	void (*amid)(void) = fake.amid;

	(void)state_dir;
	(void)kept;
	fake.amid = NULL;
	if (amid)
		amid();
	if (call_error(err))
		return -EINVAL;
	document = lb_service_copy(save->document);
	if (document && revert)
		back = lb_service_copy(revert->document);
	if (!document || (revert && !back)) {
		lb_service_free(document);
		return lb_err_no_memory(err);
	}
	lb_service_free(fake.left.document);
	lb_service_free(fake.left.revert.document);
	fake.left.document = document;
	fake.left.revert = revert ? *revert : (struct state_revert){0};
	fake.left.revert.document = back;
	return 0;
}

static bool disk_has(const char *state_dir)
{
	(void)state_dir;
	return fake.left.document;
}

static int disk_keep_seed(const char *state_dir, const uint64_t seed[2], struct lb_err *err)
{
	(void)state_dir;
	(void)seed;
	return call_error(err);
}

static const struct disk disk = {
	.load = disk_load,
	.save = disk_save,
	.has = disk_has,
	.keep_seed = disk_keep_seed,
};

/* --- time --- */

struct timer {
	void (*due)(void *user);
	void *user;
	int64_t at_ns;
	struct timer *next;
};

static struct timer *timers;

static int64_t now_ns(struct event_base *base, clockid_t clock)
{
	(void)base;
	return fake.now_ns + (clock == CLOCK_REALTIME ? fake.wall_ns : 0);
}

static struct timer *timer_add(struct event_base *base, void (*due)(void *user), void *user)
{
	struct timer *timer = calloc(1, sizeof(*timer));

	(void)base;
	if (!timer)
		return NULL;
	*timer = (struct timer){.due = due, .user = user, .at_ns = INT64_MAX, .next = timers};
	return timers = timer;
}

/* Some ms early where it is long, as libevent's may be: it counts from the time of its last look at the clock. */
static void timer_set(struct timer *timer, int64_t delay_ms)
{
	const int64_t early_ms = delay_ms >= 30000 ? 2 : 0;

	timer->at_ns = fake.now_ns + (delay_ms > 0 ? delay_ms - early_ms : 0) * 1000000;
}

static void timer_stop(struct timer *timer)
{
	timer->at_ns = INT64_MAX;
}

static bool timer_pending(const struct timer *timer)
{
	return timer->at_ns != INT64_MAX;
}

static void timer_free(struct timer *timer)
{
	struct timer **link = &timers;

	while (timer && *link != timer)
		link = &(*link)->next;
	if (timer)
		*link = timer->next;
	free(timer);
}

static struct timer *timer_first(void)
{
	struct timer *first = NULL;

	for (struct timer *timer = timers; timer; timer = timer->next)
		if (timer_pending(timer) && (!first || timer->at_ns < first->at_ns))
			first = timer;
	return first;
}

int64_t fake_due_ns(void)
{
	const struct timer *first = timer_first();

	return first ? first->at_ns : INT64_MAX;
}

void fake_run(void)
{
	for (struct timer *timer = timer_first(); timer && timer->at_ns <= fake.now_ns;
	     timer = timer_first()) {
		timer->at_ns = INT64_MAX;
		timer->due(timer->user);
	}
}

void fake_pass(int64_t ns)
{
	const int64_t end_ns = fake.now_ns + ns;

	while (fake_due_ns() <= end_ns) {
		if (fake_due_ns() > fake.now_ns)
			fake.now_ns = fake_due_ns();
		fake_run();
	}
	fake.now_ns = end_ns;
}

/* --- next hops: number 1 leads everywhere, as soon as it is known (lbd/route/nexthop.h) --- */

#define WATCHED_MAX 256
#define OTHERS (1ull << 60) /* packets that the number of a member had before */

static struct nexthops {
	struct nexthops_options options;
	struct destination *watched[WATCHED_MAX];
} nexthops_fake;

struct nexthops *nexthops_new(struct event_base *base, const struct nexthops_options *options,
			      struct lb_err *err)
{
	(void)base;
	if (call_error(err))
		return NULL;
	nexthops_fake.options = *options;
	options->array[1] = (struct lb_nexthop){.valid = 1, .ifindex = 1, .mtu = 1500};
	fake.watched = 0;
	return &nexthops_fake;
}

void nexthops_free(struct nexthops *nexthops)
{
	while (nexthops && fake.watched)
		free(nexthops->watched[--fake.watched]);
}

void nexthops_forget_left(struct nexthops *nexthops)
{
	(void)nexthops;
}

static void tell_route(const struct nexthops *nexthops, struct destination *destination,
		       uint32_t number)
{
	struct nexthop_route *route = &destination->route;

	*route = (struct nexthop_route){
		.number = number,
		.ways = number,
		.source = {.family = 4, .bytes = {10, 255, 0, 1}},
	};
	for (unsigned int i = 0; i < LB_MEMBER_PATHS; i++)
		route->path[i] = route->way[i] = number;
	strcpy(destination->reason, number ? "" : "no route");
	nexthops->options.changed(nexthops->options.user, destination);
}

struct destination *nexthops_find(const struct nexthops *nexthops, const struct lb_addr *address)
{
	for (uint32_t i = 0; i < fake.watched; i++)
		if (lb_addr_equal(&nexthops->watched[i]->address, address))
			return nexthops->watched[i];
	return NULL;
}

int nexthops_watch(struct nexthops *nexthops, const struct lb_addr *address,
		   struct destination **out, struct lb_err *err)
{
	*out = nexthops_find(nexthops, address);
	if (*out) {
		(*out)->watchers++;
		return 0;
	}
	if (call_error(err))
		return -ENOMEM;
	assert_true(fake.watched < WATCHED_MAX);
	*out = nexthops->watched[fake.watched++] = __real_calloc(1, sizeof(**out));
	(*out)->address = *address;
	(*out)->watchers = 1;
	tell_route(nexthops, *out, !fake.unresolved);
	return 0;
}

void nexthops_unwatch(struct nexthops *nexthops, struct destination *destination)
{
	uint32_t i = 0;

	if (--destination->watchers)
		return;
	assert_true(LIST_EMPTY(&destination->places));
	while (nexthops->watched[i] != destination)
		assert_true(++i < fake.watched);
	nexthops->watched[i] = nexthops->watched[--fake.watched];
	free(destination);
}

void fake_resolve_one(const struct lb_addr *address)
{
	tell_route(&nexthops_fake, nexthops_find(&nexthops_fake, address), 1);
}

void fake_resolve(void)
{
	fake.unresolved = false;
	for (uint32_t i = 0; i < fake.watched; i++)
		if (!nexthops_fake.watched[i]->route.number)
			tell_route(&nexthops_fake, nexthops_fake.watched[i], 1);
}

void nexthops_path_mtu(struct nexthops *nexthops, struct destination *destination, uint32_t mtu)
{
	(void)nexthops;
	(void)destination;
	(void)mtu;
}

void nexthops_each(const struct nexthops *nexthops,
		   void (*each)(void *user, const struct nexthop_info *info), void *user)
{
	(void)nexthops;
	(void)each;
	(void)user;
}

bool nexthops_get(const struct nexthops *nexthops, uint32_t number, struct nexthop_info *out)
{
	(void)nexthops;
	*out = (struct nexthop_info){.number = number, .resolved = true};
	return number == 1;
}

void nexthops_each_unroutable(const struct nexthops *nexthops,
			      void (*each)(void *user, const struct destination *destination),
			      void *user)
{
	(void)nexthops;
	(void)each;
	(void)user;
}

/* --- health checks (lbd/health/health.h, tunnels.h) --- */

struct health {
	bool open;
	struct health_options options;
};

struct health_watch {
	struct health *of;
	bool cookie; /* it asks whether connections are made from cookies */
	void *owner;
	struct lb_addr backend;
	struct lb_endpoint vip;
	struct health_view view;
	struct health_watch *next;
};

static struct health engines[2];
static struct health_watch *watches;

struct health *health_new(struct event_base *base, const struct health_options *options)
{
	struct health *fresh = &engines[engines[0].open];

	(void)base;
	if (call_fails())
		return NULL;
	*fresh = (struct health){true, *options};
	return fresh;
}

void health_free(struct health *old)
{
	struct health_watch *watch, *next;

	for (watch = old ? watches : NULL; watch; watch = next) {
		next = watch->next;
		if (watch->of == old)
			health_remove(watch);
	}
	if (old)
		old->open = false;
}

struct health_watch *health_add(struct health *to, const struct health_target *target, void *owner)
{
	struct health_watch *watch = call_fails() ? NULL : calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	*watch = (struct health_watch){
		.of = to,
		.cookie = target->secret,
		.owner = owner,
		.backend = target->backend,
		.vip = target->vip,
		.view = {.status = target->start, .duration_us = -1},
		.next = watches,
	};
	if (watch->cookie && !watch->view.status)
		watch->view.status = fake.cookies;
	return watches = watch;
}

void health_remove(struct health_watch *watch)
{
	struct health_watch **link = &watches;

	if (!watch)
		return;
	while (*link != watch)
		link = &(*link)->next;
	*link = watch->next;
	free(watch);
}

void health_refused(struct health *of, const struct lb_addr *backend, enum pmtu_refusal refusal)
{
	(void)of;
	(void)backend;
	(void)refusal;
}

void health_get(const struct health_watch *watch, struct health_view *out)
{
	*out = watch->view;
}

enum health_status health_status(const struct health_watch *watch)
{
	return watch->view.status;
}

bool health_not_made(const struct health_watch *watch)
{
	return watch->view.not_made;
}

bool health_was_checked(const struct health_watch *watch)
{
	return watch->view.duration_us >= 0;
}

void fake_health(const struct lb_addr *backend, enum health_status status)
{
	struct health_watch *watch, *next;

	for (watch = watches; watch; watch = next) {
		next = watch->next;
		if (watch->cookie || (backend && !lb_addr_equal(backend, &watch->backend)))
			continue;
		watch->view.duration_us = 1000;
		watch->of->options.ended(watch->of->options.user, watch->owner,
					 status == HEALTH_HEALTHY ? HEALTH_SUCCESS : HEALTH_FAILURE,
					 watch->view.duration_us);
		if (watch->view.status == status)
			continue;
		watch->view.status = status;
		watch->of->options.changed(watch->of->options.user, watch->owner, &watch->view);
	}
}

void fake_cookies(const struct lb_addr *backend, enum health_status status, const char *error)
{
	for (struct health_watch *watch = watches; watch; watch = watch->next) {
		if (!watch->cookie || (backend && !lb_addr_equal(backend, &watch->backend)))
			continue;
		watch->view.status = status;
		snprintf(watch->view.error, sizeof(watch->view.error), "%s", error);
		watch->of->options.changed(watch->of->options.user, watch->owner, &watch->view);
	}
}

const struct lb_endpoint *fake_watched_vip(const struct lb_addr *backend)
{
	for (const struct health_watch *watch = watches; watch; watch = watch->next)
		if (!watch->cookie && lb_addr_equal(backend, &watch->backend))
			return &watch->vip;
	return NULL;
}

size_t fake_watches(void)
{
	size_t count = 0;

	for (const struct health_watch *watch = watches; watch; watch = watch->next)
		count += !watch->cookie;
	return count;
}

/* --- what backends have lost (lbd/health/losses.h) --- */

#define LOSSES_MAX 64

static struct losses {
	struct {
		bool asked;
		struct lb_addr backend;
		int64_t until_ms;
		struct losses_view view;
	} of[LOSSES_MAX];
} losses;

struct losses *losses_new(struct event_base *base, uint32_t members)
{
	(void)base;
	(void)members;
	memset(&losses, 0, sizeof(losses));
	return call_fails() ? NULL : &losses;
}

void losses_free(struct losses *old)
{
	(void)old;
}

void losses_ask(struct losses *of, uint16_t number, const struct lb_addr *address)
{
	if (number >= LOSSES_MAX || (address && of->of[number].asked))
		return;
	memset(&of->of[number], 0, sizeof(of->of[number]));
	of->of[number].asked = address != NULL;
	if (address)
		of->of[number].backend = *address;
}

void losses_watch(struct losses *of, uint16_t number, int64_t until_ms)
{
	if (number < LOSSES_MAX)
		of->of[number].until_ms = until_ms;
}

bool losses_get(const struct losses *of, uint16_t number, struct losses_view *out)
{
	if (number >= LOSSES_MAX || !of->of[number].asked)
		return false;
	*out = of->of[number].view;
	return true;
}

void fake_lost(const struct lb_addr *backend, uint64_t packets)
{
	for (size_t i = 0; i < LOSSES_MAX; i++)
		if (losses.of[i].asked && lb_addr_equal(&losses.of[i].backend, backend))
			losses.of[i].view = (struct losses_view){.lost = packets, .since_ms = 1};
}

int64_t fake_watched_until_ms(const struct lb_addr *backend)
{
	for (size_t i = 0; i < LOSSES_MAX; i++)
		if (losses.of[i].asked && lb_addr_equal(&losses.of[i].backend, backend))
			return losses.of[i].until_ms;
	return -1;
}

static struct tunnels {
	int started;
} tunnels;

struct tunnels *tunnels_new(struct event_base *base, struct links_table *links,
			    struct datapath *datapath, const uint64_t seed[2])
{
	(void)base;
	(void)links;
	(void)datapath;
	(void)seed;
	return call_fails() ? NULL : &tunnels;
}

void tunnels_free(struct tunnels *old)
{
	(void)old;
}

int tunnels_start(struct tunnels *of, struct lb_err *err)
{
	(void)of;
	return call_error(err);
}

void tunnels_stop(struct tunnels *of)
{
	(void)of;
}

int tunnels_check(struct tunnels *of, uint32_t member, const struct lb_addr *vip)
{
	(void)of;
	(void)member;
	(void)vip;
	return fake.no_tunnel ? -ENODEV : call_error(NULL);
}

const char *tunnels_fault(const struct tunnels *of)
{
	(void)of;
	return "";
}

/* --- life --- */

static size_t vip_pools_bytes(void)
{
	return numbers_for_vips(fake.config.vips) * sizeof(uint64_t);
}

static size_t members_bytes(void)
{
	return members_capacity(&fake.config) * sizeof(struct lb_member);
}

static size_t quic_vips_bytes(void)
{
	return numbers_for_vips(fake.config.vips) * sizeof(uint64_t);
}

static uint32_t quic_lines(void)
{
	const uint32_t lines = members_capacity(&fake.config);

	return lines > LB_QUIC_REACH ? lines : LB_QUIC_REACH;
}

static size_t quic_ids_bytes(void)
{
	return quic_lines() * sizeof(struct lb_quic_line);
}

static void left_clear(struct fake_left *left)
{
	free(left->quic_vips);
	free(left->quic_ids);
	free(left->slots);
	free(left->pasts);
	free(left->vip_pools);
	free(left->members);
	lb_service_free(left->document);
	lb_service_free(left->revert.document);
	*left = (struct fake_left){0};
}

static void *copy_of(const void *bytes, size_t size)
{
	void *copy = malloc(size);

	assert_non_null(copy);
	return memcpy(copy, bytes, size);
}

static void snapshot_take(void)
{
	struct fake_left *now = &fake.snapshot;

	*now = fake.left;
	now->slots = copy_of(fake.left.slots, fake.config.slots * sizeof(uint32_t));
	now->pasts = copy_of(fake.left.pasts, fake.config.slots * sizeof(uint32_t));
	now->vip_pools = copy_of(fake.left.vip_pools, vip_pools_bytes());
	now->members = copy_of(fake.left.members, members_bytes());
	now->quic_vips = copy_of(fake.left.quic_vips, quic_vips_bytes());
	now->quic_ids = copy_of(fake.left.quic_ids, quic_ids_bytes());
	if (now->document)
		now->document = lb_service_copy(now->document);
	if (now->revert.document)
		now->revert.document = lb_service_copy(now->revert.document);
}

void fake_restore(void)
{
	struct fake_left *then = &fake.snapshot;

	fake.slots_left = true;

	memcpy(fake.left.slots, then->slots, fake.config.slots * sizeof(uint32_t));
	memcpy(fake.left.pasts, then->pasts, fake.config.slots * sizeof(uint32_t));
	memcpy(fake.left.vip_pools, then->vip_pools, vip_pools_bytes());
	memcpy(fake.left.members, then->members, members_bytes());
	memcpy(fake.left.quic_vips, then->quic_vips, quic_vips_bytes());
	memcpy(fake.left.quic_ids, then->quic_ids, quic_ids_bytes());
	free(then->quic_vips);
	free(then->quic_ids);
	then->quic_vips = fake.left.quic_vips;
	then->quic_ids = fake.left.quic_ids;
	free(then->slots);
	free(then->pasts);
	free(then->vip_pools);
	free(then->members);
	then->slots = fake.left.slots;
	then->pasts = fake.left.pasts;
	then->vip_pools = fake.left.vip_pools;
	then->members = fake.left.members;
	lb_service_free(fake.left.document);
	lb_service_free(fake.left.revert.document);
	fake.left = *then;
	*then = (struct fake_left){0};
}

static void on_event(void *user, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "event"));

	(void)user;
	fake.serve_events += !strcmp(name, "serve");
	fake.spill_events += !strcmp(name, "spill");
	fake.syn_events += !strcmp(name, "syn_guard");
	if (!strcmp(name, "receipt"))
		lb_event_text(event, fake.receipt, sizeof(fake.receipt));
	if (!strcmp(name, "move")) {
		name = json_string_value(json_object_get(event, "state"));
		fake.moves_begun += !strcmp(name, "began");
		fake.moves_settled += !strcmp(name, "settled");
	}
}

void fake_open(uint32_t vips, uint32_t members, uint32_t slots, uint32_t buckets)
{
	memset(&fake, 0, sizeof(fake));
	timers = NULL;
	watches = NULL;
	fake.failing = fake.snapshot_at = -1;
	fake.events = events_new();
	events_add_listener(fake.events, on_event, NULL);
	fake.now_ns = 1000 * FAKE_SECOND;
	fake.wall_ns = 1700000000 * FAKE_SECOND;
	fake.config =
		(struct config){.vips = vips, .members = members, .slots = slots, .seed = {1, 2}};
	fake.left.slots = malloc(slots * sizeof(uint32_t));
	memset(fake.left.slots, 0xff, slots * sizeof(uint32_t));
	fake.left.pasts = malloc(slots * sizeof(uint32_t));
	memset(fake.left.pasts, 0xff, slots * sizeof(uint32_t));
	fake.left.vip_pools = malloc(vip_pools_bytes());
	memset(fake.left.vip_pools, 0xff, vip_pools_bytes());
	fake.left.members = calloc(1, members_bytes());
	fake.left.quic_vips = calloc(1, quic_vips_bytes());
	fake.left.quic_ids = calloc(1, quic_ids_bytes());
	fake.quic_counters = calloc(members_capacity(&fake.config), sizeof(*fake.quic_counters));
	fake.vip_counters = calloc(numbers_for_vips(vips), sizeof(*fake.vip_counters));
	fake.counters = calloc(members_capacity(&fake.config), sizeof(*fake.counters));
	fake.plane = (struct plane){
		.slots = fake.left.slots,
		.pasts = fake.left.pasts,
		.vip_pools = fake.left.vip_pools,
		.members = fake.left.members,
		.quic_vips = fake.left.quic_vips,
		.quic_ids = fake.left.quic_ids,
		.quic_lines = quic_lines(),
		.quic_vip_keys = calloc(numbers_for_vips(vips), sizeof(uint64_t)),
		.quic_keys = calloc(LB_QUIC_KEYS, sizeof(struct lb_quic_key)),
		.quic_counter = quic_counter,
		.quic_counts = quic_counts,
		.nexthops = calloc(LB_NEXTHOPS_MAX, sizeof(struct lb_nexthop)),
		.tuning = calloc(1, sizeof(struct lb_tuning)),
		.flows = calloc(buckets, sizeof(struct lb_flow_bucket)),
		.bucket_count = buckets,
		.vip_set = vip_set,
		.vip_del = vip_del,
		.each_vip = each_vip,
		.egress_set = egress_set,
		.counters = counters,
		.counters_reset = counters_reset,
		.vip_counters = vip_counters,
		.vip_counters_reset = vip_counters_reset,
		.flow_counts = flow_counts,
	};
	for (uint32_t i = 0; i < members_capacity(&fake.config); i++)
		fake.counters[i].packets = OTHERS;
	for (uint32_t i = 0; i < numbers_for_vips(vips); i++)
		fake.vip_counters[i].packets = OTHERS;
	json_set_alloc_funcs(__wrap_malloc, free);
}

void fake_close(void)
{
	fake_stop();
	left_clear(&fake.left);
	left_clear(&fake.snapshot);
	events_free(fake.events);
	free(fake.counters);
	free(fake.vip_counters);
	free(fake.quic_counters);
	free(fake.plane.quic_vip_keys);
	free(fake.plane.quic_keys);
	free(fake.plane.nexthops);
	free(fake.plane.tuning);
	free(fake.plane.flows);
}

void fake_reset(void)
{
	fake.left.entry_count = 0;
	memset(fake.left.slots, 0xff, fake.config.slots * sizeof(uint32_t));
	memset(fake.left.pasts, 0xff, fake.config.slots * sizeof(uint32_t));
	memset(fake.left.vip_pools, 0xff, vip_pools_bytes());
	memset(fake.left.members, 0, members_bytes());
	memset(fake.left.quic_vips, 0, quic_vips_bytes());
	memset(fake.left.quic_ids, 0, quic_ids_bytes());
	memset(fake.plane.flows, 0, fake.plane.bucket_count * sizeof(*fake.plane.flows));
	for (uint32_t i = 0; i < members_capacity(&fake.config); i++)
		fake.counters[i] = (struct lb_counter){0};
	fake.plane.adopted = false;
}

static struct lb_guard_vip guard_of(const void *user, const struct lb_endpoint *vip)
{
	const struct lb_guard_vip none = {0};

	(void)user;
	return fake.guard_port && fake.guard_port != vip->port ? none : fake.guard;
}

int fake_start(struct lb_err *err)
{
	const struct service_options options = {
		.config = &fake.config,
		.events = fake.events,
		.plane = fake.plane,
		.disk = &disk,
		.guard = guard_of,
		.timers =
			{
				.now_ns = now_ns,
				.add = timer_add,
				.set = timer_set,
				.stop = timer_stop,
				.pending = timer_pending,
				.free = timer_free,
			},
	};

	fake.plane.adopted = true; /* next time */
	return service_open(&options, &fake.service, err);
}

void fake_stop(void)
{
	service_close(fake.service);
	fake.service = NULL;
	assert_null(timers);
	assert_null(watches);
}

/* --- documents --- */

struct lb_service *fake_document(const char *text)
{
	const bool allocations_fail = fake.allocations_fail;
	struct lb_service *service;
	struct lb_err err;
	char *json = strdup(text);
	json_t *document;

	fake.allocations_fail = false;

	for (char *at = json; *at; at++)
		if (*at == '\'')
			*at = '"';
	document = json_loads(json, 0, NULL);
	assert_non_null(document);
	if (lb_service_from_json(document, &service, &err))
		fail_msg("%s: %s", err.path, err.message);
	json_decref(document);
	free(json);
	fake.allocations_fail = allocations_fail;
	return service;
}

int fake_apply(const char *text, const struct apply_options *options, struct lb_err *err)
{
	json_t *change = NULL;
	int error = service_apply(fake.service, fake_document(text), options, &change, err);

	json_decref(change);
	return error;
}

static char *text_of(const struct lb_service *document)
{
	json_t *json = lb_service_to_json(document);
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

	json_decref(json);
	assert_non_null(text);
	return text;
}

char *fake_text(void)
{
	return text_of(service_document(fake.service));
}

static void assert_same_document(const struct lb_service *a, const struct lb_service *b)
{
	char *one = text_of(a), *other = text_of(b);

	assert_string_equal(one, other);
	free(one);
	free(other);
}

/* --- do they agree? --- */

static void check_own_entry(const struct lb_vip *vip, const struct live_vip *live)
{
	const struct fake_entry *entry = entry_find(&vip->endpoint);
	struct lb_vip seen = {0};

	assert_non_null(entry);
	assert_int_not_equal(fake.vip_counters[live->number].packets, OTHERS);
	assert_int_equal(entry->value.number, live->number);
	assert_int_equal(entry->value.slots_start, live->table->start);
	assert_int_equal(fake.left.vip_pools[live->number] & (LB_POOL_NUMBERS_MAX - 1),
			 fake.service->live_pools[live->pool].number);
	assert_int_equal(entry->value.slots_size, live->table->slots.size);
	assert_true(entry->value.slots_size == vip->pool->table_size ||
		    live_has_left(live->table) || live->table->slots.resizes);
	assert_int_equal(entry_describe(entry->value.flags, &seen), 0);
	assert_int_equal(!!seen.quic_count, !!vip->quic_count);
	free(seen.quic);
	assert_int_equal(seen.hash, vip->hash);
	assert_int_equal(seen.fragments, vip->fragments);
}

/* An entry is somebody's own, or an address's, or that of fragments. */
static void check_entry(const struct fake_entry *entry)
{
	const struct service *service = fake.service;
	const struct lb_service *document = service->document;
	const struct lb_vip *owner = NULL;

	if (entry->value.flags & LB_VIP_ADDRESS_ONLY) {
		const size_t at = lb_service_first(document, &entry->endpoint);

		assert_true(at < document->vip_count);
		assert_true(lb_addr_equal(&document->vips[at].endpoint.address,
					  &entry->endpoint.address));
		assert_int_equal(document->vips[at].endpoint.host_bits, entry->endpoint.host_bits);
	} else if (entry->value.flags & LB_VIP_FRAGMENTS_ONLY) {
		owner = lb_service_fragments_owner(document, &entry->endpoint);
		assert_non_null(owner);
		assert_int_equal(entry->value.number, service->live[owner - document->vips].number);
		assert_int_equal(entry->value.slots_start,
				 service->live[owner - document->vips].table->start);
	} else {
		assert_non_null(lb_service_find_endpoint(document, &entry->endpoint));
	}
}

static void check_entries(void)
{
	const struct lb_service *document = fake.service->document;

	for (size_t i = 0; i < document->vip_count; i++) {
		const struct lb_vip *vip = &document->vips[i];
		const struct lb_endpoint address = {.address = vip->endpoint.address};
		struct lb_endpoint fragments = address;

		check_own_entry(vip, &fake.service->live[i]);
		assert_non_null(entry_find(&address));
		fragments.protocol = vip->endpoint.protocol;
		if (lb_service_fragments_owner(document, &vip->endpoint))
			assert_non_null(entry_find(&fragments));
	}
	for (size_t i = 0; i < fake.left.entry_count; i++)
		check_entry(&fake.left.entries[i]);
}

static void check_member(const struct lb_pool *pool, const struct live_pool *live, size_t i)
{
	const struct table_member *backend = &live->backends[i];
	const struct lb_member *entry = &fake.left.members[backend->number];
	const bool old = standing_keeps_old(pool, live->standings[i], live->use);
	uint32_t flags = LB_MEMBER_VALID;

	flags |= (backend->weight ? LB_MEMBER_NEW : 0) | (old ? LB_MEMBER_OLD : 0) |
		 (backend->address.family == 6 ? LB_MEMBER_OUTER6 : 0) |
		 (pool->encap == LB_ENCAP_GUE ? LB_MEMBER_GUE : 0) |
		 (pool->backends[i].second_chance ? LB_MEMBER_CHAIN : 0) |
		 (live->standings[i].is == STANDING_ILL ? LB_MEMBER_SICK : 0);
	assert_true(lb_addr_equal(&pool->backends[i].address, &backend->address));
	assert_int_equal(entry->flags & ~LB_MEMBER_OLDER, flags);
	assert_int_equal(entry->pool, live->number);
	assert_memory_equal(entry->daddr, backend->address.bytes, sizeof(entry->daddr));
	assert_int_equal(entry->path[LB_MEMBER_PATHS - 1],
			 nexthops_find(&nexthops_fake, &backend->address)->route.number);
	assert_int_not_equal(fake.counters[backend->number].packets, OTHERS);
}

/* Its server id leads to the member. */
static uint32_t check_quic_id(const struct lb_pool *pool, const struct live_pool *live, size_t i)
{
	const struct quic_ids ids = {fake.left.quic_ids, quic_lines()};
	const struct lb_quic_server_id *id = &pool->backends[i].quic_server_id;

	if (!id->length)
		return 0;
	assert_true(quic_ids_is(&ids, live->number, id, live->backends[i].number));
	return 1;
}

/* And no other one does. */
static void check_quic_ids(uint32_t expected)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < quic_lines(); i++)
		for (int way = 0; way < LB_QUIC_WAYS; way++)
			taken += (fake.left.quic_ids[i].id[way].whose & LB_QUIC_TAKEN) != 0;
	assert_int_equal(taken, expected);
}

/* A pool whose other next hops, or first results, are still waited for is marked to be weighed. */
static bool is_awaited(const struct live_pool *live)
{
	const int64_t now = clock_now_ms(fake.service);

	return live->reweigh && (now < live->ways_by_ms || now < live->round_ends_ms);
}

static void check_weights(const struct lb_pool *pool, const struct live_pool *live)
{
	uint32_t *weights = calloc(live->backend_count + 1, sizeof(*weights));
	const uint32_t kept = live->kept_until_ms ? live->use.last : 0;
	const struct standing_use use = standing_weigh(pool, live->standings, kept, weights);

	assert_int_equal(use.all, live->use.all);
	assert_true(is_awaited(live) || use.last == live->use.last);
	for (size_t i = 0; i < live->backend_count; i++)
		if (!is_awaited(live))
			assert_int_equal(live->backends[i].weight, weights[i]);
	free(weights);
}

/* Of a table of another size: any owner of the hashes of a slot, which is that of its middle until the
 * table is given up. */
static bool may_own(const struct lb_pool *pool, const struct live_table *table, uint32_t slot,
		    const uint16_t *owners, uint16_t owner)
{
	const uint64_t size = table->slots.size, other = pool->table_size;

	if (!table->slots.resizes)
		return owner == slots_owner(slot, size, (struct slots_owners){owners, other});
	for (uint64_t i = slot * other / size; i < other && i * size < (slot + 1) * other; i++)
		if (owners[i] == owner)
			return true;
	return false;
}

static bool is_backend(uint16_t number)
{
	const uint32_t flags =
		number < members_capacity(&fake.config) ? fake.left.members[number].flags : 0;

	return (flags & (LB_MEMBER_VALID | LB_MEMBER_GONE)) == LB_MEMBER_VALID;
}

/* Members that are there, none twice, none the owner, and none of a slot that is SETTLED. */
static void check_past(uint32_t word, uint32_t past)
{
	const uint16_t p0 = lb_past_at(past, 0), p1 = lb_past_at(past, 1);

	if (past == LB_PAST_NONE)
		return;
	assert_true(!lb_slot_is_settled(word) || lb_slot_current(word) == LB_NONE);
	assert_true(is_backend(p0) && (p1 == LB_NONE || is_backend(p1)));
	assert_true(p0 != p1 && p0 != lb_slot_current(word) && p1 != p0 &&
		    (p1 == LB_NONE || p1 != lb_slot_current(word)));
	if (!lb_slot_is_settled(word) && lb_slot_previous(word) != LB_NONE)
		assert_int_equal(p0, lb_slot_previous(word));
}

static void check_table(const struct lb_pool *pool, const struct live_pool *live,
			const struct live_table *table, bool *known)
{
	uint16_t *owners = malloc(pool->table_size * sizeof(*owners));
	uint32_t moving = 0, tracked = 0, wrong = 0;

	assert_int_equal(table_build(pool->table, live->backends, live->backend_count,
				     pool->table_size, fake.config.seed, owners),
			 0);
	for (uint32_t i = 0; i < table->slots.size; i++) {
		const uint32_t word = fake.left.slots[table->start + i];

		wrong += !may_own(pool, table, i, owners, lb_slot_current(word)) ||
			 known[table->start + i];
		if (!lb_slot_is_settled(word))
			lb_slot_previous(word) == LB_NONE ? tracked++ : moving++;
		known[table->start + i] = true;
		check_past(word, fake.left.pasts[table->start + i]);
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(table->slots.moving, moving);
	assert_int_equal(table->slots.tracked, tracked);
	free(owners);
}

static size_t check_watches(const struct lb_pool *pool, const struct live_pool *live)
{
	size_t checked = 0;

	for (size_t i = 0; i < live->backend_count; i++)
		if (fake.service->checks[live->backends[i].number].watch)
			checked++;
	assert_int_equal(checked, pool->health.kind == LB_HEALTH_NONE ? 0 : live->backend_count);
	return checked;
}

/* What belongs to nobody: slots without an owner, and members that end. */
static void check_rest(const bool *known, size_t used)
{
	const uint32_t capacity = members_capacity(&fake.config);
	uint32_t valid = 0, gone = 0, owned = 0, i;

	for (i = 0; i < fake.config.slots; i++)
		owned += !known[i] &&
			 (fake.left.slots[i] != UINT32_MAX || fake.left.pasts[i] != LB_PAST_NONE);
	assert_true(!owned || fake.slots_left);
	for (i = 0; i < capacity; i++) {
		valid += (fake.left.members[i].flags & LB_MEMBER_VALID) != 0;
		gone += (fake.left.members[i].flags & LB_MEMBER_GONE) != 0;
	}
	assert_int_equal(gone, sweep_gone(fake.service->sweep));
	assert_int_equal(valid, used + gone);
}

static void check_sums(void)
{
	static const struct slots_census nobody;
	const struct service *service = fake.service;
	uint32_t slots = 0, backends = 0, idle = 0;

	for (size_t i = 0; i < service->pools.count; i++) {
		const struct live_pool *live = &service->live_pools[i];

		for (size_t n = 0; n < live_tables(live); n++)
			slots += live_table(live, n) ? live_table(live, n)->slots.size : 0;
		backends += service->pools.refs[i].pool->backend_count;
		if (service->pools.refs[i].pool->flow_idle_s > idle)
			idle = service->pools.refs[i].pool->flow_idle_s;
	}
	assert_int_equal(numbers_used(service->vip_numbers), service->document->vip_count);
	assert_int_equal(numbers_used(service->pool_numbers), service->pools.count);
	assert_int_equal(ranges_used(service->slot_ranges), slots);
	assert_int_equal(service->backend_count, backends);
	assert_int_equal(fake.plane.tuning->flow_idle, sweep_units(idle));
	assert_memory_equal(&service->census, &nobody, sizeof(nobody));
}

static uint32_t addresses_of(const struct pools *pools)
{
	struct lb_addr seen[WATCHED_MAX];
	uint32_t count = 0, k;

	for (size_t i = 0; i < pools->count; i++)
		for (size_t j = 0; j < pools->refs[i].pool->backend_count; j++) {
			const struct lb_addr *address = &pools->refs[i].pool->backends[j].address;

			for (k = 0; k < count && !lb_addr_equal(&seen[k], address); k++)
				;
			if (k == count)
				seen[count++] = *address;
		}
	return count;
}

static void check_disk(void)
{
	const struct lb_service *waiting = fake.service->revert.document;

	assert_non_null(fake.left.document);
	assert_same_document(fake.left.document, fake.service->document);
	assert_int_equal(!waiting, !fake.left.revert.document);
	if (waiting)
		assert_same_document(fake.left.revert.document, waiting);
}

void fake_check(bool saved)
{
	const struct service *service = fake.service;
	bool *known = calloc(fake.config.slots, sizeof(*known));
	size_t used = 0, checked = 0;
	uint32_t ids = 0;

	check_entries();
	for (size_t i = 0; i < service->pools.count; i++) {
		const struct lb_pool *pool = service->pools.refs[i].pool;
		const struct live_pool *live = &service->live_pools[i];

		assert_int_equal(live->backend_count, pool->backend_count);
		for (size_t j = 0; j < live->backend_count; j++)
			check_member(pool, live, j);
		for (size_t j = 0; j < live->backend_count; j++)
			ids += check_quic_id(pool, live, j);
		check_weights(pool, live);
		for (size_t n = 0; n < live_tables(live); n++)
			if (live_table(live, n))
				check_table(pool, live, live_table(live, n), known);
		checked += check_watches(pool, live);
		used += live->backend_count;
	}
	check_rest(known, used);
	check_quic_ids(ids);
	check_sums();
	assert_int_equal(fake.watched, addresses_of(&service->pools));
	assert_int_equal(fake_watches(), checked);
	if (saved)
		check_disk();
	free(known);
}

void fake_check_empty(void)
{
	const uint32_t capacity = members_capacity(&fake.config);
	uint16_t number;
	uint32_t taken = 0;

	assert_int_equal(fake.service->document->vip_count, 0);
	fake_check(true);
	assert_int_equal(fake.left.entry_count, 0);
	assert_false(fake.service->flows_possible);
	while (!members_take(fake.service->members, &number, NULL))
		taken++;
	assert_int_equal(taken, capacity);
	while (taken--)
		members_free_number(fake.service->members, taken);
}
