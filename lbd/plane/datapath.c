/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbd load the program and reach its maps? Pins: pin.c; interfaces: attach.c. */
#include "datapath_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../host/log.h"
#include "guard.h"
#include "quic_aes.h"
#include "trace.h"
#include "wide.h"

/* --- loading --- */

/* The verifier's log is one message of many lines. */
static int print_warnings(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *line, *rest;

	if (level != LIBBPF_WARN || instance_is_loading() || vasprintf(&text, format, args) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log_line(LOG_LEVEL_WARNING, "%s", line);
	free(text);
	return 0;
}

static int load_error(int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel refuses the program: %s", strerror(-error));
	return error == -EPERM
		       ? lb_err_hint(err, "lbd needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
		       : lb_err_hint(err, "lines that begin with \"libbpf:\" above say why");
}

static int load(struct datapath *datapath, const struct datapath_options *options,
		struct lb_err *err)
{
	int error;

	libbpf_set_print(print_warnings);
	datapath->skeleton = lb_bpf__open();
	if (!datapath->skeleton)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot open the program: %s",
				  strerror(errno));
	sizes_set(datapath->skeleton, options);
	error = pin_adopt(datapath, options, err);
	if (error)
		return error;
	error = lb_bpf__load(datapath->skeleton);
	if (error)
		return load_error(error, err);
	datapath->program_fd = bpf_program__fd(datapath->skeleton->progs.lb);
	return 0;
}

static int map_arrays(struct datapath *datapath, struct lb_err *err)
{
	struct lb_bpf *skeleton = datapath->skeleton;

	if (mapping_begin(skeleton->maps.slots, &datapath->slots, err) ||
	    mapping_begin(skeleton->maps.pasts, &datapath->pasts, err) ||
	    mapping_begin(skeleton->maps.vip_pools, &datapath->vip_pools, err) ||
	    mapping_begin(skeleton->maps.members, &datapath->members, err) ||
	    mapping_begin(skeleton->maps.nexthops, &datapath->nexthops, err) ||
	    mapping_begin(skeleton->maps.flows, &datapath->flows, err) ||
	    mapping_begin(skeleton->maps.tuning, &datapath->tuning, err) ||
	    mapping_begin(skeleton->maps.index4, &datapath->index4, err) ||
	    mapping_begin(skeleton->maps.index6, &datapath->index6, err) ||
	    mapping_begin(skeleton->maps.wide, &datapath->wide, err) ||
	    mapping_begin(skeleton->maps.vip_counters, &datapath->vip_counters, err) ||
	    mapping_begin(skeleton->maps.vip_waiting, &datapath->vip_waiting, err) ||
	    mapping_begin(skeleton->maps.quic_vips, &datapath->quic_vips, err) ||
	    mapping_begin(skeleton->maps.quic_ids, &datapath->quic_ids, err) ||
	    mapping_begin(skeleton->maps.quic_vip_keys, &datapath->quic_vip_keys, err) ||
	    mapping_begin(skeleton->maps.quic_keys, &datapath->quic_keys, err) ||
	    mapping_begin(skeleton->maps.quic_aes, &datapath->quic_aes, err))
		return -EINVAL;
	quic_aes_tables(datapath->quic_aes.start);
	if (datapath->adopted)
		return 0;
	memset(datapath->slots.start, 0xff, datapath->slots.bytes); /* LB_NONE */
	memset(datapath->pasts.start, 0xff, datapath->pasts.bytes); /* LB_PAST_NONE */
	return 0;
}

static int open_index(struct datapath *datapath, struct lb_err *err)
{
	int error;

	datapath->index = vip_index_new(datapath->index4.start, datapath->index6.start,
					bpf_map__max_entries(datapath->skeleton->maps.index4));
	datapath->wide_table = wide_table_new();
	if (!datapath->index || !datapath->wide_table)
		return lb_err_no_memory(err);
	error = vip_adopt(datapath);
	return error ? lb_err_set(err, LB_ERR_SYSTEM, "", "cannot take over VIPs: %s",
				  strerror(-error))
		     : 0;
}

int datapath_open(const struct datapath_options *options, struct datapath **out, struct lb_err *err)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));
	int error;

	if (!datapath)
		return lb_err_no_memory(err);
	datapath->lock_fd = -1;
	datapath->cpus = libbpf_num_possible_cpus();
	if (datapath->cpus < 1)
		datapath->cpus = 1;
	datapath->percpu = calloc(datapath->cpus, COUNTERS_AT_ONCE * sizeof(struct lb_counter));
	if (options->pin_dir)
		datapath->pin_dir = strdup(options->pin_dir);
	if (!datapath->percpu || (options->pin_dir && !datapath->pin_dir))
		error = lb_err_no_memory(err);
	else
		error = load(datapath, options, err);
	if (!error)
		error = map_arrays(datapath, err);
	if (!error)
		error = open_index(datapath, err);
	if (!error)
		error = pin_make(datapath, options->seed, err);
	if (error) {
		datapath_close(datapath);
		return error;
	}
	*out = datapath;
	return 0;
}

void datapath_close(struct datapath *datapath)
{
	if (!datapath)
		return;
	datapath_trace_stop(datapath);
	attach_close(datapath);
	explain_close(datapath->explain);
	guard_close(datapath);
	quic_program_close(datapath);
	mapping_end(&datapath->slots);
	mapping_end(&datapath->pasts);
	mapping_end(&datapath->vip_pools);
	mapping_end(&datapath->members);
	mapping_end(&datapath->nexthops);
	mapping_end(&datapath->flows);
	mapping_end(&datapath->tuning);
	mapping_end(&datapath->index4);
	mapping_end(&datapath->index6);
	mapping_end(&datapath->wide);
	mapping_end(&datapath->vip_counters);
	mapping_end(&datapath->vip_waiting);
	mapping_end(&datapath->quic_vips);
	mapping_end(&datapath->quic_ids);
	mapping_end(&datapath->quic_vip_keys);
	mapping_end(&datapath->quic_keys);
	mapping_end(&datapath->quic_aes);
	vip_index_free(datapath->index);
	wide_table_free(datapath->wide_table);
	lb_bpf__destroy(datapath->skeleton);
	if (datapath->lock_fd >= 0)
		close(datapath->lock_fd);
	free(datapath->pin_dir);
	free(datapath->percpu);
	free(datapath);
}

bool datapath_adopted(const struct datapath *datapath)
{
	return datapath->adopted;
}

/* --- maps --- */

uint32_t *datapath_slots(struct datapath *datapath)
{
	return datapath->slots.start;
}

uint64_t *datapath_vip_pools(struct datapath *datapath)
{
	return datapath->vip_pools.start;
}

struct lb_member *datapath_members(struct datapath *datapath)
{
	return datapath->members.start;
}

struct lb_nexthop *datapath_nexthops(struct datapath *datapath)
{
	return datapath->nexthops.start;
}

struct lb_tuning *datapath_tuning(struct datapath *datapath)
{
	return datapath->tuning.start;
}

struct lb_flow_bucket *datapath_flows(struct datapath *datapath, uint32_t *bucket_count)
{
	*bucket_count = bpf_map__max_entries(datapath->skeleton->maps.flows);
	return datapath->flows.start;
}

#define AWAIT_US 20000

/* The kernel waits until every CPU has been outside of RCU's read sections, one of which a packet's
 * way is. Where it refuses (nohz_full) time must do. */
static void await_packets(struct datapath *datapath)
{
	(void)datapath;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(AWAIT_US);
}

struct plane datapath_plane(struct datapath *datapath)
{
	struct plane plane = {
		.datapath = datapath,
		.adopted = datapath->adopted,
		.slots = datapath_slots(datapath),
		.pasts = datapath->pasts.start,
		.vip_pools = datapath_vip_pools(datapath),
		.members = datapath_members(datapath),
		.nexthops = datapath_nexthops(datapath),
		.tuning = datapath_tuning(datapath),
		.quic_vips = datapath->quic_vips.start,
		.quic_ids = datapath->quic_ids.start,
		.quic_lines = bpf_map__max_entries(datapath->skeleton->maps.quic_ids),
		.quic_vip_keys = datapath->quic_vip_keys.start,
		.quic_keys = datapath->quic_keys.start,
		.quic_aes = datapath->quic_aes.start,
		.vip_set = datapath_vip_set,
		.vip_del = datapath_vip_del,
		.await_packets = await_packets,
		.each_vip = datapath_each_vip,
		.egress_set = datapath_egress_set,
		.counters = datapath_counters,
		.counters_reset = datapath_counters_reset,
		.quic_use = datapath_quic_use,
		.quic_drop = datapath_quic_drop,
		.quic_counter = datapath_quic_counter,
		.quic_counts = datapath_quic_counts,
		.syn_use = datapath_syn_use,
		.syn_drop = datapath_syn_drop,
		.guard_secret = datapath_guard_secret,
		.syn_counts = datapath_syn_counts,
		.syn_counts_reset = datapath_syn_counts_reset,
		.rates_use = datapath_rates_use,
		.rates_drop = datapath_rates_drop,
		.rates = datapath_rates,
		.rates_over = datapath_rates_over,
		.rates_over_reset = datapath_rates_over_reset,
		.flow_counts = datapath_flow_counts,
		.guard_vips = datapath_guard_vips,
	};

	if (datapath->skeleton->rodata->config.vip_row) {
		plane.vip_counters = datapath_vip_counters;
		plane.vip_counters_reset = datapath_vip_counters_reset;
	}
	plane.flows = datapath_flows(datapath, &plane.bucket_count);
	return plane;
}

int datapath_egress_set(struct datapath *datapath, uint32_t ifindex, bool in_use)
{
	const int fd = bpf_map__fd(datapath->skeleton->maps.egress);
	const struct bpf_devmap_val value = {.ifindex = ifindex};

	if (in_use)
		return bpf_map_update_elem(fd, &ifindex, &value, BPF_ANY);
	return bpf_map_delete_elem(fd, &ifindex);
}

/* Adds to `out`. One system call for all, since a call costs as much as its work. */
static int add_counters(struct datapath *datapath, uint32_t first, uint32_t count,
			struct lb_counter *out)
{
	const struct lb_counter *counters = datapath->percpu;
	uint32_t keys[COUNTERS_AT_ONCE], before = first - 1, last, found = count;

	if (bpf_map_lookup_batch(bpf_map__fd(datapath->skeleton->maps.counters),
				 first ? &before : NULL, &last, keys, datapath->percpu, &found,
				 NULL) &&
	    errno != ENOENT) /* which tells of the map's end */
		return -errno;
	if (found != count)
		return -ENOENT;
	for (uint32_t i = 0; i < count * datapath->cpus; i++) {
		out[i / datapath->cpus].packets += counters[i].packets;
		out[i / datapath->cpus].bytes += counters[i].bytes;
	}
	return 0;
}

int datapath_counters(struct datapath *datapath, uint32_t first, uint32_t count,
		      struct lb_counter *out)
{
	uint32_t at_once;
	int error = 0;

	memset(out, 0, count * sizeof(*out));
	for (uint32_t done = 0; !error && done < count; done += at_once) {
		at_once = count - done < COUNTERS_AT_ONCE ? count - done : COUNTERS_AT_ONCE;
		error = add_counters(datapath, first + done, at_once, &out[done]);
		if (!error)
			error = add_counters(datapath, quic_counter_of(datapath, first + done),
					     at_once, &out[done]);
	}
	if (error)
		memset(out, 0, count * sizeof(*out));
	return error;
}

int datapath_counters_reset(struct datapath *datapath, uint32_t member)
{
	const int counters = bpf_map__fd(datapath->skeleton->maps.counters);
	int error;

	memset(datapath->percpu, 0, datapath->cpus * sizeof(struct lb_counter));
	error = bpf_map_update_elem(counters, &member, datapath->percpu, BPF_ANY);
	return error ? error : quic_counts_reset(datapath, member);
}

static int read_sums(struct datapath *datapath, const struct bpf_map *map, uint32_t count,
		     uint64_t *out)
{
	int error = 0;

	for (uint32_t key = 0; !error && key < count; key++)
		error = percpu_sum(datapath, map, key, &out[key]);
	return error;
}

int datapath_verdicts(struct datapath *datapath, uint64_t out[LB_VERDICT_COUNT])
{
	return read_sums(datapath, datapath->skeleton->maps.verdicts, LB_VERDICT_COUNT, out);
}

int datapath_flow_counts(struct datapath *datapath, uint64_t out[LB_FLOW_COUNT_COUNT])
{
	return read_sums(datapath, datapath->skeleton->maps.flow_counts, LB_FLOW_COUNT_COUNT, out);
}

/* As the kernel accounts for them, in /proc/self/fdinfo. */
static uint64_t map_memory(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	if (!info)
		return 0;
	while (fgets(line, sizeof(line), info))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(info);
	return bytes;
}

uint64_t datapath_memory_bytes(const struct datapath *datapath)
{
	const struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map (map, datapath->skeleton->obj)
		sum += map_memory(bpf_map__fd(map));
	return sum + guard_memory(datapath, map_memory);
}

void datapath_tunnel_maps(const struct datapath *datapath, int *members_fd, int *nexthops_fd)
{
	*members_fd = bpf_map__fd(datapath->skeleton->maps.members);
	*nexthops_fd = bpf_map__fd(datapath->skeleton->maps.nexthops);
}
