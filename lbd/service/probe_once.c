/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a backend answer a check now, and if it does not, how far do packets come?
 *
 * An engine of its own makes the checks, so nothing that is known of the backend's health changes.
 * Through the tunnel they go by a member number of their own: so the backend need not be in the pool,
 * and a change meanwhile does not matter. What is shared is read and changed with the turn, before
 * and after; the checks themselves run beside the loop.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/tunnel.h"
#include "../health/probe.h"
#include "../health/refusal.h"
#include "live.h"

#define TIMEOUT_MAX_MS 5000
#define WAY_MS 1000 /* for the next hop of an address that nobody has followed so far */
#define LOOK_MS 50
#define ATTEMPTS_MAX 4

/* One check of the backend. */
struct attempt {
	enum lb_health_source source;
	bool full_mtu;
	bool own; /* through the tunnel, but to the backend's own address inside */
	struct health_watch *watch;
	struct health_view view;
	struct health_seen seen;
	enum health_outcome outcome;
};

struct once {
	struct probing probing; /* what others see of it */
	struct service *service;
	struct lb_endpoint vip;
	struct lb_health check; /* a copy */
	bool checked;           /* the pool has it; else the check is one that we think of */
	bool in_pool, gue;
	uint8_t family; /* of the VIPs */
	bool taken;     /* `number` */
	uint16_t number;
	uint32_t mtu; /* of packets in the tunnel */
	struct attempt attempts[ATTEMPTS_MAX];
	size_t count, begun, ended;
	struct event_base *base;
};

/* --- before: with the turn --- */

/* The VIP itself is asked, as clients ask it. */
static bool is_of_client(const struct once *once)
{
	return lb_addr_equal(&once->probing.backend, &once->vip.address);
}

/* The pool's check, or a connection where it has none. */
static int take_check(struct once *once, const struct lb_vip *vip, struct lb_err *err)
{
	struct lb_health *check = &once->check;

	once->checked = vip->pool->health.kind != LB_HEALTH_NONE && !is_of_client(once);
	if (once->checked) {
		if (schema_copy(&lb_health_schema, &vip->pool->health, check))
			return lb_err_no_memory(err);
	} else if (vip->endpoint.protocol == IPPROTO_TCP && lb_health_port(check, &vip->endpoint)) {
		*check = (struct lb_health){.kind = LB_HEALTH_TCP,
					    .interval_ms = LB_HEALTH_INTERVAL_MS,
					    .timeout_ms = LB_HEALTH_TIMEOUT_MS,
					    .rise = 1,
					    .fall = 1};
	} else {
		lb_err_set(
			err, LB_ERR_REFUSED, "vip",
			"%s %s has no health check, and only a TCP port can be asked without one",
			lb_pool_word(vip->pool), vip->pool->name);
		return lb_err_hint(err, "give it a check: lbctl help %s set",
				   lb_pool_field(vip->pool));
	}
	if (check->timeout_ms > TIMEOUT_MAX_MS)
		check->timeout_ms = TIMEOUT_MAX_MS;
	return 0;
}

static void plan(struct once *once, enum lb_health_source source, bool full_mtu)
{
	once->attempts[once->count++] = (struct attempt){.source = source, .full_mtu = full_mtu};
}

/* A packet of the first check has got no answer at all. */
static bool is_silent(const struct once *once)
{
	const struct attempt *first = &once->attempts[0];

	return once->taken && !once->probing.refusal && first->outcome == HEALTH_FAILURE &&
	       !strncmp(first->view.error, "no ", 3);
}

/* What takes the outer header off, but lacks the VIP's address, answers to its own. */
static bool plan_own(struct once *once)
{
	if (!is_silent(once) ||
	    tunnels_check(once->service->tunnels, once->number, &once->probing.backend))
		return false;
	plan(once, LB_HEALTH_TUNNEL, false);
	once->attempts[once->count - 1].own = true;
	return true;
}

/* By the way of the check in small and in large packets; and beside the tunnel. */
static void plan_all(struct once *once)
{
	const enum lb_health_kind kind = once->check.kind;

	plan(once, once->check.source, false);
	if (kind == LB_HEALTH_HTTP || kind == LB_HEALTH_UDP)
		plan(once, once->check.source, true);
	if (once->check.source == LB_HEALTH_TUNNEL)
		plan(once, LB_HEALTH_DIRECT, false);
}

static void await_way(const struct once *once)
{
	const int64_t until_ms = clock_now_ms(once->service) + WAY_MS;

	while (!members_reachable(once->service->members, once->number) &&
	       clock_now_ms(once->service) < until_ms && worker_is_one())
		worker_pause();
}

static int enter_tunnel(struct once *once, struct lb_err *err)
{
	struct service *service = once->service;
	int error = tunnels_start(service->tunnels, err);

	if (!error)
		error = members_take(service->members, &once->number, err);
	if (error)
		return error;
	once->taken = true;
	error = members_add_own(service->members, once->number, &once->probing.backend, err);
	if (error)
		return error;
	members_set_encap(service->members, once->number, once->gue, once->family);
	if (tunnels_check(service->tunnels, once->number, &once->vip.address))
		return lb_err_set(err, LB_ERR_SYSTEM, "",
				  "the kernel refuses an entry for a tunnel check");
	await_way(once);
	once->mtu = members_inner_mtu(service->members, once->number);
	return 0;
}

/* --- the checks, without the turn --- */

static void on_changed(void *user, void *owner, const struct health_view *view)
{
	(void)user;
	(void)owner;
	(void)view;
}

static void on_ended(void *user, void *owner, enum health_outcome outcome, int64_t duration_us)
{
	struct once *once = user;
	struct attempt *attempt = owner;

	(void)duration_us;
	attempt->outcome = outcome;
	if (++once->ended == once->count)
		event_base_loopbreak(once->base);
}

static uint32_t tunnel_mtu(void *user, void *owner)
{
	const struct once *once = user;

	(void)owner;
	return once->mtu;
}

/* lbd ends: so does the probe. */
static void on_look(evutil_socket_t fd, short events, void *user)
{
	const struct once *once = user;

	(void)fd;
	(void)events;
	if (worker_is_closing())
		event_base_loopbreak(once->base);
}

static bool begin(struct once *once, struct health *health, struct attempt *attempt)
{
	struct lb_health check = once->check;
	struct health_target target = {
		.vip = once->vip,
		.backend = once->probing.backend,
		.check = &check,
		.mark = LB_TUNNEL_MARK | once->number,
		.seen = &attempt->seen,
	};

	if (attempt->own)
		target.vip.address = once->probing.backend;
	check.source = attempt->source;
	check.full_mtu = attempt->full_mtu;
	check.interval_ms = LB_HEALTH_INTERVAL_MAX_MS; /* only the first is made */
	attempt->outcome = HEALTH_NOT_MADE;
	attempt->watch = health_add(health, &target, attempt);
	return attempt->watch;
}

static int check_all(struct once *once, struct health *health)
{
	const struct timeval interval = {.tv_usec = LOOK_MS * 1000};
	struct event *look = event_new(once->base, -1, EV_PERSIST, on_look, once);
	bool ready = look && !event_add(look, &interval);
	size_t i;

	for (i = once->begun; ready && i < once->count; i++)
		ready = begin(once, health, &once->attempts[i]);
	if (ready)
		event_base_dispatch(once->base);
	for (i = once->begun; ready && i < once->count; i++)
		health_get(once->attempts[i].watch, &once->attempts[i].view);
	once->begun = once->count;
	if (look)
		event_free(look);
	return ready ? 0 : -ENOMEM;
}

/* Those that are planned and not made yet. */
static int run(struct once *once, struct lb_err *err)
{
	const struct health_options options = {
		.changed = on_changed,
		.ended = on_ended,
		.tunnel_mtu = tunnel_mtu,
		.user = once,
		.exec_rights = &once->service->exec_rights,
	};
	struct health *health = NULL;
	int error = -ENOMEM;

	worker_leave();
	once->base = event_base_new();
	if (once->base)
		health = health_new(once->base, &options);
	if (health)
		error = check_all(once, health);
	health_free(health);
	if (once->base)
		event_base_free(once->base);
	worker_enter();
	return error ? lb_err_no_memory(err) : 0;
}

/* --- what is said of it --- */

static json_t *address_json(const struct lb_addr *address)
{
	char text[LB_ADDR_TEXT];

	return json_string(address->family ? lb_addr_format(address, text) : "");
}

static json_t *icmp_json(const struct health_seen *seen)
{
	json_t *array = seen->icmp_count ? json_array() : NULL;

	for (size_t i = 0; i < seen->icmp_count; i++)
		json_array_append_new(array,
				      json_pack("{s:o, s:i, s:i}", "from",
						address_json(&seen->icmp[i].from), "type",
						seen->icmp[i].type, "code", seen->icmp[i].code));
	return array;
}

static json_t *attempt_json(const struct attempt *attempt)
{
	static const char *const outcomes[] = {
		[HEALTH_SUCCESS] = "success",
		[HEALTH_FAILURE] = "failure",
		[HEALTH_NOT_MADE] = "not_made",
	};
	const struct health_seen *seen = &attempt->seen;
	json_t *object =
		json_pack("{s:s, s:b, s:s}", "source",
			  attempt->source == LB_HEALTH_TUNNEL ? "tunnel" : "direct", "full_mtu",
			  attempt->full_mtu, "outcome", outcomes[attempt->outcome]);

	if (attempt->own)
		json_object_set_new(object, "own_address", json_true());
	if (attempt->outcome != HEALTH_SUCCESS)
		json_object_set_new(object, "error", json_string(attempt->view.error));
	if (attempt->view.duration_us >= 0)
		json_object_set_new(object, "duration_us", json_integer(attempt->view.duration_us));
	if (seen->began_us && seen->connect_us >= 0)
		json_object_set_new(object, "connect_us", json_integer(seen->connect_us));
	if (seen->status)
		json_object_set_new(object, "status", json_integer(seen->status));
	if (*seen->answer)
		json_object_set_new(object, "answer", json_string(seen->answer));
	if (seen->icmp_count)
		json_object_set_new(object, "icmp", icmp_json(seen));
	return object;
}

static bool is_healthy(const struct once *once)
{
	for (size_t i = 0; i < once->count; i++)
		if (once->attempts[i].source == once->check.source && !once->attempts[i].own &&
		    once->attempts[i].outcome != HEALTH_SUCCESS)
			return false;
	return true;
}

static json_t *once_json(const struct once *once)
{
	char vip[LB_ENDPOINT_TEXT], refusal[HEALTH_ERROR_TEXT];
	const struct service *service = once->service;
	json_t *attempts = json_array();

	for (size_t i = 0; i < once->count; i++)
		json_array_append_new(attempts, attempt_json(&once->attempts[i]));
	health_refusal_text(once->probing.refusal, &once->vip.address, &once->probing.backend,
			    refusal, sizeof(refusal));
	return json_pack("{s:s, s:o, s:b, s:o, s:b, s:b, s:o*, s:s*, s:o}", "vip",
			 lb_endpoint_format(&once->vip, vip), "address",
			 address_json(&once->probing.backend), "in_pool", once->in_pool, "check",
			 schema_write(&lb_health_schema, &once->check), "configured", once->checked,
			 "healthy", is_healthy(once), "next_hop",
			 once->taken ? members_next_hop(service->members, once->number) : NULL,
			 "refused", *refusal ? refusal : NULL, "attempts", attempts);
}

/* --- */

/* What the probe alone needed ends. A change under way sees to the tunnel at its end. */
static void leave(struct once *once)
{
	struct service *service = once->service;

	LIST_REMOVE(&once->probing, entry);
	if (once->taken) {
		members_retire(service->members, once->number);
		members_free_number(service->members, once->number);
	}
	if (once->check.source == LB_HEALTH_TUNNEL && !service->changing)
		checks_settle(service);
	schema_clear(&lb_health_schema, &once->check);
}

int service_probe(struct service *service, const struct lb_vip *vip, const struct lb_addr *backend,
		  json_t **result, struct lb_err *err)
{
	struct once once = {
		.service = service,
		.vip = lb_endpoint_checked(&vip->endpoint),
		.probing.backend = *backend,
		.in_pool = lb_pool_find_backend(vip->pool, backend),
		.gue = vip->pool->encap == LB_ENCAP_GUE,
		.family = vip->endpoint.address.family,
	};
	int error = take_check(&once, vip, err);

	if (error)
		return error;
	once.probing.tunnel = once.check.source == LB_HEALTH_TUNNEL;
	LIST_INSERT_HEAD(&service->probings, &once.probing, entry);
	plan_all(&once);
	if (once.check.source == LB_HEALTH_TUNNEL)
		error = enter_tunnel(&once, err);
	if (!error)
		error = run(&once, err);
	if (!error && plan_own(&once))
		error = run(&once, err);
	if (!error)
		*result = once_json(&once);
	leave(&once);
	return error;
}
