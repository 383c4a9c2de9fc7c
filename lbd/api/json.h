/* SPDX-License-Identifier: BSD-2-Clause */
/* Strict reading of JSON objects, for every parser of ours. */
#ifndef LB_JSON_H
#define LB_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "err.h"

enum lb_json_kind {
	LB_JSON_STRING,
	LB_JSON_INTEGER,
	LB_JSON_BOOLEAN,
	LB_JSON_OBJECT,
	LB_JSON_ARRAY,
	LB_JSON_ANY, /* even null; the caller looks */
};
struct lb_json_field {
	const char *name;
	enum lb_json_kind kind;
	bool required;
	const json_t **value; /* borrowed; NULL when the field is absent. Set by lb_json_fields. */
};
/* Checks that `object` is an object with these fields and no others (fields ends with name NULL).
 */
int lb_json_fields(const json_t *object, const struct lb_json_field *fields, struct lb_err *err);
/* An integer in [min, max]; path is the field's name. */
int lb_json_integer(const json_t *value, const char *path, int64_t min, int64_t max, int64_t *out,
		    struct lb_err *err);
/* The objects of a list by one of their fields, a string: lists may be long. A new reference; NULL
 * when memory runs out, or an object has no such field. */
json_t *lb_json_index(const json_t *list, const char *field);

#endif
