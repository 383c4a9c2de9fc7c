// SPDX-License-Identifier: BSD-2-Clause
/* Which maps does a second instance of the program have in common with the balancer, whereof the verifier says
 * whether the program writes to them? And how are counters of many members read? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include "../../lbd/plane/datapath_private.h"

/* Whether the verifier takes the program with this map read-only for it; it knows of none that is
 * mapped. */
static bool loads_read_only(const char *name)
{
	const struct datapath_options options = {
		.vips = LB_VIPS_MAX, /* so many that packets wait to be counted */
		.members = 1,
		.slots = 1,
		.flows = 8,
		.answer_rate = 1,
		.vip_counters = true};
	struct lb_bpf *program = lb_bpf__open();
	struct bpf_map *map = bpf_object__find_map_by_name(program->obj, name), *other;
	int error;

	sizes_set(program, &options);
	instance_choose(program->obj, (struct lb_program_config *)&program->rodata->config,
			LB_HAS_GUARD | LB_GUARD_ASKS);
	bpf_object__for_each_map (other, program->obj)
		bpf_map__set_autocreate(other, true);
	bpf_map__set_map_flags(map,
			       (bpf_map__map_flags(map) & ~BPF_F_MMAPABLE) | BPF_F_RDONLY_PROG);
	error = lb_bpf__load(program);
	lb_bpf__destroy(program);
	return !error;
}

static bool is_asked(const char *name)
{
	return strcmp(name, "abi") &&  /* lbd alone reads it */
	       strcmp(name, "egress"); /* of device maps the kernel says so by itself */
}

static void test_shares_what_is_read(void **state)
{
	const libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct lb_bpf *program = lb_bpf__open();
	const struct bpf_map *map;

	(void)state;
	bpf_object__for_each_map (map, program->obj) {
		const char *name = bpf_map__name(map);

		if (bpf_map__is_internal(map) || !is_asked(name))
			continue;
		if (loads_read_only(name) != explain_shares(name))
			fail_msg("map %s is %s, but the program %s to it", name,
				 explain_shares(name) ? "shared" : "not shared",
				 explain_shares(name) ? "writes" : "does not write");
	}
	lb_bpf__destroy(program);
	libbpf_set_print(print);
}

static void count_at(struct datapath *datapath, uint32_t key, uint64_t packets)
{
	struct lb_counter *counters = datapath->percpu;

	for (int i = 0; i < datapath->cpus; i++)
		counters[i] = (struct lb_counter){packets, 10 * packets};
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(datapath->skeleton->maps.counters), &key,
					     datapath->percpu, BPF_ANY),
			 0);
}

/* Of member n, on each CPU: n + 1 packets of 10 bytes, and as many more thousands that an id has led to it. */
static void count_by_number(struct datapath *datapath, uint32_t members)
{
	for (uint32_t member = 0; member < members; member++) {
		count_at(datapath, member, member + 1);
		count_at(datapath, members + member, 1000 * (member + 1));
	}
}

static void assert_counted(struct datapath *datapath, uint32_t first, uint32_t count)
{
	struct lb_counter counters[4 * COUNTERS_AT_ONCE];

	memset(counters, 0xff, sizeof(counters));
	assert_int_equal(datapath_counters(datapath, first, count, counters), 0);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(counters[i].packets, 1001 * datapath->cpus * (first + i + 1));
		assert_int_equal(counters[i].bytes, 10 * counters[i].packets);
	}
	assert_int_equal(counters[count].packets, UINT64_MAX);
}

static void counters_of_adjacent_members_are_read_together(void **state)
{
	enum { MEMBERS = 3 * COUNTERS_AT_ONCE };
	const struct datapath_options options = {
		.vips = 8, .members = MEMBERS, .slots = 1, .flows = 8, .answer_rate = 1};
	struct datapath datapath = {.skeleton = lb_bpf__open(), .cpus = libbpf_num_possible_cpus()};
	struct lb_counter counter = {1, 1};
	uint32_t members;

	(void)state;
	datapath.percpu = calloc(datapath.cpus, COUNTERS_AT_ONCE * sizeof(struct lb_counter));
	sizes_set(datapath.skeleton, &options);
	assert_int_equal(lb_bpf__load(datapath.skeleton), 0);
	members = bpf_map__max_entries(datapath.skeleton->maps.counters) / 2;
	assert_int_equal(members, MEMBERS);
	count_by_number(&datapath, members);
	for (uint32_t first = 0; first < 3; first++) {
		assert_counted(&datapath, first, 1);
		assert_counted(&datapath, first, COUNTERS_AT_ONCE - 1);
		assert_counted(&datapath, first, COUNTERS_AT_ONCE);
		assert_counted(&datapath, first, COUNTERS_AT_ONCE + 1);
		assert_counted(&datapath, first, 2 * COUNTERS_AT_ONCE + 1);
	}
	for (uint32_t count = 1; count < MEMBERS; count++)
		assert_counted(&datapath, members - count, count);
	assert_int_not_equal(datapath_counters(&datapath, members, 1, &counter), 0);
	assert_int_equal(counter.packets, 0);
	free(datapath.percpu);
	lb_bpf__destroy(datapath.skeleton);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_what_is_read),
		cmocka_unit_test(counters_of_adjacent_members_are_read_together),
	};

	return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
