/* SPDX-License-Identifier: BSD-2-Clause */
/* What takes back what was done to this host: lines in a file of /run, written as it was done.
 *
 *	begin                   the first line
 *	set FILE VALUE          a setting had this value
 *	run COMMAND             a command that takes it away
 *	xdp INTERFACE           a program is attached
 *	tc INTERFACE            the same
 *	clsact INTERFACE        the same, where TC had nothing before
 *	end                     the last line, once "up" is over
 *
 * A host that starts again has nothing of it, and no file. */
#ifndef BACKEND_UNDO_H
#define BACKEND_UNDO_H

#include <stdbool.h>
#include "../api/err.h"

struct undo; /* an open file */

/* Waits until no other process sets up or takes back what stands in `path`. It holds until this
 * process ends. Makes the folder of `path`, too. Returns 0, or -EINVAL with *err. */
int undo_lock(const char *path, struct lb_err *err);

/* NULL: *err says why. */
struct undo *undo_open(const char *path, struct lb_err *err);
void undo_close(struct undo *undo);

/* Adds a line. Returns 0, or -EINVAL with *err. */
int undo_note(struct undo *undo, struct lb_err *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool undo_exists(const char *path);

/* Returns 0, or -EINVAL with *err: what stands in the file may not be all that was done. No file is
 * fine. */
int undo_check(const char *path, struct lb_err *err);

/* Carries out the lines, the last one first, and removes the file. What is gone already is fine.
 * `detach` is called for programs. A damaged file is an error, and stays; one without its end is warned
 * of. */
int undo_all(const char *path, void (*detach)(const char *hook, const char *interface),
	     struct lb_err *err);

#endif
