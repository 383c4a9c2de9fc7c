/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backends make connections from cookies, as far as is known? Each that takes new flows of a VIP with
 * syn_guard is asked every few seconds, through the tunnel (health/probe_cookie.c). A pass asks for VIP after VIP;
 * what no VIP of the pass has asked for is asked no more. */
#ifndef LB_SERVICE_SYN_READY_H
#define LB_SERVICE_SYN_READY_H

#include <jansson.h>
#include "../api/guard_secret.h"
#include "live.h"

/* UNKNOWN: not asked yet. */
enum syn_ready_state { SYN_READY, SYN_READY_UNKNOWN, SYN_READY_NOT };

/* `news` is called from the loop when a backend has said something else than before. */
int syn_ready_open(struct service *service, const struct service_options *from,
		   const struct guard_secret *secret, void (*news)(struct service *service),
		   struct lb_err *err);
void syn_ready_close(struct service *service);

/* Of a VIP with syn_guard, in a pass: the worst of its backends that take new flows. */
enum syn_ready_state syn_ready_vip(struct service *service, const struct lb_vip *vip);
void syn_ready_pass_ends(struct service *service);
/* Those that are NOT, address and reason, a new reference; NULL: there is none. */
json_t *syn_ready_lacking(const struct service *service, const struct lb_vip *vip);

#endif
