// SPDX-License-Identifier: BSD-2-Clause
/* How is a map that is an array seen as memory? */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datapath_private.h"

static size_t mapped_bytes(const struct bpf_map *map)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	size_t value = (bpf_map__value_size(map) + 7) & ~(size_t)7;

	return (value * bpf_map__max_entries(map) + page - 1) & ~(page - 1);
}

int mapping_begin(const struct bpf_map *map, struct mapping *out, struct lb_err *err)
{
	size_t bytes = mapped_bytes(map);
	void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (start == MAP_FAILED)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot map \"%s\": %s",
				  bpf_map__name(map), strerror(errno));
	*out = (struct mapping){.start = start, .bytes = bytes};
	return 0;
}

void mapping_end(struct mapping *mapping)
{
	if (mapping->start)
		munmap(mapping->start, mapping->bytes);
}

bool mapping_is_guards(const struct bpf_map *map)
{
	return !strncmp(bpf_map__name(map), "guard_", 6);
}

void mapping_without_guard(struct lb_bpf *skeleton)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, skeleton->obj)
		if (mapping_is_guards(map))
			bpf_map__set_autocreate(map, false);
}
