/* SPDX-License-Identifier: BSD-2-Clause */
/* How many packets has a VIP had? bpf/count.h says who counts them. */
#include "datapath_private.h"

#include <errno.h>

/* A CPU adds what waits within a microsecond; but a virtual one may stand still for long. Then one
 * packet may be counted twice, until the next look. */
#define TRIES 1000

static struct lb_counter *counter_at(struct datapath *datapath, int cpu, uint32_t number)
{
	struct lb_counter *counters = datapath->vip_counters.start;

	return &counters[(size_t)cpu * datapath->skeleton->rodata->config.vip_row + number];
}

/* Of a CPU; NULL: none wait. */
static struct lb_vip_waiting *waiting_at(struct datapath *datapath, int cpu)
{
	struct lb_vip_waiting *waiting = datapath->vip_waiting.start;

	return datapath->skeleton->rodata->config.vip_waiting ? &waiting[cpu] : NULL;
}

static void add(struct lb_counter *to, uint64_t packets, uint64_t bytes)
{
	to->packets += packets;
	to->bytes += bytes;
}

static struct lb_counter read_added(const struct lb_counter *counter)
{
	return (struct lb_counter){
		.packets = __atomic_load_n(&counter->packets, __ATOMIC_RELAXED),
		.bytes = __atomic_load_n(&counter->bytes, __ATOMIC_RELAXED),
	};
}

static void add_waiting(const struct lb_vip_waiting *waiting, uint32_t number,
			struct lb_counter *to)
{
	for (size_t i = 0; i < LB_VIP_WAITING; i++) {
		const uint64_t entry = __atomic_load_n(&waiting->entry[i], __ATOMIC_RELAXED);

		if (entry && entry >> 32 == number)
			add(to, 1, (uint32_t)entry);
	}
}

/* Looks again when those that wait have been added meanwhile. */
static struct lb_counter read_cpu(const struct lb_counter *counter,
				  const struct lb_vip_waiting *waiting, uint32_t number)
{
	struct lb_counter sum;
	uint32_t emptied;
	int i;

	if (!waiting)
		return read_added(counter);
	for (i = 0; i < TRIES; i++) {
		emptied = __atomic_load_n(&waiting->emptied, __ATOMIC_ACQUIRE);
		sum = read_added(counter);
		add_waiting(waiting, number, &sum);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(emptied & 1) &&
		    emptied == __atomic_load_n(&waiting->emptied, __ATOMIC_RELAXED))
			break;
	}
	return sum;
}

static bool is_counted(const struct datapath *datapath, uint32_t number)
{
	return number < datapath->skeleton->rodata->config.vip_row;
}

int datapath_vip_counters(struct datapath *datapath, uint32_t number, struct lb_counter *out)
{
	int cpu;

	*out = (struct lb_counter){0};
	if (!is_counted(datapath, number))
		return -ENOENT;
	for (cpu = 0; cpu < datapath->cpus; cpu++) {
		const struct lb_counter of = read_cpu(counter_at(datapath, cpu, number),
						      waiting_at(datapath, cpu), number);

		add(out, of.packets, of.bytes);
	}
	return 0;
}

/* Takes out what waits: on a CPU that has no packets, it may be there for good. An entry that has become
 * another's meanwhile stays. */
static void forget_waiting(struct lb_vip_waiting *waiting, uint32_t number)
{
	for (size_t i = 0; i < LB_VIP_WAITING; i++) {
		uint64_t entry = __atomic_load_n(&waiting->entry[i], __ATOMIC_RELAXED);

		if (entry && entry >> 32 == number)
			__atomic_compare_exchange_n(&waiting->entry[i], &entry, 0, false,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
}

int datapath_vip_counters_reset(struct datapath *datapath, uint32_t number)
{
	int cpu;

	if (!is_counted(datapath, number))
		return -ENOENT;
	for (cpu = 0; cpu < datapath->cpus; cpu++) {
		struct lb_counter *counter = counter_at(datapath, cpu, number);
		struct lb_vip_waiting *waiting = waiting_at(datapath, cpu);

		if (waiting)
			forget_waiting(waiting, number);
		__atomic_store_n(&counter->packets, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&counter->bytes, 0, __ATOMIC_RELAXED);
	}
	return 0;
}
