/* SPDX-License-Identifier: BSD-2-Clause */
/* How is the file of the SYN guard's secrets read? */
#include "guard_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 32
#define FILE_MAX_BYTES 256

static int cannot_read(const char *path, int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be read: %s", path, strerror(error));
	return error == ENOENT ? lb_err_hint(err,
					     "make one, and copy it to all balancers and "
					     "backends: (umask 077; openssl rand -hex 16 >%s)",
					     path)
			       : -EINVAL;
}

static int check_mode(const char *path, int fd, struct lb_err *err)
{
	struct stat found;

	if (fstat(fd, &found))
		return cannot_read(path, errno, err);
	if (S_ISREG(found.st_mode) && !(found.st_mode & 077))
		return 0;
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s is not a file that its owner alone may read", path);
	return lb_err_hint(err,
			   "chmod 600 %s; who could read it can forge cookies: make another "
			   "secret",
			   path);
}

static int wrong(const char *path, struct lb_err *err)
{
	/* The text is not repeated: it may be a real secret with a typing error. */
	lb_err_set(err, LB_ERR_PARSE, "",
		   "%s does not have one or two lines of exactly %d hex digits, not all of them 0",
		   path, DIGITS);
	return lb_err_hint(err, "make a line with: openssl rand -hex 16");
}

static int parse_line(const char *line, size_t length, uint64_t key[2])
{
	char half[DIGITS / 2 + 1] = "";

	if (length != DIGITS || strspn(line, "0123456789abcdefABCDEF") < DIGITS)
		return -EINVAL;
	memcpy(half, line, DIGITS / 2);
	key[0] = strtoull(half, NULL, 16);
	key[1] = strtoull(line + DIGITS / 2, NULL, 16);
	return key[0] || key[1] ? 0 : -EINVAL;
}

static int parse(const char *path, const char *text, struct guard_secret *out, struct lb_err *err)
{
	while (*text) {
		const size_t length = strcspn(text, "\n");

		if (out->count == GUARD_SECRETS || parse_line(text, length, out->key[out->count]))
			return wrong(path, err);
		out->count++;
		text += length;
		text += *text == '\n';
	}
	return out->count ? 0 : wrong(path, err);
}

int guard_secret_read(const char *path, struct guard_secret *out, struct lb_err *err)
{
	/* A FIFO in its place would have us wait for who writes to it. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[FILE_MAX_BYTES] = "";
	ssize_t size;
	int status;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return cannot_read(path, errno, err);
	status = check_mode(path, fd, err);
	if (!status) {
		size = read(fd, text, sizeof(text) - 1);
		status = size < 0 ? cannot_read(path, errno, err) : parse(path, text, out, err);
	}
	close(fd);
	explicit_bzero(text, sizeof(text));
	return status;
}
