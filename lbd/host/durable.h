/* SPDX-License-Identifier: BSD-2-Clause */
/* How does a file get to the disk whole, or not at all? By a temporary file, fsync, rename, and fsync
 * of the folder. Whoever is told of an error finds what was there before, also after a restart. */
#ifndef LB_HOST_DURABLE_H
#define LB_HOST_DURABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "../api/err.h"

#define DURABLE_PATH 512

/* The path of a file of the folder; an error where it is too long. */
int durable_path(const char *dir, const char *name, char out[DURABLE_PATH], struct lb_err *err);

/* The file has this text afterwards. The folder is made when missing. */
int durable_replace(const char *dir, const char *name, const char *text, bool *stuck,
		    struct lb_err *err);
/* What an lbd that was killed while it wrote `path` has left beside it goes. */
void durable_remove_left(const char *path);

/* --- parts of it, for who writes otherwise. 0 or -errno --- */
int durable_write(int fd, const char *text, size_t length);
int durable_sync_folder(const char *dir);
/* The error to show. `stuck`: the file holds what was refused. */
int durable_failed(const char *path, int error, bool stuck, struct lb_err *err);

#endif
