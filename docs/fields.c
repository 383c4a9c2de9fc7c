/* SPDX-License-Identifier: BSD-2-Clause */
/* What do the tables of fields say to people, editors and fuzzers?
 *
 *   fields schema           the JSON Schema of the service document and of lbd.json
 *   fields page <PAGE       a page, with new tables between "fields: NAME" and "end of fields"
 *   fields keys             each key of lbd.json with its type and default, or … for no single value
 *   fields tier             the same of tier.json
 *   fields new              those that are new in this version: object and name
 *   fields export <FILE     a service document as config.export has it
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lbctl/tier/config.h"
#include "../lbd/api/model.h"
#include "../lbd/api/version.h"
#include "../lbd/host/config.h"
#include "since.h"

static const struct {
	const char *name;
	const struct schema *schema;
} objects[] = {
	{"service", &lb_service_schema}, {"pool", &lb_pool_schema},
	{"vip", &lb_vip_schema},         {"backend", &lb_backend_schema},
	{"health", &lb_health_schema},   {"lbd.json", &config_schema},
	{"quic", &lb_quic_schema},
};

#define OBJECTS (sizeof(objects) / sizeof(*objects))

static const char *object_name(const struct schema *schema)
{
	for (size_t i = 0; i < OBJECTS; i++)
		if (objects[i].schema == schema)
			return objects[i].name;
	abort();
}

/* The default, or NULL. */
static json_t *number_or_word(const struct schema_field *field)
{
	if (field->otherwise)
		return NULL;
	if (field->words && !field->required)
		return json_string(field->words[0]);
	if (field->kind == &schema_boolean)
		return json_boolean(field->number);
	if (field->kind->json == LB_JSON_INTEGER && (field->number || !field->min))
		return json_integer(field->number);
	return field->text ? json_string(field->text) : NULL;
}

/* --- versions --- */

#define RELEASES (sizeof(came_with) / sizeof(*came_with))

/* What came_with calls a field: within a group, which is part of another object, GROUP.NAME of that object. */
static const char *release_name(const struct schema *schema, const char *name, char out[128])
{
	for (size_t i = 0; i < OBJECTS; i++) {
		const struct schema_field *field = objects[i].schema->fields;

		while (field->name && (field->kind != &schema_group || field->schema != schema))
			field++;
		if (objects[i].schema == schema)
			snprintf(out, 128, " %s ", name);
		else if (field->name)
			snprintf(out, 128, " %s.%s ", field->name, name);
		else
			continue;
		return objects[i].name;
	}
	abort();
}

/* The version that first had the field; NULL: the first of all. */
static const char *since(const struct schema *schema, const char *name)
{
	char text[128];
	const char *object = release_name(schema, name, text);

	for (size_t i = 0; i < RELEASES; i++)
		if (!strcmp(came_with[i].object, object) && strstr(came_with[i].names, text))
			return strcmp(came_with[i].version, came_with[0].version)
				       ? came_with[i].version
				       : NULL;
	return LB_VERSION;
}

/* Whether a release had objects of this kind at all. Of one that is new each field is. */
static bool is_known(const struct schema *schema)
{
	char text[128];
	const char *object = release_name(schema, "", text);

	for (size_t i = 0; i < RELEASES; i++)
		if (!strcmp(came_with[i].object, object))
			return true;
	return false;
}

/* " (since VERSION)" of a field that is newer than its object, else "". */
static const char *since_text(const struct schema *schema, const char *name, char out[32])
{
	const char *version = is_known(schema) ? since(schema, name) : NULL;

	if (version)
		snprintf(out, 32, " (since %s)", version);
	else
		*out = 0;
	return out;
}

static void print_new(const struct schema *schema, const char *object, const char *group)
{
	for (const struct schema_field *field = schema->fields; field->name; field++) {
		const char *version = since(schema, field->name);

		if (version && !strcmp(version, LB_VERSION))
			printf("%s %s%s%s\n", object, group, *group ? "." : "", field->name);
		if (field->kind == &schema_group)
			print_new(field->schema, object, field->name);
	}
}

static int print_all_new(void)
{
	for (size_t i = 0; i < OBJECTS; i++)
		print_new(objects[i].schema, objects[i].name, "");
	return 0;
}

/* --- JSON Schema --- */

static json_t *describe_object(const struct schema *schema);

static json_t *reference(const struct schema *schema)
{
	return json_pack("{s:o}", "$ref", json_sprintf("#/definitions/%s", object_name(schema)));
}

static void describe_text(const struct schema_field *field, json_t *out)
{
	json_object_set_new(out, "type", json_string("string"));
	for (size_t i = 0; field->words && field->words[i]; i++) {
		if (!i)
			json_object_set_new(out, "enum", json_array());
		json_array_append_new(json_object_get(out, "enum"), json_string(field->words[i]));
	}
	if (field->pattern)
		json_object_set_new(out, "pattern", json_string(field->pattern));
	/* Other kinds of text have more characters than bytes, or none. */
	if (field->kind != &schema_text && field->kind != &schema_string)
		return;
	if (field->max)
		json_object_set_new(out, "maxLength", json_integer(field->max));
	if (field->min)
		json_object_set_new(out, "minLength", json_integer(field->min));
}

static json_t *describe_list(const struct schema_field *field)
{
	if (field->schema)
		return json_pack("{s:s, s:o}", "type", "array", "items", reference(field->schema));
	return json_pack("{s:s, s:{s:s}, s:i, s:I}", "type", "array", "items", "type", "string",
			 "minItems", 1, "maxItems", (json_int_t)field->max);
}

static json_t *describe(const struct schema *schema, const struct schema_field *field)
{
	char text[32];
	json_t *out = json_object(), *otherwise = number_or_word(field);

	switch (field->kind->json) {
	case LB_JSON_INTEGER:
		json_object_update_new(out, json_pack("{s:s, s:I, s:I}", "type", "integer",
						      "minimum", (json_int_t)field->min, "maximum",
						      (json_int_t)field->max));
		break;
	case LB_JSON_BOOLEAN:
		json_object_set_new(out, "type", json_string("boolean"));
		break;
	case LB_JSON_ARRAY:
		json_object_update_new(out, describe_list(field));
		break;
	case LB_JSON_OBJECT:
		json_decref(out);
		return field->kind == &schema_group ? describe_object(field->schema)
						    : reference(field->schema);
	default:
		describe_text(field, out);
	}
	if (otherwise)
		json_object_set_new(out, "default", otherwise);
	json_object_set_new(
		out, "description",
		json_sprintf("%s%s", field->help, since_text(schema, field->name, text)));
	return out;
}

/* What an object of the kind `number` must have and cannot have. */
static json_t *describe_kind(const struct schema *schema, int number)
{
	const struct schema_field *type = schema->fields;
	json_t *properties = json_object(), *required = json_array();

	for (const struct schema_field *field = schema->fields; field->name; field++) {
		const bool has = !field->of || field->of >> number & 1;

		if (!has)
			json_object_set_new(properties, field->name,
					    field->kind == &schema_boolean
						    ? json_pack("{s:b}", "const", 0)
						    : json_false());
		else if (field->of && field->required)
			json_array_append_new(required, json_string(field->name));
	}
	return json_pack("{s:{s:{s:{s:s}}}, s:{s:o, s:o}}", "if", "properties", type->name, "const",
			 type->words[number - type->min], "then", "properties", properties,
			 "required", required);
}

static json_t *describe_object(const struct schema *schema)
{
	json_t *properties = json_object(), *required = json_array(), *kinds = json_array(), *out;
	const struct schema_field *first = schema->fields;
	bool any = false;

	for (const struct schema_field *field = first; field->name; field++) {
		json_object_set_new(properties, field->name, describe(schema, field));
		if (field->required && !field->of)
			json_array_append_new(required, json_string(field->name));
		any |= field->of != 0;
	}
	for (int i = 0; any && first->words[i]; i++)
		json_array_append_new(kinds, describe_kind(schema, i + (int)first->min));
	out = json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
			"required", required, "additionalProperties", 0);
	if (any)
		json_object_set(out, "allOf", kinds);
	json_decref(kinds);
	return out;
}

/* A service document has vips; whatever has not is held for lbd.json. */
static int print_schema(void)
{
	json_t *definitions = json_object(), *all;

	for (size_t i = 0; i < OBJECTS; i++)
		json_object_set_new(definitions, objects[i].name,
				    describe_object(objects[i].schema));
	all = json_pack("{s:s, s:s, s:s, s:{s:[s]}, s:o, s:o, s:o}", "$schema",
			"http://json-schema.org/draft-07/schema#", "title",
			"lbd: service documents, and lbd.json", "$comment", "Made by: make docs",
			"if", "required", "vips", "then", reference(&lb_service_schema), "else",
			reference(&config_schema), "definitions", definitions);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return 0;
}

/* --- pages --- */

static void print_value(const struct schema_field *field)
{
	if (field->words)
		for (size_t i = 0; field->words[i]; i++)
			printf("%s`%s`", i ? ", " : "", field->words[i]);
	else if (field->kind->json == LB_JSON_INTEGER)
		printf("%s, %" PRId64 " to %" PRId64, field->kind->name, field->min, field->max);
	else if (field->kind == &schema_text)
		printf("text, up to %" PRId64 " bytes", field->max);
	else
		printf("%s", field->kind->name);
}

static void print_default(const struct schema_field *field)
{
	json_t *value = number_or_word(field);
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

	if (field->required)
		printf("required");
	else if (text)
		printf("`%s`", text);
	else
		printf("%s", field->otherwise ? field->otherwise : "none");
	free(text);
	json_decref(value);
}

static void print_kinds(const struct schema *schema, const struct schema_field *field)
{
	const char *names[SCHEMA_FIELDS_MAX] = {0};
	char list[128];

	if (schema_kinds(schema, field, names))
		printf("%s: ", lb_list(names, ", ", ", ", list, sizeof(list)));
}

static void print_table(const struct schema *schema)
{
	static const char *const changes[] = {[SCHEMA_CHANGEABLE] = "yes",
					      [SCHEMA_FIXED] = "no",
					      [SCHEMA_KEPT] = "only as it is"};
	char text[32];

	if (!is_known(schema))
		printf("\nSince %s.\n", since(schema, schema->fields->name));
	printf("\n| field | value | unless given | can be set | meaning "
	       "|\n|---|---|---|---|---|\n");
	for (const struct schema_field *field = schema->fields; field->name; field++) {
		printf("| `%s` | ", field->name);
		print_value(field);
		printf(" | ");
		print_default(field);
		printf(" | %s | ", changes[field->change]);
		print_kinds(schema, field);
		printf("%s%s |\n", field->help, since_text(schema, field->name, text));
	}
	putchar('\n');
}

/* As libFuzzer's dictionaries have it: each name, and each word as a value. */
static void print_words(const struct schema *schema)
{
	for (const struct schema_field *field = schema->fields; field->name; field++) {
		printf("\"\\\"%s\\\":\"\n", field->name);
		for (size_t i = 0; field->words && field->words[i]; i++)
			printf("\"\\\"%s\\\"\"\n", field->words[i]);
		if (field->kind == &schema_group)
			print_words(field->schema);
	}
}

static int print_part(const char *name)
{
	bool found = !strcmp(name, "dictionary");

	for (size_t i = 0; i < OBJECTS; i++) {
		if (!strcmp(name, "dictionary"))
			print_words(objects[i].schema);
		else if (!strcmp(name, objects[i].name))
			print_table(objects[i].schema);
		found |= !strcmp(name, objects[i].name);
	}
	if (!found)
		fprintf(stderr, "no such object: %s\n", name);
	return !found;
}

static int print_page(void)
{
	char line[4096], name[32];
	bool inside = false;
	int wrong = 0;

	while (fgets(line, sizeof(line), stdin)) {
		const char *begin = strstr(line, "fields: ");

		inside &= !strstr(line, "end of fields");
		if (!inside)
			fputs(line, stdout);
		if (begin && sscanf(begin, "fields: %31s", name) == 1) {
			wrong |= print_part(name);
			inside = true;
		}
	}
	return wrong || inside;
}

/* --- lbd.json(5) --- */

static const char *type_name(const struct schema_field *field)
{
	static const char *const names[] = {
		[LB_JSON_STRING] = "string",
		[LB_JSON_INTEGER] = "integer",
		[LB_JSON_ARRAY] = "array of strings",
	};

	return names[field->kind->json];
}

static void print_keys(const struct schema *schema, const char *group)
{
	for (const struct schema_field *field = schema->fields; field->name; field++) {
		if (field->kind == &schema_group) {
			print_keys(field->schema, field->name);
			continue;
		}
		printf("%s%s%s (%s; ", group, *group ? "." : "", field->name, type_name(field));
		if (field->kind->json == LB_JSON_INTEGER && !field->required)
			printf("%" PRId64 ")\n", field->number);
		else if (field->words || field->text)
			printf("\"%s\")\n", field->words ? field->words[0] : field->text);
		else
			printf("%s)\n", field->required && !*group ? "required" : "…");
	}
}

/* --- what config.export would say --- */

static int print_export(void)
{
	json_t *document = json_loadf(stdin, JSON_REJECT_DUPLICATES, NULL), *written;
	struct lb_service *service;
	struct lb_err err = {0};

	if (lb_service_from_json(document, &service, &err)) {
		fprintf(stderr, "%s: %s\n", err.path, err.message);
		json_decref(document);
		return 1;
	}
	written = lb_service_to_json(service);
	json_dumpf(written, stdout, JSON_INDENT(2));
	json_decref(written);
	json_decref(document);
	lb_service_free(service);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "schema"))
		return print_schema();
	if (!strcmp(what, "page"))
		return print_page();
	if (!strcmp(what, "export"))
		return print_export();
	if (!strcmp(what, "new"))
		return print_all_new();
	if (strcmp(what, "keys") != 0 && strcmp(what, "tier") != 0) {
		fprintf(stderr, "usage: fields schema | page | keys | tier | new | export\n");
		return 2;
	}
	print_keys(strcmp(what, "keys") ? &tier_config_schema : &config_schema, "");
	return 0;
}
