/* SPDX-License-Identifier: BSD-2-Clause */
/* How is the manual page lbctl(8) made? The prose stands here, the rest comes from the command
 * table. */
#include "../lbd/api/rpc.h"
#include "help.h"

/* Minus signs and quotes that can be copied, no accidental requests or escapes. */
static void print_roff(FILE *out, const char *text)
{
	if (*text == '.')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\'')
			fputs("\\(aq", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
	}
}

static void print_paragraph(FILE *out, const char *text)
{
	print_roff(out, text);
	fputc('\n', out);
}

static void print_options(FILE *out, const struct option_spec *options)
{
	for (size_t i = 0; options[i].name; i++) {
		if (options[i].hidden)
			continue;
		fprintf(out, ".TP\n\\fB\\-\\-");
		print_roff(out, options[i].name);
		fprintf(out, "\\fR");
		if (options[i].value)
			fprintf(out, " \\fI%s\\fR", options[i].value);
		fputc('\n', out);
		print_paragraph(out, options[i].summary);
	}
}

static void print_command(FILE *out, const struct command *command)
{
	char usage[USAGE_TEXT];

	fprintf(out, ".SS \"");
	print_roff(out, command_usage(command, usage, sizeof(usage)));
	fprintf(out, "\"\n");
	print_paragraph(out, command->summary);
	if (command->detail) {
		fprintf(out, ".PP\n");
		print_paragraph(out, command->detail);
	}
	print_options(out, command->options);
	fprintf(out, ".PP\n.nf\n.RS\n");
	for (size_t i = 0; i < EXAMPLES_MAX && command->examples[i]; i++)
		print_paragraph(out, command->examples[i]);
	fprintf(out, ".RE\n.fi\n");
}

static void print_head(FILE *out)
{
	fprintf(out, ".\\\" Made by `lbctl help --man` from lbctl/commands.c and lbctl/man.c.\n");
	fprintf(out, ".TH LBCTL 8 \"\" \"lbctl %s\" \"System administration\"\n", LB_VERSION);
	fprintf(out, ".SH NAME\nlbctl \\- control lbd, the load balancer daemon\n");
	fprintf(out, ".SH SYNOPSIS\n");
	fprintf(out, "\\fBlbctl\\fR [\\fB\\-\\-socket\\fR \\fIPATH\\fR] [\\fB\\-\\-json\\fR] "
		     "\\fICOMMAND\\fR\n");
	fprintf(out, ".SH DESCRIPTION\n");
	print_paragraph(out,
			"lbctl asks the running lbd over its Unix socket and prints the reply. "
			"What it changes is in force and on disk when it ends.");
	fprintf(out, ".PP\n");
	print_paragraph(out, "VIP is the name or the address of a VIP, BACKEND the address of a "
			     "backend, POOL the name of a pool, or of backends a VIP, which has a "
			     "pool of its own or uses one. Options may stand anywhere on the line, "
			     "as --name web or as "
			     "--name=web; what follows -- is no option.");
}

static void print_exit_codes(FILE *out)
{
	fprintf(out, ".SH EXIT STATUS\n");
	for (const struct exit_code_spec *spec = exit_codes; spec->meaning; spec++) {
		fprintf(out, ".TP\n\\fB%d\\fR\n", spec->code);
		print_paragraph(out, spec->meaning);
	}
}

void man_print(FILE *out)
{
	print_head(out);
	fprintf(out, ".SH OPTIONS\nWith every command:\n");
	print_options(out, global_options);
	fprintf(out, ".SH COMMANDS\n");
	for (const struct command *command = commands; command->object; command++)
		print_command(out, command);
	print_exit_codes(out);
	fprintf(out, ".SH FILES\n.TP\n\\fI%s\\fR\nlbd\\(aqs socket\n", LB_SOCKET_DEFAULT);
	fprintf(out, ".SH SEE ALSO\n\\fBlbd\\fR(8), \\fBlbd.json\\fR(5)\n");
}
