// SPDX-License-Identifier: BSD-2-Clause
/* How is the program run over a frame without a trace? */
#include "explain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "datapath_private.h"

#include "bpf/explain.skel.h"

#define FRAGMENTS 16 /* of the private map: one is asked for, one may be made */
#define LOOPBACK 1

struct explain {
	struct lb_bpf *balancer;    /* the second instance of the program */
	struct explain_bpf *stages; /* which says what each stage has found */
};

/* --- loading --- */

bool explain_shares(const char *map)
{
	static const char *const shared[] = {"vips4",
					     "vips6",
					     "index4",
					     "index6",
					     "slots",
					     "pasts",
					     "members",
					     "nexthops",
					     "egress",
					     "tuning",
					     "vip_pools",
					     "wide",
					     "parts4",
					     "parts6",
					     "wide_vips",
					     "quic_vips",
					     "quic_ids",
					     "quic_vip_keys",
					     "quic_keys",
					     "quic_aes",
					     "guard_vips",
					     "guard_tuning",
					     "guard_combos",
					     "guard_filter4",
					     "guard_filter6",
					     "guard_filter6_short",
					     "guard_24",
					     "guard_exact4",
					     "guard_exact6",
					     "guard_rates",
					     "guard_rate_cells",
					     "guard_rate_clock"};

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++)
		if (!strcmp(map, shared[i]))
			return true;
	return false;
}

/* One bucket, and a table of fragments that forgets nothing by itself. Counters are left at one:
 * members beyond are not counted. */
static int size_maps(struct lb_bpf *skeleton)
{
	int error = bpf_map__set_type(skeleton->maps.fragments, BPF_MAP_TYPE_HASH);

	return error ? error : bpf_map__set_max_entries(skeleton->maps.fragments, FRAGMENTS);
}

/* The program with the guard, where that stands. */
static int take_guard(const struct datapath *datapath, struct lb_bpf *to)
{
	if (!datapath->guarded) {
		mapping_without_guard(to);
		return 0;
	}
	return instance_share_guard(to->obj, datapath->guarded, explain_shares);
}

static int load_balancer(struct explain *explain, const struct datapath *datapath)
{
	const struct lb_bpf *from = datapath->skeleton;
	struct lb_bpf *to = explain->balancer = lb_bpf__open();
	int error;

	if (!to)
		return -errno;
	error = instance_share_maps(to->obj, from->obj, explain_shares);
	if (!error)
		error = take_guard(datapath, to);
	if (!error)
		error = size_maps(to);
	if (error)
		return error;
	*(struct lb_program_config *)&to->rodata->config = from->rodata->config;
	*(__u32 *)&to->rodata->config.flow_buckets = 1;
	instance_choose(to->obj, (struct lb_program_config *)&to->rodata->config,
			instance_has(datapath) | LB_GUARD_ASKS);
	return lb_bpf__load(to);
}

static int load_stages(struct explain *explain, const struct datapath *datapath)
{
	const struct lb_bpf *from = explain->balancer;
	struct explain_bpf *to = explain->stages = explain_bpf__open();
	int error;

	if (!to)
		return -errno;
	error = instance_share_maps(to->obj, from->obj, NULL);
	if (error)
		return error;
	error = instance_share_guard(to->obj, datapath->guarded ? from : NULL, NULL);
	if (error)
		return error;
	*(struct lb_program_config *)&to->rodata->config = from->rodata->config;
	return explain_bpf__load(to);
}

void explain_close(struct explain *explain)
{
	if (!explain)
		return;
	explain_bpf__destroy(explain->stages);
	lb_bpf__destroy(explain->balancer);
	free(explain);
}

static int load_both(struct explain *explain, const struct datapath *datapath)
{
	int error;

	instance_load_begin();
	error = load_balancer(explain, datapath);
	if (!error)
		error = load_stages(explain, datapath);
	instance_load_end();
	return error;
}

/* Once more where another program has come into place meanwhile. */
static int load(struct datapath *datapath, struct lb_err *err)
{
	const uint32_t changes = datapath->changes;
	struct explain *explain = calloc(1, sizeof(*explain));
	int error;

	if (!explain)
		return lb_err_no_memory(err);
	error = load_both(explain, datapath);
	if (changes != datapath->changes) {
		explain_close(explain);
		return load(datapath, err);
	}
	if (!error) {
		datapath->explain = explain;
		return 0;
	}
	explain_close(explain);
	lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel refuses the program that explains: %s",
		   strerror(-error));
	return lb_err_hint(err, "packets are balanced all the same; it needs CAP_BPF, "
				"CAP_NET_ADMIN and CAP_PERFMON, and memory");
}

/* --- what a run finds --- */

static int copy_percpu(const struct datapath *datapath, const struct bpf_map *from,
		       const struct bpf_map *to, uint32_t count)
{
	uint32_t key;

	for (key = 0; key < count; key++)
		if (bpf_map_lookup_elem(bpf_map__fd(from), &key, datapath->percpu) ||
		    bpf_map_update_elem(bpf_map__fd(to), &key, datapath->percpu, BPF_ANY))
			return -errno;
	return 0;
}

/* A per-CPU array of counters becomes 0. */
static int clear_counts(const struct datapath *datapath, const struct bpf_map *map, uint32_t count)
{
	uint32_t key;

	memset(datapath->percpu, 0, datapath->cpus * sizeof(struct lb_counter));
	for (key = 0; key < count; key++)
		if (bpf_map_update_elem(bpf_map__fd(map), &key, datapath->percpu, BPF_ANY))
			return -errno;
	return 0;
}

static uint64_t read_count(const struct datapath *datapath, const struct bpf_map *map, uint32_t key)
{
	uint64_t sum;

	return percpu_sum(datapath, map, key, &sum) ? 0 : sum;
}

/* What cookies are made with, beside which the program notes the time. */
static int copy_secret(const struct datapath *datapath)
{
	const struct lb_bpf *from = datapath->guarded, *to = datapath->explain->balancer;
	const uint32_t zero = 0;
	struct lb_guard_secret secret;

	if (!from)
		return 0;
	if (bpf_map_lookup_elem(bpf_map__fd(from->maps.guard_secret), &zero, &secret) ||
	    bpf_map_update_elem(bpf_map__fd(to->maps.guard_secret), &zero, &secret, BPF_ANY))
		return -errno;
	return 0;
}

static void clear_fragments(const struct explain *explain)
{
	const int fd = bpf_map__fd(explain->balancer->maps.fragments);
	struct lb_fragment_key key;

	for (int i = 0; i < FRAGMENTS && !bpf_map_get_next_key(fd, NULL, &key); i++)
		bpf_map_delete_elem(fd, &key);
}

/* What the program may have changed, and globals, as the balancer has them now. */
static int prepare(const struct datapath *datapath)
{
	const struct explain *explain = datapath->explain;
	const struct lb_bpf *from = datapath->skeleton;
	struct lb_bpf *to = explain->balancer;
	int error;

	to->bss->other_vips = from->bss->other_vips;
	explain->stages->bss->other_vips = from->bss->other_vips;
	clear_fragments(explain);
	error = clear_counts(datapath, to->maps.verdicts, LB_VERDICT_COUNT);
	if (!error)
		error = clear_counts(datapath, to->maps.flow_counts, LB_FLOW_COUNT_COUNT);
	if (!error)
		error = copy_secret(datapath);
	if (!error)
		error = copy_percpu(datapath, from->maps.budget, to->maps.budget, 1);
	return error ? error
		     : copy_percpu(datapath, from->maps.limits, to->maps.limits, LB_LIMIT_COUNT);
}

/* --- running --- */

struct run {
	const struct datapath *datapath;
	const void *frame;
	size_t length;
	uint32_t ifindex;
	struct explained *out;
};

static int run_program(const struct run *run, int fd)
{
	struct xdp_md context = {
		.data_end = run->length,
		.ingress_ifindex = run->ifindex ? run->ifindex : LOOPBACK,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = run->frame, .data_size_in = run->length,
		    .data_out = run->out->frame, .data_size_out = sizeof(run->out->frame),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
	int error = bpf_prog_test_run_opts(fd, &options);

	run->out->length = options.data_size_out;
	return error;
}

static int run_stages(const struct run *run)
{
	const struct explain_bpf *stages = run->datapath->explain->stages;
	const uint32_t zero = 0;
	int error = run_program(run, bpf_program__fd(stages->progs.explain));

	if (error)
		return error;
	return bpf_map_lookup_elem(bpf_map__fd(stages->maps.explained), &zero, &run->out->way);
}

/* From the balancer's records to the private one. */
static void copy_fragment(const struct run *run)
{
	const struct lb_fragment_key *key = &run->out->way.fragment_key;
	struct lb_fragment record;

	if (!bpf_map_lookup_elem(bpf_map__fd(run->datapath->skeleton->maps.fragments), key,
				 &record))
		bpf_map_update_elem(bpf_map__fd(run->datapath->explain->balancer->maps.fragments),
				    key, &record, BPF_ANY);
}

static int set_bucket(const struct run *run, const struct lb_flow_bucket *bucket)
{
	const uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(run->datapath->explain->balancer->maps.flows), &zero,
				   bucket, BPF_ANY);
}

static struct lb_flow_bucket read_bucket(const struct run *run)
{
	const uint32_t count = bpf_map__max_entries(run->datapath->skeleton->maps.flows);
	const struct lb_flow_bucket *buckets = run->datapath->flows.start;
	struct lb_flow_bucket copy;

	for (int i = 0; i < LB_FLOW_WAYS; i++)
		copy.word[i] = __atomic_load_n(&buckets[run->out->way.bucket & (count - 1)].word[i],
					       __ATOMIC_RELAXED);
	return copy;
}

static void note_way(const struct run *run, const struct lb_flow_bucket *before)
{
	struct lb_flow_bucket after = *before;
	const uint32_t zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(run->datapath->explain->balancer->maps.flows), &zero,
			    &after);
	explained_note(run->out, run->datapath->members.start, run->datapath->nexthops.start,
		       before, &after);
}

static void note_counts(const struct run *run)
{
	const struct lb_bpf *balancer = run->datapath->explain->balancer;
	struct explained *out = run->out;
	uint32_t i;

	out->verdict = LB_DROP_INTERNAL;
	for (i = 0; i < LB_VERDICT_COUNT; i++)
		if (read_count(run->datapath, balancer->maps.verdicts, i))
			out->verdict = i;
	for (i = 0; i < LB_FLOW_COUNT_COUNT; i++)
		out->flow_counts[i] = read_count(run->datapath, balancer->maps.flow_counts, i);
}

static int clear_rates(const struct run *run)
{
	const struct datapath *datapath = run->datapath;
	const uint32_t number = run->out->way.vip;

	if (!datapath->guarded || run->out->way.stage < LB_EXPLAINED_VIP)
		return 0;
	memset(datapath->percpu, 0, datapath->cpus * sizeof(struct lb_rates_over));
	return bpf_map_update_elem(bpf_map__fd(datapath->explain->balancer->maps.guard_rate_over),
				   &number, datapath->percpu, BPF_ANY);
}

/* Which rules it exceeds. */
static void note_rates(const struct run *run)
{
	const struct datapath *datapath = run->datapath;
	const struct lb_rates_over *over = datapath->percpu;
	struct lb_rates_over *out = &run->out->over;

	memset(out, 0, sizeof(*out));
	if (!datapath->guarded || run->out->way.stage < LB_EXPLAINED_VIP ||
	    bpf_map_lookup_elem(bpf_map__fd(datapath->explain->balancer->maps.guard_rate_over),
				&run->out->way.vip, datapath->percpu))
		return;
	for (int i = 0; i < datapath->cpus; i++)
		for (unsigned int rule = 0; rule < LB_RATES; rule++)
			out->packets[rule] += over[i].packets[rule];
}

static bool ends_at_guard(uint32_t verdict)
{
	return verdict == LB_DROP_BLOCKED || verdict == LB_DROP_RATE || verdict == LB_TX_SYN ||
	       verdict == LB_DROP_GUARD;
}

/* The stages go on where the guard ends a packet's way. */
static void note_guard(const struct run *run)
{
	struct explained *out = run->out;

	if (ends_at_guard(out->verdict) && out->way.stage > LB_EXPLAINED_VIP)
		out->way.stage = LB_EXPLAINED_VIP;
}

/* First what the frame is, then what there is on record of it, then its way by that. Counts are of
 * the last run, which leaves the frame behind. */
static int run_all(const struct run *run)
{
	struct lb_flow_bucket bucket;
	int error = prepare(run->datapath);

	if (!error)
		error = run_stages(run);
	if (error)
		return error;
	copy_fragment(run);
	error = run_stages(run);
	bucket = read_bucket(run);
	if (!error)
		error = set_bucket(run, &bucket);
	if (!error)
		error = run_stages(run);
	if (!error)
		error = prepare(run->datapath);
	copy_fragment(run);
	if (!error)
		error = set_bucket(run, &bucket);
	if (!error)
		error = clear_rates(run);
	if (!error)
		error = run_program(run,
				    instance_program_fd(run->datapath->explain->balancer->obj));
	if (error)
		return error;
	note_counts(run);
	note_rates(run);
	note_guard(run);
	note_way(run, &bucket);
	return 0;
}

int datapath_explain(struct datapath *datapath, const void *frame, size_t length, uint32_t ifindex,
		     struct explained *out, struct lb_err *err)
{
	const struct run run = {datapath, frame, length, ifindex, out};
	int error = datapath->explain ? 0 : load(datapath, err);

	if (error)
		return error;
	out->member = (struct lb_member){0};
	out->nexthop = (struct lb_nexthop){0};
	error = run_all(&run);
	return error ? lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel does not run the program: %s",
				  strerror(-error))
		     : 0;
}
