// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What is the balancer without the stage of QUIC? The same source, where no flag leads to that stage, so that clang
 * leaves it out: what steps_test.c compares with. */
#include "../../bpf/abi.h"

#undef LB_VIP_UNUSUAL
#define LB_VIP_UNUSUAL (LB_VIP_HASH_SOURCE | LB_VIP_HASH_SOURCE_PORT)

#include "../../bpf/lb.bpf.c"
