/* SPDX-License-Identifier: BSD-2-Clause */
/* What may a process, and what may the programs that it runs, after privileges_drop? As the kernel
 * tells it in /proc. Each test drops in a child, since nothing dropped comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lbd/host/privileges.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define OURS (BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON))

struct facts {
	uint64_t inheritable, permitted, effective, bounding, ambient;
	int no_new_privs;
};

/* What the child does first, then whether it looks at itself or at a program that it runs. */
struct scene {
	void (*before)(void);
	bool program, other_user;
};

/* --- the child --- */

static int drop(const struct scene *scene, struct lb_err *err)
{
	const struct privileges_wanted wanted = {.other_user = scene->other_user};

	return privileges_drop(&wanted, err);
}

static _Noreturn void child_run(const struct scene *scene)
{
	struct lb_err err = {0};

	if (scene->before)
		scene->before();
	if (drop(scene, &err)) {
		fprintf(stderr, "privileges_drop: %s\n", err.message);
		_exit(1);
	}
	if (scene->program) {
		execl("/bin/cat", "cat", "/proc/self/status", NULL);
	} else {
		FILE *status = fopen("/proc/self/status", "r");
		char text[8192];
		size_t length = status ? fread(text, 1, sizeof(text), status) : 0;

		if (length && write(STDOUT_FILENO, text, length) == (ssize_t)length)
			_exit(0);
	}
	_exit(2);
}

/* setpriv(1) by hand: the capabilities of `keep` and no others, but the bounding set as it is. */
static void set_capabilities(uint64_t keep, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(keep >> 32 * i),
			.permitted = (uint32_t)(keep >> 32 * i),
			.inheritable = (uint32_t)(inheritable >> 32 * i),
		};
	if (syscall(SYS_capset, &header, data))
		_exit(3);
}

static void keep_only(uint64_t keep)
{
	set_capabilities(keep, 0);
}

static void pass_net_raw_on(void)
{
	const uint64_t all = OURS | BIT(CAP_NET_RAW) | BIT(CAP_SETPCAP);

	set_capabilities(all, BIT(CAP_NET_RAW));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0))
		_exit(3);
}

static void become_nobody(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		_exit(3);
}

static void keep_ours(void)
{
	keep_only(OURS);
}

static void keep_bpf(void)
{
	keep_only(BIT(CAP_BPF));
}

static void keep_sys_admin_instead(void)
{
	keep_only(BIT(CAP_SYS_ADMIN) | BIT(CAP_NET_ADMIN));
}

static void drop_before(void)
{
	if (drop(&(struct scene){0}, NULL))
		_exit(3);
}

/* --- what it shows --- */

static void read_facts(FILE *status, struct facts *facts)
{
	const struct {
		const char *format;
		uint64_t *out;
	} lines[] = {
		{"CapInh: %" SCNx64, &facts->inheritable}, {"CapPrm: %" SCNx64, &facts->permitted},
		{"CapEff: %" SCNx64, &facts->effective},   {"CapBnd: %" SCNx64, &facts->bounding},
		{"CapAmb: %" SCNx64, &facts->ambient},
	};
	char line[512];
	size_t found = 0;

	while (fgets(line, sizeof(line), status)) {
		for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
			found += sscanf(line, lines[i].format, lines[i].out) == 1;
		found += sscanf(line, "NoNewPrivs: %d", &facts->no_new_privs) == 1;
	}
	assert_int_equal(found, 6);
}

static struct facts play(struct scene scene)
{
	struct facts facts = {0};
	int ends[2], status;
	FILE *in;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		child_run(&scene);
	}
	close(ends[1]);
	in = fdopen(ends[0], "r");
	assert_non_null(in);
	read_facts(in, &facts);
	fclose(in);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return facts;
}

static void assert_sets(const struct facts *facts, uint64_t own, uint64_t passed_on)
{
	assert_int_equal(facts->permitted, own);
	assert_int_equal(facts->effective, own);
	assert_int_equal(facts->inheritable, passed_on);
	assert_int_equal(facts->ambient, passed_on);
	assert_int_equal(facts->no_new_privs, 1);
}

/* Root has everything here; what it has in a container is not what these tests are about. */
static void need_root(void)
{
	struct facts facts;
	FILE *status = fopen("/proc/self/status", "r");

	assert_non_null(status);
	read_facts(status, &facts);
	fclose(status);
	if (geteuid() ||
	    (facts.permitted & (OURS | BIT(CAP_NET_RAW) | BIT(CAP_SETPCAP) | BIT(CAP_SYS_ADMIN) |
				BIT(CAP_SETUID))) != (OURS | BIT(CAP_NET_RAW) | BIT(CAP_SETPCAP) |
						      BIT(CAP_SYS_ADMIN) | BIT(CAP_SETUID)))
		skip();
}

static void root_keeps_three_capabilities_and_no_way_back(void **state)
{
	struct facts facts;

	(void)state;
	need_root();
	facts = play((struct scene){0});
	assert_sets(&facts, OURS, 0);
	assert_int_equal(facts.bounding, OURS);
}

static void what_runs_programs_as_another_user_is_kept_only_when_asked_for(void **state)
{
	const uint64_t more = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL);
	struct facts facts;

	(void)state;
	need_root();
	facts = play((struct scene){.other_user = true});
	assert_sets(&facts, OURS | more, 0);
	assert_int_equal(facts.bounding, OURS | more);
	facts = play((struct scene){.other_user = true, .program = true});
	assert_sets(&facts, 0, 0);
}

static void a_program_that_root_runs_gets_nothing(void **state)
{
	struct facts facts;

	(void)state;
	need_root();
	facts = play((struct scene){.program = true});
	assert_sets(&facts, 0, 0);
}

static void what_was_passed_on_before_is_not_passed_on(void **state)
{
	struct facts facts;

	(void)state;
	need_root();
	facts = play((struct scene){.before = pass_net_raw_on});
	assert_sets(&facts, OURS, 0);
	facts = play((struct scene){.before = pass_net_raw_on, .program = true});
	assert_sets(&facts, 0, 0);
}

static void who_has_less_keeps_what_there_is(void **state)
{
	struct facts facts;

	(void)state;
	need_root();
	facts = play((struct scene){.before = keep_ours});
	assert_sets(&facts, OURS, 0);
	facts = play((struct scene){.before = keep_bpf});
	assert_sets(&facts, BIT(CAP_BPF), 0);
}

/* Its bounding set stays, for want of CAP_SETPCAP; user 0 would get it all back but for
 * no_new_privs. */
static void without_setpcap_a_program_gets_no_more_than_lbd_has(void **state)
{
	struct facts facts;

	(void)state;
	need_root();
	facts = play((struct scene){.before = keep_ours, .program = true});
	assert_int_equal(facts.permitted & ~OURS, 0);
	assert_int_equal(facts.no_new_privs, 1);
}

static void sys_admin_stays_where_it_stands_in_for_bpf(void **state)
{
	struct facts facts;

	(void)state;
	need_root();
	facts = play((struct scene){.before = keep_sys_admin_instead});
	assert_sets(&facts, BIT(CAP_SYS_ADMIN) | BIT(CAP_NET_ADMIN), 0);
}

static void dropping_twice_changes_nothing(void **state)
{
	struct facts facts;

	(void)state;
	need_root();
	facts = play((struct scene){.before = drop_before});
	assert_sets(&facts, OURS, 0);
	assert_int_equal(facts.bounding, OURS);
}

static void nobody_drops_nothing_without_an_error(void **state)
{
	struct facts facts;

	(void)state;
	facts = play((struct scene){.before = geteuid() ? NULL : become_nobody});
	assert_sets(&facts, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_keeps_three_capabilities_and_no_way_back),
		cmocka_unit_test(what_runs_programs_as_another_user_is_kept_only_when_asked_for),
		cmocka_unit_test(a_program_that_root_runs_gets_nothing),
		cmocka_unit_test(what_was_passed_on_before_is_not_passed_on),
		cmocka_unit_test(who_has_less_keeps_what_there_is),
		cmocka_unit_test(without_setpcap_a_program_gets_no_more_than_lbd_has),
		cmocka_unit_test(sys_admin_stays_where_it_stands_in_for_bpf),
		cmocka_unit_test(dropping_twice_changes_nothing),
		cmocka_unit_test(nobody_drops_nothing_without_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
