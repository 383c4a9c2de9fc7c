/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a drain waited for? lbd is asked once a second what remains. Whoever waits no longer has
 * not stopped the drain: it is part of the document in force. */
#include "drain.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../lbd/api/addr.h"
#include "../lbd/api/clock.h"
#include "args.h"
#include "call.h"
#include "client.h"
#include "params.h"
#include "units.h"
#include "view.h"

#define POLL_MS 1000

struct wait {
	const struct invocation *invocation;
	struct output *output;
	const char *vip;
	char address[LB_ADDR_TEXT]; /* as lbd spells it */
	long long transition_s;
	long long limit_s;
	json_t *backend; /* BACKEND-STATE as last seen; a reference of our own */
};

/* What Ctrl-C says; made in advance, since a signal handler may do next to nothing. */
static char farewell[160];

static void on_interrupt(int signal_number)
{
	/* That it cannot be said is no reason to stay. */
	if (write(STDERR_FILENO, farewell, strlen(farewell)) < 0)
		errno = 0;
	raise(signal_number); /* SA_RESETHAND: ends the process as if nobody had handled it */
}

static void say_farewell_on_interrupt(const struct wait *wait)
{
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND};
	struct sigaction before;

	snprintf(farewell, sizeof(farewell), "\nlbctl: no longer waiting; %s goes on draining\n",
		 wait->address);
	/* Whoever had the signal ignored, as shells do for jobs in the background, wants it so. */
	if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGINT, &action, NULL);
}

static void sleep_ms(long long ms)
{
	const struct timespec delay = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&delay, NULL);
}

static int ask(const struct wait *wait, const char *method, const char *param, json_t **result,
	       struct lb_err *err)
{
	json_auto_t *params = json_pack("{s:s}", param, wait->vip);

	return client_call(wait->invocation->socket, CLIENT_TIMEOUT_S, method, params, result, err);
}

/* The bound that is shown beside slots in transition. */
static int learn_transition(struct wait *wait, struct lb_err *err)
{
	json_auto_t *shown = NULL;
	struct lb_err no_pool = {0};

	if (ask(wait, "pool.show", "pool", &shown, &no_pool) &&
	    ask(wait, "vip.show", "vip", &shown, err))
		return -EINVAL;
	wait->transition_s = view_integer(shown, "transition_s");
	return 0;
}

/* The state of the backend in a result of backend.list, borrowed, or NULL. */
static json_t *find_backend(const struct wait *wait, const json_t *result)
{
	const json_t *pool = json_array_get(json_object_get(result, "pools"), 0);
	const json_t *vip = json_array_get(json_object_get(result, "vips"), 0);
	json_t *backend;
	size_t i;

	json_array_foreach (json_object_get(pool ? pool : vip, "backends"), i, backend)
		if (strcmp(view_text(backend, "address"), wait->address) == 0)
			return backend;
	return NULL;
}

static int ended_by_another(const struct wait *wait, const char *how, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_REFUSED, "", "%s %s meanwhile", wait->address, how);
	return lb_err_hint(err, "somebody else did that; see: lbctl backend list %s", wait->vip);
}

static bool is_in_state(const json_t *backend, const char *state)
{
	return strcmp(view_text(backend, "state"), state) == 0;
}

static bool has_quic(const json_t *backend)
{
	return json_is_true(json_object_get(json_object_get(backend, "quic"), "connections"));
}

static bool same_remains(const json_t *a, const json_t *b)
{
	return view_integer(a, "recorded_flows") == view_integer(b, "recorded_flows") &&
	       view_integer(a, "leaving_slots") == view_integer(b, "leaving_slots") &&
	       has_quic(a) == has_quic(b);
}

static void print_remaining(const struct wait *wait, FILE *out)
{
	char transition[UNITS_TEXT];

	if (view_integer(wait->backend, "leaving_slots") ||
	    view_integer(wait->backend, "recorded_flows") || has_quic(wait->backend))
		view_remaining(out, wait->backend);
	else
		fputs("its last flows are being counted", out);
	if (view_integer(wait->backend, "leaving_slots"))
		fprintf(out, " (up to %s)", units_period(wait->transition_s, transition));
	fputc('\n', out);
}

/* A line where something has changed; JSON has but one object, at the end. */
static void show_progress(const struct wait *wait, const json_t *before)
{
	FILE *out = wait->output->out;

	if (wait->invocation->json)
		return;
	if (is_in_state(wait->backend, "drained")) {
		fprintf(out, "%s: drained\n", wait->address);
	} else if (!before || !same_remains(before, wait->backend)) {
		fprintf(out, "%s: ", wait->address);
		print_remaining(wait, out);
	}
	output_flush(wait->output);
}

/* Asks once. 0, or -EINVAL when there is nothing to wait for any more. */
static int look(struct wait *wait, struct lb_err *err)
{
	json_auto_t *result = NULL;
	json_auto_t *before = wait->backend;
	json_t *backend;

	wait->backend = NULL;
	if (ask(wait, "backend.list", "vip", &result, err))
		return -EINVAL;
	backend = find_backend(wait, result);
	if (!backend)
		return ended_by_another(wait, "was removed", err);
	wait->backend = json_incref(backend);
	if (!is_in_state(backend, "draining") && !is_in_state(backend, "drained"))
		return ended_by_another(wait, "was undrained", err);
	show_progress(wait, before);
	return 0;
}

static void show_time_is_up(const struct wait *wait)
{
	FILE *out = wait->output->out;
	char limit[UNITS_TEXT];

	if (wait->invocation->json)
		return;
	fprintf(out, "%s: still draining after %s: ", wait->address,
		units_period(wait->limit_s, limit));
	print_remaining(wait, out);
}

static enum exit_code wait_until_drained(struct wait *wait, struct lb_err *err)
{
	long long end_ms = lb_now_ms() + wait->limit_s * 1000;

	for (;;) {
		long long left_ms;

		if (look(wait, err))
			return EXIT_REFUSED;
		if (is_in_state(wait->backend, "drained"))
			return EXIT_DONE;
		left_ms = end_ms - lb_now_ms();
		if (left_ms <= 0)
			break;
		sleep_ms(left_ms < POLL_MS ? left_ms : POLL_MS);
	}
	show_time_is_up(wait);
	return EXIT_DIFFERS;
}

/* Whatever is wrong with the command line is found before the drain begins. */
static int prepare(struct wait *wait, struct lb_err *err)
{
	const struct invocation *invocation = wait->invocation;
	struct lb_addr address;

	if (params_duration(invocation, "wait", &wait->limit_s, err))
		return -EINVAL;
	if (invocation_option(invocation, "dry-run"))
		return lb_err_set(err, LB_ERR_USAGE, "", "--dry-run leaves nothing to --wait for");
	if (lb_addr_parse(invocation->arguments[1], &address, err)) {
		lb_err_prefix(err, "address");
		return -EINVAL;
	}
	lb_addr_format(&address, wait->address);
	return 0;
}

static enum exit_code drain_and_wait(struct wait *wait, json_t **change, struct lb_err *err)
{
	if (prepare(wait, err) || call_ask(wait->invocation, change, err))
		return EXIT_REFUSED;
	say_farewell_on_interrupt(wait);
	if (!wait->invocation->json) {
		output_result(wait->output, wait->invocation, *change);
		output_flush(wait->output);
	}
	if (learn_transition(wait, err))
		return EXIT_REFUSED;
	return wait_until_drained(wait, err);
}

enum exit_code drain_run(const struct invocation *invocation, struct output *output)
{
	struct wait wait = {
		.invocation = invocation,
		.output = output,
		.vip = invocation->arguments[0],
	};
	json_auto_t *change = NULL;
	struct lb_err err = {0};
	enum exit_code code;

	if (!invocation_option(invocation, "wait"))
		return call_lbd(invocation, output);
	code = drain_and_wait(&wait, &change, &err);
	if (err.code != LB_ERR_NONE) {
		code = output_error(output, invocation, &err);
	} else if (invocation->json) {
		json_object_set(change, "backend", wait.backend);
		output_result(output, invocation, change);
	}
	json_decref(wait.backend);
	return code;
}
