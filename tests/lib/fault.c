/* SPDX-License-Identifier: BSD-2-Clause */
/* What if the disk fails just here? A library to preload into a program (LD_PRELOAD), which makes
 * chosen calls of it fail. $FAULT_CONTROL names a file of rules, read at every call; while there is
 * none, nothing happens. One rule a line:
 *
 *	CALL PREFIX[,PREFIX…] ACTION SKIP COUNT
 *
 * CALL     open, write, writev, fsync, fdatasync, ftruncate, close, link, rename, unlink, mkdir, or any
 * PREFIX   how the path begins, or what /proc/self/fd shows of a descriptor (sockets: "socket:")
 * ACTION   the name of an errno; short (half of what is to be written is); kill (SIGKILL, before
 *          the call is made); or count, which does nothing
 *
 * The first SKIP calls that a rule is about go through, the COUNT after them are hit, then none is
 * any more; where several rules hit, the first one does. Of two paths the new one counts. A new
 * file in its place starts the counting again.
 *
 * Each call that a rule is about is a line of $FAULT_CONTROL.log: CALL PATH, and the action if it
 * was hit. Everything here goes by system calls of its own, so that nothing comes back to itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RULES_MAX 8
#define TEXT_MAX 4096

struct rule {
	char call[16], prefixes[512], action[16];
	unsigned int skip, count, seen;
};

static struct rule rules[RULES_MAX];
static unsigned int rule_count;
static struct stat rules_are_of;

enum { PASS, SHORT = -1 }; /* or an errno */

static const char *control_path(void)
{
	const char *path = getenv("FAULT_CONTROL");

	return path ? path : "";
}

/* --- rules --- */

static void parse_rules(char *text)
{
	char *save = NULL, *line;

	rule_count = 0;
	for (line = strtok_r(text, "\n", &save); line && rule_count < RULES_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		struct rule *rule = &rules[rule_count];

		*rule = (struct rule){0};
		if (sscanf(line, "%15s %511s %15s %u %u", rule->call, rule->prefixes, rule->action,
			   &rule->skip, &rule->count) == 5)
			rule_count++;
	}
}

static void read_rules(void)
{
	int fd = syscall(SYS_openat, AT_FDCWD, control_path(), O_RDONLY | O_CLOEXEC);
	char text[TEXT_MAX];
	struct stat is;
	ssize_t length;

	if (fd < 0) {
		rule_count = 0;
		rules_are_of = (struct stat){0};
		return;
	}
	if (!fstat(fd, &is) && (is.st_ino != rules_are_of.st_ino ||
				memcmp(&is.st_mtim, &rules_are_of.st_mtim, sizeof(is.st_mtim)))) {
		length = syscall(SYS_read, fd, text, sizeof(text) - 1);
		text[length > 0 ? length : 0] = '\0';
		parse_rules(text);
		rules_are_of = is;
	}
	syscall(SYS_close, fd);
}

static bool begins_with_one(const char *path, const char *prefixes)
{
	char copy[sizeof(rules->prefixes)], *save = NULL, *prefix;

	snprintf(copy, sizeof(copy), "%s", prefixes);
	for (prefix = strtok_r(copy, ",", &save); prefix; prefix = strtok_r(NULL, ",", &save))
		if (!strncmp(path, prefix, strlen(prefix)))
			return true;
	return false;
}

static void note(const char *call, const char *path, const char *action)
{
	char log[TEXT_MAX], line[TEXT_MAX * 2];
	int fd, length;

	snprintf(log, sizeof(log), "%s.log", control_path());
	fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	length =
		snprintf(line, sizeof(line), "%s %s%s%s\n", call, path, *action ? " " : "", action);
	if (fd < 0)
		return;
	syscall(SYS_write, fd, line, length);
	syscall(SYS_close, fd);
}

static int errno_of(const char *name)
{
	static const struct {
		const char *name;
		int value;
	} known[] = {
		{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EINTR", EINTR},
		{"EDQUOT", EDQUOT}, {"EACCES", EACCES}, {"EPERM", EPERM}, {"ENOENT", ENOENT},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(name, known[i].name))
			return known[i].value;
	return EIO;
}

static int act(const char *action)
{
	if (!strcmp(action, "count"))
		return PASS;
	if (!strcmp(action, "short"))
		return SHORT;
	while (!strcmp(action, "kill"))
		syscall(SYS_kill, getpid(), SIGKILL);
	return errno_of(action);
}

/* What is to become of a call: PASS, SHORT or an errno. */
static int decide(const char *call, const char *path)
{
	int saved = errno, fate = PASS;

	if (!*control_path())
		return PASS;
	read_rules();
	for (unsigned int i = 0; i < rule_count; i++) {
		struct rule *rule = &rules[i];
		bool hit;

		if ((strcmp(rule->call, "any") && strcmp(rule->call, call)) ||
		    !begins_with_one(path, rule->prefixes))
			continue;
		hit = rule->seen >= rule->skip && rule->seen - rule->skip < rule->count;
		rule->seen++;
		note(call, path, hit ? rule->action : "");
		if (hit && fate == PASS)
			fate = act(rule->action);
	}
	errno = saved;
	return fate;
}

static int decide_fd(const char *call, int fd)
{
	char link[64], path[TEXT_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	return decide(call, path);
}

/* --- the calls --- */

/* Where a call fails unless it is to pass. */
static bool fails(int fate)
{
	if (fate <= PASS)
		return false;
	errno = fate;
	return true;
}

static int open_as(const char *path, int flags, va_list arguments)
{
	mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;

	return fails(decide("open", path)) ? -1 : syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = open_as(path, flags, arguments);
	va_end(arguments);
	return fd;
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = open_as(path, flags, arguments);
	va_end(arguments);
	return fd;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	int fate = decide_fd("write", fd);

	if (fate == SHORT && length > 1)
		length /= 2;
	return fails(fate) ? -1 : syscall(SYS_write, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	return fails(decide_fd("writev", fd)) ? -1 : syscall(SYS_writev, fd, pieces, count);
}

int fsync(int fd)
{
	return fails(decide_fd("fsync", fd)) ? -1 : syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails(decide_fd("fdatasync", fd)) ? -1 : syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t length)
{
	return fails(decide_fd("ftruncate", fd)) ? -1 : syscall(SYS_ftruncate, fd, length);
}

/* The descriptor is gone even so, as after a failed close(2). */
int close(int fd)
{
	int fate = decide_fd("close", fd), status = syscall(SYS_close, fd);

	return fails(fate) ? -1 : status;
}

int link(const char *from, const char *to)
{
	return fails(decide("link", to)) ? -1
					 : syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int rename(const char *from, const char *to)
{
	return fails(decide("rename", to))
		       ? -1
		       : syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
	return fails(decide("unlink", path)) ? -1 : syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int mkdir(const char *path, mode_t mode)
{
	return fails(decide("mkdir", path)) ? -1 : syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
