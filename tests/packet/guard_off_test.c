// SPDX-License-Identifier: BSD-2-Clause
/* Does a balancer whose guard is off have an instruction more than one without a guard (without_guard.bpf.c)?
 * Compared as they are compiled, but for the numbers of maps and functions, which are filled in later. */
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
#include "tests/packet/with_guard.skel.h"
#include "tests/packet/without_guard.skel.h"

static struct with_guard_bpf *with;
static struct without_guard_bpf *without;

static int open_both(void **state)
{
	(void)state;
	with = with_guard_bpf__open();
	without = without_guard_bpf__open();
	return with && without ? 0 : -1;
}

static int close_both(void **state)
{
	(void)state;
	with_guard_bpf__destroy(with);
	without_guard_bpf__destroy(without);
	return 0;
}

static bool is_filled_in(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) ||
	       (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL);
}

static void test_no_instruction_more(void **state)
{
	const struct bpf_insn *a = bpf_program__insns(with->progs.lb);
	const struct bpf_insn *b = bpf_program__insns(without->progs.lb);
	const size_t count = bpf_program__insn_cnt(with->progs.lb);

	(void)state;
	assert_int_equal(count, bpf_program__insn_cnt(without->progs.lb));
	assert_true(count > 500);
	for (size_t i = 0; i < count; i++) {
		struct bpf_insn one = a[i], other = b[i];

		if (is_filled_in(&one))
			one.imm = other.imm;
		if (memcmp(&one, &other, sizeof(one)))
			fail_msg("instruction %zu is another one", i);
	}
}

/* That the comparison can tell: with the guard there are more. */
static void test_the_guard_takes_some(void **state)
{
	(void)state;
	assert_true(bpf_program__insn_cnt(with->progs.lb_guarded) >
		    bpf_program__insn_cnt(with->progs.lb));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_instruction_more),
		cmocka_unit_test(test_the_guard_takes_some),
	};

	return cmocka_run_group_tests_name("guard off", tests, open_both, close_both);
}
