// SPDX-License-Identifier: BSD-2-Clause
/* How does the program with the guard come into the balancer's place? See guard.h. */
#include "guard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "datapath_private.h"

struct guard {
	struct lb_bpf *program;
	struct guard_sizes sizes;
	struct mapping vips, secret, rates, clock;
	struct mapping tuning, combos, filter[LB_GUARD_FILTERS], cells, exact4, exact6;
};

/* --- which maps --- */

/* Those that lists fill are made again each time. */
static bool is_kept(const struct bpf_map *map)
{
	static const char *const own[] = {"guard_tuning",  "guard_combos",        "guard_filter4",
					  "guard_filter6", "guard_filter6_short", "guard_24",
					  "guard_exact4",  "guard_exact6"};

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (!strcmp(bpf_map__name(map), own[i]))
			return false;
	return mapping_is_guards(map);
}

static uint32_t at_least_one(uint32_t entries)
{
	return entries ? entries : 1;
}

/* Without lists, the smallest that can be asked: a region of one word of 0. */
static void set_list_sizes(struct lb_bpf *to, const struct guard_needs *needs)
{
	struct bpf_map *filters[LB_GUARD_FILTERS] = {to->maps.guard_filter4, to->maps.guard_filter6,
						     to->maps.guard_filter6_short};

	for (int i = 0; i < LB_GUARD_FILTERS; i++)
		bpf_map__set_max_entries(filters[i], at_least_one(needs->filter_words[i]));
	bpf_map__set_max_entries(to->maps.guard_24, at_least_one(needs->cell_lines));
	bpf_map__set_max_entries(to->maps.guard_exact4, at_least_one(needs->lines4));
	bpf_map__set_max_entries(to->maps.guard_exact6, at_least_one(needs->lines6));
}

static void set_sizes(struct lb_bpf *to, const struct lb_bpf *balancer,
		      const struct guard_sizes *sizes)
{
	const uint32_t vips = bpf_map__max_entries(balancer->maps.vip_pools);

	set_list_sizes(to, &sizes->lists);
	bpf_map__set_max_entries(to->maps.guard_vips, vips);
	bpf_map__set_max_entries(to->maps.guard_syns, vips);
	bpf_map__set_max_entries(to->maps.guard_rates, vips);
	bpf_map__set_max_entries(to->maps.guard_rate_over, vips);
	bpf_map__set_max_entries(to->maps.guard_rate_cells, LB_RATE_PAIRS + vips * LB_RATES / 2);
}

/* From the one that stands, what this one has of the same size. */
static int take_over(struct lb_bpf *to, const struct lb_bpf *from)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, to->obj) {
		const struct bpf_map *same =
			bpf_object__find_map_by_name(from->obj, bpf_map__name(map));
		int error;

		if (!is_kept(map) || bpf_map__max_entries(map) != bpf_map__max_entries(same))
			continue;
		error = bpf_map__reuse_fd(map, bpf_map__fd(same));
		if (error)
			return error;
	}
	return 0;
}

/* --- one program --- */

static void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	mapping_end(&guard->vips);
	mapping_end(&guard->secret);
	mapping_end(&guard->rates);
	mapping_end(&guard->clock);
	mapping_end(&guard->tuning);
	mapping_end(&guard->combos);
	mapping_end(&guard->cells);
	mapping_end(&guard->exact4);
	mapping_end(&guard->exact6);
	for (int i = 0; i < LB_GUARD_FILTERS; i++)
		mapping_end(&guard->filter[i]);
	lb_bpf__destroy(guard->program);
	free(guard);
}

static int map_arrays(struct guard *guard, struct lb_err *err)
{
	const struct lb_bpf *program = guard->program;

	if (mapping_begin(program->maps.guard_vips, &guard->vips, err) ||
	    mapping_begin(program->maps.guard_secret, &guard->secret, err) ||
	    mapping_begin(program->maps.guard_rates, &guard->rates, err) ||
	    mapping_begin(program->maps.guard_rate_clock, &guard->clock, err) ||
	    mapping_begin(program->maps.guard_tuning, &guard->tuning, err) ||
	    mapping_begin(program->maps.guard_combos, &guard->combos, err) ||
	    mapping_begin(program->maps.guard_filter4, &guard->filter[0], err) ||
	    mapping_begin(program->maps.guard_filter6, &guard->filter[1], err) ||
	    mapping_begin(program->maps.guard_filter6_short, &guard->filter[2], err) ||
	    mapping_begin(program->maps.guard_24, &guard->cells, err) ||
	    mapping_begin(program->maps.guard_exact4, &guard->exact4, err) ||
	    mapping_begin(program->maps.guard_exact6, &guard->exact6, err))
		return -EINVAL;
	return 0;
}

/* Which cells sources have; where they are taken over, they stay. */
static int draw_cells(struct lb_rate_clock *clock, struct lb_err *err)
{
	__u64 secret[4];

	if (*clock->secret)
		return 0;
	if (getrandom(secret, sizeof(secret), GRND_NONBLOCK) != sizeof(secret))
		return lb_err_set(err, LB_ERR_SYSTEM, "", "no random numbers: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
		clock->secret[i] = secret[i] | 1;
	return 0;
}

static int load(const struct datapath *datapath, struct guard *guard, struct lb_err *err)
{
	const struct lb_bpf *balancer = datapath->skeleton;
	struct lb_bpf *program = guard->program = lb_bpf__open();
	int error;

	if (!program)
		return -errno;
	*(struct lb_program_config *)&program->rodata->config = balancer->rodata->config;
	instance_choose(program->obj, (struct lb_program_config *)&program->rodata->config,
			LB_HAS_GUARD);
	set_sizes(program, balancer, &guard->sizes);
	error = instance_share_maps(program->obj, balancer->obj, NULL);
	if (!error && datapath->guard)
		error = take_over(program, datapath->guard->program);
	if (!error)
		error = lb_bpf__load(program);
	if (!error)
		error = map_arrays(guard, err);
	return error ? error : draw_cells(guard->clock.start, err);
}

static int load_error(int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "the kernel refuses the program with the guard: %s",
		   strerror(-error));
	return lb_err_hint(err, "packets are balanced all the same; it needs CAP_BPF, "
				"CAP_NET_ADMIN and CAP_PERFMON, and memory");
}

int datapath_guard_load(struct datapath *datapath, const struct guard_sizes *sizes,
			struct lb_err *err)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	int error;

	if (!guard)
		return lb_err_no_memory(err);
	guard->sizes = *sizes;
	datapath_guard_forget(datapath);
	instance_load_begin();
	error = load(datapath, guard, err);
	instance_load_end();
	if (error) {
		guard_free(guard);
		return load_error(error, err);
	}
	datapath->guard_next = guard;
	return 0;
}

void datapath_guard_forget(struct datapath *datapath)
{
	guard_free(datapath->guard_next);
	datapath->guard_next = NULL;
}

/* --- in place --- */

static int change_to(struct datapath *datapath, struct guard *guard)
{
	struct guard *before = datapath->guard;
	struct instances next = replace_now(datapath);
	int error;

	next.guard = guard;
	next.guarded = guard ? guard->program : NULL;
	error = replace_programs(datapath, &next);
	if (datapath->guard == guard)
		guard_free(before);
	return error;
}

int datapath_guard_enter(struct datapath *datapath, enum guard_user user, struct lb_err *err)
{
	struct guard *guard = datapath->guard_next;
	int error;

	datapath->guard_next = NULL;
	error = change_to(datapath, guard);
	if (error && datapath->guard != guard) {
		guard_free(guard);
		return load_error(error, err);
	}
	datapath->guard_users |= 1u << user;
	return 0;
}

int datapath_guard_use(struct datapath *datapath, enum guard_user user, struct lb_err *err)
{
	const struct guard_sizes none = {0};
	int error;

	if (datapath->guard) {
		datapath->guard_users |= 1u << user;
		return 0;
	}
	error = datapath_guard_load(datapath, &none, err);
	return error ? error : datapath_guard_enter(datapath, user, err);
}

void datapath_guard_drop(struct datapath *datapath, enum guard_user user)
{
	datapath->guard_users &= ~(1u << user);
	if (!datapath->guard_users && datapath->guard)
		change_to(datapath, NULL);
}

struct guard_maps datapath_guard_maps(const struct datapath *datapath)
{
	const struct guard *guard = datapath->guard_next ? datapath->guard_next : datapath->guard;

	if (!guard)
		return (struct guard_maps){0};
	return (struct guard_maps){
		.vips = guard->vips.start,
		.vip_count = bpf_map__max_entries(guard->program->maps.guard_vips),
		.secret = guard->secret.start,
		.rates = guard->rates.start,
		.lists =
			{
				.tuning = guard->tuning.start,
				.combos = guard->combos.start,
				.filter = {guard->filter[0].start, guard->filter[1].start,
					   guard->filter[2].start},
				.filter_words = {guard->sizes.lists.filter_words[0],
						 guard->sizes.lists.filter_words[1],
						 guard->sizes.lists.filter_words[2]},
				.cells = guard->cells.start,
				.exact4 = guard->exact4.start,
				.exact6 = guard->exact6.start,
				.lines4 = guard->sizes.lists.lines4,
				.lines6 = guard->sizes.lists.lines6,
			},
	};
}

struct lb_guard_vip *datapath_guard_vips(struct datapath *datapath)
{
	return datapath_guard_maps(datapath).vips;
}

static int hits_fd(const struct datapath *datapath)
{
	return datapath->guarded ? bpf_map__fd(datapath->guarded->maps.guard_hits) : -ENOENT;
}

int datapath_guard_hits(struct datapath *datapath, uint32_t list, struct lb_guard_hits *out)
{
	const struct lb_guard_hits *hits = datapath->percpu;
	int error = bpf_map_lookup_elem(hits_fd(datapath), &list, datapath->percpu);

	*out = (struct lb_guard_hits){0};
	for (int i = 0; !error && i < datapath->cpus; i++) {
		out->packets += hits[i].packets;
		out->bytes += hits[i].bytes;
	}
	return error;
}

int datapath_guard_hits_reset(struct datapath *datapath, uint32_t list)
{
	memset(datapath->percpu, 0, datapath->cpus * sizeof(struct lb_guard_hits));
	return bpf_map_update_elem(hits_fd(datapath), &list, datapath->percpu, BPF_ANY);
}

void guard_close(struct datapath *datapath)
{
	datapath_guard_forget(datapath);
	guard_free(datapath->guard);
	datapath->guard = NULL;
	datapath->guarded = NULL;
}

uint64_t guard_memory(const struct datapath *datapath, uint64_t (*of)(int fd))
{
	const struct bpf_map *map;
	uint64_t sum = 0;

	if (!datapath->guard)
		return 0;
	bpf_object__for_each_map (map, datapath->guard->program->obj)
		if (mapping_is_guards(map))
			sum += of(bpf_map__fd(map));
	return sum;
}
