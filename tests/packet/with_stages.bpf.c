// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The balancer as it is, by the compiler that has made without_guard.bpf.c and without_quic.bpf.c: a release's is by
 * another. */
#include "../../bpf/lb.bpf.c"
