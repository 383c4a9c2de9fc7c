// SPDX-License-Identifier: BSD-2-Clause
/* How is a program loaded beside the balancer, with maps of it, and which of them is in place? */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

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

/* --- which stages --- */

/* Each has the stages of those before it. So a guard, which has maps of its own that take long to fill, stays as it
 * is when QUIC comes and goes. */
static const struct {
	const char *program;
	uint32_t has;
} kinds[] = {
	{"lb", 0},
	{"lb_quic", LB_HAS_QUIC},
	{"lb_guarded", LB_HAS_GUARD | LB_HAS_QUIC},
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

void instance_choose(struct bpf_object *to, struct lb_program_config *config, uint32_t has)
{
	const uint32_t wanted = has & (LB_HAS_GUARD | LB_HAS_QUIC);
	size_t chosen = 0;

	while (wanted & ~kinds[chosen].has)
		chosen++;
	config->has = has | kinds[chosen].has;
	for (size_t i = 0; i < KINDS; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(to, kinds[i].program),
					  i == chosen);
}

int instance_program_fd(const struct bpf_object *object)
{
	for (size_t i = 0; i < KINDS; i++) {
		const struct bpf_program *program =
			bpf_object__find_program_by_name(object, kinds[i].program);

		if (bpf_program__autoload(program))
			return bpf_program__fd(program);
	}
	return -ENOENT;
}

uint32_t instance_has(const struct datapath *datapath)
{
	if (datapath->guarded)
		return LB_HAS_GUARD | LB_HAS_QUIC;
	return datapath->with_quic ? LB_HAS_QUIC : 0;
}

/* --- in place --- */

void instance_follow(struct datapath *datapath)
{
	const uint64_t other_vips = datapath->skeleton->bss->other_vips;

	if (datapath->with_quic)
		datapath->with_quic->bss->other_vips = other_vips;
	if (datapath->guarded)
		datapath->guarded->bss->other_vips = other_vips;
	if (datapath->trace)
		*datapath->trace_other_vips = other_vips;
}

const struct lb_bpf *instance_due(const struct datapath *datapath)
{
	if (datapath->guarded)
		return datapath->guarded;
	return datapath->with_quic ? datapath->with_quic : datapath->skeleton;
}

int instance_put_in_place(struct datapath *datapath)
{
	if (datapath->trace)
		datapath->program_fd = datapath->trace_fd;
	else
		datapath->program_fd = instance_program_fd(instance_due(datapath)->obj);
	return attach_update(datapath);
}
