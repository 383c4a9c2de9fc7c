/* SPDX-License-Identifier: BSD-2-Clause */
/* How are fields of a result read that may be missing or of another type? */
#include "view.h"

const char *view_text(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "?";
}

long long view_integer(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

double view_number(const json_t *object, const char *field)
{
	return json_number_value(json_object_get(object, field));
}
