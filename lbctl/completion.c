/* SPDX-License-Identifier: BSD-2-Clause */
/* Which words can follow? The shell's script is a thin shell around `lbctl __complete WORD…`, so
 * that the command table, and lbd for names and addresses, give every candidate. */
#include <string.h>
#include "../lbd/api/rpc.h"
#include "args.h"
#include "client.h"
#include "help.h"

#define TIMEOUT_S 2 /* nobody waits longer for a key */
#define LEFT_TO_SHELL "<file>"

/* bash cuts words at ':' and '=', which addresses and --name=value contain: the words are taken
 * from the line itself, and what stands before the last such character is taken off each candidate
 * again. */
static const char bash_script[] =
	"# bash completion for lbctl; load with: source <(lbctl completion bash)\n"
	"_lbctl() {\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} words current before candidates\n"
	"\tread -ra words <<< \"$line\"\n"
	"\t[[ $line == *[[:space:]] ]] && words+=('')\n"
	"\tcurrent=${words[-1]}\n"
	"\tbefore=${current%\"${current##*[:=]}\"}\n"
	"\tmapfile -t candidates < <(\"${words[0]}\" " COMPLETION_WORD
	" \"${words[@]:1}\" 2>/dev/null)\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ ${candidates[0]} == '" LEFT_TO_SHELL "' ]]; then\n"
	"\t\tcompopt -o default 2>/dev/null\n"
	"\telse\n"
	"\t\tCOMPREPLY=(\"${candidates[@]#\"$before\"}\")\n"
	"\tfi\n"
	"}\n"
	"complete -F _lbctl lbctl\n";

/* A line as far as it has been typed: whole words, then the one at the cursor. */
struct partial {
	const char *words[ARGUMENTS_MAX + 2];
	size_t word_count;
	const char *socket;
	const char *pending; /* placeholder of an option that waits for its value; NULL: none */
	const char *current;
	const char *prefix; /* of the candidates: "--table=" */
	int prefix_length;
};

enum exit_code completion_run(const struct invocation *invocation, struct output *output)
{
	struct lb_err err = {0};

	if (strcmp(invocation->arguments[0], "bash") != 0) {
		lb_err_set(&err, LB_ERR_USAGE, "", "there is no completion for \"%s\"",
			   invocation->arguments[0]);
		lb_err_hint(&err, "lbctl knows bash");
		return output_error(output, invocation, &err);
	}
	fputs(bash_script, output->out);
	return EXIT_DONE;
}

static void candidate(FILE *out, const struct partial *partial, const char *word, int length)
{
	size_t typed = strlen(partial->current);

	if (typed <= (size_t)length && strncmp(word, partial->current, typed) == 0)
		fprintf(out, "%.*s%.*s\n", partial->prefix_length, partial->prefix, length, word);
}

/* The result of a method, or NULL: then there is just nothing to offer. */
static json_t *ask(const struct partial *partial, const char *method, const json_t *params)
{
	const char *path = partial->socket ? partial->socket : LB_SOCKET_DEFAULT;
	json_t *result = NULL;
	struct lb_err ignored = {0};

	if (client_call(path, TIMEOUT_S, method, params, &result, &ignored))
		return NULL;
	return result;
}

/* A field of each of the items. */
static void offer_each(FILE *out, const struct partial *partial, const json_t *items,
		       const char *field)
{
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		const char *text = json_string_value(json_object_get(item, field));

		if (text)
			candidate(out, partial, text, (int)strlen(text));
	}
}

static void offer_vips(FILE *out, const struct partial *partial)
{
	json_auto_t *result = ask(partial, "vip.list", NULL);

	offer_each(out, partial, json_object_get(result, "vips"), "name");
}

static void offer_pools(FILE *out, const struct partial *partial)
{
	json_auto_t *result = ask(partial, "pool.list", NULL);

	offer_each(out, partial, json_object_get(result, "pools"), "name");
	/* Of backends, a VIP means its pool. */
	if (partial->word_count && strcmp(partial->words[0], "backend") == 0)
		offer_vips(out, partial);
}

static void offer_backends(FILE *out, const struct partial *partial)
{
	const char *reference = partial->word_count > 2 ? partial->words[2] : NULL;
	json_auto_t *params = json_pack("{s:s*}", "vip", reference);
	json_auto_t *result = params ? ask(partial, "backend.list", params) : NULL;
	const json_t *pool = json_array_get(json_object_get(result, "pools"), 0);
	const json_t *vip = json_array_get(json_object_get(result, "vips"), 0);

	offer_each(out, partial, json_object_get(pool ? pool : vip, "backends"), "address");
}

/* "rendezvous|maglev" */
static void offer_choices(FILE *out, const struct partial *partial, const char *choices)
{
	while (*choices) {
		int length = (int)strcspn(choices, "|");

		candidate(out, partial, choices, length);
		choices += length + (choices[length] == '|');
	}
}

static void offer_objects(FILE *out, const struct partial *partial)
{
	const char *last = "";

	for (const struct command *command = commands; command->object; command++) {
		if (strcmp(command->object, last) != 0)
			candidate(out, partial, command->object, (int)strlen(command->object));
		last = command->object;
	}
}

static void offer_verbs(FILE *out, const struct partial *partial, const char *object)
{
	for (const struct command *command = commands; command->object; command++)
		if (command->verb && strcmp(command->object, object) == 0)
			candidate(out, partial, command->verb, (int)strlen(command->verb));
}

static void offer_options(FILE *out, const struct partial *partial, const struct option_spec *specs)
{
	char text[64];

	for (size_t i = 0; specs[i].name; i++) {
		if (specs[i].hidden)
			continue;
		snprintf(text, sizeof(text), "--%s", specs[i].name);
		candidate(out, partial, text, (int)strlen(text));
	}
}

static void offer_value(FILE *out, const struct partial *partial, const char *placeholder)
{
	if (strcmp(placeholder, "VIP") == 0)
		offer_vips(out, partial);
	else if (strcmp(placeholder, "POOL") == 0)
		offer_pools(out, partial);
	else if (strcmp(placeholder, "BACKEND") == 0)
		offer_backends(out, partial);
	else if (strcmp(placeholder, "FILE") == 0 || strcmp(placeholder, "PATH") == 0)
		fprintf(out, "%s\n", LEFT_TO_SHELL);
	else if (strcmp(placeholder, "COMMAND") == 0 && partial->word_count == 1)
		offer_objects(out, partial);
	else if (strcmp(placeholder, "COMMAND") == 0)
		offer_verbs(out, partial, partial->words[1]);
	else if (strchr(placeholder, '|') || (*placeholder >= 'a' && *placeholder <= 'z'))
		offer_choices(out, partial, placeholder);
}

static void offer_argument(FILE *out, const struct partial *partial, const struct command *command)
{
	size_t at = partial->word_count - (command->verb ? 2 : 1);

	if (at < ARGUMENTS_MAX && command->arguments[at].name)
		offer_value(out, partial, command->arguments[at].name);
}

static const struct option_spec *option_of(const struct command *command, const char *name,
					   size_t length)
{
	const struct option_spec *own =
		command ? option_find(command->options, name, length) : NULL;

	return own ? own : option_find(global_options, name, length);
}

static const struct command *command_of(const struct partial *partial)
{
	if (partial->word_count == 0)
		return NULL;
	return command_find(partial->words[0], partial->word_count > 1 ? partial->words[1] : NULL);
}

static void take_whole(struct partial *partial, const char *word, const char *next)
{
	const struct option_spec *spec;
	size_t length;

	if (strncmp(word, "--", 2) != 0) {
		if (!partial->pending && partial->word_count < ARGUMENTS_MAX + 2)
			partial->words[partial->word_count++] = word;
		partial->pending = NULL;
		return;
	}
	length = strcspn(word + 2, "=");
	spec = option_of(command_of(partial), word + 2, length);
	if (!spec || !spec->value)
		return;
	if (word[length + 2] != '=')
		partial->pending = spec->value;
	if (strcmp(spec->name, "socket") == 0)
		partial->socket = word[length + 2] == '=' ? word + length + 3 : next;
}

/* "--table=m": the value is to be completed, the rest is kept before each candidate. */
static const char *take_attached(struct partial *partial, const struct command *command)
{
	size_t length = strcspn(partial->current, "=");
	const struct option_spec *spec;

	if (strncmp(partial->current, "--", 2) != 0 || partial->current[length] != '=')
		return NULL;
	spec = option_of(command, partial->current + 2, length - 2);
	partial->prefix = partial->current;
	partial->prefix_length = (int)length + 1;
	partial->current += length + 1;
	return spec && spec->value ? spec->value : "";
}

static void offer(FILE *out, struct partial *partial)
{
	const struct command *command = command_of(partial);
	const char *placeholder = partial->pending;

	if (!placeholder)
		placeholder = take_attached(partial, command);
	if (placeholder) {
		offer_value(out, partial, placeholder);
	} else if (partial->current[0] == '-') {
		if (command)
			offer_options(out, partial, command->options);
		offer_options(out, partial, global_options);
	} else if (partial->word_count == 0) {
		offer_objects(out, partial);
	} else if (command) {
		offer_argument(out, partial, command);
	} else if (partial->word_count == 1) {
		offer_verbs(out, partial, partial->words[0]);
	}
}

void completion_candidates(FILE *out, int count, char *const *words)
{
	struct partial partial = {.current = "", .prefix = ""};

	for (int i = 0; i + 1 < count; i++)
		take_whole(&partial, words[i], words[i + 1]);
	if (count > 0)
		partial.current = words[count - 1];
	offer(out, &partial);
}
