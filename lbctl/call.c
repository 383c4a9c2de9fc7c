/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a command carried out that is a question to lbd? Make params, ask, show the result, judge
 * it. */
#include "call.h"
#include <errno.h>
#include <string.h>
#include "args.h"
#include "client.h"
#include "params.h"

/* The author of a file knows paths within the file, not within the request that carried it. */
static void strip_root(struct lb_err *err, const char *root)
{
	size_t length = strlen(root);

	if (strncmp(err->path, root, length) == 0 && err->path[length] == '.')
		memmove(err->path, err->path + length + 1, strlen(err->path + length + 1) + 1);
}

int call_ask(const struct invocation *invocation, json_t **result, struct lb_err *err)
{
	const struct command *command = invocation->command;
	json_auto_t
	*params = NULL;

	if (command->params && command->params(invocation, &params, err))
		return -EINVAL;
	if (params_add_manner(invocation, params, err))
		return -EINVAL;
	if (client_call(invocation->socket, CLIENT_TIMEOUT_S, command->method, params, result,
			err) == 0)
		return 0;
	if (command->root)
		strip_root(err, command->root);
	return -EINVAL;
}

enum exit_code call_lbd(const struct invocation *invocation, struct output *output)
{
	const struct command *command = invocation->command;
	json_auto_t
	*result = NULL;
	struct lb_err err = {0};

	if (call_ask(invocation, &result, &err))
		return output_error(output, invocation, &err);
	output_result(output, invocation, result);
	return command->judge ? command->judge(result) : EXIT_DONE;
}

enum exit_code call_version(const struct invocation *invocation, struct output *output)
{
	if (!invocation->json)
		fprintf(output->out, "lbctl %s\n", LB_VERSION);
	return call_lbd(invocation, output);
}
