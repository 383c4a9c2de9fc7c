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
	struct lb_trace_filter filter;
	bool (*each)(void *user, const struct lb_traced *packet);
	void *user;
};

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

/* `before`: whose ring buffer it takes over, or NULL. */
static int load_program(const struct datapath *datapath, const struct lb_trace_filter *filter,
			const struct trace_bpf *before, struct trace_bpf **out)
{
	const struct lb_bpf *balancer = datapath->skeleton;
	struct trace_bpf *program = *out = trace_bpf__open();
	int error;

	if (!program)
		return -errno;
	*(struct lb_program_config *)&program->rodata->config = balancer->rodata->config;
	instance_choose(program->obj, (struct lb_program_config *)&program->rodata->config,
			instance_has(datapath));
	*(struct lb_trace_filter *)&program->rodata->filter = *filter;
	error = instance_share_maps(program->obj, balancer->obj, NULL);
	if (!error)
		error = instance_share_guard(program->obj, datapath->guarded, NULL);
	if (!error && before)
		error = bpf_map__reuse_fd(program->maps.trace_ring,
					  bpf_map__fd(before->maps.trace_ring));
	return error ? error : trace_bpf__load(program);
}

static int load(struct trace *trace, const struct datapath *datapath)
{
	int error = load_program(datapath, &trace->filter, NULL, &trace->program);

	if (error)
		return error;
	trace->ring = ring_buffer__new(bpf_map__fd(trace->program->maps.trace_ring), on_packet,
				       trace, NULL);
	return trace->ring ? 0 : -errno;
}

static void set_trace(struct datapath *datapath, struct trace *trace)
{
	datapath->trace = trace;
	datapath->trace_fd = trace ? instance_program_fd(trace->program->obj) : -1;
	datapath->trace_other_vips = trace ? &trace->program->bss->other_vips : NULL;
}

/* Without leaving the loop's turn: nobody may stop tracing in between. */
int trace_again(struct datapath *datapath)
{
	struct trace *trace = datapath->trace;
	struct trace_bpf *before, *program = NULL;
	int error;

	if (!trace)
		return 0;
	before = trace->program;
	error = load_program(datapath, &trace->filter, before, &program);
	if (error) {
		trace_bpf__destroy(program);
		datapath_trace_stop(datapath);
		return error;
	}
	program->bss->trace_allowed = before->bss->trace_allowed;
	program->bss->trace_lost = before->bss->trace_lost;
	trace->program = program;
	set_trace(datapath, trace);
	instance_follow(datapath);
	error = instance_put_in_place(datapath);
	trace_bpf__destroy(before);
	return error;
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
	const uint32_t changes = datapath->changes;
	struct trace *trace = calloc(1, sizeof(*trace));
	int error;

	if (!trace)
		return lb_err_no_memory(err);
	instance_load_begin();
	trace->filter = *filter;
	error = load(trace, datapath);
	instance_load_end();
	if (changes != datapath->changes) { /* another program has come into place meanwhile */
		trace_free(trace);
		return datapath_trace_start(datapath, filter, err);
	}
	if (error) {
		trace_free(trace);
		return start_error(error, err);
	}
	set_trace(datapath, trace);
	instance_follow(datapath);
	error = instance_put_in_place(datapath);
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
	set_trace(datapath, NULL);
	instance_put_in_place(datapath);
	trace_free(trace);
}
