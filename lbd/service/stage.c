/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the program a stage that only some documents need? See stage.h. */
#include "stage.h"

int stage_prepare(struct service *service, struct stage *stage,
		  int (*use)(struct datapath *datapath, struct lb_err *err),
		  const struct lb_service *document, bool given, struct lb_err *err)
{
	const bool wanted = lb_service_wants(document, stage->needs);
	struct lb_err inner = {0};
	const int error = wanted ? use(service->plane.datapath, &inner) : 0;

	if (!error) {
		stage->in_use = stage->in_use || wanted;
		*stage->fault = '\0';
		return 0;
	}
	if (!given && lb_service_brings(document, service->document, stage->needs)) {
		*err = inner;
		return error;
	}
	fault_keep(service, stage->fault, stage->name, inner.message);
	return 0;
}

void stage_follow(struct service *service, struct stage *stage,
		  void (*drop)(struct datapath *datapath))
{
	if (!stage->in_use || lb_service_wants(service->document, stage->needs))
		return;
	stage->in_use = false;
	drop(service->plane.datapath);
}
