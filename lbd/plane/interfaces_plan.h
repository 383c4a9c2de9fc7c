/* SPDX-License-Identifier: BSD-2-Clause */
/* What has to be done when the names of lbd.json lead to other links than before? Pure. */
#ifndef LB_INTERFACES_PLAN_H
#define LB_INTERFACES_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include "../host/config.h"

#define INTERFACE_NONE SIZE_MAX

struct interfaces_plan {
	/* Of each interface: whose attachment it has from now on. Its own number: nothing changes;
	 * another's: names have been exchanged; INTERFACE_NONE: it must be attached, or waits. */
	size_t from[LB_INTERFACES_MAX];
	/* The links to detach from: no name of lbd.json leads there any more. */
	uint32_t release[LB_INTERFACES_MAX];
	size_t release_count;
};

/* held[i]: the index of the link where the program stands for interface i; found[i]: that of the
 * link which has its name. 0: none. No index is held twice, or found twice. */
void interfaces_plan(const uint32_t *held, const uint32_t *found, size_t count,
		     struct interfaces_plan *out);

#endif
