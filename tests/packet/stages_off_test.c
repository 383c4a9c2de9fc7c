// SPDX-License-Identifier: BSD-2-Clause
/* Does a balancer whose VIPs do not need a stage have an instruction more than one that does not know of it? Compared
 * but for the numbers of maps and functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bpf.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../../bpf/abi.h"
#include "tests/packet/with_stages.skel.h"
#include "tests/packet/without_guard.skel.h"
#include "tests/lib/without_quic.skel.h"

static struct with_stages_bpf *with;

static int open_with(void **state)
{
	(void)state;
	with = with_stages_bpf__open();
	return with ? 0 : -1;
}

static int close_with(void **state)
{
	(void)state;
	with_stages_bpf__destroy(with);
	return 0;
}

static bool is_filled_in(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) ||
	       (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL);
}

static void assert_same(const struct bpf_program *one, const struct bpf_program *other)
{
	const struct bpf_insn *a = bpf_program__insns(one), *b = bpf_program__insns(other);
	const size_t count = bpf_program__insn_cnt(one);

	assert_int_equal(count, bpf_program__insn_cnt(other));
	assert_true(count > 500);
	for (size_t i = 0; i < count; i++) {
		struct bpf_insn x = a[i], y = b[i];

		if (is_filled_in(&x))
			x.imm = y.imm;
		if (memcmp(&x, &y, sizeof(x)))
			fail_msg("instruction %zu is another one", i);
	}
}

/* That the comparison can tell: with a stage there are more. */
static void test_a_stage_takes_some(void **state)
{
	const size_t none = bpf_program__insn_cnt(with->progs.lb);

	(void)state;
	assert_true(bpf_program__insn_cnt(with->progs.lb_quic) > none);
	assert_true(bpf_program__insn_cnt(with->progs.lb_guarded) >
		    bpf_program__insn_cnt(with->progs.lb_quic));
}

/* The plain way, as it is compiled. */
static void test_no_instruction_of_the_guard(void **state)
{
	struct without_guard_bpf *without = without_guard_bpf__open();

	(void)state;
	assert_same(with->progs.lb, without->progs.lb);
	without_guard_bpf__destroy(without);
}

/* All of it, as it is loaded: with the functions that it calls. */
static void test_no_instruction_of_quic(void **state)
{
	struct without_quic_bpf *without = without_quic_bpf__open();
	const size_t plain = bpf_program__insn_cnt(with->progs.lb);

	(void)state;
	assert_int_equal(with_stages_bpf__load(with), 0);
	assert_int_equal(without_quic_bpf__load(without), 0);
	assert_true(bpf_program__insn_cnt(with->progs.lb) > 2 * plain);
	assert_same(with->progs.lb, without->progs.lb);
	without_quic_bpf__destroy(without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stage_takes_some),
		cmocka_unit_test(test_no_instruction_of_the_guard),
		cmocka_unit_test(test_no_instruction_of_quic), /* loads */
	};

	return cmocka_run_group_tests_name("stages off", tests, open_with, close_with);
}
