// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The balancer while somebody traces: what becomes of a packet, and what is told of it?
 *
 * It stands in the place of lb.bpf.c and shares all of its maps. Packets that are not looked at take
 * the same way as there. One that is goes to `traced`, which keeps the frame, lets it take the long
 * way, which plain packets can take as well, and puts what it has found into the ring buffer, if that
 * is asked for.
 *
 * lbd allows so many packets at a time. Without it they run out: then nothing is looked at.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define RATE_IN_LINE 0 /* as clang 19 makes it, a trace would need more stack than 6.1 has */
#include "balance.h"

#define TURNS 128 /* CPUs beyond share one */

const volatile struct lb_trace_filter filter = {};
volatile __s64 trace_allowed = 0; /* packets that may be told of */
volatile __u64 trace_lost = 0;    /* packets that the ring buffer had no room for */

/* How many packets a CPU passes over. */
static struct {
	__u32 left;
} __attribute__((aligned(64))) turns[TURNS];

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} trace_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_traced);
} trace_room SEC(".maps");

/* By chance, so that nothing in step with it is seen always or never: from none to twice as many are
 * passed over, and one of `every` is looked at in the mean. Out of line, for the registers of all others. */
static __noinline int begin_turn(__u32 cpu)
{
	if (filter.every > 1)
		turns[cpu % TURNS].left = bpf_get_prandom_u32() % (2 * filter.every - 1);
	return trace_allowed > 0;
}

static __always_inline int is_due(void)
{
	const __u32 cpu = bpf_get_smp_processor_id() % TURNS;
	const __u32 left = turns[cpu].left;

	if (unlikely(!left))
		return begin_turn(cpu);
	turns[cpu].left = left - 1;
	return 0;
}

/* --- what is kept of a frame --- */

/* As many bytes as the frame has, and are asked for; how many. Counted from 0 on: the verifier of 6.1
 * does not see that a number which is not 0 is at least 1. */
static __always_inline __u32 keep(struct xdp_md *ctx, __u8 *to, __u32 length)
{
	__u32 last = (length < filter.snap ? length : filter.snap) - 1;

	BOUNDS_BARRIER(last);
	if (last >= LB_TRACE_SNAP_MAX || bpf_xdp_load_bytes(ctx, 0, to, last + 1))
		return 0;
	return last + 1;
}

static __always_inline void begin(struct xdp_md *ctx, struct lb_traced *note)
{
	note->time_ns = bpf_ktime_get_ns();
	note->ifindex = ctx->ingress_ifindex;
	note->vip = note->member = LB_TRACE_NONE;
	note->egress = note->hops = 0;
	note->packet = (struct packet){};
	note->length = bpf_xdp_get_buff_len(ctx);
	note->kept = keep(ctx, note->bytes, note->length);
	note->out_length = note->out_kept = 0;
}

/* --- who asks for it --- */

static __always_inline int is_within(const __u64 address[2], const volatile __u64 prefix[2],
				     const volatile __u64 mask[2])
{
	return !((address[0] ^ prefix[0]) & mask[0]) && !((address[1] ^ prefix[1]) & mask[1]);
}

static __always_inline int has_port(const struct packet *packet, __be16 port)
{
	return packet->has_ports && quote_has_ports(packet->protocol) &&
	       ((__be16)packet->ports == port || packet_dport(packet) == port);
}

static __always_inline int matches_packet(const struct packet *packet)
{
	if (filter.family && packet->family != filter.family)
		return 0;
	if (filter.protocol && packet->protocol != filter.protocol)
		return 0;
	if (filter.port && !has_port(packet, filter.port))
		return 0;
	return is_within(packet->source, filter.source, filter.source_mask) &&
	       is_within(packet->destination, filter.destination, filter.destination_mask);
}

static __always_inline int matches_pool(__u32 vip)
{
	__u64 *pools = bpf_map_lookup_elem(&vip_pools, &vip);

	return pools && lb_pool_at(*pools, 0) == filter.pool;
}

static __always_inline int matches_backend(__u32 number)
{
	struct lb_member *member = bpf_map_lookup_elem(&members, &number);

	return member && member->daddr[0] == filter.backend[0] &&
	       member->daddr[1] == filter.backend[1] && member->daddr[2] == filter.backend[2] &&
	       member->daddr[3] == filter.backend[3];
}

static __noinline int matches(struct lb_traced *note)
{
	if (filter.verdicts && !(filter.verdicts >> (note->verdict & 63) & 1))
		return 0;
	if (filter.ifindex && note->ifindex != filter.ifindex && note->egress != filter.ifindex)
		return 0;
	if (filter.vip != LB_TRACE_NONE && note->vip != filter.vip)
		return 0;
	if (filter.pool != LB_TRACE_NONE && !matches_pool(note->vip))
		return 0;
	if (filter.has_backend && !matches_backend(note->member))
		return 0;
	return matches_packet(&note->packet);
}

/* --- telling --- */

static __always_inline void tell(struct lb_traced *note)
{
	__u32 bytes = note->kept + note->out_kept;

	if (bytes > sizeof(note->bytes))
		return;
	__sync_fetch_and_add(&trace_allowed, -1);
	if (bpf_ringbuf_output(&trace_ring, note, offsetof(struct lb_traced, bytes) + bytes,
			       BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&trace_lost, 1);
}

static __always_inline void keep_out(struct xdp_md *ctx, struct lb_traced *note)
{
	__u32 at = note->kept;

	if (at > LB_TRACE_SNAP_MAX)
		return;
	note->out_length = bpf_xdp_get_buff_len(ctx);
	note->out_kept = keep(ctx, note->bytes + at, note->out_length);
}

/* Out of line, for its stack. */
static __noinline int balance_noted(struct xdp_md *ctx, struct lb_traced *note)
{
	return note ? balance_read(ctx, &note->packet, note, config.has) : LB_DROP_INTERNAL;
}

/* A list that the packet has got is in the scratch (chance.h). */
static __always_inline void list_begin(void)
{
	__u32 zero = 0;
	struct lb_scratch *at = bpf_map_lookup_elem(&scratch, &zero);

	if (at)
		at->hops.ifindex = 0;
}

static __always_inline void list_end(struct lb_traced *note)
{
	__u32 zero = 0;
	const struct lb_scratch *at = bpf_map_lookup_elem(&scratch, &zero);

	if (!at || !at->hops.ifindex)
		return;
	note->egress = at->hops.ifindex;
	note->hops = at->hops.count;
}

/* A global function, which the verifier looks at by itself. No program of its own: one that calls
 * another pays for it in each packet. */
__noinline int traced(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct lb_traced *note = bpf_map_lookup_elem(&trace_room, &zero);
	int action;

	if (!note)
		return XDP_ABORTED;
	begin(ctx, note);
	list_begin();
	note->verdict = balance_noted(ctx, note);
	list_end(note);
	action = conclude(note->verdict);
	if (matches(note)) {
		if (action == XDP_TX || action == XDP_REDIRECT)
			keep_out(ctx, note);
		tell(note);
	}
	return action;
}

/* `has` is a constant here, as in lb.bpf.c: read-only data would cost each packet a load, and registers. */
static __always_inline int balance_or_trace(struct xdp_md *ctx, __u32 has)
{
	if (unlikely(is_due()))
		return traced(ctx);
	return balance_packet(ctx, has);
}

SEC("xdp.frags")
int lb(struct xdp_md *ctx)
{
	return balance_or_trace(ctx, 0);
}

/* As in lb.bpf.c. */
SEC("?xdp.frags")
int lb_quic(struct xdp_md *ctx)
{
	return balance_or_trace(ctx, LB_HAS_QUIC);
}

SEC("?xdp.frags")
int lb_guarded(struct xdp_md *ctx)
{
	return balance_or_trace(ctx, LB_HAS_GUARD | LB_HAS_QUIC);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
