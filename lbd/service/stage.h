/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the program a stage that only some documents need? It is loaded before the change that brings the first VIP
 * with it, which is refused where the kernel refuses the program, and goes with the last one. */
#ifndef LB_SERVICE_STAGE_H
#define LB_SERVICE_STAGE_H

#include "live.h"

struct stage {
	const char *name; /* in the event "fault" */
	bool (*needs)(const struct lb_vip *vip);
	bool in_use;
	char fault[FAULT_TEXT]; /* why VIPs in force are without it; "": they are not */
};

/* Before a change. `given`: as syn_guard_prepare has it. A VIP that is in force without it stops no change of
 * anything else. */
int stage_prepare(struct service *service, struct stage *stage,
		  int (*use)(struct datapath *datapath, struct lb_err *err),
		  const struct lb_service *document, bool given, struct lb_err *err);
/* After one, or when one has failed. */
void stage_follow(struct service *service, struct stage *stage,
		  void (*drop)(struct datapath *datapath));

#endif
