// SPDX-License-Identifier: BSD-2-Clause
/* Where are the rates of VIPs while packets use them, and how many packets were beyond? */
#include "guard.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "datapath_private.h"

int datapath_rates_use(struct datapath *datapath, struct lb_err *err)
{
	return datapath_guard_use(datapath, GUARD_RATES, err);
}

void datapath_rates_drop(struct datapath *datapath)
{
	datapath_guard_drop(datapath, GUARD_RATES);
}

struct lb_rates *datapath_rates(struct datapath *datapath)
{
	return datapath_guard_maps(datapath).rates;
}

static int over_fd(const struct datapath *datapath)
{
	return datapath->guarded ? bpf_map__fd(datapath->guarded->maps.guard_rate_over) : -ENOENT;
}

int datapath_rates_over(struct datapath *datapath, uint32_t number, struct lb_rates_over *out)
{
	const struct lb_rates_over *over = datapath->percpu;
	int error = bpf_map_lookup_elem(over_fd(datapath), &number, datapath->percpu);

	*out = (struct lb_rates_over){0};
	for (int i = 0; !error && i < datapath->cpus; i++)
		for (unsigned int rule = 0; rule < LB_RATES; rule++)
			out->packets[rule] += over[i].packets[rule];
	return error;
}

int datapath_rates_over_reset(struct datapath *datapath, uint32_t number)
{
	memset(datapath->percpu, 0, datapath->cpus * sizeof(struct lb_rates_over));
	return bpf_map_update_elem(over_fd(datapath), &number, datapath->percpu, BPF_ANY);
}
