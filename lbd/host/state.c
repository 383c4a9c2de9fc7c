/* SPDX-License-Identifier: BSD-2-Clause */
/* How does what lbd was told survive lbd? */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "config.h"
#include "durable.h"

int state_lock(const char *state_dir, int *fd, struct lb_err *err)
{
	char path[DURABLE_PATH];
	int error = durable_path(state_dir, "lock", path, err);

	if (error)
		return error;
	mkdir(state_dir, 0750); /* what is wrong with it, opening the file tells */
	*fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return lb_err_set(err, LB_ERR_SYSTEM, "state_dir", "cannot open %s: %s", path,
				  strerror(errno));
	if (!flock(*fd, LOCK_EX | LOCK_NB))
		return 0;
	lb_err_set(err, LB_ERR_REFUSED, "state_dir", "another lbd keeps its state in %s",
		   state_dir);
	return lb_err_hint(err, "stop it first, or give this one a state_dir of its own");
}

/* --- the service document --- */

static int of_newer(const char *path, struct lb_err *err)
{
	return lb_err_hint(err,
			   "%s was left as it is: start the newer lbd that wrote it, or put a copy "
			   "from before back",
			   path);
}

static int damaged(const char *path, struct lb_err *err)
{
	return lb_err_hint(
		err,
		"%s was left as it is: repair it, or put a copy in its place: {\"format\": "
		"%d, \"document\": …}, where … is what \"lbctl config export\" printed; or "
		"stop forwarding by \"lbd --detach\", move it away, and start with no VIPs",
		path, LB_STATE_FORMAT_UNCHECKED);
}

static int read_document(const json_t *object, struct lb_service **out, struct lb_err *err)
{
	int error = lb_service_from_json(object, out, err);

	if (error)
		lb_err_prefix(err, "document");
	return error;
}

static int read_revert(const json_t *object, struct state_revert *out, struct lb_err *err)
{
	const json_t *document, *at, *boot, *boot_at, *how_long;
	const struct lb_json_field fields[] = {
		{"document", LB_JSON_OBJECT, true, &document},
		{"at", LB_JSON_INTEGER, true, &at},
		{"boot", LB_JSON_STRING, false, &boot},
		{"boot_at", LB_JSON_INTEGER, false, &boot_at},
		{"for", LB_JSON_INTEGER, false, &how_long},
		{NULL, 0, false, NULL},
	};
	int error;

	if (!object)
		return 0;
	error = lb_json_fields(object, fields, err);
	if (!error)
		error = lb_json_integer(at, "at", 0, INT64_MAX, &out->at_s, err);
	if (!error && boot_at)
		error = lb_json_integer(boot_at, "boot_at", 0, INT64_MAX, &out->boot_at_s, err);
	if (!error && how_long)
		error = lb_json_integer(how_long, "for", 0, INT64_MAX, &out->for_s, err);
	if (!error && boot && boot_at)
		snprintf(out->boot, sizeof(out->boot), "%s", json_string_value(boot));
	if (!error)
		error = read_document(document, &out->document, err);
	if (error)
		lb_err_prefix(err, "revert");
	return error;
}

/* First of all: what else another format holds is not for this lbd to find fault with. */
static int check_format(const json_t *format, struct lb_err *err)
{
	if (!json_is_integer(format) || (json_integer_value(format) >= LB_STATE_FORMAT_UNCHECKED &&
					 json_integer_value(format) <= LB_STATE_FORMAT_POOLS))
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "format",
			  "this lbd reads formats %d to %d, not %" JSON_INTEGER_FORMAT,
			  LB_STATE_FORMAT_UNCHECKED, LB_STATE_FORMAT_POOLS,
			  json_integer_value(format));
}

/* Of all fields but "checksum", into out; false without memory. */
static bool checksum(const json_t *root, char out[9])
{
	json_auto_t *rest = json_copy((json_t *)root);
	char *text;

	json_object_del(rest, "checksum");
	text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return false;
	snprintf(out, 9, "%08lx", crc32(0, (const Bytef *)text, strlen(text)));
	free(text);
	return true;
}

/* Before the fields are looked at: what was damaged may read as something else that makes sense. */
static int check_checksum(const json_t *root, struct lb_err *err)
{
	const json_t *kept = json_object_get(root, "checksum");
	char computed[9];

	if (!kept &&
	    json_integer_value(json_object_get(root, "format")) == LB_STATE_FORMAT_UNCHECKED)
		return 0;
	if (!json_is_string(kept))
		return lb_err_set(err, LB_ERR_SYSTEM, "checksum", "checksum is missing");
	if (!checksum(root, computed))
		return lb_err_no_memory(err);
	if (!strcmp(json_string_value(kept), computed))
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "checksum",
			  "the checksum does not match the content: the file is damaged, or was "
			  "edited by hand (then set format to %d and remove checksum)",
			  LB_STATE_FORMAT_UNCHECKED);
}

static int read_state(const json_t *root, struct lb_service **out, struct state_revert *revert,
		      struct lb_err *err)
{
	const json_t *format, *kept, *document, *back;
	const struct lb_json_field fields[] = {
		{"format", LB_JSON_INTEGER, true, &format},
		{"checksum", LB_JSON_STRING, false, &kept},
		{"document", LB_JSON_OBJECT, true, &document},
		{"revert", LB_JSON_OBJECT, false, &back},
		{NULL, 0, false, NULL},
	};
	int error = check_format(json_object_get(root, "format"), err);

	if (!error)
		error = check_checksum(root, err);
	if (!error)
		error = lb_json_fields(root, fields, err);
	if (!error)
		error = read_revert(back, revert, err);
	if (!error)
		error = read_document(document, out, err);
	if (error) {
		lb_service_free(revert->document);
		revert->document = NULL;
	}
	return error;
}

bool state_has_service(const char *state_dir)
{
	char path[DURABLE_PATH];

	return durable_path(state_dir, "service.json", path, NULL) || !access(path, F_OK) ||
	       errno != ENOENT;
}

int state_read_service(const char *state_dir, struct lb_service **out, struct state_revert *revert,
		       struct lb_err *err)
{
	char path[DURABLE_PATH];
	json_error_t where;
	json_t *root;
	bool newer;
	int error = durable_path(state_dir, "service.json", path, err);

	*revert = (struct state_revert){0};
	if (error)
		return error;
	if (!state_has_service(state_dir)) {
		*out = lb_service_new();
		return *out ? 0 : lb_err_no_memory(err);
	}
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (!root) {
		lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: line %d: %s", path, where.line,
			   where.text);
		return damaged(path, err);
	}
	error = read_state(root, out, revert, err);
	newer = json_integer_value(json_object_get(root, "format")) > LB_STATE_FORMAT_POOLS;
	json_decref(root);
	if (!error)
		return 0;
	return newer ? of_newer(path, err) : damaged(path, err);
}

int state_load_service(const char *state_dir, struct lb_service **out, struct state_revert *revert,
		       struct lb_err *err)
{
	char path[DURABLE_PATH];
	int error = state_read_service(state_dir, out, revert, err);

	if (!error && !durable_path(state_dir, "service.json", path, NULL))
		durable_remove_left(path);
	return error;
}

static json_t *revert_json(const struct state_revert *revert)
{
	json_t *object = json_pack("{s:o, s:I}", "document", lb_service_to_json(revert->document),
				   "at", (json_int_t)revert->at_s);

	if (revert->for_s)
		json_object_set_new(object, "for", json_integer(revert->for_s));
	if (revert->boot[0]) {
		json_object_set_new(object, "boot", json_string(revert->boot));
		json_object_set_new(object, "boot_at", json_integer(revert->boot_at_s));
	}
	return object;
}

/* The text of the file, to be freed, or NULL. */
static char *write_state(const struct lb_service *service, const struct state_revert *revert)
{
	bool reverts = revert && revert->document;
	bool pools = service->pool_count || (reverts && revert->document->pool_count);
	json_auto_t *root =
		json_pack("{s:i, s:o}", "format", pools ? LB_STATE_FORMAT_POOLS : LB_STATE_FORMAT,
			  "document", lb_service_to_json(service));
	char sum[9];

	if (!root || (reverts && json_object_set_new(root, "revert", revert_json(revert))))
		return NULL;
	if (!checksum(root, sum) || json_object_set_new(root, "checksum", json_string(sum)))
		return NULL;
	return json_dumps(root, JSON_INDENT(1));
}

int state_save_service(const char *state_dir, const struct lb_service *service,
		       const struct state_revert *revert, struct lb_err *err)
{
	char *text = write_state(service, revert);
	int error;

	if (!text)
		return lb_err_no_memory(err);
	error = durable_replace(state_dir, "service.json", text, err);
	free(text);
	return error;
}

/* --- the seed --- */

int state_save_seed(const char *state_dir, const uint64_t seed[2], struct lb_err *err)
{
	char text[40];

	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64 "\n", seed[0], seed[1]);
	return durable_replace(state_dir, "hash_seed", text, err);
}

int state_new_seed(const char *state_dir, uint64_t seed[2], struct lb_err *err)
{
	if (getrandom(seed, 2 * sizeof(*seed), 0) != 2 * sizeof(*seed))
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot get random bytes: %s",
				  strerror(errno));
	return state_save_seed(state_dir, seed, err);
}

int state_read_seed(const char *state_dir, uint64_t seed[2], struct lb_err *err)
{
	char path[DURABLE_PATH], text[40] = "";
	FILE *file;
	int error = durable_path(state_dir, "hash_seed", path, err);

	if (error)
		return error;
	file = fopen(path, "re");
	if (!file && errno == ENOENT) {
		lb_err_set(err, LB_ERR_SYSTEM, "", "%s is missing", path);
		return -ENOENT;
	}
	if (!file)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", path,
				  strerror(errno));
	if (fgets(text, sizeof(text), file))
		text[strcspn(text, "\n")] = '\0';
	fclose(file);
	if (!config_parse_seed(text, seed))
		return 0;
	lb_err_set(err, LB_ERR_SYSTEM, "", "%s does not hold 32 hex digits", path);
	return lb_err_hint(err,
			   "it was left as it is: restore it, or remove it; then lbd takes the "
			   "seed of the pinned data plane, or, without one, makes a new seed, "
			   "which moves every flow");
}

static int keep_seed(const char *state_dir, const uint64_t seed[2], struct lb_err *err)
{
	char path[DURABLE_PATH];
	int error = durable_path(state_dir, "hash_seed", path, err);

	if (error || !access(path, F_OK) || errno != ENOENT)
		return error;
	return state_save_seed(state_dir, seed, err);
}

const struct disk state_disk = {
	.load = state_load_service,
	.save = state_save_service,
	.has = state_has_service,
	.keep_seed = keep_seed,
};
