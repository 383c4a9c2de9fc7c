/* SPDX-License-Identifier: BSD-2-Clause */
/* Which commands may exec checks run, and as whom? As lbd.json says (exec_checks): files in one
 * folder, as one user who is not root. Without it: none.
 *
 * Who may use lbd's socket chooses among these commands and their arguments, and has no say in what
 * they are: root alone may change the folder, the folders above it and the files in it.
 */
#ifndef LB_EXEC_RIGHTS_H
#define LB_EXEC_RIGHTS_H

#include <limits.h>
#include <sys/types.h>
#include "../api/err.h"

#define EXEC_USER_MAX 64

struct exec_rights {
	char folder[256]; /* absolute; "": exec checks are off */
	char user[EXEC_USER_MAX];
	uid_t uid;
	gid_t gid;
};

/* Fills in uid and gid by the user's name; nothing to do when the checks are off. */
int exec_rights_resolve(struct exec_rights *rights, struct lb_err *err);

/* The file of a check's command, the name of a file in the folder or its absolute path, into
 * path[PATH_MAX]. -EINVAL with the reason and a hint when it may not be run now. Looks at the file
 * system, and at nothing that others than root could exchange between this and execve(). */
int exec_rights_find(const struct exec_rights *rights, const char *command, char *path,
		     struct lb_err *err);

#endif
