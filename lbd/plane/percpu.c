/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in an element of a per-CPU array? */
#include "datapath_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

int percpu_sum(const struct datapath *datapath, const struct bpf_map *map, uint32_t key,
	       uint64_t *out)
{
	const uint64_t *values = datapath->percpu;
	const int error = bpf_map_lookup_elem(bpf_map__fd(map), &key, datapath->percpu);

	*out = 0;
	for (int i = 0; !error && i < datapath->cpus; i++)
		*out += values[i];
	return error;
}
