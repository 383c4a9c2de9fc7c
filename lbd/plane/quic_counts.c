/* SPDX-License-Identifier: BSD-2-Clause */
/* How many packets have followed QUIC server ids?
 *
 * The program counts these by member alone. A member's counter is set to 0 when its number is used
 * again, and what it had is added to "routed" before, which the program leaves alone. */
#include "datapath_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../host/worker.h"

#define AT_ONCE 256u /* members */

static uint64_t sum(const uint64_t *values, size_t count)
{
	uint64_t all = 0;

	for (size_t i = 0; i < count; i++)
		all += values[i];
	return all;
}

static int read_one(const struct datapath *datapath, const struct bpf_map *map, uint32_t key,
		    uint64_t *out)
{
	const int error = bpf_map_lookup_elem(bpf_map__fd(map), &key, datapath->percpu);

	*out = error ? 0 : sum(datapath->percpu, (size_t)datapath->cpus);
	return error;
}

int datapath_quic_counter(struct datapath *datapath, uint32_t member, uint64_t *out)
{
	return read_one(datapath, datapath->skeleton->maps.quic_counters, member, out);
}

/* All members', those that are gone included. Yields: of 32,000 members on many CPUs it takes longer than a turn. */
static int sum_members(const struct datapath *datapath, uint64_t *out)
{
	const struct bpf_map *map = datapath->skeleton->maps.quic_counters;
	uint64_t *values = calloc((size_t)AT_ONCE * datapath->cpus, sizeof(*values));
	uint32_t keys[AT_ONCE], batch = 0, count;
	int error = values ? 0 : -ENOMEM;

	for (bool first = true; !error; first = false) {
		count = AT_ONCE;
		error = bpf_map_lookup_batch(bpf_map__fd(map), first ? NULL : &batch, &batch, keys,
					     values, &count, NULL);
		if (!error || error == -ENOENT)
			*out += sum(values, (size_t)count * datapath->cpus);
		worker_yield();
	}
	free(values);
	return error == -ENOENT ? 0 : error; /* that was the last one */
}

int datapath_quic_counts(struct datapath *datapath, uint64_t out[LB_QUIC_COUNT_COUNT])
{
	int error = 0;

	for (uint32_t i = 0; !error && i < LB_QUIC_COUNT_COUNT; i++)
		error = read_one(datapath, datapath->skeleton->maps.quic_counts, i, &out[i]);
	return error ? error : sum_members(datapath, &out[LB_QUIC_ROUTED]);
}

int quic_counts_reset(struct datapath *datapath, uint32_t member)
{
	const int counts = bpf_map__fd(datapath->skeleton->maps.quic_counts);
	uint64_t *values = datapath->percpu, packets;
	uint32_t routed = LB_QUIC_ROUTED;
	int error = datapath_quic_counter(datapath, member, &packets);

	if (error || !packets)
		return error;
	error = bpf_map_lookup_elem(counts, &routed, values);
	values[0] += packets;
	if (!error)
		error = bpf_map_update_elem(counts, &routed, values, BPF_ANY);
	memset(values, 0, (size_t)datapath->cpus * sizeof(*values));
	return error ? error
		     : bpf_map_update_elem(bpf_map__fd(datapath->skeleton->maps.quic_counters),
					   &member, values, BPF_ANY);
}
