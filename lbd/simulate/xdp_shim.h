/* SPDX-License-Identifier: BSD-2-Clause */
/* The XDP program's sources compiled for this machine: the helpers that they call. Include it before any of
 * bpf/. Who includes it has the maps: shim_look_up and shim_update.
 *
 * A frame may be of several buffers, of which ctx->data shows the first. What is read beyond either
 * is a read beyond allocated memory, which ASan sees. A frame that is changed is of one, with SHIM_HEADROOM
 * bytes before it.
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

#define SHIM_HEADROOM 256 /* XDP_PACKET_HEADROOM */
#define SHIM_FRAME_MIN 14 /* no frame gets shorter */

struct shim_md {
	uint64_t data, data_end; /* the kernel's have 32 bits, and are not addresses */
	uint8_t *frame;          /* all of it */
	uint32_t length;
	uint32_t ingress_ifindex;
	uint32_t headroom; /* before the frame */
};
#define xdp_md shim_md

static void *shim_look_up(const void *map, const void *key);
static long shim_update(const void *map, const void *key, const void *value);
static uint64_t shim_now_ns;

static inline bool shim_has(const struct shim_md *ctx, uint32_t offset, uint32_t size)
{
	return offset <= ctx->length && size <= ctx->length - offset;
}

static inline long shim_load(const struct shim_md *ctx, uint32_t offset, void *out, uint32_t size)
{
	if (!shim_has(ctx, offset, size))
		return -EINVAL;
	memcpy(out, ctx->frame + offset, size);
	return 0;
}

static inline long shim_store(const struct shim_md *ctx, uint32_t offset, const void *from,
			      uint32_t size)
{
	if (!shim_has(ctx, offset, size))
		return -EINVAL;
	memcpy(ctx->frame + offset, from, size);
	return 0;
}

/* The frame begins `by` bytes later, or earlier. */
static inline long shim_adjust_head(struct shim_md *ctx, int by)
{
	if (by < -(int)ctx->headroom || by > (int)ctx->length - SHIM_FRAME_MIN)
		return -EINVAL;
	ctx->frame += by;
	ctx->data = (uintptr_t)ctx->frame;
	ctx->headroom += by;
	ctx->length -= by;
	return 0;
}

/* It is never made longer. */
static inline long shim_adjust_tail(struct shim_md *ctx, int by)
{
	if (by > 0 || by < SHIM_FRAME_MIN - (int)ctx->length)
		return -EINVAL;
	ctx->length += by;
	ctx->data_end = (uintptr_t)ctx->frame + ctx->length;
	return 0;
}

/* Of nothing before. */
static inline int64_t shim_csum(const void *words, uint32_t bytes, uint32_t seed)
{
	uint64_t sum = seed;
	uint32_t word;

	for (uint32_t i = 0; i + sizeof(word) <= bytes; i += sizeof(word)) {
		memcpy(&word, (const uint8_t *)words + i, sizeof(word));
		sum += word;
	}
	while (sum >> 32)
		sum = (uint32_t)sum + (sum >> 32);
	return sum;
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
#define bpf_xdp_store_bytes(ctx, offset, from, size) shim_store(ctx, offset, from, size)
#define bpf_xdp_adjust_head(ctx, by) shim_adjust_head(ctx, by)
#define bpf_xdp_adjust_tail(ctx, by) shim_adjust_tail(ctx, by)
#define bpf_xdp_get_buff_len(ctx) ((uint64_t)(ctx)->length)
#define bpf_csum_diff(from, from_bytes, to, to_bytes, seed) shim_csum(to, to_bytes, seed)
#define bpf_redirect_map(map, key, flags) XDP_REDIRECT /* every interface may be redirected to */
#define bpf_ktime_get_coarse_ns() shim_now_ns
#define bpf_ktime_get_tai_ns() shim_now_ns
#define bpf_jiffies64() (shim_now_ns / 1000000)

/* Maps, programs and the licence need no section here. */
#undef SEC
#define SEC(name)

#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* unrolling */
#pragma GCC diagnostic ignored                                                                     \
	"-Wmissing-prototypes" /* functions that the verifier looks at alone */

#endif
