/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What must a veth's peer run, so that frames from XDP_TX and XDP_REDIRECT arrive there? This. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
