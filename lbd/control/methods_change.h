/* SPDX-License-Identifier: BSD-2-Clause */
/* The methods of docs/protocol.md that change what is balanced. Private to methods.c. */
#ifndef LB_METHODS_CHANGE_H
#define LB_METHODS_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include "../api/err.h"
#include "methods.h"

#define METHODS_CHANGE_MAX 16

/* Whether `method` is one of them. */
bool methods_change_has(const char *method);
/* 0 and *result, or non-zero and *err. */
int methods_change(struct methods_context *context, const char *method, const json_t *params,
		   json_t **result, struct lb_err *err);

/* An error when the document in force has another digest than `value`, unless that is NULL. */
int methods_check_digest(const struct service *service, const json_t *value, struct lb_err *err);

/* Their names, at most METHODS_CHANGE_MAX. */
void methods_change_names(const char **names);

#endif
