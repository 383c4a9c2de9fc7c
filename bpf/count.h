/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Last stage: packets and bytes, by member and by VIP.
 *
 * With many VIPs a counter is in no cache of the core's own, and to add to it would be a wait for
 * memory in each packet, after that for the VIP's line in the index. So there (config.vip_waiting) a
 * packet only puts its VIP and its length into a list of its CPU's. When that is full, all are added
 * one after the other, and memory serves many at once. lbd counts those that wait, too
 * (lbd/plane/vip_counts.c).
 */
#ifndef LB_COUNT_H
#define LB_COUNT_H

#include "backend.h"
#include "maps.h"
#include "packet.h"
#include "vip.h"

static __always_inline void count_member(__u32 number, __u32 bytes)
{
	struct lb_counter *counter = bpf_map_lookup_elem(&counters, &number);

	if (counter) {
		counter->packets++;
		counter->bytes += bytes;
	}
}

static __always_inline void count_vip_now(__u32 cpu, __u32 number, __u32 bytes)
{
	__u32 index = cpu * config.vip_row + number;
	struct lb_counter *counter = bpf_map_lookup_elem(&vip_counters, &index);

	if (counter) {
		counter->packets++;
		counter->bytes += bytes;
	}
}

/* `emptied` is odd meanwhile; its changes are seen before and after all others. lbd may have taken an
 * entry out. */
__noinline int count_waiting(__u32 cpu)
{
	struct lb_vip_waiting *waiting = bpf_map_lookup_elem(&vip_waiting, &cpu);
	int i;

	if (!waiting)
		return 0;
	BOUNDS_BARRIER(cpu);
	__sync_fetch_and_add(&waiting->emptied, 1);
	for (i = 0; i < LB_VIP_WAITING; i++) {
		const __u64 entry = *(volatile __u64 *)&waiting->entry[i];

		if (!entry)
			continue;
		count_vip_now(cpu, entry >> 32, entry);
		waiting->entry[i] = 0;
	}
	waiting->count = 0;
	__sync_fetch_and_add(&waiting->emptied, 1);
	return 0;
}

static __always_inline void count_vip_later(__u32 cpu, __u32 number, __u32 bytes)
{
	struct lb_vip_waiting *waiting = bpf_map_lookup_elem(&vip_waiting, &cpu);
	__u64 at;

	if (!waiting)
		return;
	at = waiting->count;
	if (at >= LB_VIP_WAITING)
		return;
	*(volatile __u64 *)&waiting->entry[at] = (__u64)number << 32 | bytes;
	waiting->count = ++at;
	if (at == LB_VIP_WAITING)
		count_waiting(cpu);
}

/* `counter`: the number of the member's. */
static __always_inline void count(const struct packet *packet, const struct vip *vip, __u32 counter)
{
	const __u32 number = lb_place_number(vip->place);

	count_member(counter, packet->length);
	if (!config.vip_row)
		return;
	if (config.vip_waiting)
		count_vip_later(bpf_get_smp_processor_id(), number, packet->length);
	else
		count_vip_now(bpf_get_smp_processor_id(), number, packet->length);
}

#endif
