// SPDX-License-Identifier: BSD-2-Clause
/* How does the rival get its VIPs, rings and backends, the same as the balancer has? */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "rival_load.h"
#include "tests/bench/rival.skel.h"

struct rival {
	struct bench_case made_for;
	uint32_t capacity;
	bool filled;
	struct rival_bpf *maps;    /* the skeleton that made the maps */
	struct rival_bpf *program; /* the one whose program is in use */
	uint64_t *percpu;          /* room for one value of every CPU */
	int cpus;
};

static void *fail(const char *what, int error)
{
	fprintf(stderr, "packets: rival: %s: %s\n", what, strerror(error));
	return NULL;
}

static void set_sizes(struct rival_bpf *skeleton, const struct bench_case *bench_case,
		      uint32_t capacity)
{
	const bool ipv6 = bench_case->family == 6;
	const uint32_t members = bench_case->pools * bench_case->members;

	bpf_map__set_max_entries(skeleton->maps.rival_vips4, bench_case->vips * 2);
	bpf_map__set_max_entries(skeleton->maps.rival_vips6, bench_case->vips * 2);
	bpf_map__set_max_entries(skeleton->maps.rival_flows4, ipv6 ? 1024 : capacity);
	bpf_map__set_max_entries(skeleton->maps.rival_flows6, ipv6 ? capacity : 1024);
	bpf_map__set_map_flags(skeleton->maps.rival_ring, BPF_F_MMAPABLE);
	bpf_map__set_max_entries(skeleton->maps.rival_ring, bench_case->pools * bench_case->table);
	bpf_map__set_max_entries(skeleton->maps.rival_reals, members);
	bpf_map__set_max_entries(skeleton->maps.rival_real_counts, members);
	bpf_map__set_max_entries(skeleton->maps.rival_vip_counts, bench_case->vips);
	bpf_map__set_max_entries(skeleton->maps.rival_outcomes, RIVAL_OUTCOMES);
}

/* The kernel rounds values of an array up to 8 bytes. */
static int set_rings(struct rival *rival, const struct plan *plan)
{
	const struct bench_case *of = &rival->made_for;
	const uint32_t count = of->pools * of->table;
	const uint16_t *owners = plan_owners(plan);
	uint64_t *ring = mmap(NULL, count * sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED,
			      bpf_map__fd(rival->maps->maps.rival_ring), 0);
	uint32_t i;

	if (ring == MAP_FAILED)
		return -errno;
	for (i = 0; i < count; i++)
		ring[i] = i / of->table * of->members + owners[i % of->table];
	munmap(ring, count * sizeof(*ring));
	return 0;
}

static int set_vip(struct rival *rival, uint32_t vip)
{
	const struct bench_case *of = &rival->made_for;
	const struct lb_endpoint endpoint = world_endpoint(of, vip);
	const struct rival_vip value = {vip, vip % of->pools * of->table, of->table};
	struct rival_vip4_key key4 = {.port = htons(CASE_PORT), .protocol = of->protocol};
	struct rival_vip6_key key6 = {.port = htons(CASE_PORT), .protocol = of->protocol};

	memcpy(&key4.address, endpoint.address.bytes, 4);
	memcpy(key6.address, endpoint.address.bytes, 16);
	return of->family == 4 ? bpf_map__update_elem(rival->maps->maps.rival_vips4, &key4,
						      sizeof(key4), &value, sizeof(value), 0)
			       : bpf_map__update_elem(rival->maps->maps.rival_vips6, &key6,
						      sizeof(key6), &value, sizeof(value), 0);
}

static int set_real(struct rival *rival, uint32_t number)
{
	struct rival_real real = {.outer6 = rival->made_for.outer6};

	world_daddr(&rival->made_for, number, real.daddr);
	real.saddr[0] = htonl(real.outer6 ? 0x20010db8 : 0x0a000001);
	return bpf_map__update_elem(rival->maps->maps.rival_reals, &number, sizeof(number), &real,
				    sizeof(real), 0);
}

static int fill(struct rival *rival, const struct plan *plan)
{
	const struct bench_case *of = &rival->made_for;
	const struct rival_gateway gateway = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	const uint32_t zero = 0;
	uint32_t i;
	int error;

	error = bpf_map__update_elem(rival->maps->maps.rival_gateway, &zero, sizeof(zero), &gateway,
				     sizeof(gateway), 0);
	for (i = 0; i < of->pools * of->members && !error; i++)
		error = set_real(rival, i);
	for (i = 0; i < of->vips && !error; i++)
		error = set_vip(rival, i);
	return error ? error : set_rings(rival, plan);
}

struct rival *rival_new(const struct bench_case *bench_case, const struct plan *plan,
			uint32_t flows)
{
	struct rival *rival = calloc(1, sizeof(*rival));
	int error;

	if (!rival)
		return fail("memory", ENOMEM);
	rival->made_for = *bench_case;
	rival->capacity = (flows < 1024 ? 1024 : flows) / 2 * 3;
	rival->cpus = libbpf_num_possible_cpus();
	rival->percpu = calloc(rival->cpus, sizeof(*rival->percpu));
	rival->maps = rival->percpu ? rival_bpf__open() : NULL;
	if (rival->maps)
		set_sizes(rival->maps, bench_case, rival->capacity);
	error = rival->maps ? rival_bpf__load(rival->maps) : -errno;
	if (!error)
		error = fill(rival, plan);
	if (!error)
		return rival;
	rival_free(rival);
	return fail("load", -error);
}

void rival_free(struct rival *rival)
{
	if (!rival)
		return;
	rival_bpf__destroy(rival->program);
	rival_bpf__destroy(rival->maps);
	free(rival->percpu);
	free(rival);
}

bool rival_fits(const struct rival *rival, const struct bench_case *bench_case)
{
	const struct bench_case *of = &rival->made_for;

	return of->family == bench_case->family && of->protocol == bench_case->protocol &&
	       of->outer6 == bench_case->outer6 && of->vips == bench_case->vips &&
	       of->pools == bench_case->pools && of->members == bench_case->members &&
	       of->table == bench_case->table;
}

static int reuse_maps(struct rival *rival)
{
	struct bpf_map *map, *made;
	int error;

	bpf_object__for_each_map (map, rival->program->obj) {
		made = bpf_object__find_map_by_name(rival->maps->obj, bpf_map__name(map));
		error = made ? bpf_map__reuse_fd(map, bpf_map__fd(made)) : -ENOENT;
		if (error)
			return error;
	}
	return 0;
}

int rival_reload(struct rival *rival)
{
	int error;

	rival_bpf__destroy(rival->program);
	rival->program = rival_bpf__open();
	error = rival->program ? reuse_maps(rival) : -errno;
	if (!error)
		error = rival_bpf__load(rival->program);
	if (error)
		fail("reload", -error);
	return error;
}

struct bpf_program *rival_program(const struct rival *rival)
{
	return rival->program->progs.rival;
}

int rival_fd(const struct rival *rival)
{
	return bpf_program__fd(rival->program->progs.rival);
}

bool *rival_filled(struct rival *rival)
{
	return &rival->filled;
}

void rival_outcomes(const struct rival *rival, uint64_t out[RIVAL_OUTCOMES])
{
	const int fd = bpf_map__fd(rival->maps->maps.rival_outcomes);
	uint32_t key;
	int cpu;

	for (key = 0; key < RIVAL_OUTCOMES; key++) {
		out[key] = 0;
		if (bpf_map_lookup_elem(fd, &key, rival->percpu))
			continue;
		for (cpu = 0; cpu < rival->cpus; cpu++)
			out[key] += rival->percpu[cpu];
	}
}

uint32_t rival_capacity(const struct rival *rival)
{
	return rival->capacity;
}
