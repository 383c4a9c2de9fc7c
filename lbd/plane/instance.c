// SPDX-License-Identifier: BSD-2-Clause
/* How is a program loaded beside the balancer, with maps of it? */
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

		if (bpf_map__is_internal(map) || !same ||
		    (is_wanted && !is_wanted(bpf_map__name(map))))
			continue;
		error = bpf_map__reuse_fd(map, bpf_map__fd(same));
		if (error)
			return error;
	}
	return 0;
}
