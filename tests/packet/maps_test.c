// SPDX-License-Identifier: BSD-2-Clause
/* Which maps does a second instance of the program have in common with the balancer? The verifier says
 * whether the program writes to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
	struct bpf_map *map = bpf_object__find_map_by_name(program->obj, name);
	int error;

	sizes_set(program, &options);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_what_is_read),
	};

	return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
