// SPDX-License-Identifier: BSD-2-Clause
/* Whose instructions are counted? The balancer's as lbd has loaded it, and another's over the same maps. */
#include "../../lbd/plane/datapath_private.h"
#include "steps.h"
#include "tests/lib/without_quic.skel.h"

struct steps *steps_of_balancer(const struct datapath *datapath)
{
	return steps_new(datapath->skeleton->obj, datapath->skeleton->progs.lb);
}

static void share(struct bpf_object *to, const struct bpf_object *from)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, to) {
		const struct bpf_map *same = bpf_object__find_map_by_name(from, bpf_map__name(map));

		if (bpf_map__is_internal(map))
			continue;
		if (bpf_map__fd(same) < 0)
			bpf_map__set_autocreate(map, false);
		else
			bpf_map__reuse_fd(map, bpf_map__fd(same));
	}
}

struct steps *steps_without_quic(const struct datapath *datapath)
{
	struct without_quic_bpf *without = without_quic_bpf__open();

	memcpy(without->rodata, datapath->skeleton->rodata, sizeof(*without->rodata));
	share(without->obj, datapath->skeleton->obj);
	if (without_quic_bpf__load(without))
		return NULL;
	without->bss->other_vips = datapath->skeleton->bss->other_vips;
	return steps_new(without->obj, without->progs.lb);
}
