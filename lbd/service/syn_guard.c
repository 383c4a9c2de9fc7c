/* SPDX-License-Identifier: BSD-2-Clause */
/* Of which VIPs does the program answer SYNs, and with which secret?
 *
 * A VIP has two rules. OPENS comes first and goes last: an ACK may bring a cookie for as long as one lives, after
 * the last SYN was answered. ANSWER is there while somebody takes new flows. Once a second it is looked whether
 * somebody does, and what MSS the ways to them allow. With `auto` it is looked four times a second, also how many
 * SYNs have come; OPENS stays meanwhile, since another node may answer what this one forwards.
 *
 * The secret is read when a document needs it first, and again when lbd is told to (SIGHUP, config.reload): an
 * operator changes the file at many hosts, and says when all have it.
 */
#include "syn_guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/clock.h"
#include "../api/guard_secret.h"
#include "../host/log.h"
#include "../host/events.h"
#include "entry.h"
#include "facts.h"
#include "live.h"
#include "syn_auto.h"
#include "syn_ready.h"

#define LOOK_MS 1000
#define LOOK_AUTO_MS 250
#define COOKIE_LIFE_MS 206000 /* one and a half epochs, and a tick (bpf/syn_cookie.h) */
#define MSS_MIN 536
#define TAKES_NONE 0

struct syn_vip {
	bool seen;        /* by the pass under way */
	int64_t until_ms; /* it opens flows until then; 0: no end */
	int64_t since_ms; /* SYNs are answered since then, or are not; by the wall clock */
	/* With `auto`: how many SYNs had come by then; 0 ms: not looked yet. */
	struct syn_auto automatic;
	uint64_t syns, rate;
	int64_t syns_ms;
};

struct syn_guard {
	struct chore look;
	bool in_use;
	bool read_again;
	bool any_auto;
	struct guard_secret secret;
	uint32_t room;
	struct syn_vip *vips; /* by VIP number */
	char fault[FAULT_TEXT];
};

static bool has_guard(const struct lb_vip *vip)
{
	return vip->syn_guard;
}

/* --- the secret --- */

static bool is_written(const struct lb_guard_secret *to, const struct guard_secret *secret)
{
	bool same = lb_guard_keys(to->now) == secret->count;

	for (uint32_t i = 0; same && i < secret->count; i++)
		same = !memcmp(to->key[lb_guard_key(to->now, i)], secret->key[i],
			       sizeof(secret->key[i]));
	return same;
}

/* Packets use those of `now`: two others are written. */
static void write_secret(struct service *service)
{
	struct lb_guard_secret *to = service->plane.guard_secret(service->plane.datapath);
	const struct guard_secret *secret = &service->syn_guard->secret;
	uint32_t place[GUARD_SECRETS], n = 0;

	if (is_written(to, secret))
		return;
	for (uint32_t i = 0; n < GUARD_SECRETS; i++)
		if (i != lb_guard_key(to->now, 0) && i != lb_guard_key(to->now, 1))
			place[n++] = i;
	for (uint32_t i = 0; i < secret->count; i++)
		memcpy(to->key[place[i]], secret->key[i], sizeof(secret->key[i]));
	__atomic_store_n(&to->now, lb_guard_now(place[0], place[1], secret->count),
			 __ATOMIC_RELEASE);
}

static int read_secret(struct service *service, struct lb_err *err)
{
	const char *path = service->config->guard_secret;
	struct guard_secret fresh;
	int error;

	if (!*path) {
		lb_err_set(err, LB_ERR_REFUSED, "", "lbd.json has no guard_secret");
		return lb_err_hint(err, "syn_guard always needs one: set guard_secret to a file of "
					"32 hex digits that backends have as well, and restart "
					"lbd");
	}
	worker_leave();
	error = guard_secret_read(path, &fresh, err);
	worker_enter();
	if (!error)
		service->syn_guard->secret = fresh;
	return error;
}

/* --- before a change --- */

static int make_ready(struct service *service, bool dry_run, struct lb_err *err)
{
	struct syn_guard *guard = service->syn_guard;
	int error = 0;

	if (guard->read_again || !guard->secret.count)
		error = read_secret(service, err);
	if (!dry_run)
		guard->read_again = false;
	if (error && !guard->secret.count)
		return error;
	if (error)
		log_line(LOG_LEVEL_WARNING, "the secret of the SYN guard stays as it is: %s",
			 err->message);
	if (dry_run)
		return 0;
	if (service->plane.syn_use(service->plane.datapath, err))
		return -EIO;
	guard->in_use = true;
	write_secret(service);
	return 0;
}

/* A VIP that is in force without the guard, for want of a secret, stops no change of anything else. */
int syn_guard_prepare(struct service *service, const struct lb_service *document, bool given,
		      bool dry_run, struct lb_err *err)
{
	struct syn_guard *guard = service->syn_guard;
	struct lb_err inner = {0};
	int error;

	if (!service->plane.syn_use || !lb_service_wants(document, has_guard)) {
		if (!dry_run)
			*guard->fault = 0;
		return 0;
	}
	error = make_ready(service, dry_run, &inner);
	if (!error && !dry_run)
		*guard->fault = 0;
	if (error && (given || !lb_service_brings(document, service->document, has_guard))) {
		fault_keep(service, guard->fault, "syn_guard", inner.message);
		return 0;
	}
	if (error)
		*err = inner;
	return error;
}

/* --- after it --- */

/* What SYN-ACKs of the VIP may say; TAKES_NONE: none of its backends can take a flow now. */
static uint32_t mss_of(const struct service *service, const struct lb_vip *vip)
{
	const uint32_t headers = (vip->endpoint.address.family == 4 ? 20 : 40) + 20;
	const struct live_pool *live = live_pool_of(service, vip);
	uint32_t least = UINT16_MAX;
	bool any = false;

	for (size_t i = 0; i < live->backend_count; i++) {
		const struct table_member *backend = &live->backends[i];
		const uint32_t mtu =
			backend->weight ? members_inner_mtu(service->members, backend->number) : 0;

		any = any || mtu;
		if (mtu && mtu < least)
			least = mtu;
	}
	if (!any)
		return TAKES_NONE;
	return least < MSS_MIN + headers ? MSS_MIN : least - headers;
}

static struct lb_guard_vip *rules_of(const struct service *service, uint32_t number)
{
	return &service->plane.guard_vips(service->plane.datapath)[number];
}

/* One rule, or several. */
static void set_rule(struct lb_guard_vip *rules, uint32_t rule, bool on)
{
	entry_rules(rules, rule, on ? rule : 0);
}

static void tell_auto(const struct service *service, const struct lb_vip *vip,
		      const struct syn_vip *known)
{
	events_emit(service->events,
		    json_pack("{s:s, s:s, s:s, s:I, s:I}", "event", "syn_guard", "vip", vip->name,
			      "state", known->automatic.on ? "on" : "off", "syns_per_s",
			      (json_int_t)known->rate, "above", (json_int_t)vip->syn_guard));
}

/* Whether so many come by now that they are answered. */
static bool is_flooded(struct service *service, const struct lb_vip *vip, uint32_t number)
{
	struct syn_vip *known = &service->syn_guard->vips[number];
	const int64_t now = clock_now_ms(service), passed = now - known->syns_ms;
	struct lb_guard_syns counts;

	if (passed < LOOK_AUTO_MS / 2)
		return known->automatic.on;
	if (service->plane.syn_counts(service->plane.datapath, number, &counts))
		counts.seen = known->syns;
	known->rate = known->syns_ms && counts.seen > known->syns
			      ? (counts.seen - known->syns) * 1000 / passed
			      : 0;
	known->syns = counts.seen;
	known->syns_ms = now;
	if (syn_auto_step(&known->automatic, vip->syn_guard, known->rate, now))
		tell_auto(service, vip, known);
	return known->automatic.on;
}

static bool is_to_answer(struct service *service, const struct lb_vip *vip, uint32_t number)
{
	if (vip->syn_guard == LB_SYN_GUARD_ALWAYS) {
		service->syn_guard->vips[number].automatic = (struct syn_auto){0};
		return true;
	}
	service->syn_guard->any_auto = true;
	return is_flooded(service, vip, number);
}

/* One of which nothing is known yet stands in the way of the first answer, not of further ones. */
static bool are_ready(struct service *service, const struct lb_vip *vip,
		      const struct lb_guard_vip *rules)
{
	switch (syn_ready_vip(service, vip)) {
	case SYN_READY_NOT:
		return false;
	case SYN_READY_UNKNOWN:
		return rules->rules & LB_GUARD_SYN_ANSWER;
	case SYN_READY:
		break;
	}
	return true;
}

static void set_answers(struct syn_vip *known, struct lb_guard_vip *rules, bool answers)
{
	const bool before = rules->rules & LB_GUARD_SYN_ANSWER;

	if (!known->since_ms || before != answers)
		known->since_ms = (int64_t)(lb_clock_ns(CLOCK_REALTIME) / 1000000);
	set_rule(rules, LB_GUARD_SYN_ANSWER, answers);
}

static void guard_vip(struct service *service, const struct lb_vip *vip, uint32_t number)
{
	struct lb_guard_vip *rules = rules_of(service, number);
	struct syn_vip *known = &service->syn_guard->vips[number];
	const uint32_t mss = mss_of(service, vip);
	bool ready, wanted;

	if (!service->syn_opens[number]) {
		*known = (struct syn_vip){0};
		service->plane.syn_counts_reset(service->plane.datapath, number);
	}
	service->syn_opens[number] = true;
	known->seen = true;
	known->until_ms = 0;
	set_rule(rules, LB_GUARD_SYN_OPENS | LB_GUARD_SYN_COUNT, true);
	if (mss != TAKES_NONE)
		__atomic_store_n(&rules->syn_mss, mss, __ATOMIC_RELEASE);
	ready = are_ready(service, vip, rules);
	wanted = is_to_answer(service, vip, number);
	set_answers(known, rules, wanted && ready && mss != TAKES_NONE);
}

/* Of a VIP that is switched off; false: the last cookie is too old by now. */
static bool still_opens(struct service *service, uint32_t number)
{
	struct syn_vip *known = &service->syn_guard->vips[number];
	const int64_t now = clock_now_ms(service);

	set_answers(known, rules_of(service, number), false);
	set_rule(rules_of(service, number), LB_GUARD_SYN_COUNT, false);
	known->automatic = (struct syn_auto){0};
	if (!known->until_ms)
		known->until_ms = now + COOKIE_LIFE_MS;
	return now < known->until_ms;
}

static void leave(struct service *service, uint32_t number)
{
	set_rule(rules_of(service, number),
		 LB_GUARD_SYN_ANSWER | LB_GUARD_SYN_COUNT | LB_GUARD_SYN_OPENS, false);
	service->syn_guard->vips[number] = (struct syn_vip){0};
	service->syn_opens[number] = false;
}

static void follow_vip(struct service *service, size_t i)
{
	const struct lb_vip *vip = &service->document->vips[i];
	const uint32_t number = service->live[i].number;
	struct syn_guard *guard = service->syn_guard;

	if (vip->syn_guard) {
		guard_vip(service, vip, number);
	} else if (service->syn_opens[number]) {
		guard->vips[number].seen = still_opens(service, number);
		if (guard->vips[number].seen)
			return;
		leave(service, number);
		entry_again(service, vip, &service->live[i]);
	}
}

void syn_guard_follow(struct service *service)
{
	struct syn_guard *guard = service->syn_guard;
	bool any = false;

	if (!guard->in_use)
		return;
	guard->any_auto = false;
	for (size_t i = 0; i < service->document->vip_count; i++)
		follow_vip(service, i);
	for (uint32_t number = 0; number < guard->room; number++) {
		if (service->syn_opens[number] && !guard->vips[number].seen)
			leave(service, number);
		any = any || service->syn_opens[number];
		guard->vips[number].seen = false;
	}
	syn_ready_pass_ends(service);
	if (any) {
		if (!chore_pending(&guard->look))
			chore_set(&guard->look, guard->any_auto ? LOOK_AUTO_MS : LOOK_MS);
		return;
	}
	chore_stop(&guard->look);
	guard->in_use = false;
	guard->secret.count = 0; /* who switches it on again reads the file again */
	service->plane.syn_drop(service->plane.datapath);
}

/* By who makes changes: none is under way. */
static void on_look(void *user)
{
	struct service *service = user;

	if (service->syn_guard->read_again)
		syn_guard_prepare(service, service->document, true, false, NULL);
	syn_guard_follow(service);
}

void service_guard_secret(struct service *service)
{
	service->syn_guard->read_again = true;
	chore_set(&service->syn_guard->look, 0);
}

/* --- what is told --- */

json_t *syn_guard_state(struct service *service, const struct lb_vip *vip)
{
	const uint32_t number = live_of(service, vip)->number;
	const struct syn_vip *known = &service->syn_guard->vips[number];
	const struct lb_guard_vip *rules;
	struct lb_guard_syns counts;
	char since[EVENTS_TIME_TEXT];
	json_t *state, *lacking = vip->syn_guard ? syn_ready_lacking(service, vip) : NULL;

	if (!service->syn_guard->in_use || !service->syn_opens[number]) {
		json_decref(lacking);
		return NULL;
	}
	rules = rules_of(service, number);
	service->plane.syn_counts(service->plane.datapath, number, &counts);
	state = json_pack("{s:b,s:s,s:i,s:I,s:I}", "answers",
			  rules->rules & LB_GUARD_SYN_ANSWER ? 1 : 0, "since",
			  events_time_ms(known->since_ms, since), "mss", (int)rules->syn_mss,
			  "syns", (json_int_t)counts.seen, "answered", (json_int_t)counts.answered);
	if (vip->syn_guard && vip->syn_guard != LB_SYN_GUARD_ALWAYS)
		json_object_set_new(state, "syns_per_s", json_integer((json_int_t)known->rate));
	if (lacking)
		json_object_set_new(state, "not_ready", lacking);
	return state;
}

json_t *service_guard_secret_state(const struct service *service)
{
	const struct syn_guard *guard = service->syn_guard;

	if (!*service->config->guard_secret)
		return NULL;
	return json_pack("{s:i, s:s*}", "keys", (int)guard->secret.count, "fault",
			 *guard->fault ? guard->fault : NULL);
}

bool service_vip_syns(struct service *service, const struct lb_vip *vip, struct lb_guard_syns *out,
		      bool *answers)
{
	const uint32_t number = live_of(service, vip)->number;

	if (!service->syn_guard->in_use || !service->syn_opens[number])
		return false;
	*answers = rules_of(service, number)->rules & LB_GUARD_SYN_ANSWER;
	return !service->plane.syn_counts(service->plane.datapath, number, out);
}

/* Of the first. */
static const char *text_of(const json_t *list, const char *name)
{
	return json_string_value(json_object_get(json_array_get(list, 0), name));
}

static void warn_of_backends(const struct service *service, const struct lb_vip *vip,
			     json_t *warnings)
{
	json_auto_t *lacking = syn_ready_lacking(service, vip);

	if (lacking)
		json_array_append_new(
			warnings,
			json_sprintf(
				"the SYN guard answers no SYNs of VIP %s: backend %s makes no "
				"connections from cookies (%s); see \"lbd-backend check\" there",
				vip->name, text_of(lacking, "address"),
				text_of(lacking, "reason")));
}

void syn_guard_warnings(const struct service *service, json_t *warnings)
{
	const struct lb_service *document = service->document;

	for (size_t i = 0; service->syn_guard->in_use && i < document->vip_count; i++)
		if (document->vips[i].syn_guard)
			warn_of_backends(service, &document->vips[i], warnings);
	if (*service->syn_guard->fault)
		json_array_append_new(warnings, json_sprintf("the SYN guard answers no SYNs: %s",
							     service->syn_guard->fault));
}

/* --- life --- */

static void on_news(struct service *service)
{
	if (service->syn_guard->in_use)
		chore_set(&service->syn_guard->look, 0);
}

int syn_guard_open(struct service *service, const struct service_options *from, struct lb_err *err)
{
	struct syn_guard *guard = service->syn_guard = calloc(1, sizeof(*guard));

	if (!guard)
		return lb_err_no_memory(err);
	guard->room = place_numbers(service->config);
	guard->vips = calloc(guard->room, sizeof(*guard->vips));
	service->syn_opens = calloc(guard->room, sizeof(*service->syn_opens));
	if (!guard->vips || !service->syn_opens ||
	    chore_open(&guard->look, &service->timers, &service->changes, "SYN guard", on_look,
		       service))
		return lb_err_no_memory(err);
	return syn_ready_open(service, from, &guard->secret, on_news, err);
}

void syn_guard_close(struct service *service)
{
	struct syn_guard *guard = service->syn_guard;

	if (!guard)
		return;
	syn_ready_close(service);
	chore_close(&guard->look);
	free(service->syn_opens);
	free(guard->vips);
	free(guard);
}
