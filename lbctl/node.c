/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a node taken out of the network, and waited for until no packet comes to it? lbd is asked
 * twice a second what it has forwarded. Whoever waits no longer has not taken the node back. */
#include "node.h"

#include <string.h>
#include <time.h>

#include "../lbd/api/clock.h"
#include "call.h"
#include "client.h"
#include "params.h"
#include "units.h"
#include "view.h"

#define POLL_MS 500
#define QUIET_MS 2000 /* packets have stopped when none has been forwarded for so long */

struct wait {
	const struct invocation *invocation;
	struct output *output;
	long long limit_s;
	json_t *node;       /* NODE as last seen; a reference of our own */
	long long quiet_at; /* its at_ms when `forwarded` was first what it is */
	long long rate;     /* packets a second between the last two looks */
};

static void sleep_ms(long long ms)
{
	const struct timespec delay = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&delay, NULL);
}

/* 0, or -EINVAL when there is nothing to wait for any more. */
static int look(struct wait *wait, struct lb_err *err)
{
	json_auto_t *node = NULL;
	long long packets, ms;

	if (client_call(wait->invocation->socket, CLIENT_TIMEOUT_S, "node.show", NULL, &node, err))
		return -1;
	if (!json_is_true(json_object_get(node, "drained"))) {
		lb_err_set(err, LB_ERR_REFUSED, "", "the node was undrained meanwhile");
		return lb_err_hint(err, "somebody else did that; see: lbctl node show");
	}
	packets = view_integer(node, "forwarded") - view_integer(wait->node, "forwarded");
	ms = view_integer(node, "at_ms") - view_integer(wait->node, "at_ms");
	if (packets)
		wait->quiet_at = view_integer(node, "at_ms");
	wait->rate = ms > 0 ? packets * 1000 / ms : 0;
	json_decref(wait->node);
	wait->node = json_incref(node);
	return 0;
}

static bool is_quiet(const struct wait *wait)
{
	return view_integer(wait->node, "at_ms") - wait->quiet_at >= QUIET_MS;
}

/* JSON has but one object, at the end. */
static void say_end(const struct wait *wait, bool quiet)
{
	char limit[UNITS_TEXT];

	if (wait->invocation->json)
		return;
	if (quiet)
		fprintf(wait->output->out, "no packet is forwarded any more\n");
	else if (!wait->rate)
		fprintf(wait->output->out,
			"packets may still come after %s: it takes %ds without one to tell\n",
			units_period(wait->limit_s, limit), QUIET_MS / 1000);
	else
		fprintf(wait->output->out,
			"packets still come after %s: %lld a second are forwarded; what announces "
			"this node still, or has a static route to it?\n",
			units_period(wait->limit_s, limit), wait->rate);
}

static enum exit_code wait_until_quiet(struct wait *wait, struct lb_err *err)
{
	const long long end_ms = lb_now_ms() + wait->limit_s * 1000;
	bool quiet = false;

	while (!quiet && lb_now_ms() < end_ms) {
		sleep_ms(POLL_MS);
		if (look(wait, err))
			return EXIT_REFUSED;
		quiet = is_quiet(wait);
	}
	say_end(wait, quiet);
	return quiet ? EXIT_DONE : EXIT_DIFFERS;
}

static enum exit_code drain_and_wait(struct wait *wait, struct lb_err *err)
{
	if (params_duration(wait->invocation, "wait", &wait->limit_s, err) ||
	    call_ask(wait->invocation, &wait->node, err))
		return EXIT_REFUSED;
	wait->quiet_at = view_integer(wait->node, "at_ms");
	if (!wait->invocation->json) {
		output_result(wait->output, wait->invocation, wait->node);
		output_flush(wait->output);
	}
	return wait_until_quiet(wait, err);
}

enum exit_code node_drain_run(const struct invocation *invocation, struct output *output)
{
	struct wait wait = {.invocation = invocation, .output = output};
	struct lb_err err = {0};
	enum exit_code code;

	if (!invocation_option(invocation, "wait"))
		return call_lbd(invocation, output);
	code = drain_and_wait(&wait, &err);
	if (err.code != LB_ERR_NONE)
		code = output_error(output, invocation, &err);
	else if (invocation->json)
		output_result(output, invocation, wait.node);
	json_decref(wait.node);
	return code;
}
