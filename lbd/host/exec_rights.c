/* SPDX-License-Identifier: BSD-2-Clause */
/* Which commands may exec checks run, and as whom? */
#include "exec_rights.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BY_OTHERS (S_IWGRP | S_IWOTH)

int exec_rights_resolve(struct exec_rights *rights, struct lb_err *err)
{
	const struct passwd *user;

	if (!rights->folder[0])
		return 0;
	errno = 0;
	user = getpwnam(rights->user);
	if (!user) {
		lb_err_set(err, LB_ERR_SYSTEM, "exec_checks.user", "there is no user \"%s\"",
			   rights->user);
		return lb_err_hint(err, "make it, or name another user in lbd.json");
	}
	if (!user->pw_uid || !user->pw_gid) {
		lb_err_set(err, LB_ERR_PARAMS, "exec_checks.user",
			   "exec checks must not run as %s, whose %s number is 0", rights->user,
			   user->pw_uid ? "group" : "user");
		return lb_err_hint(err, "name a user without rights, such as nobody");
	}
	rights->uid = user->pw_uid;
	rights->gid = user->pw_gid;
	return 0;
}

/* --- what only root can change --- */

static int unsafe(const char *path, const char *why, struct lb_err *err)
{
	lb_err_set(err, LB_ERR_PARAMS, "", "exec checks cannot use %s: %s", path, why);
	return lb_err_hint(err, "the folder of exec checks, those above it and the commands in it "
				"must be root's, writable by nobody else, and no symbolic links");
}

static int look(const char *path, struct stat *out, struct lb_err *err)
{
	if (lstat(path, out))
		return unsafe(path, strerror(errno), err);
	if (S_ISLNK(out->st_mode))
		return unsafe(path, "it is a symbolic link", err);
	return out->st_uid ? unsafe(path, "it does not belong to root", err) : 0;
}

/* In a folder above, the sticky bit keeps others from exchanging what is root's (/tmp). */
static int check_folder(const char *path, bool above, struct lb_err *err)
{
	struct stat status;
	int error = look(path, &status, err);

	if (error)
		return error;
	if (!S_ISDIR(status.st_mode))
		return unsafe(path, "it is not a folder", err);
	if (status.st_mode & BY_OTHERS && !(above && status.st_mode & S_ISVTX))
		return unsafe(path, "others than root may write in it", err);
	return 0;
}

static int check_folders(const char *folder, struct lb_err *err)
{
	char part[sizeof(((struct exec_rights *)0)->folder)];
	int error = check_folder("/", true, err);

	for (const char *at = strchr(folder + 1, '/'); !error && at; at = strchr(at + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(at - folder), folder);
		error = check_folder(part, true, err);
	}
	return error ? error : check_folder(folder, false, err);
}

static int check_file(const char *path, struct lb_err *err)
{
	struct stat status;
	int error = look(path, &status, err);

	if (error)
		return error;
	if (!S_ISREG(status.st_mode))
		return unsafe(path, "it is not a regular file", err);
	if (status.st_mode & BY_OTHERS)
		return unsafe(path, "others than root may write to it", err);
	if (!(status.st_mode & S_IXOTH))
		return unsafe(path, "not everybody may execute it", err);
	return 0;
}

/* --- commands --- */

/* The name of the file in the folder, or NULL. */
static const char *name_in(const char *folder, const char *command)
{
	const size_t length = strlen(folder);
	const char *name = command;

	if (*command == '/') {
		if (strncmp(command, folder, length) || command[length] != '/')
			return NULL;
		name = command + length + 1;
	}
	return *name && strcmp(name, ".") && strcmp(name, "..") && !strchr(name, '/') ? name : NULL;
}

int exec_rights_find(const struct exec_rights *rights, const char *command, char *path,
		     struct lb_err *err)
{
	const char *name;
	int error;

	if (!rights->folder[0]) {
		lb_err_set(err, LB_ERR_PARAMS, "", "exec checks are off");
		return lb_err_hint(err, "the administrator of this balancer turns them on by "
					"exec_checks in lbd.json, see lbd.json(5)");
	}
	name = name_in(rights->folder, command);
	if (!name) {
		lb_err_set(err, LB_ERR_PARAMS, "", "%s is not a file in %s", command,
			   rights->folder);
		return lb_err_hint(err, "exec checks run files in that folder only, without "
					"folders below it");
	}
	error = check_folders(rights->folder, err);
	if (error)
		return error;
	if (snprintf(path, PATH_MAX, "%s/%s", rights->folder, name) >= PATH_MAX)
		return unsafe(command, "its path is too long", err);
	return check_file(path, err);
}
