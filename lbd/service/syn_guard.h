/* SPDX-License-Identifier: BSD-2-Clause */
/* Of which VIPs does the program answer SYNs, and with which secret? */
#ifndef LB_SERVICE_SYN_GUARD_H
#define LB_SERVICE_SYN_GUARD_H

#include <jansson.h>
#include <stdbool.h>
#include "../api/model.h"

struct service;
struct service_options;

int syn_guard_open(struct service *service, const struct service_options *from, struct lb_err *err);
void syn_guard_close(struct service *service);
/* Before a change: has the secret and the guard in place, should the document need them. `given`: the document
 * was in force before, and comes into force without the guard, which status says, where there is an error. */
int syn_guard_prepare(struct service *service, const struct lb_service *document, bool given,
		      bool dry_run, struct lb_err *err);
/* After one, or when one has failed: what the document in force says becomes what packets find. */
void syn_guard_follow(struct service *service);
/* VIP-STATE.syn, a new reference; NULL: nothing of it. */
json_t *syn_guard_state(struct service *service, const struct lb_vip *vip);
/* Adds sentences to status.warnings. */
void syn_guard_warnings(const struct service *service, json_t *warnings);

#endif
