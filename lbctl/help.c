/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbctl explain its commands on the terminal? */
#include "help.h"
#include <string.h>
#include "args.h"
#include "columns.h"

static void print_options(FILE *out, const struct option_spec *options)
{
	struct columns columns;

	columns_open(&columns);
	for (size_t i = 0; options[i].name; i++)
		if (!options[i].hidden)
			fprintf(columns.rows, "--%s%s%s\t%s\n", options[i].name,
				options[i].value ? " " : "",
				options[i].value ? options[i].value : "", options[i].summary);
	columns_close(&columns, out, 2, "");
}

static void print_command(FILE *out, const struct command *command)
{
	char usage[USAGE_TEXT];

	fprintf(out, "usage: lbctl %s\n\n", command_usage(command, usage, sizeof(usage)));
	fprintf(out, "%s\n", command->summary);
	if (command->detail)
		fprintf(out, "%s\n", command->detail);
	if (command->options[0].name && !command->options[0].hidden) {
		fprintf(out, "\n");
		print_options(out, command->options);
	}
	fprintf(out, "\nfor example:\n");
	for (size_t i = 0; i < EXAMPLES_MAX && command->examples[i]; i++)
		fprintf(out, "  %s\n", command->examples[i]);
}

/* All commands, or those of one object. Options are left to the help on each. */
static void print_list(FILE *out, const char *object)
{
	struct columns columns;

	columns_open(&columns);
	for (const struct command *command = commands; command->object; command++) {
		if (object && strcmp(command->object, object) != 0)
			continue;
		fprintf(columns.rows, "%s%s%s", command->object, command->verb ? " " : "",
			command->verb ? command->verb : "");
		for (size_t i = 0; i < ARGUMENTS_MAX && command->arguments[i].name; i++)
			fprintf(columns.rows, command->arguments[i].optional ? " [%s]" : " %s",
				command->arguments[i].name);
		fprintf(columns.rows, "\t%s\n", command->summary);
	}
	columns_close(&columns, out, 2, "");
}

static void print_overview(FILE *out)
{
	fprintf(out, "lbctl %s: the tool for lbd, the load balancer daemon\n\n", LB_VERSION);
	fprintf(out, "usage: lbctl [--socket PATH] [--json] COMMAND\n\n");
	print_list(out, NULL);
	fprintf(out, "\nVIP is the name or the address of a VIP, BACKEND the address of a backend, "
		     "POOL the "
		     "name\nof a pool, or of backends a VIP, which has a pool of its own or uses "
		     "one.\n");
	fprintf(out, "\nwith every command:\n");
	print_options(out, global_options);
	fprintf(out, "\nexit status:\n");
	for (const struct exit_code_spec *spec = exit_codes; spec->meaning; spec++)
		fprintf(out, "  %d  %s\n", spec->code, spec->meaning);
	fprintf(out, "\nlbctl help COMMAND says more about one.\n");
}

/* The words of an unknown command are explained as if they had been used. */
static enum exit_code unknown_command(const struct invocation *invocation, struct output *output)
{
	char *words[] = {"lbctl", (char *)invocation->arguments[0],
			 (char *)invocation->arguments[1], NULL};
	struct invocation would_be;
	struct lb_err err = {0};

	if (args_parse(invocation->arguments[1] ? 3 : 2, words, &would_be, &err) == 0 ||
	    would_be.command)
		lb_err_set(&err, LB_ERR_USAGE, "", "%s has no verb \"%s\"", words[1], words[2]);
	would_be.command = NULL;
	return output_error(output, &would_be, &err);
}

enum exit_code help_run(const struct invocation *invocation, struct output *output)
{
	const char *object = invocation->arguments[0];
	const char *verb = invocation->arguments[1];
	const struct command *command = object ? command_find(object, verb) : NULL;

	if (invocation_option(invocation, "man")) {
		man_print(output->out);
	} else if (!object) {
		print_overview(output->out);
	} else if (command && (command->verb || !verb)) {
		print_command(output->out, command);
	} else if (!verb && command_is_object(object)) {
		fprintf(output->out, "commands:\n");
		print_list(output->out, object);
	} else {
		return unknown_command(invocation, output);
	}
	return EXIT_DONE;
}
