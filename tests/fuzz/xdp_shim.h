/* SPDX-License-Identifier: BSD-2-Clause */
/* The XDP program's headers compiled for this machine: helpers and maps as far as the stages before
 * the choice of a backend use them. Include it before any of bpf/.
 *
 * A frame may be of several buffers, of which ctx->data shows the first. What is read beyond either
 * is a read beyond allocated memory, which ASan sees.
 */
#ifndef XDP_SHIM_H
#define XDP_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct shim_md {
	uint64_t data, data_end; /* the kernel's have 32 bits, and are not addresses */
	const uint8_t *frame;    /* all of it */
	uint32_t length;
};
#define xdp_md shim_md

static void *shim_look_up(const void *map, const void *key);
static long shim_update(const void *map, const void *key, const void *value);
static uint64_t shim_now_ns;

static inline long shim_load(const struct shim_md *ctx, uint32_t offset, void *out, uint32_t size)
{
	if (offset > ctx->length || size > ctx->length - offset)
		return -EINVAL;
	memcpy(out, ctx->frame + offset, size);
	return 0;
}

static inline long shim_loop(uint32_t times, long (*step)(uint32_t, void *), void *arg)
{
	uint32_t i;

	for (i = 0; i < times && !step(i, arg); i++)
		;
	return i;
}

#define bpf_loop(times, step, arg, flags) shim_loop(times, step, arg)
#define bpf_map_lookup_elem(map, key) shim_look_up(map, key)
#define bpf_map_update_elem(map, key, value, flags) shim_update(map, key, value)
#define bpf_xdp_load_bytes(ctx, offset, out, size) shim_load(ctx, offset, out, size)
#define bpf_xdp_get_buff_len(ctx) ((uint64_t)(ctx)->length)
#define bpf_ktime_get_coarse_ns() shim_now_ns

#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* unrolling */
#pragma GCC diagnostic ignored                                                                     \
	"-Wmissing-prototypes" /* functions that the verifier looks at alone */

#endif
