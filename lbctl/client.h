/* SPDX-License-Identifier: BSD-2-Clause */
/* How is lbd asked? One request, one reply, over its Unix socket. */
#ifndef LBCTL_CLIENT_H
#define LBCTL_CLIENT_H

#include <stdbool.h>
#include <jansson.h>
#include "../lbd/api/err.h"

#define CLIENT_TIMEOUT_S 30
#define CLIENT_REPLY_MAX (64u << 20)

/* params may be NULL. 0 and *result (new reference), or -EINVAL and either the error that lbd
 * replied with, or LB_ERR_UNREACHABLE when there was no proper reply within timeout_s of silence.
 */
int client_call(const char *path, int timeout_s, const char *method, const json_t *params,
		json_t **result, struct lb_err *err);

/* The same with many requests over one connection: client_open, then client_ask for each, then close it. A descriptor,
 * or -EINVAL. */
int client_open(const char *path, int timeout_s, struct lb_err *err);
int client_ask(int fd, const char *path, int timeout_s, const char *method, const json_t *params,
	       json_t **result, struct lb_err *err);

/* The same request, but after its reply lbd sends notifications until either side ends that: `each`
 * gets the params of every one, and returns whether it wants more. 0 when it did not, or -EINVAL as
 * above; LB_ERR_UNREACHABLE also when lbd has ended. */
int client_stream(const char *path, int timeout_s, const char *method, const json_t *params,
		  bool (*each)(void *user, const json_t *params), void *user, struct lb_err *err);

#endif
