/* SPDX-License-Identifier: BSD-2-Clause */
/* How does text show health checks, and what they have found? */
#include <string.h>
#include "units.h"
#include "view.h"

static const char *text_of(const json_t *object, const char *field)
{
	return json_string_value(json_object_get(object, field));
}

void view_time(FILE *out, const char *time)
{
	int length = (int)strcspn(time, ".");

	fprintf(out, "%.*s%s", length, time, time[length] ? "Z" : "");
}

/* Whether its last failure is news: it counts, or was after the backend became healthy. Times of
 * the protocol sort as texts. */
static bool error_matters(const json_t *health, const char *since)
{
	const char *error_at = text_of(health, "error_at");

	return strcmp(view_text(health, "state"), "healthy") != 0 ||
	       (since && error_at && strcmp(error_at, since) >= 0);
}

/* Who sees it so, of the nodes of a tier. */
static void print_nodes(FILE *out, const json_t *health)
{
	const json_t *agreed = json_object_get(health, "agreed"), *name;
	const char *state = view_text(health, "state"), *own = view_text(agreed, "own");
	long long healthy = view_integer(agreed, "healthy");
	long long unhealthy = view_integer(agreed, "unhealthy");
	size_t i;

	if (!agreed)
		return;
	fprintf(out, " by %lld of %lld nodes", strcmp(state, "healthy") ? unhealthy : healthy,
		healthy + unhealthy);
	if (strcmp(own, state) != 0)
		fprintf(out, ", %s to this one", own);
	json_array_foreach (json_object_get(agreed, "otherwise"), i, name)
		fprintf(out, "%s%s", i ? ", " : ", not to ", json_string_value(name));
}

void view_backend_health(FILE *out, const json_t *backend)
{
	const json_t *health = json_object_get(backend, "health");
	const char *since = text_of(health, "since"), *error = text_of(health, "error");

	if (!health)
		return;
	fprintf(out, "; %s%s", strcmp(view_text(health, "state"), "unknown") ? "" : "health ",
		view_text(health, "state"));
	if (since) {
		fprintf(out, " since ");
		view_time(out, since);
	}
	print_nodes(out, health);
	if (error && error_matters(health, since))
		fprintf(out, "%s: %s",
			strcmp(view_text(health, "state"), "healthy") ? "" : ", last failure",
			error);
}

void view_unhealthy(FILE *out, const json_t *vip)
{
	long long unhealthy = 0;
	const json_t *backend;
	size_t i;

	json_array_foreach (json_object_get(vip, "backends"), i, backend)
		unhealthy += strcmp(view_text(json_object_get(backend, "health"), "state"),
				    "unhealthy") == 0;
	if (unhealthy)
		fprintf(out, ", %lld unhealthy", unhealthy);
}

/* What is asked: the path, the command. */
static void print_object(FILE *out, const json_t *check)
{
	const char *path = text_of(check, "path");
	const json_t *word;
	size_t i;

	if (path)
		fprintf(out, " %s", path);
	json_array_foreach (json_object_get(check, "command"), i, word)
		fprintf(out, " %s", json_string_value(word));
	if (json_object_get(check, "port"))
		fprintf(out, " on port %lld", view_integer(check, "port"));
	if (strcmp(view_text(check, "source"), "tunnel") == 0)
		fprintf(out, " through the tunnel");
	if (json_is_true(json_object_get(check, "full_mtu")))
		fprintf(out, " by full-size packets");
}

void view_vip_health(FILE *out, const json_t *vip)
{
	const json_t *check = json_object_get(vip, "health");
	char interval[UNITS_TEXT], timeout[UNITS_TEXT];

	if (!check)
		return;
	fprintf(out, "  health      %s", view_text(check, "type"));
	print_object(out, check);
	fprintf(out, " every %s, timeout %s, rise %lld, fall %lld\n",
		units_milliseconds(view_integer(check, "interval_ms"), interval),
		units_milliseconds(view_integer(check, "timeout_ms"), timeout),
		view_integer(check, "rise"), view_integer(check, "fall"));
	fprintf(out, "  unhealthy   established flows: %s; when all are: %s\n",
		view_text(vip, "on_unhealthy"), view_text(vip, "when_all_unhealthy"));
}

void view_simulate(FILE *out, const struct invocation *invocation, const json_t *result)
{
	(void)invocation;
	fprintf(out, "backend %s: its checks %s from now on\n", view_text(result, "address"),
		json_is_true(json_object_get(result, "fails")) ? "fail" : "succeed");
}
