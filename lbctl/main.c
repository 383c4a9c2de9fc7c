/* SPDX-License-Identifier: BSD-2-Clause */
/* lbctl: the operator's tool for lbd. What happens from the command line to the exit status? */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "args.h"
#include "call.h"
#include "help.h"
#include "output.h"

static enum exit_code carry_out(int argc, char *const *argv, struct output *output)
{
	struct invocation invocation;
	struct lb_err err = {0};
	int refused = args_parse(argc, argv, &invocation, &err);

	if (output_open(output, invocation.json))
		return EXIT_REFUSED;
	if (refused)
		return output_error(output, &invocation, &err);
	if (invocation.command->run)
		return invocation.command->run(&invocation, output);
	return call_lbd(&invocation, output);
}

int main(int argc, char **argv)
{
	struct output output = {0};

	signal(SIGPIPE, SIG_IGN);
	commands_prepare();
	if (argc > 1 && strcmp(argv[1], COMPLETION_WORD) == 0) {
		completion_candidates(stdout, argc - 2, argv + 2);
		return EXIT_DONE;
	}
	return output_close(&output, carry_out(argc, argv, &output));
}
