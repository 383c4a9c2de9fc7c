// SPDX-License-Identifier: BSD-2-Clause
/* How do other programs come into the place of those that stand? */
#include "datapath_private.h"

struct instances replace_now(const struct datapath *datapath)
{
	return (struct instances){datapath->guard, datapath->guarded, datapath->with_quic};
}

static void set(struct datapath *datapath, const struct instances *to)
{
	datapath->guard = to->guard;
	datapath->guarded = to->guarded;
	datapath->with_quic = to->with_quic;
}

int replace_programs(struct datapath *datapath, const struct instances *next)
{
	const struct instances before = replace_now(datapath);
	const struct lb_bpf *stands = instance_due(datapath);
	int error, traced;

	set(datapath, next);
	instance_follow(datapath);
	if (instance_due(datapath) == stands)
		return 0;
	datapath->changes++;
	traced = trace_again(datapath);
	error = instance_put_in_place(datapath);
	if (error) {
		set(datapath, &before);
		trace_again(datapath);
		instance_put_in_place(datapath);
		return error;
	}
	explain_close(datapath->explain);
	datapath->explain = NULL;
	return traced;
}
