/* SPDX-License-Identifier: BSD-2-Clause */
/* How are events followed? lbd sends them as they happen; each is printed at once. */
#include "watch.h"
#include "args.h"
#include "client.h"
#include "view.h"

struct watch {
	const struct invocation *invocation;
	struct output *output;
};

/* As JSON one line each, unlike other results: who reads a stream reads lines. */
static bool print_event(void *user, const json_t *event)
{
	const struct watch *watch = user;
	FILE *out = watch->output->out;

	if (!event) /* no notification */
		return true;
	if (watch->invocation->json) {
		json_dumpf(event, out, JSON_COMPACT | JSON_REAL_PRECISION(15));
		fputc('\n', out);
	} else {
		view_event(out, event);
	}
	output_flush(watch->output);
	return watch->output->error == 0;
}

enum exit_code watch_run(const struct invocation *invocation, struct output *output)
{
	struct watch watch = {.invocation = invocation, .output = output};
	struct lb_err err = {0};

	if (client_stream(invocation->socket, CLIENT_TIMEOUT_S, invocation->command->method, NULL,
			  print_event, &watch, &err))
		return output_error(output, invocation, &err);
	return EXIT_DONE;
}
