/* SPDX-License-Identifier: BSD-2-Clause */
/* Has a JSON object exactly the fields, of exactly the types, that it should have? */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "json.h"

/* No object of ours has more fields. */
#define FIELDS_MAX 32

static const char *type_name(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",    [JSON_INTEGER] = "an integer",
		[JSON_REAL] = "a real number", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",        [JSON_NULL] = "null",
	};

	return value ? names[json_typeof(value)] : "nothing";
}

static const char *kind_name(enum lb_json_kind kind)
{
	static const char *const names[] = {
		[LB_JSON_STRING] = "a string",       [LB_JSON_INTEGER] = "an integer",
		[LB_JSON_BOOLEAN] = "true or false", [LB_JSON_OBJECT] = "an object",
		[LB_JSON_ARRAY] = "an array",        [LB_JSON_ANY] = "a value",
	};

	return names[kind];
}

static bool kind_matches(const json_t *value, enum lb_json_kind kind)
{
	switch (kind) {
	case LB_JSON_STRING:
		return json_is_string(value);
	case LB_JSON_INTEGER:
		return json_is_integer(value);
	case LB_JSON_BOOLEAN:
		return json_is_boolean(value);
	case LB_JSON_OBJECT:
		return json_is_object(value);
	case LB_JSON_ARRAY:
		return json_is_array(value);
	case LB_JSON_ANY:
		return true;
	}
	return false;
}

static const struct lb_json_field *field_find(const struct lb_json_field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (!strcmp(fields->name, name))
			return fields;
	return NULL;
}

/* "did you mean" where a field has nearly this name, else all the names there are. */
static void unknown_hint(const char *name, const struct lb_json_field *fields, struct lb_err *err)
{
	const char *names[FIELDS_MAX + 1] = {NULL};
	const char *nearest;
	char list[sizeof(err->hint)] = "";
	size_t used = 0;

	for (size_t i = 0; i < FIELDS_MAX && fields[i].name; i++)
		names[i] = fields[i].name;
	nearest = lb_nearest(name, names);
	if (nearest) {
		lb_err_hint(err, "did you mean \"%s\"?", nearest);
		return;
	}
	for (size_t i = 0; names[i] && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 names[i]);
	if (names[0])
		lb_err_hint(err, "the fields are: %s", list);
	else
		lb_err_hint(err, "there are no fields here: write {}");
}

static int unknown_field(const json_t *object, const struct lb_json_field *fields,
			 struct lb_err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)object, name, value) {
		if (field_find(fields, name))
			continue;
		lb_err_set(err, LB_ERR_PARAMS, name, "unknown field \"%s\"", name);
		unknown_hint(name, fields, err);
		return -EINVAL;
	}
	return 0;
}

static int field_check(const struct lb_json_field *field, struct lb_err *err)
{
	const json_t *value = *field->value;
	const char *name = field->name;

	if (!value && field->required)
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s is missing", name);
	if (!value)
		return 0;
	if (!kind_matches(value, field->kind))
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s must be %s, not %s", name,
				  kind_name(field->kind), type_name(value));
	if (json_is_string(value) && strlen(json_string_value(value)) != json_string_length(value))
		return lb_err_set(err, LB_ERR_PARAMS, name, "%s must not hold the character NUL",
				  name);
	return 0;
}

int lb_json_fields(const json_t *object, const struct lb_json_field *fields, struct lb_err *err)
{
	size_t known = 0;

	for (const struct lb_json_field *field = fields; field->name; field++) {
		*field->value = json_object_get(object, field->name);
		known += *field->value != NULL;
	}
	if (!json_is_object(object))
		return lb_err_set(err, LB_ERR_PARAMS, "", "must be an object, not %s",
				  type_name(object));
	/* A misspelt field is named before the one that is missing because of it. */
	if (known != json_object_size(object))
		return unknown_field(object, fields, err);
	for (const struct lb_json_field *field = fields; field->name; field++)
		if (field_check(field, err))
			return -EINVAL;
	return 0;
}

int lb_json_integer(const json_t *value, const char *path, int64_t min, int64_t max, int64_t *out,
		    struct lb_err *err)
{
	int64_t number = json_integer_value(value);

	if (!json_is_integer(value))
		return lb_err_set(err, LB_ERR_PARAMS, path,
				  "%s must be an integer, %" PRId64 " to %" PRId64 ", not %s", path,
				  min, max, type_name(value));
	if (number < min || number > max)
		return lb_err_set(err, LB_ERR_PARAMS, path,
				  "%s must be %" PRId64 " to %" PRId64 ", not %" PRId64, path, min,
				  max, number);
	*out = number;
	return 0;
}

json_t *lb_json_index(const json_t *list, const char *field)
{
	json_auto_t *index = json_object();
	json_t *object;
	size_t i;

	json_array_foreach (list, i, object) {
		if (json_object_set(index, json_string_value(json_object_get(object, field)),
				    object))
			return NULL;
	}
	return json_incref(index);
}
