/* SPDX-License-Identifier: BSD-2-Clause */
/* How is an object read, written, compared, copied and freed by its table? */
#include "schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void *place(const struct schema_field *field, const void *object)
{
	char *base = (char *)object;

	return (field->part ? *(char **)(base + field->part) : base) + field->offset;
}

/* Where the object points to its part; NULL when its kind has none. */
static void **part_of(const struct schema *schema, const void *object)
{
	return schema->part ? (void **)((char *)object + schema->part) : NULL;
}

/* Whether the object has all that its kind of object has: a part of its own, should it be one. */
static bool is_whole(const struct schema *schema, const void *object)
{
	void **part = part_of(schema, object);

	char text[SCHEMA_LENDER_TEXT];

	return !part || (*part && !(schema->lender && schema->lender(object, text)));
}

bool schema_given(const json_t *given, const char *name)
{
	const json_t *value = json_object_get(given, name);

	return value && !json_is_null(value);
}

/* --- numbers and words --- */

int schema_integer_read(const struct schema_field *field, const json_t *value, void *out,
			struct lb_err *err)
{
	int64_t number = value ? json_integer_value(value) : field->number;

	if (value && (number < field->min || number > field->max))
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "%s must be %" PRId64 " to %" PRId64 ", not %" PRId64,
				  field->name, field->min, field->max, number);
	*(uint32_t *)out = (uint32_t)number;
	return 0;
}

json_t *schema_integer_write(const struct schema_field *field, const void *value)
{
	(void)field;
	return json_integer(*(const uint32_t *)value);
}

static int boolean_read(const struct schema_field *field, const json_t *value, void *out,
			struct lb_err *err)
{
	(void)err;
	*(bool *)out = value ? json_is_true(value) : field->number;
	return 0;
}

static json_t *boolean_write(const struct schema_field *field, const void *value)
{
	(void)field;
	return json_boolean(*(const bool *)value);
}

static int word_read(const struct schema_field *field, const json_t *value, void *out,
		     struct lb_err *err)
{
	const char *text = value ? json_string_value(value) : field->words[0], *nearest;
	char list[128];

	for (int i = 0; field->words[i]; i++) {
		if (!strcmp(text, field->words[i])) {
			*(uint32_t *)out = (uint32_t)(field->min + i);
			return 0;
		}
	}
	lb_err_set(err, LB_ERR_PARAMS, "", "%s must be %s, not \"%s\"", field->name,
		   lb_list(field->words, ", ", " or ", list, sizeof(list)), text);
	nearest = lb_nearest(text, field->words);
	return nearest ? lb_err_hint(err, "did you mean \"%s\"?", nearest) : -EINVAL;
}

static const char *word_of(const struct schema_field *field, const void *value)
{
	return field->words[*(const uint32_t *)value - field->min];
}

static json_t *word_write(const struct schema_field *field, const void *value)
{
	return json_string(word_of(field, value));
}

/* --- texts --- */

int schema_length_check(const struct schema_field *field, size_t length, struct lb_err *err)
{
	if (length < (size_t)field->min)
		return lb_err_set(err, LB_ERR_PARAMS, "", "%s must not be empty", field->name);
	if (length > (size_t)field->max)
		return lb_err_set(err, LB_ERR_PARAMS, "",
				  "%s must be at most %" PRId64 " bytes, not %zu", field->name,
				  field->max, length);
	return 0;
}

static int text_check(const struct schema_field *field, const char *text, struct lb_err *err)
{
	if (schema_length_check(field, strlen(text), err))
		return -EINVAL;
	return field->check ? field->check(field, text, err) : 0;
}

static int text_read(const struct schema_field *field, const json_t *value, void *out,
		     struct lb_err *err)
{
	const char *text = value ? json_string_value(value) : field->text;
	char **copy = out;

	*copy = NULL;
	if (!text)
		return 0;
	if (text_check(field, text, err))
		return -EINVAL;
	*copy = strdup(text);
	return *copy ? 0 : lb_err_no_memory(err);
}

static json_t *text_write(const struct schema_field *field, const void *value)
{
	(void)field;
	return json_string(*(char *const *)value);
}

static int string_read(const struct schema_field *field, const json_t *value, void *out,
		       struct lb_err *err)
{
	const char *text = value ? json_string_value(value) : field->text ? field->text : "";

	if (value && text_check(field, text, err))
		return -EINVAL;
	strncpy(out, text, field->size); /* with zeros to its end, to be compared by bytes */
	return 0;
}

static json_t *string_write(const struct schema_field *field, const void *value)
{
	(void)field;
	return json_string(value);
}

static int ignored_read(const struct schema_field *field, const json_t *value, void *out,
			struct lb_err *err)
{
	(void)field;
	(void)value;
	(void)out;
	(void)err;
	return 0;
}

/* --- objects within --- */

static int read_field(const struct schema_field *field, const json_t *value, void *object,
		      struct lb_err *err);
static int read_fields(const struct schema *schema, const json_t *object, bool edit, void *out,
		       struct lb_err *err);

/* Without the object its fields hold what they hold unless given, and none is required. */
static int group_read(const struct schema_field *group, const json_t *value, void *out,
		      struct lb_err *err)
{
	if (value)
		return read_fields(group->schema, value, false, out, err);
	for (const struct schema_field *field = group->schema->fields; field->name; field++)
		if (!field->required && read_field(field, NULL, out, err))
			return -EINVAL;
	return 0;
}

static uint32_t kind_of(const struct schema *schema, const void *object)
{
	return *(const uint32_t *)place(schema->fields, object);
}

static int object_edit(const struct schema_field *field, const json_t *edit, void *object,
		       struct lb_err *err)
{
	const struct schema *schema = field->schema;
	char list[128];

	if (kind_of(schema, object))
		return schema_edit(schema, edit, object, err);
	lb_err_set(err, LB_ERR_PARAMS, schema->fields->name,
		   "there is no %s %s that could be changed", field->name, schema->noun);
	return lb_err_hint(err, "a new one has a %s: %s", schema->fields->name,
			   lb_list(schema->fields->words, ", ", " or ", list, sizeof(list)));
}

static int object_read(const struct schema_field *field, const json_t *value, void *out,
		       struct lb_err *err)
{
	const struct schema *schema = field->schema;

	if (!value)
		return 0;
	if (!json_is_object(value) && !json_is_null(value))
		return lb_err_set(err, LB_ERR_PARAMS, "", "%s must be an object, or null for no %s",
				  field->name, schema->noun);
	if (json_is_object(value) && !json_object_get(value, schema->fields->name))
		return object_edit(field, value, out, err);
	schema_clear(schema, out);
	return json_is_null(value) ? 0 : schema_read(schema, value, out, err);
}

static json_t *object_write(const struct schema_field *field, const void *value)
{
	return schema_write(field->schema, value);
}

/* --- lists of objects --- */

static void *item_at(const struct schema_field *field, const struct schema_items *list, size_t i)
{
	return (char *)list->items + i * field->schema->size;
}

struct duplicate {
	size_t first, later; /* positions in the list; later 0: there is none */
};

/* Equal elements by their place in the list. */
static int compare_pointers(const void *a, const void *b, void *order)
{
	const char *left = *(const char *const *)a, *right = *(const char *const *)b;
	int result = ((const struct schema_order *)order)->compare(left, right);

	return result ? result : (left > right) - (left < right);
}

/* Finds the first element that equals an earlier one, and the first that it equals; by sorting, so
 * that big documents take no longer than reading them. 0 or -ENOMEM. */
static int duplicate_find(const struct schema_items *list, size_t size,
			  const struct schema_order *order, struct duplicate *out)
{
	const char **sorted = calloc(list->count + 1, sizeof(*sorted)), *base = list->items;
	size_t run = 0; /* where the run of equals began */

	if (!sorted)
		return -ENOMEM;
	*out = (struct duplicate){0};
	for (size_t i = 0; i < list->count; i++)
		sorted[i] = base + i * size;
	qsort_r(sorted, list->count, sizeof(*sorted), compare_pointers, (void *)order);
	for (size_t i = 1; i < list->count; i++) {
		size_t later = (size_t)(sorted[i] - base) / size;

		if (order->compare(sorted[run], sorted[i]) != 0)
			run = i;
		else if (!out->later || later < out->later)
			*out = (struct duplicate){.first = (size_t)(sorted[run] - base) / size,
						  .later = later};
	}
	free(sorted);
	return 0;
}

static int list_unique(const struct schema_field *field, const struct schema_items *list,
		       struct lb_err *err)
{
	for (const struct schema_order *order = field->orders; order->what; order++) {
		struct duplicate same;

		if (duplicate_find(list, field->schema->size, order, &same))
			return lb_err_no_memory(err);
		if (!same.later)
			continue;
		lb_err_set(err, LB_ERR_EXISTS, order->what, "same %s as %s[%zu]", order->what,
			   field->name, same.first);
		lb_err_prefix(err, "[%zu]", same.later);
		return -EINVAL;
	}
	return 0;
}

/* On failure the caller clears what there is. */
static int list_read(const struct schema_field *field, const json_t *value, void *out,
		     struct lb_err *err)
{
	const size_t count = json_array_size(value), size = field->schema->size;
	struct schema_items *list = out;

	if (!count)
		return 0;
	list->items = calloc(count, size);
	if (!list->items)
		return lb_err_no_memory(err);
	for (; list->count < count; list->count++) {
		if (schema_read(field->schema, json_array_get(value, list->count),
				item_at(field, list, list->count), err)) {
			lb_err_prefix(err, "[%zu]", list->count);
			return -EINVAL;
		}
	}
	if (list_unique(field, list, err))
		return -EINVAL;
	qsort(list->items, count, size, field->orders->compare);
	return 0;
}

static json_t *list_write(const struct schema_field *field, const void *value)
{
	const struct schema_items *list = value;
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++) {
		const void *item = item_at(field, list, i);

		if (json_array_append_new(array, schema_write(field->schema, item))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* --- the kinds --- */

const struct schema_kind schema_word = {"word", LB_JSON_STRING, word_read, word_write,
					.owns = false};
const struct schema_kind schema_integer = {"integer", LB_JSON_INTEGER, schema_integer_read,
					   schema_integer_write, .owns = false};
const struct schema_kind schema_boolean = {"boolean", LB_JSON_BOOLEAN, boolean_read, boolean_write,
					   .owns = false};
const struct schema_kind schema_text = {"text", LB_JSON_STRING, text_read, text_write,
					.owns = true};
const struct schema_kind schema_string = {"text", LB_JSON_STRING, string_read, string_write,
					  .owns = false};
const struct schema_kind schema_ignored = {"text", LB_JSON_STRING, ignored_read, NULL,
					   .owns = false};
const struct schema_kind schema_object = {"object", LB_JSON_OBJECT, object_read, object_write,
					  .edits = true};
const struct schema_kind schema_group = {"object", LB_JSON_OBJECT, group_read, .owns = false};
const struct schema_kind schema_list = {"list", LB_JSON_ARRAY, list_read, list_write,
					.owns = false};

/* --- reading objects --- */

static bool belongs(const struct schema *schema, const struct schema_field *field,
		    const void *object)
{
	return !field->of || field->of >> kind_of(schema, object) & 1;
}

size_t schema_kinds(const struct schema *schema, const struct schema_field *field,
		    const char **names)
{
	const struct schema_field *first = schema->fields;
	size_t count = 0;

	for (int i = 0; field->of && first->words[i]; i++)
		if (field->of >> (i + first->min) & 1)
			names[count++] = first->words[i];
	return count;
}

/* A field that only another kind of object has is a mistake worth telling, never ignored. */
static int does_not_belong(const struct schema *schema, const struct schema_field *field,
			   const void *object, struct lb_err *err)
{
	const struct schema_field *first = schema->fields;
	const char *names[SCHEMA_FIELDS_MAX] = {0};
	char list[128];

	schema_kinds(schema, field, names);
	return lb_err_set(err, LB_ERR_PARAMS, field->name, "%s is a field of %s %ss, not of %s %ss",
			  field->name, lb_list(names, ", ", " and ", list, sizeof(list)),
			  schema->noun, word_of(first, place(first, object)), schema->noun);
}

/* What lies in somebody else's part is set there. */
static int is_lent(const struct schema *schema, const struct schema_field *field,
		   const void *object, struct lb_err *err)
{
	char lender[SCHEMA_LENDER_TEXT];

	lb_err_set(err, LB_ERR_PARAMS, field->name, "%s is a field of %s, which the %s uses",
		   field->name, schema->lender(object, lender), schema->noun);
	return lb_err_hint(err, "set it there, for all that use it");
}

/* Whether the kinds of object have fields of their own. */
static bool has_kinds(const struct schema *schema)
{
	const struct schema_field *field = schema->fields;

	while (field->name && !field->of)
		field++;
	return field->name;
}

static enum lb_json_kind expected(const struct schema *schema, const struct schema_field *field,
				  const json_t *object, bool edit)
{
	if (edit && (field->kind->edits ||
		     (json_is_null(json_object_get(object, field->name)) && has_kinds(schema))))
		return LB_JSON_ANY;
	return field->kind->json;
}

/* The values by their fields' places in the table, each of the JSON type that it should have. */
static int read_shape(const struct schema *schema, const json_t *object, bool edit,
		      const json_t **values, struct lb_err *err)
{
	struct lb_json_field shape[SCHEMA_FIELDS_MAX + 1] = {0};
	size_t count = 0;

	for (size_t i = 0; schema->fields[i].name; i++) {
		const struct schema_field *field = &schema->fields[i];

		values[i] = NULL;
		if (!edit || field->change != SCHEMA_FIXED)
			shape[count++] = (struct lb_json_field){
				field->name, expected(schema, field, object, edit),
				field->required && !field->of && !edit, &values[i]};
	}
	return lb_json_fields(object, shape, err);
}

/* The objects within a value: those of a list, or the one that it is. */
static struct schema_items within(const struct schema_field *field, const void *value)
{
	if (field->kind == &schema_list)
		return *(const struct schema_items *)value;
	return (struct schema_items){(void *)value, field->kind == &schema_object};
}

/* Whether its bytes are all that an object is. */
static bool is_flat(const struct schema *schema)
{
	const struct schema_field *field = schema->fields;

	while (field->name && !field->kind->owns && field->kind != &schema_list &&
	       field->kind != &schema_object)
		field++;
	return !field->name && !schema->part;
}

static void value_clear(const struct schema_field *field, void *value)
{
	const struct schema_items objects = within(field, value);
	const bool flat = field->kind == &schema_list && is_flat(field->schema);

	for (size_t i = 0; !flat && i < objects.count; i++)
		schema_clear(field->schema, item_at(field, &objects, i));
	if (field->kind->owns || field->kind == &schema_list)
		free(*(void **)value);
	memset(value, 0, field->size);
}

static int read_field(const struct schema_field *field, const json_t *value, void *object,
		      struct lb_err *err)
{
	void *out = place(field, object);

	if (!field->kind->edits)
		value_clear(field, out);
	if (!field->kind->read(field, value, out, err))
		return 0;
	lb_err_prefix(err, "%s", field->name);
	return -EINVAL;
}

static int read_fields(const struct schema *schema, const json_t *object, bool edit, void *out,
		       struct lb_err *err)
{
	const json_t *values[SCHEMA_FIELDS_MAX];
	const bool whole = is_whole(schema, out);

	if (read_shape(schema, object, edit, values, err))
		return -EINVAL;
	for (size_t i = 0; schema->fields[i].name; i++) {
		const struct schema_field *field = &schema->fields[i];
		const json_t *value =
			field->kind->edits || !json_is_null(values[i]) ? values[i] : NULL;

		if (field->part && !whole && values[i])
			return is_lent(schema, field, out, err);
		if (field->part && !whole)
			continue;
		if (!belongs(schema, field, out) && value && !json_is_false(value))
			return does_not_belong(schema, field, out, err);
		if (!belongs(schema, field, out) || field->late || (edit && !values[i]))
			continue;
		if (field->required && !value) {
			lb_err_set(err, LB_ERR_PARAMS, field->name, "%s is missing", field->name);
			return -EINVAL;
		}
		if (read_field(field, value, out, err))
			return -EINVAL;
	}
	return schema->settle ? schema->settle(out, object, err) : 0;
}

int schema_read(const struct schema *schema, const json_t *object, void *out, struct lb_err *err)
{
	void **part = part_of(schema, out);

	memset(out, 0, schema->size);
	if (part)
		*part = calloc(1, schema->part_size);
	if (part && !*part)
		return lb_err_no_memory(err);
	if (!read_fields(schema, object, false, out, err))
		return 0;
	schema_clear(schema, out);
	return -EINVAL;
}

/* --- editing --- */

static int nothing_to_set(const struct schema *schema, struct lb_err *err)
{
	const char *names[SCHEMA_FIELDS_MAX] = {0};
	char list[sizeof(err->message)];
	size_t count = 0;

	for (const struct schema_field *field = schema->fields; field->name; field++)
		if (field->change != SCHEMA_FIXED)
			names[count++] = field->name;
	return lb_err_set(err, LB_ERR_PARAMS, "", "nothing to set: give %s",
			  lb_list(names, ", ", " or ", list, sizeof(list)));
}

int schema_edit(const struct schema *schema, const json_t *edit, void *object, struct lb_err *err)
{
	void *next;
	int error;

	if (json_is_object(edit) && !json_object_size(edit))
		return nothing_to_set(schema, err);
	next = malloc(schema->size);
	if (!next || schema_copy(schema, object, next)) {
		free(next);
		return lb_err_no_memory(err);
	}
	error = read_fields(schema, edit, true, next, err);
	schema_clear(schema, error ? next : object);
	if (!error)
		memcpy(object, next, schema->size);
	free(next);
	return error;
}

/* --- writing, comparing, copying, freeing --- */

static bool is_set(const struct schema_field *field, const void *value)
{
	const char *bytes = value;
	size_t i = 0;

	if (field->kind == &schema_object)
		return kind_of(field->schema, value);
	if (field->kind == &schema_list)
		return ((const struct schema_items *)value)->count;
	if (field->kind == &schema_integer)
		return *(const uint32_t *)value != field->number;
	if (field->kind == &schema_boolean)
		return *(const bool *)value != (bool)field->number;
	while (i < field->size && !bytes[i])
		i++;
	return i < field->size;
}

static bool is_written(const struct schema *schema, const struct schema_field *field,
		       const void *object)
{
	if (field->part && !is_whole(schema, object))
		return false;
	return belongs(schema, field, object) &&
	       (!field->optional || is_set(field, place(field, object)) ||
		(field->told && field->told(object)));
}

json_t *schema_write(const struct schema *schema, const void *object)
{
	json_t *out = json_object();
	int error = 0;

	for (const struct schema_field *field = schema->fields; !error && field->name; field++)
		if (is_written(schema, field, object))
			error = json_object_set_new(
				out, field->name, field->kind->write(field, place(field, object)));
	if (!error)
		return out;
	json_decref(out);
	return NULL;
}

/* Without memory nothing is equal. */
static bool json_compare(const struct schema_field *field, const void *a, const void *b)
{
	json_t *left = field->kind->write(field, a), *right = field->kind->write(field, b);
	bool equal = json_equal(left, right);

	json_decref(left);
	json_decref(right);
	return equal;
}

static bool value_equal(const struct schema_field *field, const void *a, const void *b)
{
	const struct schema_items left = within(field, a), right = within(field, b);
	bool equal = left.count == right.count;

	if (field->kind->owns && *(void *const *)a && *(void *const *)b)
		return json_compare(field, a, b);
	if (field->kind != &schema_list && field->kind != &schema_object)
		return !memcmp(a, b, field->size);
	/* So it mostly is, since documents are copies of each other. */
	if (equal && left.count && field->kind == &schema_list &&
	    !memcmp(left.items, right.items, left.count * field->schema->size))
		return true;
	for (size_t i = 0; equal && i < left.count; i++)
		equal = schema_equal(field->schema, item_at(field, &left, i),
				     item_at(field, &right, i));
	return equal;
}

bool schema_equal(const struct schema *schema, const void *a, const void *b)
{
	const struct schema_field *field = schema->fields;

	while (field->name && value_equal(field, place(field, a), place(field, b)))
		field++;
	return !field->name;
}

static int list_copy(const struct schema_field *field, const struct schema_items *from,
		     struct schema_items *out)
{
	*out = (struct schema_items){0};
	if (!from->count)
		return 0;
	out->items = calloc(from->count, field->schema->size);
	if (!out->items)
		return -ENOMEM;
	if (is_flat(field->schema)) {
		memcpy(out->items, from->items, from->count * field->schema->size);
		out->count = from->count;
	}
	for (; out->count < from->count; out->count++)
		if (schema_copy(field->schema, item_at(field, from, out->count),
				item_at(field, out, out->count)))
			return -ENOMEM;
	return 0;
}

static int value_copy(const struct schema_field *field, const void *from, void *out)
{
	json_t *json;
	int error;

	if (field->kind == &schema_list)
		return list_copy(field, from, out);
	if (field->kind == &schema_object)
		return schema_copy(field->schema, from, out);
	if (!field->kind->owns || !*(void *const *)from)
		return 0;
	memset(out, 0, field->size);
	json = field->kind->write(field, from);
	error = json ? field->kind->read(field, json, out, NULL) : -ENOMEM;
	json_decref(json);
	return error;
}

/* The part as it is, for its fields to be copied. */
static int part_copy(const struct schema *schema, const void *from, void *out)
{
	void **part = part_of(schema, out);

	if (!part || !is_whole(schema, from))
		return 0;
	*part = malloc(schema->part_size);
	if (!*part)
		return -ENOMEM;
	memcpy(*part, *part_of(schema, from), schema->part_size);
	return 0;
}

int schema_copy(const struct schema *schema, const void *from, void *out)
{
	const bool whole = is_whole(schema, from);
	int error = 0;

	memcpy(out, from, schema->size);
	if (part_copy(schema, from, out)) {
		memset(out, 0, schema->size);
		return -ENOMEM;
	}
	/* Every field is copied, to NULL at least, for the sake of clear. */
	for (const struct schema_field *field = schema->fields; field->name; field++)
		if (whole || !field->part)
			error |= value_copy(field, place(field, from), place(field, out));
	if (!error)
		return 0;
	schema_clear(schema, out);
	return -ENOMEM;
}

void schema_part_clear(const struct schema *schema, void *object)
{
	void **part = part_of(schema, object);

	if (is_whole(schema, object)) {
		for (const struct schema_field *field = schema->fields; field->name; field++)
			if (field->part)
				value_clear(field, place(field, object));
		free(*part);
	}
	*part = NULL;
}

void schema_clear(const struct schema *schema, void *object)
{
	for (const struct schema_field *field = schema->fields; field->name; field++)
		if (!field->part)
			value_clear(field, place(field, object));
	if (schema->part)
		schema_part_clear(schema, object);
}
