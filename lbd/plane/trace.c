// SPDX-License-Identifier: BSD-2-Clause
/* How does a program that tells of packets come into the balancer's place, and how is it read? */
#include "trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath_private.h"

#include "bpf/trace.skel.h"

struct trace {
	struct trace_bpf *program;
	struct ring_buffer *ring;
	bool (*each)(void *user, const struct lb_traced *packet);
	void *user;
};

void trace_follow(struct datapath *datapath)
{
	if (datapath->trace)
		datapath->trace->program->bss->other_vips = datapath->skeleton->bss->other_vips;
}

/* --- one packet --- */

static bool is_whole(const struct lb_traced *packet, size_t size)
{
	const size_t header = offsetof(struct lb_traced, bytes);

	return size >= header && packet->kept <= LB_TRACE_SNAP_MAX &&
	       packet->out_kept <= LB_TRACE_SNAP_MAX &&
	       size >= header + packet->kept + packet->out_kept &&
	       packet->verdict < LB_VERDICT_COUNT;
}

static int on_packet(void *user, void *data, size_t size)
{
	const struct trace *trace = user;

	if (!is_whole(data, size))
		return 0;
	return trace->each(trace->user, data) ? 0 : -EINTR;
}

void datapath_trace_read(struct datapath *datapath,
			 bool (*each)(void *user, const struct lb_traced *packet), void *user)
{
	struct trace *trace = datapath->trace;

	if (!trace)
		return;
	trace->each = each;
	trace->user = user;
	ring_buffer__consume(trace->ring);
}

/* --- bounds --- */

uint32_t datapath_trace_allow(struct datapath *datapath, uint32_t packets)
{
	int64_t left;

	if (!datapath->trace)
		return 0;
	left = __atomic_exchange_n(&datapath->trace->program->bss->trace_allowed, packets,
				   __ATOMIC_RELAXED);
	return left > 0 ? left : 0;
}

uint64_t datapath_trace_lost(const struct datapath *datapath)
{
	return datapath->trace ? datapath->trace->program->bss->trace_lost : 0;
}

/* --- coming and going --- */

static void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	ring_buffer__free(trace->ring);
	trace_bpf__destroy(trace->program);
	free(trace);
}

static int load(struct trace *trace, const struct lb_bpf *balancer,
		const struct lb_trace_filter *filter)
{
	struct trace_bpf *program = trace->program = trace_bpf__open();
	int error;

	if (!program)
		return -errno;
	*(struct lb_program_config *)&program->rodata->config = balancer->rodata->config;
	*(struct lb_trace_filter *)&program->rodata->filter = *filter;
	error = instance_share_maps(program->obj, balancer->obj, NULL);
	if (!error)
		error = trace_bpf__load(program);
	if (error)
		return error;
	trace->ring =
		ring_buffer__new(bpf_map__fd(program->maps.trace_ring), on_packet, trace, NULL);
	return trace->ring ? 0 : -errno;
}

/* At interfaces that are there, and those that come. */
static int put_in_place(struct datapath *datapath, const struct bpf_program *program)
{
	datapath->program_fd = bpf_program__fd(program);
	return attach_update(datapath);
}

static int start_error(int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel refuses the program that traces: %s",
		   strerror(-error));
	return lb_err_hint(err, "packets are balanced all the same; it needs CAP_BPF, "
				"CAP_NET_ADMIN and CAP_PERFMON, and memory");
}

int datapath_trace_start(struct datapath *datapath, const struct lb_trace_filter *filter,
			 struct lb_err *err)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	int error;

	if (!trace)
		return lb_err_no_memory(err);
	instance_load_begin();
	error = load(trace, datapath->skeleton, filter);
	instance_load_end();
	if (error) {
		trace_free(trace);
		return start_error(error, err);
	}
	datapath->trace = trace;
	trace_follow(datapath);
	error = put_in_place(datapath, trace->program->progs.lb);
	if (!error)
		return 0;
	datapath_trace_stop(datapath);
	return start_error(error, err);
}

void datapath_trace_stop(struct datapath *datapath)
{
	struct trace *trace = datapath->trace;

	if (!trace)
		return;
	datapath->trace = NULL;
	put_in_place(datapath, datapath->skeleton->progs.lb);
	trace_free(trace);
}
