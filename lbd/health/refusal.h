/* SPDX-License-Identifier: BSD-2-Clause */
/* What does it mean that a backend has refused an outer packet, and what cures that? Pure. */
#ifndef LB_HEALTH_REFUSAL_H
#define LB_HEALTH_REFUSAL_H

#include <stddef.h>
#include "../api/addr.h"
#include "../route/pmtu_judge.h"

/* "the backend does not take off the outer header (…): …"; "" of PMTU_NOT_REFUSED. */
void health_refusal_text(enum pmtu_refusal refusal, const struct lb_addr *vip,
			 const struct lb_addr *backend, char *out, size_t size);

#endif
