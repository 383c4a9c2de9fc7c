/* SPDX-License-Identifier: BSD-2-Clause */
/* Where is the service document kept, and the seed? In memory; what is kept on the machine is not
 * looked at. */
#include "simulate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../api/plain_file.h"
#include "../host/drained.h"
#include "../host/state.h"
#include "../plane/seed.h"

static json_t *read_json(const char *path, struct lb_err *err)
{
	json_t *document;
	json_error_t fault;

	if (strcmp(path, "-"))
		return plain_file_json(path, NULL, err);
	document = json_loadf(stdin, JSON_REJECT_DUPLICATES, &fault);
	if (!document)
		lb_err_set(err, LB_ERR_PARSE, "", "-:%d:%d: %s", fault.line, fault.column,
			   fault.text);
	return document;
}

static int read_services(const char *path, struct lb_service **out, struct lb_err *err)
{
	json_auto_t *document = read_json(path, err);
	struct lb_err inner = {0};

	if (!document)
		return -EINVAL;
	json_object_del(document, "digest"); /* of another lbd's document */
	if (!lb_service_from_json(document, out, &inner))
		return 0;
	lb_err_set(err, inner.code, inner.path, "%s: %s", path, inner.message);
	return *inner.hint ? lb_err_hint(err, "%s", inner.hint) : -EINVAL;
}

static int load(const char *state_dir, struct state_kept *kept, struct lb_service **out,
		struct state_revert *revert, struct lb_err *err)
{
	const char *services = simulated_options()->services;

	(void)state_dir;
	(void)kept;
	*revert = (struct state_revert){0};
	if (services)
		return read_services(services, out, err);
	*out = lb_service_new();
	return *out ? 0 : lb_err_no_memory(err);
}

static int save(const char *state_dir, struct state_kept *kept, const struct state_save *save_what,
		struct lb_err *err)
{
	(void)state_dir;
	(void)kept;
	(void)save_what;
	(void)err;
	return 0;
}

static bool has(const char *state_dir)
{
	(void)state_dir;
	return true;
}

static int keep_seed(const char *state_dir, const uint64_t seed[2], struct lb_err *err)
{
	(void)state_dir;
	(void)seed;
	(void)err;
	return 0;
}

const struct disk state_disk = {.load = load, .save = save, .has = has, .keep_seed = keep_seed};

int state_lock(const char *state_dir, int *fd, struct lb_err *err)
{
	(void)state_dir;
	(void)err;
	*fd = -1;
	return 0;
}

bool state_is_long(const struct state_kept *kept)
{
	(void)kept;
	return false;
}

int state_read_service(const char *state_dir, struct lb_service **out, struct state_revert *revert,
		       struct lb_err *err)
{
	return load(state_dir, NULL, out, revert, err);
}

int64_t drained_since(const char *state_dir)
{
	(void)state_dir;
	return 0;
}

int drained_set(const char *state_dir, int64_t since_ms, struct lb_err *err)
{
	(void)state_dir;
	(void)since_ms;
	(void)err;
	return 0;
}

/* Without one in lbd.json the same at each start, so that the same flows go to the same backends. */
int seed_find(struct config *config, bool reset, char *warning, size_t size, struct lb_err *err)
{
	(void)reset;
	(void)err;
	if (size)
		*warning = '\0';
	return seed_look(config, err);
}

int seed_look(struct config *config, struct lb_err *err)
{
	(void)err;
	if (config->seed_configured)
		return 0;
	config->seed[0] = 0x73696d756c617465;
	config->seed[1] = 1;
	return 0;
}
