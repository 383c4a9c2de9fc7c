/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a node follow its tier?
 *
 * Once a second (interval_s) etcd is asked which revision is published; a node that has another one
 * applies it. A question each time, and no watch: nothing is missed by a connection that has died
 * silently, by compaction or by a watch that etcd has cancelled, and an etcd that went back in time is
 * seen as such. That a revision is applied once, whole, and never an older one after it, is seen to
 * by lbd itself, which keeps its number with the document. Without etcd nothing is done. */
#include "follow.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "../../lbd/api/clock.h"
#include "../../lbd/api/rpc.h"
#include "../client.h"
#include "../units.h"
#include "etcd.h"
#include "node.h"
#include "release.h"
#include "views.h"

#define PAUSE_MAX_S 30     /* between attempts while etcd does not answer */
#define AGAIN_MS 30000     /* what lbd has refused is tried again */
#define REMIND_MS 600000   /* that etcd does not answer is said again */
#define REPORTS_OF_LEASE 3 /* so many in the time that a lease lives */

struct follower {
	const struct tier_config *config;
	struct etcd *etcd;
	int64_t lease; /* 0: none */

	/* lbd, as it was seen last */
	bool seen, known;            /* ever; now */
	struct node_lbd lbd, before; /* before: when the revision came into force */
	int64_t since_ms;            /* the revision is in force, and lbd answers */
	struct node_rate rate;
	json_t *node;
	char lbd_fault[256];

	/* what came of the last release */
	uint32_t refused;
	char refusal[256], alarm[160], older[200], waits[RELEASE_WHY];
	char fault[256]; /* of the release: why it is none */
	char twin[256];  /* another process has the name of this node */
	int64_t again_ms;

	bool changed;               /* something that the others should know at once */
	int64_t report_ms;          /* when the next report is due */
	int64_t lost_ms, remind_ms; /* etcd; 0: it answers */
	unsigned int failures;
	int64_t round_ms; /* when the next round is due */
	struct views views;
};

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("lbd-tier: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

/* Says the text when it is another than the one that was said before; "" is not said. */
static void note(struct follower *follower, char *kept, size_t size, const char *text)
{
	if (strncmp(kept, text, size - 1) == 0)
		return;
	snprintf(kept, size, "%s", text);
	follower->changed = true;
	if (*text)
		say("%s", text);
}

/* --- lbd --- */

/* What may be the fault of a revision, until the next one. */
static void watch_for_alarm(struct follower *follower)
{
	if (!*follower->alarm && follower->lbd.unhealthy > follower->before.unhealthy)
		snprintf(follower->alarm, sizeof(follower->alarm),
			 "%lld backends are unhealthy, %lld were before",
			 (long long)follower->lbd.unhealthy, (long long)follower->before.unhealthy);
	if (!*follower->alarm && follower->lbd.unroutable > follower->before.unroutable)
		snprintf(follower->alarm, sizeof(follower->alarm),
			 "%lld backends cannot be routed to, %lld could not before",
			 (long long)follower->lbd.unroutable,
			 (long long)follower->before.unroutable);
}

/* What it has in force is asked again with each report: an operator may have changed it, and an lbd
 * may have come back without its state. */
static void saw(struct follower *follower, const struct node_lbd *lbd)
{
	bool another = !follower->seen || lbd->revision != follower->lbd.revision;

	if (another || !follower->known)
		follower->since_ms = lb_now_ms();
	if (another) {
		follower->before = follower->seen ? follower->lbd : *lbd;
		follower->alarm[0] = '\0';
	}
	follower->seen = follower->known = true;
	follower->lbd = *lbd;
	watch_for_alarm(follower);
}

static int look_at_lbd(struct follower *follower)
{
	struct node_lbd lbd;
	struct lb_err err = {0};
	json_t *node;

	if (node_ask(follower->config->socket, &follower->rate, &lbd, &node, &err)) {
		note(follower, follower->lbd_fault, sizeof(follower->lbd_fault), err.message);
		follower->known = false;
		return -EINVAL;
	}
	if (*follower->lbd_fault)
		say("lbd answers again");
	follower->lbd_fault[0] = '\0';
	json_decref(follower->node);
	follower->node = node;
	saw(follower, &lbd);
	return 0;
}

/* --- a revision --- */

static json_t *apply_params(const struct follower *follower, const struct release *release,
			    json_t *document)
{
	double most = follower->config->max_moved_percent;

	if (release->max_moved_percent < most)
		most = release->max_moved_percent;
	return json_pack("{s:O, s:b, s:f}", "document", document, "force", release->force,
			 "max_moved_percent", most);
}

static void was_refused(struct follower *follower, uint32_t revision, const struct lb_err *err)
{
	char text[sizeof(follower->refusal)];
	bool again;

	snprintf(text, sizeof(text), "%.190s%s%.50s", err->message, *err->path ? " at " : "",
		 err->path);
	again = follower->refused == revision && !strcmp(text, follower->refusal);
	follower->refused = revision;
	follower->again_ms = lb_now_ms() + AGAIN_MS;
	snprintf(follower->refusal, sizeof(follower->refusal), "%s", text);
	if (!again)
		say("revision %u is refused: %s", revision, text);
}

/* Its document, if it is the one that it is said to be. */
static int fetch(struct follower *follower, uint32_t revision, json_t **document,
		 struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	json_t *items = NULL, *value;

	release_document_key(follower->config, revision, key);
	if (etcd_get(follower->etcd, key, &items, err))
		return -EINVAL;
	value = json_object_get(json_array_get(items, 0), "value");
	*document = json_incref(value);
	json_decref(items);
	if (json_integer_value(json_object_get(value, "revision")) == revision)
		return 0;
	json_decref(value);
	*document = NULL;
	return lb_err_set(err, LB_ERR_NOT_FOUND, "", "etcd has no document of it");
}

/* 0, also where lbd refuses; or -EINVAL: etcd does not answer. */
static int apply(struct follower *follower, const struct release *release, uint32_t revision,
		 struct lb_err *err)
{
	json_t *document = NULL, *params, *result = NULL;
	struct lb_err refusal = {0};
	int error = fetch(follower, revision, &document, err);

	if (error && err->code == LB_ERR_UNREACHABLE)
		return error;
	if (error) {
		was_refused(follower, revision, err);
		return 0;
	}
	params = apply_params(follower, release, document);
	error = client_call(follower->config->socket, CLIENT_TIMEOUT_S, "config.apply", params,
			    &result, &refusal);
	if (!error) {
		say("revision %u is in force", revision);
		follower->refused = 0;
		follower->refusal[0] = '\0';
	} else if (refusal.code != LB_ERR_UNREACHABLE) {
		was_refused(follower, revision, &refusal);
	}
	follower->changed = true; /* lbd is asked what it has now, also where it did not answer */
	json_decref(result);
	json_decref(params);
	json_decref(document);
	return 0;
}

static bool was_just_refused(const struct follower *follower, uint32_t revision)
{
	return follower->refused == revision && lb_now_ms() < follower->again_ms;
}

/* --- one round --- */

/* Nodes are asked for only where they matter. */
static int target_of(struct follower *follower, const struct release *release, uint32_t *target,
		     struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	bool canary = follower->config->canary;
	json_t *nodes = NULL;

	if (release->staged && !canary &&
	    etcd_get_below(follower->etcd, release_nodes_key(follower->config, "", key), &nodes,
			   err))
		return -EINVAL;
	*target = release_target(release, canary, nodes, follower->waits);
	json_decref(nodes);
	return 0;
}

/* An etcd that went back in time takes no node back. */
static void say_if_older(struct follower *follower, const struct release *release)
{
	char text[sizeof(follower->older)] = "";

	if (release->revision && release->revision < follower->lbd.revision)
		snprintf(text, sizeof(text),
			 "etcd has revision %u, which is older than %u in force here: if it was "
			 "restored from a backup, publish again",
			 release->revision, follower->lbd.revision);
	note(follower, follower->older, sizeof(follower->older), text);
}

static int look_at_release(struct follower *follower, struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	struct release release;
	struct lb_err fault = {0};
	json_t *items = NULL;
	uint32_t target;
	int error = etcd_get(follower->etcd, release_key(follower->config, key), &items, err);

	if (error)
		return error;
	release_read(items, &release, &fault);
	json_decref(items);
	note(follower, follower->fault, sizeof(follower->fault), fault.message);
	if (!follower->known)
		return 0;
	say_if_older(follower, &release);
	follower->waits[0] = '\0';
	if (release.revision <= follower->lbd.revision)
		return 0;
	error = target_of(follower, &release, &target, err);
	if (error || target <= follower->lbd.revision || was_just_refused(follower, target))
		return error;
	return apply(follower, &release, target, err);
}

/* --- what the others are told --- */

static json_t *describe(const struct follower *follower)
{
	json_t *node = follower->known ? json_copy(follower->node) : json_object();

	json_object_set_new(node, "node", json_string(follower->config->node));
	json_object_set_new(node, "canary", json_boolean(follower->config->canary));
	if (follower->known)
		json_object_set_new(node, "applied_s",
				    json_integer((lb_now_ms() - follower->since_ms) / 1000));
	else
		json_object_set_new(node, "lbd", json_string(follower->lbd_fault));
	if (follower->refused)
		json_object_set_new(node, "refused",
				    json_pack("{s:I, s:s}", "revision",
					      (json_int_t)follower->refused, "error",
					      follower->refusal));
	if (*follower->fault)
		json_object_set_new(node, "waits", json_string(follower->fault));
	else if (*follower->older)
		json_object_set_new(node, "waits", json_string(follower->older));
	else if (*follower->waits)
		json_object_set_new(node, "waits", json_string(follower->waits));
	if (*follower->alarm)
		json_object_set_new(node, "alarm", json_string(follower->alarm));
	return node;
}

/* A lease ends while etcd, or this process, is gone for long. */
static int keep_lease(struct follower *follower, struct lb_err *err)
{
	bool alive = false;

	if (follower->lease && etcd_renew(follower->etcd, follower->lease, &alive, err))
		return -EINVAL;
	if (alive)
		return 0;
	follower->lease = 0;
	return etcd_lease(follower->etcd, follower->config->lease_s, &follower->lease, err);
}

/* Two with one name would take turns in what they tell, and count as one. The first keeps it; one
 * that was killed, for as long as its lease. */
static void say_if_taken(struct follower *follower, bool taken)
{
	char text[sizeof(follower->twin)] = "";

	if (taken)
		snprintf(text, sizeof(text),
			 "another lbd-tier is node %s of the tier, or was less than %u s ago: this "
			 "one does not count as one of its nodes",
			 follower->config->node, follower->config->lease_s);
	if (!taken && *follower->twin)
		say("the name %s is free again", follower->config->node);
	note(follower, follower->twin, sizeof(follower->twin), text);
}

static int report(struct follower *follower, struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	json_t *node;
	bool done = false;
	int error = keep_lease(follower, err);

	if (error)
		return error;
	node = describe(follower);
	error = etcd_put_owned(follower->etcd,
			       release_nodes_key(follower->config, follower->config->node, key),
			       node, follower->lease, &done, err);
	json_decref(node);
	if (error)
		return error;
	say_if_taken(follower, !done);
	follower->changed = false;
	follower->report_ms = lb_now_ms() + follower->config->lease_s * 1000ll / REPORTS_OF_LEASE;
	return 0;
}

/* --- for as long as it runs --- */

static void etcd_answers(struct follower *follower)
{
	char period[UNITS_TEXT];

	if (follower->lost_ms)
		say("etcd answers again, after %s",
		    units_duration((lb_now_ms() - follower->lost_ms) / 1000, period));
	follower->lost_ms = 0;
	follower->failures = 0;
}

static void etcd_is_lost(struct follower *follower, const struct lb_err *err)
{
	int64_t now = lb_now_ms();

	if (!follower->lost_ms || now >= follower->remind_ms) {
		say("%s; what is in force stays so", err->message);
		follower->remind_ms = now + REMIND_MS;
	}
	if (!follower->lost_ms)
		follower->lost_ms = now;
	follower->failures++;
}

static void round_of(struct follower *follower)
{
	bool due = lb_now_ms() >= follower->report_ms;
	struct lb_err err = {0};
	int error;

	if (due || !follower->known)
		look_at_lbd(follower);
	error = look_at_release(follower, &err);
	if (!error && follower->changed)
		look_at_lbd(follower);
	if (!error && (due || follower->changed))
		error = report(follower, &err);
	if (error)
		etcd_is_lost(follower, &err);
	else
		etcd_answers(follower);
}

/* Not while etcd is lost: what was brought lapses, and each node goes by itself. */
static void round_of_views(struct follower *follower)
{
	struct lb_err err = {0};

	if (follower->config->agree_health && !follower->failures &&
	    views_round(&follower->views, &err))
		etcd_is_lost(follower, &err);
}

/* Doubled with each failure, and never the same on two nodes. */
static int64_t pause_ms(const struct follower *follower)
{
	int64_t pause = follower->config->interval_s * 1000;
	uint16_t chance = 0;

	for (unsigned int i = 0; i < follower->failures && pause < PAUSE_MAX_S * 1000; i++)
		pause *= 2;
	if (pause > PAUSE_MAX_S * 1000)
		pause = PAUSE_MAX_S * 1000;
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = 0;
	return pause - pause / 4 * chance / 65536;
}

/* What is due. How long until more is. */
static int64_t do_rounds(struct follower *follower)
{
	int64_t left_ms;

	if (lb_now_ms() >= follower->round_ms) {
		round_of(follower);
		follower->round_ms = lb_now_ms() + pause_ms(follower);
	}
	round_of_views(follower);
	left_ms = follower->round_ms - lb_now_ms();
	if (!follower->failures && left_ms > VIEWS_EVERY_MS)
		left_ms = VIEWS_EVERY_MS;
	return left_ms > 0 ? left_ms : 0;
}

/* Whether it goes on. */
static bool wait_ms(int64_t ms, const sigset_t *ends)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	return sigtimedwait(ends, NULL, &left) < 0;
}

int follow(const struct tier_config *config, struct lb_err *err)
{
	struct follower follower = {.config = config};
	sigset_t ends;

	if (etcd_open(config, &follower.etcd, err))
		return -EINVAL;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	say("node %s follows tier %s", config->node, config->tier);
	follower.views = (struct views){.config = config, .etcd = follower.etcd};
	while (wait_ms(do_rounds(&follower), &ends))
		;
	if (follower.lost_ms)
		follower.lease = follower.views.lease = 0; /* they end by themselves */
	if (follower.lease)
		etcd_revoke(follower.etcd, follower.lease, err);
	views_clear(&follower.views);
	json_decref(follower.node);
	etcd_close(follower.etcd);
	return 0;
}
