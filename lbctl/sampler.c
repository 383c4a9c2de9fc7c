/* SPDX-License-Identifier: BSD-2-Clause */
/* What is counted from one moment to the next? */
#include "sampler.h"
#include <errno.h>
#include <signal.h>
#include <time.h>
#include "client.h"
#include "rates.h"
#include "units.h"

#define INTERVAL_MS 1000
#define INTERVAL_LEAST_MS 100

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/* Whoever had the signal ignored, as shells do for jobs in the background, wants it so. */
static void catch_signal(int signal_number)
{
	struct sigaction action = {.sa_handler = on_interrupt}, before;

	if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(signal_number, &action, NULL);
}

static int ask(const struct sampler *sampler, json_t **result, struct lb_err *err)
{
	json_auto_t *params = json_pack("{s:s*}", "vip", sampler->vip);

	return client_call(sampler->invocation->socket, CLIENT_TIMEOUT_S, "stats", params, result,
			   err);
}

int sampler_open(struct sampler *sampler, const struct invocation *invocation, const char *vip,
		 struct lb_err *err)
{
	const char *text = invocation_option(invocation, "interval");

	*sampler =
		(struct sampler){.invocation = invocation, .vip = vip, .interval_ms = INTERVAL_MS};
	if (text && (units_parse_milliseconds(text, &sampler->interval_ms) ||
		     sampler->interval_ms < INTERVAL_LEAST_MS))
		return lb_err_set(err, LB_ERR_USAGE, "",
				  "--interval must be a duration from 100ms on, such as 500ms or "
				  "5s, not \"%s\"",
				  text);
	catch_signal(SIGINT);
	catch_signal(SIGTERM);
	return ask(sampler, &sampler->last, err);
}

int sampler_next(struct sampler *sampler, const json_t **result, struct lb_err *err)
{
	const struct timespec delay = {.tv_sec = sampler->interval_ms / 1000,
				       .tv_nsec = sampler->interval_ms % 1000 * 1000000};
	json_t *now;

	if (interrupted || nanosleep(&delay, NULL))
		return 0;
	if (ask(sampler, &now, err))
		return interrupted ? 0 : -EINVAL;
	rates_add(sampler->last, now);
	json_decref(sampler->last);
	sampler->last = now;
	*result = now;
	return 1;
}

void sampler_close(struct sampler *sampler)
{
	json_decref(sampler->last);
}
