/* SPDX-License-Identifier: BSD-2-Clause */
/* What did the operator ask for? Words and options are told apart first; then the words name the
 * command, and only then it is known which options and arguments it takes. So options may stand
 * anywhere on the line. */
#include "args.h"
#include <string.h>
#include "../lbd/api/rpc.h"

#define WORDS_MAX 16
#define NAMES_MAX 64

struct given {
	const char *name; /* not terminated where a value follows after '=' */
	size_t name_length;
	const struct option_spec *spec; /* NULL: no command has such an option */
	const char *value;
};

/* A line after its first reading. */
struct line {
	const char *words[WORDS_MAX + 1]; /* ends with NULL */
	size_t word_count;
	struct given options[OPTIONS_MAX]; /* no command has more, and none may be given twice */
	size_t option_count;
	bool help;
};

/* Whether an option takes a value must be known before the command is. */
static const struct option_spec *find_option(const char *name, size_t length)
{
	const struct option_spec *found = option_find(global_options, name, length);

	for (const struct command *command = commands; !found && command->object; command++)
		found = option_find(command->options, name, length);
	return found;
}

static int take_word(struct line *line, const char *word, struct lb_err *err)
{
	if (line->word_count == WORDS_MAX)
		return lb_err_set(err, LB_ERR_USAGE, "", "too many arguments");
	line->words[line->word_count++] = word;
	return 0;
}

static int take_given(struct line *line, const struct given *given, struct invocation *out,
		      struct lb_err *err)
{
	const char *name = given->spec ? given->spec->name : "";

	if (strcmp(name, "json") == 0)
		out->json = true;
	else if (strcmp(name, "help") == 0)
		line->help = true;
	else if (strcmp(name, "socket") == 0)
		out->socket = given->value;
	else if (line->option_count == OPTIONS_MAX)
		return lb_err_set(err, LB_ERR_USAGE, "", "too many options");
	else
		line->options[line->option_count++] = *given;
	return 0;
}

/* --name, --name=value or --name value. Moves *at on where the value is the next argument. */
static int take_option(struct line *line, char *const *argv, int *at, struct invocation *out,
		       struct lb_err *err)
{
	struct given given = {.name = argv[*at] + 2};
	bool attached;

	given.name_length = strcspn(given.name, "=");
	given.spec = find_option(given.name, given.name_length);
	attached = given.name[given.name_length] == '=';
	given.value = attached ? given.name + given.name_length + 1 : "";
	if (given.spec && !given.spec->value && attached)
		return lb_err_set(err, LB_ERR_USAGE, "", "--%s takes no value", given.spec->name);
	if (given.spec && given.spec->value && !attached) {
		given.value = argv[*at + 1];
		if (!given.value || strncmp(given.value, "--", 2) == 0)
			return lb_err_set(err, LB_ERR_USAGE, "", "--%s needs a value: %s",
					  given.spec->name, given.spec->value);
		++*at;
	}
	return take_given(line, &given, out, err);
}

static int take(struct line *line, char *const *argv, int *at, struct invocation *out,
		struct lb_err *err)
{
	const char *text = argv[*at];

	if (strcmp(text, "-h") == 0) {
		line->help = true;
		return 0;
	}
	if (strncmp(text, "--", 2) == 0)
		return take_option(line, argv, at, out, err);
	if (text[0] == '-' && text[1] != '\0')
		return lb_err_set(err, LB_ERR_USAGE, "", "unknown option \"%s\"", text);
	return take_word(line, text, err);
}

/* Reads on after a fault, for --json and --help, but the first fault is the one to report. */
static int read_line(int argc, char *const *argv, struct line *line, struct invocation *out,
		     struct lb_err *err)
{
	bool options_end = false;
	int status = 0;

	for (int at = 1; at < argc; at++) {
		struct lb_err *first = status ? NULL : err;
		int refused = 0;

		if (options_end)
			refused = take_word(line, argv[at], first);
		else if (strcmp(argv[at], "--") == 0)
			options_end = true;
		else
			refused = take(line, argv, &at, out, first);
		if (refused)
			status = refused;
	}
	return status;
}

static void hint_nearest(struct lb_err *err, const char *word, const char *const *names,
			 const char *otherwise)
{
	const char *nearest = lb_nearest(word, names);

	if (nearest)
		lb_err_hint(err, "did you mean \"%s\"?", nearest);
	else
		lb_err_hint(err, "%s", otherwise);
}

static int unknown_object(const char *word, struct lb_err *err)
{
	const char *names[NAMES_MAX + 1] = {0};
	size_t count = 0;

	for (const struct command *command = commands; command->object; command++)
		if (count < NAMES_MAX)
			names[count++] = command->object;
	lb_err_set(err, LB_ERR_USAGE, "", "unknown command \"%s\"", word);
	hint_nearest(err, word, names, "lbctl help lists the commands");
	return -1;
}

/* `word` is NULL where the verb is missing. */
static int unknown_verb(const char *object, const char *word, struct lb_err *err)
{
	const char *names[NAMES_MAX + 1] = {0};
	char list[128];
	size_t count = 0;

	for (const struct command *command = commands; command->object; command++)
		if (count < NAMES_MAX && strcmp(command->object, object) == 0)
			names[count++] = command->verb;
	lb_list(names, ", ", " or ", list, sizeof(list));
	if (!word)
		return lb_err_set(err, LB_ERR_USAGE, "", "%s needs a verb: %s", object, list);
	lb_err_set(err, LB_ERR_USAGE, "", "%s has no verb \"%s\"", object, word);
	hint_nearest(err, word, names, list);
	return -1;
}

/* *used: how many words name the command. */
static int resolve(const struct line *line, struct invocation *out, size_t *used,
		   struct lb_err *err)
{
	const char *object = line->word_count ? line->words[0] : "status";

	*used = 0;
	if (!command_is_object(object))
		return unknown_object(object, err);
	out->command = command_find(object, line->word_count ? line->words[1] : NULL);
	if (!out->command)
		return unknown_verb(object, line->words[1], err);
	if (line->word_count)
		*used = out->command->verb ? 2 : 1;
	return 0;
}

/* `vip add --help` is `help vip add`, `vip --help` is `help vip`. */
static int resolve_help(const struct line *line, struct invocation *out, struct lb_err *err)
{
	size_t used;

	if (line->word_count == 1 && command_is_object(line->words[0]))
		used = 1;
	else if (resolve(line, out, &used, err))
		return -1;
	memset(out->values, 0, sizeof(out->values));
	for (size_t i = 0; i < used; i++)
		out->arguments[i] = line->words[i];
	out->command = command_find("help", NULL);
	return 0;
}

/* `command` is NULL where the line names none. */
static int unknown_option(const struct command *command, const struct given *given,
			  struct lb_err *err)
{
	const char *names[OPTIONS_MAX + NAMES_MAX + 1] = {0};
	char name[64];
	size_t count = 0;

	snprintf(name, sizeof(name), "%.*s", (int)given->name_length, given->name);
	if (given->spec && command)
		return lb_err_set(err, LB_ERR_USAGE, "", "%s%s%s takes no --%s", command->object,
				  command->verb ? " " : "", command->verb ? command->verb : "",
				  name);
	for (size_t i = 0; command && command->options[i].name; i++)
		if (!command->options[i].hidden)
			names[count++] = command->options[i].name;
	for (const struct option_spec *spec = global_options; spec->name; spec++)
		names[count++] = spec->name;
	lb_err_set(err, LB_ERR_USAGE, "", "unknown option \"--%s\"", name);
	if (lb_nearest(name, names))
		lb_err_hint(err, "did you mean \"--%s\"?", lb_nearest(name, names));
	return -1;
}

static int bind_option(const struct given *given, struct invocation *out, struct lb_err *err)
{
	const struct option_spec *specs = out->command->options;
	const struct option_spec *spec = option_find(specs, given->name, given->name_length);

	if (!spec)
		return unknown_option(out->command, given, err);
	if (out->values[spec - specs])
		return lb_err_set(err, LB_ERR_USAGE, "", "--%s is given twice", spec->name);
	out->values[spec - specs] = given->value;
	return 0;
}

static int check_options(const struct invocation *out, struct lb_err *err)
{
	const struct option_spec *specs = out->command->options;
	bool any = false;

	for (size_t i = 0; specs[i].name; i++) {
		if (specs[i].required && !out->values[i])
			return lb_err_set(err, LB_ERR_USAGE, "", "--%s %s is missing",
					  specs[i].name, specs[i].value);
		any = any || (out->values[i] && !specs[i].manner);
	}
	if (any || !out->command->needs_option)
		return 0;
	return lb_err_set(err, LB_ERR_USAGE, "",
			  "nothing to change: give an option that says what");
}

static int bind_arguments(const struct line *line, size_t used, struct invocation *out,
			  struct lb_err *err)
{
	const struct argument_spec *specs = out->command->arguments;
	size_t given = line->word_count - used;

	for (size_t i = 0; i < ARGUMENTS_MAX && specs[i].name; i++) {
		out->arguments[i] = i < given ? line->words[used + i] : NULL;
		if (i >= given && !specs[i].optional)
			return lb_err_set(err, LB_ERR_USAGE, "", "%s is missing", specs[i].name);
	}
	for (size_t i = 0; i < given; i++)
		if (i >= ARGUMENTS_MAX || !specs[i].name)
			return lb_err_set(err, LB_ERR_USAGE, "", "unexpected argument \"%s\"",
					  line->words[used + i]);
	return 0;
}

/* No command has it: what was meant as its value reads as the first word. */
static const struct given *option_of_nobody(const struct line *line)
{
	for (size_t i = 0; i < line->option_count; i++)
		if (!line->options[i].spec)
			return &line->options[i];
	return NULL;
}

int args_parse(int argc, char *const *argv, struct invocation *out, struct lb_err *err)
{
	struct line line = {0};
	size_t used;
	int status;

	*out = (struct invocation){.socket = LB_SOCKET_DEFAULT, .argv = argv};
	status = read_line(argc, argv, &line, out, err);
	if (line.help)
		return resolve_help(&line, out, err);
	if (resolve(&line, out, &used, status ? NULL : err)) {
		if (!status && option_of_nobody(&line))
			return unknown_option(NULL, option_of_nobody(&line), err);
		return -1;
	}
	if (status)
		return -1;
	for (size_t i = 0; i < line.option_count; i++)
		if (bind_option(&line.options[i], out, err))
			return -1;
	if (bind_arguments(&line, used, out, err))
		return -1;
	return check_options(out, err);
}

const char *invocation_option(const struct invocation *invocation, const char *name)
{
	const struct option_spec *specs = invocation->command->options;
	const struct option_spec *spec = option_find(specs, name, strlen(name));

	return spec ? invocation->values[spec - specs] : NULL;
}
