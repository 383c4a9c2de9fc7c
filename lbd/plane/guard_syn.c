/* SPDX-License-Identifier: BSD-2-Clause */
/* Where is the secret of the SYN guard while packets use it, and how many SYNs has it met? */
#include "guard.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "datapath_private.h"

int datapath_syn_use(struct datapath *datapath, struct lb_err *err)
{
	return datapath_guard_use(datapath, GUARD_SYN, err);
}

void datapath_syn_drop(struct datapath *datapath)
{
	datapath_guard_drop(datapath, GUARD_SYN);
}

struct lb_guard_secret *datapath_guard_secret(struct datapath *datapath)
{
	return datapath_guard_maps(datapath).secret;
}

static int counts_fd(const struct datapath *datapath)
{
	return datapath->guarded ? bpf_map__fd(datapath->guarded->maps.guard_syns) : -ENOENT;
}

int datapath_syn_counts(struct datapath *datapath, uint32_t number, struct lb_guard_syns *out)
{
	const struct lb_guard_syns *counts = datapath->percpu;
	int error = bpf_map_lookup_elem(counts_fd(datapath), &number, datapath->percpu);

	*out = (struct lb_guard_syns){0};
	for (int i = 0; !error && i < datapath->cpus; i++) {
		out->seen += counts[i].seen;
		out->answered += counts[i].answered;
		out->opened += counts[i].opened;
	}
	return error;
}

int datapath_syn_counts_reset(struct datapath *datapath, uint32_t number)
{
	memset(datapath->percpu, 0, datapath->cpus * sizeof(struct lb_guard_syns));
	return bpf_map_update_elem(counts_fd(datapath), &number, datapath->percpu, BPF_ANY);
}
