/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a file get to the disk whole, or not at all? */
#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../api/plain_file.h"

int durable_path(const char *dir, const char *name, char out[DURABLE_PATH], struct lb_err *err)
{
	if (snprintf(out, DURABLE_PATH, "%s/%s", dir, name) < DURABLE_PATH)
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "state_dir", "the path of %s is too long", name);
}

int durable_write(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		length -= n;
	}
	return 0;
}

int durable_sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = fsync(fd) ? -errno : 0;
	close(fd);
	return error;
}

static int write_file(const char *path, const char *text)
{
	int fd = plain_file_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW), error;

	if (fd < 0)
		return -errno;
	error = durable_write(fd, text, strlen(text));
	if (!error && fsync(fd))
		error = -errno;
	if (close(fd) && !error)
		error = -errno;
	return error;
}

/* The second name of what was there before, and that of what is to be there. */
#define OLD_SUFFIX ".old"
#define NEW_SUFFIX ".new"
#define SUFFIX_LENGTH 4

/* What could not be made durable goes away again, as durably as the disk allows. */
static int take_back(const char *dir, const char *path, const char *before, bool existed)
{
	if (existed ? rename(before, path) : unlink(path))
		return -errno;
	durable_sync_folder(dir);
	return 0;
}

/* The whole text of a file, to be freed, or NULL. */
static char *read_text(const char *path)
{
	FILE *file = plain_file_read(path);
	char *text = NULL;
	size_t room = 0;
	bool whole;

	if (!file)
		return NULL;
	whole = getdelim(&text, &room, '\0', file) > 0 && feof(file) && !ferror(file);
	fclose(file);
	if (whole)
		return text;
	free(text);
	return NULL;
}

/* Gives the file a second name. A file that is neither lbd's own nor writable for it gets none
 * (fs.protected_hardlinks), and is copied. -ENOENT: there is no file. */
static int keep_before(const char *path, const char *before)
{
	int error = link(path, before) ? -errno : 0;
	char *text;

	if (!error || error == -ENOENT)
		return error;
	text = read_text(path);
	if (text && !write_file(before, text))
		error = 0;
	else
		unlink(before);
	free(text);
	return error;
}

/* Gives `path` what `temporary` holds. When that cannot be made durable it is taken back: whoever
 * is told of an error must find what was there before, also after a restart. *stuck: not even that
 * could be done. */
static int swap_in(const char *dir, const char *path, const char *temporary, bool *stuck)
{
	char before[DURABLE_PATH + SUFFIX_LENGTH];
	bool existed;
	int error;

	snprintf(before, sizeof(before), "%s" OLD_SUFFIX, path);
	unlink(before);
	error = keep_before(path, before);
	if (error && error != -ENOENT)
		return error;
	existed = !error;
	if (rename(temporary, path)) {
		error = -errno;
		unlink(before); /* renaming it to its other name would do nothing */
		return error;
	}
	error = durable_sync_folder(dir);
	if (error)
		*stuck = take_back(dir, path, before, existed);
	else
		unlink(before);
	return error;
}

int durable_failed(const char *path, int error, bool stuck, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_SYSTEM, "", "cannot write %s: %s", path, plain_file_why(-error));
	if (stuck)
		return lb_err_hint(err,
				   "nothing was changed, but the file holds what was refused, and "
				   "could not be put back: repair the folder and make any change "
				   "before lbd is restarted");
	return lb_err_hint(err,
			   "nothing was changed; make room or repair the folder, then try again");
}

int durable_replace(const char *dir, const char *name, const char *text, bool *stuck,
		    struct lb_err *err)
{
	char path[DURABLE_PATH], temporary[DURABLE_PATH + SUFFIX_LENGTH];
	int error = durable_path(dir, name, path, err);

	*stuck = false;
	if (error)
		return error;
	snprintf(temporary, sizeof(temporary), "%s" NEW_SUFFIX, path);
	if (mkdir(dir, 0750) && errno != EEXIST)
		error = -errno;
	if (!error)
		error = write_file(temporary, text);
	if (!error)
		error = swap_in(dir, path, temporary, stuck);
	if (!error)
		return 0;
	unlink(temporary);
	return durable_failed(path, error, *stuck, err);
}

void durable_remove_left(const char *path)
{
	char left[DURABLE_PATH + SUFFIX_LENGTH];

	snprintf(left, sizeof(left), "%s" NEW_SUFFIX, path);
	unlink(left);
	snprintf(left, sizeof(left), "%s" OLD_SUFFIX, path);
	unlink(left);
}
