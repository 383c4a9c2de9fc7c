/* SPDX-License-Identifier: BSD-2-Clause */
/* How do lines get to the journal, and back? */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../api/plain_file.h"
#include "durable.h"

#define HEAD 9 /* eight digits and a colon */

static uint32_t crc_of(uint32_t before, const char *text, size_t length)
{
	return crc32(before, (const Bytef *)text, length);
}

/* --- reading --- */

/* The whole file, to be freed, or NULL with errno. */
static char *read_all(const char *path, size_t *length)
{
	int fd = plain_file_open(path, O_RDONLY | O_NOFOLLOW);
	char *text = NULL;
	struct stat is;
	ssize_t n = 1;

	*length = 0;
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &is))
		text = malloc(is.st_size + 1);
	while (text && n > 0 && *length < (size_t)is.st_size) {
		n = read(fd, text + *length, is.st_size - *length);
		*length += n > 0 ? n : 0;
	}
	close(fd);
	if (n >= 0)
		return text;
	free(text);
	return NULL;
}

/* The CRC that a line of this length says is that of its text. */
static bool is_right(const char *line, size_t length, uint32_t *crc)
{
	char digits[HEAD] = "", *end;
	uint32_t said, is;

	if (length <= HEAD || line[HEAD - 1] != ':')
		return false;
	memcpy(digits, line, HEAD - 1);
	said = strtoul(digits, &end, 16);
	is = crc_of(*crc, line + HEAD, length - HEAD);
	if (end != digits + HEAD - 1 || said != is)
		return false;
	*crc = is;
	return true;
}

/* Whether the end of the file may be part of a line that was being written. What of it did not get to
 * the disk is missing, or reads as zeros. A whole line that is not right is something else. */
static bool is_torn(const char *line, size_t length)
{
	static const char zeros[2];

	return !line[0] || line[length - 1] != '\n' || memmem(line, length, zeros, sizeof(zeros));
}

/* Without its last byte it may be right even where that is damaged. */
static size_t line_length(const char *line, size_t left)
{
	const char *end = memchr(line, '\n', left);

	return end ? (size_t)(end - line) : left - 1;
}

static int bad_line(const char *path, size_t number, struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: line %zu is damaged", path,
			  number);
}

static int read_lines(const char *path, const char *text, size_t length, json_t *out,
		      struct journal_end *end, struct lb_err *err)
{
	while (end->length < length) {
		const char *line = text + end->length;
		size_t left = length - end->length, n = line_length(line, left);
		json_t *changes = NULL;

		if (is_right(line, n, &end->crc))
			changes = json_loadb(line + HEAD, n - HEAD, 0, NULL);
		else if (n + 1 == left && is_torn(line, left))
			break;
		if (json_array_append_new(out, changes))
			return bad_line(path, json_array_size(out) + 1, err);
		end->length += n + 1;
	}
	end->torn = end->length < length;
	return 0;
}

int journal_read(const char *path, uint32_t crc, json_t **out, struct journal_end *end,
		 struct lb_err *err)
{
	size_t length;
	char *text = read_all(path, &length);
	int error;

	*end = (struct journal_end){.crc = crc};
	if (!text)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", path,
				  plain_file_why(errno));
	*out = json_array();
	error = *out ? read_lines(path, text, length, *out, end, err) : lb_err_no_memory(err);
	free(text);
	if (!error)
		return 0;
	json_decref(*out);
	*out = NULL;
	return error;
}

/* --- writing --- */

/* The line, to be freed, or NULL. */
static char *line_of(const json_t *changes, uint32_t *crc)
{
	char *text = json_dumps(changes, JSON_COMPACT), *line = NULL;

	if (text) {
		*crc = crc_of(*crc, text, strlen(text));
		if (asprintf(&line, "%08x:%s\n", *crc, text) < 0)
			line = NULL;
	}
	free(text);
	return line;
}

static int add_line(int fd, const char *line, size_t length, const struct journal_end *end,
		    bool *stuck)
{
	struct stat is;
	int error;

	if (fstat(fd, &is) || (size_t)is.st_size != end->length)
		return -ESTALE;
	error = durable_write(fd, line, length);
	if (!error && fdatasync(fd))
		error = -errno;
	if (error)
		*stuck = ftruncate(fd, end->length) || fdatasync(fd);
	return error;
}

int journal_append(const char *path, const json_t *changes, struct journal_end *end, bool *stuck)
{
	uint32_t crc = end->crc;
	char *line = line_of(changes, &crc);
	size_t length = line ? strlen(line) : 0;
	int fd = plain_file_open(path, O_WRONLY | O_APPEND | O_NOFOLLOW);
	int error = line ? 0 : -ENOMEM;

	if (fd < 0 && !error)
		error = errno == ENOENT ? -ESTALE : -errno;
	if (!error)
		error = add_line(fd, line, length, end, stuck);
	if (fd >= 0)
		close(fd);
	free(line);
	if (error)
		return error;
	end->length += length;
	end->crc = crc;
	return 0;
}
