/* SPDX-License-Identifier: BSD-2-Clause */
/* What is the guard, where no packet comes? Nothing: lists are refused. */
#include "../plane/guard.h"

int datapath_guard_load(struct datapath *datapath, const struct guard_sizes *sizes,
			struct lb_err *err)
{
	(void)datapath;
	(void)sizes;
	return lb_err_set(err, LB_ERR_REFUSED, "", "this lbd simulates, and has no guard");
}

int datapath_guard_enter(struct datapath *datapath, enum guard_user user, struct lb_err *err)
{
	(void)user;
	return datapath_guard_load(datapath, NULL, err);
}

void datapath_guard_forget(struct datapath *datapath)
{
	(void)datapath;
}

void datapath_guard_drop(struct datapath *datapath, enum guard_user user)
{
	(void)datapath;
	(void)user;
}

struct guard_maps datapath_guard_maps(const struct datapath *datapath)
{
	(void)datapath;
	return (struct guard_maps){0};
}

int datapath_guard_hits(struct datapath *datapath, uint32_t list, struct lb_guard_hits *out)
{
	(void)datapath;
	(void)list;
	*out = (struct lb_guard_hits){0};
	return 0;
}

int datapath_guard_hits_reset(struct datapath *datapath, uint32_t list)
{
	(void)datapath;
	(void)list;
	return 0;
}
