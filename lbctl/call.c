/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a command carried out that is a question to lbd? Make params, ask, show the result, judge
 * it. */
#include "call.h"
#include <errno.h>
#include <string.h>
#include "args.h"
#include "client.h"
#include "params.h"
#include "view.h"

/* The author of a file knows paths within the file, not within the request that carried it. */
static void strip_root(struct lb_err *err, const char *root)
{
	size_t length = strlen(root);

	if (strncmp(err->path, root, length) == 0 && err->path[length] == '.')
		memmove(err->path, err->path + length + 1, strlen(err->path + length + 1) + 1);
}

/* Of a document that is refused because others have changed something since it was exported: what
 * applying it would undo, before the error. For text only; programs ask for config.diff. */
static void show_difference(const struct invocation *invocation, const json_t *params)
{
	json_auto_t *document =
		json_pack("{s:O*}", "document", json_object_get(params, "document"));
	json_auto_t *difference = NULL;
	struct lb_err err;

	if (invocation->json || !json_object_size(document) ||
	    client_call(invocation->socket, CLIENT_TIMEOUT_S, "config.diff", document, &difference,
			&err))
		return;
	fprintf(stderr, "applying it would change:\n");
	view_diff(stderr, invocation, difference);
}

static int ask(const struct invocation *invocation, json_t *params, json_t **result,
	       struct lb_err *err)
{
	const struct command *command = invocation->command;

	if (command->ask)
		return command->ask(invocation, params, result, err);
	return client_call(invocation->socket, CLIENT_TIMEOUT_S, command->method, params, result,
			   err);
}

int call_ask(const struct invocation *invocation, json_t **result, struct lb_err *err)
{
	const struct command *command = invocation->command;
	json_auto_t *params = NULL;

	if (command->params && command->params(invocation, &params, err))
		return -EINVAL;
	if (params_add_manner(invocation, params, err))
		return -EINVAL;
	if (ask(invocation, params, result, err) == 0)
		return 0;
	if (err->code == LB_ERR_CONFLICT)
		show_difference(invocation, params);
	if (command->root)
		strip_root(err, command->root);
	return -EINVAL;
}

enum exit_code call_lbd(const struct invocation *invocation, struct output *output)
{
	const struct command *command = invocation->command;
	json_auto_t *result = NULL;
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
