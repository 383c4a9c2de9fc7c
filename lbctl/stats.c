/* SPDX-License-Identifier: BSD-2-Clause */
/* How are counters asked for, once or again and again? */
#include "stats.h"
#include "args.h"
#include "call.h"
#include "sampler.h"
#include "view.h"

/* As JSON one line each where there are several: who reads a stream reads lines. */
static void print(const struct invocation *invocation, struct output *output, const json_t *result,
		  bool again)
{
	const bool watches = invocation_option(invocation, "watch");

	if (!watches || !invocation->json) {
		if (again && !invocation->json)
			fputc('\n', output->out);
		output_result(output, invocation, result);
		return;
	}
	json_dumpf(result, output->out, JSON_COMPACT | JSON_REAL_PRECISION(15));
	fputc('\n', output->out);
}

static enum exit_code print_rates(const struct invocation *invocation, struct output *output)
{
	const bool watches = invocation_option(invocation, "watch");
	struct sampler sampler;
	struct lb_err err = {0};
	const json_t *result;
	bool again = false;
	int status = sampler_open(&sampler, invocation, invocation->arguments[0], &err);

	if (!status)
		status = sampler_next(&sampler, &result, &err);
	while (status > 0) {
		print(invocation, output, result, again);
		output_flush(output);
		if (!watches || output->error)
			break;
		again = true;
		status = sampler_next(&sampler, &result, &err);
	}
	sampler_close(&sampler);
	return status < 0 ? output_error(output, invocation, &err) : EXIT_DONE;
}

enum exit_code stats_run(const struct invocation *invocation, struct output *output)
{
	if (invocation_option(invocation, "rates") || invocation_option(invocation, "watch") ||
	    invocation_option(invocation, "interval"))
		return print_rates(invocation, output);
	return call_lbd(invocation, output);
}
