/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what a request adds there already? Both are compared as they are written, so that it does not
 * matter how the request spells a value. */
#include "already.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUE_TEXT 80

/* Of a field that is not written: the default. Cut off at VALUE_TEXT. */
static const char *value_text(const json_t *value, char out[VALUE_TEXT])
{
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	snprintf(out, VALUE_TEXT, "%s", text ? text : "the default");
	free(text);
	return out;
}

static int differs(const struct schema_field *field, const json_t *is, const json_t *wanted,
		   const char *name, struct lb_err *err)
{
	char is_text[VALUE_TEXT], wanted_text[VALUE_TEXT];

	if (json_is_object(wanted) || json_is_array(wanted))
		lb_err_set(err, LB_ERR_EXISTS, field->name,
			   "%s is there already, but its %s differs", name, field->name);
	else
		lb_err_set(err, LB_ERR_EXISTS, field->name,
			   "%s is there already, but its %s is %s, not %s", name, field->name,
			   value_text(is, is_text), value_text(wanted, wanted_text));
	return lb_err_hint(err, "leave it out to accept what is there%s",
			   field->change == SCHEMA_CHANGEABLE ? ", or change it by set" : "");
}

static bool same(const json_t *a, const json_t *b)
{
	return a && b ? json_equal(a, b) : a == b;
}

static int compare(const struct schema *schema, const json_t *given, const json_t *made,
		   const json_t *there, const char *name, struct lb_err *err)
{
	for (const struct schema_field *field = schema->fields; field->name; field++) {
		const json_t *said = json_object_get(given, field->name);
		const json_t *wanted = json_object_get(made, field->name);
		const json_t *is = json_object_get(there, field->name);
		const bool inside = json_is_object(wanted) && json_is_object(is);

		if (!said || same(wanted, is))
			continue;
		if (!inside)
			return differs(field, is, wanted ? wanted : said, name, err);
		if (compare(field->schema, said, wanted, is, name, err)) {
			lb_err_prefix(err, "%s", field->name);
			return -EINVAL;
		}
	}
	return 0;
}

int already_like(const struct schema *schema, const json_t *given, const void *made,
		 const void *there, const char *name, struct lb_err *err)
{
	json_auto_t *made_fields = schema_write(schema, made);
	json_auto_t *there_fields = schema_write(schema, there);

	if (!made_fields || !there_fields)
		return lb_err_no_memory(err);
	return compare(schema, given, made_fields, there_fields, name, err);
}
