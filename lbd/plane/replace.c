// SPDX-License-Identifier: BSD-2-Clause
/* How do other programs come into the place of those that stand? */
#include "datapath_private.h"

static void set(struct datapath *datapath, struct guard *guard, struct lb_bpf *guarded)
{
	datapath->guard = guard;
	datapath->guarded = guarded;
}

int replace_programs(struct datapath *datapath, struct guard *guard, struct lb_bpf *guarded)
{
	struct guard *guard_before = datapath->guard;
	struct lb_bpf *guarded_before = datapath->guarded;
	int error, traced;

	set(datapath, guard, guarded);
	instance_follow(datapath);
	traced = trace_again(datapath);
	error = instance_put_in_place(datapath);
	if (error) {
		set(datapath, guard_before, guarded_before);
		trace_again(datapath);
		instance_put_in_place(datapath);
		return error;
	}
	explain_close(datapath->explain);
	datapath->explain = NULL;
	return traced;
}
