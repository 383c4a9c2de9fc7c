/* SPDX-License-Identifier: BSD-2-Clause */
/* How does lbd run another program? */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MORE 3

/* From here to its end the child shares our memory, while we wait: it makes system calls and no
 * more. By hand, since posix_spawn cannot give up capabilities. */

/* One that has the right number already would be closed by execve(). */
static int place(int fd, int number)
{
	return fd == number ? fcntl(fd, F_SETFD, 0) : dup2(fd, number);
}

static int child_descriptors(const struct spawn *program)
{
	const int input = program->input < 0 ? open("/dev/null", O_RDONLY) : program->input;
	const bool more = program->more >= 0;

	if (input < 0 || dup2(input, 0) < 0 || dup2(program->output, 1) < 0 ||
	    dup2(program->errors, 2) < 0 || (more && place(program->more, MORE) < 0) ||
	    close_range(more ? MORE + 1 : MORE, ~0u, 0))
		return -1;
	return chdir("/");
}

/* None ignored but as the kernel does, none blocked; those that must not be touched refuse. */
static void child_signals(void)
{
	const struct sigaction ordinary = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &ordinary, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What such a program has no use for; its time is bounded as well, should it leave its group. */
static int child_limits(uint32_t cpu_s)
{
	const struct {
		int what;
		rlim_t limit;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_NOFILE, 256},
		{RLIMIT_NPROC, 1024},
		{RLIMIT_CPU, cpu_s},
	};

	umask(077);
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].what, &limit))
			return -1;
		if (limit.rlim_max > limits[i].limit) /* lbd may not raise what is lower */
			limit.rlim_max = limits[i].limit;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(limits[i].what, &limit))
			return -1;
	}
	return 0;
}

/* The user, without supplementary groups, and without capabilities. The calls are the kernel's,
 * since those of libc would change every thread of lbd. */
static int child_identity(const struct spawn *program)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	const unsigned long uid = program->uid, gid = program->gid;

	if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, gid, gid, gid) ||
	    syscall(SYS_setresuid, uid, uid, uid) || syscall(SYS_capset, &header, none))
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static _Noreturn void child_run(const struct spawn *program, volatile int *error)
{
	child_signals();
	/* A session of its own, or it could push what it types into lbd's terminal. */
	if (setsid() >= 0 && !child_descriptors(program) && !child_limits(program->cpu_s) &&
	    !child_identity(program))
		execve(program->path, program->arguments, program->environment);
	*error = errno;
	_exit(127);
}

int spawn(const struct spawn *program, pid_t *pid)
{
	const int dumpable = prctl(PR_GET_DUMPABLE);
	sigset_t all, before;
	volatile int error = 0;
	pid_t child;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
	child = vfork();
	if (!child)
		child_run(program, &error);
	if (child < 0)
		error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	/* Our memory, which was the child's when it changed its user, has lost this by that. */
	if (dumpable == 1)
		prctl(PR_SET_DUMPABLE, 1);
	if (child > 0 && error)
		waitpid(child, NULL, 0);
	*pid = child;
	return error;
}
