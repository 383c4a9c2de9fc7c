/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VIPs have the packets of an endpoint while there is no VIP of just that? Pure. */
#ifndef LB_SERVICE_BESIDE_H
#define LB_SERVICE_BESIDE_H

#include "../../bpf/abi.h"
#include "../api/model.h"

#define BESIDE_MAX (LB_WIDE_DEPTH + 1) /* and the one for every port of the address */

struct beside {
	const struct lb_vip *vips[BESIDE_MAX]; /* by the first port that each has */
	size_t count;
	bool whole; /* they have every port of it: no packet is for nobody */
};

/* Those of the service; where one of just the endpoint is among them it is left out. */
void beside_find(const struct lb_service *service, const struct lb_wide_kinds *kinds,
		 const struct lb_endpoint *endpoint, struct beside *out);

#endif
