/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of prefixes (service/lists.h) over the socket. */
#ifndef LB_METHODS_LISTS_H
#define LB_METHODS_LISTS_H

#include "methods.h"

int methods_list_add(struct methods_context *context, const json_t *params, json_t **result,
		     struct lb_err *err);
int methods_list_del(struct methods_context *context, const json_t *params, json_t **result,
		     struct lb_err *err);
int methods_list_load(struct methods_context *context, const json_t *params, json_t **result,
		      struct lb_err *err);
int methods_list_set(struct methods_context *context, const json_t *params, json_t **result,
		     struct lb_err *err);
int methods_list_show(struct methods_context *context, const json_t *params, json_t **result,
		      struct lb_err *err);
int methods_list_explain(struct methods_context *context, const json_t *params, json_t **result,
			 struct lb_err *err);

#endif
