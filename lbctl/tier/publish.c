/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a document get to all nodes of a tier? It is checked, compared with what is in force, and
 * written in one transaction, which is not made where another was published meanwhile. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../../lbd/api/model.h"
#include "../client.h"
#include "../params.h"
#include "../units.h"
#include "../view.h"
#include "message.h"
#include "release.h"
#include "verbs.h"

#define HOLD_DEFAULT_S 300

/* All that is looked at before anything is written. */
struct publication {
	const struct verb *verb;
	struct release before;
	int64_t mod_revision; /* of the release; 0: nothing was published yet */
	struct lb_err fault;  /* why what stands there is no release, which is replaced then */
	json_t *before_json, *nodes;
	json_t *document;
	uint32_t revision;
	bool staged;
	long long hold_s;
	json_t *difference, *change; /* by the lbd here; NULL: it was not asked */
};

static void clear(struct publication *what)
{
	json_decref(what->before_json);
	json_decref(what->nodes);
	json_decref(what->document);
	json_decref(what->difference);
	json_decref(what->change);
}

static const char *option(const struct publication *what, const char *name)
{
	return invocation_option(what->verb->invocation, name);
}

/* --- what there is --- */

static int look(struct publication *what, struct lb_err *err)
{
	const struct verb *verb = what->verb;
	char key[RELEASE_KEY_SIZE];
	json_t *items = NULL, *item;
	int error = etcd_get(verb->etcd, release_key(verb->config, key), &items, err);

	what->fault = (struct lb_err){0};
	if (!error)
		release_read(items, &what->before, &what->fault);
	item = json_array_get(items, 0);
	what->mod_revision = json_integer_value(json_object_get(item, "mod_revision"));
	what->before_json = message_clean(json_object_get(item, "value"));
	json_decref(items);
	return error ? error
		     : etcd_get_below(verb->etcd, release_nodes_key(verb->config, "", key),
				      &what->nodes, err);
}

static json_t *canaries(const struct publication *what)
{
	json_t *names = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach (what->nodes, i, item) {
		const json_t *node = json_object_get(item, "value");

		if (json_is_true(json_object_get(node, "canary")))
			json_array_append(names, json_object_get(node, "node"));
	}
	return names;
}

/* Staged where there is a canary, unless told otherwise. */
static int plan_stages(struct publication *what, bool staged, struct lb_err *err)
{
	json_t *names = canaries(what);
	bool any = json_array_size(names);

	json_decref(names);
	what->hold_s = HOLD_DEFAULT_S;
	if (option(what, "hold") && option(what, "at-once"))
		return lb_err_set(err, LB_ERR_USAGE, "", "--hold and --at-once exclude each other");
	if (params_duration(what->verb->invocation, "hold", &what->hold_s, err))
		return -EINVAL;
	what->staged = option(what, "hold") || (staged && any && !option(what, "at-once"));
	if (!what->staged || any)
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "", "no canary is there, so nobody would take it first");
	return lb_err_hint(err, "set \"canary\": true in tier.json of a node and restart its "
				"lbd-tier, or leave --hold out");
}

/* --- for which revision was the document made? --- */

static int is_fault(const struct publication *what, struct lb_err *err)
{
	*err = what->fault;
	return -EINVAL;
}

static int conflict(const struct publication *what, long long expected, struct lb_err *err)
{
	if (what->fault.code)
		return is_fault(what, err);
	lb_err_set(err, LB_ERR_CONFLICT, "",
		   "revision %u has been published meanwhile, by %s at %s; this is made from %lld",
		   what->before.revision, view_text(what->before_json, "by"),
		   view_text(what->before_json, "at"), expected);
	return lb_err_hint(err, "get it with lbctl tier export, repeat the edit, and publish that");
}

static int check_expected(const struct publication *what, const json_t *of_file, struct lb_err *err)
{
	const char *given = option(what, "if-revision");
	char *end = NULL;
	long long expected = given ? strtoll(given, &end, 10) : json_integer_value(of_file);

	if (given && (!*given || *end || expected < 0))
		return lb_err_set(err, LB_ERR_USAGE, "",
				  "--if-revision must be a number, not \"%s\"", given);
	if (what->fault.code)
		return given ? is_fault(what, err) : 0;
	if ((!given && !json_is_integer(of_file)) || expected == what->before.revision)
		return 0;
	return conflict(what, expected, err);
}

/* --- is it right? --- */

static int check_alone(json_t *document, struct lb_err *err)
{
	struct lb_service *service;

	if (lb_service_from_json(document, &service, err))
		return -EINVAL;
	lb_service_free(service);
	return 0;
}

static int ask_lbd(const struct publication *what, const char *method, json_t *params,
		   json_t **result, struct lb_err *err)
{
	int error = client_call(what->verb->config->socket, CLIENT_TIMEOUT_S, method, params,
				result, err);

	json_decref(params);
	return error;
}

/* By the lbd of this node, if there is one: it knows limits, and what would move and break. */
static int check_here(struct publication *what, struct lb_err *err)
{
	json_t *params = json_pack("{s:O}", "document", what->document);

	if (ask_lbd(what, "config.diff", params, &what->difference, err)) {
		if (err->code != LB_ERR_UNREACHABLE)
			return -EINVAL;
		*err = (struct lb_err){0};
		return 0;
	}
	params = json_pack("{s:O}", "document", what->document);
	if (params_add_manner(what->verb->invocation, params, err)) {
		json_decref(params);
		return -EINVAL;
	}
	if (ask_lbd(what, "config.check", params, &what->change, err))
		return -EINVAL;
	if (!json_is_true(json_object_get(what->change, "needs_force")) || option(what, "force") ||
	    option(what, "dry-run"))
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "", "it would end established flows on each node");
	return lb_err_hint(err, "lbctl tier publish --dry-run shows whose; drain first, or repeat "
				"with --force");
}

/* --- writing it --- */

static json_t *sign(json_t *release)
{
	char host[64] = "?", at[32];
	const struct passwd *user = getpwuid(getuid());
	time_t now = time(NULL);
	struct tm utc;

	gethostname(host, sizeof(host) - 1);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	json_object_set_new(release, "by", json_sprintf("%s@%s", user ? user->pw_name : "?", host));
	json_object_set_new(release, "at", json_string(at));
	return release;
}

static json_t *remembered(const struct publication *what)
{
	json_t *names = canaries(what);

	while (json_array_size(names) > RELEASE_CANARIES_MAX)
		json_array_remove(names, RELEASE_CANARIES_MAX);
	return names;
}

static json_t *make_release(const struct publication *what)
{
	json_t *release = json_pack("{s:I, s:I}", "revision", (json_int_t)what->revision, "stable",
				    (json_int_t)release_stable(&what->before, what->nodes));
	double percent;

	if (what->staged) {
		json_object_set_new(release, "hold_s", json_integer(what->hold_s));
		json_object_set_new(release, "canaries", remembered(what));
	}
	if (option(what, "force"))
		json_object_set_new(release, "force", json_true());
	if (option(what, "max-moved") && !units_parse_percent(option(what, "max-moved"), &percent))
		json_object_set_new(release, "max_moved_percent", json_real(percent));
	return sign(release);
}

/* The release, the document, and away with those of long ago. */
static json_t *make_operations(const struct publication *what)
{
	const struct tier_config *config = what->verb->config;
	char key[RELEASE_KEY_SIZE], end[RELEASE_KEY_SIZE];
	json_t *operations = json_array(), *release = make_release(what);

	json_array_append_new(operations, message_put_operation(release_key(config, key), release));
	json_array_append_new(
		operations, message_put_operation(release_document_key(config, what->revision, key),
						  what->document));
	json_decref(release);
	if (what->revision > RELEASE_KEPT)
		json_array_append_new(
			operations,
			message_delete_operation(
				release_document_key(config, 0, key),
				release_document_key(config, what->revision - RELEASE_KEPT, end)));
	return operations;
}

static int lost_race(struct publication *what, struct lb_err *err)
{
	uint32_t expected = what->before.revision;

	json_decref(what->before_json);
	json_decref(what->nodes);
	what->before_json = what->nodes = NULL;
	return look(what, err) ? -EINVAL : conflict(what, expected, err);
}

static int write_it(struct publication *what, struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	bool done = false;
	int error = etcd_txn(what->verb->etcd,
			     message_txn(release_key(what->verb->config, key), what->mod_revision,
					 make_operations(what)),
			     &done, err);

	if (!error && !done)
		return lost_race(what, err);
	if (error && err->code == LB_ERR_UNREACHABLE)
		lb_err_hint(err, "it may have been published: see lbctl tier show");
	return error;
}

/* --- its number --- */

/* By the lbd of this node, if there is one. */
static int ask_revision(const struct publication *what, uint32_t *revision, struct lb_err *err)
{
	struct lb_err inner = {0};
	json_t *status = NULL;
	int error = ask_lbd(what, "status", NULL, &status, &inner);

	*revision = (uint32_t)view_integer(json_object_get(status, "tier"), "revision");
	json_decref(status);
	if (!error || inner.code == LB_ERR_UNREACHABLE)
		return 0;
	*err = inner;
	return -EINVAL;
}

static int take_number(struct publication *what, struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	uint32_t own;

	if (ask_revision(what, &own, err))
		return -EINVAL;
	what->revision = release_next(&what->before, what->nodes, own);
	if (what->revision)
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "revision", "no number comes after revision %u",
		   UINT32_MAX);
	return lb_err_hint(err, "if no node has it in force, run etcdctl del %s and publish again",
			   release_key(what->verb->config, key));
}

/* --- both ways to publish --- */

static json_t *tell(const struct publication *what, bool published)
{
	json_t *replaces = what->fault.code ? json_string(what->fault.message) : NULL;

	return json_pack("{s:b, s:I, s:b, s:I, s:o, s:o*, s:O*, s:O*}", "published", published,
			 "revision", (json_int_t)what->revision, "staged", what->staged, "hold_s",
			 (json_int_t)what->hold_s, "canaries", canaries(what), "replaces", replaces,
			 "difference", what->difference, "change", what->change);
}

/* `document` is ours, and without its number. */
static int publish(struct publication *what, json_t *document, bool staged, json_t **result,
		   struct lb_err *err)
{
	bool dry = option(what, "dry-run");

	what->document = document;
	if (check_alone(document, err) || plan_stages(what, staged, err))
		return -EINVAL;
	if (take_number(what, err))
		return -EINVAL;
	json_object_set_new(document, "revision", json_integer(what->revision));
	if (check_here(what, err) || (!dry && write_it(what, err)))
		return -EINVAL;
	*result = tell(what, !dry);
	return 0;
}

int verb_publish(const struct verb *verb, json_t **result, struct lb_err *err)
{
	struct publication what = {.verb = verb};
	json_t *document = NULL;
	int error = params_read_file(verb->invocation->arguments[0], &document, err);

	if (!error)
		error = look(&what, err);
	if (!error)
		error = check_expected(&what, json_object_get(document, "revision"), err);
	if (error) {
		json_decref(document);
	} else {
		json_object_del(document, "revision");
		json_object_del(document, "edited");
		json_object_del(document, "digest");
		error = publish(&what, document, true, result, err);
	}
	clear(&what);
	return error;
}

/* The one before, or the one that was named. */
static int find_earlier(const struct publication *what, uint32_t *revision, struct lb_err *err)
{
	const char *named = what->verb->invocation->arguments[0];

	if (named)
		return release_number(named, revision, err);
	if (what->fault.code)
		return is_fault(what, err);
	*revision = what->before.stable;
	if (*revision)
		return 0;
	if (!what->before.revision)
		return lb_err_set(err, LB_ERR_NOT_FOUND, "", "nothing was published yet");
	return lb_err_set(err, LB_ERR_NOT_FOUND, "", "no revision was in force before %u",
			  what->before.revision);
}

static int fetch(const struct publication *what, uint32_t revision, json_t **document,
		 struct lb_err *err)
{
	char key[RELEASE_KEY_SIZE];
	json_t *items = NULL;

	if (etcd_get(what->verb->etcd, release_document_key(what->verb->config, revision, key),
		     &items, err))
		return -EINVAL;
	*document = json_copy(json_object_get(json_array_get(items, 0), "value"));
	json_decref(items);
	if (*document)
		return 0;
	lb_err_set(err, LB_ERR_NOT_FOUND, "", "revision %u is not kept in etcd", revision);
	return lb_err_hint(err, "the last %d are", RELEASE_KEPT);
}

int verb_rollback(const struct verb *verb, json_t **result, struct lb_err *err)
{
	struct publication what = {.verb = verb};
	json_t *document = NULL;
	uint32_t revision = 0;
	int error = look(&what, err);

	if (!error)
		error = find_earlier(&what, &revision, err);
	if (!error)
		error = fetch(&what, revision, &document, err);
	if (!error) {
		json_object_del(document, "revision");
		error = publish(&what, document, false, result, err);
	}
	clear(&what);
	return error;
}
