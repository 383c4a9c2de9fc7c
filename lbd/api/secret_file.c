/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a file read that its owner alone may read? */
#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot_read(const char *path, int error, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be read: %s", path, strerror(error));
	return error == EPERM ? -EACCES : -error;
}

static int check_mode(const char *path, int fd, struct lb_err *err)
{
	struct stat found;

	if (fstat(fd, &found))
		return cannot_read(path, errno, err);
	if (S_ISREG(found.st_mode) && !(found.st_mode & 077) &&
	    (!found.st_uid || found.st_uid == geteuid()))
		return 0;
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s is not a file that its owner alone may read", path);
	return -EPERM;
}

/* What follows a NUL would not be looked at, and the file not be what it seems to be. */
static int check_text(const char *path, const char *text, size_t length, struct lb_err *err)
{
	if (!memchr(text, 0, length))
		return 0;
	lb_err_set(err, LB_ERR_PARSE, "", "%s is not a text file: it has a NUL byte", path);
	return -EILSEQ;
}

int secret_file_read(const char *path, char *text, size_t size, struct lb_err *err)
{
	/* A FIFO in its place would have us wait for who writes to it. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t length;
	int error;

	memset(text, 0, size);
	if (fd < 0)
		return cannot_read(path, errno, err);
	error = check_mode(path, fd, err);
	if (!error) {
		length = read(fd, text, size - 1);
		if (length < 0)
			error = cannot_read(path, errno, err);
		else
			error = check_text(path, text, (size_t)length, err);
	}
	close(fd);
	return error;
}

int secret_file_hint(const char *path, const char *copies, struct lb_err *err)
{
	const char *name = strrchr(path, '/');

	return lb_err_hint(err, "%s: (umask 077; mkdir -p %.*s; openssl rand -hex 16 >%s)", copies,
			   name ? (int)(name - path) + !(name - path) : 1, name ? path : ".", path);
}
