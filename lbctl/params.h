/* SPDX-License-Identifier: BSD-2-Clause */
/* What is sent to lbd for a command? Params of docs/protocol.md, as new references. lbd judges
 * them; refused here is only what cannot be put into JSON. */
#ifndef LBCTL_PARAMS_H
#define LBCTL_PARAMS_H

#include "args.h"

/* Nothing but what params_add_manner adds. */
int params_manner_only(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_vip_reference(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_vip_add(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_vip_set(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_pool_reference(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_pool_add(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_pool_set(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_backend_add(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_backend_set(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_address(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_backend_reference(const struct invocation *invocation, json_t **params,
			     struct lb_err *err);
int params_reload(const struct invocation *invocation, json_t **params, struct lb_err *err);
int params_apply(const struct invocation *invocation, json_t **params, struct lb_err *err);
/* A file of JSON, or "-". */
int params_read_file(const char *file, json_t **document, struct lb_err *err);
int params_document(const struct invocation *invocation, json_t **params, struct lb_err *err);

/* Adds to params what every change can be told (--dry-run, --force, --local, --max-moved), where it was. */
int params_add_manner(const struct invocation *invocation, json_t *params, struct lb_err *err);

/* --name DURATION in seconds; *seconds stays as it is where it was not given. */
int params_duration(const struct invocation *invocation, const char *name, long long *seconds,
		    struct lb_err *err);

#endif
