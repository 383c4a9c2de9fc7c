/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a file opened that somebody else may have put there? Whoever opens a FIFO waits for the other end, perhaps
 * for ever, and a device may answer in other ways: these are refused at once. */
#ifndef LB_PLAIN_FILE_H
#define LB_PLAIN_FILE_H

#include <jansson.h>
#include <stdio.h>

#include "err.h"

/* As open(), of what is made, with mode 0600. The descriptor, or -1 with errno: EISDIR for a folder, ENXIO for all
 * else that is not a file. */
int plain_file_open(const char *path, int flags);
/* For reading. NULL with errno as above. */
FILE *plain_file_read(const char *path);
/* In words, to be used at once. */
const char *plain_file_why(int error);
/* JSON, read whole; an error names the file, and line and column of a syntax error. `missing_hint`, or NULL, is for a
 * file that is not there. NULL: `err`. */
json_t *plain_file_json(const char *path, const char *missing_hint, struct lb_err *err);

#endif
