/* SPDX-License-Identifier: BSD-2-Clause */
/* lbctl list: what is sent for it, and how its results are shown. */
#ifndef LBCTL_LIST_H
#define LBCTL_LIST_H

#include "args.h"

/* With the prefix, or those of standard input. */
int list_change_params(const struct invocation *invocation, json_t **params, struct lb_err *err);
/* With the prefixes of a file. */
int list_load_params(const struct invocation *invocation, json_t **params, struct lb_err *err);
int list_set_params(const struct invocation *invocation, json_t **params, struct lb_err *err);
int list_name_params(const struct invocation *invocation, json_t **params, struct lb_err *err);
int list_explain_params(const struct invocation *invocation, json_t **params, struct lb_err *err);

/* Many prefixes are more than one request: of a change, which is made step by step, and of a load, which is made by
 * the last one. */
int list_change_ask(const struct invocation *invocation, json_t *params, json_t **result,
		    struct lb_err *err);
int list_load_ask(const struct invocation *invocation, json_t *params, json_t **result,
		  struct lb_err *err);

/* One line: what a list is, and what it has met. */
void list_view_line(FILE *out, const json_t *list);
/* Why packets do not meet what is listed, unless they do. */
void list_view_fault(FILE *out, const char *indent, const json_t *result);
void list_view(FILE *out, const struct invocation *invocation, const json_t *result);
void list_view_all(FILE *out, const struct invocation *invocation, const json_t *result);
void list_view_explained(FILE *out, const struct invocation *invocation, const json_t *result);

#endif
