/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what a request adds there already? For scripts that may run twice: `if_missing` of the methods
 * that add. */
#ifndef LB_ALREADY_H
#define LB_ALREADY_H

#include <jansson.h>
#include "../api/err.h"
#include "../api/schema.h"

/* 0 if the object that is there has all that `given` says, of which `made` was read; fields that are
 * not given may differ. LB_ERR_EXISTS and the path of the first that differs, below the object;
 * `name` is the object's in the message. */
int already_like(const struct schema *schema, const json_t *given, const void *made,
		 const void *there, const char *name, struct lb_err *err);

#endif
