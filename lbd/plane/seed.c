/* SPDX-License-Identifier: BSD-2-Clause */
/* Which seed does lbd hash by? */
#include "seed.h"

#include <errno.h>
#include <stdio.h>

#include "../host/state.h"
#include "datapath.h"

static int lost(struct lb_err *err)
{
	err->code = LB_ERR_REFUSED;
	return lb_err_hint(err,
			   "put a copy of it back; or start lbd once with --reset-flows "
			   "(\"systemctl start lbd-reset-flows\"): a new seed is made, and nearly "
			   "all established connections break");
}

/* 0 also for the one of the pinned data plane; -ENOENT when nothing is known. */
static int look(struct config *config, bool *missing, struct lb_err *err)
{
	int error = 0;

	*missing = false;
	if (!config->seed_configured)
		error = state_read_seed(config->state_dir, config->seed, err);
	if (error != -ENOENT)
		return error;
	*missing = true;
	return datapath_pinned_seed(config->pin_dir, config->seed) ? 0 : -ENOENT;
}

int seed_look(struct config *config, struct lb_err *err)
{
	bool missing;
	int error = look(config, &missing, err);

	return error == -ENOENT ? lost(err) : error;
}

int seed_find(struct config *config, bool reset, char *warning, size_t size, struct lb_err *err)
{
	bool missing;
	int error = look(config, &missing, err);

	*warning = '\0';
	if (error == -ENOENT)
		return reset || !datapath_is_pinned(config->pin_dir)
			       ? state_new_seed(config->state_dir, config->seed, err)
			       : lost(err);
	if (error || !missing)
		return error;
	snprintf(warning, size,
		 "%s/hash_seed was missing: it was written again, from the pinned data plane",
		 config->state_dir);
	return state_save_seed(config->state_dir, config->seed, err);
}
