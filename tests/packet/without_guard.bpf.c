// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The balancer as it would be if there were no guard: what stands in guard.h is not there. */
#define LB_GUARD_H
#define guard(ctx, packet, vip, plain) ((void)(ctx), LB_NEXT)
#define guard_opens(ctx, packet, vip) ((void)(ctx), 0)

#include "../../bpf/lb.bpf.c"
