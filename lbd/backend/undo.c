/* SPDX-License-Identifier: BSD-2-Clause */
/* How is what was done to the host taken back, also by a process that did not do it? */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "command.h"
#include "undo.h"

#define LINE_MAX_BYTES 512

struct undo {
	FILE *file;
};

static int make_folder(const char *path)
{
	char copy[512];

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	return mkdir(dirname(copy), 0755) && errno != EEXIST ? -errno : 0;
}

/* A file of its own: the other one comes and goes. It stays, or two could hold it. */
int undo_lock(const char *path, struct lb_err *err)
{
	char lock[512];
	int status = make_folder(path), fd;

	if (status || snprintf(lock, sizeof(lock), "%s.lock", path) >= (int)sizeof(lock))
		return lb_err_set(err, LB_ERR_SYSTEM, "", "the folder of %s cannot be made: %s",
				  path, strerror(status ? -status : ENAMETOOLONG));
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	do
		status = fd < 0 ? -1 : flock(fd, LOCK_EX);
	while (fd >= 0 && status && errno == EINTR);
	if (!status)
		return 0;
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be locked: %s", lock, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -EINVAL;
}

struct undo *undo_open(const char *path, struct lb_err *err)
{
	struct undo *undo = calloc(1, sizeof(*undo));

	if (!undo) {
		lb_err_no_memory(err);
		return NULL;
	}
	undo->file = fopen(path, "ae");
	if (undo->file)
		return undo;
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be written: %s", path, strerror(errno));
	free(undo);
	return NULL;
}

void undo_close(struct undo *undo)
{
	if (undo)
		fclose(undo->file);
	free(undo);
}

int undo_note(struct undo *undo, struct lb_err *err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(undo->file, format, arguments);
	va_end(arguments);
	fputc('\n', undo->file);
	if (!fflush(undo->file))
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "", "what has to be taken back cannot be noted: %s",
			  strerror(errno));
}

bool undo_exists(const char *path)
{
	return !access(path, F_OK);
}

/* --- taking back --- */

struct lines {
	char (*line)[LINE_MAX_BYTES];
	size_t count;
};

/* A line that was cut off by a full disk says nothing. */
static int read_lines(const char *path, struct lines *lines)
{
	FILE *file = fopen(path, "re");
	char line[LINE_MAX_BYTES];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		char(*grown)[LINE_MAX_BYTES];

		if (!line[0] || line[strlen(line) - 1] != '\n')
			continue;
		line[strlen(line) - 1] = 0;
		grown = reallocarray(lines->line, lines->count + 1, sizeof(*grown));
		if (!grown)
			break;
		lines->line = grown;
		strcpy(lines->line[lines->count++], line);
	}
	fclose(file);
	return 0;
}

static void set_back(char *file_and_value)
{
	char *value = strchr(file_and_value, ' ');
	int fd;

	if (!value)
		return;
	*value++ = 0;
	fd = open(file_and_value, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		fprintf(stderr, "lbd-backend: warning: %s cannot be set back to %s: %s\n",
			file_and_value, value, strerror(errno));
	close(fd);
}

static void take_back(char *line, void (*detach)(const char *hook, const char *interface))
{
	char *rest = strchr(line, ' ');

	if (!rest)
		return;
	*rest++ = 0;
	if (!strcmp(line, "set"))
		set_back(rest);
	else if (!strcmp(line, "run"))
		command_run(rest, NULL);
	else
		detach(line, rest);
}

int undo_all(const char *path, void (*detach)(const char *hook, const char *interface),
	     struct lb_err *err)
{
	struct lines lines = {0};
	int status = read_lines(path, &lines);

	if (status == -ENOENT)
		return 0;
	if (status)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be read: %s", path,
				  strerror(-status));
	while (lines.count)
		take_back(lines.line[--lines.count], detach);
	free(lines.line);
	if (!unlink(path))
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be removed: %s", path,
			  strerror(errno));
}
