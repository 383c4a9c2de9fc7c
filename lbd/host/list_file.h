/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a list of prefixes kept on disk? A file for each, to whose end changes are added:
 *
 *   lbd-list 1 block drop
 *   +192.0.2.0/24 0
 *   -198.51.100.7/32
 *   =2 1b2c3d4e
 *
 * VIPs that it is for, where it is not for all, follow in the first line, as 192.0.2.1:443/tcp.
 *
 * "+" has the second since 1970 when the prefix leaves the list, 0: never. Changes that belong together end with
 * "=", their number and the CRC-32 of all of the file before that line. What has no such line was not acknowledged,
 * and is left out. A whole list is put in the place of another by a rename. */
#ifndef LB_HOST_LIST_FILE_H
#define LB_HOST_LIST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../api/addr.h"

#define LIST_VIPS_MAX 64u

struct list_head {
	bool allow;       /* else it blocks */
	bool monitor;     /* it counts, and drops nothing */
	size_t vip_count; /* 0: it is for all VIPs */
	struct lb_endpoint vips[LIST_VIPS_MAX];
};

struct list_change {
	struct lb_prefix prefix;
	uint32_t until_s; /* since 1970; 0: for good */
	bool gone;
};

/* Where the next changes go. */
struct list_end {
	size_t length;
	uint32_t crc;
	size_t changes; /* in the file, those that are gone by now included */
};

/* What follows that which was told. */
enum list_tail {
	LIST_WHOLE,      /* nothing */
	LIST_BROKEN_OFF, /* the last change, which was not acknowledged */
	LIST_DAMAGED,    /* changes that were acknowledged */
};

/* Everything that was acknowledged, in order, and can be read. 0, or an error: it is no file of a list, or
 * damaged from its first change on, and nothing was told. */
int list_file_read(const char *path, struct list_head *head,
		   int (*each)(void *user, const struct list_change *change), void *user,
		   struct list_end *end, enum list_tail *tail, struct lb_err *err);
/* On disk when 0 is returned; else the file says what it said before. */
int list_file_append(const char *path, const struct list_change *changes, size_t count,
		     struct list_end *end, struct lb_err *err);
/* What was appended to it behind this end goes again, as far as the disk allows. */
void list_file_cut(const char *path, const struct list_end *end);
/* A file of its own, or in the place of the one that is there. */
int list_file_replace(const char *dir, const char *name, const struct list_head *head,
		      const struct list_change *changes, size_t count, struct list_end *end,
		      struct lb_err *err);

#endif
