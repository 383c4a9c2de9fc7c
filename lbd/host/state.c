/* SPDX-License-Identifier: BSD-2-Clause */
/* How does what lbd was told survive lbd? */
#include "state.h"

#include <dirent.h>
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

#include "../api/plain_file.h"
#include "config.h"
#include "durable.h"
#include "journal.h"

#define NEWEST_FORMAT LB_STATE_FORMAT_JOURNAL
#define JOURNAL_NAME "service.journal."
#define JOURNALS 99          /* numbers that they may have */
#define JOURNAL_FROM 128     /* VIPs, pools and backends: writing them takes some milliseconds */
#define JOURNAL_LEAST 262144 /* bytes that are not long for a journal */
#define MOST_CHANGED 8       /* a change of more than this part of the VIPs is written whole */
#define READ_ROUNDS 3

int state_lock(const char *state_dir, int *fd, struct lb_err *err)
{
	char path[DURABLE_PATH];
	int error = durable_path(state_dir, "lock", path, err);

	if (error)
		return error;
	mkdir(state_dir, 0750); /* what is wrong with it, opening the file tells */
	*fd = plain_file_open(path, O_RDONLY | O_CREAT | O_NOFOLLOW);
	if (*fd < 0)
		return lb_err_set(err, LB_ERR_SYSTEM, "state_dir", "cannot open %s: %s", path,
				  plain_file_why(errno));
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
					 json_integer_value(format) <= NEWEST_FORMAT))
		return 0;
	return lb_err_set(err, LB_ERR_SYSTEM, "format",
			  "this lbd reads formats %d to %d, not %" JSON_INTEGER_FORMAT,
			  LB_STATE_FORMAT_UNCHECKED, NEWEST_FORMAT, json_integer_value(format));
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

/* --- the journal of its changes --- */

static int journal_path(const char *dir, unsigned int number, char out[DURABLE_PATH],
			struct lb_err *err)
{
	char name[32];

	snprintf(name, sizeof(name), JOURNAL_NAME "%u", number);
	return durable_path(dir, name, out, err);
}

/* Those of other documents, and those of none. */
static void remove_journals(const char *dir, unsigned int but)
{
	char path[DURABLE_PATH];
	struct dirent *entry;
	DIR *folder = opendir(dir);
	unsigned int number;

	while (folder && (entry = readdir(folder)))
		if (sscanf(entry->d_name, JOURNAL_NAME "%u", &number) == 1 && number != but &&
		    !journal_path(dir, number, path, NULL))
			unlink(path);
	if (folder)
		closedir(folder);
}

/* One that no document has yet, empty and on disk. */
static int make_journal(const char *dir, unsigned int *number, struct lb_err *err)
{
	char path[DURABLE_PATH];
	int fd = -1, error;

	mkdir(dir, 0750); /* what is wrong with it, opening the file tells */
	for (*number = 1; fd < 0 && *number <= JOURNALS; ++*number) {
		if (journal_path(dir, *number, path, err))
			return -EINVAL;
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return durable_failed(path, -errno, false, err);
	}
	--*number;
	error = fd < 0 ? -EEXIST : durable_sync_folder(dir);
	if (!error) {
		close(fd);
		return 0;
	}
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return durable_failed(path, error, false, err);
}

/* Makes the changes of the journal in the document that was read. */
static int replay(const char *dir, json_t *root, struct state_kept *kept, struct lb_err *err)
{
	const uint32_t crc =
		strtoul(json_string_value(json_object_get(root, "checksum")), NULL, 16);
	json_auto_t *changes = NULL;
	char path[DURABLE_PATH];

	if (journal_path(dir, kept->journal, path, err) ||
	    journal_read(path, crc, &changes, &kept->end, err))
		return -EINVAL;
	return journal_replay(json_object_get(root, "document"), changes) ? lb_err_no_memory(err)
									  : 0;
}

/* The number of the journal, where the format has one. */
static int read_journal(const json_t *root, const json_t *number, unsigned int *out,
			struct lb_err *err)
{
	bool has = json_integer_value(json_object_get(root, "format")) == LB_STATE_FORMAT_JOURNAL;
	int64_t value;

	*out = 0;
	if (!number && !has)
		return 0;
	if (!number || !has)
		return lb_err_set(err, LB_ERR_SYSTEM, "journal",
				  has ? "journal is missing" : "only format %d has a journal",
				  LB_STATE_FORMAT_JOURNAL);
	if (lb_json_integer(number, "journal", 1, JOURNALS, &value, err))
		return -EINVAL;
	*out = value;
	return 0;
}

/* --- reading --- */

static int read_state(const char *dir, json_t *root, struct state_kept *kept,
		      struct lb_service **out, struct state_revert *revert, struct lb_err *err)
{
	const json_t *format, *sum, *document, *back, *journal;
	const struct lb_json_field fields[] = {
		{"format", LB_JSON_INTEGER, true, &format},
		{"checksum", LB_JSON_STRING, false, &sum},
		{"document", LB_JSON_OBJECT, true, &document},
		{"journal", LB_JSON_INTEGER, false, &journal},
		{"revert", LB_JSON_OBJECT, false, &back},
		{NULL, 0, false, NULL},
	};
	int error = check_format(json_object_get(root, "format"), err);

	if (!error)
		error = check_checksum(root, err);
	if (!error)
		error = lb_json_fields(root, fields, err);
	if (!error)
		error = read_journal(root, journal, &kept->journal, err);
	if (!error && kept->journal)
		error = replay(dir, root, kept, err);
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

static struct state_file file_of(const struct stat *is)
{
	return (struct state_file){is->st_dev, is->st_ino, is->st_size, is->st_mtim};
}

/* Whether the file is the one that was read or written. */
static bool is_as_kept(const char *path, const struct state_kept *kept)
{
	const struct state_file *was = &kept->file;
	struct stat is;

	return !stat(path, &is) && is.st_dev == was->dev && is.st_ino == was->ino &&
	       is.st_size == was->size && is.st_mtim.tv_sec == was->changed.tv_sec &&
	       is.st_mtim.tv_nsec == was->changed.tv_nsec;
}

static json_t *load_json(const char *path, struct state_kept *kept, struct lb_err *err)
{
	json_error_t where = {.line = -1};
	FILE *file = plain_file_read(path);
	json_t *root = NULL;
	struct stat is;

	if (!file || fstat(fileno(file), &is)) {
		lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", path,
			   plain_file_why(errno));
	} else {
		kept->file = file_of(&is);
		root = json_loadf(file, JSON_REJECT_DUPLICATES, &where);
		if (!root)
			lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: line %d: %s", path,
				   where.line, where.text);
	}
	if (file)
		fclose(file);
	return root;
}

static int read_service(const char *state_dir, const char *path, struct state_kept *kept,
			struct lb_service **out, struct state_revert *revert, struct lb_err *err)
{
	json_t *root;
	bool newer;
	int error;

	*kept = (struct state_kept){0};
	*revert = (struct state_revert){0};
	if (!state_has_service(state_dir)) {
		*out = lb_service_new();
		return *out ? 0 : lb_err_no_memory(err);
	}
	root = load_json(path, kept, err);
	if (!root)
		return damaged(path, err);
	error = read_state(state_dir, root, kept, out, revert, err);
	newer = json_integer_value(json_object_get(root, "format")) > NEWEST_FORMAT;
	json_decref(root);
	if (!error)
		return 0;
	return newer ? of_newer(path, err) : damaged(path, err);
}

/* Between the document and its journal the lbd that runs may have put others in their place. */
int state_read_service(const char *state_dir, struct lb_service **out, struct state_revert *revert,
		       struct lb_err *err)
{
	char path[DURABLE_PATH];
	struct state_kept kept;
	int error = durable_path(state_dir, "service.json", path, err);

	if (error)
		return error;
	for (int round = 0; round < READ_ROUNDS; round++) {
		error = read_service(state_dir, path, &kept, out, revert, err);
		if (!error || is_as_kept(path, &kept))
			break;
	}
	return error;
}

int state_load_service(const char *state_dir, struct state_kept *kept, struct lb_service **out,
		       struct state_revert *revert, struct lb_err *err)
{
	char path[DURABLE_PATH];
	int error = durable_path(state_dir, "service.json", path, err);

	if (!error)
		error = read_service(state_dir, path, kept, out, revert, err);
	if (error)
		return error;
	durable_remove_left(path);
	remove_journals(state_dir, kept->journal);
	return 0;
}

/* --- writing --- */

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

static bool is_on_trial(const struct state_save *save)
{
	return save->revert && save->revert->document;
}

static int format_of(const struct state_save *save, unsigned int journal)
{
	if (journal)
		return LB_STATE_FORMAT_JOURNAL;
	return save->document->pool_count ||
			       (is_on_trial(save) && save->revert->document->pool_count)
		       ? LB_STATE_FORMAT_POOLS
		       : LB_STATE_FORMAT;
}

/* The text of the file, to be freed, or NULL; journal 0: without one. */
static char *write_state(const struct state_save *save, unsigned int journal, char sum[9])
{
	json_auto_t *root = json_pack("{s:i, s:o}", "format", format_of(save, journal), "document",
				      lb_service_to_json(save->document));

	if (!root ||
	    (is_on_trial(save) && json_object_set_new(root, "revert", revert_json(save->revert))))
		return NULL;
	if (journal && json_object_set_new(root, "journal", json_integer(journal)))
		return NULL;
	if (!checksum(root, sum) || json_object_set_new(root, "checksum", json_string(sum)))
		return NULL;
	return json_dumps(root, JSON_INDENT(1));
}

/* How much a document says, about. */
static size_t objects_of(const struct lb_service *document)
{
	size_t count = document->vip_count + document->pool_count;

	for (size_t i = 0; i < document->pool_count; i++)
		count += document->pools[i].backend_count;
	for (size_t i = 0; i < document->vip_count; i++)
		if (!document->vips[i].pool->named)
			count += document->vips[i].pool->backend_count;
	return count;
}

/* What waits to be confirmed is written whole, and what comes after it. */
static bool wants_journal(const struct state_save *save)
{
	return !is_on_trial(save) && !save->last && objects_of(save->document) >= JOURNAL_FROM;
}

/* The file has been written: what is known of it now. */
static void keep(const char *path, unsigned int journal, const char *sum, struct state_kept *out)
{
	struct stat is;

	*out = (struct state_kept){0};
	if (stat(path, &is))
		return;
	out->file = file_of(&is);
	out->journal = journal;
	out->end.crc = strtoul(sum, NULL, 16);
}

static int save_whole(const char *dir, struct state_kept *kept, const struct state_save *save,
		      struct lb_err *err)
{
	char path[DURABLE_PATH], left[DURABLE_PATH], sum[9];
	unsigned int journal = 0;
	bool stuck = false;
	char *text;
	int error = durable_path(dir, "service.json", path, err);

	if (!error && wants_journal(save))
		error = make_journal(dir, &journal, err);
	if (error)
		return error;
	text = write_state(save, journal, sum);
	error = text ? durable_replace(dir, "service.json", text, &stuck, err)
		     : lb_err_no_memory(err);
	free(text);
	if (!error) {
		keep(path, journal, sum, kept);
		remove_journals(dir, journal);
	} else if (stuck) {
		*kept = (struct state_kept){0};
	} else if (journal && !journal_path(dir, journal, left, NULL)) {
		unlink(left);
	}
	return error;
}

/* 1: the whole document is to be written. */
static int save_changes(const char *dir, struct state_kept *kept, const struct state_save *save,
			struct lb_err *err)
{
	char path[DURABLE_PATH];
	bool stuck = false;
	json_t *changes;
	int error = 0;

	if (!kept->journal || kept->end.torn || !save->before || !wants_journal(save) ||
	    durable_path(dir, "service.json", path, NULL) || !is_as_kept(path, kept))
		return 1;
	changes = journal_difference(save->before, save->document,
				     save->document->vip_count / MOST_CHANGED + 1);
	if (!changes || journal_path(dir, kept->journal, path, NULL))
		error = -ESTALE;
	if (!error)
		error = journal_append(path, changes, &kept->end, &stuck);
	json_decref(changes);
	if (!error || error == -ESTALE)
		return error ? 1 : 0;
	/* What the kernel makes of a file that it could not write is not to be relied upon. */
	*kept = (struct state_kept){0};
	return durable_failed(path, error, stuck, err);
}

int state_save_service(const char *state_dir, struct state_kept *kept,
		       const struct state_save *save, struct lb_err *err)
{
	int error = save_changes(state_dir, kept, save, err);

	return error > 0 ? save_whole(state_dir, kept, save, err) : error;
}

bool state_is_long(const struct state_kept *kept)
{
	return kept->end.length > JOURNAL_LEAST && kept->end.length > (size_t)kept->file.size;
}

/* --- the seed --- */

int state_save_seed(const char *state_dir, const uint64_t seed[2], struct lb_err *err)
{
	char text[40];
	bool stuck;

	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64 "\n", seed[0], seed[1]);
	return durable_replace(state_dir, "hash_seed", text, &stuck, err);
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
	file = plain_file_read(path);
	if (!file && errno == ENOENT) {
		lb_err_set(err, LB_ERR_SYSTEM, "", "%s is missing", path);
		return -ENOENT;
	}
	if (!file)
		return lb_err_set(err, LB_ERR_SYSTEM, "", "cannot read %s: %s", path,
				  plain_file_why(errno));
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
