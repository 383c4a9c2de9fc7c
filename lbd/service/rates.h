/* SPDX-License-Identifier: BSD-2-Clause */
/* How do rates of VIPs get to where packets find them, and what have they met? */
#ifndef LB_SERVICE_RATES_H
#define LB_SERVICE_RATES_H

#include <jansson.h>
#include <stdbool.h>
#include "../../bpf/abi.h"
#include "../api/model.h"

struct service;

int rates_open(struct service *service, struct lb_err *err);
void rates_close(struct service *service);
/* Before a change: has the guard in place, should the document need it. `given`: as syn_guard_prepare has it. */
int rates_prepare(struct service *service, const struct lb_service *document, bool given,
		  bool dry_run, struct lb_err *err);
/* After one, or when one has failed: without rates the guard is not needed for them. */
void rates_follow(struct service *service);
/* The rules of a VIP, before packets are looked at by them: LB_GUARD_RATES, or 0. */
uint32_t rates_put(const struct service *service, const struct lb_vip *vip, uint32_t number);
/* VIP-STATE.rates, a new reference; NULL: it has none. */
json_t *rates_state(struct service *service, const struct lb_vip *vip);
/* Adds a sentence to status.warnings. */
void rates_warnings(const struct service *service, json_t *warnings);

#endif
