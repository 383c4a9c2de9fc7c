/* SPDX-License-Identifier: BSD-2-Clause */
/* Which options does a command get from the tables of fields, and what do they say in JSON? */
#include "fields.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "params.h"
#include "units.h"

/* --- what was given, as JSON: a new reference, or NULL where it cannot be that --- */

static json_t *integer_value(const char *text)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (text[strspn(text, "-0123456789")] || end == text || *end || errno)
		return NULL;
	return json_integer(value);
}

static json_t *period_value(const char *text)
{
	long long seconds;

	return units_parse_period(text, &seconds) ? NULL : json_integer(seconds);
}

static json_t *milliseconds_value(const char *text)
{
	long long milliseconds;

	return units_parse_milliseconds(text, &milliseconds) ? NULL : json_integer(milliseconds);
}

static json_t *percent_value(const char *text)
{
	double percent;

	if (units_parse_percent(text, &percent) || percent > 100 || percent != floor(percent))
		return NULL;
	return json_integer((json_int_t)percent);
}

static json_t *boolean_value(const char *text)
{
	const bool yes = strcmp(text, "yes") == 0;

	return yes || strcmp(text, "no") == 0 ? json_boolean(yes) : NULL;
}

static json_t *words_value(const char *text)
{
	static const char blanks[] = " \t\n";
	json_t *array = json_array();
	int error = 0;

	for (; !error && *(text += strspn(text, blanks)); text += strcspn(text, blanks))
		error = json_array_append_new(array, json_stringn(text, strcspn(text, blanks)));
	if (!error)
		return array;
	json_decref(array);
	return NULL;
}

/* --- a list of objects: NAME=VALUE,NAME=VALUE for each, separated by blanks --- */

#define BLANKS " \t\n"

static json_t *value_of(const struct schema_field *field, const char *text);

/* A field may be called by the beginning of its name. */
static const struct schema_field *field_called(const struct schema *schema, const char *name,
					       size_t length)
{
	const struct schema_field *field = schema->fields;

	while (field->name && strncmp(field->name, name, length) != 0)
		field++;
	return length && field->name ? field : NULL;
}

/* One NAME=VALUE into the object; false: it is none. */
static bool add_member(const struct schema *schema, const char *text, size_t length, json_t *object)
{
	const size_t name = strcspn(text, "=");
	const struct schema_field *field = name < length ? field_called(schema, text, name) : NULL;
	char *copy = field ? strndup(text + name + 1, length - name - 1) : NULL;
	json_t *value = copy ? value_of(field, copy) : NULL;

	free(copy);
	return value && !json_object_set_new(object, field->name, value);
}

static bool add_members(const struct schema *schema, const char *text, json_t *object)
{
	size_t length;

	for (;; text += length + 1) {
		length = strcspn(text, "," BLANKS);
		if (!add_member(schema, text, length, object))
			return false;
		if (text[length] != ',')
			return true;
	}
}

/* "default" is one object without fields, "none" no object. */
static json_t *list_value(const struct schema *schema, const char *text)
{
	json_t *array = json_array();
	bool sound = true;

	if (strcmp(text, "none") == 0)
		return array;
	if (strcmp(text, "default") == 0) {
		json_array_append_new(array, json_object());
		return array;
	}
	for (; sound && *(text += strspn(text, BLANKS)); text += strcspn(text, BLANKS)) {
		json_t *object = json_object();

		json_array_append_new(array, object);
		sound = add_members(schema, text, object);
	}
	if (sound && json_array_size(array))
		return array;
	json_decref(array);
	return NULL;
}

static json_t *text_value(const char *text)
{
	return json_string(text);
}

/* --- how values are written --- */

static char *percent_text(long long percent, char *out)
{
	snprintf(out, UNITS_TEXT, "%lld%%", percent);
	return out;
}

static char *number_text(long long number, char *out)
{
	snprintf(out, UNITS_TEXT, "%lld", number);
	return out;
}

/* How values are written on the command line: the first row that fits. */
static const struct syntax {
	enum lb_json_kind json;
	const char *suffix; /* of the field's name */
	const char *placeholder;
	json_t *(*make)(const char *text);
	const char *must; /* they must be … */
	char *(*write)(long long value, char *out);
} syntaxes[] = {
	{LB_JSON_INTEGER, "_s", "DURATION", period_value, "a duration such as 90s, 15m or 2h",
	 units_period},
	{LB_JSON_INTEGER, "_ms", "DURATION", milliseconds_value,
	 "a duration such as 500ms, 2s or 1m", units_milliseconds},
	{LB_JSON_INTEGER, "_percent", "P%", percent_value, "a whole percentage such as 10%",
	 percent_text},
	{LB_JSON_INTEGER, "", "N", integer_value, "a whole number", number_text},
	{LB_JSON_BOOLEAN, "", "yes|no", boolean_value, "yes or no", NULL},
	{LB_JSON_ARRAY, "", NULL, words_value, "valid UTF-8", NULL},
	{LB_JSON_STRING, "", NULL, text_value, "valid UTF-8", NULL},
	{LB_JSON_OBJECT, "", NULL, text_value, "valid UTF-8", NULL},
};

static const struct syntax *syntax_of(const struct schema_field *field)
{
	const struct syntax *syntax = syntaxes;
	const char *end = field->name + strlen(field->name);

	while (syntax->json != field->kind->json || strlen(field->name) < strlen(syntax->suffix) ||
	       strcmp(end - strlen(syntax->suffix), syntax->suffix) != 0)
		syntax++;
	return syntax;
}

/* --- what an option looks like --- */

/* A text for as long as lbctl runs. */
__attribute__((format(printf, 1, 2))) static char *keep(const char *format, ...)
{
	static char texts[65536];
	static size_t used;
	char *text = texts + used;
	va_list arguments;

	va_start(arguments, format);
	used += (size_t)vsnprintf(text, sizeof(texts) - used, format, arguments) + 1;
	va_end(arguments);
	assert(used < sizeof(texts));
	return text;
}

/* "health-interval" of interval_ms within health. */
static const char *name_of(const struct schema_field *field, const char *family)
{
	const size_t unit = strlen(syntax_of(field)->suffix);
	char *name;

	if (field->option)
		return field->option;
	name = keep("%s%s%.*s", family ? family : "", family ? "-" : "",
		    (int)(strlen(field->name) - unit), field->name);

	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = '-';
	return name;
}

static const char *placeholder(const struct schema_field *field)
{
	const char *const *words = field->words;
	char list[128];

	if (field->kind == &schema_object)
		words = field->schema->fields->words;
	if (words)
		return keep("%s%s", lb_list(words, "|", "|", list, sizeof(list)),
			    field->words ? "" : "|none");
	return field->placeholder ? field->placeholder : syntax_of(field)->placeholder;
}

/* What holds unless given, or NULL. */
static const char *otherwise(const struct schema_field *field)
{
	char text[UNITS_TEXT];

	if (field->otherwise)
		return field->otherwise;
	if (field->words)
		return field->words[0];
	if (field->kind == &schema_boolean)
		return field->number ? "yes" : "no";
	return field->number ? keep("%s", syntax_of(field)->write(field->number, text))
			     : field->text;
}

/* "http, udp: ", of which kinds it is a field; "": of all. */
static const char *kinds(const struct schema *schema, const struct schema_field *field)
{
	const char *names[SCHEMA_FIELDS_MAX] = {0};
	char list[128];

	if (!schema_kinds(schema, field, names))
		return "";
	return keep("%s: ", lb_list(names, ", ", ", ", list, sizeof(list)));
}

static struct option_spec describe(const struct schema *schema, const struct schema_field *field,
				   const char *family, bool edits)
{
	/* What an edit leaves out stays as it is; but not in an object within, which may be new. */
	const char *unless = edits && !family ? NULL : otherwise(field);
	const bool kept = edits && field->change == SCHEMA_KEPT;

	return (struct option_spec){
		.name = name_of(field, family),
		.value = placeholder(field),
		.summary = keep("%s%s%s%s%s%s", kinds(schema, field), field->help,
				kept ? "; refused if it is another one" : "", unless ? " (" : "",
				unless ? unless : "", unless ? ")" : ""),
		.family = family,
		.field = field,
	};
}

static void add_fields(struct command *command, size_t *count, const struct schema *schema,
		       const char *family)
{
	for (const struct schema_field *field = schema->fields; field->name; field++) {
		if (field->bare || (command->edits && field->change == SCHEMA_FIXED))
			continue;
		assert(*count < OPTIONS_MAX - 1);
		command->options[(*count)++] = describe(schema, field, family, command->edits);
		if (field->kind == &schema_object)
			add_fields(command, count, field->schema, field->name);
	}
}

void fields_options(struct command *command)
{
	struct option_spec others[OPTIONS_MAX];
	size_t count = 0;

	memcpy(others, command->options, sizeof(others));
	add_fields(command, &count, command->schema, NULL);
	/* The only thing that can be set must be. */
	command->options[0].required = command->edits && count == 1;
	for (size_t i = 0; others[i].name; i++) {
		assert(count < OPTIONS_MAX - 1);
		command->options[count++] = others[i];
	}
}

/* --- what the options said --- */

static json_t *value_of(const struct schema_field *field, const char *text)
{
	if (field->kind == &schema_list)
		return list_value(field->schema, text);
	return syntax_of(field)->make(text);
}

/* A new reference in *out, or NULL where the option was not given. */
static int make(const struct invocation *invocation, const struct option_spec *option, json_t **out,
		struct lb_err *err)
{
	const char *text = invocation_option(invocation, option->name);
	const struct syntax *syntax = syntax_of(option->field);

	*out = text ? value_of(option->field, text) : NULL;
	if (*out || !text)
		return 0;
	return lb_err_set(err, LB_ERR_USAGE, "", "--%s must be %s, not \"%s\"", option->name,
			  option->field->kind == &schema_list ? option->value : syntax->must, text);
}

/* The fields of one family, NULL for those outside of all; *first: the option that said the first
 * of them, or NULL. */
static int make_fields(const struct invocation *invocation, const char *family, json_t *object,
		       const char **first, struct lb_err *err)
{
	const struct option_spec *option = invocation->command->options;

	*first = NULL;
	for (; option->field; option++) {
		json_t *value;

		if (option->family != family || option->field->kind == &schema_object)
			continue;
		if (make(invocation, option, &value, err))
			return -EINVAL;
		if (!value)
			continue;
		json_object_set_new(object, option->field->name, value);
		if (!*first)
			*first = option->name;
	}
	return 0;
}

/* --health KIND and its family into `object`. */
/* A document has no word for none, so it would be taken for not given. */
static int refuse_none(const struct option_spec *option, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_USAGE, "", "--%s none does not go with --if-missing", option->name);
	return lb_err_hint(err, "leave --%s out: what is there is accepted then", option->name);
}

static int add_object(const struct invocation *invocation, const struct option_spec *option,
		      json_t *object, struct lb_err *err)
{
	const struct schema_field *field = option->field, *type = field->schema->fields;
	const char *text = invocation_option(invocation, option->name), *first;
	json_t *kind;
	const bool edits = invocation->command->edits;
	json_auto_t *made = json_object();
	char list[128];

	if (make_fields(invocation, field->name, made, &first, err))
		return -EINVAL;
	if (text && strcmp(text, "none") == 0) {
		if (first)
			return lb_err_set(err, LB_ERR_USAGE, "",
					  "--%s makes no sense with --%s none", first,
					  option->name);
		/* One that is new has none anyway. */
		if (invocation_option(invocation, "if-missing"))
			return refuse_none(option, err);
		return edits ? json_object_set_new(object, field->name, json_null()) : 0;
	}
	if (!text && first && !edits) {
		lb_err_set(err, LB_ERR_USAGE, "", "--%s without --%s", first, option->name);
		return lb_err_hint(err, "say what kind of %s: --%s %s", field->schema->noun,
				   option->name,
				   lb_list(type->words, ", ", " or ", list, sizeof(list)));
	}
	if (make(invocation, option, &kind, err))
		return -EINVAL;
	if (kind)
		json_object_set_new(made, type->name, kind);
	return kind || first ? json_object_set(object, field->name, made) : 0;
}

int fields_add(const struct invocation *invocation, json_t *object, struct lb_err *err)
{
	const struct option_spec *option = invocation->command->options;
	const char *first;

	if (make_fields(invocation, NULL, object, &first, err))
		return -EINVAL;
	for (; option->field; option++)
		if (option->field->kind == &schema_object &&
		    add_object(invocation, option, object, err))
			return -EINVAL;
	return 0;
}
