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
	if (undo->file && !undo_note(undo, err, "begin"))
		return undo;
	if (undo->file)
		unlink(path);
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be written: %s", path, strerror(errno));
	undo_close(undo);
	return NULL;
}

void undo_close(struct undo *undo)
{
	if (undo && undo->file)
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
	bool ended;
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

static bool is_known(const char *line)
{
	static const char *const words[] = {"set ", "run ", "xdp ", "tc ", "clsact "};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strncmp(line, words[i], strlen(words[i])))
			return true;
	return false;
}

static int damaged(const char *path, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s is damaged: what up did cannot be taken away", path);
	return lb_err_hint(err, "Start the host again; or take it away by hand, as lbd-backend(8) "
				"says in FILES, and remove the file.");
}

static int cut_off(const char *path, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "",
		   "%s has no end: up was interrupted, or the file lacks what it did last", path);
	return lb_err_hint(err, "Run lbd-backend up again; what the file lacks stays until the "
				"host starts again.");
}

static int check_lines(const char *path, struct lines *lines, struct lb_err *err)
{
	if (!lines->count || strcmp(lines->line[0], "begin"))
		return damaged(path, err);
	lines->ended = !strcmp(lines->line[lines->count - 1], "end");
	lines->count -= lines->ended;
	for (size_t i = 1; i < lines->count; i++)
		if (!is_known(lines->line[i]))
			return damaged(path, err);
	return 0;
}

/* -ENOENT, without *err: there is no file. */
static int read_checked(const char *path, struct lines *lines, struct lb_err *err)
{
	const int status = read_lines(path, lines);

	if (status == -ENOENT)
		return status;
	if (status)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be read: %s", path,
				  strerror(-status));
	return check_lines(path, lines, err);
}

int undo_check(const char *path, struct lb_err *err)
{
	struct lines lines = {0};
	const int status = read_checked(path, &lines, err);

	free(lines.line);
	if (status)
		return status == -ENOENT ? 0 : status;
	return lines.ended ? 0 : cut_off(path, err);
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
	const int status = read_checked(path, &lines, err);

	if (!status && !lines.ended) {
		cut_off(path, err);
		fprintf(stderr, "lbd-backend: warning: %s\n", err->message);
	}
	while (!status && lines.count)
		take_back(lines.line[--lines.count], detach);
	free(lines.line);
	if (status)
		return status == -ENOENT ? 0 : status;
	if (!unlink(path))
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "", "%s cannot be removed: %s", path,
			  strerror(errno));
}
