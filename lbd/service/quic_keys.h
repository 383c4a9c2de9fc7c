/* SPDX-License-Identifier: BSD-2-Clause */
/* Which keys of encrypted QUIC connection ids does a document need, and when are they read? */
#ifndef LB_SERVICE_QUIC_KEYS_H
#define LB_SERVICE_QUIC_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include "../api/model.h"

struct service;

int quic_keys_open(struct service *service, struct lb_err *err);
void quic_keys_close(struct service *service);
/* Before a change: reads the keys that the document needs, where they are not known yet. `given`: the document
 * was in force before, and comes into force without those that cannot be read, which status says. So does any
 * with those of a VIP that has them already. */
int quic_keys_prepare(struct service *service, const struct lb_service *document, bool given,
		      bool dry_run, struct lb_err *err);
/* After one, or when one has failed: those that no VIP has are forgotten. */
void quic_keys_settle(struct service *service);
/* Adds sentences to status.warnings. */
void quic_keys_warnings(const struct service *service, json_t *warnings);
/* Whether a file could not be read when it was needed, or was to be read again. */
bool quic_keys_behind(const struct service *service);

#endif
