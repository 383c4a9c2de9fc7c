// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The balancer as it would be if nobody knew of QUIC: what stands in quic.h is not there. */
#define LB_QUIC_H
#define quic_choose(ctx, packet, vip, plain) ((void)(ctx), LB_NONE)

#include "../../bpf/lb.bpf.c"
