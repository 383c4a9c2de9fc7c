// SPDX-License-Identifier: BSD-2-Clause
/* How is a program loaded beside the balancer, with maps of it, and which of them is in place? */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../host/worker.h"
#include "datapath_private.h"

static _Thread_local bool loading;

void instance_load_begin(void)
{
	worker_leave();
	loading = true;
}

void instance_load_end(void)
{
	loading = false;
	worker_enter();
}

bool instance_is_loading(void)
{
	return loading;
}

int instance_share_maps(struct bpf_object *to, const struct bpf_object *from,
			bool (*is_wanted)(const char *name))
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, to) {
		const struct bpf_map *same = bpf_object__find_map_by_name(from, bpf_map__name(map));
		int error;

		if (bpf_map__is_internal(map) || !same || mapping_is_guards(map) ||
		    (is_wanted && !is_wanted(bpf_map__name(map))))
			continue;
		error = bpf_map__reuse_fd(map, bpf_map__fd(same));
		if (error)
			return error;
	}
	return 0;
}

int instance_share_guard(struct bpf_object *to, const struct lb_bpf *from,
			 bool (*is_wanted)(const char *name))
{
	struct bpf_map *map;

	if (!from)
		return 0;
	bpf_object__for_each_map (map, to) {
		const struct bpf_map *same =
			bpf_object__find_map_by_name(from->obj, bpf_map__name(map));
		int error;

		if (!mapping_is_guards(map) || !same)
			continue;
		if (is_wanted && !is_wanted(bpf_map__name(map)))
			error = bpf_map__set_max_entries(map, bpf_map__max_entries(same));
		else
			error = bpf_map__reuse_fd(map, bpf_map__fd(same));
		if (error)
			return error;
	}
	return 0;
}

void instance_follow(struct datapath *datapath)
{
	const uint64_t other_vips = datapath->skeleton->bss->other_vips;

	if (datapath->guarded)
		datapath->guarded->bss->other_vips = other_vips;
	if (datapath->trace)
		*datapath->trace_other_vips = other_vips;
}

int instance_put_in_place(struct datapath *datapath)
{
	const struct lb_bpf *guarded = datapath->guarded;

	if (datapath->trace)
		datapath->program_fd = datapath->trace_fd;
	else
		datapath->program_fd = guarded ? bpf_program__fd(guarded->progs.lb_guarded)
					       : bpf_program__fd(datapath->skeleton->progs.lb);
	return attach_update(datapath);
}
