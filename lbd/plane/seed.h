/* SPDX-License-Identifier: BSD-2-Clause */
/* Which seed does lbd hash by? The one of lbd.json, else the one in state_dir. Where that file is
 * missing, the one of the pinned data plane; without a data plane, a new one. */
#ifndef LB_SEED_H
#define LB_SEED_H

#include "../host/config.h"

/* Into config->seed. What was not in state_dir is there from now on. A seed that is missing there,
 * and that the pinned data plane does not tell, is LB_ERR_REFUSED, unless `reset`: then a new one
 * is made. `warning`: "" or a sentence. */
int seed_find(struct config *config, bool reset, char *warning, size_t size, struct lb_err *err);
/* The same of what is pinned, for looking: nothing is written. */
int seed_look(struct config *config, struct lb_err *err);

#endif
