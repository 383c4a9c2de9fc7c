/* SPDX-License-Identifier: BSD-2-Clause */
/* What can lbctl be told to do? One table answers for parsing, help, completion and the manual
 * page.
 *
 * Placeholders are in capitals where the operator makes the word up or reads it off (VIP, N), in
 * small letters where the words are fixed ("rendezvous|maglev"). Completion reads them, too: VIP,
 * POOL and BACKEND are asked of lbd, FILE is left to the shell, COMMAND stands for words of this table.
 */
#ifndef LBCTL_COMMAND_H
#define LBCTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <jansson.h>
#include "../lbd/api/err.h"
#include "../lbd/api/schema.h"
#include "../lbd/api/version.h"

#define ARGUMENTS_MAX 3
#define OPTIONS_MAX 64
#define EXAMPLES_MAX 3

struct invocation;
struct output;

/* Exit codes; exit_codes[] in commands.c says them in words. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
	EXIT_DIFFERS = 4,
};

struct argument_spec {
	const char *name; /* placeholder */
	bool optional;
};

struct option_spec {
	const char *name;  /* without its dashes */
	const char *value; /* placeholder; NULL: a flag */
	const char *summary;
	bool required;
	bool hidden; /* neither in help nor in completion */
	bool manner; /* says how, not what: does not satisfy needs_option */
	/* One of many: the usage line has [--FAMILY-...] for all of them. */
	const char *family;
	const struct schema_field *field; /* that it is the value of; NULL: none (fields.c) */
};

/* Unused places of the arrays are zero, and the last option is one. */
struct command {
	const char *object;
	const char *verb; /* NULL: the object alone is the command */
	struct argument_spec arguments[ARGUMENTS_MAX];
	struct option_spec options[OPTIONS_MAX];
	/* Fields that have options before these, of a new object or, where it edits, of one that is
	 * there; NULL: none. */
	const struct schema *schema;
	bool edits;
	bool needs_option; /* none is required, but one at least must be there */
	const char *summary;
	const char *detail; /* more sentences for help and manual; NULL: none */
	const char *examples[EXAMPLES_MAX];

	/* A question to lbd: the method, how its params are made (NULL: none), how text shows the
	 * result. */
	const char *method;
	int (*params)(const struct invocation *invocation, json_t **params, struct lb_err *err);
	void (*view)(FILE *out, const struct invocation *invocation, const json_t *result);
	/* NULL: by one request. Else params may be changed. */
	int (*ask)(const struct invocation *invocation, json_t *params, json_t **result,
		   struct lb_err *err);
	enum exit_code (*judge)(const json_t *result); /* NULL: a result means EXIT_DONE */
	const char *root; /* prefix of error paths that means nothing to the operator; NULL: none */

	/* Or, where set, something else. */
	enum exit_code (*run)(const struct invocation *invocation, struct output *output);
};

struct exit_code_spec {
	enum exit_code code;
	const char *meaning;
};

extern const struct command *const commands;      /* ends with object NULL */
extern const struct option_spec global_options[]; /* ends with name NULL */
extern const struct exit_code_spec exit_codes[];  /* ends with meaning NULL */

void commands_prepare(void); /* before anything else: gives them the options of their fields */

/* The command of these words (verb may be NULL), or NULL. */
const struct command *command_find(const char *object, const char *verb);
bool command_is_object(const char *word);
/* The option of so many characters of `name`, or NULL; specs end with name NULL. */
const struct option_spec *option_find(const struct option_spec *specs, const char *name,
				      size_t length);

/* "vip add ADDRESS:PORT/PROTO [--name NAME] …", cut off at `size`. Returns out. */
char *command_usage(const struct command *command, char *out, size_t size);
#define USAGE_TEXT 1024

#endif
