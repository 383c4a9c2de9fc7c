/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this node out of service, on purpose? */
#include "drained.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "../api/plain_file.h"
#include "durable.h"

#define FILE_NAME "drained"

int64_t drained_since(const char *state_dir)
{
	char path[DURABLE_PATH];
	int64_t since_ms = 1;
	FILE *file;

	if (durable_path(state_dir, FILE_NAME, path, NULL))
		return 0;
	durable_remove_left(path);
	file = plain_file_read(path);
	if (!file)
		return errno == ENOENT ? 0 : since_ms;
	if (fscanf(file, "%" SCNd64, &since_ms) != 1 || since_ms <= 0)
		since_ms = 1;
	fclose(file);
	return since_ms;
}

static int remove_file(const char *state_dir, struct lb_err *err)
{
	char path[DURABLE_PATH];
	int error = durable_path(state_dir, FILE_NAME, path, err);

	if (error)
		return error;
	if (unlink(path) && errno != ENOENT)
		return durable_failed(path, -errno, false, err);
	error = durable_sync_folder(state_dir);
	return error ? durable_failed(path, error, false, err) : 0;
}

int drained_set(const char *state_dir, int64_t since_ms, struct lb_err *err)
{
	char text[32];
	bool stuck;

	if (!since_ms)
		return remove_file(state_dir, err);
	snprintf(text, sizeof(text), "%" PRId64 "\n", since_ms);
	return durable_replace(state_dir, FILE_NAME, text, &stuck, err);
}
