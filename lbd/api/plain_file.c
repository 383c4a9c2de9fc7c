/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a file opened that somebody else may have put there? */
#include "plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fault_of(int fd)
{
	struct stat is;

	if (fstat(fd, &is))
		return errno;
	if (S_ISREG(is.st_mode))
		return 0;
	return S_ISDIR(is.st_mode) ? EISDIR : ENXIO;
}

int plain_file_open(const char *path, int flags)
{
	const int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	const int fault = fd < 0 ? errno : fault_of(fd);

	if (fd >= 0 && fault)
		close(fd);
	errno = fault;
	return fault ? -1 : fd;
}

FILE *plain_file_read(const char *path)
{
	const int fd = plain_file_open(path, O_RDONLY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

const char *plain_file_why(int error)
{
	return error == ENXIO ? "it is not a file" : strerror(error);
}

static FILE *open_json(const char *path, const char *missing_hint, struct lb_err *err)
{
	FILE *file = plain_file_read(path);
	const int fault = errno;

	if (file)
		return file;
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s: %s", path, plain_file_why(fault));
	if (fault == ENOENT && missing_hint)
		lb_err_hint(err, "%s", missing_hint);
	return NULL;
}

json_t *plain_file_json(const char *path, const char *missing_hint, struct lb_err *err)
{
	FILE *file = open_json(path, missing_hint, err);
	json_t *document;
	json_error_t fault;

	if (!file)
		return NULL;
	document = json_loadf(file, JSON_REJECT_DUPLICATES, &fault);
	fclose(file);
	if (!document)
		lb_err_set(err, LB_ERR_PARSE, "", "%s:%d:%d: %s", path, fault.line, fault.column,
			   fault.text);
	return document;
}
