/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a list of prefixes kept on disk? */
#include "list_file.h"

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

#define HEAD "lbd-list 1 "
#define LINE_MAX_BYTES (LB_PREFIX_TEXT + 16)

/* --- text --- */

struct text {
	char *bytes;
	size_t length, room;
	uint32_t crc;
};

static int add_text(struct text *text, const char *line)
{
	const size_t length = strlen(line);
	char *bytes;

	if (text->length + length + 1 > text->room) {
		text->room = 2 * (text->room + length + 64);
		bytes = realloc(text->bytes, text->room);
		if (!bytes)
			return -ENOMEM;
		text->bytes = bytes;
	}
	memcpy(text->bytes + text->length, line, length + 1);
	text->length += length;
	text->crc = crc32(text->crc, (const void *)line, length);
	return 0;
}

static int add_head(struct text *text, const struct list_head *head)
{
	char line[64], vip[LB_ENDPOINT_TEXT];
	int error;

	snprintf(line, sizeof(line), HEAD "%s %s", head->allow ? "allow" : "block",
		 head->monitor ? "monitor" : "drop");
	error = add_text(text, line);
	for (size_t i = 0; !error && i < head->vip_count; i++) {
		error = add_text(text, " ");
		if (!error)
			error = add_text(text, lb_endpoint_format(&head->vips[i], vip));
	}
	return error ? error : add_text(text, "\n");
}

static int add_changes(struct text *text, const struct list_change *changes, size_t count)
{
	char line[LINE_MAX_BYTES], prefix[LB_PREFIX_TEXT];
	int error = 0;

	for (size_t i = 0; !error && i < count; i++) {
		lb_prefix_format(&changes[i].prefix, prefix);
		if (changes[i].gone)
			snprintf(line, sizeof(line), "-%s\n", prefix);
		else
			snprintf(line, sizeof(line), "+%s %u\n", prefix, changes[i].until_s);
		error = add_text(text, line);
	}
	snprintf(line, sizeof(line), "=%zu %08x\n", count, text->crc);
	return error ? error : add_text(text, line);
}

/* --- reading --- */

static bool parse_vips(char *words, struct list_head *out)
{
	char *rest;

	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (out->vip_count == LIST_VIPS_MAX ||
		    lb_endpoint_parse(word, &out->vips[out->vip_count++], NULL))
			return false;
	}
	return true;
}

/* Writes into the line. */
static bool parse_head(char *line, struct list_head *out)
{
	char kind[8], mode[8], *end = strchr(line, '\n');
	int length = 0;

	if (!end || sscanf(line, HEAD "%7s %7s%n", kind, mode, &length) != 2)
		return false;
	*end = '\0';
	*out = (struct list_head){.allow = !strcmp(kind, "allow"),
				  .monitor = !strcmp(mode, "monitor")};
	return (out->allow || !strcmp(kind, "block")) && (out->monitor || !strcmp(mode, "drop")) &&
	       parse_vips(line + length, out);
}

static bool parse_change(char *line, struct list_change *out)
{
	char *end = strpbrk(line, " \n");

	*out = (struct list_change){.gone = *line == '-'};
	if ((*line != '+' && *line != '-') || !end)
		return false;
	if (!out->gone) {
		if (*end != ' ' || sscanf(end, " %u\n", &out->until_s) != 1)
			return false;
	}
	*end = '\0';
	return !lb_prefix_parse(line + 1, &out->prefix, NULL);
}

/* Changes up to a line that acknowledges them. */
struct batch {
	struct list_change *changes;
	size_t count, room;
};

static int keep(struct batch *batch, const struct list_change *change)
{
	void *changes;

	if (batch->count == batch->room) {
		batch->room = 2 * batch->room + 64;
		changes = reallocarray(batch->changes, batch->room, sizeof(*batch->changes));
		if (!changes)
			return -ENOMEM;
		batch->changes = changes;
	}
	batch->changes[batch->count++] = *change;
	return 0;
}

static bool is_acknowledged(const char *line, size_t count, uint32_t crc)
{
	size_t said;
	uint32_t sum;
	char end;

	return sscanf(line, "=%zu %8x%c", &said, &sum, &end) == 3 && end == '\n' && said == count &&
	       sum == crc;
}

static int tell(struct batch *batch, int (*each)(void *user, const struct list_change *change),
		void *user)
{
	int error = 0;

	for (size_t i = 0; !error && i < batch->count; i++)
		error = each(user, &batch->changes[i]);
	return error;
}

/* One line after the other. 1: the next one; 0: what follows was not acknowledged; or -errno. */
static int take_line(char *line, size_t length, struct batch *batch, struct list_end *at,
		     struct list_end *end,
		     int (*each)(void *user, const struct list_change *change), void *user)
{
	struct list_change change;
	int error;

	if (line[length - 1] != '\n')
		return 0;
	if (*line == '=') {
		if (!is_acknowledged(line, batch->count, at->crc))
			return 0;
		error = tell(batch, each, user);
		if (error)
			return error;
		at->changes += batch->count;
		batch->count = 0;
	}
	at->crc = crc32(at->crc, (const void *)line, length);
	at->length += length;
	if (*line == '=') {
		*end = *at;
		return 1;
	}
	if (!parse_change(line, &change))
		return 0;
	error = keep(batch, &change);
	return error ? error : 1;
}

/* What is broken off is one change, the last: behind the line that would acknowledge it is nothing. */
static bool is_last(FILE *file, char **line, size_t *room, ssize_t length)
{
	while (length > 0 && **line != '=')
		length = getline(line, room, file);
	return length <= 0 || getline(line, room, file) <= 0;
}

static int read_lines(FILE *file, struct list_head *head,
		      int (*each)(void *user, const struct list_change *change), void *user,
		      struct list_end *end, enum list_tail *tail)
{
	struct list_end at = {0};
	struct batch batch = {0};
	char *line = NULL;
	size_t room = 0, first;
	ssize_t length = getline(&line, &room, file);
	int ret;

	if (length > 0) {
		at.crc = crc32(0, (const void *)line, length);
		at.length = length;
	}
	ret = length > 0 && parse_head(line, head) ? 1 : -EBADMSG;
	*end = ret == 1 ? at : (struct list_end){0};
	first = end->length;
	while (ret == 1 && (length = getline(&line, &room, file)) > 0)
		ret = take_line(line, length, &batch, &at, end, each, user);
	*tail = ret == 1 && !batch.count ? LIST_WHOLE : LIST_BROKEN_OFF;
	if (ret == 0 && !is_last(file, &line, &room, length))
		*tail = LIST_DAMAGED;
	if (ret >= 0 &&
	    end->length == first) /* it was written with the head, and is there with it */
		ret = -EILSEQ;
	free(batch.changes);
	free(line);
	return ret < 0 ? ret : 0;
}

static int failed(const char *path, int error, struct lb_err *err)
{
	return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read the list %s: %s", path,
			  error == -EBADMSG  ? "it is no file of a list"
			  : error == -EILSEQ ? "it is damaged"
					     : plain_file_why(-error));
}

int list_file_read(const char *path, struct list_head *head,
		   int (*each)(void *user, const struct list_change *change), void *user,
		   struct list_end *end, enum list_tail *tail, struct lb_err *err)
{
	FILE *file = plain_file_read(path);
	int error;

	if (!file)
		return failed(path, -errno, err);
	error = read_lines(file, head, each, user, end, tail);
	fclose(file);
	return error ? failed(path, error, err) : 0;
}

/* --- writing --- */

/* What follows the end was not acknowledged. */
static int append(const char *path, const struct text *text, size_t at)
{
	const int fd = plain_file_open(path, O_WRONLY | O_NOFOLLOW);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, at) || lseek(fd, at, SEEK_SET) < 0)
		error = -errno;
	if (!error)
		error = durable_write(fd, text->bytes, text->length);
	if (!error && fdatasync(fd))
		error = -errno;
	if (error && ftruncate(fd, at))
		error = -EIO; /* the next one cuts it off */
	close(fd);
	return error;
}

int list_file_append(const char *path, const struct list_change *changes, size_t count,
		     struct list_end *end, struct lb_err *err)
{
	struct text text = {.crc = end->crc};
	int error = add_changes(&text, changes, count);

	if (!error)
		error = append(path, &text, end->length);
	if (!error) {
		end->length += text.length;
		end->crc = text.crc;
		end->changes += count;
	}
	free(text.bytes);
	return error ? durable_failed(path, error, false, err) : 0;
}

void list_file_cut(const char *path, const struct list_end *end)
{
	const int fd = plain_file_open(path, O_WRONLY | O_NOFOLLOW);

	if (fd < 0)
		return;
	if (!ftruncate(fd, end->length))
		fdatasync(fd);
	close(fd); /* else the next change cuts it off */
}

int list_file_replace(const char *dir, const char *name, const struct list_head *head,
		      const struct list_change *changes, size_t count, struct list_end *end,
		      struct lb_err *err)
{
	struct text text = {0};
	bool stuck = false;
	int error = add_head(&text, head);

	if (!error)
		error = add_changes(&text, changes, count);
	error = error ? lb_err_no_memory(err) : durable_replace(dir, name, text.bytes, &stuck, err);
	if (!error)
		*end = (struct list_end){text.length, text.crc, count};
	free(text.bytes);
	return error;
}
