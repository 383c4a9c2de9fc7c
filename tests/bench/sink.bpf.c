// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Where do measured packets end, at the least cost, counted? As XDP frames or as what the kernel
 * makes of them. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sunk SEC(".maps");

static __always_inline void count(void)
{
	__u32 zero = 0;
	__u64 *packets = bpf_map_lookup_elem(&sunk, &zero);

	if (packets)
		++*packets;
}

SEC("xdp.frags")
int sink_frame(struct xdp_md *ctx)
{
	(void)ctx;
	count();
	return XDP_DROP;
}

SEC("tc")
int sink_skb(struct __sk_buff *skb)
{
	(void)skb;
	count();
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
