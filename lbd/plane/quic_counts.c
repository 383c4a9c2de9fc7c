/* SPDX-License-Identifier: BSD-2-Clause */
/* How many packets have followed QUIC server ids?
 *
 * The program counts these by member alone, apart from what came to it by its slots. A member's counter is
 * set to 0 when its number is used again, and what it had is added to "routed" before, which the program
 * leaves alone. */
#include "datapath_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../host/worker.h"

#define AT_ONCE 256u /* members */

uint32_t quic_counter_of(const struct datapath *datapath, uint32_t member)
{
	return datapath->skeleton->rodata->config.members + member;
}

static uint64_t packets_of(const struct lb_counter *counters, size_t count)
{
	uint64_t all = 0;

	for (size_t i = 0; i < count; i++)
		all += counters[i].packets;
	return all;
}

int datapath_quic_counter(struct datapath *datapath, uint32_t member, uint64_t *out)
{
	const uint32_t key = quic_counter_of(datapath, member);
	const int error = bpf_map_lookup_elem(bpf_map__fd(datapath->skeleton->maps.counters), &key,
					      datapath->percpu);

	*out = error ? 0 : packets_of(datapath->percpu, (size_t)datapath->cpus);
	return error;
}

/* All members', those that are gone included. Yields: of 32,000 members on many CPUs it takes longer than a turn. */
static int sum_members(const struct datapath *datapath, uint64_t *out)
{
	const int counters = bpf_map__fd(datapath->skeleton->maps.counters);
	struct lb_counter *values = calloc((size_t)AT_ONCE * datapath->cpus, sizeof(*values));
	uint32_t keys[AT_ONCE], before = quic_counter_of(datapath, 0) - 1, count;
	int error = values ? 0 : -ENOMEM;

	while (!error) {
		count = AT_ONCE;
		error = bpf_map_lookup_batch(counters, &before, &before, keys, values, &count,
					     NULL);
		if (!error || error == -ENOENT)
			*out += packets_of(values, (size_t)count * datapath->cpus);
		worker_yield();
	}
	free(values);
	return error == -ENOENT ? 0 : error; /* that was the last one */
}

int datapath_quic_counts(struct datapath *datapath, uint64_t out[LB_QUIC_COUNT_COUNT])
{
	int error = 0;

	for (uint32_t i = 0; !error && i < LB_QUIC_COUNT_COUNT; i++)
		error = percpu_sum(datapath, datapath->skeleton->maps.quic_counts, i, &out[i]);
	return error ? error : sum_members(datapath, &out[LB_QUIC_ROUTED]);
}

static int add_routed(struct datapath *datapath, uint64_t packets)
{
	const int counts = bpf_map__fd(datapath->skeleton->maps.quic_counts);
	const uint32_t routed = LB_QUIC_ROUTED;
	uint64_t *values = datapath->percpu;
	const int error = bpf_map_lookup_elem(counts, &routed, values);

	if (error)
		return error;
	values[0] += packets;
	return bpf_map_update_elem(counts, &routed, values, BPF_ANY);
}

int quic_counts_reset(struct datapath *datapath, uint32_t member)
{
	const uint32_t key = quic_counter_of(datapath, member);
	uint64_t packets;
	int error = datapath_quic_counter(datapath, member, &packets);

	if (error || !packets)
		return error;
	error = add_routed(datapath, packets);
	memset(datapath->percpu, 0, (size_t)datapath->cpus * sizeof(struct lb_counter));
	return error ? error
		     : bpf_map_update_elem(bpf_map__fd(datapath->skeleton->maps.counters), &key,
					   datapath->percpu, BPF_ANY);
}
